/// Takes the channels of a slice or a shuffle from where the concatenations and shuffles before it had them from, so that these
/// are not computed where nobody else reads them: a block of ShuffleNet v2 (Ma et al. 2018) moves its map once, not three times.
package enum ChannelPass {
  package static func run(_ graph: Graph) throws(SasukaError) -> Graph {
    var rewriter = GraphRewriter(graph)
    var origins = [[Origin]](repeating: [], count: graph.tensors.count)
    for node in graph.nodes {
      guard let sources = node.operation.channelSources(node, graph) else {
        try rewriter.copy(node, operation: node.operation)
        continue
      }
      let isMoved = node.inputs.contains { !origins[$0.index].isEmpty }
      var found: [Origin] = []
      for source in sources {
        let input = node.inputs[source.map]
        let before = origins[input.index]
        found.append(before.isEmpty ? Origin(value: input, channel: source.channel) : before[source.channel])
      }
      // A concatenation may lie in place, and what slices leave is less than what they take it from: both stay as they are.
      let joins = node.inputs.count > 1
      if !joins && isMoved {
        let (operation, values) = gather(found)
        var inputs: [Value] = []
        for value in values { inputs.append(rewriter.mapped(value)) }
        try rewriter.copy(node, operation: operation, inputs: inputs)
      } else {
        try rewriter.copy(node, operation: node.operation)
      }
      if sources.count == graph.shape(node.inputs[0])[1] || joins { origins[node.outputs[0].index] = found }
    }
    return try DeadBranchPass.dropUnread(rewriter.finish())
  }

  /// A channel of a value that is computed.
  private struct Origin {
    let value: Value
    let channel: Int
  }

  private static func gather(_ origins: [Origin]) -> (operation: ChannelGather, inputs: [Value]) {
    var inputs: [Value] = []
    var sources: [ChannelSource] = []
    for origin in origins {
      let map = inputs.firstIndex(of: origin.value) ?? inputs.count
      if map == inputs.count { inputs.append(origin.value) }
      sources.append(ChannelSource(map: map, channel: origin.channel))
    }
    return (ChannelGather(sources), inputs)
  }
}
