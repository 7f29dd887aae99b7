// Weights that the golden script computes too, so that goldens carry none: functions of a name and an index.
import Sasuka

/// 64 random bits for each index: SplitMix64 (Steele et al. 2014) of an FNV-1a hash of the name plus the index.
struct NamedBits {
  private let seed: UInt64

  init(_ name: String) {
    seed = name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  subscript(index: Int) -> UInt64 {
    var x = seed &+ UInt64(truncatingIfNeeded: index + 1) &* 0x9E37_79B9_7F4A_7C15
    x = (x ^ x &>> 30) &* 0xBF58_476D_1CE4_E5B9
    x = (x ^ x &>> 27) &* 0x94D0_49BB_1331_11EB
    return x ^ x &>> 31
  }

  /// Numbers from `low` to below `high`.
  func fill(_ numbers: UnsafeMutablePointer<Float>, count: Int, _ low: Float, _ high: Float) {
    // The script has the bounds in float64 and rounds their difference.
    let width = Float(Double(high) - Double(low))
    for index in 0..<count { numbers[index] = low + width * (Float(self[index] &>> 40) * 0x1p-24) }
  }
}

/// A tensor as the goldens keep it: its norm, and its sums with random signs.
struct Digest {
  static let signs = 2
  static let count = 1 + signs
  private(set) var numbers = [Double](repeating: 0, count: count)

  init(_ name: String, _ values: UnsafePointer<Float>, count: Int, minus earlier: [Float]? = nil) {
    let bits = NamedBits("sign." + name)
    var (squares, sums) = (0.0, SIMD4<Double>())
    for index in 0..<count {
      let value = Double(values[index]) - Double(earlier?[index] ?? 0)
      let word = bits[index]
      squares += value * value
      for sign in 0..<Digest.signs { sums[sign] += (word &>> UInt64(sign)) & 1 == 1 ? -value : value }
    }
    numbers[0] = squares.squareRoot()
    for sign in 0..<Digest.signs { numbers[1 + sign] = sums[sign] }
  }

  /// About the norm of the difference from the golden tensor.
  func distance(to golden: some Collection<Float>) -> Double {
    let expected = golden.map(Double.init)
    let squares = (1...Digest.signs).reduce(0.0) { $0 + (numbers[$1] - expected[$1]) * (numbers[$1] - expected[$1]) }
    return max((squares / Double(Digest.signs)).squareRoot(), abs(numbers[0] - expected[0]))
  }
}

extension Model {
  /// Gives every parameter and statistic the numbers of the golden script.
  func fillByName() {
    for (place, info) in parameters.infos.enumerated() where info.kind != .counter {
      let bits = NamedBits(info.name)
      let numbers = parameters.buffers[place].floats
      let isNorm = isNorm(info.name)
      let (low, high) = Self.range(info, isNorm: isNorm)
      bits.fill(numbers, count: info.shape.count, low, high)
      guard isNorm, info.name.hasSuffix("bias") else { continue }
      // Far from the kink of the ReLU behind it: the golden script says why.
      for index in 0..<info.shape.count { numbers[index] += numbers[index].sign == .minus ? -0.5 : 0.5 }
    }
    parameters.markChanged()
  }

  private func isNorm(_ parameter: String) -> Bool {
    guard let dot = parameter.lastIndex(of: ".") else { return false }
    return graph.parameterIndex(parameter[..<dot] + ".running_mean") != nil
  }

  private static func range(_ info: ParameterInfo, isNorm: Bool) -> (Float, Float) {
    if info.name.hasSuffix("running_mean") { return (-0.5, 0.5) }
    if info.name.hasSuffix("running_var") { return (0.5, 2) }
    if info.shape.rank > 1 {
      let bound = Float((6 / Double(info.shape.count / info.shape[0])).squareRoot())
      return (-bound, bound)
    }
    guard isNorm else { return (-0.25, 0.25) }
    return info.name.hasSuffix("weight") ? (0.1, 0.3) : (-1, 1)
  }
}
