import CSystem

/// How the output of a direct product is cut where its pixels meet other taps of the kernel, so that those are left out that meet
/// nothing but the border: of a 3 x 3 kernel of dilation 12 over 32 x 32 pixels, 44 %. Not a struct, of which each part would have a
/// copy.
final class TapCuts {
  /// Fewer pixels are not cut into pieces of rows: each of them would wait for its weights, which lie apart then.
  private static let fewestPixels = 128

  private var rows, columns: TapAxis
  /// What is left of the time that all products would take.
  private(set) var share = 1.0

  /// Without the taps that no pixel meets; and of the ways to cut, or not, along either axis the one that leaves the least, none
  /// that does not leave out a fifth.
  init(_ pass: ConvolutionPass, _ costs: ConvolutionCosts) {
    let (shape, padding) = (pass.shape, pass.padding)
    rows = TapAxis(
      taps: shape.kernel_height, dilation: shape.dilation_height, stride: shape.stride_height,
      padded: shape.input_height, before: padding?.top, input: padding?.height, output: shape.output_height)
    columns = TapAxis(
      taps: shape.kernel_width, dilation: shape.dilation_width, stride: shape.stride_width,
      padded: shape.input_width, before: padding?.left, input: padding?.width, output: shape.output_width)
    guard pass.directKernel == .general, rows.hasBorder || columns.hasBorder else { return }
    let whole = time(pass, costs)
    rows.trim()
    columns.trim()
    share = time(pass, costs) / whole
    var (best, least) = (0, 0.8 * share)
    for way in 1...3 {
      cut(way)
      let share = time(pass, costs) / whole
      if share < least { (best, least, self.share) = (way, share, share) }
    }
    cut(best)
  }

  /// Along the rows, along the columns, along both, or not at all.
  @inline(never)
  private func cut(_ way: Int) {
    rows.cut(way & 1 != 0)
    columns.cut(way & 2 != 0 && rows.output &* columns.output >= TapCuts.fewestPixels)
  }

  /// About how long a unit's products take, in vectors of products.
  @inline(never)
  private func time(_ pass: ConvolutionPass, _ costs: ConvolutionCosts) -> Double {
    // Of fewer pixels the products wait for each other; and each piece is a call.
    let (fewestAtOnce, call) = (4, 300)
    let channels = Int(pass.shape.input_channels)
    var (shape, sum) = (pass.shape, 0)
    forEach(0..<rows.output, 0..<columns.output, &shape) { shape, _, rows in
      let taps =
        (shape.kernel_height &- shape.skipped_top &- shape.skipped_bottom)
        &* (shape.kernel_width &- shape.skipped_left &- shape.skipped_right)
      sum &+= Int(taps) &* channels &* max(rows.count &* Int(shape.output_width), fewestAtOnce) &+ call
    }
    return max(Double(sum), Double(channels &* rows.met.count &* columns.met.count) * costs.streaming)
  }

  /// Calls `body` for one piece of a part's rows and columns after the other: with the piece's shape, its first column and its rows.
  @inline(never)
  func forEach(
    _ partRows: Range<Int>, _ partColumns: Range<Int>, _ shape: inout sasuka_convolution,
    _ body: (inout sasuka_convolution, _ column: Int, _ rows: Range<Int>) -> Void
  ) {
    for row in 0..<rows.pieces {
      let places = rows.places(row).clamped(to: partRows)
      if places.isEmpty { continue }
      (shape.skipped_top, shape.skipped_bottom) = rows.skipped(by: places.lowerBound)
      for column in 0..<columns.pieces {
        let across = columns.places(column).clamped(to: partColumns)
        if across.isEmpty { continue }
        (shape.skipped_left, shape.skipped_right) = columns.skipped(by: across.lowerBound)
        shape.output_width = Int64(across.count)
        body(&shape, across.lowerBound, places)
      }
    }
  }
}

/// One axis of a pass: which places of its output are made of which taps.
private struct TapAxis {
  let taps, dilation, stride, input, output: Int
  /// Zeros before the input.
  let before: Int
  /// Whether there is enough of a border that leaving it out may be worth other tiles, and finding out.
  let hasBorder: Bool
  /// Taps that are not left out everywhere.
  private(set) var met: Range<Int>
  /// Where pieces end whose places are made of the same taps; empty where the output is not cut.
  private var ends: [Int] = []

  @inline(never)
  init(taps: Int64, dilation: Int64, stride: Int64, padded: Int64, before: Int64?, input: Int64?, output: Int64) {
    (self.taps, self.dilation, self.stride) = (Int(taps), Int(dilation), Int(stride))
    (self.input, self.output, self.before) = (Int(input ?? padded), Int(output), Int(before ?? 0))
    met = 0..<self.taps
    hasBorder = Int(padded) &- self.input > self.output / 4
  }

  /// Leaves out what not even the first or the last place is made of.
  mutating func trim() {
    if hasBorder, output > 0 { met = self.taps(of: output &- 1).lowerBound..<self.taps(of: 0).upperBound }
  }

  @inline(never)
  mutating func cut(_ isCut: Bool) {
    ends = []
    if !isCut || !hasBorder { return }
    for place in 1..<max(output, 1) where taps(of: place) != taps(of: place &- 1) { ends.append(place) }
    ends.append(output)
  }

  var pieces: Int { max(ends.count, 1) }

  func places(_ piece: Int) -> Range<Int> {
    ends.isEmpty ? 0..<output : (piece == 0 ? 0 : ends[piece &- 1])..<ends[piece]
  }

  /// How many of the first and of the last taps this place is not made of.
  @inline(never)
  func skipped(by place: Int) -> (first: Int64, last: Int64) {
    let taps = ends.isEmpty ? met : taps(of: place)
    return (Int64(taps.lowerBound), Int64(self.taps &- taps.upperBound))
  }

  /// The taps that meet the input where they make this place of the output.
  private func taps(of place: Int) -> Range<Int> {
    let start = place &* stride &- before
    let first = min(max(0 &- start, 0).dividedUp(by: dilation), taps)
    return first..<max(first, min(max(input &- start, 0).dividedUp(by: dilation), taps))
  }
}
