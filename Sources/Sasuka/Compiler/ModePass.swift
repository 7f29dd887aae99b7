/// Puts in place of each operator the one for the mode of the run, and drops those that do nothing in it.
package enum ModePass {
  /// - Parameter evaluated: modules that compute as in evaluation whatever the mode.
  package static func run(
    _ graph: Graph, mode: Mode, evaluated: ModuleChoice = ModuleChoice()
  ) throws(SasukaError) -> Graph {
    let rewriter = GraphRewriter(graph)
    for node in graph.nodes {
      let mode = evaluated.contains(node.name) ? .evaluation : mode
      guard let operation = node.operation.specialized(for: mode) else {
        rewriter.replace(node.outputs[0], with: rewriter.mapped(node.inputs[0]))
        continue
      }
      try rewriter.copy(node, operation: operation)
    }
    return rewriter.finish()
  }
}

/// Builds a changed copy of a graph, node by node.
final class GraphRewriter {
  let original: Graph
  private(set) var graph = Graph()
  private var places = ValueMap()

  /// Begins a copy that holds the original's inputs and parameters.
  convenience init(_ original: Graph) {
    self.init(original, parameters: Array(original.parameters.indices))
  }

  /// Begins a copy that holds the original's inputs and some of its parameters, in the order of the list.
  init(_ original: Graph, parameters: [Int]) {
    self.original = original
    for value in original.inputs {
      let info = original[value]
      places[value] = graph.addInput(name: info.name, shape: info.shape, element: info.element)
    }
    for place in parameters {
      let parameter = original.parameters[place]
      places[parameter.value] = graph.adoptParameter(parameter)
    }
  }

  func addParameter(_ parameter: ParameterInfo) -> Value { graph.adoptParameter(parameter) }

  /// What a value of the original became in the copy.
  func mapped(_ value: Value) -> Value { places[value]! }

  func replace(_ value: Value, with new: Value) { places[value] = new }

  /// Copies a node with another operator; outputs are matched in order.
  func copy(_ node: Node, operation: any Operator) throws(SasukaError) {
    try copy(node, operation: operation, reading: node.inputs)
  }

  /// The same with other inputs, as the original has them.
  func copy(_ node: Node, operation: any Operator, reading values: [Value]) throws(SasukaError) {
    var inputs: [Value] = []
    for value in values { inputs.append(mapped(value)) }
    try copy(node, operation: operation, inputs: inputs)
  }

  func copy(_ node: Node, operation: any Operator, inputs: [Value]) throws(SasukaError) {
    let outputs = try graph.append(operation, name: node.name, inputs: inputs)
    for (old, new) in zip(node.outputs, outputs) { places[old] = new }
  }

  func append(_ operation: any Operator, name: String, inputs: [Value]) throws(SasukaError) -> [Value] {
    try graph.append(operation, name: name, inputs: inputs)
  }

  /// The finished copy, with the original's outputs.
  func finish() -> Graph { finish(outputs: original.outputs) }

  /// The finished copy, with some of the original's values as its outputs.
  func finish(outputs: [Value]) -> Graph {
    var result = graph
    for output in outputs { result.outputs.append(places[output]!) }
    return result
  }
}
