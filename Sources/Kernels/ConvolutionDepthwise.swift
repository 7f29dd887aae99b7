// Depthwise convolution: every channel has one kernel of its own, so a vector of channels is a vector of convolutions.
import CSystem

/// The slot `convolution_depthwise_pack`.
func depthwisePack(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ strides: UnsafePointer<sasuka_weight_strides>?,
  _ source: UnsafePointer<Float>?, _ packed: UnsafeMutablePointer<Float>?, _ firstBlock: Int64, _ endBlock: Int64
) {
  guard let shape = shapePointer?.pointee, let strides = strides?.pointee, let source, let packed else { return }
  let taps = Int(shape.kernel_height &* shape.kernel_width)
  var channel = Int(firstBlock) &* lanes
  while channel < Int(endBlock) &* lanes {
    let place = packed + channel / lanes &* taps &* lanes + channel % lanes
    var tap = 0
    while tap < taps {
      place[tap &* lanes] =
        channel < Int(shape.groups) ? source[depthwiseOffset(shape, strides, channel: channel, tap: tap)] : 0
      tap &+= 1
    }
    channel &+= 1
  }
}

@inline(__always)
private func depthwiseOffset(
  _ shape: sasuka_convolution, _ strides: sasuka_weight_strides, channel: Int, tap: Int
) -> Int {
  channel &* Int(strides.group) &+ tap / Int(shape.kernel_width) &* Int(strides.row)
    &+ tap % Int(shape.kernel_width) &* Int(strides.column)
}

/// `pixels` neighbouring pixels of an output row.
@inline(__always)
private func depthwiseTile<let pixels: Int>(
  _: Count<pixels>, _ shape: sasuka_convolution, _ input: UnsafePointer<Float>, _ weights: UnsafePointer<Float>,
  _ bias: Vector, _ epilogue: Epilogue, _ output: UnsafeMutablePointer<Float>
) {
  var sums = InlineArray<pixels, Vector>(repeating: bias)
  let pixelStride = Int(shape.stride_width) &* lanes
  var weight = weights
  var kernelRow = 0
  while kernelRow < Int(shape.kernel_height) {
    var from = input + kernelRow &* Int(shape.dilation_height &* shape.input_width) &* lanes
    var kernelColumn = 0
    while kernelColumn < Int(shape.kernel_width) {
      let factor = loadVector(weight)
      for pixel in 0..<pixels {
        sums[pixel] = multiplyAdd(loadVector(from + pixel &* pixelStride), factor, sums[pixel])
      }
      weight += lanes
      from += Int(shape.dilation_width) &* lanes
      kernelColumn &+= 1
    }
    kernelRow &+= 1
  }
  for pixel in 0..<pixels {
    let place = output + pixel &* Int(shape.output_pixel_stride)
    storeVector(epilogue.apply(sums[pixel], held: place), place)
  }
}

/// The slot `convolution_depthwise_forward`.
func depthwiseForward(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?, _ packed: UnsafePointer<Float>?,
  _ bias: UnsafePointer<Float>?, _ output: UnsafeMutablePointer<Float>?, _ block: Int64, _ firstRow: Int64,
  _ endRow: Int64, _ epilogueFlags: Int32
) {
  guard let shape = shapePointer?.pointee, let input, let packed, let output else { return }
  let epilogue = Epilogue(epilogueFlags)
  let channel = Int(block) &* lanes
  let biasVector = bias.map { loadLanes($0 + channel, Int(shape.groups) &- channel) } ?? Vector()
  let weights = packed + channel &* Int(shape.kernel_height &* shape.kernel_width)
  let blockInput = input + channel &* Int(shape.input_height &* shape.input_width)
  let blockOutput = output + Int(block &* shape.output_block_stride)
  let width = Int(shape.output_width)
  var row = Int(firstRow)
  while row < Int(endRow) {
    let from = blockInput + row &* Int(shape.stride_height &* shape.input_width) &* lanes
    let to = blockOutput + row &* Int(shape.output_row_stride)
    var pixel = 0
    while pixel &+ 7 <= width {
      depthwiseTile(
        Count<7>(), shape, from + pixel &* Int(shape.stride_width) &* lanes, weights, biasVector, epilogue,
        to + pixel &* Int(shape.output_pixel_stride))
      pixel &+= 7
    }
    while pixel < width {
      depthwiseTile(
        Count<1>(), shape, from + pixel &* Int(shape.stride_width) &* lanes, weights, biasVector, epilogue,
        to + pixel &* Int(shape.output_pixel_stride))
      pixel &+= 1
    }
    row &+= 1
  }
}

/// The slot `convolution_depthwise_weight_gradient`.
func depthwiseWeightGradient(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?,
  _ outputGradient: UnsafePointer<Float>?, _ sums: UnsafeMutablePointer<Float>?, _ block: Int64, _ firstRow: Int64,
  _ endRow: Int64
) {
  guard let shape = shapePointer?.pointee, let input, let outputGradient, let sums else { return }
  let taps = Int(shape.kernel_height &* shape.kernel_width)
  let width = Int(shape.output_width)
  let pixelStride = Int(shape.stride_width) &* lanes
  let blockInput = input + Int(block &* shape.input_height &* shape.input_width) &* lanes
  let blockGradient = outputGradient + Int(block &* shape.output_height) &* width &* lanes
  let blockSums = sums + Int(block) &* taps &* lanes
  var row = Int(firstRow)
  while row < Int(endRow) {
    let gradient = blockGradient + row &* width &* lanes
    var tap = 0
    while tap < taps {
      let inputRow =
        row &* Int(shape.stride_height) &+ tap / Int(shape.kernel_width) &* Int(shape.dilation_height)
      let inputColumn = tap % Int(shape.kernel_width) &* Int(shape.dilation_width)
      let from = blockInput + (inputRow &* Int(shape.input_width) &+ inputColumn) &* lanes
      // Four sums at a time: one alone would wait for itself.
      var partial = zeroed() as InlineArray<4, Vector>
      var pixel = 0
      while pixel &+ 4 <= width {
        for part in 0..<4 {
          partial[part] = multiplyAdd(
            loadVector(from + (pixel &+ part) &* pixelStride), loadVector(gradient + (pixel &+ part) &* lanes),
            partial[part])
        }
        pixel &+= 4
      }
      while pixel < width {
        partial[0] = multiplyAdd(
          loadVector(from + pixel &* pixelStride), loadVector(gradient + pixel &* lanes), partial[0])
        pixel &+= 1
      }
      let place = blockSums + tap &* lanes
      storeVector(loadVector(place) + ((partial[0] + partial[1]) + (partial[2] + partial[3])), place)
      tap &+= 1
    }
    row &+= 1
  }
}

/// The slot `convolution_depthwise_gradient_unpack`.
func depthwiseGradientUnpack(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ strides: UnsafePointer<sasuka_weight_strides>?,
  _ sums: UnsafePointer<Float>?, _ sumsStride: Int64, _ count: Int64, _ gradient: UnsafeMutablePointer<Float>?,
  _ firstBlock: Int64, _ endBlock: Int64, _ epilogue: Int32
) {
  guard let shape = shapePointer?.pointee, let strides = strides?.pointee, let sums, let gradient else { return }
  let taps = Int(shape.kernel_height &* shape.kernel_width)
  let adds = Epilogue(epilogue).adds
  var channel = Int(firstBlock) &* lanes
  while channel < min(Int(endBlock) &* lanes, Int(shape.groups)) {
    let from = sums + channel / lanes &* taps &* lanes + channel % lanes
    var tap = 0
    while tap < taps {
      let place = depthwiseOffset(shape, strides, channel: channel, tap: tap)
      let total = sumOfBuffers(from + tap &* lanes, Int(sumsStride), Int(count))
      gradient[place] = adds ? gradient[place] + total : total
      tap &+= 1
    }
    channel &+= 1
  }
}
