/// Chooses the memory layout of every tensor and inserts the conversions between them.
struct LayoutPass {
  /// The graph with conversions, and the layout of each of its tensors by index.
  ///
  /// - Parameter keepsBlocked: whether results stay in the kernels' layout until somebody needs the plain one.
  static func run(_ graph: Graph, lanes: Int, keepsBlocked: Bool) throws(SasukaError) -> (Graph, [Layout]) {
    var pass = LayoutPass(graph, lanes: lanes, keepsBlocked)
    for node in graph.nodes {
      try pass.visit(node)
      // At once, so that a run which stops before the backward nodes has all of them.
      for output in node.outputs where graph.outputs.contains(output) { try pass.makeOutputPlain(output) }
    }
    for output in graph.outputs {
      if let plain = pass.outputs[output] { pass.rewriter.replace(output, with: plain) }
    }
    let result = pass.rewriter.finish()
    return (result, pass.layouts(of: result))
  }

  private let original: Graph
  private let blocked: Layout
  private let keepsBlocked: Bool
  private let readers: Readers
  private let rewriter: GraphRewriter
  /// Layouts of the copy's tensors by index, where they are not plain.
  private var blockedTensors: [Bool] = []
  /// The converted twin of a tensor of the copy.
  private var twins = ValueMap()
  /// The original's outputs as plain values of the copy, where they were blocked.
  private var outputs = ValueMap()

  private init(_ graph: Graph, lanes: Int, _ keepsBlocked: Bool) {
    original = graph
    readers = Readers(graph)
    self.keepsBlocked = keepsBlocked
    blocked = .blocked(lanes: lanes)
    rewriter = GraphRewriter(graph)
  }

  private func layouts(of graph: Graph) -> [Layout] {
    var result = [Layout](repeating: .plain, count: graph.tensors.count)
    for (index, isBlocked) in blockedTensors.enumerated() where isBlocked { result[index] = blocked }
    return result
  }

  private func isBlocked(_ value: Value) -> Bool {
    value.index < blockedTensors.count && blockedTensors[value.index]
  }

  private mutating func markBlocked(_ value: Value) {
    while blockedTensors.count <= value.index { blockedTensors.append(false) }
    blockedTensors[value.index] = true
  }

  private func canBlock(_ value: Value) -> Bool {
    let info = original[value]
    if case .parameter = info.role { return false }
    return info.shape.rank == 4 && info.element == .float32
  }

  private mutating func visit(_ node: Node) throws(SasukaError) {
    var inputs: [Value] = []
    let anyBlocked = !wastesBlocks(node) && node.inputs.contains { canBlock($0) && isBlocked(rewriter.mapped($0)) }
    for (place, input) in node.inputs.enumerated() {
      let value = rewriter.mapped(input)
      guard canBlock(input) else {
        inputs.append(value)
        continue
      }
      inputs.append(try converted(value, toBlocked: wantsBlocked(node, input: place, anyBlocked), name: node.name))
    }
    try rewriter.copy(node, operation: node.operation, inputs: inputs)
    for (place, output) in node.outputs.enumerated() where canBlock(output) {
      guard wantsBlocked(node, output: place, anyBlocked) else { continue }
      let value = rewriter.mapped(output)
      markBlocked(value)
      if keepsBlocked { continue }
      let plain = try converted(value, toBlocked: false, name: node.name)
      rewriter.replace(output, with: plain)
    }
  }

  /// Whether a node is the last before the host, and a function of single numbers, most of which would be what fills blocks up:
  /// the sigmoid of a picture of one channel.
  private func wastesBlocks(_ node: Node) -> Bool {
    guard node.operation is Activation, case .blocked(let lanes) = blocked else { return false }
    let output = node.outputs[0]
    return canBlock(output) && original.outputs.contains(output) && readers.counts[output.index] == 1
      && 2 * original.shape(output)[1] <= lanes
  }

  private func wantsBlocked(_ node: Node, input place: Int, _ anyBlocked: Bool) -> Bool {
    switch node.operation.layoutRule {
    case .plain: return false
    case .blocked: return true
    case .alike: return anyBlocked
    case .mixed(let inputs, _): return inputs[place]
    }
  }

  private func wantsBlocked(_ node: Node, output place: Int, _ anyBlocked: Bool) -> Bool {
    switch node.operation.layoutRule {
    case .plain: return false
    case .blocked: return true
    case .alike: return anyBlocked
    case .mixed(_, let outputs): return outputs[place]
    }
  }

  /// The value in the wanted layout, converted once however many nodes want it.
  private mutating func converted(_ value: Value, toBlocked: Bool, name: String) throws(SasukaError) -> Value {
    guard isBlocked(value) != toBlocked else { return value }
    if let twin = twins[value] { return twin }
    let operation = ConvertLayout(toBlocked: toBlocked)
    let twin = try rewriter.append(operation, name: name, inputs: [value])[0]
    if toBlocked { markBlocked(twin) }
    guard keepsBlocked else { return twin }
    twins[value] = twin
    twins[twin] = value
    return twin
  }

  private mutating func makeOutputPlain(_ output: Value) throws(SasukaError) {
    guard canBlock(output) else { return }
    outputs[output] = try converted(rewriter.mapped(output), toBlocked: false, name: "output")
  }
}
