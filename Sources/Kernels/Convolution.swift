// Forward convolution of a padded image: direct, by register tiles of output pixels × output channels.
import CSystem

extension sasuka_convolution {
  var columns: Int { columns(lanes: lanes) }
  var unitFloats: Int { unitFloats(lanes: lanes) }

  // Of blocks of any width, for what packs weights.

  func columns(lanes: Int) -> Int {
    withUnsafePointer(to: self) { Int(sasuka_convolution_columns($0, Int64(lanes), Int64(unitColumns(lanes: lanes)))) }
  }
  func unitFloats(lanes: Int) -> Int {
    withUnsafePointer(to: self) {
      Int(sasuka_convolution_unit_floats($0, Int64(lanes), Int64(unitColumns(lanes: lanes))))
    }
  }
  func gradientBlocks(lanes: Int) -> Int {
    withUnsafePointer(to: self) {
      Int(sasuka_convolution_gradient_blocks($0, Int64(lanes), Int64(unitColumns(lanes: lanes))))
    }
  }
}

/// The output channels of one unit of work, and the input channels that their groups read.
struct ConvolutionUnit {
  /// First output channel, and how many are real.
  let firstOutput: Int
  let outputs: Int
  /// Vectors of output channels.
  let columns: Int
  /// Whether the last of them has no more channels than half a vector, of which two take as long as a whole one.
  let endsInHalf: Bool
  /// Input channels [firstInput, endInput) of all groups that the outputs belong to.
  let firstInput: Int
  let endInput: Int

  /// - Parameters:
  ///   - lanes: channels of a block.
  ///   - joinsNext: whether the next unit's channels, of one vector, are taken along.
  init(_ shape: sasuka_convolution, _ unit: Int, lanes: Int = Vector.scalarCount, joinsNext: Bool = false) {
    let width = shape.columns(lanes: lanes) &* lanes
    let all = Int(shape.groups &* shape.output_channels)
    firstOutput = unit &* width
    outputs = min(joinsNext ? width &+ lanes : width, all &- firstOutput)
    columns = (outputs &+ lanes &- 1) / lanes
    endsInHalf = hasHalves && (outputs &- 1) % lanes < lanes / 2
    let perGroup = Int(shape.output_channels)
    let skipped = Int(shape.first_channel)
    firstInput = skipped &+ firstOutput / perGroup &* Int(shape.input_channels)
    endInput = skipped &+ ((firstOutput &+ outputs &- 1) / perGroup &+ 1) &* Int(shape.input_channels)
  }
}

/// Whether half vectors are worth tiles of their own.
@inline(__always) var hasHalves: Bool { HalfVector.scalarCount < lanes }

/// What all tiles of one unit share.
struct ConvolutionPass {
  let firstInput: Int
  let endInput: Int
  let kernelHeight: Int
  let kernelWidth: Int
  /// Strides in floats: of the input's channel blocks or planes, of the kernel's columns, from the end of a kernel's row to the
  /// next row, of the output's pixels as the input sees them.
  let inputBlock: Int
  let kernelColumn: Int
  let kernelRowEnd: Int
  var pixel: Int
  let outputBlock: Int
  var outputPixel: Int
  /// Where tiles go on in the next row: pixels of a row of the output, the column of the tile's first, and floats from the end
  /// of a row to the next one, of the input as of the output.
  let rowPixels: Int
  var column = 0
  let inputRowEnd: Int
  let outputRowEnd: Int
  var packed: UnsafePointer<Float>
  /// From one input channel's weights to the next's.
  let weightStep: Int
  /// Floats of an input channel's weights that are left out: before its first tap, from the end of a kernel's row to the next
  /// row, and from there behind the last one.
  let weightsBefore: Int
  let weightsRowEnd: Int
  let weightsBehind: Int
  let bias: InlineArray<3, Vector>
  let epilogue: Epilogue
  /// The weights that come next: where those begin that a tile calls for, and for how many lines with each of its runs.
  var next: UnsafePointer<Float>
  var nextLines = 0

  /// A call, for all kernels make one: 2.5 KB less.
  ///
  /// - Parameter pixelFloats: floats from one pixel of the input to the next: a block's lanes, or one in a plane.
  @inline(never)
  init(
    _ shape: sasuka_convolution, _ unit: ConvolutionUnit, pixelFloats: Int = lanes, packed: UnsafePointer<Float>,
    bias: UnsafePointer<Float>?, epilogue: Int32
  ) {
    firstInput = unit.firstInput
    // Without taps nothing is read.
    kernelHeight = Int(shape.kernel_height &- shape.skipped_top &- shape.skipped_bottom)
    kernelWidth = Int(shape.kernel_width &- shape.skipped_left &- shape.skipped_right)
    endInput = kernelHeight &* kernelWidth == 0 ? firstInput : unit.endInput
    inputBlock = Int(shape.input_height &* shape.input_width) &* pixelFloats
    kernelColumn = Int(shape.dilation_width) &* pixelFloats
    kernelRowEnd = Int(shape.dilation_height &* shape.input_width) &* pixelFloats &- kernelWidth &* kernelColumn
    pixel = Int(shape.stride_width) &* pixelFloats
    outputBlock = Int(shape.output_block_stride)
    outputPixel = Int(shape.output_pixel_stride)
    rowPixels = Int(shape.output_width)
    inputRowEnd = Int(shape.stride_height &* shape.input_width) &* pixelFloats &- rowPixels &* pixel
    outputRowEnd = Int(shape.output_row_stride) &- rowPixels &* outputPixel
    self.packed = packed
    next = packed
    weightStep = unit.columns &* lanes
    weightsBefore = Int(shape.skipped_top &* shape.kernel_width &+ shape.skipped_left) &* weightStep
    weightsRowEnd = Int(shape.skipped_left &+ shape.skipped_right) &* weightStep
    weightsBehind = Int(shape.skipped_bottom &* shape.kernel_width &- shape.skipped_left) &* weightStep
    self.epilogue = Epilogue(epilogue)
    var vectors = zeroed() as InlineArray<3, Vector>
    if let bias {
      for column in 0..<unit.columns {
        vectors[column] = loadLanes(bias + unit.firstOutput + column &* lanes, unit.outputs &- column &* lanes)
      }
    }
    self.bias = vectors
  }
}

/// Whether tiles go on in the next row where one ends. Where vectors are short, tiles of few pixels waste most: in rows of 7 none
/// would have 5 or 6 (3x3 by stride 2 to 7 x 7 pixels: 75 % of the peak of AVX2 instead of 87 %).
@inline(__always)
func spansRows(columns: Int) -> Bool { lanes == 8 && columns == 2 }

/// Where the pixels of such a tile lie.
private struct SpanningRows<let rows: Int>: RowPlaces {
  private var places = zeroed() as InlineArray<rows, Int>

  /// - Parameters:
  ///   - pixel: floats from one pixel to the next.
  ///   - rowEnd: floats from the end of a row to the next one.
  @inline(__always)
  init(_ pass: UnsafePointer<ConvolutionPass>, pixel: Int, rowEnd: Int) {
    var (place, column) = (0, pass.pointee.column)
    for row in 0..<rows {
      places[row] = place
      column &+= 1
      let ends = column == pass.pointee.rowPixels
      place &+= ends ? pixel &+ rowEnd : pixel
      column = ends ? 0 : column
    }
  }

  @inline(__always)
  subscript(row: Int) -> Int { places[row] }
}

/// `rows` pixels, neighbours in an output row if not spanning several, and `columns` vectors of the unit's channels from vector
/// `first` on: 0 stands for half a vector. `stride` is the convolution's, 0 if not known at compile time: a constant one lets
/// every broadcast be a load with a constant offset.
@inline(never)
func convolutionTile<let rows: Int, let columns: Int, let stride: Int>(
  _: Count<rows>, _: Count<columns>, _: Count<stride>, from first: Int, _ pass: UnsafePointer<ConvolutionPass>,
  _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>
) {
  var tile = zeroed() as ConvolutionTile<rows, columns>
  let output = output + first &* pass.pointee.outputBlock
  if spansRows(columns: columns) {
    let outputs = SpanningRows<rows>(pass, pixel: pass.pointee.outputPixel, rowEnd: pass.pointee.outputRowEnd)
    tile.start(first, pass, held: output, outputs)
    tile.addTaps(
      first, pass, input, SpanningRows<rows>(pass, pixel: pass.pointee.pixel, rowEnd: pass.pointee.inputRowEnd))
    tile.finish(pass, output, outputs)
  } else {
    tile.start(first, pass, held: output, EvenRows(stride: pass.pointee.outputPixel))
    tile.addTaps(first, pass, input, EvenRows(stride: stride == 0 ? pass.pointee.pixel : stride &* lanes))
    tile.finish(pass, output, EvenRows(stride: pass.pointee.outputPixel))
  }
}

/// The sums of a tile of `rows` pixels and `columns` vectors of output channels, 0 for half a vector.
struct ConvolutionTile<let rows: Int, let columns: Int>: BitwiseCopyable {
  var sums: RegisterTile<rows, columns>
  private var halfSums: InlineArray<rows, HalfVector>

  /// Starts from the bias, and from what `held` is the beginning of where the epilogue adds to it: here, where nothing waits for
  /// it, rather than at the end.
  @inline(__always)
  mutating func start(
    _ first: Int, _ pass: UnsafePointer<ConvolutionPass>, held: UnsafePointer<Float>, _ pixels: some RowPlaces
  ) {
    for row in 0..<rows {
      for column in 0..<columns { sums[row][column] = pass.pointee.bias[first &+ column] }
      if columns == 0 { halfSums[row] = lowHalf(pass.pointee.bias[first]) }
    }
    guard pass.pointee.epilogue.adds else { return }
    let block = pass.pointee.outputBlock
    for row in 0..<rows {
      for column in 0..<columns { sums[row][column] += loadVector(held + pixels[row] + column &* block) }
      if columns == 0 { halfSums[row] += loadHalf(held + pixels[row]) }
    }
  }

  /// The products of all taps with all channels of the input.
  @inline(__always)
  mutating func addTaps(
    _ first: Int, _ pass: UnsafePointer<ConvolutionPass>, _ input: UnsafePointer<Float>, _ pixelPlaces: some RowPlaces
  ) {
    let run = Run(
      rows: pixelPlaces, rowStep: 1, columnStride: lanes,
      columnStep: columns == 2 ? 2 &* lanes : pass.pointee.weightStep)
    var weights = pass.pointee.packed + first &* lanes
    var next = pass.pointee.next
    var channel = pass.pointee.firstInput
    let endInput = pass.pointee.endInput
    var block = input + channel / lanes &* pass.pointee.inputBlock
    while channel < endInput {
      // Lanes before the channel: none but in the first block.
      let before = channel & (lanes &- 1)
      let count = min(lanes &- before, endInput &- channel)
      var pixels = block + before
      weights += pass.pointee.weightsBefore &* count
      // Counted where the compiler cannot see it: it would repeat the loops' bodies, 7 KB in all.
      var kernelRows = pass.pointee.kernelHeight
      repeat {
        if lanes == 8 {
          let pixel = pass.pointee.pixel
          prefetchPixels(pixels + rows &* pixel, count: rows, pixel: pixel)
        }
        var kernelColumns = pass.pointee.kernelWidth
        repeat {
          if rows == 8 || rows == 14 {
            // All lines of a block at once would keep its own weights waiting: up to 20 % of Winograd's products.
            var (place, left) = (pixels, count)
            while left > 0 {
              callFor(&next, lines: pass.pointee.nextLines / 4)
              addProducts(place, &weights, run, count: min(4, left))
              place += 4
              left &-= 4
            }
          } else {
            if lanes > 4, rows > 2 { callFor(&next, lines: pass.pointee.nextLines) }
            if lanes == 8, columns == 2, rows > 3, count == lanes {
              accumulateBlock(&sums, pixels, &weights, run)
            } else {
              addProducts(pixels, &weights, run, count: count)
            }
          }
          pixels += pass.pointee.kernelColumn
          kernelColumns = sasuka_one_by_one(kernelColumns &- 1)
        } while kernelColumns > 0
        pixels += pass.pointee.kernelRowEnd
        weights += pass.pointee.weightsRowEnd &* count
        kernelRows = sasuka_one_by_one(kernelRows &- 1)
      } while kernelRows > 0
      weights += pass.pointee.weightsBehind &* count
      channel &+= count
      block += pass.pointee.inputBlock
    }
  }

  @inline(__always)
  mutating func addProducts(
    _ pixels: UnsafePointer<Float>, _ weights: inout UnsafePointer<Float>, _ run: Run<some RowPlaces>, count: Int
  ) {
    if columns == 0 {
      accumulate(&halfSums, pixels, &weights, run, count: count)
    } else {
      accumulate(&sums, pixels, &weights, run, count: count)
    }
  }

  /// The sums on their way to memory.
  @inline(__always)
  func finish(
    _ pass: UnsafePointer<ConvolutionPass>, _ output: UnsafeMutablePointer<Float>, _ pixels: some RowPlaces
  ) {
    // Copies, for what the stores write might be the pass as far as the compiler knows.
    let (epilogue, block) = (pass.pointee.epilogue, pass.pointee.outputBlock)
    for row in 0..<rows {
      for column in 0..<columns {
        storeVector(epilogue.clamp(sums[row][column]), output + pixels[row] + column &* block)
      }
      if columns == 0 { storeVector(epilogue.clamp(widened(halfSums[row])), output + pixels[row]) }
    }
  }
}

/// Calls the tile compiled for `rows` pixels.
@inline(__always)
func convolutionTile<let columns: Int, let stride: Int>(
  rows: Int, _ columnCount: Count<columns>, _ strideCount: Count<stride>, from first: Int = 0,
  _ pass: UnsafePointer<ConvolutionPass>, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>
) {
  // The conditions are constant: other tiles are not compiled.
  switch rows {
  case 1: convolutionTile(Count<1>(), columnCount, strideCount, from: first, pass, input, output)
  case 2 where hasTile(height: 2, columns: columns):
    convolutionTile(Count<2>(), columnCount, strideCount, from: first, pass, input, output)
  case 3 where hasTile(height: 3, columns: columns):
    convolutionTile(Count<3>(), columnCount, strideCount, from: first, pass, input, output)
  case 4: convolutionTile(Count<4>(), columnCount, strideCount, from: first, pass, input, output)
  case 5 where hasTile(height: 5, columns: columns):
    convolutionTile(Count<5>(), columnCount, strideCount, from: first, pass, input, output)
  case 6 where hasTile(height: 6, columns: columns):
    convolutionTile(Count<6>(), columnCount, strideCount, from: first, pass, input, output)
  case 7 where hasTile(height: 7, columns: columns):
    convolutionTile(Count<7>(), columnCount, strideCount, from: first, pass, input, output)
  case 8 where hasTile(height: 8, columns: columns) && stride == 0:
    convolutionTile(Count<8>(), columnCount, strideCount, from: first, pass, input, output)
  case 12 where hasTile(height: 12, columns: columns):
    convolutionTile(Count<12>(), columnCount, strideCount, from: first, pass, input, output)
  case 14 where hasTile(height: 14, columns: columns):
    convolutionTile(Count<14>(), columnCount, strideCount, from: first, pass, input, output)
  default: break
  }
}

/// Shares the weights that come next among the pixels of a unit: they are called for while it is computed, a few lines at a
/// time. Its first tile would wait for each of them: up to 15 % of a layer of 7 x 7 pixels.
struct WeightPrefetch {
  /// Fewer pixels read weights faster than memory gives them: calls would only take the loads' places in the queue for misses.
  private static let fewestPixels = 8
  /// 65536ths of a line for each pixel and run.
  private let linesPerPixel: Int
  private let tileRuns: Int
  private var lines = 0

  fileprivate init(_ pass: ConvolutionPass, pixels: Int) {
    let runLines = lanes &* pass.weightStep / 16
    linesPerPixel = pixels < WeightPrefetch.fewestPixels ? 0 : (runLines &<< 16) / pixels &+ 1
    let blocks = (pass.endInput &- pass.firstInput &+ lanes &- 1) / lanes
    tileRuns = blocks &* pass.kernelHeight &* pass.kernelWidth
  }

  /// Gives a tile of `count` pixels its share, behind those of the tiles before it.
  @inline(__always)
  mutating func share(_ count: Int, _ pass: UnsafeMutablePointer<ConvolutionPass>) {
    pass.pointee.next += pass.pointee.nextLines &* tileRuns &* 16
    let first = lines &>> 16
    lines &+= count &* linesPerPixel
    pass.pointee.nextLines = lines &>> 16 &- first
  }
}

/// Calls for a channel block of a tile's pixels, of which two are a cache line: there are too many blocks far apart, and too few
/// lines in each, for the hardware to see what comes next (1x1 of 56 x 56 pixels, 256 channels: 60 % of the peak of AVX2 without
/// those of the next tile).
@inline(__always)
func prefetchPixels(_ pixels: UnsafePointer<Float>, count: Int, pixel: Int) {
  for pair in 0..<(count &+ 1) / 2 { sasuka_prefetch_near(pixels + 2 &* pair &* pixel) }
}

/// Calls for some lines from `place` on; nothing faults where there is no memory.
@inline(__always)
func callFor(_ place: inout UnsafePointer<Float>, lines: Int) {
  sasuka_prefetch_lines(place, Int64(lines))
  place += lines &* 16
}

extension sasuka_convolution {
  /// Whether the next row of output pixels goes on where one ends, in the input as in the output: rows are then as good as one.
  var rowsAdjoin: Bool {
    stride_width == 1 && stride_height == 1 && input_width == output_width
      && output_row_stride == output_width &* output_pixel_stride
  }
}

/// How some output rows of one unit are cut into tiles. Winograd's products are cut alike at all points: to find out takes as
/// long as a tenth of a first layer's.
struct ConvolutionCut {
  fileprivate let pixels: Int
  /// Pixels of a row, or of all where they adjoin or tiles go on from one to the next.
  fileprivate let width: Int
  let heights: TileHeights
  let prefetch: WeightPrefetch
  let isPointwise: Bool

  init(_ unit: ConvolutionUnit, _ shape: sasuka_convolution, _ pass: ConvolutionPass, rows: Int) {
    pixels = rows &* Int(shape.output_width)
    let columns = unit.endsInHalf ? 0 : unit.columns
    let rowWidth = shape.rowsAdjoin ? pixels : Int(shape.output_width)
    let rowHeights = TileHeights(width: rowWidth, columns: columns)
    isPointwise = pass.isPointwise(unit, rowHeights)
    width = !isPointwise && spansRows(columns: unit.columns) ? pixels : rowWidth
    heights = width == rowWidth ? rowHeights : TileHeights(width: width, columns: columns)
    prefetch = WeightPrefetch(pass, pixels: pixels)
  }
}

/// Output rows of one unit, from `firstRow` on.
@inline(never)
func convolutionRows(
  _ unit: ConvolutionUnit, _ shape: sasuka_convolution, _ pass: UnsafeMutablePointer<ConvolutionPass>,
  _ cut: ConvolutionCut, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, _ firstRow: Int
) {
  let (pixels, width, heights) = (cut.pixels, cut.width, cut.heights)
  let inputRow = Int(shape.stride_height &* shape.input_width) &* lanes
  var prefetch = cut.prefetch
  let tilePass = UnsafePointer(pass)
  var pixel = 0
  var row = firstRow
  while pixel < pixels {
    var from = input + row &* inputRow
    var to = output + row &* Int(shape.output_row_stride)
    var left = width
    if cut.isPointwise {
      pointwiseRow(heights, pass, &prefetch, from, to)
      (pixel, left) = (pixel &+ width, 0)
    }
    while left > 0 {
      let rows = heights.next(left: left)
      prefetch.share(rows, pass)
      // Few units have one column, the last of an odd number of blocks, or end in half of one.
      switch (unit.columns, shape.stride_width) {
      case (_, _) where hasHalves && unit.endsInHalf:
        // A tile of one and a half columns would have more operands than registers.
        if unit.columns == 2 { convolutionTile(rows: rows, Count<1>(), Count<0>(), tilePass, from, to) }
        convolutionTile(rows: rows, Count<0>(), Count<0>(), from: unit.columns &- 1, tilePass, from, to)
      // The tile of 8 rows is rarely anything but all of a product: one of them will do.
      case (2, 1) where lanes == 16 && rows != 8:
        convolutionTile(rows: rows, Count<2>(), Count<1>(), tilePass, from, to)
      case (2, _) where tileColumns == 2: convolutionTile(rows: rows, Count<2>(), Count<0>(), tilePass, from, to)
      default: convolutionTile(rows: rows, Count<1>(), Count<0>(), tilePass, from, to)
      }
      from += rows &* pass.pointee.pixel
      to += rows &* pass.pointee.outputPixel
      left &-= rows
      pixel &+= rows
      if spansRows(columns: unit.columns) {
        pass.pointee.column &+= rows
        while pass.pointee.column >= pass.pointee.rowPixels {
          pass.pointee.column &-= pass.pointee.rowPixels
          from += pass.pointee.inputRowEnd
          to += pass.pointee.outputRowEnd
        }
      }
    }
    row &+= 1
  }
}

/// The slot `convolution_forward`. Never a part of what falls back on it.
@inline(never)
func convolutionForward(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?, _ packed: UnsafePointer<Float>?,
  _ bias: UnsafePointer<Float>?, _ output: UnsafeMutablePointer<Float>?, _ unit: Int64, _ firstRow: Int64,
  _ endRow: Int64, _ epilogue: Int32
) {
  guard let shape = shapePointer?.pointee, let input, let packed, let output else { return }
  let floats = shape.unitFloats
  let work = ConvolutionUnit(shape, Int(unit))
  let own = packed + Int(unit) &* floats
  var pass = ConvolutionPass(shape, work, packed: own, bias: bias, epilogue: epilogue)
  pass.next = own + floats
  let cut = ConvolutionCut(work, shape, pass, rows: Int(endRow &- firstRow))
  let (skippedRows, skippedColumns) = (
    shape.skipped_top &* shape.dilation_height, shape.skipped_left &* shape.dilation_width
  )
  let from = input + Int(skippedRows &* shape.input_width &+ skippedColumns) &* lanes
  let to = output + work.firstOutput / lanes &* Int(shape.output_block_stride)
  withUnsafeMutablePointer(to: &pass) { convolutionRows(work, shape, $0, cut, from, to, Int(firstRow)) }
}
