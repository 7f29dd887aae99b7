// Gradients of a convolution's weights and bias. The gradient of its input is a forward convolution of other weights.
import CSystem

/// What all tiles of one (unit, input block) pair share, for one stretch of output rows.
struct WeightGradientPass {
  /// Strides in floats from one output pixel or row to the next: in the input, and in the output's gradient.
  let inputPixel: Int
  let inputRow: Int
  let outputRow: Int
  let outputBlock: Int
  let width: Int
  /// Floats between the sums of neighbouring input channels.
  let sumsRow: Int
}

/// Adds to the sums of `rows` input channels × all output channels of the unit, for one tap of the kernel.
@inline(never)
func weightGradientTile<let rows: Int, let columns: Int>(
  _: Count<rows>, _: Count<columns>, _ pass: UnsafePointer<WeightGradientPass>, _ input: UnsafePointer<Float>,
  _ outputGradient: UnsafePointer<Float>, _ outputRows: Int, _ memory: UnsafeMutablePointer<Float>
) {
  var sums = zeroed() as RegisterTile<rows, columns>
  let run = Run(
    rows: EvenRows(stride: 1), rowStep: pass.pointee.inputPixel, columnStride: pass.pointee.outputBlock,
    columnStep: lanes)
  var row = 0
  while row < outputRows {
    var gradients = outputGradient + row &* pass.pointee.outputRow
    accumulate(&sums, input + row &* pass.pointee.inputRow, &gradients, run, count: pass.pointee.width)
    row &+= 1
  }
  for row in 0..<rows {
    for column in 0..<columns {
      let place = memory + row &* pass.pointee.sumsRow + column &* lanes
      storeVector(loadVector(place) + sums[row][column], place)
    }
  }
}

/// Input channels of one tile, at most: one column of 16 keeps more sums than two columns of 8, at fewer loads each.
@inline(__always)
func tallestGradientTile(columns: Int) -> Int {
  switch (lanes, columns) {
  case (16, 1): 16
  case (16, _): 8
  case (8, 1): 8
  default: 4
  }
}

/// Calls the tile compiled for `rows` input channels.
@inline(__always)
func weightGradientTile<let columns: Int>(
  rows: Int, _ columnCount: Count<columns>, _ pass: UnsafePointer<WeightGradientPass>, _ input: UnsafePointer<Float>,
  _ outputGradient: UnsafePointer<Float>, _ outputRows: Int, _ memory: UnsafeMutablePointer<Float>
) {
  let tallest = tallestGradientTile(columns: columns)
  switch rows {
  case 1: weightGradientTile(Count<1>(), columnCount, pass, input, outputGradient, outputRows, memory)
  case 2 where lanes > 4: weightGradientTile(Count<2>(), columnCount, pass, input, outputGradient, outputRows, memory)
  case 3 where lanes > 4: weightGradientTile(Count<3>(), columnCount, pass, input, outputGradient, outputRows, memory)
  case 4: weightGradientTile(Count<4>(), columnCount, pass, input, outputGradient, outputRows, memory)
  case 8 where tallest >= 8:
    weightGradientTile(Count<8>(), columnCount, pass, input, outputGradient, outputRows, memory)
  case 16 where tallest >= 16:
    weightGradientTile(Count<16>(), columnCount, pass, input, outputGradient, outputRows, memory)
  default: break
  }
}

/// All taps and input channels of one (unit, input block) pair over output rows [firstRow, endRow).
private func weightGradientRows(
  _ columns: Int, _ shape: sasuka_convolution, _ pass: UnsafePointer<WeightGradientPass>,
  channels: Range<Int>, _ input: UnsafePointer<Float>, _ outputGradient: UnsafePointer<Float>,
  _ sums: UnsafeMutablePointer<Float>, _ firstRow: Int, _ endRow: Int
) {
  let kernelRow = Int(shape.dilation_height &* shape.input_width) &* lanes
  let kernelColumn = Int(shape.dilation_width) &* lanes
  let taps = Int(shape.kernel_height &* shape.kernel_width)
  // Enough pixels at a time to hide the sums' way to memory and back, few enough to stay in the first-level cache.
  let rowsAtATime = max(1, 128 / max(pass.pointee.width, 1))
  var row = firstRow
  while row < endRow {
    let rows = min(rowsAtATime, endRow &- row)
    let from = input + row &* pass.pointee.inputRow
    let gradient = outputGradient + row &* pass.pointee.outputRow
    var tap = 0
    while tap < taps {
      let tapInput =
        from + tap / Int(shape.kernel_width) &* kernelRow + tap % Int(shape.kernel_width) &* kernelColumn
      let tapSums = sums + tap &* lanes &* pass.pointee.sumsRow
      var channel = channels.lowerBound
      while channel < channels.upperBound {
        var size = tallestGradientTile(columns: columns)
        while size > 4 && size > channels.upperBound &- channel { size /= 2 }
        size = min(size, channels.upperBound &- channel)
        if lanes == 4, size < 4 { size = 1 }
        let (from, to) = (tapInput + channel, tapSums + channel &* pass.pointee.sumsRow)
        if tileColumns == 2, columns == 2 {
          weightGradientTile(rows: size, Count<2>(), pass, from, gradient, rows, to)
        } else {
          weightGradientTile(rows: size, Count<1>(), pass, from, gradient, rows, to)
        }
        channel &+= size
      }
      tap &+= 1
    }
    row &+= rows
  }
}

/// The slot `convolution_weight_gradient`.
func convolutionWeightGradient(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?,
  _ outputGradient: UnsafePointer<Float>?, _ sums: UnsafeMutablePointer<Float>?, _ unitIndex: Int64,
  _ inputBlock: Int64, _ firstRow: Int64, _ endRow: Int64
) {
  guard let shape = shapePointer?.pointee, let input, let outputGradient, let sums else { return }
  let unit = ConvolutionUnit(shape, Int(unitIndex))
  let block = unit.firstInput / lanes &+ Int(inputBlock)
  let channels = max(unit.firstInput &- block &* lanes, 0)..<max(min(unit.endInput &- block &* lanes, lanes), 0)
  if channels.isEmpty { return }
  let width = shape.columns &* lanes
  let blockFloats = Int(shape.kernel_height &* shape.kernel_width) &* lanes &* width
  let outputBlock = Int(shape.output_height &* shape.output_width) &* lanes
  let pass = WeightGradientPass(
    inputPixel: Int(shape.stride_width) &* lanes,
    inputRow: Int(shape.stride_height &* shape.input_width) &* lanes,
    outputRow: Int(shape.output_width) &* lanes,
    outputBlock: outputBlock,
    width: Int(shape.output_width),
    sumsRow: width)
  let from = input + block &* Int(shape.input_height &* shape.input_width) &* lanes
  let gradient = outputGradient + unit.firstOutput / lanes &* outputBlock
  let to = sums + (Int(unitIndex) &* shape.gradientBlocks(lanes: lanes) &+ Int(inputBlock)) &* blockFloats
  withUnsafePointer(to: pass) { pass in
    weightGradientRows(
      unit.columns, shape, pass, channels: channels, from, gradient, to, Int(firstRow), Int(endRow))
  }
}

/// The slot `channel_sums`: short runs are added in float32, four at a time, their sums in float64.
func channelSums(
  _ map: UnsafePointer<Float>?, _ images: Int64, _ imageStride: Int64, _ pixels: Int64, _ laneCount: Int64,
  _ sums: UnsafeMutablePointer<Float>?, _ epilogue: Int32
) {
  guard let map, let sums else { return }
  let runLength = 64
  var totals = zeroed() as InlineArray<16, Double>
  var image = 0
  while image < Int(images) {
    let from = map + image &* Int(imageStride)
    var begin = 0
    while begin < Int(pixels) {
      let end = min(begin &+ runLength, Int(pixels))
      var partial = zeroed() as InlineArray<4, Vector>
      var pixel = begin
      while pixel &+ 4 <= end {
        for part in 0..<4 { partial[part] += loadVector(from + (pixel &+ part) &* lanes) }
        pixel &+= 4
      }
      while pixel < end {
        partial[0] += loadVector(from + pixel &* lanes)
        pixel &+= 1
      }
      let run = (partial[0] + partial[1]) + (partial[2] + partial[3])
      for lane in 0..<lanes { totals[lane] += Double(run[lane]) }
      begin = end
    }
    image &+= 1
  }
  let adds = Epilogue(epilogue).adds
  for lane in 0..<lanes where lane < Int(laneCount) {
    let total = Float(totals[lane])
    sums[lane] = adds ? sums[lane] + total : total
  }
}
