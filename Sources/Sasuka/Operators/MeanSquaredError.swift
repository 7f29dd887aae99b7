import CSystem

/// The mean of (prediction - target)² over all elements.
package final class MeanSquaredError: Operator {
  package let kind = "mean_squared_error"
  package let layoutRule = LayoutRule.plain

  package init() {}

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    try ElementLoss.outputShapes(of: inputs)
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    try ElementLoss.appendGradient(MeanSquaredErrorGradient(), &context)
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    ElementLoss.lowerSum(node, &lowering, lowering.kernels.pointee.narrow.squared_error_sum!)
  }
}

/// (prediction, target, gradient of the loss) -> gradient of the prediction.
final class MeanSquaredErrorGradient: Operator {
  let kind = "mean_squared_error_gradient"
  let layoutRule = LayoutRule.plain

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputs[0]] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let kernel = lowering.kernels.pointee.narrow.squared_error_backward!
    ElementLoss.lowerGradient(node, &lowering, factor: 2, kernel)
  }
}

/// What losses of single elements have in common: target of the prediction's shape, and their mean.
enum ElementLoss {
  typealias SumKernel = @convention(c) (UnsafePointer<Float>?, UnsafePointer<Float>?, Int) -> Double
  typealias GradientKernel =
    @convention(c) (UnsafePointer<Float>?, UnsafePointer<Float>?, Float, UnsafeMutablePointer<Float>?, Int) -> Void

  static func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    guard inputs[0] == inputs[1] else {
      throw SasukaError(
        .invalidArgument, "target of shape \(inputs[1]) for a prediction of \(inputs[0]); equal shapes are expected")
    }
    return [Shape([])]
  }

  static func appendGradient(_ operation: any Operator, _ context: inout GradientContext) throws(SasukaError) {
    guard context.needs[0] else { return }
    let inputs = context.node.inputs + [context.outputGradient]
    context.setGradient(ofInput: 0, try context.append(operation, inputs)[0])
  }

  static func lowerSum(_ node: Node, _ lowering: inout Lowering, _ kernel: @escaping SumKernel) {
    let prediction = UnsafePointer(lowering.pointer(node.inputs[0]))
    let target = UnsafePointer(lowering.pointer(node.inputs[1]))
    let output = lowering.pointer(node.outputs[0])
    let count = lowering.shape(node.inputs[0]).count
    let chunks = Chunks(of: count)
    lowering.needScratch(bytes: chunks.count * MemoryLayout<Double>.stride)
    lowering.step(units: chunks.count) { unit, context in
      let range = chunks[unit]
      let sums = context.scratch.assumingMemoryBound(to: Double.self)
      sums[unit] = kernel(prediction + range.lowerBound, target + range.lowerBound, range.count)
    }
    lowering.step(units: 1) { _, context in
      let sums = UnsafePointer(context.scratch.assumingMemoryBound(to: Double.self))
      var total = 0.0
      for unit in 0..<chunks.count { total += sums[unit] }
      output.pointee = Float(total / Double(count))
    }
  }

  static func lowerGradient(
    _ node: Node, _ lowering: inout Lowering, factor: Double, _ kernel: @escaping GradientKernel
  ) {
    let prediction = UnsafePointer(lowering.pointer(node.inputs[0]))
    let target = UnsafePointer(lowering.pointer(node.inputs[1]))
    let upstream = UnsafePointer(lowering.pointer(node.inputs[2]))
    let gradient = lowering.pointer(node.outputs[0])
    let count = lowering.shape(node.inputs[0]).count
    let chunks = Chunks(of: count)
    let share = factor / Double(count)
    lowering.step(units: chunks.count) { unit, _ in
      let range = chunks[unit]
      let start = range.lowerBound
      let scale = Float(Double(upstream.pointee) * share)
      kernel(prediction + start, target + start, scale, gradient + start, range.count)
    }
  }
}
