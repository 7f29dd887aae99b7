// The transforms of Winograd's convolution from the input: along the columns of a run of tiles, then along their rows.
import CSystem

/// Transforms lines of the input, of as many vectors as there are points. Those of odd phases have no value at the last.
@inline(never)
private func transformInput<let points: Int>(
  _: Count<points>, _ source: UnsafePointer<Float>, _ from: Lines, _ destination: UnsafeMutablePointer<Float>,
  _ to: Lines, count: Int, isOdd: Bool
) {
  var (source, destination) = (source, destination)
  var left = count
  while left > 0 {
    var line = zeroed() as Line<points>
    for point in 0..<points { line[point] = loadVector(source + point &* from.step) }
    transformInput(&line)
    for point in 0..<points where point &+ 1 < points || !isOdd {
      storeVector(line[point], destination + point &* to.step)
    }
    source += from.next
    destination += to.next
    left &-= 1
  }
}

private func transformInput(
  points: Int, _ source: UnsafePointer<Float>, _ from: Lines, _ destination: UnsafeMutablePointer<Float>, _ to: Lines,
  count: Int, isOdd: Bool
) {
  func transform<let points: Int>(_ pointCount: Count<points>) {
    transformInput(pointCount, source, from, destination, to, count: count, isOdd: isOdd)
  }
  switch points {
  case 3: transform(Count<3>())
  case 4: transform(Count<4>())
  case 5: transform(Count<5>())
  case 6: transform(Count<6>())
  case 8: transform(Count<8>())
  case 9: transform(Count<9>())
  default: transform(Count<12>())
  }
}

/// A run of tiles of one channel block in one phase, and the part of it that lies inside the input; around it are zeros.
private struct InputRun {
  let shape: sasuka_winograd
  let phase: (row: Int, column: Int)
  let tiles: Int
  /// The input's row and column, from 0 on or outside, where the run begins.
  let top: Int
  let left: Int
  /// Vectors from one row of the run's scratch to the next.
  let width: Int
  let rows: Range<Int>
  let columns: Range<Int>

  init(_ shape: sasuka_winograd, _ walk: TileWalk, _ phase: (row: Int, column: Int)) {
    self.shape = shape
    self.phase = phase
    tiles = walk.count
    width = shape.tileWidth &* (tiles &- 1) &+ Int(shape.point_columns)
    let stride = Int(shape.stride)
    top = walk.row &* stride &+ phase.row &- Int(shape.top)
    left = walk.column &* stride &+ phase.column &- Int(shape.left)
    /// How many steps of the stride lead from `from` to `to` or beyond it.
    func steps(_ from: Int, _ to: Int) -> Int { (to &- from &+ stride &- 1) &>> (stride &- 1) }
    let (firstRow, firstColumn) = (max(0, steps(top, 0)), max(0, steps(left, 0)))
    rows = firstRow..<max(firstRow, min(Int(shape.point_rows), steps(top, Int(shape.input_height))))
    columns = firstColumn..<max(firstColumn, min(width, steps(left, Int(shape.input_width))))
  }

  /// Floats from one pixel of the phase to the next, along a row and along a column.
  private var inputPixel: Int { Int(shape.stride) &* lanes }
  private var inputRow: Int { Int(shape.input_width) &* inputPixel }
  private var isWhole: Bool { rows.count == Int(shape.point_rows) && columns.count == width }

  /// - Parameters:
  ///   - source: the run's first pixel, which may lie outside.
  ///   - scratch: for two copies of the run.
  @inline(__always)
  func transform(
    _ source: UnsafePointer<Float>, _ destination: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    let (pointRows, pointColumns) = (Int(shape.point_rows), Int(shape.point_columns))
    let pointStride = Int(shape.input_point_stride)
    var (from, lines) = (source, Lines(step: inputRow, next: inputPixel))
    if pointRows > 1 ? rows.count < pointRows || pointColumns == 1 && columns.count < width : !isWhole {
      copy(source, scratch)
      (from, lines) = (UnsafePointer(scratch), Lines(step: width &* lanes, next: lanes))
    }
    if pointColumns == 1 {
      transformInput(
        points: pointRows, from, lines, destination, Lines(step: pointStride, next: lanes), count: width, isOdd: false)
      return
    }
    if pointRows > 1 {
      let half = scratch + Int(SASUKA_WINOGRAD_COLUMNS &* SASUKA_WINOGRAD_POINTS) &* lanes
      transformColumns(from, lines, half)
      (from, lines.step) = (UnsafePointer(half), width &* lanes)
    }
    var row = 0
    while row < pointRows &- phase.row {
      transformInput(
        points: pointColumns, from + row &* lines.step, Lines(step: lanes, next: shape.tileWidth &* lanes),
        destination + row &* pointColumns &* pointStride, Lines(step: pointStride, next: lanes), count: tiles,
        isOdd: phase.column == 1)
      row &+= 1
    }
  }

  /// The columns inside; the others are zeros.
  @inline(__always)
  private func transformColumns(_ source: UnsafePointer<Float>, _ lines: Lines, _ half: UnsafeMutablePointer<Float>) {
    var row = 0
    while row < Int(shape.point_rows) {
      clearOutside(half + row &* width &* lanes)
      row &+= 1
    }
    transformInput(
      points: Int(shape.point_rows), source + columns.lowerBound &* lines.next, lines,
      half + columns.lowerBound &* lanes, Lines(step: width &* lanes, next: lanes), count: columns.count,
      isOdd: phase.row == 1)
  }

  @inline(__always)
  private func clearOutside(_ row: UnsafeMutablePointer<Float>) {
    clear(row, min(columns.lowerBound, width) &* lanes)
    if columns.upperBound < width { clear(row + columns.upperBound &* lanes, (width &- columns.upperBound) &* lanes) }
  }

  /// The run with its zeros.
  @inline(never)
  private func copy(_ source: UnsafePointer<Float>, _ destination: UnsafeMutablePointer<Float>) {
    var row = 0
    while row < Int(shape.point_rows) {
      let to = destination + row &* width &* lanes
      if row >= rows.lowerBound, row < rows.upperBound, !columns.isEmpty {
        clearOutside(to)
        var column = columns.lowerBound
        while column < columns.upperBound {
          storeVector(loadVector(source + row &* inputRow + column &* inputPixel), to + column &* lanes)
          column &+= 1
        }
      } else {
        clear(to, width &* lanes)
      }
      row &+= 1
    }
  }
}

/// The slot `winograd_input`.
func winogradInput(
  _ shapePointer: UnsafePointer<sasuka_winograd>?, _ input: UnsafePointer<Float>?,
  _ transformed: UnsafeMutablePointer<Float>?, _ scratch: UnsafeMutablePointer<Float>?, _ firstTile: Int64,
  _ endTile: Int64, _ firstBlock: Int64, _ endBlock: Int64
) {
  guard let shape = shapePointer?.pointee, let input, let transformed, let scratch else { return }
  let (height, width) = (Int(shape.input_height), Int(shape.input_width))
  var block = Int(firstBlock)
  while block < Int(endBlock) {
    let map = input + block &* height &* width &* lanes
    var phase = 0
    while phase < shape.phases {
      var to = transformed + (phase &* Int(shape.input_channels) / lanes &+ block) &* shape.blockStride
      var walk = TileWalk(shape, first: Int(firstTile), end: Int(endTile))
      while walk.count > 0 {
        let run = InputRun(shape, walk, shape.phase(phase))
        let from = map + walk.image &* Int(shape.input_image_stride) + (run.top &* width &+ run.left) &* lanes
        run.transform(from, to, scratch: scratch)
        to += run.tiles &* lanes
        walk.advance()
      }
      phase &+= 1
    }
    block &+= 1
  }
}
