// A classifier that slides (Long, Shelhamer and Darrell 2014, Fully Convolutional Networks; Sermanet et al. 2013, OverFeat).

extension Graph {
  /// The same network with convolutions for linear layers, their numbers carried over: the first one's kernel is the size of
  /// the map that it was made for, the others' is 1 x 1. At the nominal input it computes the same scores as a map of 1 x 1;
  /// a larger picture gives a map, each of whose pixels is what the classifier says of its part of the features. An average
  /// over the whole map becomes one over windows of the nominal size, behind the last layer where it is next.
  ///
  /// Auxiliary heads are left out.
  ///
  /// - Throws: `unsupported`, naming the layer, where the classifier is made of others than linear, elementwise, average and
  ///   flattening layers.
  package func fullyConvolutional() throws(SasukaError) -> Transformation {
    let isLive = liveNodes(for: [outputs[0]]).nodes
    let slide = SlidingClassifier(self)
    try slide.editor.forEachLayer { (place, node) throws(SasukaError) in
      // What only auxiliary heads need is not written at all.
      try isLive[place] ? slide.visit(node) : slide.leaveOut(node)
    }
    return try slide.finish()
  }
}

/// Follows a classifier's vector, which is a map in the new network.
private final class SlidingClassifier {
  let editor: NetworkEditor
  /// The vector where it is now; nil before there is one.
  private var vector: Value?
  /// Part of the map that the vector was made of, and the distance of neighbours in it: those of a pooled map lie a window
  /// apart in the one that slides.
  private var window = Extent(1)
  private var dilation = Extent(1)
  /// An average that is still to be taken, if its windows are more than 1 x 1.
  private var average = Extent(1)
  private var averageName = ""
  /// Whether all that read a tensor flatten it, by index.
  private var isFlattened: [Bool]

  init(_ graph: Graph) {
    editor = NetworkEditor(graph)
    isFlattened = [Bool](repeating: true, count: graph.tensors.count)
    for node in graph.nodes where !(node.operation is Flatten) {
      for input in node.inputs { isFlattened[input.index] = false }
    }
  }

  private func shape(_ value: Value) -> Shape { editor.original.shape(value) }

  /// Nothing that is written reads it.
  func leaveOut(_ node: Node) -> Bool {
    for output in node.outputs { editor.replace(output, with: editor.mapped(editor.original.inputs[0])) }
    return true
  }

  /// Whether it has written the node.
  func visit(_ node: Node) throws(SasukaError) -> Bool {
    guard let input = node.inputs.first else { return false }
    if let vector, node.inputs.contains(vector) {
      guard vector == input else { throw misfit(node) }
      try advance(node)
      return true
    }
    let map = shape(input)
    guard map.rank == 4 else { return false }
    if node.operation is Flatten {
      window = Extent(height: map[2], width: map[3])
    } else if let size = node.adaptivePool, isFlattened[node.outputs[0].index] {
      guard let windows = node.operation.window(inputs: [map]) else {
        throw SasukaError(
          .unsupported,
          "\(node.operation.kind) \"\(node.name)\" divides a map of shape \(map) into windows of different sizes")
      }
      (window, average, dilation, averageName) = (size, windows.kernel, windows.kernel, node.name)
    } else {
      return false
    }
    guard vector == nil else { throw misfit(node) }
    pass(node)
    return true
  }

  private func pass(_ node: Node) {
    editor.replace(node.outputs[0], with: editor.mapped(node.inputs[0]))
    vector = node.outputs[0]
  }

  /// A layer of the classifier.
  private func advance(_ node: Node) throws(SasukaError) {
    if node.operation is Flatten { return pass(node) }
    let isPixel = window == Extent(1)
    var input = editor.mapped(node.inputs[0])
    var parameters = editor.parameters(of: node)
    if node.operation is Linear {
      // One weight to a feature commutes with the average.
      if !isPixel { input = try averaged(input) }
      let weight = shape(node.inputs[1])
      let size = Shape([weight[0], weight[1] / (window.height * window.width), window.height, window.width])
      parameters[0] = try editor.reshape(node.inputs[1], size)
      let attributes = ConvolutionAttributes(dilation: isPixel ? Extent(1) : dilation)
      let operation = Convolution(attributes, hasBias: parameters.count > 1)
      try editor.substitute(node, operation, input, parameters: parameters)
      window = Extent(1)
    } else {
      guard node.isElementwise else { throw misfit(node) }
      try editor.substitute(node, node.operation, averaged(input), parameters: parameters)
    }
    vector = node.outputs[0]
  }

  /// A value with the average that is left.
  private func averaged(_ value: Value) throws(SasukaError) -> Value {
    guard average != Extent(1) else { return value }
    let pool = PoolAttributes(
      kernel: average, stride: Extent(1), dilation: Extent(1), padding: .valid, ceil: false)
    average = Extent(1)
    let windows = SlidingWindows(pool, countIncludesPadding: true, divisor: nil)
    return try editor.append(AveragePool(windows), name: averageName, value)
  }

  private func misfit(_ node: Node) -> SasukaError {
    SasukaError(
      .unsupported,
      "\(node.operation.kind) \"\(node.name)\" in the classifier cannot slide; linear, activation, dropout and flatten layers, "
        + "one behind the other, are expected")
  }

  func finish() throws(SasukaError) -> Transformation {
    let output = editor.original.outputs[0]
    guard vector == output, window == Extent(1) else {
      throw SasukaError(
        .unsupported, "the prediction does not come out of linear layers or an average over a flattened map")
    }
    editor.replace(output, with: try averaged(editor.mapped(output)))
    return try editor.finish(outputs: [output])
  }
}
