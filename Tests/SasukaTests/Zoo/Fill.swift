// Weights that the golden script computes too, so that goldens carry none: functions of a name and an index.
// `Tests/Golden/generators/fill.py` has the same, and says why the numbers are what they are.
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
}

/// Numbers from `low` to below `high`.
struct NamedUniform {
  private let bits: NamedBits
  private let (low, width): (Float, Float)

  init(_ name: String, _ low: Double, _ high: Double) {
    bits = NamedBits(name)
    (self.low, width) = (Float(low), Float(high - low))
  }

  subscript(index: Int) -> Float { low + width * (Float(bits[index] &>> 40) * 0x1p-24) }
}

/// What a parameter or a statistic is filled with.
struct NamedFill {
  private let numbers: NamedUniform
  /// Where channels are off, in batch normalisation's shifts.
  private let side: NamedUniform?

  subscript(index: Int) -> Float {
    guard let side else { return numbers[index] }
    return side[index] < -0.5 ? -(numbers[index] + 0.5) : numbers[index]
  }

  /// - Parameters:
  ///   - isNorm: the parameter belongs to a batch normalisation,
  ///   - meetsNoActivation: whose output goes into a sum.
  init(_ info: ParameterInfo, isNorm: Bool, meetsNoActivation: Bool) {
    let name = info.name
    func uniform(_ low: Double, _ high: Double) -> NamedUniform { NamedUniform(name, low, high) }
    var side: NamedUniform?
    if !isNorm {
      let bound =
        info.shape.rank > 1 ? Double(Float((6 / Double(info.shape.count / info.shape[0])).squareRoot())) : 0.25
      numbers = uniform(-bound, bound)
    } else if name.hasSuffix("running_mean") {
      numbers = uniform(-0.5, 0.5)
    } else if name.hasSuffix("running_var") {
      numbers = meetsNoActivation ? uniform(0.08, 0.24) : uniform(0.01, 0.05)
    } else if name.hasSuffix("weight") {
      numbers = uniform(0.1, 0.25)
    } else {
      numbers = uniform(0.75, 1.25)
      side = NamedUniform(meetsNoActivation ? "residual stream" : "side." + name, -1, 1)
    }
    self.side = side
  }
}

/// A tensor as the goldens keep it: its norm, and its sums with random signs.
struct Digest {
  private(set) var norm = 0.0
  private(set) var sums: [Double]

  init(_ name: String, count: Int, signs: Int, _ value: (Int) -> Double) {
    sums = [Double](repeating: 0, count: signs)
    let bits = (0..<signs).map { NamedBits("sign\($0).\(name)") }
    // 64 signs are the bits of one hash.
    for (block, start) in stride(from: 0, to: count, by: 64).enumerated() {
      let (first, second) = (bits[0][block], bits[signs - 1][block])
      var (squares, one, two) = (0.0, 0.0, 0.0)
      for place in 0..<min(64, count - start) {
        let number = value(start + place)
        squares += number * number
        one += first &>> UInt64(place) & 1 == 0 ? number : -number
        two += second &>> UInt64(place) & 1 == 0 ? number : -number
      }
      norm += squares
      sums[0] += one
      if signs > 1 { sums[1] += two }
    }
    norm = norm.squareRoot()
  }

  init(_ name: String, _ values: UnsafePointer<Float>, count: Int, signs: Int) {
    self.init(name, count: count, signs: signs) { Double(values[$0]) }
  }

  /// About the norm of the difference from the golden tensor.
  func distance(to golden: GoldenDigest) -> Double {
    let squares = zip(sums, golden.sums).reduce(0.0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return max((squares / Double(sums.count)).squareRoot(), abs(norm - golden.norm))
  }
}

/// A digest out of a golden file, and the tensors of them that it holds.
struct GoldenDigest {
  let norm: Double
  let sums: [Double]

  static func rows(of tensor: GoldenTensor) -> [GoldenDigest] {
    let width = tensor.shape[1]
    return stride(from: 0, to: tensor.floats.count, by: width).map { start in
      let row = tensor.floats[start..<(start + width)].map(Double.init)
      return GoldenDigest(norm: row[0], sums: [Double](row[1...]))
    }
  }
}

extension Model {
  /// Gives every parameter and statistic the numbers of the golden script.
  func fillByName() {
    for (place, info) in parameters.infos.enumerated() where info.kind != .counter {
      let (numbers, fill) = (parameters.buffers[place].floats, filling(info))
      for index in 0..<info.shape.count { numbers[index] = fill[index] }
    }
    parameters.markChanged()
  }

  func filling(_ info: ParameterInfo) -> NamedFill {
    let owner = String(info.name[..<(info.name.lastIndex(of: ".") ?? info.name.startIndex)])
    return NamedFill(
      info, isNorm: hasNorm(owner),
      meetsNoActivation: owner.contains(#/(\.bn3|downsample\.1|proj\.1|f\.c\.1|conv\.\d+|layers\.7|block\.[23]\.1)$/#)
        || (owner.hasSuffix(".bn2") && !hasNorm(owner.dropLast() + "3")))
  }

  private func hasNorm(_ module: some StringProtocol) -> Bool {
    graph.parameterIndex("\(module).running_mean") != nil
  }
}
