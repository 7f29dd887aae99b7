import CSystem

/// The channels of groups interleaved: the first of each group, then the second of each, and so on
/// (Zhang et al. 2018, ShuffleNet).
package final class ChannelShuffle: Operator {
  package let kind = "channel_shuffle"
  package let layoutRule = LayoutRule.alike
  private let groups: Int

  package init(groups: Int) { self.groups = groups }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    guard inputs[0].rank >= 2, groups >= 1, inputs[0][1] % groups == 0 else {
      throw SasukaError(
        .invalidArgument,
        "\(groups) groups for an input of shape \(inputs[0]); a divisor of its channels, axis 1, is expected")
    }
    return [inputs[0]]
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let channels = context.shape(context.node.inputs[0])[1]
    let back = ChannelShuffle(groups: channels / groups)
    context.setGradient(ofInput: 0, try context.append(back, [context.outputGradient])[0])
  }

  package func channelSources(_ node: Node, _ graph: Graph) -> [ChannelSource]? {
    let channels = graph.shape(node.outputs[0])[1]
    return (0..<channels).map { ChannelSource(map: 0, channel: $0 % groups * (channels / groups) + $0 / groups) }
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    if try lowering.gatherChannels(node) { return }
    let (input, output) = (node.inputs[0], node.outputs[0])
    let shape = lowering.shape(input)
    let (groups, groupSize) = (groups, shape[1] / groups)
    let area = shape.count / (shape[0] * shape[1])
    let loops = Loops([
      Loops.Axis(count: shape[0], left: shape[1] * area, result: shape[1] * area),
      Loops.Axis(count: groupSize, left: area, result: groups * area),
      Loops.Axis(count: groups, left: groupSize * area, result: area),
      Loops.Axis(count: area, left: 1, result: 1),
    ])
    lowering.copy(loops, from: UnsafePointer(lowering.pointer(input)), to: lowering.pointer(output))
  }
}

extension Graph {
  /// Interleaves the channels of `groups` groups.
  @inline(never)
  package mutating func channelShuffle(_ input: Value, groups: Int, name: String) throws(SasukaError) -> Value {
    try append(ChannelShuffle(groups: groups), name: name, inputs: [input])[0]
  }
}
