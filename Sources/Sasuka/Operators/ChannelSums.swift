import CSystem

/// The sum over batch and pixels of each channel of a feature map: the gradient of a bias.
final class ChannelSums: Operator {
  let kind = "channel_sums"
  let layoutRule = LayoutRule.blocked

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [Shape([inputs[0][1]])] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let shape = lowering.shape(node.inputs[0])
    let lanes = lowering.lanes
    let blocks = Layout.blocks(of: shape[1], lanes: lanes)
    let area = shape[2] * shape[3]
    let map = UnsafePointer(lowering.pointer(node.inputs[0]))
    let sums = lowering.pointer(node.outputs[0])
    let kernel = lowering.kernels.pointee.channel_sums!
    lowering.step(units: blocks) { block, _ in
      kernel(
        map + block * area * lanes, Int64(shape[0]), Int64(blocks * area * lanes), Int64(area),
        Int64(min(lanes, shape[1] - block * lanes)), sums + block * lanes, 0)
    }
  }
}
