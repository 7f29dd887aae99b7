/// Drops what the outputs do not depend on: auxiliary heads and layers that nobody uses.
package enum DeadBranchPass {
  /// The network with its prediction and some other values as outputs; inputs and parameters stay, used or not.
  package static func run(_ graph: Graph, observing values: [Value] = []) throws(SasukaError) -> Graph {
    try run(graph, outputs: [graph.outputs[0]] + values, parameters: Array(graph.parameters.indices))
  }

  /// The network without nodes that its outputs do not depend on.
  static func dropUnread(_ graph: Graph) throws(SasukaError) -> Graph {
    try run(graph, outputs: graph.outputs, parameters: Array(graph.parameters.indices))
  }

  /// The part of a network that some values depend on, with some parameters in the order of the list.
  static func run(_ graph: Graph, outputs: [Value], parameters: [Int]) throws(SasukaError) -> Graph {
    let isLive = graph.liveNodes(for: outputs).nodes
    let rewriter = GraphRewriter(graph, parameters: parameters)
    for (place, node) in graph.nodes.enumerated() where isLive[place] {
      try rewriter.copy(node, operation: node.operation)
    }
    return rewriter.finish(outputs: outputs)
  }
}

extension Graph {
  /// Which nodes some values depend on, by place, and which tensors, by index.
  @inline(never)
  func liveNodes(for outputs: [Value]) -> (nodes: [Bool], tensors: [Bool]) {
    var isNeeded = [Bool](repeating: false, count: tensors.count)
    var isLive = [Bool](repeating: false, count: nodes.count)
    for output in outputs { isNeeded[output.index] = true }
    for place in nodes.indices.reversed() where nodes[place].outputs.contains(where: { isNeeded[$0.index] }) {
      isLive[place] = true
      for input in nodes[place].inputs { isNeeded[input.index] = true }
    }
    return (isLive, isNeeded)
  }
}
