/// Two-dimensional convolution (cross-correlation, as PyTorch's Conv2d) with an optional bias.
///
/// Inputs: feature map [N, C, H, W], weight [O, C / groups, KH, KW], bias [O] where there is one; then what its epilogue
/// needs: the normalisation's parameters, the tensor that is added. One that reads two maps has the other as its last input.
package final class Convolution: Operator, Equatable, Sendable {
  package let kind = "convolution"
  package let layoutRule: LayoutRule
  let attributes: ConvolutionAttributes
  let epilogue: ConvolutionEpilogue
  /// Where channels come from two maps by turns, as a channel shuffle leaves them, the first that is read of either; they are
  /// read where they lie, as a kernel of two taps reads pixels.
  private let firstOfTurns: Int?

  /// Channels of an image that is read in planes, at most: all that any vector holds.
  fileprivate static let mostPlanes = 4

  /// - Parameter readsPlanes: whether the input is taken as the host lays it out, which pays for an image of a few channels.
  package convenience init(_ attributes: ConvolutionAttributes, hasBias: Bool, readsPlanes: Bool = false) {
    // As many as there can be with a convolution behind it.
    let planes = LayoutRule.mixed(inputs: [false] + [Bool](repeating: true, count: 20), outputs: [true])
    self.init(attributes, ConvolutionEpilogue(hasBias: hasBias), readsPlanes ? planes : .blocked)
  }

  private init(
    _ attributes: ConvolutionAttributes, _ epilogue: ConvolutionEpilogue, _ layoutRule: LayoutRule,
    firstOfTurns: Int? = nil
  ) {
    self.attributes = attributes
    self.epilogue = epilogue
    self.layoutRule = layoutRule
    self.firstOfTurns = firstOfTurns
  }

  /// The same over channels that come from two maps of one shape by turns, from channel `first` of either on; nil for one that
  /// does more than multiply each pixel by itself.
  ///
  /// - Parameter kernel: the weight's shape.
  func takingTurns(from first: Int, kernel: Shape) -> Convolution? {
    guard attributes.groups == 1, attributes.stride == Extent(1), attributes.hasNoBorder, !epilogue.adds, !readsPlanes,
      kernel.rank == 4, kernel[2] == 1, kernel[3] == 1, kernel[1] % 2 == 0
    else { return nil }
    return Convolution(attributes, epilogue, layoutRule, firstOfTurns: first)
  }

  var readsPlanes: Bool {
    if case .mixed = layoutRule { return true }
    return false
  }

  package static func == (left: Convolution, right: Convolution) -> Bool { left === right }

  package var follower: Follower? { attributes.groups > 1 ? .window(.depthwise(self)) : nil }

  package func absorbing(_ follower: Follower, mode: Mode) -> (any Operator)? {
    guard mode == .evaluation else { return nil }
    if case .window(let next) = follower { return BandedConvolution(self, next) }
    return absorbing(follower)
  }

  func absorbing(_ follower: Follower) -> Convolution? {
    epilogue.absorbing(follower).map { Convolution(attributes, $0, layoutRule) }
  }

  package func inputToOverwrite(_ node: Node) -> Int? { epilogue.adds ? node.inputs.count - 1 : nil }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    let geometry = try geometry(input: inputs[0], weight: inputs[1])
    return [Shape([inputs[0][0], geometry.outputChannels, geometry.output.height, geometry.output.width])]
  }

  package func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int {
    let kernel = inputs[1]
    return saturatingProduct(outputs[0].count, kernel[1], kernel[2], kernel[3])
  }

  package func window(inputs: [Shape]) -> Window? {
    (try? attributes.geometry(input: inputs[0], weight: inputs[1]))?.window
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let (input, weight) = (context.node.inputs[0], context.node.inputs[1])
    let gradient = context.outputGradient
    if context.needs[0] {
      let operation = ConvolutionInputGradient(attributes, inputShape: context.shape(input))
      context.setGradient(ofInput: 0, try context.append(operation, [gradient, weight])[0])
    }
    if context.needs[1] {
      let (attributes, weightShape) = (attributes, context.shape(weight))
      let operation = ConvolutionWeightGradient(weightShape: weightShape) {
        (input, _) throws(SasukaError) in try attributes.geometry(input: input, weight: weightShape)
      }
      context.setGradient(ofInput: 1, try context.append(operation, [input, gradient])[0])
    }
    if epilogue.hasBias, context.needs[2] {
      context.setGradient(ofInput: 2, try context.append(ChannelSums(), [gradient])[0])
    }
  }

  private func geometry(input: Shape, weight: Shape) throws(SasukaError) -> ConvolutionGeometry {
    let whole = firstOfTurns == nil ? input : input.replacing(axis: 1, with: weight[1])
    return try attributes.geometry(input: whole, weight: weight)
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let (input, weight) = (node.inputs[0], node.inputs[1])
    let geometry = try geometry(input: lowering.shape(input), weight: lowering.shape(weight))
    var pass = ConvolutionPass.forward(geometry, lanes: lowering.lanes)
    if let firstOfTurns {
      // Whatever lies between the maps; in the arena all begins at a whole vector.
      let distance = lowering.pointer(node.inputs[node.inputs.count - 1]) - lowering.pointer(input)
      pass.takeTurns(from: firstOfTurns, distance: distance / lowering.lanes)
    }
    try lowering.convolve([pass], input: input, weight: weight, epilogue: epilogue, node)
  }
}

/// Gradient of a convolution's input from the output's gradient and the weight.
final class ConvolutionInputGradient: Operator {
  let kind = "convolution_input_gradient"
  let layoutRule = LayoutRule.blocked
  private let attributes: ConvolutionAttributes
  private let inputShape: Shape

  init(_ attributes: ConvolutionAttributes, inputShape: Shape) {
    self.attributes = attributes
    self.inputShape = inputShape
  }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputShape] }

  func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int {
    saturatingProduct(inputs[0].count, inputs[1][1], inputs[1][2], inputs[1][3])
  }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let geometry = try attributes.geometry(input: inputShape, weight: lowering.shape(node.inputs[1]))
    try lowering.convolveBack(
      geometry, input: node.inputs[0], weight: node.inputs[1], epilogue: ConvolutionEpilogue(hasBias: false), node)
  }
}

/// What a convolution is told when it is made; sizes follow from the shapes of its inputs.
package struct ConvolutionAttributes: Sendable {
  package var stride: Extent
  package var padding: PaddingMode
  package var dilation: Extent
  package var groups: Int

  package init(
    stride: Extent = Extent(1), padding: PaddingMode = .valid,
    dilation: Extent = Extent(1), groups: Int = 1
  ) {
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
    self.groups = groups
  }

  /// Whether a kernel of one tap stays within the map.
  var hasNoBorder: Bool {
    switch padding {
    case .explicit(let padding): padding == Padding()
    default: true
    }
  }

  /// - Throws: `invalidArgument` where the shapes do not fit each other or the attributes.
  func geometry(input: Shape, weight: Shape) throws(SasukaError) -> ConvolutionGeometry {
    guard input.rank == 4 else {
      throw SasukaError(
        .invalidArgument, "input has shape \(input); rank 4, [batch, channels, height, width], is expected")
    }
    guard groups >= 1, weight[0] % groups == 0, weight[1] * groups == input[1] else {
      throw SasukaError(
        .invalidArgument,
        "input \(input) has \(input[1]) channels; weight \(weight) in \(groups) groups expects \(weight[1] * groups)")
    }
    let (size, kernel) = (Extent(height: input[2], width: input[3]), Extent(height: weight[2], width: weight[3]))
    let padding = try self.padding.resolved(input: size, kernel: kernel, stride: stride, dilation: dilation)
    let window = Window(kernel: kernel, stride: stride, dilation: dilation, padding: padding)
    return ConvolutionGeometry(
      groups: groups, inputChannels: input[1], outputChannels: weight[0], kernel: kernel, stride: stride,
      dilation: dilation, padding: padding, input: size, output: try window.outputSize(of: size))
  }
}

extension Graph {
  /// Adds a convolution with parameters `name.weight` and, where wanted, `name.bias`, initialised as PyTorch's Conv2d.
  ///
  /// - Throws: `invalidArgument` with the value and the expectation.
  @inline(never)
  package mutating func convolution(
    _ input: Value, name: String, outputChannels: Int, kernel: Extent, stride: Extent = Extent(1),
    padding: PaddingMode = .valid, dilation: Extent = Extent(1), groups: Int = 1, bias: Bool = true
  ) throws(SasukaError) -> Value {
    let channels = try inputChannels(of: input, groups: groups, outputChannels: outputChannels, name: name)
    let weightShape = try Shape(
      checking: [outputChannels, channels / groups, kernel.height, kernel.width],
      of: "weight of convolution \"\(name)\"")
    let attributes = ConvolutionAttributes(
      stride: stride, padding: padding, dilation: dilation, groups: groups)
    do {
      _ = try attributes.geometry(input: shape(input), weight: weightShape)
    } catch {
      throw SasukaError(error.code, "convolution \"\(name)\": \(error.message)")
    }
    let fanIn = weightShape.count / outputChannels
    let inputs = try [input] + weights(name, weightShape, biasCount: bias ? outputChannels : nil, fanIn: fanIn)
    let operation = Convolution(
      attributes, hasBias: bias, readsPlanes: groups == 1 && channels <= Convolution.mostPlanes)
    return try append(operation, name: name, inputs: inputs)[0]
  }

  /// Weight and bias as PyTorch initialises them: uniform within 1 / √fanIn.
  mutating func weights(
    _ name: String, _ weightShape: Shape, biasCount: Int?, fanIn: Int
  ) throws(SasukaError) -> [Value] {
    let initializer = Initializer.uniform(bound: 1 / Float(fanIn).squareRoot())
    var values = [try addParameter("\(name).weight", shape: weightShape, initializer: initializer)]
    if let biasCount {
      values.append(try addParameter("\(name).bias", shape: Shape([biasCount]), initializer: initializer))
    }
    return values
  }

  /// Channels of a feature map that is to be convolved in groups.
  func inputChannels(of input: Value, groups: Int, outputChannels: Int, name: String) throws(SasukaError) -> Int {
    let shape = shape(input)
    guard shape.rank == 4 else {
      throw SasukaError(
        .invalidArgument,
        "\"\(name)\": input has shape \(shape); rank 4, [batch, channels, height, width], is expected")
    }
    guard groups >= 1, shape[1] % groups == 0, outputChannels >= 1, outputChannels % groups == 0 else {
      throw SasukaError(
        .invalidArgument,
        "\"\(name)\": \(groups) groups do not divide \(shape[1]) input channels and \(outputChannels) output channels")
    }
    return shape[1]
  }
}
