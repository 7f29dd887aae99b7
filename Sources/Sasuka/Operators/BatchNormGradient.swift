import CSystem

/// The gradients of batch and group normalisation with respect to input, weight and bias.
///
/// With d = x - mean and r = 1 / sqrt(variance + epsilon): dbias = sum dy and dweight = sum r dy d, over a channel; and with
/// sums over the n values that were normalised together, dx = r (weight dy - sum (weight dy) / n - d r^2 sum (weight dy d) / n);
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
    let sets = NormalizedSets(lowering.shape(node.inputs[0]), groups: attributes.groups, lanes: lowering.lanes)
    let blocks = sets.blocks
    let dy = UnsafePointer(lowering.pointer(node.inputs[0]))
    let x = UnsafePointer(lowering.pointer(node.inputs[1]))
    let epilogue = attributes.epilogue
    lowering.needScratch(bytes: blocks.sumsBytes + blocks.count * 6 * blocks.lanes * 4)

    lowering.step(units: sets.units, prepareCoefficients(node, lowering, sets))
    let sums = lowering.kernels.pointee.channel_gradient_sums
    lowering.step(units: blocks.count * blocks.partCount) { unit, context in
      let part = blocks.part(unit)
      let vectors = blocks.coefficients(context.scratch, part.block, vectors: 6)
      sums!(
        x + part.offset, dy + part.offset, vectors, Int64(part.images), Int64(blocks.imageStride), Int64(part.pixels),
        blocks.sums(context.scratch, unit), epilogue)
    }
    addParameterGradients(node, &lowering, sets)
    guard needsInput else { return }
    lowering.step(units: sets.units, deriveCoefficients(node, lowering, sets))
    let dx = lowering.pointer(node.outputs[2])
    let affine = lowering.kernels.pointee.channel_gradient_affine
    lowering.step(units: blocks.pieceCount) { unit, context in
      let piece = blocks.piece(unit)
      let vectors = blocks.coefficients(context.scratch, piece.block, vectors: 6)
      affine!(x + piece.offset, dy + piece.offset, vectors, dx + piece.offset, Int64(piece.pixels), epilogue)
    }
  }

  /// Mean, scale and shift as the forward pass had them.
  private func prepareCoefficients(_ node: Node, _ lowering: borrowing Lowering, _ sets: NormalizedSets) -> Step.Body {
    let mean = lowering.pointer(node.inputs[2])
    let inverse = inverseDeviation(node, lowering)
    let weight = attributes.affine ? lowering.pointer(node.inputs[4]) : nil
    let bias = attributes.affine ? lowering.pointer(node.inputs[5]) : nil
    return { unit, context in
      sets.clear(unit, context.scratch, vectors: 6)
      for set in sets.sets(of: unit) {
        for channel in sets.channels(of: set) {
          let parameter = sets.parameter(of: channel)
          let vectors = sets.coefficients(channel, context.scratch, vectors: 6)
          vectors[0] = mean[set]
          vectors[sets.blocks.lanes] = Float(Double(weight?[parameter] ?? 1) * inverse(set))
          vectors[2 * sets.blocks.lanes] = bias?[parameter] ?? 0
        }
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

  /// The step that adds up the sums of a parameter's channels, in order.
  private func addParameterGradients(_ node: Node, _ lowering: inout Lowering, _ sets: NormalizedSets) {
    let weightGradient = lowering.pointer(node.outputs[0])
    let biasGradient = lowering.pointer(node.outputs[1])
    let inverse = inverseDeviation(node, lowering)
    let perUnit = 16
    lowering.step(units: sets.channelCount.dividedUp(by: perUnit)) { unit, context in
      for parameter in (unit * perUnit)..<min(sets.channelCount, (unit + 1) * perUnit) {
        var (sum, products) = (0.0, 0.0)
        sets.forEachChannel(ofParameter: parameter) { channel, set in
          let own = sets.sums(channel, context.scratch)
          sum += own.0
          products += own.1 * inverse(set)
        }
        weightGradient[parameter] = Float(products)
        biasGradient[parameter] = Float(sum)
      }
    }
  }

  /// The other three coefficients: factors of dy and of the deviation, and what is added.
  private func deriveCoefficients(_ node: Node, _ lowering: borrowing Lowering, _ sets: NormalizedSets) -> Step.Body {
    let inverse = inverseDeviation(node, lowering)
    let weight = attributes.affine ? lowering.pointer(node.inputs[4]) : nil
    // Statistics that do not depend on the batch pass no gradient on.
    let share = statistics == .batch ? 1 / sets.valuesPerSet : 0
    return { unit, context in
      let lanes = sets.blocks.lanes
      for set in sets.sets(of: unit) {
        let r = inverse(set)
        var (sum, products) = (0.0, 0.0)
        for channel in sets.channels(of: set) {
          let own = sets.sums(channel, context.scratch)
          let factor = Double(weight?[sets.parameter(of: channel)] ?? 1)
          sum += factor * own.0
          products += factor * own.1
        }
        for channel in sets.channels(of: set) {
          let vectors = sets.coefficients(channel, context.scratch, vectors: 6)
          vectors[3 * lanes] = Float(Double(weight?[sets.parameter(of: channel)] ?? 1) * r)
          vectors[4 * lanes] = Float(-r * r * r * products * share)
          vectors[5 * lanes] = Float(-r * sum * share)
        }
      }
    }
  }
}
