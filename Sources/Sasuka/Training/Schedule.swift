import CSystem

/// The learning rate, and where one-cycle moves it the momentum, as a function of the number of updates made.
///
/// The formulas are those of PyTorch's schedulers in closed form.
package struct Schedule: Sendable {
  package enum Kind: Equatable, Sendable {
    case constant
    /// Times gamma every `size` steps.
    case step(size: Int, gamma: Double)
    /// Times gamma at each milestone.
    case multiStep(milestones: [Int], gamma: Double)
    /// Half a cosine from the base rate to `minimum` (Loshchilov and Hutter 2016, SGDR).
    case cosine(steps: Int, minimum: Double)
    case oneCycle(OneCycle)
  }

  /// Smith 2018, Super-Convergence, in the form of PyTorch's OneCycleLR.
  package struct OneCycle: Equatable, Sendable {
    package var steps: Int
    package var maximum: Double
    /// Share of the steps that rise.
    package var rise = 0.3
    package var initialDivisor = 25.0
    package var finalDivisor = 1e4
    package var isLinear = false
    package var isThreePhase = false
    /// Momentum at the highest and at the lowest rate; nil leaves it alone.
    package var momentum: (base: Double, maximum: Double)? = (0.85, 0.95)

    package init(steps: Int, maximum: Double) {
      self.steps = steps
      self.maximum = maximum
    }

    package static func == (a: Self, b: Self) -> Bool {
      a.steps == b.steps && a.maximum == b.maximum && a.rise == b.rise && a.initialDivisor == b.initialDivisor
        && a.finalDivisor == b.finalDivisor && a.isLinear == b.isLinear && a.isThreePhase == b.isThreePhase
        && a.momentum?.base == b.momentum?.base && a.momentum?.maximum == b.momentum?.maximum
    }
  }

  package var kind: Kind
  /// Steps before the schedule proper, over which the rate rises linearly from `warmUpStart` times the base.
  package var warmUpSteps = 0
  package var warmUpStart = 1.0 / 3

  package init(_ kind: Kind = .constant) { self.kind = kind }

  /// The rate of update number `step`, counted from 0.
  package func learningRate(at step: Int, base: Double) -> Double {
    if step < warmUpSteps {
      return base * (warmUpStart + (1 - warmUpStart) * Double(step) / Double(warmUpSteps))
    }
    let step = step - warmUpSteps
    switch kind {
    case .constant: return base
    case .step(let size, let gamma): return base * pow(gamma, Double(step / size))
    case .multiStep(let milestones, let gamma):
      return base * pow(gamma, Double(milestones.count { $0 <= step }))
    case .cosine(let steps, let minimum):
      return minimum + (base - minimum) * (1 + cos(Double.pi * Double(step) / Double(steps))) / 2
    case .oneCycle(let cycle):
      let initial = cycle.maximum / cycle.initialDivisor
      return cycle.value(at: step, low: initial, high: cycle.maximum, end: initial / cycle.finalDivisor)
    }
  }

  /// The momentum of update number `step`; nil where the schedule leaves it alone.
  package func momentum(at step: Int) -> Double? {
    guard case .oneCycle(let cycle) = kind, let momentum = cycle.momentum, step >= warmUpSteps else { return nil }
    return cycle.value(
      at: step - warmUpSteps, low: momentum.maximum, high: momentum.base, end: momentum.maximum)
  }
}

extension Schedule.OneCycle {
  /// From `low` to `high`, back (to `low` first, if there are three phases) and on to `end`.
  func value(at step: Int, low: Double, high: Double, end: Double) -> Double {
    let step = Double(min(step, steps - 1))
    let last = Double(steps - 1)
    let top = rise * Double(steps) - 1
    guard step > top else { return anneal(low, high, top > 0 ? step / top : 1) }
    guard isThreePhase else { return anneal(high, end, (step - top) / (last - top)) }
    let back = 2 * rise * Double(steps) - 2
    guard step > back else { return anneal(high, low, (step - top) / (back - top)) }
    return anneal(low, end, (step - back) / (last - back))
  }

  private func anneal(_ from: Double, _ to: Double, _ share: Double) -> Double {
    isLinear ? from + (to - from) * share : to + (from - to) / 2 * (1 + cos(Double.pi * share))
  }
}
