// Pooling of one channel block of one image, [height][width][V], forward and backward.
import CSystem

func fillPooling(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.max_pool = { shape, input, output, indices in
    if let indices {
      maxPool(shape!.pointee, input!, output!) { index, pixel in
        UnsafeMutableRawPointer(indices + pixel * Vector.scalarCount).storeBytes(of: index, as: Indices.self)
      }
    } else {
      maxPool(shape!.pointee, input!, output!) { _, _ in }
    }
  }
  table.pointee.max_pool_gradient = { shape, gradient, indices, result in
    maxPoolGradient(shape!.pointee, gradient!, indices!, result!)
  }
  table.pointee.average_pool = { shape, rows, columns, input, output in
    averagePool(shape!.pointee, rows!, columns!, input!, output!)
  }
  table.pointee.average_pool_gradient = { shape, rows, columns, gradient, result in
    averagePoolGradient(shape!.pointee, rows!, columns!, gradient!, result!)
  }
}

/// The taps of an output pixel that lie inside the input, in row-major order, as places y * width + x.
@inline(__always)
private func forEachTap(_ shape: sasuka_pooling, _ outputRow: Int, _ outputColumn: Int, _ body: (Int) -> Void) {
  let top = outputRow * Int(shape.stride_height) - Int(shape.top)
  let left = outputColumn * Int(shape.stride_width) - Int(shape.left)
  let (height, width) = (Int(shape.input_height), Int(shape.input_width))
  for i in 0..<Int(shape.kernel_height) {
    let y = top + i * Int(shape.dilation_height)
    guard y >= 0 else { continue }
    guard y < height else { break }
    for j in 0..<Int(shape.kernel_width) {
      let x = left + j * Int(shape.dilation_width)
      guard x >= 0 else { continue }
      guard x < width else { break }
      body(y * width + x)
    }
  }
}

/// The first tap inside the input, or -1: where a window holds minus infinity only, its gradient goes there.
@inline(__always)
private func firstTap(_ shape: sasuka_pooling, _ outputRow: Int, _ outputColumn: Int) -> Int32 {
  let y = firstInside(outputRow * Int(shape.stride_height) - Int(shape.top), Int(shape.dilation_height))
  let x = firstInside(outputColumn * Int(shape.stride_width) - Int(shape.left), Int(shape.dilation_width))
  let isInside = y < Int(shape.input_height) && x < Int(shape.input_width)
  return isInside ? Int32(truncatingIfNeeded: y * Int(shape.input_width) + x) : -1
}

/// The first of start, start + step, ... that is not negative.
@inline(__always)
private func firstInside(_ start: Int, _ step: Int) -> Int {
  start >= 0 ? start : start + (step - 1 - start) / step * step
}

/// The first of equal maxima wins; a NaN wins over every number, as in PyTorch.
@inline(__always)
private func maxPool(
  _ shape: sasuka_pooling, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>,
  _ keep: (Indices, Int) -> Void
) {
  for row in 0..<Int(shape.output_height) {
    for column in 0..<Int(shape.output_width) {
      var best = Vector(repeating: -.infinity)
      var place = Indices(repeating: firstTap(shape, row, column))
      forEachTap(shape, row, column) { tap in
        let value = loadVector(input + tap * Vector.scalarCount)
        let wins = either(less(best, value), isNaN(value))
        best = select(wins, value, best)
        place = select(wins, Indices(repeating: Int32(truncatingIfNeeded: tap)), place)
      }
      let pixel = row * Int(shape.output_width) + column
      storeVector(best, output + pixel * Vector.scalarCount)
      keep(place, pixel)
    }
  }
}

/// Each tap of a window takes the gradients of the lanes whose index it is.
@inline(__always)
private func maxPoolGradient(
  _ shape: sasuka_pooling, _ gradient: UnsafePointer<Float>, _ indices: UnsafePointer<Int32>,
  _ result: UnsafeMutablePointer<Float>
) {
  clear(result, Int(shape.input_height * shape.input_width) * Vector.scalarCount)
  for row in 0..<Int(shape.output_height) {
    for column in 0..<Int(shape.output_width) {
      let pixel = (row * Int(shape.output_width) + column) * Vector.scalarCount
      let incoming = loadVector(gradient + pixel)
      let place = UnsafeRawPointer(indices + pixel).loadUnaligned(as: Indices.self)
      forEachTap(shape, row, column) { tap in
        let share = select(equal(place, Indices(repeating: Int32(truncatingIfNeeded: tap))), incoming, Vector())
        let target = result + tap * Vector.scalarCount
        storeVector(loadVector(target) + share, target)
      }
    }
  }
}

/// Rows of a window are summed first, then their sums: in a window of h x w pixels errors grow with h + w only.
@inline(__always)
private func averagePool(
  _ shape: sasuka_pooling, _ rows: UnsafePointer<sasuka_pool_range>, _ columns: UnsafePointer<sasuka_pool_range>,
  _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>
) {
  for row in 0..<Int(shape.output_height) {
    for column in 0..<Int(shape.output_width) {
      var sum = Vector.zero
      for y in rows[row].first..<rows[row].end {
        var rowSum = Vector.zero
        let source = input + Int(y) * Int(shape.input_width) * Vector.scalarCount
        for x in columns[column].first..<columns[column].end {
          rowSum += loadVector(source + Int(x) * Vector.scalarCount)
        }
        sum += rowSum
      }
      let pixel = row * Int(shape.output_width) + column
      storeVector(sum / (rows[row].divisor * columns[column].divisor), output + pixel * Vector.scalarCount)
    }
  }
}

@inline(__always)
private func averagePoolGradient(
  _ shape: sasuka_pooling, _ rows: UnsafePointer<sasuka_pool_range>, _ columns: UnsafePointer<sasuka_pool_range>,
  _ gradient: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>
) {
  clear(result, Int(shape.input_height * shape.input_width) * Vector.scalarCount)
  for row in 0..<Int(shape.output_height) {
    for column in 0..<Int(shape.output_width) {
      let pixel = row * Int(shape.output_width) + column
      let divisor = rows[row].divisor * columns[column].divisor
      let share = loadVector(gradient + pixel * Vector.scalarCount) / divisor
      for y in rows[row].first..<rows[row].end {
        let target = result + Int(y) * Int(shape.input_width) * Vector.scalarCount
        for x in columns[column].first..<columns[column].end {
          let place = target + Int(x) * Vector.scalarCount
          storeVector(loadVector(place) + share, place)
        }
      }
    }
  }
}
