/// What training makes small.
package enum Loss {
  /// An operator from (prediction, target) to a scalar, and what its target is made of.
  case operation(any Operator, target: TensorInfo.Element)
  /// The mean over all elements of the target times the logarithm of the softmax over axis 1.
  case meanOfLogarithms
}

extension Graph {
  /// Appends the scalar that a loss makes of a prediction and a target.
  mutating func append(
    _ loss: Loss, of prediction: Value, against target: Value, name: String
  ) throws(SasukaError) -> Value {
    if case .operation(let operation, _) = loss {
      return try append(operation, name: name, inputs: [prediction, target])[0]
    }
    let logarithms = try softmax(prediction, axis: 1, isLogarithm: true, name: name)
    let products = try multiply(logarithms, target, name: name)
    let axes = Array(0..<shape(products).rank)
    let mean = try append(AxisReduction(.mean, axes: axes, rank: axes.count), name: name, inputs: [products])
    return try append(Squeeze(axes: axes), name: name, inputs: mean)[0]
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
    for weight in classWeights ?? [] where !(weight >= 0 && weight < .infinity) {
      throw SasukaError(.invalidArgument, "class weight \(describe(Double(weight))); a number from 0 is expected")
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
    guard target == expected || target == prediction else {
      throw SasukaError(
        .invalidArgument,
        "target has shape \(target); \(expected), a class for each place, or \(prediction), probabilities, is expected")
    }
    if let classWeights, classWeights.count != prediction[1] {
      throw SasukaError(
        .invalidArgument, "\(classWeights.count) class weights; \(prediction[1]), one for each class, are expected")
    }
  }

  /// Whether a target is the classes' probabilities in place of their numbers.
  func isProbabilities(_ target: Shape, rank: Int) -> Bool { kind == .crossEntropy && target.rank == rank }

  /// Copies probabilities as `Loss.meanOfLogarithms` takes them: smoothed and weighted as in PyTorch, and times -classes,
  /// since the cross entropy's mean is one over places, not elements.
  ///
  /// - Throws: `invalidArgument` for integers and for what is negative or not finite.
  func readProbabilities(
    _ target: HostTensor, into numbers: UnsafeMutablePointer<Float>
  ) throws(SasukaError) {
    try target.expectFloats(target.shape, "target")
    try target.read(into: numbers)
    let classes = target.shape[1]
    let area = target.shape.count / (target.shape[0] * classes)
    let spread = labelSmoothing / Double(classes)
    for plane in 0..<(target.shape[0] * classes) {
      let scale = -Double(classes) * Double(classWeights?[plane % classes] ?? 1)
      for place in (plane * area)..<((plane + 1) * area) {
        let probability = Double(numbers[place])
        guard probability >= 0, probability < .infinity else {
          throw SasukaError(
            .invalidArgument, "probability \(describe(probability)) in the target; a number from 0 is expected")
        }
        numbers[place] = Float(scale * ((1 - labelSmoothing) * probability + spread))
      }
    }
  }

  /// - Parameters:
  ///   - target: its shape, or nil where there is none.
  package func make(target: Shape?, prediction: Shape) -> Loss {
    switch kind {
    case .crossEntropy:
      if let target, isProbabilities(target, rank: prediction.rank) { return .meanOfLogarithms }
      // The door has turned labels that do not count into -1.
      let options = CrossEntropy.Options(
        labelSmoothing: Float(labelSmoothing), classWeights: classWeights, ignoredLabel: -1)
      return .operation(CrossEntropy(options), target: .int32)
    case .meanSquaredError: return .operation(MeanSquaredError(), target: .float32)
    case .binaryCrossEntropyWithLogits: return .operation(BinaryCrossEntropy(), target: .float32)
    }
  }
}
