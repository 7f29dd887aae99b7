import CSystem

/// A rule by which gradients change weights, with PyTorch's defaults and order of operations.
package struct Optimizer: Sendable {
  package enum Rule: Int32, Sendable {
    /// Stochastic gradient descent with momentum (Sutskever et al. 2013).
    case sgd = 0
    /// Kingma and Ba 2014, Adam.
    case adam = 1
    /// Loshchilov and Hutter 2017, Decoupled Weight Decay Regularization.
    case adamW = 2
    /// Hinton 2012; centred as in Graves 2013.
    case rmsProp = 3
  }

  package var rule: Rule
  package var learningRate: Double
  package var momentum = 0.0
  package var dampening = 0.0
  package var nesterov = false
  package var weightDecay: Double
  package var beta1 = 0.9
  package var beta2 = 0.999
  package var epsilon = 1e-8
  /// RMSprop's smoothing.
  package var alpha = 0.99
  package var centered = false

  package init(_ rule: Rule) {
    self.rule = rule
    learningRate = rule == .rmsProp ? 0.01 : 0.001
    weightDecay = rule == .adamW ? 0.01 : 0
  }

  /// - Throws: `invalidArgument` with the first number that is out of range.
  package func check() throws(SasukaError) {
    let rest = [
      ("momentum", momentum), ("weight_decay", weightDecay), ("epsilon", epsilon), ("learning_rate", learningRate),
    ]
    for (name, value) in rest where !(value >= 0 && value < .infinity) {
      throw SasukaError(.invalidArgument, "\(name) \(describe(value)); a number from 0 is expected")
    }
    for (name, value) in [("beta1", beta1), ("beta2", beta2), ("alpha", alpha)] where !(value >= 0 && value <= 1) {
      throw SasukaError(.invalidArgument, "\(name) \(describe(value)); 0 to 1 is expected")
    }
    guard dampening > -.infinity, dampening < .infinity else {
      throw SasukaError(.invalidArgument, "dampening \(describe(dampening)); a finite number is expected")
    }
    guard !nesterov || (momentum > 0 && dampening == 0) else {
      throw SasukaError(
        .invalidArgument,
        "Nesterov momentum with momentum \(describe(momentum)) and dampening \(describe(dampening)); a momentum above 0 "
          + "and no dampening are expected")
    }
  }

  /// Arrays of state, each as long as all gradients.
  package var stateCount: Int {
    switch rule {
    case .sgd: return 1
    case .adam, .adamW: return 2
    case .rmsProp: return 3
    }
  }

  /// The numbers of update number `step`, counted from 1, in single precision as PyTorch's kernels use them.
  func update(step: Int, learningRate: Double, momentum: Double, weightDecay: Double) -> sasuka_update {
    var update = sasuka_update()
    update.learning_rate = Float(learningRate)
    update.weight_decay = Float(weightDecay)
    update.momentum = Float(momentum)
    update.dampening = Float(dampening)
    update.beta1 = Float(beta1)
    update.beta2 = Float(beta2)
    update.epsilon = Float(epsilon)
    update.alpha = Float(alpha)
    update.step_size = Float(learningRate / (1 - pow(beta1, Double(step))))
    update.square_correction = Float((1 - pow(beta2, Double(step))).squareRoot())
    update.nesterov = nesterov ? 1 : 0
    update.is_first = step == 1 ? 1 : 0
    update.decoupled = rule == .adamW ? 1 : 0
    update.centered = centered ? 1 : 0
    return update
  }

  /// Changes `count` weights.
  ///
  /// - Parameter state: `stateCount` arrays, `stride` floats apart.
  func apply(
    _ update: sasuka_update, kernels: sasuka_narrow_kernels, weights: UnsafeMutablePointer<Float>,
    gradients: UnsafePointer<Float>, state: UnsafeMutablePointer<Float>, stride: Int, count: Int
  ) {
    var update = update
    switch rule {
    case .sgd: kernels.update_sgd(&update, weights, gradients, state, count)
    case .adam, .adamW: kernels.update_adam(&update, weights, gradients, state, state + stride, count)
    case .rmsProp:
      kernels.update_rmsprop(&update, weights, gradients, state, state + stride, state + 2 * stride, count)
    }
  }
}
