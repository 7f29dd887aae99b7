/// Takes the channels of a slice or a shuffle from where the concatenations and shuffles before it had them from, so that these
/// are not computed where nobody else reads them: a block of ShuffleNet v2 (Ma et al. 2018) moves its map once, not three times.
/// What it then moves for a 1 x 1 convolution only, that one reads where it lies.
package enum ChannelPass {
  /// Maps of more channels are left alone: the pass remembers where each channel comes from.
  private static let mostChannels = 1 << 16

  /// - Parameter wanted: values whose gradients will be asked for: what depends on them stays as it is.
  package static func run(_ graph: Graph, wanted: [Value] = []) throws(SasukaError) -> Graph {
    // What is not read any more is dropped afterwards; a layer that nobody read before would lose its statistics.
    guard !graph.liveNodes(for: graph.outputs).nodes.contains(false) else { return graph }
    let hasGradient = graph.dependents(on: wanted)
    let rewriter = GraphRewriter(graph)
    // Of each tensor that others were put together to: the tensor, by its index, and the channel that each channel is.
    var origins = [[ChannelSource]](repeating: [], count: graph.tensors.count)
    // Of each tensor whose channels come from two maps by turns: those maps.
    var turns = [Turns?](repeating: nil, count: graph.tensors.count)
    let readers = Readers(graph).counts
    var isChanged = false
    for node in graph.nodes {
      if hasGradient[node.outputs[0].index] {
        try rewriter.copy(node, operation: node.operation)
        continue
      }
      guard graph.shape(node.outputs[0]).rank == 4, graph.shape(node.outputs[0])[1] <= mostChannels,
        let sources = node.operation.channelSources(node, graph)
      else {
        var (operation, inputs) = (node.operation, node.inputs)
        if let convolution = operation as? Convolution, readers[inputs[0].index] == 1,
          let turns = turns[inputs[0].index],
          let joined = convolution.takingTurns(from: turns.first, kernel: graph.shape(inputs[1]))
        {
          (operation, inputs[0]) = (joined, turns.one)
          inputs.append(turns.other)
        }
        try rewriter.copy(node, operation: operation, reading: inputs)
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
        var maps: [Value] = []
        let sources = numbered(found, &maps)
        turns[node.outputs[0].index] = Turns(sources, maps, graph)
        try rewriter.copy(node, operation: ChannelGather(sources), reading: maps)
      } else {
        try rewriter.copy(node, operation: node.operation)
      }
      if sources.count == graph.shape(node.inputs[0])[1] || joins { origins[node.outputs[0].index] = found }
    }
    return isChanged ? try DeadBranchPass.dropUnread(rewriter.finish()) : graph
  }

  /// The same channels with maps numbered in the order in which they are first met, and which tensors these are.
  private static func numbered(_ origins: [ChannelSource], _ maps: inout [Value]) -> [ChannelSource] {
    var sources: [ChannelSource] = []
    for origin in origins {
      var map = 0
      while map < maps.count, maps[map].index != origin.map { map += 1 }
      if map == maps.count { maps.append(Value(index: origin.map)) }
      sources.append(ChannelSource(map: map, channel: origin.channel))
    }
    return sources
  }
}

/// Two maps of one shape whose channels are taken by turns, from one channel of either on.
private struct Turns {
  /// A convolution of more channels has them moved: Strassen's products, which need that, save as much.
  private static let mostChannels = 256

  let one, other: Value
  let first: Int

  init?(_ sources: [ChannelSource], _ maps: [Value], _ graph: Graph) {
    guard maps.count == 2, sources.count <= Turns.mostChannels, graph.shape(maps[0]) == graph.shape(maps[1]) else {
      return nil
    }
    (one, other, first) = (maps[0], maps[1], sources[0].channel)
    for (place, source) in sources.enumerated() {
      guard source.map == place % 2, source.channel == first + place / 2 else { return nil }
    }
  }
}
