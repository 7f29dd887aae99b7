/// Drops what the outputs do not depend on: auxiliary heads and layers that nobody uses.
package enum DeadBranchPass {
  /// The network with its prediction and some other values as outputs; inputs and parameters stay, used or not.
  package static func run(_ graph: Graph, observing values: [Value] = []) throws(SasukaError) -> Graph {
    let outputs = [graph.outputs[0]] + values
    var isNeeded = [Bool](repeating: false, count: graph.tensors.count)
    for output in outputs { isNeeded[output.index] = true }
    var live: [Node] = []
    for node in graph.nodes.reversed() where node.outputs.contains(where: { isNeeded[$0.index] }) {
      for input in node.inputs { isNeeded[input.index] = true }
      live.append(node)
    }
    var rewriter = GraphRewriter(graph)
    for node in live.reversed() { try rewriter.copy(node, operation: node.operation) }
    return rewriter.finish(outputs: outputs)
  }
}
