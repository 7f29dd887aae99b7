// Convolution in groups of four or eight channels that divide a vector: a lane meets the channels of its own group only,
// where the general kernel would multiply the other groups' channels by zeros.
import CSystem

/// The slot `convolution_grouped_pack`.
func groupedPack(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ strides: UnsafePointer<sasuka_weight_strides>?,
  _ source: UnsafePointer<Float>?, _ packed: UnsafeMutablePointer<Float>?, _ firstBlock: Int64, _ endBlock: Int64,
  _ lanes: Int64
) {
  guard let shape = shapePointer?.pointee, let strides = strides?.pointee, let source, let packed else { return }
  let lanes = Int(lanes)
  let (size, width) = (Int(shape.input_channels), Int(shape.kernel_width))
  let rows = Int(shape.kernel_height) &* width &* size
  for channel in (Int(firstBlock) &* lanes)..<(Int(endBlock) &* lanes) {
    let place = packed + channel / lanes &* rows &* lanes + channel % lanes
    let weights = source + (channel / size &* Int(strides.group) &+ channel % size &* Int(strides.output))
    let isReal = channel < Int(shape.groups) &* size
    for row in 0..<rows {
      let (tap, input) = (row / size, row % size)
      let offset = input &* Int(strides.input) &+ strides.offset(ofTap: tap, width: width)
      place[row &* lanes] = isReal ? weights[offset] : 0
    }
  }
}

/// What the tiles of one channel block share.
private struct GroupedPass {
  let block: BlockPass
  /// Channels of a group.
  let size: Int
  /// For each lane the first one of its group.
  let first: Indices

  init(_ block: BlockPass, size: Int) {
    self.block = block
    self.size = size
    first = laneNumbers & Indices(repeating: Int32(truncatingIfNeeded: 0 &- size))
  }
}

/// The sums of neighbouring pixels on their way to memory; by a call, for it is half of a tile's code.
@inline(never)
private func finish<let pixels: Int>(
  _ sums: InlineArray<pixels, Vector>, _ pass: UnsafePointer<GroupedPass>, _ output: UnsafeMutablePointer<Float>
) { finish(sums, pass.pointee.block, output) }

/// `pixels` neighbouring pixels of an output row.
@inline(never)
private func groupedTile<let pixels: Int>(
  _: Count<pixels>, _ pass: UnsafePointer<GroupedPass>, _ input: UnsafePointer<Float>,
  _ output: UnsafeMutablePointer<Float>
) {
  let block = pass.pointee.block
  var sums = InlineArray<pixels, Vector>(repeating: block.bias)
  var weight = block.weights
  var row = 0
  while row < block.kernelHeight {
    var from = input + row &* block.inputRow
    var left = block.kernelWidth
    while left > 0 {
      var places = pass.pointee.first
      let end = weight + pass.pointee.size &* lanes
      while weight < end {
        let factor = loadVector(weight)
        for pixel in 0..<pixels {
          let value = permuteInGroup(loadVector(from + pixel &* block.inputPixel), places)
          sums[pixel] = multiplyAdd(value, factor, sums[pixel])
        }
        places &+= 1
        weight += lanes
      }
      from += block.inputColumn
      left &-= 1
    }
    row &+= 1
  }
  finish(sums, pass, output)
}

/// A run by a kernel of three columns: what all lanes read of a pixel is put in its place once for all taps, for that takes as
/// long as a multiply-add.
@inline(never)
private func groupedRun<let stride: Int>(
  _ strideCount: Count<stride>, _ pass: UnsafePointer<GroupedPass>, _ input: UnsafePointer<Float>,
  _ output: UnsafeMutablePointer<Float>
) {
  let block = pass.pointee.block
  var sums = InlineArray<7, Vector>(repeating: block.bias)
  let step = pass.pointee.size &* lanes
  var (weight, from) = (block.weights, input)
  let end = weight + 3 &* step &* block.kernelHeight
  while weight < end {
    var places = pass.pointee.first
    let next = weight + step
    while weight < next {
      let factors: InlineArray<3, Vector> = [
        loadVector(weight), loadVector(weight + step), loadVector(weight + 2 &* step),
      ]
      for place in 0..<(6 &* stride &+ 3) {
        let value = permuteInGroup(loadVector(from + place &* lanes), places)
        addTaps(strideCount, Count<1>(), factors, value, at: place, to: &sums)
      }
      places &+= 1
      weight += lanes
    }
    weight += 2 &* step
    from += block.inputRow
  }
  finish(sums, pass, output)
}

/// One row of the output.
private func groupedRow(
  _ pass: UnsafePointer<GroupedPass>, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, width: Int
) {
  let block = pass.pointee.block
  let stride = block.kernelWidth == 3 && block.inputColumn == lanes ? block.inputPixel / lanes : 0
  var pixel = 0
  while pixel < width {
    let (from, to) = (input + pixel &* block.inputPixel, output + pixel &* block.outputPixel)
    if width &- pixel < runPixels {
      groupedTile(Count<1>(), pass, from, to)
      pixel &+= 1
      continue
    }
    switch stride {
    case 1: groupedRun(Count<1>(), pass, from, to)
    case 2: groupedRun(Count<2>(), pass, from, to)
    default: groupedTile(Count<7>(), pass, from, to)
    }
    pixel &+= runPixels
  }
}

/// The slot `convolution_grouped_forward`.
func groupedForward(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?, _ packed: UnsafePointer<Float>?,
  _ bias: UnsafePointer<Float>?, _ output: UnsafeMutablePointer<Float>?, _ block: Int64, _ firstRow: Int64,
  _ endRow: Int64, _ epilogue: Int32
) {
  guard let shape = shapePointer?.pointee, let input, let packed, let output else { return }
  let inputRow = Int(shape.input_width) &* lanes
  let work = GroupedPass(
    BlockPass(shape, Int(block), packed: packed, bias: bias, epilogue: epilogue), size: Int(shape.input_channels))
  let from = input + Int(block &* shape.input_height) &* inputRow
  let to = output + Int(block &* shape.output_block_stride)
  withUnsafePointer(to: work) { work in
    var row = Int(firstRow)
    while row < Int(endRow) {
      let (source, target) = (
        from + row &* Int(shape.stride_height) &* inputRow, to + row &* Int(shape.output_row_stride)
      )
      groupedRow(work, source, target, width: Int(shape.output_width))
      row &+= 1
    }
  }
}
