import CSystem

extension Graph {
  /// Zeroes elements with probability p in training and scales the others by 1 / (1 - p)
  /// (Srivastava et al. 2014, Dropout). Does nothing in evaluation.
  @inline(never)
  package mutating func dropout(
    _ input: Value, name: String, probability: Float = 0.5
  ) throws(SasukaError) -> Value {
    let draw = try dropoutDraw(probability, "dropout", name)
    return try append(Dropout(draw, .scaled(probability)), name: name, inputs: [input])[0]
  }

  /// Drops elements to the negative saturation of SELU so that mean and variance stay
  /// (Klambauer et al. 2017, Self-Normalizing Neural Networks). Does nothing in evaluation.
  @inline(never)
  package mutating func alphaDropout(
    _ input: Value, name: String, probability: Float = 0.5
  ) throws(SasukaError) -> Value {
    let draw = try dropoutDraw(probability, "alpha_dropout", name)
    return try append(Dropout(draw, .selfNormalizing(probability)), name: name, inputs: [input])[0]
  }

  /// Zeroes whole feature maps of [batch, channels, height, width] with probability p in training
  /// (Tompson et al. 2015, Efficient Object Localization Using Convolutional Networks).
  @inline(never)
  package mutating func dropout2d(
    _ input: Value, name: String, probability: Float = 0.5
  ) throws(SasukaError) -> Value {
    let draw = try dropoutDraw(probability, "dropout2d", name)
    return try append(MapDropout(draw, .maps), name: name, inputs: [input])[0]
  }

  /// Zeroes whole samples of [batch, channels, height, width] with probability p in training: before the sum with a
  /// shortcut, it skips a block (Huang et al. 2016, Deep Networks with Stochastic Depth).
  @inline(never)
  package mutating func stochasticDepth(
    _ input: Value, name: String, probability: Float
  ) throws(SasukaError) -> Value {
    let draw = try dropoutDraw(probability, "stochastic_depth", name)
    return try append(MapDropout(draw, .samples), name: name, inputs: [input])[0]
  }

  /// The node's place in the network is the stream of its random numbers.
  private func dropoutDraw(
    _ probability: Float, _ kind: String, _ name: String
  ) throws(SasukaError) -> DropoutDraw {
    guard probability >= 0, probability <= 1 else {
      throw SasukaError(.invalidArgument, "\(kind) \"\(name)\": probability \(probability); 0 to 1 is expected")
    }
    return DropoutDraw(probability: probability, stream: UInt32(truncatingIfNeeded: nodes.count))
  }
}

/// Which elements a node drops: a function of the run's random state and the element's row-major place only.
package struct DropoutDraw: Sendable {
  package let probability: Float
  package let stream: UInt32

  package init(probability: Float, stream: UInt32) {
    self.probability = probability
    self.stream = stream
  }

  /// Whether the elements 4 `group` to 4 `group` + 3 are kept.
  func keeps(_ random: RandomState, group: Int) -> SIMDMask<SIMD4<Int32>> {
    let words = random.words(stream: stream, index: UInt64(truncatingIfNeeded: group))
    let units = SIMD4<Float>(words &>> 8) * 0x1p-24
    return units .>= probability
  }
}

/// What becomes of elements: a x + b of the kept, c of the dropped.
package struct DropoutValues: Equatable, Sendable {
  package let scale: Float
  package let shift: Float
  package let dropped: Float

  /// 1 / (1 - p) for the kept, 0 for the dropped.
  package static func scaled(_ probability: Float) -> DropoutValues {
    DropoutValues(scale: probability < 1 ? 1 / (1 - probability) : 0, shift: 0, dropped: 0)
  }

  /// Mean 0 and variance 1 stay what they are.
  package static func selfNormalizing(_ probability: Float) -> DropoutValues {
    guard probability < 1 else { return DropoutValues(scale: 0, shift: 0, dropped: 0) }
    // alpha * scale of SELU, with its sign changed.
    let saturation = 1.7580993408473766
    let p = Double(probability)
    let scale = 1 / ((1 - p) * (1 + p * saturation * saturation)).squareRoot()
    let shift = scale * saturation * p
    return DropoutValues(scale: Float(scale), shift: Float(shift), dropped: Float(shift - scale * saturation))
  }

  /// The same for the gradient: constants vanish.
  var derivative: DropoutValues { DropoutValues(scale: scale, shift: 0, dropped: 0) }
}

/// Dropout of single elements; its own gradient is another one with the same draw.
package final class Dropout: Operator {
  package let kind = "dropout"
  package let layoutRule = LayoutRule.plain
  private let draw: DropoutDraw
  private let values: DropoutValues

  package init(_ draw: DropoutDraw, _ values: DropoutValues) {
    self.draw = draw
    self.values = values
  }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputs[0]] }

  package func specialized(for mode: Mode) -> (any Operator)? {
    mode == .training && draw.probability > 0 ? self : nil
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let operation = Dropout(draw, values.derivative)
    context.setGradient(ofInput: 0, try context.append(operation, [context.outputGradient])[0])
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let x = UnsafePointer(lowering.pointer(node.inputs[0]))
    let y = lowering.pointer(node.outputs[0])
    let chunks = Chunks(of: lowering.storageCount(node.outputs[0]))
    let (draw, values) = (draw, values)
    lowering.step(units: chunks.count) { unit, context in
      let range = chunks[unit]
      // Chunks begin at multiples of four.
      for first in stride(from: range.lowerBound, to: range.upperBound, by: 4) {
        let keeps = draw.keeps(context.random, group: first / 4)
        for lane in 0..<min(4, range.upperBound - first) {
          y[first + lane] = keeps[lane] ? x[first + lane] * values.scale + values.shift : values.dropped
        }
      }
    }
  }
}

/// Dropout of whole feature maps or whole samples; its own gradient.
package final class MapDropout: Operator {
  package enum Unit: Sendable { case maps, samples }

  package var kind: String { unit == .maps ? "dropout2d" : "stochastic_depth" }
  package let layoutRule = LayoutRule.blocked
  private let draw: DropoutDraw
  private let unit: Unit

  package init(_ draw: DropoutDraw, _ unit: Unit) {
    self.draw = draw
    self.unit = unit
  }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    guard inputs[0].rank == 4 else {
      throw SasukaError(
        .invalidArgument, "input of shape \(inputs[0]); [batch, channels, height, width] is expected")
    }
    return [inputs[0]]
  }

  package func specialized(for mode: Mode) -> (any Operator)? {
    mode == .training && draw.probability > 0 ? self : nil
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    context.setGradient(ofInput: 0, try context.append(self, [context.outputGradient])[0])
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let shape = lowering.shape(node.inputs[0])
    let lanes = lowering.lanes
    let (channels, area) = (shape[1], shape[2] * shape[3])
    let blocks = Layout.blocks(of: channels, lanes: lanes)
    let x = UnsafePointer(lowering.pointer(node.inputs[0]))
    let y = lowering.pointer(node.outputs[0])
    let scale = DropoutValues.scaled(draw.probability).scale
    let draw = draw
    let dropsSamples = self.unit == .samples
    let affine = lowering.kernels.pointee.channel_affine
    lowering.needWorkerScratch(bytes: 3 * lanes * MemoryLayout<Float>.stride)
    lowering.step(units: shape[0] * blocks) { unit, context in
      let vectors = context.workerScratch.assumingMemoryBound(to: Float.self)
      vectors.clear(count: 3 * lanes)
      let block = unit % blocks
      for lane in 0..<min(lanes, channels - block * lanes) {
        let sample = unit / blocks
        let place = dropsSamples ? sample : sample * channels + block * lanes + lane
        vectors[lanes + lane] = draw.keeps(context.random, group: place / 4)[place % 4] ? scale : 0
      }
      affine!(x + unit * area * lanes, vectors, y + unit * area * lanes, Int64(area), 0)
    }
  }
}
