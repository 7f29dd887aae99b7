import CSystem

extension Graph {
  /// Batch normalisation of a map [batch, channels, height, width] (Ioffe and Szegedy 2015, Batch Normalization).
  ///
  /// Parameters, in the order of PyTorch's state dict: weight and bias [channels] if `affine`; running_mean and running_var
  /// [channels] and num_batches_tracked if `trackRunningStatistics`.
  ///
  /// - Parameters:
  ///   - momentum: the share of the new batch in the running statistics; nil makes them the average over all batches.
  ///   - trackRunningStatistics: without them, evaluation uses the batch's own statistics as training does.
  @inline(never)
  package mutating func batchNorm(
    _ input: Value, name: String, epsilon: Float = 1e-5, momentum: Float? = 0.1, affine: Bool = true,
    trackRunningStatistics: Bool = true
  ) throws(SasukaError) -> Value {
    var inputs = try normalized(input, "batch_norm", name, epsilon: epsilon, affine: affine)
    if let momentum, !(momentum >= 0 && momentum <= 1) {
      throw SasukaError(.invalidArgument, "batch_norm \"\(name)\": momentum \(momentum); 0 to 1 is expected")
    }
    if trackRunningStatistics {
      let channels = Shape([shape(input)[1]])
      inputs.append(
        try addParameter(name + ".running_mean", shape: channels, kind: .statistic, initializer: .constant(0)))
      inputs.append(
        try addParameter(name + ".running_var", shape: channels, kind: .statistic, initializer: .constant(1)))
      inputs.append(
        try addParameter(name + ".num_batches_tracked", shape: Shape([]), kind: .counter, initializer: .constant(0)))
    }
    let operation = BatchNorm(
      BatchNormAttributes(epsilon: epsilon, momentum: momentum, affine: affine, tracked: trackRunningStatistics))
    return try append(operation, name: name, inputs: inputs)[0]
  }

  /// What a normalisation takes: the map, and weight and bias of its channels if it is affine.
  @inline(never)
  mutating func normalized(
    _ input: Value, _ kind: StaticString, _ name: String, epsilon: Float, affine: Bool
  ) throws(SasukaError) -> [Value] {
    let shape = shape(input)
    try naming(kind, name) { () throws(SasukaError) in
      guard shape.rank == 4 else {
        throw SasukaError(
          .invalidArgument, "input of shape \(shape); [batch, channels, height, width] is expected")
      }
      guard epsilon >= 0, epsilon < .infinity else {
        throw SasukaError(.invalidArgument, "epsilon \(epsilon); a number from 0 is expected")
      }
    }
    guard affine else { return [input] }
    let channels = Shape([shape[1]])
    let weight = try addParameter(name + ".weight", shape: channels, initializer: .constant(1))
    return [input, weight, try addParameter(name + ".bias", shape: channels, initializer: .constant(0))]
  }
}

/// What the forms of batch normalisation share. Inputs of both: x, then weight, bias, running_mean, running_var and
/// num_batches_tracked as far as they exist.
package struct BatchNormAttributes: Sendable {
  package var epsilon: Float
  package var momentum: Float?
  package var affine: Bool
  package var tracked: Bool
  /// Evaluation mode even in training: running statistics are used and not changed.
  package var frozen: Bool
  /// A ReLU behind the normalisation is part of it.
  package var rectifies: Bool
  /// Of neighbouring channels of one picture, with statistics of their own; 0: each channel of the batch has its own.
  package var groups = 0

  package init(
    epsilon: Float = 1e-5, momentum: Float? = 0.1, affine: Bool = true, tracked: Bool = true, frozen: Bool = false,
    rectifies: Bool = false
  ) {
    self.epsilon = epsilon
    self.momentum = momentum
    self.affine = affine
    self.tracked = tracked
    self.frozen = frozen
    self.rectifies = rectifies
  }

  func weight(_ node: Node) -> Value? { affine ? node.inputs[1] : nil }
  func bias(_ node: Node) -> Value? { affine ? node.inputs[2] : nil }
  /// Mean, variance and number of batches.
  func running(_ node: Node) -> ArraySlice<Value> { node.inputs[(affine ? 3 : 1)...] }
  /// With a ReLU behind it, if it has none yet.
  func absorbing(_ follower: Follower) -> BatchNormAttributes? {
    guard follower == .function(.relu), !rectifies else { return nil }
    var result = self
    result.rectifies = true
    return result
  }

  var epilogue: Int32 { rectifies ? Int32(SASUKA_EPILOGUE_RELU) : 0 }
}

/// Batch normalisation by the running statistics: y = (x - mean) / sqrt(variance + epsilon) * weight + bias.
package final class BatchNorm: Operator {
  package let kind = "batch_norm"
  package let layoutRule = LayoutRule.blocked
  package let attributes: BatchNormAttributes

  package init(_ attributes: BatchNormAttributes) { self.attributes = attributes }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputs[0]] }

  package func specialized(for mode: Mode) -> (any Operator)? {
    if !attributes.tracked || mode == .training && !attributes.frozen { return BatchNormTraining(attributes) }
    return self
  }

  package var follower: Follower? {
    attributes.rectifies ? nil : .normalization(epsilon: attributes.epsilon, affine: attributes.affine)
  }

  package func absorbing(_ follower: Follower, mode: Mode) -> (any Operator)? {
    attributes.absorbing(follower).map { BatchNorm($0) }
  }

  package func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int { outputs[0].count }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let node = context.node
    let running = attributes.running(node)
    let statistics = [running[running.startIndex], running[running.startIndex + 1]]
    try BatchNormGradient.append(to: &context, attributes, .running, statistics)
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let blocks = ChannelBlocks(lowering.shape(node.inputs[0]), lanes: lowering.lanes)
    let coefficients = try lowering.persistent(floats: blocks.count * 3 * blocks.lanes)
    let running = attributes.running(node)
    let mean = lowering.pointer(running[running.startIndex])
    let variance = lowering.pointer(running[running.startIndex + 1])
    let weight = attributes.weight(node).map { lowering.pointer($0) }
    let bias = attributes.bias(node).map { lowering.pointer($0) }
    let epsilon = Double(attributes.epsilon)
    lowering.prepare(units: blocks.count) { block, _ in
      let vectors = coefficients + block * 3 * blocks.lanes
      for (lane, channel) in blocks.channels(of: block).enumerated() {
        vectors[lane] = mean[channel]
        vectors[blocks.lanes + lane] =
          Float(Double(weight?[channel] ?? 1) / (Double(variance[channel]) + epsilon).squareRoot())
        vectors[2 * blocks.lanes + lane] = bias?[channel] ?? 0
      }
    }
    let x = UnsafePointer(lowering.pointer(node.inputs[0]))
    let y = lowering.pointer(node.outputs[0])
    let kernel = lowering.kernels.pointee.channel_affine
    let epilogue = attributes.epilogue
    lowering.step(units: blocks.pieceCount) { unit, _ in
      let piece = blocks.piece(unit)
      let vectors = coefficients + piece.block * 3 * blocks.lanes
      kernel!(x + piece.offset, vectors, y + piece.offset, Int64(piece.pixels), epilogue)
    }
  }
}

/// Batch normalisation by the batch's own statistics, and group normalisation. Outputs: y, and for each channel, or each
/// picture's groups, the mean, 1 / sqrt(variance + epsilon) and the unbiased variance.
package final class BatchNormTraining: Operator {
  package var kind: String { attributes.groups > 0 ? "group_norm" : "batch_norm" }
  package let layoutRule = LayoutRule.blocked
  package let attributes: BatchNormAttributes

  package init(_ attributes: BatchNormAttributes) { self.attributes = attributes }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    let input = inputs[0]
    guard attributes.groups > 0 || input[0] * input[2] * input[3] > 1 else {
      throw SasukaError(
        .invalidArgument, "expected more than 1 value per channel when training, got input size \(input)")
    }
    let statistics = Shape(attributes.groups > 0 ? [input[0], attributes.groups] : [input[1]])
    return [input, statistics, statistics, statistics]
  }

  package func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int { 2 * outputs[0].count }

  package func absorbing(_ follower: Follower, mode: Mode) -> (any Operator)? {
    attributes.absorbing(follower).map { BatchNormTraining($0) }
  }

  package func specialized(for mode: Mode) -> (any Operator)? {
    mode == .evaluation && attributes.tracked ? BatchNorm(attributes) : self
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let statistics = [context.node.outputs[1], context.node.outputs[2]]
    try BatchNormGradient.append(to: &context, attributes, .batch, statistics)
  }

  package func appendUpdates(of node: Node, to graph: inout Graph) throws(SasukaError) {
    guard attributes.tracked else { return }
    let inputs = [node.outputs[1], node.outputs[3]] + attributes.running(node)
    _ = try graph.append(BatchNormUpdate(momentum: attributes.momentum), name: node.name, inputs: inputs)
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let sets = NormalizedSets(lowering.shape(node.inputs[0]), groups: attributes.groups, lanes: lowering.lanes)
    let blocks = sets.blocks
    let kernels = lowering.kernels
    let x = UnsafePointer(lowering.pointer(node.inputs[0]))
    let y = lowering.pointer(node.outputs[0])
    let epilogue = attributes.epilogue
    lowering.needScratch(bytes: blocks.sumsBytes + blocks.count * 3 * blocks.lanes * 4)

    let moments = kernels.pointee.channel_moments
    lowering.step(units: blocks.count * blocks.partCount) { unit, context in
      let part = blocks.part(unit)
      moments!(
        x + part.offset, Int64(part.images), Int64(blocks.imageStride), Int64(part.pixels),
        blocks.sums(context.scratch, unit))
    }
    lowering.step(units: sets.units, finish(node, lowering, sets))
    let affine = kernels.pointee.channel_affine
    lowering.step(units: blocks.pieceCount) { unit, context in
      let piece = blocks.piece(unit)
      let vectors = blocks.coefficients(context.scratch, piece.block, vectors: 3)
      affine!(x + piece.offset, vectors, y + piece.offset, Int64(piece.pixels), epilogue)
    }
  }

  /// The step that merges the moments of a set's parts, in order, and derives what depends on them.
  private func finish(_ node: Node, _ lowering: borrowing Lowering, _ sets: NormalizedSets) -> Step.Body {
    let mean = lowering.pointer(node.outputs[1])
    let inverse = lowering.pointer(node.outputs[2])
    let variance = lowering.pointer(node.outputs[3])
    let weight = attributes.weight(node).map { lowering.pointer($0) }
    let bias = attributes.bias(node).map { lowering.pointer($0) }
    let epsilon = Double(attributes.epsilon)
    let total = sets.valuesPerSet
    return { unit, context in
      let lanes = sets.blocks.lanes
      sets.clear(unit, context.scratch, vectors: 3)
      for set in sets.sets(of: unit) {
        let (center, squares) = sets.moments(set, context.scratch)
        let deviation = 1 / (squares / total + epsilon).squareRoot()
        mean[set] = Float(center)
        inverse[set] = Float(deviation)
        variance[set] = Float(squares / (total - 1))
        for channel in sets.channels(of: set) {
          let parameter = sets.parameter(of: channel)
          let scale = Double(weight?[parameter] ?? 1) * deviation
          let vectors = sets.coefficients(channel, context.scratch, vectors: 3)
          vectors[0] = mean[set]
          vectors[lanes] = Float(scale)
          // The part of the mean that its rounding to float32 lost is subtracted here.
          vectors[2 * lanes] = Float(Double(bias?[parameter] ?? 0) - (center - Double(mean[set])) * scale)
        }
      }
    }
  }
}

/// Puts a batch's statistics into the running ones.
final class BatchNormUpdate: Operator {
  let kind = "batch_norm_update"
  let layoutRule = LayoutRule.plain
  let changesModel = true
  private let momentum: Float?

  init(momentum: Float?) { self.momentum = momentum }

  /// Inputs: mean and unbiased variance of the batch; running mean, running variance and number of batches.
  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let channels = lowering.shape(node.inputs[0])[0]
    let (mean, variance) = (lowering.pointer(node.inputs[0]), lowering.pointer(node.inputs[1]))
    let (runningMean, runningVariance) = (lowering.pointer(node.inputs[2]), lowering.pointer(node.inputs[3]))
    // A parameter of kind `counter` is one 64-bit integer.
    let batches = UnsafeMutableRawPointer(lowering.pointer(node.inputs[4])).assumingMemoryBound(to: Int64.self)
    let momentum = momentum
    lowering.step(units: 1) { _, _ in
      batches.pointee &+= 1
      let share = momentum.map { Double($0) } ?? 1 / Double(batches.pointee)
      for channel in 0..<channels {
        runningMean[channel] = Float(Double(runningMean[channel]) * (1 - share) + Double(mean[channel]) * share)
        runningVariance[channel] = Float(
          Double(runningVariance[channel]) * (1 - share) + Double(variance[channel]) * share)
      }
    }
  }
}
