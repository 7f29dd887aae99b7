// Depthwise convolution: every channel has one kernel of its own, so a vector of channels is a vector of convolutions.
import CSystem

/// The taps of a kernel along one axis that fall inside the input of one output pixel.
struct InsideTaps {
  let first: Int
  let count: Int

  /// - Parameter start: where the first tap falls; it and others may lie outside.
  @inline(__always)
  init(start: Int, dilation: Int, taps: Int, size: Int) {
    let allAre = start >= 0 && start &+ (taps &- 1) &* dilation < size
    self = allAre ? InsideTaps(first: 0, count: taps) : .atBorder(start: start, dilation, taps, size)
  }

  private init(first: Int, count: Int) {
    self.first = first
    self.count = count
  }

  /// Apart, for its divisions take as long as a row of taps, and much code.
  @inline(never)
  private static func atBorder(start: Int, _ dilation: Int, _ taps: Int, _ size: Int) -> InsideTaps {
    let before = start < 0 ? min((dilation &- 1 &- start) / dilation, taps) : 0
    let end = start < size ? min((size &- start &+ dilation &- 1) / dilation, taps) : 0
    return InsideTaps(first: before, count: max(end &- before, 0))
  }
}

/// What the tiles of one channel block of the output share, where each vector of the input meets weights of its own: depthwise, in
/// groups that divide a vector, and of few output channels. Strides are in floats.
struct BlockPass {
  let weights: UnsafePointer<Float>
  let bias: Vector
  let epilogue: Epilogue
  let kernelHeight: Int
  let kernelWidth: Int
  let inputRow: Int
  let inputColumn: Int
  let inputPixel: Int
  let outputPixel: Int

  /// - Parameter blockLanes: channels in a block of the input.
  @inline(__always)
  init(
    _ shape: sasuka_convolution, _ block: Int, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
    epilogue: Int32, blockLanes: Int = Vector.scalarCount
  ) {
    let channel = block &* lanes
    weights = packed + channel &* Int(shape.input_channels &* shape.kernel_height &* shape.kernel_width)
    self.bias =
      bias.map { loadLanes($0 + channel, Int(shape.groups &* shape.output_channels) &- channel) } ?? Vector()
    self.epilogue = Epilogue(epilogue)
    kernelHeight = Int(shape.kernel_height)
    kernelWidth = Int(shape.kernel_width)
    inputRow = Int(shape.dilation_height &* shape.input_width) &* blockLanes
    inputColumn = Int(shape.dilation_width) &* blockLanes
    inputPixel = Int(shape.stride_width) &* blockLanes
    outputPixel = Int(shape.output_pixel_stride)
  }
}

/// The sums of neighbouring pixels, or of the first of them, on their way to memory.
@inline(__always)
func finish<let pixels: Int>(
  _ sums: InlineArray<pixels, Vector>, _ block: BlockPass, _ output: UnsafeMutablePointer<Float>, count: Int = pixels
) {
  for pixel in 0..<pixels where pixel < count {
    let place = output + pixel &* block.outputPixel
    storeVector(block.epilogue.apply(sums[pixel], held: place), place)
  }
}

/// Where a tile's taps fall along the row of the input, in floats.
private struct TileColumns {
  /// From the row's beginning to the first pixel's first tap, and to its end.
  let start: Int
  let width: Int
  /// Pixels of the tile that are wanted.
  let count: Int
}

/// Seven neighbouring pixels of an output row, by kernels of any size; `input` is where their tap (0, 0) falls. Where `checked` is
/// 1, taps may fall outside the row, which are left out, and fewer pixels be wanted: that takes twice as long, a third of what
/// pixels one by one would take, whose sums wait for themselves.
@inline(never)
private func depthwiseTile<let checked: Int>(
  _: Count<checked>, _ block: UnsafePointer<BlockPass>, _ input: UnsafePointer<Float>, _ rows: InsideTaps,
  _ columns: TileColumns, _ output: UnsafeMutablePointer<Float>
) {
  let block = block.pointee
  var sums = InlineArray<7, Vector>(repeating: block.bias)
  var row = rows.first
  while row < rows.first &+ rows.count {
    var from = input + row &* block.inputRow
    var weight = block.weights + row &* block.kernelWidth &* lanes
    var (column, left) = (columns.start, block.kernelWidth)
    repeat {
      let factor = loadVector(weight)
      for pixel in 0..<runPixels {
        // Jumped over rather than given zeros: the jumps are the same in every row, so that they are foreseen.
        if checked == 1, UInt(bitPattern: column &+ pixel &* block.inputPixel) >= UInt(columns.width) { continue }
        sums[pixel] = multiplyAdd(loadVector(from + pixel &* block.inputPixel), factor, sums[pixel])
      }
      weight += lanes
      from += block.inputColumn
      column &+= block.inputColumn
      left &-= 1
    } while left > 0
    row &+= 1
  }
  finish(sums, block, output, count: checked == 0 ? runPixels : columns.count)
}

/// Pixels of a run: the maps of most networks are multiples of seven wide, and seven sums keep the FMA units busy.
@inline(__always) var runPixels: Int { 7 }

/// How many vectors of an input row the taps of a run meet, and how many of the first and of the last of them may lie outside.
@inline(__always)
private func reach(taps: Int, stride: Int, dilation: Int) -> (places: Int, outside: Int) {
  ((runPixels &- 1) &* stride &+ (taps &- 1) &* dilation &+ 1, taps / 2 &* dilation)
}

/// Adds to a run's sums what a vector of an input row gives by those taps that meet it, `place` vectors from the run's first
/// tap on. Vector by vector: the compiler would go sum by sum, hold more vectors than there are registers, and keep sums on the
/// stack, for which a run of five taps took a fifth longer.
@inline(__always)
func addTaps<let taps: Int, let stride: Int, let dilation: Int>(
  _: Count<stride>, _: Count<dilation>, _ factors: InlineArray<taps, Vector>, _ value: Vector, at place: Int,
  to sums: inout InlineArray<7, Vector>
) {
  for tap in 0..<taps {
    let (pixel, rest) = (place &- tap &* dilation).quotientAndRemainder(dividingBy: stride)
    if rest == 0, pixel >= 0, pixel < runPixels { sums[pixel] = pinnedMultiplyAdd(value, factors[tap], sums[pixel]) }
  }
}

/// Seven neighbouring pixels by `rows` rows of taps, the first of which `input` and `weights` point to. Each vector of the input is
/// loaded once for all the taps of a row that meet it: reading it anew for each would take longer than the products. At the
/// borders of the map the first `left` and those from `end` on of these vectors lie outside, no more of either than `reach` tells;
/// but where `narrow` is 1 for the map's whole row, of `count` pixels, after which any number may.
@inline(__always)
private func depthwiseRun<let taps: Int, let stride: Int, let dilation: Int, let narrow: Int>(
  _: Count<taps>, _ strideCount: Count<stride>, _ dilationCount: Count<dilation>, _: Count<narrow>, _ block: BlockPass,
  _ input: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, rows: Int, left: Int, end: Int, count: Int,
  _ output: UnsafeMutablePointer<Float>
) {
  let (places, most) = reach(taps: taps, stride: stride, dilation: dilation)
  var sums = InlineArray<7, Vector>(repeating: block.bias)
  var (from, weight, rest) = (input, weights, rows)
  while rest > 0 {
    var factors = zeroed() as InlineArray<taps, Vector>
    for tap in 0..<taps { factors[tap] = loadVector(weight + tap &* lanes) }
    for place in 0..<places {
      // Asked at run time near the ends only.
      if place < most, place < left { continue }
      if narrow == 1 ? place > 0 : place >= places &- most, place >= end { continue }
      addTaps(strideCount, dilationCount, factors, loadVector(from + place &* lanes), at: place, to: &sums)
    }
    from += block.inputRow
    weight += taps &* lanes
    rest &-= 1
  }
  finish(sums, block, output, count: narrow == 1 ? count : runPixels)
}

/// The rows of one channel block.
private struct DepthwiseRows {
  /// Where tap (0, 0) of the first pixel of row 0 falls, and floats from there to that of the next row.
  let input: UnsafePointer<Float>
  let inputStep: Int
  /// Row 0.
  let output: UnsafeMutablePointer<Float>
  let first: Int
  let end: Int
}

/// As many pixels of each row from its first on as come in runs, or all of rows that are `narrow`; returns how many. All rows by one
/// call: it takes as long as half a run, whose sums wait for each other.
@inline(never)
private func depthwiseRuns<let taps: Int, let stride: Int, let dilation: Int, let narrow: Int>(
  _ tapCount: Count<taps>, _ strideCount: Count<stride>, _ dilationCount: Count<dilation>, _ isNarrow: Count<narrow>,
  _ shape: UnsafePointer<sasuka_convolution>, _ blockPointer: UnsafePointer<BlockPass>, _ rows: DepthwiseRows
) -> Int {
  // Copies, for what the stores write might be these as far as the compiler knows.
  let block = blockPointer.pointee
  let (width, inputHeight) = (Int(shape.pointee.output_width), Int(shape.pointee.input_height))
  let (kernelHeight, rowStep) = (Int(shape.pointee.kernel_height), Int(shape.pointee.stride_height))
  // What lies outside at a row's beginning, and from its end on where its first pixel is the run's.
  let outsideLeft = Int(shape.pointee.left)
  let (places, most) = reach(taps: taps, stride: stride, dilation: dilation)
  let outsideRight = places &- Int(shape.pointee.input_width) &- outsideLeft
  var (row, pixel) = (rows.first, 0)
  var top = row &* rowStep &- Int(shape.pointee.top)
  var (rowInput, rowOutput) = (
    rows.input + row &* rows.inputStep, rows.output + row &* Int(shape.pointee.output_row_stride)
  )
  let (outputStep, rowDilation) = (Int(shape.pointee.output_row_stride), Int(shape.pointee.dilation_height))
  while row < rows.end {
    let inside = InsideTaps(start: top, dilation: rowDilation, taps: kernelHeight, size: inputHeight)
    let input = rowInput + inside.first &* block.inputRow
    let weights = block.weights + inside.first &* taps &* lanes
    pixel = 0
    while pixel < width {
      // The last run computes pixels of the one before again rather than a few slowly, unless it would add to them twice.
      let rest = width &- pixel
      if narrow == 0, rest < runPixels, pixel == 0 || block.epilogue.adds { break }
      let first = narrow == 1 ? 0 : min(pixel, width &- runPixels)
      let start = first &* stride
      let (left, right) = (max(0, outsideLeft &- start), max(0, start &+ outsideRight))
      if left > most || narrow == 0 && right > most { break }
      depthwiseRun(
        tapCount, strideCount, dilationCount, isNarrow, block, input + start &* lanes, weights, rows: inside.count,
        left: left, end: places &- right, count: width, rowOutput + first &* block.outputPixel)
      pixel = first &+ runPixels
    }
    row &+= 1
    top &+= rowStep
    rowInput += rows.inputStep
    rowOutput += outputStep
  }
  return pixel
}

/// The pixels of each row that come in runs, where there are runs of the kernel; returns how many.
@inline(__always)
private func depthwiseRuns(
  _ shape: UnsafePointer<sasuka_convolution>, _ block: UnsafePointer<BlockPass>, _ rows: DepthwiseRows
) -> Int {
  if lanes == 4 || !sasuka_has_depthwise_runs(shape) { return 0 }
  let (one, two, three, five) = (Count<1>(), Count<2>(), Count<3>(), Count<5>())
  let isNarrow = Int(shape.pointee.output_width) < runPixels
  switch (shape.pointee.kernel_width, shape.pointee.stride_width, shape.pointee.dilation_width) {
  case (3, 1, 1) where isNarrow: return depthwiseRuns(three, one, one, one, shape, block, rows)
  case (5, 1, 1) where isNarrow: return depthwiseRuns(five, one, one, one, shape, block, rows)
  case (3, 1, 1): return depthwiseRuns(three, one, one, Count<0>(), shape, block, rows)
  case (3, 2, 1): return depthwiseRuns(three, two, one, Count<0>(), shape, block, rows)
  case (3, 1, 2): return depthwiseRuns(three, one, two, Count<0>(), shape, block, rows)
  case (5, 1, 1): return depthwiseRuns(five, one, one, Count<0>(), shape, block, rows)
  case (5, 2, 1): return depthwiseRuns(five, two, one, Count<0>(), shape, block, rows)
  case (5, 1, 2): return depthwiseRuns(five, one, two, Count<0>(), shape, block, rows)
  default: return 0
  }
}

/// The pixels of one output row from `first` on; `input` is where tap (0, 0) of the row's first pixel falls.
@inline(__always)
private func depthwiseRow(
  _ shape: UnsafePointer<sasuka_convolution>, _ block: UnsafePointer<BlockPass>, _ input: UnsafePointer<Float>,
  _ rows: InsideTaps, from first: Int, _ output: UnsafeMutablePointer<Float>
) {
  let (width, left) = (Int(shape.pointee.output_width), Int(shape.pointee.left) &* lanes)
  let (inputPixel, outputPixel) = (block.pointee.inputPixel, block.pointee.outputPixel)
  let reach = (runPixels &- 1) &* inputPixel &+ (block.pointee.kernelWidth &- 1) &* block.pointee.inputColumn
  var pixel = first
  while pixel < width {
    // As in runs, the last tile computes pixels again unless it would add to them twice.
    if width &- pixel < runPixels, !block.pointee.epilogue.adds { pixel = max(width &- runPixels, 0) }
    let columns = TileColumns(
      start: pixel &* inputPixel &- left, width: Int(shape.pointee.input_width) &* lanes, count: width &- pixel)
    let (from, to) = (input + pixel &* inputPixel, output + pixel &* outputPixel)
    if columns.count >= runPixels, columns.start >= 0, columns.start &+ reach < columns.width {
      depthwiseTile(Count<0>(), block, from, rows, columns, to)
    } else {
      depthwiseTile(Count<1>(), block, from, rows, columns, to)
    }
    pixel &+= runPixels
  }
}

/// The slot `convolution_depthwise_forward`.
func depthwiseForward(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?, _ packed: UnsafePointer<Float>?,
  _ bias: UnsafePointer<Float>?, _ output: UnsafeMutablePointer<Float>?, _ block: Int64, _ firstRow: Int64,
  _ endRow: Int64, _ epilogueFlags: Int32
) {
  guard let shapePointer, let input, let packed, let output else { return }
  let shape = shapePointer.pointee
  let inputRow = Int(shape.input_width) &* lanes
  let work = BlockPass(shape, Int(block), packed: packed, bias: bias, epilogue: epilogueFlags)
  let rows = DepthwiseRows(
    input: input + (Int(block &* shape.input_height &- shape.top) &* inputRow &- Int(shape.left) &* lanes),
    inputStep: Int(shape.stride_height) &* inputRow, output: output + Int(block &* shape.output_block_stride),
    first: Int(firstRow), end: Int(endRow))
  withUnsafePointer(to: work) { work in
    let done = depthwiseRuns(shapePointer, work, rows)
    if done == Int(shape.output_width) { return }
    var row = rows.first
    while row < rows.end {
      let inside = InsideTaps(
        start: row &* Int(shape.stride_height) &- Int(shape.top), dilation: Int(shape.dilation_height),
        taps: Int(shape.kernel_height), size: Int(shape.input_height))
      depthwiseRow(
        shapePointer, work, rows.input + row &* rows.inputStep, inside, from: done,
        rows.output + row &* Int(shape.output_row_stride))
      row &+= 1
    }
  }
}

/// The slot `convolution_depthwise_weight_gradient`.
func depthwiseWeightGradient(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?,
  _ outputGradient: UnsafePointer<Float>?, _ sums: UnsafeMutablePointer<Float>?, _ block: Int64, _ firstRow: Int64,
  _ endRow: Int64
) {
  guard let shape = shapePointer?.pointee, let input, let outputGradient, let sums else { return }
  let taps = Int(shape.kernel_height &* shape.kernel_width)
  let width = Int(shape.output_width)
  let pixelStride = Int(shape.stride_width) &* lanes
  let blockInput = input + Int(block &* shape.input_height &* shape.input_width) &* lanes
  let blockGradient = outputGradient + Int(block &* shape.output_height) &* width &* lanes
  let blockSums = sums + Int(block) &* taps &* lanes
  var row = Int(firstRow)
  while row < Int(endRow) {
    let gradient = blockGradient + row &* width &* lanes
    var tap = 0
    while tap < taps {
      let inputRow =
        row &* Int(shape.stride_height) &+ tap / Int(shape.kernel_width) &* Int(shape.dilation_height)
      let inputColumn = tap % Int(shape.kernel_width) &* Int(shape.dilation_width)
      let from = blockInput + (inputRow &* Int(shape.input_width) &+ inputColumn) &* lanes
      // Four sums at a time: one alone would wait for itself.
      var partial = zeroed() as InlineArray<4, Vector>
      var pixel = 0
      while pixel &+ 4 <= width {
        for part in 0..<4 {
          partial[part] = multiplyAdd(
            loadVector(from + (pixel &+ part) &* pixelStride), loadVector(gradient + (pixel &+ part) &* lanes),
            partial[part])
        }
        pixel &+= 4
      }
      while pixel < width {
        partial[0] = multiplyAdd(
          loadVector(from + pixel &* pixelStride), loadVector(gradient + pixel &* lanes), partial[0])
        pixel &+= 1
      }
      let place = blockSums + tap &* lanes
      storeVector(loadVector(place) + ((partial[0] + partial[1]) + (partial[2] + partial[3])), place)
      tap &+= 1
    }
    row &+= 1
  }
}

/// The slot `convolution_depthwise_gradient_unpack`.
func depthwiseGradientUnpack(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ strides: UnsafePointer<sasuka_weight_strides>?,
  _ sums: UnsafePointer<Float>?, _ sumsStride: Int64, _ count: Int64, _ gradient: UnsafeMutablePointer<Float>?,
  _ firstBlock: Int64, _ endBlock: Int64, _ epilogue: Int32, _ lanes: Int64
) {
  guard let shape = shapePointer?.pointee, let strides = strides?.pointee, let sums, let gradient else { return }
  let lanes = Int(lanes)
  let taps = Int(shape.kernel_height &* shape.kernel_width)
  let adds = Epilogue(epilogue).adds
  var channel = Int(firstBlock) &* lanes
  while channel < min(Int(endBlock) &* lanes, Int(shape.groups)) {
    let from = sums + channel / lanes &* taps &* lanes + channel % lanes
    var tap = 0
    while tap < taps {
      let place = channel &* Int(strides.group) &+ strides.offset(ofTap: tap, width: Int(shape.kernel_width))
      let total = sumOfBuffers(from + tap &* lanes, Int(sumsStride), Int(count))
      gradient[place] = adds ? gradient[place] + total : total
      tap &+= 1
    }
    channel &+= 1
  }
}
