// The transforms of Winograd's convolution from the input: along the columns of a run of tiles, then along their rows.
import CSystem

/// Transforms lines of the input, of as many vectors as there are points.
@inline(never)
private func transformInput<let points: Int>(
  _: Count<points>, _ source: UnsafePointer<Float>, _ from: Lines, _ destination: UnsafeMutablePointer<Float>,
  _ to: Lines, count: Int
) {
  var (source, destination) = (source, destination)
  var left = count
  while left > 0 {
    var line = zeroed() as Line<points>
    for point in 0..<points { line[point] = loadVector(source + point &* from.step) }
    transformInput(&line)
    for point in 0..<points { storeVector(line[point], destination + point &* to.step) }
    source += from.next
    destination += to.next
    left &-= 1
  }
}

@inline(__always)
private func transformInput(
  points: Int, _ source: UnsafePointer<Float>, _ from: Lines, _ destination: UnsafeMutablePointer<Float>, _ to: Lines,
  count: Int
) {
  switch points {
  case 4: transformInput(Count<4>(), source, from, destination, to, count: count)
  case 6: transformInput(Count<6>(), source, from, destination, to, count: count)
  case 8: transformInput(Count<8>(), source, from, destination, to, count: count)
  default: transformInput(Count<10>(), source, from, destination, to, count: count)
  }
}

/// A run of tiles of one channel block, and the part of it that lies inside the input; around it are zeros.
private struct InputRun {
  let shape: sasuka_winograd
  let tiles: Int
  /// Vectors from one row of the run's scratch to the next.
  let width: Int
  let rows: Range<Int>
  let columns: Range<Int>

  init(_ shape: sasuka_winograd, _ walk: TileWalk) {
    self.shape = shape
    tiles = walk.count
    width = shape.tileWidth &* (tiles &- 1) &+ Int(shape.point_columns)
    let (top, left) = (walk.row &- Int(shape.top), walk.column &- Int(shape.left))
    let (firstRow, firstColumn) = (max(0, 0 &- top), max(0, 0 &- left))
    rows = firstRow..<max(firstRow, min(Int(shape.point_rows), Int(shape.input_height) &- top))
    columns = firstColumn..<max(firstColumn, min(width, Int(shape.input_width) &- left))
  }

  private var inputRow: Int { Int(shape.input_width) &* lanes }
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
    var (from, rowStride) = (source, inputRow)
    if pointRows > 1 ? rows.count < pointRows || pointColumns == 1 && columns.count < width : !isWhole {
      copy(source, scratch)
      (from, rowStride) = (UnsafePointer(scratch), width &* lanes)
    }
    if pointColumns == 1 {
      transformInput(
        points: pointRows, from, Lines(step: rowStride, next: lanes), destination,
        Lines(step: pointStride, next: lanes), count: width)
      return
    }
    if pointRows > 1 {
      let half = scratch + Int(SASUKA_WINOGRAD_COLUMNS &* SASUKA_WINOGRAD_POINTS) &* lanes
      transformColumns(from, rowStride, half)
      (from, rowStride) = (UnsafePointer(half), width &* lanes)
    }
    var row = 0
    while row < pointRows {
      transformInput(
        points: pointColumns, from + row &* rowStride, Lines(step: lanes, next: shape.tileWidth &* lanes),
        destination + row &* pointColumns &* pointStride, Lines(step: pointStride, next: lanes), count: tiles)
      row &+= 1
    }
  }

  /// The columns inside; the others are zeros.
  @inline(__always)
  private func transformColumns(_ source: UnsafePointer<Float>, _ rowStride: Int, _ half: UnsafeMutablePointer<Float>) {
    var row = 0
    while row < Int(shape.point_rows) {
      clearOutside(half + row &* width &* lanes)
      row &+= 1
    }
    let first = columns.lowerBound &* lanes
    transformInput(
      points: Int(shape.point_rows), source + first, Lines(step: rowStride, next: lanes), half + first,
      Lines(step: width &* lanes, next: lanes), count: columns.count)
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
        let first = columns.lowerBound &* lanes
        memcpy(to + first, source + row &* inputRow + first, columns.count &* lanes &* MemoryLayout<Float>.stride)
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
    var to = transformed + block &* shape.blockStride
    var walk = TileWalk(shape, first: Int(firstTile), end: Int(endTile))
    while walk.count > 0 {
      let (top, left) = (walk.row &- Int(shape.top), walk.column &- Int(shape.left))
      let from = map + walk.image &* Int(shape.input_image_stride) + (top &* width &+ left) &* lanes
      let run = InputRun(shape, walk)
      run.transform(from, to, scratch: scratch)
      to += run.tiles &* lanes
      walk.advance()
    }
    block &+= 1
  }
}
