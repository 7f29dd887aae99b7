/// Drops what a prediction does not depend on: auxiliary heads and layers that nobody uses.
package enum DeadBranchPass {
  /// The network with its first output alone; inputs and parameters stay, whether they are used or not.
  package static func run(_ graph: Graph) throws(SasukaError) -> Graph {
    var isNeeded = [Bool](repeating: false, count: graph.tensors.count)
    isNeeded[graph.outputs[0].index] = true
    var live: [Node] = []
    for node in graph.nodes.reversed() where node.outputs.contains(where: { isNeeded[$0.index] }) {
      for input in node.inputs { isNeeded[input.index] = true }
      live.append(node)
    }
    var rewriter = GraphRewriter(graph)
    for node in live.reversed() { try rewriter.copy(node, operation: node.operation) }
    return rewriter.finish(outputs: [graph.outputs[0]])
  }
}
