import CSystem

/// The gradients of batch normalisation with respect to input, weight and bias.
///
/// With d = x - mean, r = 1 / sqrt(variance + epsilon) and n values to a channel:
/// dbias = sum dy, dweight = r sum dy d, and dx = weight r (dy - dbias / n - d r^2 (sum dy d) / n);
/// the last two terms are there only if the statistics were the batch's own.
final class BatchNormGradient: Operator {
  /// Whose statistics normalised the batch.
  enum Statistics { case batch, running }

  let kind = "batch_norm_gradient"
  let layoutRule = LayoutRule.blocked
  private let attributes: BatchNormAttributes
  private let statistics: Statistics
  private let needsInput: Bool

  private init(_ attributes: BatchNormAttributes, _ statistics: Statistics, needsInput: Bool) {
    self.attributes = attributes
    self.statistics = statistics
    self.needsInput = needsInput
  }

  /// - Parameter values: mean and inverse deviation of the batch, or running mean and running variance.
  static func append(
    to context: inout GradientContext, _ attributes: BatchNormAttributes, _ statistics: Statistics, _ values: [Value]
  ) throws(SasukaError) {
    let node = context.node
    let operation = BatchNormGradient(attributes, statistics, needsInput: context.needs[0])
    let affine = attributes.affine ? Array(node.inputs[1...2]) : []
    let outputs = try context.append(operation, [context.outputGradient, node.inputs[0]] + values + affine)
    if context.needs[0] { context.setGradient(ofInput: 0, outputs[2]) }
    guard attributes.affine else { return }
    if context.needs[1] { context.setGradient(ofInput: 1, outputs[0]) }
    if context.needs[2] { context.setGradient(ofInput: 2, outputs[1]) }
  }

  /// Inputs: dy, x, two statistics, weight and bias if affine. Outputs: dweight, dbias, dx if it is needed.
  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    let channels = Shape([inputs[0][1]])
    return needsInput ? [channels, channels, inputs[0]] : [channels, channels]
  }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let blocks = ChannelBlocks(lowering.shape(node.inputs[0]), lanes: lowering.lanes)
    let dy = UnsafePointer(lowering.pointer(node.inputs[0]))
    let x = UnsafePointer(lowering.pointer(node.inputs[1]))
    let epilogue = attributes.epilogue
    lowering.needScratch(bytes: blocks.sumsBytes + blocks.count * 6 * blocks.lanes * 4)

    lowering.step(units: blocks.count, prepareCoefficients(node, lowering, blocks))
    let sums = lowering.kernels.pointee.channel_gradient_sums
    lowering.step(units: blocks.count * blocks.partCount) { unit, context in
      let part = blocks.part(unit)
      let vectors = blocks.coefficients(context.scratch, part.block, vectors: 6)
      sums!(
        x + part.offset, dy + part.offset, vectors, Int64(part.images), Int64(blocks.imageStride), Int64(part.pixels),
        blocks.sums(context.scratch, unit), epilogue)
    }
    lowering.step(units: blocks.count, finish(node, lowering, blocks))
    guard needsInput else { return }
    let dx = lowering.pointer(node.outputs[2])
    let affine = lowering.kernels.pointee.channel_gradient_affine
    lowering.step(units: blocks.pieceCount) { unit, context in
      let piece = blocks.piece(unit)
      let vectors = blocks.coefficients(context.scratch, piece.block, vectors: 6)
      affine!(x + piece.offset, dy + piece.offset, vectors, dx + piece.offset, Int64(piece.pixels), epilogue)
    }
  }

  /// Mean, scale and shift as the forward pass had them.
  private func prepareCoefficients(_ node: Node, _ lowering: borrowing Lowering, _ blocks: ChannelBlocks) -> Step.Body {
    let mean = lowering.pointer(node.inputs[2])
    let inverse = inverseDeviation(node, lowering)
    let weight = attributes.affine ? lowering.pointer(node.inputs[4]) : nil
    let bias = attributes.affine ? lowering.pointer(node.inputs[5]) : nil
    return { block, context in
      let vectors = blocks.coefficients(context.scratch, block, vectors: 6)
      vectors.clear(count: 6 * blocks.lanes)
      for (lane, channel) in blocks.channels(of: block).enumerated() {
        vectors[lane] = mean[channel]
        vectors[blocks.lanes + lane] = Float(Double(weight?[channel] ?? 1) * inverse(channel))
        vectors[2 * blocks.lanes + lane] = bias?[channel] ?? 0
      }
    }
  }

  private func inverseDeviation(_ node: Node, _ lowering: borrowing Lowering) -> (Int) -> Double {
    let values = lowering.pointer(node.inputs[3])
    let epsilon = Double(attributes.epsilon)
    switch statistics {
    case .batch: return { Double(values[$0]) }
    case .running: return { 1 / (Double(values[$0]) + epsilon).squareRoot() }
    }
  }

  /// The step that adds up the sums of a channel block's parts, in order, and derives what depends on them.
  private func finish(_ node: Node, _ lowering: borrowing Lowering, _ blocks: ChannelBlocks) -> Step.Body {
    let weightGradient = lowering.pointer(node.outputs[0])
    let biasGradient = lowering.pointer(node.outputs[1])
    let inverse = inverseDeviation(node, lowering)
    let weight = attributes.affine ? lowering.pointer(node.inputs[4]) : nil
    // Statistics that do not depend on the batch pass no gradient on.
    let share = statistics == .batch ? 1 / Double(blocks.valuesPerChannel) : 0
    return { block, context in
      let lanes = blocks.lanes
      let vectors = blocks.coefficients(context.scratch, block, vectors: 6)
      for (lane, channel) in blocks.channels(of: block).enumerated() {
        let (sum, products) = blocks.addedSums(context.scratch, block: block, lane: lane)
        let r = inverse(channel)
        let scale = Double(weight?[channel] ?? 1) * r
        weightGradient[channel] = Float(products * r)
        biasGradient[channel] = Float(sum)
        vectors[3 * lanes + lane] = Float(scale)
        vectors[4 * lanes + lane] = Float(-scale * r * r * products * share)
        vectors[5 * lanes + lane] = Float(-scale * sum * share)
      }
    }
  }
}
