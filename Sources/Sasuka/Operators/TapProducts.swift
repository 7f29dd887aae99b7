import CSystem

/// A convolution to few channels, of stride 1 or transposed, as the products of each pixel of its input with all taps and the sums of
/// those that fall on each pixel of the output: taps fill the lanes that channels would leave idle, and the input is read once, not
/// for each phase of the stride. A class, of which each step would have a copy.
final class TapProducts {
  /// Floats of products that stay in the second cache beside what is read and written, and those that a worker has at most.
  private static let floatsAtOnce = 65_536
  private static let mostFloats = 1 << 19

  private let kernels: UnsafeMutablePointer<sasuka_kernel_table>
  /// What falls on the pixels of a column and on those of a row.
  fileprivate let rows, columns: FallingTaps
  private let outputs: Int
  /// The products. Of its weights, strides lead from row to row and from column to column of those that are given.
  fileprivate let pass: ConvolutionPass
  /// Floats of zeros before a row of products, of a pixel's products, and of a row with what is before and behind it.
  private let before, pixelFloats, rowFloats: Int
  /// Floats of a row of the output.
  private let outputRow: Int
  /// What all lines of pixels of a phase of the stride have alike.
  private let line: sasuka_tap_sums
  /// Rows of the output in a band, and of the products in scratch.
  private let bandRows, productRows: Int

  /// A forward convolution of stride 1, or the gradient of the input of any, `isTransposed`; nil where another way takes less time.
  convenience init?(
    _ convolution: ConvolutionPass, isTransposed: Bool, _ kernels: UnsafeMutablePointer<sasuka_kernel_table>
  ) {
    let (shape, padding) = (convolution.shape, convolution.padding)
    guard shape.groups == 1, shape.dilation_height == 1, shape.dilation_width == 1, !convolution.readsPlanes,
      !convolution.takesTurns, shape.first_channel == 0,
      shape.output_row_stride == shape.output_width * shape.block_lanes
    else { return nil }
    let rows = FallingTaps(
      kernel: shape.kernel_height, stride: shape.stride_height, padding: padding?.top ?? 0,
      input: padding?.height ?? shape.input_height, output: shape.output_height, isTransposed)
    let columns = FallingTaps(
      kernel: shape.kernel_width, stride: shape.stride_width, padding: padding?.left ?? 0,
      input: padding?.width ?? shape.input_width, output: shape.output_width, isTransposed)
    var (channels, weights) = (
      (inputs: Int(shape.input_channels), outputs: Int(shape.output_channels)), convolution.weightStrides
    )
    var firstWeight = convolution.weightOffset
    if isTransposed {
      channels = (channels.outputs, channels.inputs)
      (weights.input, weights.output) = (weights.output, weights.input)
    } else {
      guard shape.stride_height == 1, shape.stride_width == 1, rows.border >= 0, columns.border >= 0 else { return nil }
      // Taps fall in the opposite order of that in which they read.
      firstWeight += (rows.kernel - 1) * Int(weights.row) + (columns.kernel - 1) * Int(weights.column)
      (weights.row, weights.column) = (-weights.row, -weights.column)
    }
    self.init(
      kernels, rows, columns, inputs: channels.inputs, outputs: channels.outputs, weights, firstWeight: firstWeight)
  }

  private init?(
    _ kernels: UnsafeMutablePointer<sasuka_kernel_table>, _ rows: FallingTaps, _ columns: FallingTaps, inputs: Int,
    outputs: Int, _ weights: sasuka_weight_strides, firstWeight: Int
  ) {
    let (lanes, taps) = (Int(kernels.pointee.vector_width), rows.kernel * columns.kernel)
    let strides = rows.stride * columns.stride
    // No more than a fifth of the products falls beside the output.
    guard kernels.pointee.narrow.convolution_tap_sums != nil,
      TapProducts.gain(inputs: inputs, outputs: outputs, taps: taps, strides: strides),
      4 * strides * rows.source * columns.source <= 5 * rows.size * columns.size
    else { return nil }
    (self.kernels, self.rows, self.columns, self.outputs) = (kernels, rows, columns, outputs)
    pixelFloats = Layout.blocks(of: taps * outputs, lanes: lanes) * lanes
    before = columns.missing * pixelFloats
    rowFloats = before + max(columns.sources(of: columns.size), columns.source) * pixelFloats
    bandRows = max(TapProducts.floatsAtOnce / rowFloats, 1) * rows.stride
    productRows = min(bandRows / rows.stride + 1 + rows.reach, rows.source)
    if saturatingProduct(productRows, rowFloats) > TapProducts.mostFloats { return nil }
    let input = Extent(height: rows.source, width: columns.source)
    var pass = ConvolutionPass.forward(
      ConvolutionGeometry(
        groups: 1, inputChannels: inputs, outputChannels: taps * outputs, kernel: Extent(1), stride: Extent(1),
        dilation: Extent(1), padding: Padding(), input: input, output: input), lanes: lanes)
    pass.shape.output_pixel_stride = Int64(pixelFloats)
    pass.shape.output_row_stride = Int64(rowFloats)
    pass.shape.output_block_stride = Int64(lanes)
    (pass.weightStrides, pass.weightOffset) = (weights, firstWeight)
    self.pass = pass
    outputRow = columns.size * lanes
    line = sasuka_tap_sums(
      pixels: 0, rows: 0, columns: 0, row_step: Int64(rowFloats - rows.stride * columns.kernel * outputs),
      column_step: Int64(pixelFloats - columns.stride * outputs), pixel_step: Int64(pixelFloats),
      output_step: Int64(columns.stride * lanes), channels: Int64(outputs), block_lanes: Int64(lanes))
  }

  /// Whether this takes less time than a pass for each phase of the stride, or the kernel for few channels (AVX2, beside 234
  /// layers of 16 to 256 channels: 0.3 to 0.9 of it): there are some products to each sum, and phases are of so few taps that they
  /// are not Winograd's.
  private static func gain(inputs: Int, outputs: Int, taps: Int, strides: Int) -> Bool {
    if taps == 1 || outputs > 8 { return false }
    // A patch of the output for each pixel: nothing is summed.
    if taps == strides { return outputs <= 4 && inputs >= 32 }
    if outputs == 1 { return inputs >= 12 && (strides > 1 || taps >= 16) }
    return 4 * taps <= 25 * strides && outputs * taps <= 40 * strides && outputs * taps <= 1280
  }

  /// The kernel of the sums reads beyond the last row what makes pixels that are not wanted.
  fileprivate var scratchFloats: Int { productRows * rowFloats + 8 * pixelFloats }

  /// Packs the weights, of which `copy` becomes [inputs][rows][columns][outputs].
  fileprivate func pack(
    _ source: UnsafePointer<Float>, scales: UnsafePointer<Float>?, to packed: UnsafeMutablePointer<Float>,
    by copy: UnsafeMutablePointer<Float>
  ) {
    let (weights, products) = (pass.weightStrides, pass.shape.output_channels)
    var place = copy
    var inputWeights = source + pass.weightOffset
    for _ in 0..<Int(pass.shape.input_channels) {
      for tap in 0..<(rows.kernel &* columns.kernel) {
        let (row, column) = tap.quotientAndRemainder(dividingBy: columns.kernel)
        var weight = inputWeights + (row &* Int(weights.row) &+ column &* Int(weights.column))
        for output in 0..<outputs {
          place.pointee = weight.pointee * (scales?[output] ?? 1)
          place += 1
          weight += Int(weights.output)
        }
      }
      inputWeights += Int(weights.input)
    }
    let strides = sasuka_weight_strides(group: 0, output: 1, input: products, row: 0, column: 0)
    pass.pack(copy, strides, scales: nil, to: packed, units: 0..<pass.packingUnits(kernels), kernels)
  }

  /// Some rows of an image's output.
  fileprivate func compute(
    _ rows: Range<Int>, _ operands: ConvolutionOperands, _ image: Int, _ context: StepContext
  ) {
    let scratch = context.workerScratch.assumingMemoryBound(to: Float.self)
    var output = operands.output + (image &* operands.outputImage &+ rows.lowerBound &* outputRow)
    // Those rows of products that scratch has.
    var held = 0..<0
    var row = rows.lowerBound
    while row < rows.upperBound, context.goesOn {
      let end = min(row &+ bandRows, rows.upperBound)
      let added = keepRows(
        of: &held, for: self.rows.sources(of: row..<end), in: scratch, blocks: 0..<1, mapRows: productRows,
        rowFloats: rowFloats)
      // Where the first pixel of row 0 would be.
      let map = scratch + (before &- held.lowerBound &* rowFloats)
      if !added.isEmpty { multiply(added, operands.image(image, context), operands.packed, to: map) }
      while row < end {
        sum(row, map, operands, to: output)
        output += outputRow
        row &+= 1
      }
    }
  }

  /// Makes some rows of products.
  private func multiply(
    _ rows: Range<Int>, _ input: UnsafePointer<Float>, _ packed: UnsafePointer<Float>,
    to map: UnsafeMutablePointer<Float>
  ) {
    var shape = pass.shape
    let width = columns.source &* pixelFloats
    var end = map + (rows.lowerBound &* rowFloats &+ width)
    for _ in rows {
      (end - (width &+ before)).clear(count: before)
      end.clear(count: rowFloats &- width &- before)
      end += rowFloats
    }
    for unit in 0..<pass.packingUnits(kernels) {
      kernels.pointee.convolution_forward(
        &shape, input, packed, nil, map, Int64(unit), Int64(rows.lowerBound), Int64(rows.upperBound), 0)
    }
  }

  /// A row of the output: a line for each phase of the stride.
  private func sum(
    _ row: Int, _ map: UnsafePointer<Float>, _ operands: ConvolutionOperands, to output: UnsafeMutablePointer<Float>
  ) {
    var (line, output) = (line, output)
    let down = rows.taps(on: row)
    let (top, bottom) = (max(down.source, 0), min(down.source &+ down.count, rows.source))
    let firstTap = (down.first &- (top &- down.source) &* rows.stride) &* columns.kernel
    for column in 0..<min(columns.stride, columns.size) {
      let across = columns.taps(on: column)
      line.pixels = Int64((columns.size &- column &+ columns.stride &- 1) / columns.stride)
      line.rows = across.count == 0 ? 0 : Int64(max(bottom &- top, 0))
      line.columns = Int64(across.count)
      let first = top &* rowFloats &+ across.source &* pixelFloats &+ (firstTap &+ across.first) &* outputs
      kernels.pointee.narrow.convolution_tap_sums(&line, map + first, operands.bias, output, operands.epilogue)
      output += Int(line.block_lanes)
    }
  }
}

/// Along one side, which taps fall on a pixel of the output.
private struct FallingTaps {
  let kernel, stride, border: Int
  /// Pixels of the output, and of the input.
  let size, source: Int

  /// Those of a convolution's side; transposed, its output is the input.
  init(kernel: Int64, stride: Int64, padding: Int64, input: Int64, output: Int64, _ isTransposed: Bool) {
    (self.kernel, self.stride) = (Int(kernel), Int(stride))
    border = Int(isTransposed ? padding : kernel - 1 - padding)
    (size, source) = isTransposed ? (Int(input), Int(output)) : (Int(output), Int(input))
  }

  /// How far before the last pixel of the input that falls on one of the output the first one is, at most.
  var reach: Int { (kernel - 1) / stride }

  /// Pixels that those of the output miss before the input's first.
  var missing: Int { max(reach - border / stride, 0) }

  /// Those that fall on a pixel, from the last one on, which belongs to the first pixel of the input, there or not.
  func taps(on pixel: Int) -> (first: Int, source: Int, count: Int) {
    let (last, phase) = (pixel &+ border).quotientAndRemainder(dividingBy: stride)
    let count = max(kernel &- phase &+ stride &- 1, 0) / stride
    return (phase &+ (count &- 1) &* stride, last &- count &+ 1, count)
  }

  /// Up to which pixel of the input those of the output see.
  func sources(of pixels: Int) -> Int { (pixels &- 1 &+ border) / stride &+ 1 }

  /// The pixels of the input that fall on some of the output.
  func sources(of pixels: Range<Int>) -> Range<Int> {
    let lower = min(max(sources(of: pixels.lowerBound &+ 1) &- 1 &- reach, 0), source)
    return lower..<max(lower, min(sources(of: pixels.upperBound), source))
  }
}

extension Lowering {
  /// Convolves by all taps at once.
  @inline(never)
  mutating func convolve(
    _ taps: TapProducts, input: Value, weight: Value, folded: FoldedNormalization?, bias: UnsafePointer<Float>?,
    epilogue: Int32, output: Value
  ) throws(SasukaError) {
    let packed = try packedMemory(
      taps.pass.packing(for: .direct), of: weight, floats: taps.pass.packedFloats(kernels))
    needWorkerScratch(bytes: max(taps.scratchFloats, shape(weight).count) * MemoryLayout<Float>.stride)
    let (source, scales) = (UnsafePointer(pointer(weight)), folded.map { UnsafePointer($0.scales) })
    prepare(units: 1) { _, context in
      taps.pack(source, scales: scales, to: packed, by: context.workerScratch.assumingMemoryBound(to: Float.self))
    }
    let operands = operands(
      of: taps.pass, input: input, packed: packed, bias: bias, epilogue: epilogue, output: output)
    let (images, rows) = (shape(input)[0], taps.rows.size)
    let stretches = min(threads(sharingOneOf: images), rows)
    algorithm = "taps"
    step(units: images * stretches) { unit, context in
      let (image, stretch) = (unit / stretches, unit % stretches)
      taps.compute((stretch * rows / stretches)..<((stretch + 1) * rows / stretches), operands, image, context)
    }
  }
}
