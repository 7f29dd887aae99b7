/// A tensor of one number, such as the gradient of the loss with respect to itself.
package final class Fill: Operator {
  package let kind = "fill"
  package let layoutRule = LayoutRule.plain
  private let shape: Shape
  private let value: Float

  package init(shape: Shape, value: Float) {
    self.shape = shape
    self.value = value
  }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [shape] }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let output = lowering.pointer(node.outputs[0])
    let (count, value) = (shape.count, value)
    lowering.step(units: 1) { _, _ in output.update(repeating: value, count: count) }
  }
}
