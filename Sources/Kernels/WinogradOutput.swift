// The transforms of Winograd's convolution to the output: along the rows of a run of tiles, then along their columns.
import CSystem

/// What happens to sums that are the output, and what all sums are made with.
private struct Finish {
  let bias: Vector
  let epilogue: Epilogue
  let constants: UnsafePointer<Float>
}

/// Whether what lines become is the output: known when it is compiled, or not. Nine products become the output's by so little
/// that to ask for each sum takes as long as the sums do.
private enum Finishes {
  static var never: Int { 0 }
  static var always: Int { 1 }
  static var asTold: Int { 2 }
}

/// Lines of products, of which lines of the output become.
private struct OutputLines {
  var run: LineRun
  /// Vectors of a line of the output: lines of nine products may be made for fewer than they could.
  var outputs: Int
  let finish: UnsafePointer<Finish>
  var finishes: Bool
}

/// Transforms lines of products. All of a line of the output is stored where that is not the output yet.
@inline(never)
private func transformOutput<let points: Int, let most: Int, let way: Int>(
  _: Count<points>, _: Count<most>, _: Count<way>, _ lines: UnsafePointer<OutputLines>
) {
  // Copies, for what the stores write might be these as far as the compiler knows.
  let (run, finish) = (lines.pointee.run, lines.pointee.finish.pointee)
  let finishes = way == Finishes.asTold ? lines.pointee.finishes : way == Finishes.always
  let outputs = points == 9 ? lines.pointee.outputs : most
  let kept = way == Finishes.never ? outputs : run.kept
  var (firstSource, firstDestination, groups) = (
    run.source, run.destination, goesOnWithGroups(points: points) ? run.groups : 1
  )
  repeat {
    var (source, destination, left) = (firstSource, firstDestination, run.count)
    while left > 0 {
      var line = zeroed() as Line<points>
      for point in 0..<points { line[point] = loadVector(source + point &* run.from.step) }
      let sums = OutputSums<points>(line, finish.constants)
      for output in 0..<most where output < kept {
        let place = destination + output &* run.to.step
        var sum = sums.output(output)
        if output &+ 1 == outputs { sum += line[points &- 1] }
        storeVector(finishes ? finish.epilogue.apply(sum + finish.bias, held: place) : sum, place)
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
private func transformOutput(points: Int, _ lines: UnsafeMutablePointer<OutputLines>) {
  repeat {
    switch (points, lines.pointee.outputs) {
    case (3, _): transformOutput(Count<3>(), Count<2>(), Count<2>(), lines)
    case (4, 2): transformOutput(Count<4>(), Count<2>(), Count<2>(), lines)
    case (4, _): transformOutput(Count<4>(), Count<3>(), Count<2>(), lines)
    case (5, _): transformOutput(Count<5>(), Count<4>(), Count<2>(), lines)
    case (6, _): transformOutput(Count<6>(), Count<4>(), Count<2>(), lines)
    case (8, _): transformOutput(Count<8>(), Count<6>(), Count<2>(), lines)
    case (9, _) where !hasConstants(points: 9): transformOutput(Count<9>(), Count<7>(), Count<2>(), lines)
    case (9, _) where lines.pointee.finishes: transformOutput(Count<9>(), Count<7>(), Count<1>(), lines)
    case (9, _): transformOutput(Count<9>(), Count<7>(), Count<0>(), lines)
    case (_, _): transformOutput(Count<12>(), Count<6>(), Count<2>(), lines)
    }
    lines.pointee.run.nextGroup()
  } while !goesOnWithGroups(points: points) && lines.pointee.run.groups > 0
}

/// A run of tiles of one channel block of the output.
private struct OutputRun {
  let shape: UnsafePointer<sasuka_winograd>
  let tiles: Int
  /// Columns, and pixels of each, that exist.
  let columns: Int
  let rows: Int

  init(_ shape: UnsafePointer<sasuka_winograd>, _ walk: TileWalk) {
    self.shape = shape
    tiles = walk.count
    columns = min(tiles &* shape.pointee.tileWidth, Int(shape.pointee.output_width) &- walk.column)
    rows = min(shape.pointee.tileHeight, Int(shape.pointee.output_height) &- walk.row)
  }

  @inline(__always)
  func transform(
    _ products: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>,
    _ finish: UnsafePointer<Finish>
  ) {
    let (pointRows, pointColumns) = (Int(shape.pointee.point_rows), Int(shape.pointee.point_columns))
    let pointStride = Int(shape.pointee.output_point_stride)
    let (row, pixel) = (Int(shape.pointee.output_row_stride), Int(shape.pointee.output_pixel_stride))
    var lines = OutputLines(
      run: LineRun(
        source: products, from: Lines(step: pointStride, next: lanes),
        destination: output, to: Lines(step: pixel, next: shape.pointee.tileWidth &* pixel), count: tiles,
        kept: shape.pointee.tileWidth),
      outputs: shape.pointee.tileWidth, finish: finish, finishes: true)
    if pointRows == 1 {
      // The last tile may have fewer columns.
      let whole = columns / shape.pointee.tileWidth
      lines.run.count = whole
      transformOutput(points: pointColumns, &lines)
      lines.run.source += whole &* lines.run.from.next
      lines.run.destination += whole &* lines.run.to.next
      (lines.run.count, lines.run.groups) = (tiles &- whole, 1)
      lines.run.kept = columns % shape.pointee.tileWidth
      transformOutput(points: pointColumns, &lines)
      return
    }
    if pointColumns > 1 {
      let step = tiles &* shape.pointee.tileWidth &* lanes
      lines.run.from.group = pointColumns &* pointStride
      lines.run.destination = scratch
      lines.run.to = Lines(step: lanes, next: shape.pointee.tileWidth &* lanes, group: step)
      (lines.run.groups, lines.finishes) = (pointRows, false)
      transformOutput(points: pointColumns, &lines)
      (lines.run.source, lines.run.from.step) = (UnsafePointer(scratch), step)
    }
    (lines.run.destination, lines.run.to) = (output, Lines(step: row, next: pixel))
    (lines.run.count, lines.run.groups, lines.run.kept, lines.finishes) = (columns, 1, rows, true)
    lines.outputs = shape.pointee.tileHeight
    transformOutput(points: pointRows, &lines)
  }
}

/// The slot `winograd_output`.
func winogradOutput(
  _ shapePointer: UnsafePointer<sasuka_winograd>?, _ products: UnsafePointer<Float>?, _ bias: UnsafePointer<Float>?,
  _ output: UnsafeMutablePointer<Float>?, _ scratch: UnsafeMutablePointer<Float>?, _ firstTile: Int64,
  _ endTile: Int64, _ firstBlock: Int64, _ endBlock: Int64, _ epilogue: Int32
) {
  guard let shape = shapePointer, let products, let output, let scratch else { return }
  let constants = scratch + 2 &* Int(SASUKA_WINOGRAD_COLUMNS &* SASUKA_WINOGRAD_POINTS) &* lanes
  if hasConstants(points: 9), shape.pointee.point_rows == 9 || shape.pointee.point_columns == 9 {
    fillOutputConstants(constants)
  }
  var block = Int(firstBlock)
  while block < Int(endBlock) {
    let channel = block &* lanes
    let finish = Finish(
      bias: bias.map { loadLanes($0 + channel, Int(shape.pointee.output_channels) &- channel) } ?? Vector(),
      epilogue: Epilogue(epilogue), constants: constants)
    let map = output + block &* Int(shape.pointee.output_block_stride)
    withUnsafePointer(to: finish) { finish in
      var from = products + (block &- Int(firstBlock)) &* shape.pointee.blockStride
      var walk = TileWalk(shape, first: Int(firstTile), end: Int(endTile))
      while walk.count > 0 {
        let pixel =
          walk.row &* Int(shape.pointee.output_row_stride) &+ walk.column &* Int(shape.pointee.output_pixel_stride)
        let run = OutputRun(shape, walk)
        run.transform(
          from, map + walk.image &* Int(shape.pointee.output_image_stride) + pixel, scratch: scratch, finish)
        from += run.tiles &* lanes
        walk.advance()
      }
    }
    block &+= 1
  }
}
