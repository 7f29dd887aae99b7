/// Takes the channels of a slice or a shuffle from where the concatenations and shuffles before it had them from, so that these
/// are not computed where nobody else reads them: a block of ShuffleNet v2 (Ma et al. 2018) moves its map once, not three times.
package enum ChannelPass {
  /// Maps of more channels are left alone: the pass remembers where each channel comes from.
  private static let mostChannels = 1 << 16

  package static func run(_ graph: Graph) throws(SasukaError) -> Graph {
    var rewriter = GraphRewriter(graph)
    // Of each tensor that others were put together to: the tensor, by its index, and the channel that each channel is.
    var origins = [[ChannelSource]](repeating: [], count: graph.tensors.count)
    var isChanged = false
    for node in graph.nodes {
      guard graph.shape(node.outputs[0]).rank == 4, graph.shape(node.outputs[0])[1] <= mostChannels,
        let sources = node.operation.channelSources(node, graph)
      else {
        try rewriter.copy(node, operation: node.operation)
        continue
      }
      var isMoved = false
      var found: [ChannelSource] = []
      for source in sources {
        let input = node.inputs[source.map].index
        let isOrigin = origins[input].isEmpty
        found.append(isOrigin ? ChannelSource(map: input, channel: source.channel) : origins[input][source.channel])
        isMoved = isMoved || !isOrigin
      }
      // A concatenation may lie in place, and what slices leave is less than what they take it from: both stay as they are.
      let joins = node.inputs.count > 1
      if !joins && isMoved {
        isChanged = true
        var (inputs, places): ([Value], [Int]) = ([], [])
        let operation = ChannelGather(numbered(found, &places))
        for place in places { inputs.append(rewriter.mapped(Value(index: place))) }
        try rewriter.copy(node, operation: operation, inputs: inputs)
      } else {
        try rewriter.copy(node, operation: node.operation)
      }
      if sources.count == graph.shape(node.inputs[0])[1] || joins { origins[node.outputs[0].index] = found }
    }
    return isChanged ? try DeadBranchPass.dropUnread(rewriter.finish()) : graph
  }

  /// The same channels with maps numbered in the order in which they are first met, and which tensors these are.
  private static func numbered(_ origins: [ChannelSource], _ tensors: inout [Int]) -> [ChannelSource] {
    var sources: [ChannelSource] = []
    for origin in origins {
      var map = 0
      while map < tensors.count, tensors[map] != origin.map { map += 1 }
      if map == tensors.count { tensors.append(origin.map) }
      sources.append(ChannelSource(map: map, channel: origin.channel))
    }
    return sources
  }
}
