/// Writes a network down: a graph, and the layers that families share, under torchvision's names.
package struct NetworkBuilder {
  package var graph = Graph()
  /// Outputs of the last layer.
  let classes: Int
  /// Predictions that only training looks at, and what their losses count.
  private(set) var auxiliaries: [(value: Value, lossWeight: Float)] = []
  var choices: ArchitectureChoices
  /// Of the normalisations that follow.
  var epsilon: Float = 1e-5
  var momentum: Float = 0.1
  private var normLayer = NormLayer.batch

  /// Lets the caller choose the normalisations, as networks do whose norm_layer torchvision exposes.
  mutating func offerNorms() { normLayer = choices.normLayer.value(published: .batch) }

  init(classes: Int, choices: ArchitectureChoices) {
    self.classes = classes
    self.choices = choices
  }

  func channels(_ x: Value) -> Int { graph.shape(x)[1] }

  /// A convolution; the padding keeps the size at stride 1 unless another is given.
  @inline(never)
  mutating func convolution(
    _ x: Value, _ name: String, _ channels: Int, _ kernel: Int, stride: Int = 1, padding: Int? = nil, groups: Int = 1,
    dilation: Int = 1, bias: Bool = false
  ) throws(SasukaError) -> Value {
    try graph.convolution(
      x, name: name, outputChannels: channels, kernel: Extent(kernel), stride: Extent(stride),
      padding: .explicit(Padding(padding ?? kernel / 2 * dilation)), dilation: Extent(dilation), groups: groups,
      bias: bias)
  }

  /// The block of the Inception networks: convolution, batch normalisation, ReLU.
  @inline(never)
  mutating func basicConvolution(
    _ x: Value, _ name: String, _ channels: Int, _ kernel: Extent, stride: Int = 1, isPadded: Bool = true
  ) throws(SasukaError) -> Value {
    let (height, width) = (kernel.height / 2, kernel.width / 2)
    let padding = isPadded ? Padding(top: height, bottom: height, left: width, right: width) : Padding()
    let y = try graph.convolution(
      x, name: name + ".conv", outputChannels: channels, kernel: kernel, stride: Extent(stride),
      padding: .explicit(padding), bias: false)
    return try relu(graph.batchNorm(y, name: name + ".bn", epsilon: 0.001), name + ".relu")
  }

  /// Adds the prediction of an auxiliary head.
  mutating func addAuxiliary(_ value: Value, lossWeight: Float) { auxiliaries.append((value, lossWeight)) }

  @inline(never)
  mutating func norm(_ x: Value, _ name: String) throws(SasukaError) -> Value {
    switch normLayer {
    case .none: return x
    case .batch: return try graph.batchNorm(x, name: name, epsilon: epsilon, momentum: momentum)
    case .group(let groups): return try graph.groupNorm(x, name: name, groups: groups)
    }
  }

  /// torchvision's Conv2dNormActivation: convolution, normalisation and, unless nil, an activation at `name.0` to `name.2`.
  @inline(never)
  mutating func layer(
    _ x: Value, _ name: String, _ channels: Int, _ kernel: Int, stride: Int = 1, groups: Int = 1, dilation: Int = 1,
    _ activation: Activation.Function?
  ) throws(SasukaError) -> Value {
    let y = try norm(
      convolution(x, name + ".0", channels, kernel, stride: stride, groups: groups, dilation: dilation), name + ".1")
    guard let activation else { return y }
    return try graph.activation(y, activation, name: name + ".2")
  }

  /// The first half of an inverted residual: layers that expand to `width` channels, unless there are as many, and that
  /// filter each alone; and the free place under `name` behind them.
  @inline(never)
  mutating func expandedDepthwise(
    _ x: Value, _ name: String, _ width: Int, _ kernel: Int, stride: Int, dilation: Int = 1,
    _ activation: Activation.Function
  ) throws(SasukaError) -> (value: Value, place: Int) {
    let isExpanded = width != channels(x)
    let expanded = isExpanded ? try layer(x, name + ".0", width, 1, activation) : x
    let place = isExpanded ? 1 : 0
    let y = try layer(
      expanded, name + "." + place, width, kernel, stride: stride, groups: width, dilation: dilation, activation)
    return (y, place + 1)
  }

  /// A factor for each channel from what all of them are on average (Hu et al. 2017, Squeeze-and-Excitation Networks).
  @inline(never)
  mutating func squeezeExcitation(
    _ x: Value, _ name: String, _ squeezed: Int, _ activation: Activation.Function, _ gate: Activation.Function
  ) throws(SasukaError) -> Value {
    var y = try graph.adaptiveAveragePool(x, name: name + ".avgpool", output: Extent(1))
    y = try graph.activation(
      convolution(y, name + ".fc1", squeezed, 1, bias: true), activation, name: name + ".activation")
    y = try graph.activation(
      convolution(y, name + ".fc2", channels(x), 1, bias: true), gate, name: name + ".scale_activation")
    return try graph.multiply(x, y, name: name + ".scale")
  }

  /// The sum of a block's result with its shortcut; `depth` (0 to 1) is the block's place in the network.
  @inline(never)
  mutating func residual(
    _ y: Value, _ shortcut: Value, _ name: String, depth: Float, published: Float = 0
  ) throws(SasukaError) -> Value {
    let probability = choices.stochasticDepth.value(published: published) * depth
    guard probability > 0 else { return try graph.add(y, shortcut, name: name + ".add") }
    let kept = try graph.stochasticDepth(y, name: name + ".stochastic_depth", probability: probability)
    return try graph.add(kept, shortcut, name: name + ".add")
  }

  @inline(never)
  mutating func relu(_ x: Value, _ name: String = "relu") throws(SasukaError) -> Value {
    try graph.activation(x, .relu, name: name)
  }

  @inline(never)
  mutating func maxPool(
    _ x: Value, _ name: String, _ kernel: Int, stride: Int, padding: Int = 0, ceil: Bool = false
  ) throws(SasukaError) -> Value {
    try graph.maxPool(
      x, name: name, kernel: Extent(kernel), stride: Extent(stride), padding: .explicit(Padding(padding)), ceil: ceil)
  }

  @inline(never)
  mutating func linear(_ x: Value, _ name: String, _ features: Int) throws(SasukaError) -> Value {
    try graph.linear(x, name: name, outputFeatures: features)
  }

  /// Dropout with the published probability or the caller's.
  @inline(never)
  mutating func dropout(_ x: Value, _ name: String, _ published: Float) throws(SasukaError) -> Value {
    let probability = choices.dropout.value(published: published)
    return probability > 0 ? try graph.dropout(x, name: name, probability: probability) : x
  }

  /// Average pooling to size x size, then one axis of features.
  @inline(never)
  mutating func pooled(_ x: Value, _ name: String = "avgpool", size: Int = 1) throws(SasukaError) -> Value {
    let pooled = try graph.adaptiveAveragePool(x, name: name, output: Extent(size))
    return try graph.flatten(pooled, name: "flatten")
  }

  /// Gives all weights with that many axes other first numbers; 4 are convolutions', 2 linear layers'.
  @inline(never)
  mutating func initializeWeights(axes: Int, _ initializer: (Shape) -> Initializer) {
    graph.reinitialize { $0.shape.rank == axes ? initializer($0.shape) : nil }
  }

  /// The input as networks want it whose first authors normalised by mean and deviation 0.5, from one normalised with
  /// ImageNet's statistics.
  mutating func transformedInput(_ x: Value) throws(SasukaError) -> Value {
    guard choices.transformsInput.value(published: false) else { return x }
    guard channels(x) == 3 else {
      throw SasukaError(.invalidArgument, "transform_input with \(channels(x)) channels; 3 are expected")
    }
    var planes: [Value] = []
    for (channel, (mean, deviation)) in zip(Preprocessing.imageNetMean, Preprocessing.imageNetDeviation).enumerated() {
      let name = "transform_input." + channel
      var plane = try graph.slice(x, axis: 1, start: channel, end: channel + 1, name: name)
      for (number, isFactor) in [(deviation / 0.5, true), ((mean - 0.5) / 0.5, false)] {
        let constant = try graph.append(Fill(shape: Shape([]), value: number), name: name, inputs: [])[0]
        plane = try isFactor ? graph.multiply(plane, constant, name: name) : graph.add(plane, constant, name: name)
      }
      planes.append(plane)
    }
    return try graph.concatenate(planes, name: "transform_input")
  }

  /// A number of channels times a factor: a multiple of 8, not more than a tenth below.
  static func scaled(_ channels: Int, _ width: Double) -> Int {
    let exact = Double(channels) * width
    let rounded = max(8, Int(exact + 4) / 8 * 8)
    return Double(rounded) >= 0.9 * exact ? rounded : rounded + 8
  }

  /// Sets the biases of convolutions and linear layers, where their layers have some, to 0 at first.
  @inline(never)
  mutating func initializeBiasesWithZero() {
    graph.reinitialize { $0.name.utf8.ends(with: ".bias".utf8) ? .constant(0) : nil }
  }
}

/// A name with a number in it: `"layer" + 1`. Interpolation is inlined wherever it stands, at some hundred bytes each.
@inline(never)
func + (name: String, number: Int) -> String { name + number.description }
