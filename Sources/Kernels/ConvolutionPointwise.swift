// Pointwise convolution: 1 x 1 without strides, and Winograd's products at their points. Where vectors are short it has loops of
// its own: a tile has so few products there that what others need for taps and strides takes a tenth of the time (1x1: 91 % of
// the peak of AVX2 without, 97 % with them; Winograd's products of 12 channels take 0.7 of the time).
import CSystem

@inline(__always) private var hasPointwiseTiles: Bool { lanes == 8 }

extension ConvolutionPass {
  /// Whether `pointwiseRow` computes rows that are cut like this.
  func isPointwise(_ unit: ConvolutionUnit, _ heights: TileHeights) -> Bool {
    hasPointwiseTiles && unit.columns == 2 && heights.size >= 4 && pixel == lanes && kernelHeight == 1
      && kernelWidth == 1 && firstInput % lanes == 0
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
    switch rows {
    case 4: pointwiseTiles(Count<4>(), count, pass, &prefetch, input, output)
    case 5: pointwiseTiles(Count<5>(), count, pass, &prefetch, input, output)
    case 6: pointwiseTiles(Count<6>(), count, pass, &prefetch, input, output)
    default: break
    }
    if rows == heights.size { return }
    input += rows &* count &* lanes
    output += rows &* count &* pass.pointee.outputPixel
    (rows, count) = (heights.size, heights.equal)
  }
}

/// `count` tiles of `rows` neighbouring pixels each, one behind the other, and both vectors of the unit's channels.
@inline(never)
private func pointwiseTiles<let rows: Int>(
  _: Count<rows>, _ count: Int, _ pass: UnsafeMutablePointer<ConvolutionPass>, _ prefetch: inout WeightPrefetch,
  _ firstInput: UnsafePointer<Float>, _ firstOutput: UnsafeMutablePointer<Float>
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
    while channels > 0 {
      prefetchPixels(pixels + rows &* lanes, count: rows, pixel: lanes)
      callFor(&next, lines: pass.pointee.nextLines)
      tile.addProducts(pixels, &weights, run, count: min(channels, lanes))
      channels &-= lanes
      pixels += pass.pointee.inputBlock
    }
    tile.finish(pass, output, EvenRows(stride: pass.pointee.outputPixel))
    input += rows &* lanes
    output += rows &* pass.pointee.outputPixel
    left &-= 1
  }
}
