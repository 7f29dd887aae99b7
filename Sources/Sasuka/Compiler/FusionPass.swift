/// Lets operators do the work of those behind them: normalisation, addition and ReLU in a convolution's epilogue, ReLU in
/// a normalisation, depthwise convolutions and pooling by bands.
package struct FusionPass {
  /// - Parameter wanted: values whose gradients will be asked for: what depends on them is fused as far as the gradient
  ///   rules allow, everything else as far as it goes.
  package static func run(
    _ graph: Graph, wanted: [Value] = [], passes: PassChoice = PassChoice()
  ) throws(SasukaError) -> Graph {
    var pass = FusionPass(graph, wanted, passes)
    for place in graph.nodes.indices { pass.gather(place) }
    return try pass.emit()
  }

  private let graph: Graph
  private let passes: PassChoice
  /// Whether a gradient will pass through a tensor, by index.
  private let hasGradient: [Bool]
  private let readers: Readers
  private var isAbsorbed: [Bool]
  /// What stands in a node's place; the whole chain stands where its last node stood, for there all its inputs exist.
  private var results: [Node?]

  private init(_ graph: Graph, _ wanted: [Value], _ passes: PassChoice) {
    self.graph = graph
    self.passes = passes
    hasGradient = graph.dependents(on: wanted)
    readers = Readers(graph)
    isAbsorbed = [Bool](repeating: false, count: graph.nodes.count)
    results = [Node?](repeating: nil, count: graph.nodes.count)
  }

  /// Follows the chain that begins at a node as far as its operator can do the work.
  private mutating func gather(_ start: Int) {
    guard !isAbsorbed[start] else { return }
    var (last, result) = (start, graph.nodes[start])
    while readers.counts[result.outputs[0].index] == 1 {
      let next = readers.last[result.outputs[0].index]
      guard next >= 0, !isAbsorbed[next], results[next] == nil,
        let fused = fuse(result, with: graph.nodes[next])
      else { break }
      isAbsorbed[next] = true
      (last, result) = (next, fused)
    }
    results[last] = result
  }

  private func fuse(_ node: Node, with next: Node) -> Node? {
    guard let follower = next.operation.follower, isSound(follower, node, next),
      let operation = node.operation.absorbing(
        follower, mode: hasGradient[next.outputs[0].index] ? .training : .evaluation)
    else { return nil }
    var others: [Value] = []
    for input in next.inputs where input != node.outputs[0] { others.append(input) }
    var name = node.name
    if case .window = follower { name += " + \(next.name)" }
    return Node(
      name: name, operation: operation, inputs: node.inputs + others,
      outputs: [next.outputs[0]] + node.outputs.dropFirst())
  }

  private func isSound(_ follower: Follower, _ node: Node, _ next: Node) -> Bool {
    switch follower {
    case .normalization: guard passes.makes(.folding) else { return false }
    case .window(let window): return passes.makes(.bands) && BandPass.pays(node, window, next, graph)
    case .function(let function) where function.epilogueFlag == 0:
      // Of fewer channels most lanes are none's: in planes there is less to compute.
      let map = graph.shape(next.inputs[0])
      guard passes.makes(.fusion), map.rank == 4, map[1] > 8 else { return false }
    default: guard passes.makes(.fusion) else { return false }
    }
    guard case .addition = follower else { return next.inputs[0] == node.outputs[0] }
    return graph.shape(next.inputs[0]) == graph.shape(next.inputs[1])
  }

  private func emit() throws(SasukaError) -> Graph {
    let rewriter = GraphRewriter(graph)
    for node in results {
      guard let node else { continue }
      try rewriter.copy(node, operation: node.operation)
    }
    return rewriter.finish()
  }
}
