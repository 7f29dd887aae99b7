// Convolution in groups of four or eight channels that divide a vector: a lane meets the channels of its own group only,
// where the general kernel would multiply the other groups' channels by zeros.
import CSystem

/// The slot `convolution_grouped_pack`.
func groupedPack(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ strides: UnsafePointer<sasuka_weight_strides>?,
  _ source: UnsafePointer<Float>?, _ packed: UnsafeMutablePointer<Float>?, _ firstBlock: Int64, _ endBlock: Int64
) {
  guard let shape = shapePointer?.pointee, let strides = strides?.pointee, let source, let packed else { return }
  let size = Int(shape.input_channels)
  let width = Int(shape.kernel_width)
  let taps = Int(shape.kernel_height) &* width
  var channel = Int(firstBlock) &* lanes
  while channel < Int(endBlock) &* lanes {
    let place = packed + channel / lanes &* taps &* size &* lanes + channel % lanes
    var row = 0
    while row < taps &* size {
      let (tap, input) = (row / size, row % size)
      let offset = strides.offset(shape, output: channel, input: channel / size &* size &+ input)
      let isReal = channel < Int(shape.groups) &* size
      place[row &* lanes] =
        isReal ? source[(offset ?? 0) &+ tap / width &* Int(strides.row) &+ tap % width &* Int(strides.column)] : 0
      row &+= 1
    }
    channel &+= 1
  }
}

/// `pixels` neighbouring pixels of an output row; `size` channels to a group.
@inline(never)
private func groupedTile<let pixels: Int, let size: Int>(
  _: Count<pixels>, _: Count<size>, _ block: UnsafePointer<BlockPass>, _ input: UnsafePointer<Float>,
  _ output: UnsafeMutablePointer<Float>
) {
  let block = block.pointee
  var sums = InlineArray<pixels, Vector>(repeating: block.bias)
  var weight = block.weights
  var row = 0
  while row < block.kernelHeight {
    var from = input + row &* block.inputRow
    var left = block.kernelWidth
    while left > 0 {
      for channel in 0..<size {
        let factor = loadVector(weight + channel &* lanes)
        for pixel in 0..<pixels {
          let value = spread(loadVector(from + pixel &* block.inputPixel), channel, of: size)
          sums[pixel] = multiplyAdd(value, factor, sums[pixel])
        }
      }
      weight += size &* lanes
      from += block.inputColumn
      left &-= 1
    }
    row &+= 1
  }
  finish(sums, block, output)
}

/// The same with groups of half a vector, each half by itself: a broadcast comes with its load, and to put two of them together
/// would take longer than the multiply-adds. Walks over the taps by itself: through a closure or an iterator that `groupedTile`
/// shares, sums leave their registers.
@inline(never)
private func groupedHalves<let pixels: Int>(
  _: Count<pixels>, _ block: UnsafePointer<BlockPass>, _ input: UnsafePointer<Float>,
  _ output: UnsafeMutablePointer<Float>
) {
  let block = block.pointee
  let size = HalfVector.scalarCount
  var sums = InlineArray<pixels, InlineArray<2, HalfVector>>(repeating: halves(block.bias))
  var weight = block.weights
  var row = 0
  while row < block.kernelHeight {
    var from = input + row &* block.inputRow
    var left = block.kernelWidth
    while left > 0 {
      // Not unrolled: the sums hide the loop, and eight times the code would be no faster.
      let end = from + size
      var channel = from
      while channel < end {
        for half in 0..<2 {
          let factor = loadHalf(weight + half &* size)
          for pixel in 0..<pixels {
            let value = HalfVector(repeating: channel[pixel &* block.inputPixel &+ half &* size])
            sums[pixel][half] = multiplyAdd(value, factor, sums[pixel][half])
          }
        }
        weight += lanes
        channel += 1
      }
      from += block.inputColumn
      left &-= 1
    }
    row &+= 1
  }
  var vectors = InlineArray<pixels, Vector>(repeating: Vector())
  for pixel in 0..<pixels { vectors[pixel] = joined(sums[pixel]) }
  finish(vectors, block, output)
}

/// One row of the output. Seven sums keep the FMA units busy; taller tiles would be more code.
@inline(__always)
private func groupedRow<let size: Int>(
  _ sizeCount: Count<size>, _ block: UnsafePointer<BlockPass>, _ input: UnsafePointer<Float>,
  _ output: UnsafeMutablePointer<Float>, width: Int
) {
  var pixel = 0
  while pixel < width {
    let (from, to) = (input + pixel &* block.pointee.inputPixel, output + pixel &* block.pointee.outputPixel)
    let left = width &- pixel
    if left >= 7 {
      if hasHalves, size == HalfVector.scalarCount {
        groupedHalves(Count<7>(), block, from, to)
      } else {
        groupedTile(Count<7>(), sizeCount, block, from, to)
      }
      pixel &+= 7
    } else {
      groupedTile(Count<1>(), sizeCount, block, from, to)
      pixel &+= 1
    }
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
  let work = BlockPass(shape, Int(block), packed: packed, bias: bias, epilogue: epilogue)
  let from = input + Int(block &* shape.input_height) &* inputRow
  let to = output + Int(block &* shape.output_block_stride)
  withUnsafePointer(to: work) { work in
    var row = Int(firstRow)
    while row < Int(endRow) {
      let (source, target) = (
        from + row &* Int(shape.stride_height) &* inputRow, to + row &* Int(shape.output_row_stride)
      )
      if shape.input_channels == 4 {
        groupedRow(Count<4>(), work, source, target, width: Int(shape.output_width))
      } else {
        groupedRow(Count<8>(), work, source, target, width: Int(shape.output_width))
      }
      row &+= 1
    }
  }
}
