import CSystem

/// The sum of two tensors with NumPy's broadcasting.
package final class Add: Operator {
  package let kind = "add"
  package let layoutRule: LayoutRule

  /// - Parameter ranks: of both operands.
  package init(ranks: (Int, Int) = (4, 4)) { layoutRule = Broadcast.layoutRule(ranks) }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    [try Broadcast.shape(inputs[0], inputs[1])]
  }

  package var follower: Follower? { .addition }
  package func inputToOverwrite(_ node: Node) -> Int? { 0 }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    for place in 0..<2 where context.needs[place] {
      let shape = context.shape(context.node.inputs[place])
      context.setGradient(ofInput: place, try context.summed(context.outputGradient, to: shape))
    }
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let kernels = lowering.kernels.pointee
    lowering.combine(node, rows: kernels.add, grid: kernels.grid_add)
  }
}

extension Graph {
  /// The sum of two values with NumPy's broadcasting.
  @inline(never)
  package mutating func add(_ left: Value, _ right: Value, name: String) throws(SasukaError) -> Value {
    try append(Add(ranks: (shape(left).rank, shape(right).rank)), name: name, inputs: [left, right])[0]
  }
}
