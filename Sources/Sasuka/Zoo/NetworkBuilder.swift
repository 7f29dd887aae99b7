/// Writes a network down: a graph, and the layers that families share, under torchvision's names.
package struct NetworkBuilder {
  var graph = Graph()
  /// What failed first. From then on nothing is added, and what a layer gives is its input: so that architectures read as lists of
  /// layers.
  private(set) var failure: SasukaError?
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

  /// A layer behind `x`; `x` itself where something has failed.
  @inline(__always)
  private mutating func attempt(_ x: Value, _ layer: (inout Graph) throws(SasukaError) -> Value) -> Value {
    guard failure == nil else { return x }
    do throws(SasukaError) {
      return try layer(&graph)
    } catch {
      failure = error
      return x
    }
  }

  func channels(_ x: Value) -> Int { graph.shape(x)[1] }

  /// A convolution; the padding keeps the size at stride 1 unless another is given.
  @inline(never)
  mutating func convolution(
    _ x: Value, _ name: String, _ channels: Int, _ kernel: Int, stride: Int = 1, padding: Int? = nil, groups: Int = 1,
    dilation: Int = 1, bias: Bool = false
  ) -> Value {
    attempt(x) { (graph) throws(SasukaError) in
      try graph.convolution(
        x, name: name, outputChannels: channels, kernel: Extent(kernel), stride: Extent(stride),
        padding: .explicit(Padding(padding ?? kernel / 2 * dilation)), dilation: Extent(dilation), groups: groups,
        bias: bias)
    }
  }

  /// The block of the Inception networks: convolution, batch normalisation, ReLU.
  @inline(never)
  mutating func basicConvolution(
    _ x: Value, _ name: String, _ channels: Int, _ kernel: Extent, stride: Int = 1, isPadded: Bool = true
  ) -> Value {
    let (height, width) = (kernel.height / 2, kernel.width / 2)
    let padding = isPadded ? Padding(top: height, bottom: height, left: width, right: width) : Padding()
    let y = attempt(x) { (graph) throws(SasukaError) in
      let y = try graph.convolution(
        x, name: name + ".conv", outputChannels: channels, kernel: kernel, stride: Extent(stride),
        padding: .explicit(padding), bias: false)
      return try graph.batchNorm(y, name: name + ".bn", epsilon: 0.001)
    }
    return relu(y, name + ".relu")
  }

  @inline(never)
  mutating func norm(_ x: Value, _ name: String) -> Value {
    attempt(x) { [normLayer, epsilon, momentum] (graph) throws(SasukaError) in
      switch normLayer {
      case .none: x
      case .batch: try graph.batchNorm(x, name: name, epsilon: epsilon, momentum: momentum)
      case .group(let groups): try graph.groupNorm(x, name: name, groups: groups)
      }
    }
  }

  /// torchvision's Conv2dNormActivation: convolution, normalisation and, unless nil, an activation at `name.0` to `name.2`.
  @inline(never)
  mutating func layer(
    _ x: Value, _ name: String, _ channels: Int, _ kernel: Int, stride: Int = 1, groups: Int = 1, dilation: Int = 1,
    _ activation: Activation.Function?
  ) -> Value {
    let y = norm(
      convolution(x, name + ".0", channels, kernel, stride: stride, groups: groups, dilation: dilation), name + ".1")
    guard let activation else { return y }
    return self.activation(y, name + ".2", activation)
  }

  /// The first half of an inverted residual: layers that expand to `width` channels, unless there are as many, and that
  /// filter each alone; and the free place under `name` behind them.
  @inline(never)
  mutating func expandedDepthwise(
    _ x: Value, _ name: String, _ width: Int, _ kernel: Int, stride: Int, dilation: Int = 1,
    _ activation: Activation.Function
  ) -> (value: Value, place: Int) {
    let isExpanded = width != channels(x)
    let expanded = isExpanded ? layer(x, name + ".0", width, 1, activation) : x
    let place = isExpanded ? 1 : 0
    let y = layer(
      expanded, name + "." + place, width, kernel, stride: stride, groups: width, dilation: dilation, activation)
    return (y, place + 1)
  }

  /// A factor for each channel from what all of them are on average (Hu et al. 2017, Squeeze-and-Excitation Networks).
  @inline(never)
  mutating func squeezeExcitation(
    _ x: Value, _ name: String, _ squeezed: Int, _ activation: Activation.Function, _ gate: Activation.Function
  ) -> Value {
    var y = adaptiveAveragePool(x, name + ".avgpool", 1)
    y = self.activation(convolution(y, name + ".fc1", squeezed, 1, bias: true), name + ".activation", activation)
    y = self.activation(convolution(y, name + ".fc2", channels(x), 1, bias: true), name + ".scale_activation", gate)
    return attempt(x) { (graph) throws(SasukaError) in try graph.multiply(x, y, name: name + ".scale") }
  }

  /// The sum of a block's result with its shortcut; `depth` (0 to 1) is the block's place in the network.
  @inline(never)
  mutating func residual(_ y: Value, _ shortcut: Value, _ name: String, depth: Float, published: Float = 0) -> Value {
    let probability = choices.stochasticDepth.value(published: published) * depth
    let kept = attempt(y) { (graph) throws(SasukaError) in
      probability > 0
        ? try graph.stochasticDepth(y, name: name + ".stochastic_depth", probability: probability) : y
    }
    return add(kept, shortcut, name + ".add")
  }

  @inline(never)
  mutating func add(_ x: Value, _ y: Value, _ name: String) -> Value {
    attempt(x) { (graph) throws(SasukaError) in try graph.add(x, y, name: name) }
  }

  @inline(never)
  mutating func activation(_ x: Value, _ name: String, _ function: Activation.Function) -> Value {
    attempt(x) { (graph) throws(SasukaError) in try graph.activation(x, function, name: name) }
  }

  mutating func relu(_ x: Value, _ name: String = "relu") -> Value { activation(x, name, .relu) }

  @inline(never)
  mutating func maxPool(
    _ x: Value, _ name: String, _ kernel: Int, stride: Int, padding: Int = 0, ceil: Bool = false
  ) -> Value {
    attempt(x) { (graph) throws(SasukaError) in
      try graph.maxPool(
        x, name: name, kernel: Extent(kernel), stride: Extent(stride), padding: .explicit(Padding(padding)), ceil: ceil)
    }
  }

  @inline(never)
  mutating func averagePool(_ x: Value, _ name: String, _ kernel: Int, stride: Int, padding: Int = 0) -> Value {
    attempt(x) { (graph) throws(SasukaError) in
      try graph.averagePool(
        x, name: name, kernel: Extent(kernel), stride: Extent(stride), padding: .explicit(Padding(padding)))
    }
  }

  @inline(never)
  mutating func adaptiveAveragePool(_ x: Value, _ name: String, _ size: Int) -> Value {
    attempt(x) { (graph) throws(SasukaError) in try graph.adaptiveAveragePool(x, name: name, output: Extent(size)) }
  }

  @inline(never)
  mutating func flatten(_ x: Value, _ name: String) -> Value {
    attempt(x) { (graph) throws(SasukaError) in try graph.flatten(x, name: name) }
  }

  /// Average pooling to size x size, then one axis of features.
  mutating func pooled(_ x: Value, _ name: String = "avgpool", size: Int = 1) -> Value {
    flatten(adaptiveAveragePool(x, name, size), "flatten")
  }

  @inline(never)
  mutating func linear(_ x: Value, _ name: String, _ features: Int) -> Value {
    attempt(x) { (graph) throws(SasukaError) in try graph.linear(x, name: name, outputFeatures: features) }
  }

  /// Dropout with the published probability or the caller's, where it is not 0.
  @inline(never)
  mutating func dropout(_ x: Value, _ name: String, _ published: Float) -> Value {
    let probability = choices.dropout.value(published: published)
    return probability > 0 ? dropout(x, name, probability: probability) : x
  }

  @inline(never)
  mutating func dropout(_ x: Value, _ name: String, probability: Float) -> Value {
    attempt(x) { (graph) throws(SasukaError) in try graph.dropout(x, name: name, probability: probability) }
  }

  @inline(never)
  mutating func concatenate(_ branches: [Value], _ name: String) -> Value {
    attempt(branches[0]) { (graph) throws(SasukaError) in try graph.concatenate(branches, name: name) }
  }

  /// Some of the channels.
  @inline(never)
  mutating func slice(_ x: Value, _ name: String, _ channels: Range<Int>) -> Value {
    attempt(x) { (graph) throws(SasukaError) in
      try graph.slice(x, axis: 1, start: channels.lowerBound, end: channels.upperBound, name: name)
    }
  }

  mutating func channelShuffle(_ x: Value, _ name: String, groups: Int) -> Value {
    attempt(x) { (graph) throws(SasukaError) in try graph.channelShuffle(x, groups: groups, name: name) }
  }

  /// The input as networks want it whose first authors normalised by mean and deviation 0.5, from one normalised with
  /// ImageNet's statistics.
  mutating func transformedInput(_ x: Value) -> Value {
    guard choices.transformsInput.value(published: false) else { return x }
    return attempt(x) { (graph) throws(SasukaError) in try graph.transformedInput(x) }
  }

  /// Adds the prediction of an auxiliary head.
  mutating func addAuxiliary(_ value: Value, lossWeight: Float) { auxiliaries.append((value, lossWeight)) }

  /// Gives all weights with that many axes other first numbers; 4 are convolutions', 2 linear layers'.
  @inline(never)
  mutating func initializeWeights(axes: Int, _ initializer: (Shape) -> Initializer) {
    graph.reinitialize { $0.shape.rank == axes ? initializer($0.shape) : nil }
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

extension Graph {
  fileprivate mutating func transformedInput(_ x: Value) throws(SasukaError) -> Value {
    let channels = shape(x)[1]
    guard channels == 3 else {
      throw SasukaError(.invalidArgument, "transform_input with \(channels) channels; 3 are expected")
    }
    var planes: [Value] = []
    for (channel, (mean, deviation)) in zip(Preprocessing.imageNetMean, Preprocessing.imageNetDeviation).enumerated() {
      let name = "transform_input." + channel
      var plane = try slice(x, axis: 1, start: channel, end: channel + 1, name: name)
      for (number, isFactor) in [(deviation / 0.5, true), ((mean - 0.5) / 0.5, false)] {
        let constant = try append(Fill(shape: Shape([]), value: number), name: name, inputs: [])[0]
        plane = try isFactor ? multiply(plane, constant, name: name) : add(plane, constant, name: name)
      }
      planes.append(plane)
    }
    return try concatenate(planes, name: "transform_input")
  }
}

/// A name with a number in it: `"layer" + 1`. Interpolation is inlined wherever it stands, at some hundred bytes each.
@inline(never)
func + (name: String, number: Int) -> String { name + number.description }
