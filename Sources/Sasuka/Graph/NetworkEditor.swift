/// A network made from another, and where its numbers come from.
package struct Transformation {
  package let graph: Graph
  /// For each parameter the original's place whose numbers it takes over, in their order; -1 where it is drawn anew.
  package let origins: [Int]
}

/// Writes a changed network down, layer by layer. Parameters keep the original's order; at the end it leaves out what no
/// output depends on any more.
final class NetworkEditor {
  let original: Graph
  private let rewriter: GraphRewriter
  // Of the parameters that the original has not: behind which of its own they stand, and whose numbers they take over.
  private var addedPlaces: [Int] = []
  private var addedOrigins: [Int] = []

  @inline(never)
  init(_ original: Graph) {
    self.original = original
    rewriter = GraphRewriter(original)
  }

  /// What a value of the original became.
  @inline(never)
  func mapped(_ value: Value) -> Value { rewriter.mapped(value) }

  @inline(never)
  func replace(_ value: Value, with new: Value) { rewriter.replace(value, with: new) }

  /// Copies every layer but those that `write` says it has written itself.
  @inline(never)
  func forEachLayer(_ write: (Int, Node) throws(SasukaError) -> Bool) throws(SasukaError) {
    for (place, node) in original.nodes.enumerated() where try !write(place, node) {
      try rewriter.copy(node, operation: node.operation)
    }
  }

  @inline(never)
  func copy(_ node: Node) throws(SasukaError) { try rewriter.copy(node, operation: node.operation) }

  /// Puts an operator, with an input and parameters of the new network, in a layer's place and under its name.
  @inline(never)
  func substitute(
    _ node: Node, _ operation: any Operator, _ input: Value, parameters: [Value]
  ) throws(SasukaError) {
    try rewriter.copy(node, operation: operation, inputs: [input] + parameters)
  }

  @inline(never)
  func append(_ operation: any Operator, name: String, _ input: Value) throws(SasukaError) -> Value {
    try rewriter.append(operation, name: name, inputs: [input])[0]
  }

  /// A layer's parameters as they are.
  @inline(never)
  func parameters(of node: Node) -> [Value] {
    var values: [Value] = []
    for input in node.inputs.dropFirst() { values.append(mapped(input)) }
    return values
  }

  /// The weight, of another shape, and the bias of a last layer, drawn anew as PyTorch draws them.
  @inline(never)
  func drawnParameters(of node: Node, weight: Shape) throws(SasukaError) -> [Value] {
    let initializer = Initializer.uniform(bound: 1 / Float(weight.fanIn).squareRoot())
    var values: [Value] = []
    for input in node.inputs.dropFirst() {
      let size = values.count == 0 ? weight : Shape([weight[0]])
      let name = original[input].name
      values.append(try add(name, size, behind: original.parameterPlace(input) ?? -1, origin: -1, initializer))
    }
    return values
  }

  /// A weight's numbers under another shape.
  @inline(never)
  func reshape(_ weight: Value, _ shape: Shape) throws(SasukaError) -> Value {
    guard let place = original.parameterPlace(weight) else { return mapped(weight) }
    let old = original.parameters[place]
    return try add(old.name, shape, behind: place, origin: place, old.initializer)
  }

  /// A new learnt parameter behind those of the layers before the node at `place`.
  @inline(never)
  func addParameter(
    _ name: String, _ shape: Shape, before place: Int, _ initializer: Initializer
  ) throws(SasukaError) -> Value {
    let last = original.parameterPlaces(of: 0..<place).last ?? -1
    return try add(name, shape, behind: last, origin: -1, initializer)
  }

  @inline(never)
  private func add(
    _ name: String, _ shape: Shape, behind place: Int, origin: Int, _ initializer: Initializer
  ) throws(SasukaError) -> Value {
    addedPlaces.append(place)
    addedOrigins.append(origin)
    let checked = try Shape(checking: shape.dimensions, of: name)
    return rewriter.addParameter(
      ParameterInfo(name: name, shape: checked, kind: .weight, initializer: initializer, value: Value(index: -1)))
  }

  /// The finished network, with the original's outputs or some of them.
  @inline(never)
  func finish(outputs: [Value]) throws(SasukaError) -> Transformation {
    let draft = rewriter.finish(outputs: outputs)
    let isNeeded = draft.liveNodes(for: draft.outputs).tensors
    let own = original.parameters.count
    var (places, origins): ([Int], [Int]) = ([], [])
    for place in -1..<own {
      if place >= 0, isNeeded[draft.parameters[place].value.index] {
        places.append(place)
        origins.append(place)
      }
      for number in addedPlaces.indices
      where addedPlaces[number] == place && isNeeded[draft.parameters[own + number].value.index] {
        places.append(own + number)
        origins.append(addedOrigins[number])
      }
    }
    var graph = try DeadBranchPass.run(draft, outputs: draft.outputs, parameters: places)
    // Its preprocessing goes with a network.
    graph.architecture = original.architecture
    if outputs.count > 1 { graph.auxiliaryLossWeights = original.auxiliaryLossWeights }
    graph.indexParameters()
    for (place, parameter) in graph.parameters.enumerated() where graph.parameterIndex(parameter.name) != place {
      throw SasukaError(
        .invalidArgument,
        "the changed network would have two parameters \"\(parameter.name)\"; each module needs a name of its own")
    }
    return Transformation(graph: graph, origins: origins)
  }
}
