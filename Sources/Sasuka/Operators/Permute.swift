import CSystem

/// The same elements with the axes in another order.
package final class Permute: Operator {
  package let kind = "permute"
  package let layoutRule = LayoutRule.plain
  private let order: [Int]

  /// - Parameter order: axis i of the output is axis order[i] of the input; negative ones count from the end.
  package init(order: [Int]) { self.order = order }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    guard order.count == inputs[0].rank, !order.isEmpty else {
      throw SasukaError(
        .invalidArgument, "\(order.count) axes for shape \(inputs[0]); each of its \(inputs[0].rank) is expected once")
    }
    var sizes: [Int] = []
    for axis in try inputs[0].distinctAxes(order) { sizes.append(inputs[0][axis]) }
    return [Shape(sizes)]
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    var inverse = [Int](repeating: 0, count: order.count)
    for (place, axis) in try context.shape(context.node.inputs[0]).distinctAxes(order).enumerated() {
      inverse[axis] = place
    }
    context.setGradient(ofInput: 0, try context.append(Permute(order: inverse), [context.outputGradient])[0])
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let (from, to) = (lowering.axes(node.inputs[0]), lowering.axes(node.outputs[0]))
    var nest: [Loops.Axis] = []
    for (place, axis) in try lowering.shape(node.inputs[0]).distinctAxes(order).enumerated() {
      nest.append(Loops.Axis(count: to.counts[place], left: from.steps[axis], result: to.steps[place]))
    }
    lowering.copy(
      Loops(nest), from: UnsafePointer(lowering.pointer(node.inputs[0])), to: lowering.pointer(node.outputs[0]))
  }
}

extension Graph {
  /// Reorders axes: axis i of the output is axis order[i] of the input. The batch stays first.
  @inline(never)
  package mutating func permute(_ input: Value, order: [Int], name: String) throws(SasukaError) -> Value {
    if let first = order.first, first != 0 {
      throw SasukaError(
        .invalidArgument, "permute \"\(name)\": axis \(first) comes first; the batch, axis 0, is expected there")
    }
    return try append(Permute(order: order), name: name, inputs: [input])[0]
  }
}
