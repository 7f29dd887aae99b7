/// What is taken away from a module to see what it is good for.
package enum Ablation: Int32, Sendable {
  /// The module's work: residual blocks in it keep their shortcuts alone, anything else passes its input on.
  case bypass = 0
  /// The module's results: they become 0, as when a branch of a concatenation is cut.
  case zero = 1
  /// The shortcuts of all residual blocks in it; what is left is what He et al. 2015 call a plain network.
  case shortcut = 2
}

extension Graph {
  /// The same network without what some modules contribute; their parameters go too where nothing reads them any more.
  ///
  /// - Parameter modules: names as `output(ofModule:)` takes them; "" is the whole network.
  /// - Throws: `notFound` for a module that the network has not; `invalidArgument`, saying why, where the rest would make
  ///   no sense.
  package func ablating(_ modules: [String], _ ablation: Ablation) throws(SasukaError) -> Transformation {
    let pass = AblationPass(self)
    for module in modules { try pass.mark(module, ablation) }
    return try pass.emit()
  }
}

private final class AblationPass {
  private let graph: Graph
  private let producers: [Int]
  /// What takes a tensor's place, by index: a tensor, itself, or none for zeros.
  private var substitutes: [Value?] = []
  private var isMember: [Bool]

  init(_ graph: Graph) {
    self.graph = graph
    producers = graph.producers()
    isMember = [Bool](repeating: true, count: graph.nodes.count)
    for index in graph.tensors.indices { substitutes.append(Value(index: index)) }
  }

  func mark(_ module: String, _ ablation: Ablation) throws(SasukaError) {
    if !module.isEmpty { _ = try graph.output(ofModule: module) }
    for (place, node) in graph.nodes.enumerated() { isMember[place] = module.isEmpty || node.belongs(to: module) }
    if ablation == .zero {
      for output in edge(isOutward: true) { substitutes[output.index] = nil }
      return
    }
    var found = false
    for (place, node) in graph.nodes.enumerated() where isMember[place] && isResidual(node) {
      found = true
      try reduce(node, keepsShortcut: ablation == .bypass)
    }
    if found { return }
    guard ablation == .bypass else {
      throw SasukaError(.invalidArgument, "\"\(module)\" has no sum with a shortcut")
    }
    try passThrough(module)
  }

  private func passThrough(_ module: String) throws(SasukaError) {
    let (inputs, outputs) = (edge(isOutward: false), edge(isOutward: true))
    guard inputs.count == 1, outputs.count == 1 else {
      throw SasukaError(
        .invalidArgument,
        "\"\(module)\" takes \(inputs.count) values and gives \(outputs.count); only one for one can be passed on")
    }
    let (input, output) = (graph.shape(inputs[0]), graph.shape(outputs[0]))
    guard input == output else {
      throw SasukaError(
        .invalidArgument,
        "\"\(module)\" makes \(output) of \(input); only a value of the same shape can be passed on, any can be zeroed")
    }
    substitutes[outputs[0].index] = inputs[0]
  }

  /// What the module's nodes read of others, or others of them.
  private func edge(isOutward: Bool) -> [Value] {
    var values: [Value] = []
    func add(_ value: Value, readByMember: Bool) {
      let producer = producers[value.index]
      let isWrittenByMember = producer >= 0 && isMember[producer]
      guard readByMember != isOutward, isWrittenByMember == isOutward else { return }
      if !graph.isParameter(value), !values.contains(value) { values.append(value) }
    }
    for (place, node) in graph.nodes.enumerated() {
      for input in node.inputs { add(input, readByMember: isMember[place]) }
    }
    for output in graph.outputs { add(output, readByMember: false) }
    return values
  }

  private func isResidual(_ node: Node) -> Bool {
    node.operation is Add && graph.shape(node.inputs[0]) == graph.shape(node.inputs[1])
  }

  /// Leaves a residual block's sum one of its operands. The shortcut is the one behind which fewer layers lie that the other
  /// does not need as well: none of them, or a projection.
  private func reduce(_ node: Node, keepsShortcut: Bool) throws(SasukaError) {
    let left = graph.liveNodes(for: [node.inputs[0]]).nodes
    let right = graph.liveNodes(for: [node.inputs[1]]).nodes
    var difference = 0
    for place in left.indices { difference += (left[place] ? 1 : 0) - (right[place] ? 1 : 0) }
    guard difference != 0 else {
      throw SasukaError(
        .invalidArgument,
        "add \"\(node.name)\": as many layers lie behind either operand; which one is the shortcut cannot be told")
    }
    var kept = node.inputs[(difference < 0) == keepsShortcut ? 0 : 1]
    // A block without a shortcut is never skipped: nothing would be left.
    let last = producers[kept.index]
    if !keepsShortcut, last >= 0, graph.nodes[last].operation.kind == "stochastic_depth" {
      kept = graph.nodes[last].inputs[0]
    }
    substitutes[node.outputs[0].index] = kept
  }

  func emit() throws(SasukaError) -> Transformation {
    let editor = NetworkEditor(graph)
    try editor.forEachLayer { (_, node) throws(SasukaError) in
      try editor.copy(node)
      for output in node.outputs {
        if let substitute = substitutes[output.index] {
          editor.replace(output, with: editor.mapped(substitute))
        } else {
          editor.replace(output, with: try editor.append(Zeros(), name: node.name, editor.mapped(output)))
        }
      }
      return true
    }
    return try editor.finish(outputs: graph.outputs)
  }
}
