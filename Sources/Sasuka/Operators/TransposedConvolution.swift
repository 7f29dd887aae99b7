/// Two-dimensional transposed convolution, as PyTorch's ConvTranspose2d: the gradient of a convolution with respect to
/// its input, used as a layer.
///
/// Inputs: feature map [N, C, H, W], weight [C, O / groups, KH, KW], bias [O] where there is one; then what its epilogue needs.
package final class TransposedConvolution: Operator {
  package let kind = "transposed_convolution"
  package let layoutRule = LayoutRule.blocked
  private let attributes: TransposedConvolutionAttributes
  private let epilogue: ConvolutionEpilogue

  package convenience init(_ attributes: TransposedConvolutionAttributes, hasBias: Bool) {
    self.init(attributes, ConvolutionEpilogue(hasBias: hasBias))
  }

  private init(_ attributes: TransposedConvolutionAttributes, _ epilogue: ConvolutionEpilogue) {
    (self.attributes, self.epilogue) = (attributes, epilogue)
  }

  package func absorbing(_ follower: Follower, mode: Mode) -> (any Operator)? {
    guard mode == .evaluation else { return nil }
    return epilogue.absorbing(follower).map { TransposedConvolution(attributes, $0) }
  }

  package func inputToOverwrite(_ node: Node) -> Int? { epilogue.adds ? node.inputs.count - 1 : nil }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    let geometry = try attributes.geometry(input: inputs[0], weight: inputs[1])
    return [Shape([inputs[0][0], geometry.inputChannels, geometry.input.height, geometry.input.width])]
  }

  package func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int {
    saturatingProduct(inputs[0].count, inputs[1][1], inputs[1][2], inputs[1][3])
  }

  package func window(inputs: [Shape]) -> Window? {
    (try? attributes.geometry(input: inputs[0], weight: inputs[1]))?.window
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let (input, weight) = (context.node.inputs[0], context.node.inputs[1])
    let gradient = context.outputGradient
    let (inputShape, weightShape) = (context.shape(input), context.shape(weight))
    if context.needs[0] {
      let operation = TransposedConvolutionInputGradient(attributes, inputShape: inputShape)
      context.setGradient(ofInput: 0, try context.append(operation, [gradient, weight])[0])
    }
    if context.needs[1] {
      let attributes = attributes
      let operation = ConvolutionWeightGradient(weightShape: weightShape) {
        (_, input) throws(SasukaError) in try attributes.geometry(input: input, weight: weightShape)
      }
      context.setGradient(ofInput: 1, try context.append(operation, [gradient, input])[0])
    }
    if epilogue.hasBias, context.needs[2] {
      context.setGradient(ofInput: 2, try context.append(ChannelSums(), [gradient])[0])
    }
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let (input, weight) = (node.inputs[0], node.inputs[1])
    let geometry = try attributes.geometry(input: lowering.shape(input), weight: lowering.shape(weight))
    try lowering.convolveBack(geometry.withTapsApart, input: input, weight: weight, epilogue: epilogue, node)
  }
}

/// Gradient of a transposed convolution's input from the output's gradient and the weight: a plain convolution, of which
/// output padding may leave more places than the input has.
final class TransposedConvolutionInputGradient: Operator {
  let kind = "transposed_convolution_input_gradient"
  let layoutRule = LayoutRule.blocked
  private let attributes: TransposedConvolutionAttributes
  private let inputShape: Shape

  init(_ attributes: TransposedConvolutionAttributes, inputShape: Shape) {
    self.attributes = attributes
    self.inputShape = inputShape
  }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputShape] }

  func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int {
    saturatingProduct(inputShape.count, inputs[1][1], inputs[1][2], inputs[1][3])
  }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let geometry = try attributes.geometry(input: inputShape, weight: lowering.shape(node.inputs[1]))
    try lowering.convolve(
      [.forward(geometry, lanes: lowering.lanes)], input: node.inputs[0], weight: node.inputs[1],
      epilogue: ConvolutionEpilogue(hasBias: false), node)
  }
}

/// What a transposed convolution is told when it is made.
package struct TransposedConvolutionAttributes: Sendable {
  package var stride: Extent
  package var padding: Padding
  package var outputPadding: Extent
  package var dilation: Extent
  package var groups: Int

  package init(
    stride: Extent = Extent(1), padding: Padding = Padding(),
    outputPadding: Extent = Extent(0), dilation: Extent = Extent(1), groups: Int = 1
  ) {
    self.stride = stride
    self.padding = padding
    self.outputPadding = outputPadding
    self.dilation = dilation
    self.groups = groups
  }

  /// Sizes of the convolution whose gradient this is: its output is this layer's input.
  func geometry(input: Shape, weight: Shape) throws(SasukaError) -> ConvolutionGeometry {
    guard input.rank == 4 else {
      throw SasukaError(
        .invalidArgument, "input has shape \(input); rank 4, [batch, channels, height, width], is expected")
    }
    guard groups >= 1, input[1] == weight[0], weight[0] % groups == 0 else {
      throw SasukaError(
        .invalidArgument, "input \(input) has \(input[1]) channels; weight \(weight) expects \(weight[0])")
    }
    let height = try Window.transposedOutputSize(
      input: input[2], kernel: weight[2], stride: stride.height, dilation: dilation.height, before: padding.top,
      after: padding.bottom, outputPadding: outputPadding.height)
    let width = try Window.transposedOutputSize(
      input: input[3], kernel: weight[3], stride: stride.width, dilation: dilation.width, before: padding.left,
      after: padding.right, outputPadding: outputPadding.width)
    return ConvolutionGeometry(
      groups: groups, inputChannels: weight[1] * groups, outputChannels: weight[0],
      kernel: Extent(height: weight[2], width: weight[3]),
      stride: stride, dilation: dilation, padding: padding, input: Extent(height: height, width: width),
      output: Extent(height: input[2], width: input[3]))
  }
}

extension ConvolutionGeometry {
  /// Weights of a tap from which on it is worth a step of its own.
  private static let fewestApart = 1 << 14

  /// Of a gradient of one pixel, each tap makes a pixel alone. With a stride of the whole kernel each is a phase, whose weights are
  /// packed together: they are read once, so that it is their order in memory that takes time (DCGAN's first layer: 0.65 of it).
  fileprivate var withTapsApart: ConvolutionGeometry {
    guard output == Extent(1), inputChannels / groups * outputChannels >= ConvolutionGeometry.fewestApart else {
      return self
    }
    var result = self
    result.stride.height = max(stride.height, kernel.height * dilation.height)
    result.stride.width = max(stride.width, kernel.width * dilation.width)
    return result
  }
}

extension Graph {
  /// Adds a transposed convolution with parameters `name.weight` and, where wanted, `name.bias`, initialised as
  /// PyTorch's ConvTranspose2d.
  ///
  /// - Throws: `invalidArgument` with the value and the expectation.
  @inline(never)
  package mutating func transposedConvolution(
    _ input: Value, name: String, outputChannels: Int, kernel: Extent,
    attributes: TransposedConvolutionAttributes = TransposedConvolutionAttributes(), bias: Bool = true
  ) throws(SasukaError) -> Value {
    let groups = attributes.groups
    let channels = try inputChannels(of: input, groups: groups, outputChannels: outputChannels, name: name)
    let weightShape = try Shape(
      checking: [channels, outputChannels / groups, kernel.height, kernel.width],
      of: "weight of transposed convolution \"\(name)\"")
    do {
      _ = try attributes.geometry(input: shape(input), weight: weightShape)
    } catch {
      throw SasukaError(error.code, "transposed convolution \"\(name)\": \(error.message)")
    }
    let fanIn = weightShape.count / channels
    let inputs = try [input] + weights(name, weightShape, biasCount: bias ? outputChannels : nil, fanIn: fanIn)
    return try append(TransposedConvolution(attributes, hasBias: bias), name: name, inputs: inputs)[0]
  }
}
