import CSystem

/// The sum of two tensors of one shape.
package final class Add: Operator {
  package let kind = "add"
  package let layoutRule = LayoutRule.alike

  package init() {}

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    guard inputs[0] == inputs[1] else {
      throw SasukaError(.invalidArgument, "shapes \(inputs[0]) and \(inputs[1]) differ; equal shapes are expected")
    }
    return [inputs[0]]
  }

  package var follower: Follower? { .addition }
  package func inputToOverwrite(_ node: Node) -> Int? { 0 }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    if context.needs[0] { context.setGradient(ofInput: 0, context.outputGradient) }
    if context.needs[1] { context.setGradient(ofInput: 1, context.outputGradient) }
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let left = UnsafePointer(lowering.pointer(node.inputs[0]))
    let right = UnsafePointer(lowering.pointer(node.inputs[1]))
    let output = lowering.pointer(node.outputs[0])
    let chunks = Chunks(of: lowering.storageCount(node.outputs[0]))
    let add = lowering.kernels.pointee.add
    lowering.step(units: chunks.count) { unit, _ in
      let range = chunks[unit]
      add!(left + range.lowerBound, right + range.lowerBound, output + range.lowerBound, range.count)
    }
  }
}
