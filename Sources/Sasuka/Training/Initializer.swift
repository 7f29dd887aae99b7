/// How a parameter's first numbers are made.
package enum Initializer: Equatable, Sendable {
  case constant(Float)
  /// Uniform in [-bound, bound).
  case uniform(bound: Float)
  /// Normal with mean 0.
  case normal(standardDeviation: Float)
}
