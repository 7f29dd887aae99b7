// What surrounds a convolution: padding of images, packing of weights, unpacking of their gradients.
import CSystem

/// The slot `pad`.
func padBlocks(
  _ padding: UnsafePointer<sasuka_padding>?, _ source: UnsafePointer<Float>?,
  _ destination: UnsafeMutablePointer<Float>?, _ firstBlock: Int64, _ endBlock: Int64
) {
  guard let shape = padding?.pointee, let source, let destination else { return }
  let sourceBlock = Int(shape.height &* shape.width) &* lanes
  let destinationRow = Int(shape.padded_width) &* lanes
  var block = Int(firstBlock)
  while block < Int(endBlock) {
    let from = source + block &* sourceBlock
    var to = destination + block &* Int(shape.padded_height) &* destinationRow
    var row = 0
    while row < Int(shape.padded_height) {
      let offset = row &- Int(shape.top)
      let sourceRow = offset / Int(shape.step_height)
      if offset >= 0, sourceRow < Int(shape.height), sourceRow &* Int(shape.step_height) == offset {
        padRow(shape, from + sourceRow &* Int(shape.width) &* lanes, to)
      } else {
        clearVectors(to, Int(shape.padded_width))
      }
      to += destinationRow
      row &+= 1
    }
    block &+= 1
  }
}

/// One row of the map, `source`, into one row of the padded map.
@inline(__always)
private func padRow(
  _ shape: sasuka_padding, _ source: UnsafePointer<Float>, _ destination: UnsafeMutablePointer<Float>
) {
  let width = Int(shape.width)
  let paddedWidth = Int(shape.padded_width)
  let left = Int(shape.left)
  let step = Int(shape.step_width)
  if step == 1 {
    let begin = min(max(left, 0), paddedWidth)
    let end = max(min(left &+ width, paddedWidth), begin)
    clearVectors(destination, begin)
    var pixel = begin
    while pixel < end {
      storeVector(loadVector(source + (pixel &- left) &* lanes), destination + pixel &* lanes)
      pixel = sasuka_one_by_one(pixel &+ 1)
    }
    clearVectors(destination + end &* lanes, paddedWidth &- end)
    return
  }
  clearVectors(destination, paddedWidth)
  var pixel = 0
  while pixel < width {
    let place = left &+ pixel &* step
    if place >= 0, place < paddedWidth {
      storeVector(loadVector(source + pixel &* lanes), destination + place &* lanes)
    }
    pixel = sasuka_one_by_one(pixel &+ 1)
  }
}

/// Sets `count` vectors to zero.
@inline(__always)
private func clearVectors(_ pointer: UnsafeMutablePointer<Float>, _ count: Int) {
  var index = 0
  while index < count {
    storeVector(Vector(), pointer + index &* lanes)
    index = sasuka_one_by_one(index &+ 1)
  }
}

extension sasuka_weight_strides {
  /// Where a tap lies, counted row by row of a kernel of `width` columns.
  @inline(__always)
  func offset(ofTap tap: Int, width: Int) -> Int { tap / width &* Int(row) &+ tap % width &* Int(column) }
}

/// The slot `convolution_pack`.
func convolutionPack(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ strides: UnsafePointer<sasuka_weight_strides>?,
  _ source: UnsafePointer<Float>?, _ scales: UnsafePointer<Float>?, _ packed: UnsafeMutablePointer<Float>?,
  _ firstUnit: Int64, _ endUnit: Int64, _ lanes: Int64
) {
  guard let shape = shapePointer?.pointee, let strides = strides?.pointee, let source, let packed else { return }
  let lanes = Int(lanes)
  let taps = TapCopy(Int(shape.kernel_height), Int(shape.kernel_width), strides)
  var index = Int(firstUnit)
  while index < Int(endUnit) {
    let unit = ConvolutionUnit(shape, index, lanes: lanes)
    let unitFloats = shape.unitFloats(lanes: lanes)
    var place = packed + index &* unitFloats
    // Zeros for outputs that are not real, and for inputs of other groups.
    if shape.groups > 1 || unit.outputs % lanes > 0 { clear(place, unitFloats) }
    let width = unit.columns &* lanes
    var channel = unit.firstInput
    while channel < unit.endInput {
      let blockEnd = min((channel / lanes &+ 1) &* lanes, unit.endInput)
      var output = 0
      while output < width {
        packChannel(shape, taps, source, scales, place, unit, width, output, channel, blockEnd)
        output &+= 1
      }
      place += (blockEnd &- channel) &* taps.count &* width
      channel = blockEnd
    }
    index &+= 1
  }
}

/// The weights of one output channel, counted from the unit's first, for those input channels [first, end) of all groups that
/// belong to its own; nothing for an output that is not real. A unit has `width` of them.
@inline(__always)
private func packChannel(
  _ shape: sasuka_convolution, _ taps: TapCopy, _ source: UnsafePointer<Float>,
  _ scales: UnsafePointer<Float>?, _ block: UnsafeMutablePointer<Float>, _ unit: ConvolutionUnit, _ width: Int,
  _ output: Int, _ first: Int, _ end: Int
) {
  let (channel, strides) = (unit.firstOutput &+ output, taps.strides)
  let group = shape.groups == 1 ? 0 : channel / Int(shape.output_channels)
  let groupStart = Int(shape.first_channel) &+ group &* Int(shape.input_channels)
  let isReal = output < unit.outputs
  let (from, to) = (max(first, groupStart), min(end, groupStart &+ Int(shape.input_channels)))
  // From one input channel to the next, and from one tap to the next.
  let tapStep = (end &- first) &* width
  // None of these channels may be of the output's group.
  if !isReal || from >= to { return }
  let channelOfGroup = channel &- group &* Int(shape.output_channels)
  var weights = source
  weights += group &* Int(strides.group) &+ channelOfGroup &* Int(strides.output)
  weights += (from &- groupStart) &* Int(strides.input)
  taps.copy(
    weights, times: scales?[channel] ?? 1, to: block + ((from &- first) &* width &+ output), inputs: to &- from,
    inputStep: width, tapStep: tapStep)
}

/// Copies the weights of one output channel to where kernels read them.
struct TapCopy {
  private let rows: Int
  private let columns: Int
  let strides: sasuka_weight_strides

  @inline(__always)
  init(_ height: Int, _ width: Int, _ strides: sasuka_weight_strides) {
    // Rows that follow one another are as good as one.
    let isOne = Int(strides.row) == width &* Int(strides.column)
    (rows, columns) = isOne ? (1, height &* width) : (height, width)
    self.strides = strides
  }

  var count: Int { rows &* columns }

  /// Those of `inputs` channels, times a number; they then lie `inputStep` floats apart, and taps `tapStep`.
  @inline(never)
  func copy(
    _ weights: UnsafePointer<Float>, times scale: Float, to: UnsafeMutablePointer<Float>, inputs: Int, inputStep: Int,
    tapStep: Int
  ) {
    if count == 1 {
      // Blocks of all outputs come one after another: many streams, which the processor does not foresee.
      sasuka_prefetch_near(weights + 64)
      return copyLine(weights, Int(strides.input), scale, to, inputStep, inputs)
    }
    for input in 0..<inputs {
      for row in 0..<rows {
        copyLine(
          weights + input &* Int(strides.input) + row &* Int(strides.row), Int(strides.column), scale,
          to + input &* inputStep + row &* columns &* tapStep, tapStep, columns)
      }
    }
  }

  @inline(__always)
  private func copyLine(
    _ source: UnsafePointer<Float>, _ sourceStep: Int, _ scale: Float, _ to: UnsafeMutablePointer<Float>, _ step: Int,
    _ count: Int
  ) {
    var (source, to) = (source, to)
    var left = count
    while left > 0 {
      to.pointee = source.pointee * scale
      source += sourceStep
      to += step
      left = sasuka_one_by_one(left &- 1)
    }
  }
}

/// The slot `convolution_gradient_unpack`.
func convolutionGradientUnpack(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ strides: UnsafePointer<sasuka_weight_strides>?,
  _ sums: UnsafePointer<Float>?, _ sumsStride: Int64, _ count: Int64, _ gradient: UnsafeMutablePointer<Float>?,
  _ firstUnit: Int64, _ endUnit: Int64, _ epilogue: Int32, _ lanes: Int64
) {
  guard let shape = shapePointer?.pointee, let strides = strides?.pointee, let sums, let gradient else { return }
  let lanes = Int(lanes)
  let (inputs, outputs) = (Int(shape.input_channels), Int(shape.output_channels))
  let tapFloats = lanes &* shape.columns(lanes: lanes) &* lanes
  let blockFloats = Int(shape.kernel_height &* shape.kernel_width) &* tapFloats
  let adds = Epilogue(epilogue).adds
  for index in Int(firstUnit)..<Int(endUnit) {
    let unit = ConvolutionUnit(shape, index, lanes: lanes)
    let firstBlock = unit.firstInput / lanes
    let unitSums = sums + index &* shape.gradientBlocks(lanes: lanes) &* blockFloats
    for output in 0..<unit.outputs {
      let (group, channel) = (unit.firstOutput &+ output).quotientAndRemainder(dividingBy: outputs)
      let own = gradient + (group &* Int(strides.group) &+ channel &* Int(strides.output))
      for input in 0..<inputs {
        let (block, lane) = (group &* inputs &+ input).quotientAndRemainder(dividingBy: lanes)
        var from = unitSums + ((block &- firstBlock) &* blockFloats &+ lane &* (tapFloats / lanes) &+ output)
        for row in 0..<Int(shape.kernel_height) {
          for column in 0..<Int(shape.kernel_width) {
            let place = own + (input &* Int(strides.input) &+ row &* Int(strides.row) &+ column &* Int(strides.column))
            let total = sumOfBuffers(from, Int(sumsStride), Int(count))
            place.pointee = adds ? place.pointee + total : total
            from += tapFloats
          }
        }
      }
    }
  }
}

/// The sum, in order, of one float of each of `count` buffers.
@inline(__always)
func sumOfBuffers(_ first: UnsafePointer<Float>, _ stride: Int, _ count: Int) -> Float {
  var total: Float = 0
  var buffer = 0
  while buffer < count {
    total += first[buffer &* stride]
    buffer = sasuka_one_by_one(buffer &+ 1)
  }
  return total
}
