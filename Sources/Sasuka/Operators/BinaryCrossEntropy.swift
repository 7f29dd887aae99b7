import CSystem

/// The mean over all elements of the cross entropy of sigmoid(logit) and a target in [0, 1].
package final class BinaryCrossEntropy: Operator {
  package let kind = "binary_cross_entropy_with_logits"
  package let layoutRule = LayoutRule.plain

  package init() {}

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    try ElementLoss.outputShapes(of: inputs)
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    try ElementLoss.appendGradient(BinaryCrossEntropyGradient(), &context)
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    ElementLoss.lowerSum(node, &lowering, lowering.kernels.pointee.narrow.binary_cross_entropy_sum!)
  }
}

/// (logits, target, gradient of the loss) -> gradient of the logits.
final class BinaryCrossEntropyGradient: Operator {
  let kind = "binary_cross_entropy_with_logits_gradient"
  let layoutRule = LayoutRule.plain

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputs[0]] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let kernel = lowering.kernels.pointee.narrow.binary_cross_entropy_backward!
    ElementLoss.lowerGradient(node, &lowering, factor: 1, kernel)
  }
}
