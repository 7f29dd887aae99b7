// Convolution by Winograd's minimal filtering: input transform, products at the points, output transform, and the transform
// of the weights. A block of tiles goes through all three while it lies in the cache.
import CSystem

extension sasuka_winograd {
  var points: Int { Int(point_rows &* point_columns) }
  /// Floats from one channel block of a transformed tile block to the next.
  var blockStride: Int { Int(tile_stride) &* lanes }
  var tileHeight: Int { Int(point_rows &- taps(kernel_height) &+ 1) }
  var tileWidth: Int { Int(point_columns &- taps(kernel_width) &+ 1) }
  /// Phases of the input, 1 or 4.
  var phases: Int { Int(stride &* stride) }

  /// Taps along a side of the kernel's largest phase.
  func taps(_ side: Int64) -> Int64 { (side &+ stride &- 1) &>> (stride &- 1) }

  /// Whether a phase is of the odd rows, and of the odd columns.
  func phase(_ number: Int) -> (row: Int, column: Int) {
    stride == 1 ? (0, 0) : ((number &+ 1) &>> 1 & 1 ^ 1, number &>> 1)
  }

  /// How many taps fewer than the largest a phase has along each side, and points: one where it is odd and the side is.
  func fewer(inPhase phase: (row: Int, column: Int)) -> (row: Int, column: Int) {
    (phase.row & Int(kernel_height), phase.column & Int(kernel_width))
  }

  /// The product at one point, of so many phases: a 1 x 1 convolution over tiles.
  func product(tiles: Int, phases: Int = 1) -> sasuka_convolution {
    sasuka_convolution(
      groups: 1, input_channels: input_channels &* Int64(phases), output_channels: output_channels,
      kernel_height: 1, kernel_width: 1, stride_height: 1, stride_width: 1, dilation_height: 1, dilation_width: 1,
      input_height: 1, input_width: tile_stride, output_height: 1, output_width: Int64(tiles),
      output_block_stride: Int64(blockStride), output_row_stride: 0, output_pixel_stride: Int64(lanes),
      top: 0, left: 0, first_channel: 0, skipped_top: 0, skipped_bottom: 0, skipped_left: 0, skipped_right: 0,
      block_lanes: 0)
  }
}

/// Which phases have values at the points of a row, and where their weights are.
struct PhasesOfRow {
  /// First phase; the others follow it.
  let first: Int
  /// Phases at each point but the last, and at the last.
  let count: Int
  let lastCount: Int
  /// Phases at all points before the row.
  let before: Int

  init(_ shape: sasuka_winograd, row: Int) {
    let columns = Int(shape.point_columns)
    if shape.stride == 1 {
      (first, count, lastCount, before) = (0, 1, 1, row &* columns)
    } else {
      let fewer = shape.fewer(inPhase: (1, 1))
      let isShort = row &+ 1 == Int(shape.point_rows) && fewer.row > 0
      (first, count) = isShort ? (1, 2) : (0, 4)
      lastCount = count &>> fewer.column
      before = row &* (4 &* columns &- 2 &* fewer.column)
    }
  }
}

/// Walks over tiles in order: columns, rows, images; a run of neighbours in a row at a time.
struct TileWalk {
  private let shape: UnsafePointer<sasuka_winograd>
  /// Tiles that are left.
  private var left: Int
  private(set) var image: Int
  /// First output pixel of the run.
  private(set) var row: Int
  private(set) var column: Int

  init(_ shape: UnsafePointer<sasuka_winograd>, first: Int, end: Int) {
    self.shape = shape
    left = end &- first
    let across = Int(shape.pointee.tiles_across)
    let perImage = across &* Int(shape.pointee.tiles_down)
    image = first / perImage
    row = first % perImage / across &* shape.pointee.tileHeight
    column = first % across &* shape.pointee.tileWidth
  }

  /// Tiles of the run: as many as the scratch has columns for. 0 at the end.
  var count: Int {
    let most = (Int(SASUKA_WINOGRAD_COLUMNS) &- Int(shape.pointee.point_columns)) / shape.pointee.tileWidth &+ 1
    return min(min(most, left), Int(shape.pointee.tiles_across) &- column / shape.pointee.tileWidth)
  }

  mutating func advance() {
    let tiles = count
    left &-= tiles
    column &+= tiles &* shape.pointee.tileWidth
    if column < Int(shape.pointee.tiles_across) &* shape.pointee.tileWidth { return }
    column = 0
    row &+= shape.pointee.tileHeight
    if row < Int(shape.pointee.tiles_down) &* shape.pointee.tileHeight { return }
    row = 0
    image &+= 1
  }
}

/// Where lines lie, in floats: from one vector of a line to the next, from one line to the next, and from one group of lines to
/// the next.
struct Lines {
  var step: Int
  var next: Int
  var group = 0
}

/// `groups` of `count` lines each that are transformed, and what becomes of them.
struct LineRun {
  var source: UnsafePointer<Float>
  var from: Lines
  var destination: UnsafeMutablePointer<Float>
  var to: Lines
  var count: Int
  var groups = 1
  /// How many vectors of a transformed line are stored, the first ones.
  var kept: Int

  mutating func nextGroup() {
    source += from.group
    destination += to.group
    groups &-= 1
  }
}

/// Whether what transforms lines of so many points goes on with their groups itself: the most usual ones, for a group is few lines.
@inline(__always)
func goesOnWithGroups(points: Int) -> Bool { points == 9 }

/// A unit's product at points of so many phases: what they have in common is found out once, for all units of as many channels.
private struct PointProduct {
  let phases: Int
  let channels: ConvolutionUnit
  private let shape: sasuka_convolution
  private var pass: ConvolutionPass
  private let cut: ConvolutionCut

  @inline(never)
  init(_ shape: sasuka_winograd, tiles: Int64, phases: Int, unit: Int, packed: UnsafePointer<Float>) {
    self.phases = phases
    self.shape = shape.product(tiles: Int(tiles), phases: phases)
    channels = ConvolutionUnit(self.shape, unit)
    pass = ConvolutionPass(self.shape, channels, packed: packed, bias: nil, epilogue: 0)
    cut = ConvolutionCut(channels, self.shape, pass, rows: 1)
  }

  /// - Parameter next: where the weights begin of the product that comes next.
  @inline(__always)
  mutating func compute(
    _ input: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, next: UnsafePointer<Float>,
    _ output: UnsafeMutablePointer<Float>
  ) {
    (pass.packed, pass.next, pass.nextLines) = (weights, next, 0)
    let cut = cut
    if cut.isPointwise {
      // Without the copies below: 16 -> 64 channels of 56 x 56 pixels take 0.98 of the time.
      var prefetch = cut.prefetch
      withUnsafeMutablePointer(to: &pass) { pointwiseRow(cut.heights, $0, &prefetch, input, output) }
      return
    }
    let (channels, shape) = (channels, shape)
    withUnsafeMutablePointer(to: &pass) { convolutionRows(channels, shape, $0, cut, input, output, 0) }
  }
}

/// How many floats beyond the next product's first weight calls for weights begin. Those of 32 channels are a page: what is
/// called for would lie at the same place of its page as what is read, and products of 8 tiles would take a fifth longer.
@inline(__always)
private var callsAhead: Int { 17 &* 16 }

/// The slot `winograd_product`.
func winogradProduct(
  _ shapePointer: UnsafePointer<sasuka_winograd>?, _ transformed: UnsafePointer<Float>?,
  _ packed: UnsafePointer<Float>?, _ products: UnsafeMutablePointer<Float>?, _ tiles: Int64, _ firstUnit: Int64,
  _ endUnit: Int64
) {
  guard let shape = shapePointer?.pointee, let transformed, let packed, let products else { return }
  let weightsOfPair = withUnsafePointer(to: shape) { Int(sasuka_winograd_weights($0)) }
  let unitFloats = weightsOfPair &* shape.product(tiles: 1).unitFloats
  let (inputs, outputs, width) = (Int(shape.input_channels), Int(shape.output_channels), tileColumns &* lanes)
  let (rows, columns) = (Int(shape.point_rows), Int(shape.point_columns))
  let units = Int(endUnit &- firstUnit)
  var product = PointProduct(shape, tiles: tiles, phases: 1, unit: Int(firstUnit), packed: packed)
  var (from, to) = (transformed, products)
  var (row, column) = (0, 0)
  while row < rows {
    let phases = PhasesOfRow(shape, row: row)
    let (before, input) = (phases.before, from + phases.first &* inputs / lanes &* shape.blockStride)
    let count = column &+ 1 == columns ? phases.lastCount : phases.count
    var (unit, unitWeights, result) = (Int(firstUnit), packed + Int(firstUnit) &* unitFloats, to)
    while unit < Int(endUnit) {
      // All units but the last are whole.
      if count != product.phases || min(width, outputs &- unit &* width) != product.channels.outputs {
        product = PointProduct(shape, tiles: tiles, phases: count, unit: unit, packed: packed)
      }
      let phaseFloats = inputs &* product.channels.columns &* lanes
      let weights = unitWeights + (before &+ column &* phases.count) &* phaseFloats
      let next = units > 1 ? unitFloats : count &* phaseFloats
      product.compute(input, weights, next: weights + next + callsAhead, result)
      result += tileColumns &* shape.blockStride
      unitWeights += unitFloats
      unit &+= 1
    }
    from += Int(shape.input_point_stride)
    to += Int(shape.output_point_stride)
    column &+= 1
    if column == columns { (row, column) = (row &+ 1, 0) }
  }
}
