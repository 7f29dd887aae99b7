// Pointwise convolution: 1 x 1 without strides, also of channels that come from two maps by turns, and Winograd's products at
// their points. Where vectors are short it has loops of its own: a tile has so few products there that what others need for taps
// and strides takes a tenth of the time (1x1: 91 % of the peak of AVX2 without, 97 % with them; Winograd's products of 12
// channels take 0.7 of the time).
import CSystem

@inline(__always) private var hasPointwiseTiles: Bool { lanes == 8 }

extension ConvolutionPass {
  /// Whether `pointwiseRow` computes rows that are cut like this. Channels of two maps are a kernel's of two columns; for so few
  /// pixels that tiles have four, they have no tiles of their own.
  func isPointwise(_ unit: ConvolutionUnit, _ heights: TileHeights) -> Bool {
    hasPointwiseTiles && unit.columns == 2 && pixel == lanes && kernelHeight == 1
      && weightsBefore | weightsRowEnd | weightsBehind == 0
      && (kernelWidth == 1 && heights.size >= 4 && firstInput % lanes == 0 || kernelWidth == 2 && heights.size >= 5)
  }
}

/// A row of tiles, or all pixels where rows adjoin.
@inline(never)
func pointwiseRow(
  _ heights: TileHeights, _ pass: UnsafeMutablePointer<ConvolutionPass>, _ prefetch: inout WeightPrefetch,
  _ rowInput: UnsafePointer<Float>, _ rowOutput: UnsafeMutablePointer<Float>
) {
  guard hasPointwiseTiles else { return }
  var (input, output) = (rowInput + pass.pointee.firstInput / lanes &* pass.pointee.inputBlock, rowOutput)
  var (rows, count) = (heights.size &+ 1, heights.larger)
  while true {
    switch (rows, pass.pointee.kernelWidth) {
    case (4, 1): pointwiseTiles(Count<4>(), Count<1>(), count, pass, &prefetch, input, output)
    case (5, 1): pointwiseTiles(Count<5>(), Count<1>(), count, pass, &prefetch, input, output)
    case (6, 1): pointwiseTiles(Count<6>(), Count<1>(), count, pass, &prefetch, input, output)
    case (5, _): pointwiseTiles(Count<5>(), Count<2>(), count, pass, &prefetch, input, output)
    case (6, _): pointwiseTiles(Count<6>(), Count<2>(), count, pass, &prefetch, input, output)
    default: break
    }
    if rows == heights.size { return }
    input += rows &* count &* lanes
    output += rows &* count &* pass.pointee.outputPixel
    (rows, count) = (heights.size, heights.equal)
  }
}

/// `count` tiles of `rows` neighbouring pixels each, one behind the other, and both vectors of the unit's channels. Where these
/// are of two maps, a block of one is followed by the other's, and the first channel may lie in the middle of a block.
@inline(never)
private func pointwiseTiles<let rows: Int, let maps: Int>(
  _: Count<rows>, _: Count<maps>, _ count: Int, _ pass: UnsafeMutablePointer<ConvolutionPass>,
  _ prefetch: inout WeightPrefetch, _ firstInput: UnsafePointer<Float>, _ firstOutput: UnsafeMutablePointer<Float>
) {
  let run = Run(rows: EvenRows(stride: lanes), rowStep: 1, columnStride: lanes, columnStep: 2 &* lanes)
  var (input, output) = (firstInput, firstOutput)
  var left = count
  while left > 0 {
    prefetch.share(rows, pass)
    var tile = zeroed() as ConvolutionTile<rows, 2>
    tile.start(0, pass, held: output, EvenRows(stride: pass.pointee.outputPixel))
    var (pixels, weights, next) = (input, pass.pointee.packed, pass.pointee.next)
    var channels = pass.pointee.endInput &- pass.pointee.firstInput
    var before = maps == 1 ? 0 : pass.pointee.firstInput & (lanes &- 1)
    while channels > 0 {
      let isWhole = channels >= lanes && before == 0
      let blockChannels = maps == 1 ? channels : min(lanes &- before, channels)
      var (place, mapsLeft) = (pixels + before, maps)
      repeat {
        prefetchPixels(place + rows &* lanes, count: rows, pixel: lanes)
        callFor(&next, lines: pass.pointee.nextLines)
        if isWhole {
          accumulateBlock(&tile.sums, place, &weights, run)
        } else {
          var scalar = place
          let end = place + blockChannels
          while scalar < end {
            accumulate(&tile.sums, scalar, weights, run)
            scalar += 1
            weights += 2 &* lanes
          }
        }
        place += pass.pointee.kernelColumn
        mapsLeft = maps == 1 ? 0 : sasuka_one_by_one(mapsLeft &- 1)
      } while mapsLeft > 0
      channels &-= lanes &- before
      pixels += pass.pointee.inputBlock
      before = 0
    }
    tile.finish(pass, output, EvenRows(stride: pass.pointee.outputPixel))
    input += rows &* lanes
    output += rows &* pass.pointee.outputPixel
    left &-= 1
  }
}

// MARK: - Units that are joined

/// The slot `convolution_joined_forward`.
func joinedForward(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?, _ packed: UnsafePointer<Float>?,
  _ bias: UnsafePointer<Float>?, _ output: UnsafeMutablePointer<Float>?, _ unit: Int64, _ firstRow: Int64,
  _ endRow: Int64, _ epilogue: Int32
) {
  guard hasPointwiseTiles, let shape = shapePointer?.pointee, let input, let packed, let output else { return }
  let work = ConvolutionUnit(shape, Int(unit), joinsNext: true)
  let rowPixels = shape.rowsAdjoin ? Int((endRow &- firstRow) &* shape.output_width) : Int(shape.output_width)
  let (threes, fours) = joinedCut(rowPixels)
  guard fours >= 0, shape.kernel_width == 2 || work.firstInput % lanes == 0 else {
    convolutionForward(shapePointer, input, packed, bias, output, unit, firstRow, endRow, epilogue)
    convolutionForward(shapePointer, input, packed, bias, output, unit &+ 1, firstRow, endRow, epilogue)
    return
  }
  let own = packed + Int(unit) &* shape.unitFloats
  var pass = ConvolutionPass(shape, work, packed: own, bias: bias, epilogue: epilogue)
  pass.next = own + shape.unitFloats
  let from = input + work.firstInput / lanes &* pass.inputBlock
  let to = output + work.firstOutput / lanes &* Int(shape.output_block_stride)
  withUnsafePointer(to: pass) { pass in
    var row = Int(firstRow)
    while row < Int(endRow) {
      let first = from + row &* Int(shape.input_width) &* lanes
      let target = to + row &* Int(shape.output_row_stride)
      if pass.pointee.kernelWidth == 2 {
        joinedRow(Count<2>(), threes, fours, pass, first, target)
      } else {
        joinedRow(Count<1>(), threes, fours, pass, first, target)
      }
      row = shape.rowsAdjoin ? Int(endRow) : row &+ 1
    }
  }
}

/// How many tiles of three and of four pixels make a row of so many; less than none of four where there are no such numbers.
private func joinedCut(_ pixels: Int) -> (threes: Int, fours: Int) {
  let threes = (0 &- pixels) & 3
  return (threes, (pixels &- 3 &* threes) / 4)
}

@inline(__always)
private func joinedRow<let maps: Int>(
  _ mapCount: Count<maps>, _ threes: Int, _ fours: Int, _ pass: UnsafePointer<ConvolutionPass>,
  _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>
) {
  joinedTiles(Count<4>(), mapCount, fours, pass, input, output)
  let done = 4 &* fours
  joinedTiles(Count<3>(), mapCount, threes, pass, input + done &* lanes, output + done &* pass.pointee.outputPixel)
}

/// Tiles one behind the other, with all three vectors: for 12 products they load 7 operands, where one vector alone has 13, more
/// than the core can (144 -> 24 channels of 56 x 56 pixels: 80 % of the peak of AVX2 without).
@inline(never)
private func joinedTiles<let rows: Int, let maps: Int>(
  _: Count<rows>, _: Count<maps>, _ count: Int, _ pass: UnsafePointer<ConvolutionPass>,
  _ firstInput: UnsafePointer<Float>, _ firstOutput: UnsafeMutablePointer<Float>
) {
  var (input, output) = (firstInput, firstOutput)
  var left = count
  while left > 0 {
    var tile = zeroed() as ConvolutionTile<rows, 3>
    tile.start(0, pass, held: output, EvenRows(stride: pass.pointee.outputPixel))
    var (pixels, weights, last) = (input, pass.pointee.packed, pass.pointee.next)
    var channels = pass.pointee.endInput &- pass.pointee.firstInput
    var before = maps == 1 ? 0 : pass.pointee.firstInput & (lanes &- 1)
    while channels > 0 {
      let blockChannels = min(channels, lanes &- before)
      var (place, mapsLeft) = (pixels + before, maps)
      repeat {
        prefetchPixels(place + rows &* lanes, count: rows, pixel: lanes)
        var scalar = place
        let end = place + blockChannels
        // Four at once: what counts and goes on takes a tenth of the time where another program has the core's other half.
        while rows == 4 && end - scalar >= 4 { addProducts(Count<4>(), &tile, &scalar, &weights, &last) }
        while scalar < end { addProducts(Count<1>(), &tile, &scalar, &weights, &last) }
        place += pass.pointee.kernelColumn
        mapsLeft = maps == 1 ? 0 : sasuka_one_by_one(mapsLeft &- 1)
      } while mapsLeft > 0
      channels &-= lanes &- before
      pixels += pass.pointee.inputBlock
      before = 0
    }
    tile.finish(pass, output, EvenRows(stride: pass.pointee.outputPixel))
    input += rows &* lanes
    output += rows &* pass.pointee.outputPixel
    left &-= 1
  }
}

/// The products of `count` channels of the input with three vectors of the output's. The operands go on behind them.
@inline(__always)
private func addProducts<let rows: Int, let count: Int>(
  _: Count<count>, _ tile: inout ConvolutionTile<rows, 3>, _ scalar: inout UnsafePointer<Float>,
  _ weights: inout UnsafePointer<Float>, _ last: inout UnsafePointer<Float>
) {
  for step in 0..<count {
    let (pair, third) = (weights + 2 &* step &* lanes, last + step &* lanes)
    let factors: InlineArray<3, Vector> = [loadVector(pair), loadVector(pair + lanes), loadVector(third)]
    accumulate(&tile.sums, scalar + step, EvenRows(stride: lanes), factors)
  }
  scalar += count
  weights += 2 &* count &* lanes
  last += count &* lanes
}
