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

/// Transforms lines of products to lines of `outputs` vectors, of which the first `kept` are stored; all of them where they are
/// not the output yet. Lines of nine products may be made for fewer: `last` counts those that a whole line has.
@inline(never)
private func transformOutput<let points: Int, let outputs: Int, let way: Int>(
  _: Count<points>, _: Count<outputs>, _: Count<way>, last: Int, _ source: UnsafePointer<Float>, _ from: Lines,
  _ destination: UnsafeMutablePointer<Float>, _ to: Lines, count: Int, kept: Int, _ finish: UnsafePointer<Finish>,
  finishes: Bool
) {
  // A copy, for what the stores write might be it as far as the compiler knows.
  let finish = finish.pointee
  let finishes = way == Finishes.asTold ? finishes : way == Finishes.always
  let last = points == 9 ? last : outputs
  let kept = way == Finishes.never ? last : kept
  var (source, destination) = (source, destination)
  var left = count
  while left > 0 {
    var line = zeroed() as Line<points>
    for point in 0..<points { line[point] = loadVector(source + point &* from.step) }
    let sums = OutputSums<points>(line, finish.constants)
    for output in 0..<outputs where output < kept {
      let place = destination + output &* to.step
      var sum = sums.output(output)
      if output &+ 1 == last { sum += line[points &- 1] }
      storeVector(finishes ? finish.epilogue.apply(sum + finish.bias, held: place) : sum, place)
    }
    source += from.next
    destination += to.next
    left &-= 1
  }
}

@inline(never)
private func transformOutput(
  points: Int, outputs: Int, _ source: UnsafePointer<Float>, _ from: Lines,
  _ destination: UnsafeMutablePointer<Float>, _ to: Lines, count: Int, kept: Int, _ finish: UnsafePointer<Finish>,
  finishes: Bool
) {
  func transform<let points: Int, let most: Int, let way: Int>(
    _ pointCount: Count<points>, _ outputCount: Count<most>, _ way: Count<way>
  ) {
    transformOutput(
      pointCount, outputCount, way, last: outputs, source, from, destination, to, count: count, kept: kept, finish,
      finishes: finishes)
  }
  switch (points, outputs) {
  case (3, _): transform(Count<3>(), Count<2>(), Count<2>())
  case (4, 2): transform(Count<4>(), Count<2>(), Count<2>())
  case (4, _): transform(Count<4>(), Count<3>(), Count<2>())
  case (5, _): transform(Count<5>(), Count<4>(), Count<2>())
  case (6, _): transform(Count<6>(), Count<4>(), Count<2>())
  case (8, _): transform(Count<8>(), Count<6>(), Count<2>())
  case (9, _) where hasConstants(points: 9) && finishes: transform(Count<9>(), Count<7>(), Count<1>())
  case (9, _) where hasConstants(points: 9): transform(Count<9>(), Count<7>(), Count<0>())
  case (9, _): transform(Count<9>(), Count<7>(), Count<2>())
  case (_, _): transform(Count<12>(), Count<6>(), Count<2>())
  }
}

/// A run of tiles of one channel block of the output.
private struct OutputRun {
  let shape: sasuka_winograd
  let tiles: Int
  /// Columns, and pixels of each, that exist.
  let columns: Int
  let rows: Int

  init(_ shape: sasuka_winograd, _ walk: TileWalk) {
    self.shape = shape
    tiles = walk.count
    columns = min(tiles &* shape.tileWidth, Int(shape.output_width) &- walk.column)
    rows = min(shape.tileHeight, Int(shape.output_height) &- walk.row)
  }

  @inline(__always)
  func transform(
    _ products: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>,
    _ finish: UnsafePointer<Finish>
  ) {
    let (pointRows, pointColumns) = (Int(shape.point_rows), Int(shape.point_columns))
    let pointStride = Int(shape.output_point_stride)
    let (row, pixel) = (Int(shape.output_row_stride), Int(shape.output_pixel_stride))
    if pointRows == 1 {
      let whole = columns / shape.tileWidth
      transformRow(products, output, pixel, tiles: whole, kept: shape.tileWidth, finish,
        finishes: true)
      transformRow(
        products + whole &* lanes, output + whole &* shape.tileWidth &* pixel, pixel, tiles: tiles &- whole,
        kept: columns % shape.tileWidth, finish, finishes: true)
      return
    }
    var (from, step) = (products, pointStride)
    if pointColumns > 1 {
      step = tiles &* shape.tileWidth &* lanes
      var pointRow = 0
      while pointRow < pointRows {
        transformRow(
          products + pointRow &* pointColumns &* pointStride, scratch + pointRow &* step, lanes, tiles: tiles,
          kept: shape.tileWidth, finish, finishes: false)
        pointRow &+= 1
      }
      from = UnsafePointer(scratch)
    }
    transformOutput(
      points: pointRows, outputs: shape.tileHeight, from, Lines(step: step, next: lanes), output,
      Lines(step: row, next: pixel), count: columns, kept: rows, finish, finishes: true)
  }

  /// Along one row of points, tile by tile.
  @inline(__always)
  private func transformRow(
    _ products: UnsafePointer<Float>, _ pixels: UnsafeMutablePointer<Float>, _ pixel: Int, tiles: Int, kept: Int,
    _ finish: UnsafePointer<Finish>, finishes: Bool
  ) {
    transformOutput(
      points: Int(shape.point_columns), outputs: shape.tileWidth, products,
      Lines(step: Int(shape.output_point_stride), next: lanes), pixels,
      Lines(step: pixel, next: shape.tileWidth &* pixel), count: tiles, kept: kept, finish,
      finishes: finishes)
  }
}

/// The slot `winograd_output`.
func winogradOutput(
  _ shapePointer: UnsafePointer<sasuka_winograd>?, _ products: UnsafePointer<Float>?, _ bias: UnsafePointer<Float>?,
  _ output: UnsafeMutablePointer<Float>?, _ scratch: UnsafeMutablePointer<Float>?, _ firstTile: Int64,
  _ endTile: Int64, _ firstBlock: Int64, _ endBlock: Int64, _ epilogue: Int32
) {
  guard let shape = shapePointer?.pointee, let products, let output, let scratch else { return }
  let constants = scratch + 2 &* Int(SASUKA_WINOGRAD_COLUMNS &* SASUKA_WINOGRAD_POINTS) &* lanes
  if hasConstants(points: 9), shape.point_rows == 9 || shape.point_columns == 9 { fillOutputConstants(constants) }
  var block = Int(firstBlock)
  while block < Int(endBlock) {
    let channel = block &* lanes
    let finish = Finish(
      bias: bias.map { loadLanes($0 + channel, Int(shape.output_channels) &- channel) } ?? Vector(),
      epilogue: Epilogue(epilogue), constants: constants)
    let map = output + block &* Int(shape.output_block_stride)
    withUnsafePointer(to: finish) { finish in
      var from = products + (block &- Int(firstBlock)) &* shape.blockStride
      var walk = TileWalk(shape, first: Int(firstTile), end: Int(endTile))
      while walk.count > 0 {
        let pixel = walk.row &* Int(shape.output_row_stride) &+ walk.column &* Int(shape.output_pixel_stride)
        let run = OutputRun(shape, walk)
        run.transform(from, map + walk.image &* Int(shape.output_image_stride) + pixel, scratch: scratch, finish)
        from += run.tiles &* lanes
        walk.advance()
      }
    }
    block &+= 1
  }
}
