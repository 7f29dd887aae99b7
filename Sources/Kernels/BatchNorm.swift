// Statistics of channels and the affine maps of batch normalisation, over one channel block of a blocked map.
import CSystem

func fillBatchNorm(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.channel_moments = { map, images, imageStride, pixels, moments in
    channelMoments(map!, Int(images), Int(imageStride), Int(pixels), moments!)
  }
  table.pointee.channel_affine = { map, coefficients, result, pixels, epilogue in
    if epilogue & Int32(SASUKA_EPILOGUE_RELU) != 0 {
      channelAffine(map!, coefficients!, result!, Int(pixels)) { select(less($0, Vector()), Vector(), $0) }
    } else {
      channelAffine(map!, coefficients!, result!, Int(pixels)) { $0 }
    }
  }
  table.pointee.channel_gradient_sums = { map, gradient, coefficients, images, imageStride, pixels, sums, epilogue in
    let shape = (images: Int(images), stride: Int(imageStride), pixels: Int(pixels))
    if epilogue & Int32(SASUKA_EPILOGUE_RELU) != 0 {
      let (scale, shift) = (vector(coefficients!, 1), vector(coefficients!, 2))
      channelGradientSums(map!, gradient!, vector(coefficients!, 0), shape, sums!) { gradient, deviation in
        select(atMost(multiplyAdd(deviation, scale, shift), Vector()), Vector(), gradient)
      }
    } else {
      channelGradientSums(map!, gradient!, vector(coefficients!, 0), shape, sums!) { gradient, _ in gradient }
    }
  }
  table.pointee.channel_gradient_affine = { map, gradient, coefficients, result, pixels, epilogue in
    if epilogue & Int32(SASUKA_EPILOGUE_RELU) != 0 {
      let (scale, shift) = (vector(coefficients!, 1), vector(coefficients!, 2))
      channelGradientAffine(map!, gradient!, coefficients!, result!, Int(pixels)) { gradient, deviation in
        select(atMost(multiplyAdd(deviation, scale, shift), Vector()), Vector(), gradient)
      }
    } else {
      channelGradientAffine(map!, gradient!, coefficients!, result!, Int(pixels)) { gradient, _ in gradient }
    }
  }
}

/// Pixels that are summed in float32 before the sums go to float64; their vectors stay in the L1 cache between two passes.
private let slice = 256

/// The `place`-th of the vectors that lie one after another at `pointer`.
@inline(__always)
private func vector(_ pointer: UnsafePointer<Float>, _ place: Int) -> Vector {
  loadVector(pointer + place * Vector.scalarCount)
}

/// Each slice goes through the cache twice: its mean, then the deviations from it (with their own sum as a correction, so
/// that the rounding of the mean does no harm). Slices are merged in order in float64
/// (Chan, Golub and LeVeque 1979, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances).
@inline(__always)
private func channelMoments(
  _ map: UnsafePointer<Float>, _ images: Int, _ imageStride: Int, _ pixels: Int, _ moments: UnsafeMutablePointer<Double>
) {
  let width = Vector.scalarCount
  clear(moments, 2 * width)
  var count = 0
  for image in 0..<images {
    var first = 0
    while first < pixels {
      let size = min(slice, pixels - first)
      let source = map + image * imageStride + first * width
      let center = sliceSum(source, size) * (1 / Float(size))
      let (sum, squares) = sliceDeviations(source, size, center)
      merge(center, sum, squares, size, into: moments, count)
      count += size
      first += size
    }
  }
}

/// The sum of `size` vectors, in four interleaved chains: an addition takes four cycles, two can begin in each.
@inline(__always)
private func sliceSum(_ source: UnsafePointer<Float>, _ size: Int) -> Vector {
  var (a, b, c, d) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
  var pixel = 0
  while pixel + 4 <= size {
    a += vector(source, pixel)
    b += vector(source, pixel + 1)
    c += vector(source, pixel + 2)
    d += vector(source, pixel + 3)
    pixel += 4
  }
  while pixel < size {
    a += vector(source, pixel)
    pixel += 1
  }
  return (a + b) + (c + d)
}

/// Sums of the deviations from `center` and of their squares.
@inline(__always)
private func sliceDeviations(_ source: UnsafePointer<Float>, _ size: Int, _ center: Vector) -> (Vector, Vector) {
  var (a, b, c, d) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
  var (aa, bb, cc, dd) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
  var pixel = 0
  while pixel + 4 <= size {
    let x = vector(source, pixel) - center
    let y = vector(source, pixel + 1) - center
    let z = vector(source, pixel + 2) - center
    let w = vector(source, pixel + 3) - center
    (a, b, c, d) = (a + x, b + y, c + z, d + w)
    (aa, bb, cc, dd) = (multiplyAdd(x, x, aa), multiplyAdd(y, y, bb), multiplyAdd(z, z, cc), multiplyAdd(w, w, dd))
    pixel += 4
  }
  while pixel < size {
    let x = vector(source, pixel) - center
    a += x
    aa = multiplyAdd(x, x, aa)
    pixel += 1
  }
  return ((a + b) + (c + d), (aa + bb) + (cc + dd))
}

/// Merges a slice of `size` pixels into the moments of the `count` pixels before it.
@inline(__always)
private func merge(
  _ center: Vector, _ sum: Vector, _ squares: Vector, _ size: Int, into moments: UnsafeMutablePointer<Double>,
  _ count: Int
) {
  let reciprocal = 1 / Double(size)
  let share = Double(size) / Double(count + size)
  let weight = Double(count) * share
  for lane in 0..<Vector.scalarCount {
    let residue = Double(sum[lane])
    let mean = Double(center[lane]) + residue * reciprocal
    let delta = mean - moments[lane]
    moments[lane] += delta * share
    moments[Vector.scalarCount + lane] +=
      Double(squares[lane]) - residue * residue * reciprocal + delta * delta * weight
  }
}

@inline(__always)
private func channelAffine(
  _ map: UnsafePointer<Float>, _ coefficients: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>,
  _ pixels: Int, _ activation: (Vector) -> Vector
) {
  let (mean, scale, shift) = (vector(coefficients, 0), vector(coefficients, 1), vector(coefficients, 2))
  for pixel in 0..<pixels {
    let value = multiplyAdd(vector(map, pixel) - mean, scale, shift)
    storeVector(activation(value), result + pixel * Vector.scalarCount)
  }
}

@inline(__always)
private func channelGradientSums(
  _ map: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>, _ mean: Vector,
  _ shape: (images: Int, stride: Int, pixels: Int), _ sums: UnsafeMutablePointer<Double>,
  _ gate: (Vector, Vector) -> Vector
) {
  let width = Vector.scalarCount
  clear(sums, 2 * width)
  for image in 0..<shape.images {
    var first = 0
    while first < shape.pixels {
      let end = min(first + slice, shape.pixels)
      let x = map + image * shape.stride
      let dy = gradient + image * shape.stride
      var (a, b, aa, bb) = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
      while first + 2 <= end {
        let (x0, x1) = (vector(x, first) - mean, vector(x, first + 1) - mean)
        let (dy0, dy1) = (gate(vector(dy, first), x0), gate(vector(dy, first + 1), x1))
        (a, b) = (a + dy0, b + dy1)
        (aa, bb) = (multiplyAdd(dy0, x0, aa), multiplyAdd(dy1, x1, bb))
        first += 2
      }
      if first < end {
        let x0 = vector(x, first) - mean
        let dy0 = gate(vector(dy, first), x0)
        a += dy0
        aa = multiplyAdd(dy0, x0, aa)
        first += 1
      }
      let (sum, products) = (a + b, aa + bb)
      for lane in 0..<width {
        sums[lane] += Double(sum[lane])
        sums[width + lane] += Double(products[lane])
      }
    }
  }
}

@inline(__always)
private func channelGradientAffine(
  _ map: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>, _ coefficients: UnsafePointer<Float>,
  _ result: UnsafeMutablePointer<Float>, _ pixels: Int, _ gate: (Vector, Vector) -> Vector
) {
  let mean = vector(coefficients, 0)
  let (ofGradient, ofMap, constant) = (vector(coefficients, 3), vector(coefficients, 4), vector(coefficients, 5))
  for pixel in 0..<pixels {
    let deviation = vector(map, pixel) - mean
    let incoming = gate(vector(gradient, pixel), deviation)
    let value = multiplyAdd(incoming, ofGradient, multiplyAdd(deviation, ofMap, constant))
    storeVector(value, result + pixel * Vector.scalarCount)
  }
}
