/// What an operator's gradient rule sees: the node, the gradients of its outputs, and the graph that it appends to.
package struct GradientContext: ~Copyable {
  package fileprivate(set) var graph: Graph
  package let node: Node
  /// Gradient of the loss with respect to each output; nil where the loss does not depend on it.
  package let outputGradients: [Value?]
  /// Whether the gradient of each input is wanted. What is not wanted should not be computed.
  package let needs: [Bool]
  package private(set) var inputGradients: [Value?]

  init(graph: Graph, node: Node, outputGradients: [Value?], needs: [Bool]) {
    self.graph = graph
    self.node = node
    self.outputGradients = outputGradients
    self.needs = needs
    inputGradients = [Value?](repeating: nil, count: node.inputs.count)
  }

  /// Gradient of the first output; rules of operators with one output are called only where it exists.
  package var outputGradient: Value { outputGradients[0]! }
  package func shape(_ value: Value) -> Shape { graph.shape(value) }

  /// Appends a node; its name is the forward node's.
  package mutating func append(_ operation: any Operator, _ inputs: [Value]) throws(SasukaError) -> [Value] {
    try graph.append(operation, name: node.name, inputs: inputs)
  }

  /// States the gradient of one input. Where an input stands in several places, the pass adds them up.
  package mutating func setGradient(ofInput input: Int, _ gradient: Value) {
    inputGradients[input] = gradient
  }
}

/// Appends to a graph the nodes that compute the gradients of a scalar.
package struct GradientPass {
  /// Gradient of each tensor.
  private var gradients = ValueMap()
  private var graph: Graph

  /// The graph with backward nodes, and for each wanted value its gradient, nil where the loss does not depend on it.
  package static func run(
    _ graph: Graph, loss: Value, with seed: Value, wanted: [Value]
  ) throws(SasukaError) -> (Graph, [Value?]) {
    var pass = GradientPass(graph: graph)
    pass.gradients[loss] = seed
    let reachable = graph.dependents(on: wanted)
    for node in graph.nodes.reversed() {
      try pass.visit(node, reachable)
    }
    var result: [Value?] = []
    for value in wanted { result.append(pass.gradients[value]) }
    return (pass.graph, result)
  }

  private init(graph: Graph) { self.graph = graph }

  private mutating func visit(_ node: Node, _ reachable: [Bool]) throws(SasukaError) {
    var outputGradients: [Value?] = []
    for output in node.outputs { outputGradients.append(gradients[output]) }
    var needs: [Bool] = []
    for input in node.inputs { needs.append(reachable[input.index]) }
    guard outputGradients.contains(where: { $0 != nil }), needs.contains(true) else { return }
    // The graph moves into the context and back: a second reference would copy it for every node.
    var context = GradientContext(graph: Graph(), node: node, outputGradients: outputGradients, needs: needs)
    swap(&graph, &context.graph)
    try node.operation.appendGradient(&context)
    swap(&graph, &context.graph)
    for (input, gradient) in zip(node.inputs, context.inputGradients) {
      guard let gradient else { continue }
      guard let earlier = gradients[input] else {
        gradients[input] = gradient
        continue
      }
      gradients[input] = try graph.append(Add(), name: node.name, inputs: [earlier, gradient])[0]
    }
  }
}

extension Graph {
  /// Which tensors, by index, depend on some values, themselves among them.
  func dependents(on values: [Value]) -> [Bool] {
    var depends = [Bool](repeating: false, count: tensors.count)
    for value in values { depends[value.index] = true }
    for node in nodes where node.inputs.contains(where: { depends[$0.index] }) {
      for output in node.outputs { depends[output.index] = true }
    }
    return depends
  }
}
