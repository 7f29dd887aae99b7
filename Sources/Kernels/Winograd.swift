// Convolution by Winograd's minimal filtering: input transform, products at the points, output transform, and the transform
// of the weights. A block of tiles goes through all three while it lies in the cache.
import CSystem

extension sasuka_winograd {
  var points: Int { Int(point_rows &* point_columns) }
  /// Floats from one channel block of a transformed tile block to the next.
  var blockStride: Int { Int(tile_stride) &* lanes }
  var tileHeight: Int { Int(point_rows &- kernel_height &+ 1) }
  var tileWidth: Int { Int(point_columns &- kernel_width &+ 1) }

  /// The product at one point: a 1 x 1 convolution over tiles.
  func product(tiles: Int) -> sasuka_convolution {
    sasuka_convolution(
      groups: 1, input_channels: input_channels, output_channels: output_channels, kernel_height: 1, kernel_width: 1,
      stride_height: 1, stride_width: 1, dilation_height: 1, dilation_width: 1, input_height: 1,
      input_width: tile_stride, output_height: 1, output_width: Int64(tiles),
      output_block_stride: Int64(blockStride), output_row_stride: 0, output_pixel_stride: Int64(lanes), top: 0,
      left: 0)
  }
}

/// Walks over tiles in order: columns, rows, images.
struct TileWalk {
  private let shape: sasuka_winograd
  private(set) var image: Int
  /// First output pixel of the tile.
  private(set) var row: Int
  private(set) var column: Int

  init(_ shape: sasuka_winograd, _ tile: Int) {
    self.shape = shape
    let across = Int(shape.tiles_across)
    let perImage = across &* Int(shape.tiles_down)
    image = tile / perImage
    row = tile % perImage / across &* shape.tileHeight
    column = tile % across &* shape.tileWidth
  }

  mutating func advance() {
    column &+= shape.tileWidth
    if column < Int(shape.output_width) { return }
    column = 0
    row &+= shape.tileHeight
    if row < Int(shape.output_height) { return }
    row = 0
    image &+= 1
  }
}

/// One tile of one channel block at all points.
@inline(__always)
private func inputTile<let rows: Int, let columns: Int>(
  _: Count<rows>, _: Count<columns>, _ source: UnsafePointer<Float>, _ rowStride: Int,
  _ destination: UnsafeMutablePointer<Float>, _ pointStride: Int
) {
  var tile = zeroed() as InlineArray<rows, Line<columns>>
  for column in 0..<columns {
    var line = zeroed() as Line<rows>
    for row in 0..<rows { line[row] = loadVector(source + row &* rowStride + column &* lanes) }
    transformInput(&line)
    for row in 0..<rows { tile[row][column] = line[row] }
  }
  for row in 0..<rows {
    var line = tile[row]
    transformInput(&line)
    for column in 0..<columns { storeVector(line[column], destination + (row &* columns &+ column) &* pointStride) }
  }
}

/// Tiles [first, end) of channel blocks [firstBlock, endBlock).
@inline(never)
private func inputTiles<let rows: Int, let columns: Int>(
  _: Count<rows>, _: Count<columns>, _ shape: sasuka_winograd, _ input: UnsafePointer<Float>,
  _ transformed: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int, _ firstBlock: Int, _ endBlock: Int
) {
  let (height, width) = (Int(shape.input_height), Int(shape.input_width))
  let pointStride = Int(shape.input_point_stride)
  var border = zeroed() as InlineArray<rows, Line<columns>>
  withUnsafeMutablePointer(to: &border) { pointer in
    let border = UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: Float.self)
    var block = firstBlock
    while block < endBlock {
      let map = input + block &* height &* width &* lanes
      var to = transformed + block &* shape.blockStride
      var walk = TileWalk(shape, first)
      var tile = first
      while tile < end {
        let (top, left) = (walk.row &- Int(shape.top), walk.column &- Int(shape.left))
        var from = UnsafePointer(map + walk.image &* Int(shape.input_image_stride) + (top &* width &+ left) &* lanes)
        var rowStride = width &* lanes
        if top < 0 || left < 0 || top &+ rows > height || left &+ columns > width {
          copyBorder(
            from, rowStride, border, rows: max(0, 0 &- top)..<min(rows, height &- top),
            columns: max(0, 0 &- left)..<min(columns, width &- left), of: (rows, columns))
          (from, rowStride) = (UnsafePointer(border), columns &* lanes)
        }
        inputTile(Count<rows>(), Count<columns>(), from, rowStride, to, pointStride)
        to += lanes
        walk.advance()
        tile &+= 1
      }
      block &+= 1
    }
  }
}

/// The part of a tile that lies inside the input, and zeros around it.
@inline(never)
private func copyBorder(
  _ source: UnsafePointer<Float>, _ rowStride: Int, _ border: UnsafeMutablePointer<Float>, rows: Range<Int>,
  columns: Range<Int>, of size: (rows: Int, columns: Int)
) {
  var to = border
  var row = 0
  while row < size.rows {
    let from = source + row &* rowStride
    let isInside = row >= rows.lowerBound && row < rows.upperBound
    var column = 0
    while column < size.columns {
      let reads = isInside && column >= columns.lowerBound && column < columns.upperBound
      storeVector(reads ? loadVector(from + column &* lanes) : Vector(), to)
      to += lanes
      column &+= 1
    }
    row &+= 1
  }
}

/// The slot `winograd_input`.
func winogradInput(
  _ shapePointer: UnsafePointer<sasuka_winograd>?, _ input: UnsafePointer<Float>?,
  _ transformed: UnsafeMutablePointer<Float>?, _ firstTile: Int64, _ endTile: Int64, _ firstBlock: Int64,
  _ endBlock: Int64
) {
  guard let shape = shapePointer?.pointee, let input, let transformed else { return }
  let tiles = (first: Int(firstTile), end: Int(endTile))
  let blocks = (first: Int(firstBlock), end: Int(endBlock))
  switch shape.point_rows {
  case 6:
    inputTiles(Count<6>(), Count<6>(), shape, input, transformed, tiles.first, tiles.end, blocks.first, blocks.end)
  default:
    inputTiles(Count<4>(), Count<4>(), shape, input, transformed, tiles.first, tiles.end, blocks.first, blocks.end)
  }
}

/// The slot `winograd_product`.
func winogradProduct(
  _ shapePointer: UnsafePointer<sasuka_winograd>?, _ transformed: UnsafePointer<Float>?,
  _ packed: UnsafePointer<Float>?, _ products: UnsafeMutablePointer<Float>?, _ tiles: Int64, _ firstPoint: Int64,
  _ endPoint: Int64, _ firstUnit: Int64, _ endUnit: Int64
) {
  guard let shape = shapePointer?.pointee, let transformed, let packed, let products else { return }
  var product = shape.product(tiles: Int(tiles))
  let unitFloats = product.unitFloats
  var point = Int(firstPoint)
  while point < Int(endPoint) {
    let from = transformed + point &* Int(shape.input_point_stride)
    let to = products + point &* Int(shape.output_point_stride)
    // The convolution finds a unit's weights and results by its number.
    var unit = Int(firstUnit)
    while unit < Int(endUnit) {
      let pointFloats = Int(shape.input_channels) &* ConvolutionUnit(product, unit).columns &* lanes
      let weights = packed + unit &* (shape.points &- 1) &* unitFloats + point &* pointFloats
      let first = to - Int(firstUnit) &* tileColumns &* shape.blockStride
      convolutionForward(&product, from, weights, nil, first, Int64(unit), 0, 1, 0)
      unit &+= 1
    }
    point &+= 1
  }
}

/// What all tiles of one channel block of the output share.
private struct OutputPass {
  let pointStride: Int
  let rowStride: Int
  let pixelStride: Int
  let bias: Vector
  let epilogue: Epilogue
}

/// One tile of one channel block of the output, of which `height` x `width` pixels exist.
@inline(__always)
private func outputTile<let rows: Int, let columns: Int, let outputRows: Int, let outputColumns: Int>(
  _: Count<rows>, _: Count<columns>, _: Count<outputRows>, _: Count<outputColumns>, _ pass: OutputPass,
  _ products: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, _ height: Int, _ width: Int
) {
  var tile = zeroed() as InlineArray<outputRows, Line<columns>>
  for column in 0..<columns {
    var line = zeroed() as Line<rows>
    for row in 0..<rows { line[row] = loadVector(products + (row &* columns &+ column) &* pass.pointStride) }
    let sums: Line<outputRows> = transformOutput(line)
    for row in 0..<outputRows { tile[row][column] = sums[row] }
  }
  for row in 0..<outputRows where row < height {
    let sums: Line<outputColumns> = transformOutput(tile[row])
    for column in 0..<outputColumns where column < width {
      let place = output + row &* pass.rowStride + column &* pass.pixelStride
      storeVector(pass.epilogue.apply(sums[column] + pass.bias, held: place), place)
    }
  }
}

@inline(never)
private func outputTiles<let rows: Int, let columns: Int, let outputRows: Int, let outputColumns: Int>(
  _: Count<rows>, _: Count<columns>, _: Count<outputRows>, _: Count<outputColumns>, _ shape: sasuka_winograd,
  _ pass: OutputPass, _ products: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int
) {
  var walk = TileWalk(shape, first)
  var from = products
  var tile = first
  while tile < end {
    let to =
      output + walk.image &* Int(shape.output_image_stride) + walk.row &* pass.rowStride + walk.column
      &* pass.pixelStride
    outputTile(
      Count<rows>(), Count<columns>(), Count<outputRows>(), Count<outputColumns>(), pass, from, to,
      Int(shape.output_height) &- walk.row, Int(shape.output_width) &- walk.column)
    from += lanes
    walk.advance()
    tile &+= 1
  }
}

/// The slot `winograd_output`.
func winogradOutput(
  _ shapePointer: UnsafePointer<sasuka_winograd>?, _ products: UnsafePointer<Float>?, _ bias: UnsafePointer<Float>?,
  _ output: UnsafeMutablePointer<Float>?, _ firstTile: Int64, _ endTile: Int64, _ firstBlock: Int64,
  _ endBlock: Int64, _ epilogue: Int32
) {
  guard let shape = shapePointer?.pointee, let products, let output else { return }
  let (first, end) = (Int(firstTile), Int(endTile))
  var from = products
  var block = Int(firstBlock)
  while block < Int(endBlock) {
    let channel = block &* lanes
    let pass = OutputPass(
      pointStride: Int(shape.output_point_stride), rowStride: Int(shape.output_row_stride),
      pixelStride: Int(shape.output_pixel_stride),
      bias: bias.map { loadLanes($0 + channel, Int(shape.output_channels) &- channel) } ?? Vector(),
      epilogue: Epilogue(epilogue))
    let to = output + block &* Int(shape.output_block_stride)
    switch (shape.point_rows, shape.kernel_height) {
    case (6, 5): outputTiles(Count<6>(), Count<6>(), Count<2>(), Count<2>(), shape, pass, from, to, first, end)
    case (6, _): outputTiles(Count<6>(), Count<6>(), Count<4>(), Count<4>(), shape, pass, from, to, first, end)
    case (_, _): outputTiles(Count<4>(), Count<4>(), Count<2>(), Count<2>(), shape, pass, from, to, first, end)
    }
    from += shape.blockStride
    block &+= 1
  }
}
