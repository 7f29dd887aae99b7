// The transforms of Winograd's convolution from the input: along the columns of a run of tiles, then along their rows.
import CSystem

/// Transforms lines of the input, of as many vectors as there are points. Those of phases that have a tap fewer have no value at
/// the last, which is not kept.
@inline(never)
private func transformInput<let points: Int>(_: Count<points>, _ run: UnsafePointer<LineRun>) {
  // A copy, for what the stores write might be it as far as the compiler knows.
  let run = run.pointee
  var (firstSource, firstDestination, groups) = (
    run.source, run.destination, goesOnWithGroups(points: points) ? run.groups : 1
  )
  repeat {
    var (source, destination, left) = (firstSource, firstDestination, run.count)
    while left > 0 {
      var line = zeroed() as Line<points>
      for point in 0..<points { line[point] = loadVector(source + point &* run.from.step) }
      transformInput(&line)
      for point in 0..<points where point &+ 1 < points || run.kept == points {
        storeVector(line[point], destination + point &* run.to.step)
      }
      source += run.from.next
      destination += run.to.next
      left &-= 1
    }
    firstSource += run.from.group
    firstDestination += run.to.group
    groups &-= 1
  } while goesOnWithGroups(points: points) && groups > 0
}

/// The same for any number of points. What is left of the run is none.
@inline(never)
private func transformInput(points: Int, _ run: UnsafeMutablePointer<LineRun>) {
  repeat {
    switch points {
    case 3: transformInput(Count<3>(), run)
    case 4: transformInput(Count<4>(), run)
    case 5: transformInput(Count<5>(), run)
    case 6: transformInput(Count<6>(), run)
    case 8: transformInput(Count<8>(), run)
    case 9: transformInput(Count<9>(), run)
    default: transformInput(Count<12>(), run)
    }
    run.pointee.nextGroup()
  } while !goesOnWithGroups(points: points) && run.pointee.groups > 0
}

/// A run of tiles of one channel block in one phase, and the part of it that lies inside the input; around it are zeros.
private struct InputRun {
  let shape: UnsafePointer<sasuka_winograd>
  /// Rows and columns of points that the phase has.
  let kept: (row: Int, column: Int)
  let tiles: Int
  /// The input's row and column, from 0 on or outside, where the run begins.
  let top: Int
  let left: Int
  /// Vectors from one row of the run's scratch to the next.
  let width: Int
  let rows: Range<Int>
  let columns: Range<Int>

  init(_ shape: UnsafePointer<sasuka_winograd>, _ walk: TileWalk, _ phase: (row: Int, column: Int)) {
    self.shape = shape
    let fewer = shape.pointee.fewer(inPhase: phase)
    kept = (Int(shape.pointee.point_rows) &- fewer.row, Int(shape.pointee.point_columns) &- fewer.column)
    tiles = walk.count
    width = shape.pointee.tileWidth &* (tiles &- 1) &+ Int(shape.pointee.point_columns)
    let stride = Int(shape.pointee.stride)
    top = walk.row &* stride &+ phase.row &- Int(shape.pointee.top)
    left = walk.column &* stride &+ phase.column &- Int(shape.pointee.left)
    /// How many steps of the stride lead from `from` to `to` or beyond it.
    func steps(_ from: Int, _ to: Int) -> Int { (to &- from &+ stride &- 1) &>> (stride &- 1) }
    let (firstRow, firstColumn) = (max(0, steps(top, 0)), max(0, steps(left, 0)))
    rows = firstRow..<max(firstRow, min(Int(shape.pointee.point_rows), steps(top, Int(shape.pointee.input_height))))
    columns = firstColumn..<max(firstColumn, min(width, steps(left, Int(shape.pointee.input_width))))
  }

  /// Floats from one pixel of the phase to the next, along a row and along a column.
  private var inputPixel: Int { Int(shape.pointee.stride &* shape.pointee.input_pixel_stride) }
  private var inputRow: Int { Int(shape.pointee.stride &* shape.pointee.input_row_stride) }
  private var isWhole: Bool { rows.count == Int(shape.pointee.point_rows) && columns.count == width }

  /// - Parameters:
  ///   - source: the run's first pixel, which may lie outside.
  ///   - scratch: for two copies of the run.
  @inline(__always)
  func transform(
    _ source: UnsafePointer<Float>, _ destination: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    let (pointRows, pointColumns) = (Int(shape.pointee.point_rows), Int(shape.pointee.point_columns))
    let pointStride = Int(shape.pointee.input_point_stride)
    var run = LineRun(
      source: source, from: Lines(step: inputRow, next: inputPixel), destination: destination,
      to: Lines(step: pointStride, next: lanes), count: width, kept: kept.row)
    if pointRows > 1 ? rows.count < pointRows || pointColumns == 1 && columns.count < width : !isWhole {
      copy(source, scratch)
      (run.source, run.from) = (UnsafePointer(scratch), Lines(step: width &* lanes, next: lanes))
    }
    if pointColumns == 1 { return transformInput(points: pointRows, &run) }
    if pointRows > 1 {
      let half = scratch + Int(SASUKA_WINOGRAD_COLUMNS &* SASUKA_WINOGRAD_POINTS) &* lanes
      var row = 0
      while row < pointRows {
        clearOutside(half + row &* width &* lanes)
        row &+= 1
      }
      // The columns inside; the others are zeros.
      run.source += columns.lowerBound &* run.from.next
      (run.destination, run.to.step) = (half + columns.lowerBound &* lanes, width &* lanes)
      run.count = columns.count
      transformInput(points: pointRows, &run)
      (run.source, run.from) = (UnsafePointer(half), Lines(step: width &* lanes, next: lanes))
    }
    let pixel = run.from.next
    run.from = Lines(step: pixel, next: shape.pointee.tileWidth &* pixel, group: run.from.step)
    run.destination = destination
    run.to = Lines(step: pointStride, next: lanes, group: pointColumns &* pointStride)
    (run.count, run.groups, run.kept) = (tiles, kept.row, kept.column)
    transformInput(points: pointColumns, &run)
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
    while row < Int(shape.pointee.point_rows) {
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
  guard let shape = shapePointer, let input, let transformed, let scratch else { return }
  let (row, pixel) = (Int(shape.pointee.input_row_stride), Int(shape.pointee.input_pixel_stride))
  var block = Int(firstBlock)
  while block < Int(endBlock) {
    let map = input + block &* Int(shape.pointee.input_block_stride)
    var phase = 0
    while phase < shape.pointee.phases {
      var to = transformed + (phase &* Int(shape.pointee.input_channels) / lanes &+ block) &* shape.pointee.blockStride
      var walk = TileWalk(shape, first: Int(firstTile), end: Int(endTile))
      while walk.count > 0 {
        let run = InputRun(shape, walk, shape.pointee.phase(phase))
        let from = map + walk.image &* Int(shape.pointee.input_image_stride) + (run.top &* row &+ run.left &* pixel)
        run.transform(from, to, scratch: scratch)
        to += run.tiles &* lanes
        walk.advance()
      }
      phase &+= 1
    }
    block &+= 1
  }
}
