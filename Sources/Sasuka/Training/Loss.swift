/// What training makes small: an operator from (prediction, target) to a scalar, and what its target is made of.
package struct Loss {
  package let operation: any Operator
  package let targetElement: TensorInfo.Element

  package init(_ operation: any Operator, target: TensorInfo.Element) {
    self.operation = operation
    targetElement = target
  }
}

/// Which loss a trainer uses.
package struct LossOptions: Sendable {
  package enum Kind: Int32, Sendable {
    case crossEntropy = 0
    case meanSquaredError = 1
    case binaryCrossEntropyWithLogits = 2
  }

  package var kind = Kind.crossEntropy
  package var labelSmoothing = 0.0
  /// Label that does not count.
  package var ignoreIndex = -100
  package var classWeights: [Float]?

  package init() {}

  func check() throws(SasukaError) {
    guard labelSmoothing >= 0, labelSmoothing <= 1 else {
      throw SasukaError(.invalidArgument, "label smoothing \(describe(labelSmoothing)); 0 to 1 is expected")
    }
  }

  /// - Throws: `invalidArgument` where the target does not fit the prediction.
  func checkTarget(_ target: Shape, prediction: Shape) throws(SasukaError) {
    guard kind == .crossEntropy else {
      guard target == prediction else {
        throw SasukaError(.invalidArgument, "target has shape \(target); the prediction's, \(prediction), is expected")
      }
      return
    }
    guard prediction.rank >= 2 else {
      throw SasukaError(
        .invalidArgument, "cross entropy of a prediction of shape \(prediction); [batch, classes, ...] is expected")
    }
    let expected = Shape([prediction[0]] + prediction.dimensions[2...])
    guard target == expected else {
      throw SasukaError(
        .invalidArgument, "target has shape \(target); \(expected), a class for each place, is expected")
    }
    if let classWeights, classWeights.count != prediction[1] {
      throw SasukaError(
        .invalidArgument, "\(classWeights.count) class weights; \(prediction[1]), one for each class, are expected")
    }
  }

  package func make() -> Loss {
    switch kind {
    case .crossEntropy:
      // The door has turned labels that do not count into -1.
      let options = CrossEntropy.Options(
        labelSmoothing: Float(labelSmoothing), classWeights: classWeights, ignoredLabel: -1)
      return Loss(CrossEntropy(options), target: .int32)
    case .meanSquaredError: return Loss(MeanSquaredError(), target: .float32)
    case .binaryCrossEntropyWithLogits: return Loss(BinaryCrossEntropy(), target: .float32)
    }
  }
}
