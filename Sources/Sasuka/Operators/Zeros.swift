/// Zeros of the input's shape: what is left of a value that is taken away. Nothing flows back through it.
final class Zeros: Operator {
  let kind = "zeros"
  let layoutRule = LayoutRule.alike

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputs[0]] }

  func inputToOverwrite(_ node: Node) -> Int? { 0 }

  func appendGradient(_ context: inout GradientContext) throws(SasukaError) {}

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let (output, count) = (lowering.pointer(node.outputs[0]), lowering.storageCount(node.outputs[0]))
    lowering.step(units: 1) { _, _ in output.clear(count: count) }
  }
}
