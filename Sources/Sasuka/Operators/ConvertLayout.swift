import CSystem

/// Copies a feature map between the row-major and the blocked layout. The compiler inserts it.
package final class ConvertLayout: Operator {
  package let kind = "convert_layout"
  package let layoutRule: LayoutRule
  private let toBlocked: Bool

  package init(toBlocked: Bool) {
    self.toBlocked = toBlocked
    layoutRule = .mixed(inputs: [!toBlocked], outputs: [toBlocked])
  }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputs[0]] }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let shape = lowering.shape(node.inputs[0])
    let lanes = lowering.lanes
    let blocks = Layout.blocks(of: shape[1], lanes: lanes)
    let (channels, area) = (shape[1], shape[2] * shape[3])
    let own = lowering.isLent(node.inputs[0]) ? nil : UnsafePointer(lowering.pointer(node.inputs[0]))
    let (ownTarget, isLent) = (lowering.pointer(node.outputs[0]), lowering.isLentForOutput(node.outputs[0]))
    let kernels = lowering.kernels.pointee.narrow
    let kernel = toBlocked ? kernels.layout_block : kernels.layout_unblock
    let toBlocked = toBlocked
    if area == 1 {
      // One pixel's channels lie one after the other in both layouts.
      let (width, stride) = (blocks * lanes, toBlocked ? channels : blocks * lanes)
      lowering.step(units: shape[0]) { image, context in
        let from = own ?? context.input
        let to = (isLent ? context.output : nil) ?? ownTarget
        let target = to + image * (toBlocked ? width : channels)
        target.copy(from: from + image * stride, count: channels)
        if toBlocked { (target + channels).clear(count: width - channels) }
      }
      return
    }
    lowering.step(units: shape[0] * blocks) { unit, context in
      let from = own ?? context.input
      let to = (isLent ? context.output : nil) ?? ownTarget
      let (image, block) = (unit / blocks, unit % blocks)
      let plain = (image * channels + block * lanes) * area
      let blocked = unit * area * lanes
      let count = min(lanes, channels - block * lanes)
      kernel!(from + (toBlocked ? plain : blocked), to + (toBlocked ? blocked : plain), count, area, lanes)
    }
  }
}
