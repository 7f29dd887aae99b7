import CSystem

/// What each pixel of the input makes where the kernel of a transposed convolution is as large as its stride: a patch of the
/// output that no other has a part in. One pass computes all of it, so that the input is read from the cache, and pixels beside
/// each other together, so that few channels fill tiles and memory is written in whole lines (AVX2, 2 x 2 over 28 x 28 pixels: of
/// 512 channels to 256 0.72 of the time of a pass for each phase of the stride, of 256 to 8 0.6).
struct OutputPatch {
  /// Pixels of a row that are computed together: all, or one where the lanes are input channels.
  let pixels: Int
  /// Extent of the patch, in such stretches of a row.
  private let height, stretches: Int
  /// Channel blocks of the output.
  private let blocks: Int
  private let lanes: Int
  /// Floats of a row of the output and of all rows of a block.
  private let rowFloats, blockFloats: Int

  /// - Parameters:
  ///   - geometry: of the convolution whose gradient is computed; nil where its kernel overlaps or leaves gaps, where a row of the
  ///     patch has a vector that is computed alone, though there are channels to fill a pair, and for one pixel: nothing but its
  ///     weights takes time, which several streams read faster than one.
  ///   - pass: its first phase.
  init?(_ geometry: ConvolutionGeometry, _ pass: ConvolutionPass, lanes: Int) {
    let (kernel, input, output, channels) = (
      geometry.kernel, geometry.input, geometry.output, geometry.inputChannels
    )
    guard geometry.groups == 1, kernel == geometry.stride, geometry.dilation == Extent(1),
      geometry.padding == Padding(), input.height == output.height * kernel.height,
      input.width == output.width * kernel.width, output != Extent(1), kernel.width > 1,
      kernel.width % 2 == 0 || channels <= lanes
    else { return nil }
    self.lanes = lanes
    pixels = pass.canSumAcrossLanes ? 1 : kernel.width
    (height, stretches) = (kernel.height, kernel.width / pixels)
    blocks = Layout.blocks(of: channels, lanes: lanes)
    rowFloats = input.width * lanes
    blockFloats = input.height * rowFloats
  }

  /// The parts that are computed on their own: a stretch in a block of channels.
  var parts: Int { height * stretches * blocks }

  /// What the kernels are given of all for one part, whose weights are `packedFloats`.
  func operands(_ all: ConvolutionOperands, ofPart part: Int, packedFloats: Int) -> ConvolutionOperands {
    let (place, block) = part.quotientAndRemainder(dividingBy: blocks)
    let (row, stretch) = place.quotientAndRemainder(dividingBy: stretches)
    var own = all
    own.packed += part * packedFloats
    own.bias = all.bias.map { $0 + block * partFloats }
    own.output += row * rowFloats + stretch * partFloats + block * blockFloats
    return own
  }

  /// Floats of a part's output.
  fileprivate var partFloats: Int { pixels * lanes }

  /// Of the bias, once for each pixel of a part: [blocks][pixels][lanes].
  fileprivate var biasFloats: Int { blocks * partFloats }

  fileprivate func copyBias(_ bias: UnsafePointer<Float>, channels: Int, to copy: UnsafeMutablePointer<Float>) {
    for place in 0..<biasFloats {
      let channel = place / partFloats * lanes + place % lanes
      copy[place] = channel < channels ? bias[channel] : 0
    }
  }

  /// Copies the weights of a part from [inputs][channels][rows][columns] to [inputs][pixels][lanes], with zeros for channels that
  /// are not real.
  fileprivate func copyWeights(
    ofPart part: Int, inputs: Int, channels: Int, from weights: UnsafePointer<Float>, scales: UnsafePointer<Float>?,
    to copy: UnsafeMutablePointer<Float>
  ) {
    let (place, block) = part.quotientAndRemainder(dividingBy: blocks)
    let area = height * stretches * pixels
    copy.clear(count: inputs * partFloats)
    for input in 0..<inputs {
      for channel in (block * lanes)..<min((block + 1) * lanes, channels) {
        let from = weights + (input * channels + channel) * area + place * pixels
        let to = copy + input * partFloats + channel % lanes
        for pixel in 0..<pixels { to[pixel * lanes] = from[pixel] * (scales?[channel] ?? 1) }
      }
    }
  }
}

extension Lowering {
  /// The weights of all parts of a patch as the pass's kernel reads them, and the bias, which replaces the one given.
  mutating func pack(
    _ pass: ConvolutionPass, in patch: OutputPatch, weight: Value, folded: FoldedNormalization?, channels: Int,
    bias: inout UnsafePointer<Float>?
  ) throws(SasukaError) -> UnsafePointer<Float> {
    let inputs = Int(pass.shape.input_channels)
    let partFloats = pass.packedFloats(kernels)
    let packed = try packedMemory(
      pass.packing(for: .direct), of: weight, floats: patch.parts * partFloats + patch.biasFloats)
    let copiedBias = packed + patch.parts * partFloats
    let (source, scales) = (UnsafePointer(pointer(weight)), folded.map { UnsafePointer($0.scales) })
    let strides = sasuka_weight_strides(group: 0, output: 1, input: Int64(patch.partFloats), row: 0, column: 0)
    needWorkerScratch(bytes: inputs * patch.partFloats * MemoryLayout<Float>.stride)
    prepare(units: patch.parts) { [kernels, bias] part, context in
      let copy = context.workerScratch.assumingMemoryBound(to: Float.self)
      patch.copyWeights(ofPart: part, inputs: inputs, channels: channels, from: source, scales: scales, to: copy)
      pass.pack(
        copy, strides, scales: nil, to: packed + part * partFloats, units: 0..<pass.packingUnits(kernels), kernels)
      if part == 0, let bias { patch.copyBias(bias, channels: channels, to: copiedBias) }
    }
    if bias != nil { bias = UnsafePointer(copiedBias) }
    return UnsafePointer(packed)
  }
}
