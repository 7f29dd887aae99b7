import CSystem

/// What a convolution does with its sums, in this order: bias or normalisation, addition, and a function: on their way to memory if
/// that clamps them, when a part of them is there if not.
struct ConvolutionEpilogue: Equatable {
  var hasBias: Bool
  private(set) var normalization: (epsilon: Float, affine: Bool)?
  private(set) var adds = false
  private(set) var function: Activation.Function?

  init(hasBias: Bool) { self.hasBias = hasBias }

  static func == (left: Self, right: Self) -> Bool {
    left.hasBias == right.hasBias && left.adds == right.adds && left.function == right.function
      && left.normalization?.epsilon == right.normalization?.epsilon
      && left.normalization?.affine == right.normalization?.affine
  }

  /// With a follower's work too, if it comes in the order above.
  func absorbing(_ follower: Follower) -> ConvolutionEpilogue? {
    var result = self
    switch follower {
    case .normalization(let epsilon, let affine):
      guard normalization == nil, !adds, function == nil else { return nil }
      result.normalization = (epsilon, affine)
    case .addition:
      guard !adds, function == nil else { return nil }
      result.adds = true
    case .function(let function):
      guard self.function == nil else { return nil }
      result.function = function
    case .window: return nil
    }
    return result
  }

  /// The function, unless it is one of the flags.
  func elementFunction(_ kernels: UnsafeMutablePointer<sasuka_kernel_table>) -> ElementFunction? {
    guard let function, function.epilogueFlag == 0 else { return nil }
    return ElementFunction(function, kernels)
  }

  /// Flags for the kernels.
  var flags: Int32 { (function?.epilogueFlag ?? 0) | (adds ? Int32(SASUKA_EPILOGUE_ADD) : 0) }

  /// Inputs of a convolution that adds no tensor: its own, and those of the normalisation with its count of batches.
  var inputCount: Int { (hasBias ? 3 : 2) + (normalization.map { $0.affine ? 5 : 3 } ?? 0) }

  func bias(_ node: Node) -> Value? { hasBias ? node.inputs[2] : nil }
  func addend(_ node: Node) -> Value? { adds ? node.inputs[node.inputs.count - 1] : nil }

  /// The normalisation's weight, bias, mean and variance.
  func normalizationInputs(_ node: Node) -> (weight: Value?, bias: Value?, mean: Value, variance: Value)? {
    guard let normalization else { return nil }
    let first = hasBias ? 3 : 2
    guard normalization.affine else { return (nil, nil, node.inputs[first], node.inputs[first + 1]) }
    return (node.inputs[first], node.inputs[first + 1], node.inputs[first + 2], node.inputs[first + 3])
  }
}

/// A function of single elements as a kernel call.
struct ElementFunction {
  private let kernel: @convention(c) (Int32, Float, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int) -> Void
  private let slot: Int32
  private let parameter: Float

  init(_ function: Activation.Function, _ kernels: UnsafeMutablePointer<sasuka_kernel_table>) {
    (kernel, slot, parameter) = (kernels.pointee.activation_forward!, function.slot, function.parameter)
  }

  func apply(to source: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>, count: Int) {
    kernel(slot, parameter, source, result, count)
  }

  /// To `count` floats of each of some channel blocks, where they are.
  @inline(never)
  func apply(to memory: UnsafeMutablePointer<Float>, count: Int, blocks: Range<Int>, blockStride: Int) {
    for block in blocks {
      let place = memory + block * blockStride
      apply(to: place, into: place, count: count)
    }
  }
}

extension Lowering {
  /// Applies a function to all of a value.
  @inline(never)
  mutating func apply(_ function: ElementFunction, to source: Value, into result: Value) {
    let (from, to, chunks) = (pointer(source), pointer(result), Chunks(of: storageCount(result)))
    step(units: chunks.count) { unit, _ in
      let range = chunks[unit]
      function.apply(to: from + range.lowerBound, into: to + range.lowerBound, count: range.count)
    }
  }

  /// What a convolution has left to be done with its output, if anything.
  @inline(never)
  mutating func finish(_ output: Value, _ function: ElementFunction?) {
    guard let function else { return }
    algorithm = "function"
    apply(function, to: output, into: output)
  }
}

/// A normalisation folded into the weights before it: y = scale · (w * x) + shift.
struct FoldedNormalization {
  /// One of each for a channel, and zeros up to whole blocks.
  let scales: UnsafeMutablePointer<Float>
  let shifts: UnsafeMutablePointer<Float>
}

extension Lowering {
  /// What a convolution's weights are multiplied by, and what its sums begin with; a tensor that they are added to is put where they
  /// go.
  @inline(never)
  mutating func begin(
    _ epilogue: ConvolutionEpilogue, _ node: Node, channels: Int
  ) throws(SasukaError) -> (folded: FoldedNormalization?, bias: UnsafePointer<Float>?) {
    let folded = try fold(epilogue, node, channels: channels)
    if let addend = epilogue.addend(node) { placeAddend(addend, at: node.outputs[0]) }
    return (folded, UnsafePointer(folded?.shifts ?? epilogue.bias(node).map { pointer($0) }))
  }

  /// Prepares scale and shift of each channel, the convolution's own bias included; nil without a normalisation.
  private mutating func fold(
    _ epilogue: ConvolutionEpilogue, _ node: Node, channels: Int
  ) throws(SasukaError) -> FoldedNormalization? {
    guard let normalization = epilogue.normalization, let inputs = epilogue.normalizationInputs(node) else {
      return nil
    }
    // Whole units of the packed weights: the widest has two blocks.
    let count = (Layout.blocks(of: channels, lanes: lanes) + 1) * lanes
    let scales = try persistent(floats: 2 * count)
    let shifts = scales + count
    let (mean, variance) = (pointer(inputs.mean), pointer(inputs.variance))
    let (weight, bias) = (inputs.weight.map { pointer($0) }, inputs.bias.map { pointer($0) })
    let ownBias = epilogue.bias(node).map { pointer($0) }
    let epsilon = Double(normalization.epsilon)
    prepare(units: 1) { _, _ in
      for channel in 0..<channels {
        let scale = Double(weight?[channel] ?? 1) / (Double(variance[channel]) + epsilon).squareRoot()
        let shift = Double(bias?[channel] ?? 0) + (Double(ownBias?[channel] ?? 0) - Double(mean[channel])) * scale
        scales[channel] = Float(scale)
        shifts[channel] = Float(shift)
      }
    }
    return FoldedNormalization(scales: scales, shifts: shifts)
  }

  /// Multiplies packed weights, `rows` rows of `width` output channels to a unit, by their channels' scales.
  mutating func scale(
    _ packed: UnsafeMutablePointer<Float>, by folded: FoldedNormalization, units: Int, unitFloats: Int, width: Int,
    channels: Int
  ) {
    let multiply = kernels.pointee.multiply!
    let lanes = lanes
    prepare(units: units) { unit, _ in
      let (first, start) = (unit * width, packed + unit * unitFloats)
      let columns = min(width, (channels - first).dividedUp(by: lanes) * lanes)
      for row in 0..<(unitFloats / width) {
        multiply(start + row * columns, folded.scales + first, start + row * columns, columns)
      }
    }
  }

  /// Puts the tensor to be added where the sum will be, unless it lies there already.
  private mutating func placeAddend(_ addend: Value, at output: Value) {
    let (source, target) = (pointer(addend), pointer(output))
    guard source != target else { return }
    let chunks = Chunks(of: storageCount(output))
    step(units: chunks.count) { unit, _ in
      let range = chunks[unit]
      memcpy(target + range.lowerBound, source + range.lowerBound, range.count * MemoryLayout<Float>.stride)
    }
  }
}
