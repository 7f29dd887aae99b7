/// Writes a network down: a graph, and the layers that families share, under torchvision's names.
package struct NetworkBuilder {
  package var graph = Graph()
  /// Outputs of the last layer.
  let classes: Int
  /// Predictions that only training looks at, and what their losses count.
  private(set) var auxiliaries: [(value: Value, lossWeight: Float)] = []

  init(classes: Int) { self.classes = classes }

  func channels(_ x: Value) -> Int { graph.shape(x)[1] }

  /// A convolution; the padding keeps the size at stride 1 unless another is given.
  @inline(never)
  mutating func convolution(
    _ x: Value, _ name: String, _ channels: Int, _ kernel: Int, stride: Int = 1, padding: Int? = nil, groups: Int = 1,
    bias: Bool = false
  ) throws(SasukaError) -> Value {
    try graph.convolution(
      x, name: name, outputChannels: channels, kernel: Extent(kernel), stride: Extent(stride),
      padding: .explicit(Padding(padding ?? kernel / 2)), groups: groups, bias: bias)
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
  mutating func norm(_ x: Value, _ name: String, momentum: Float = 0.1) throws(SasukaError) -> Value {
    try graph.batchNorm(x, name: name, momentum: momentum)
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

  @inline(never)
  mutating func dropout(_ x: Value, _ name: String, _ probability: Float) throws(SasukaError) -> Value {
    try graph.dropout(x, name: name, probability: probability)
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

  /// Sets the biases of convolutions and linear layers, where their layers have some, to 0 at first.
  @inline(never)
  mutating func initializeBiasesWithZero() {
    graph.reinitialize { $0.name.utf8.suffix(5).elementsEqual(".bias".utf8) ? .constant(0) : nil }
  }
}
