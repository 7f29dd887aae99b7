import CSystem

/// The product of two tensors, element by element, with NumPy's broadcasting.
package final class Multiply: Operator {
  package let kind = "multiply"
  package let layoutRule: LayoutRule

  /// - Parameter ranks: of both operands.
  package init(ranks: (Int, Int) = (4, 4)) { layoutRule = Broadcast.layoutRule(ranks) }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    [try Broadcast.shape(inputs[0], inputs[1])]
  }

  package func inputToOverwrite(_ node: Node) -> Int? { 0 }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let gradient = context.outputGradient
    for place in 0..<2 where context.needs[place] {
      let other = context.node.inputs[1 - place]
      let operation = Multiply(ranks: (context.shape(gradient).rank, context.shape(other).rank))
      let product = try context.append(operation, [gradient, other])[0]
      let shape = context.shape(context.node.inputs[place])
      context.setGradient(ofInput: place, try context.summed(product, to: shape))
    }
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let kernels = lowering.kernels.pointee
    lowering.combine(node, rows: kernels.multiply, grid: kernels.grid_multiply)
  }
}

extension Graph {
  /// The product of two values with NumPy's broadcasting, such as a map and one factor for each of its channels.
  @inline(never)
  package mutating func multiply(_ left: Value, _ right: Value, name: String) throws(SasukaError) -> Value {
    try append(Multiply(ranks: (shape(left).rank, shape(right).rank)), name: name, inputs: [left, right])[0]
  }
}
