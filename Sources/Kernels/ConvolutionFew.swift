// Convolution to so few output channels that the general kernel's lanes would be idle for the most part: one to three, as those of
// masks and pictures. Here lanes are input channels, each with sums of its own, which are added up at the end.
import CSystem

/// The slot `convolution_few_pack`.
func fewPack(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ strides: UnsafePointer<sasuka_weight_strides>?,
  _ source: UnsafePointer<Float>?, _ scales: UnsafePointer<Float>?, _ packed: UnsafeMutablePointer<Float>?
) {
  guard let shapePointer, let strides = strides?.pointee, let source, let packed else { return }
  let (shape, sums) = (shapePointer.pointee, Int(sasuka_few_sums(shapePointer)))
  let (width, taps) = (Int(shape.kernel_width), Int(shape.kernel_height &* shape.kernel_width))
  for channel in 0..<Int(shape.input_channels) {
    let place = packed + channel / 8 &* taps &* sums &* 8 + channel % 8
    for row in 0..<(taps &* sums) {
      let (tap, output) = (row / sums, row % sums)
      let offset =
        output &* Int(strides.output) &+ channel &* Int(strides.input) &+ strides.offset(ofTap: tap, width: width)
      place[row &* 8] = output < Int(shape.output_channels) ? source[offset] * (scales?[output] ?? 1) : 0
    }
  }
}

/// What all tiles share.
private struct FewPass {
  let block: BlockPass
  /// Vectors of the input's channels, how many of a block are behind its first, and floats from the last of a block to the next
  /// block's first.
  let vectors: Int
  let lastOfBlock: Int
  let blockEnd: Int
  /// Floats of a vector's weights.
  let weightVector: Int
  /// The floats of an output block behind its first vector.
  let unusedLanes: Int

  init(
    _ shape: sasuka_convolution, sums: Int, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
    epilogue: Int32, blockLanes: Int
  ) {
    block = BlockPass(shape, 0, packed: packed, bias: bias, epilogue: epilogue, blockLanes: blockLanes)
    vectors = Int(shape.input_channels) / lanes
    unusedLanes = blockLanes &- lanes
    lastOfBlock = unusedLanes / lanes
    blockEnd = Int(shape.input_height &* shape.input_width) &* blockLanes &- unusedLanes
    weightVector = block.kernelHeight &* block.kernelWidth &* sums &* lanes
  }
}

/// `pixels` neighbouring pixels of an output row, by the taps that fall inside; `input` is where their tap (0, 0) falls.
@inline(never)
private func fewTile<let pixels: Int, let outputs: Int>(
  _: Count<pixels>, _: Count<outputs>, _ pass: UnsafePointer<FewPass>, _ input: UnsafePointer<Float>,
  _ rows: InsideTaps, _ columns: InsideTaps, _ output: UnsafeMutablePointer<Float>
) {
  var sums = zeroed() as RegisterTile<pixels, outputs>
  if rows.count > 0, columns.count > 0 { addTaps(&sums, pass, input, rows, columns) }
  for pixel in 0..<pixels {
    let none = Vector()
    finish(
      sums[pixel][0], outputs > 1 ? sums[pixel][1] : none, outputs > 2 ? sums[pixel][2] : none, pass,
      output + pixel &* pass.pointee.block.outputPixel)
  }
}

/// The products of some taps, at least one, with all channels.
@inline(__always)
private func addTaps<let pixels: Int, let outputs: Int>(
  _ sums: inout RegisterTile<pixels, outputs>, _ pass: UnsafePointer<FewPass>, _ input: UnsafePointer<Float>,
  _ rows: InsideTaps, _ columns: InsideTaps
) {
  let (row, column, pixelStep) = (
    pass.pointee.block.inputRow, pass.pointee.block.inputColumn, pass.pointee.block.inputPixel
  )
  let (width, weightStep) = (pass.pointee.block.kernelWidth, outputs &* lanes)
  var from = input + (rows.first &* row &+ columns.first &* column)
  var weight = pass.pointee.block.weights + (rows.first &* width &+ columns.first) &* weightStep
  let rowEnd = row &- columns.count &* column
  let weightRowEnd = (width &- columns.count) &* weightStep
  let blockEnd = pass.pointee.blockEnd &- rows.count &* row
  let vectorEnd = lanes &- rows.count &* row
  let weightEnd = pass.pointee.weightVector &- rows.count &* width &* weightStep
  var vectors = pass.pointee.vectors
  var leftOfBlock = pass.pointee.lastOfBlock
  repeat {
    var rowsLeft = rows.count
    repeat {
      var columnsLeft = columns.count
      repeat {
        var factors = zeroed() as InlineArray<outputs, Vector>
        for output in 0..<outputs { factors[output] = loadVector(weight + output &* lanes) }
        for pixel in 0..<pixels {
          let value = loadVector(from + pixel &* pixelStep)
          for output in 0..<outputs {
            sums[pixel][output] = pinnedMultiplyAdd(value, factors[output], sums[pixel][output])
          }
        }
        weight += weightStep
        from += column
        columnsLeft = sasuka_one_by_one(columnsLeft &- 1)
      } while columnsLeft > 0
      from += rowEnd
      weight += weightRowEnd
      rowsLeft = sasuka_one_by_one(rowsLeft &- 1)
    } while rowsLeft > 0
    from += leftOfBlock > 0 ? vectorEnd : blockEnd
    leftOfBlock = leftOfBlock > 0 ? leftOfBlock &- 1 : pass.pointee.lastOfBlock
    weight += weightEnd
    vectors = sasuka_one_by_one(vectors &- 1)
  } while vectors > 0
}

/// A pixel's sums on their way to memory; by a call, for it is as much code as a tile's products.
@inline(never)
private func finish(
  _ first: Vector, _ second: Vector, _ third: Vector, _ pass: UnsafePointer<FewPass>,
  _ output: UnsafeMutablePointer<Float>
) {
  let pairs = SIMD8(
    lowHalf: SIMD4(lowHalf: pair(first), highHalf: pair(second)),
    highHalf: SIMD4(lowHalf: pair(third), highHalf: SIMD2()))
  var sum = pass.pointee.block.bias
  withUnsafeMutablePointer(to: &sum) {
    let four = UnsafeMutableRawPointer($0)
    four.storeBytes(
      of: four.load(as: SIMD4<Float>.self) + (pairs.evenHalf + pairs.oddHalf), as: SIMD4<Float>.self)
  }
  storeVector(pass.pointee.block.epilogue.apply(sum, held: output), output)
  if pass.pointee.unusedLanes > 0 { storeVector(Vector(), output + lanes) }
}

/// The sums of a vector's even lanes and of its odd ones.
@inline(__always)
private func pair(_ vector: Vector) -> SIMD2<Float> {
  withUnsafePointer(to: vector) {
    let sum = sumOfFours(UnsafeRawPointer($0).assumingMemoryBound(to: Float.self))
    return sum.lowHalf + sum.highHalf
  }
}

/// The slot `convolution_few_forward`.
func fewForward(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?, _ packed: UnsafePointer<Float>?,
  _ bias: UnsafePointer<Float>?, _ output: UnsafeMutablePointer<Float>?, _: Int64, _ firstRow: Int64, _ endRow: Int64,
  _ epilogue: Int32
) {
  guard let shapePointer, let input, let packed, let output else { return }
  let (shape, blockLanes) = (shapePointer.pointee, Int(shapePointer.pointee.block_lanes))
  let pass = FewPass(
    shape, sums: Int(sasuka_few_sums(shapePointer)), packed: packed, bias: bias, epilogue: epilogue,
    blockLanes: blockLanes)
  let inputRow = Int(shape.input_width) &* blockLanes
  let origin =
    input + Int(shape.first_channel) / blockLanes &* Int(shape.input_height) &* inputRow
    - (Int(shape.top) &* inputRow &+ Int(shape.left) &* blockLanes)
  withUnsafePointer(to: pass) { pass in
    var row = Int(firstRow)
    while row < Int(endRow) {
      let top = row &* Int(shape.stride_height)
      let inside = InsideTaps(
        start: top &- Int(shape.top), dilation: Int(shape.dilation_height), taps: Int(shape.kernel_height),
        size: Int(shape.input_height))
      fewRow(shapePointer, pass, origin + top &* inputRow, inside, output + row &* Int(shape.output_row_stride))
      row &+= 1
    }
  }
}

/// One output row; `input` is where tap (0, 0) of its first pixel falls.
@inline(__always)
private func fewRow(
  _ shape: UnsafePointer<sasuka_convolution>, _ pass: UnsafePointer<FewPass>, _ input: UnsafePointer<Float>,
  _ rows: InsideTaps, _ output: UnsafeMutablePointer<Float>
) {
  let (width, inputWidth) = (Int(shape.pointee.output_width), Int(shape.pointee.input_width))
  let (stride, left) = (Int(shape.pointee.stride_width), Int(shape.pointee.left))
  let (dilation, taps) = (Int(shape.pointee.dilation_width), pass.pointee.block.kernelWidth)
  let isOne = shape.pointee.output_channels == 1
  // Registers hold the sums, the factors and a vector of the input.
  let atOnce = isOne ? 8 : 4
  // Pixels all of whose taps fall inside.
  let firstWhole = max(left &+ stride &- 1, 0) / stride
  let endWhole = min(max(inputWidth &+ left &- (taps &- 1) &* dilation &+ stride &- 1, 0) / stride, width)
  let all = InsideTaps(start: 0, dilation: 1, taps: taps, size: taps)
  var pixel = 0
  while pixel < width {
    // The last of several pixels at once are some of those before again rather than single ones, unless they would be added twice.
    let first = pass.pointee.block.epilogue.adds ? pixel : min(pixel, max(endWhole &- atOnce, firstWhole))
    let isWhole = pixel >= firstWhole && pixel < endWhole && first &+ atOnce <= endWhole
    let place = isWhole ? first : pixel
    let (from, to) = (input + place &* pass.pointee.block.inputPixel, output + place &* pass.pointee.block.outputPixel)
    if isWhole {
      if isOne {
        fewTile(Count<8>(), Count<1>(), pass, from, rows, all, to)
      } else {
        fewTile(Count<4>(), Count<3>(), pass, from, rows, all, to)
      }
      pixel = first &+ atOnce
    } else {
      let columns = InsideTaps(start: pixel &* stride &- left, dilation: dilation, taps: taps, size: inputWidth)
      if isOne {
        fewTile(Count<1>(), Count<1>(), pass, from, rows, columns, to)
      } else {
        fewTile(Count<1>(), Count<3>(), pass, from, rows, columns, to)
      }
      pixel &+= 1
    }
  }
}
