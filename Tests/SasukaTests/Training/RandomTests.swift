// Random numbers against published answers, and what is drawn from them against the laws that it claims to follow.
import Sasuka
import Testing

@Suite struct RandomTests {
  /// The known answers that come with Random123 (Salmon et al. 2011) for philox4x32-10.
  static let knownAnswers: [(index: UInt64, iteration: UInt64, seed: UInt64, words: SIMD4<UInt32>)] = [
    (0, 0, 0, SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)),
    (.max, .max, .max, SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)),
    (
      0x85a3_08d3_243f_6a88, 0x0370_7344_1319_8a2e, 0x299f_31d0_a409_3822,
      SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
    ),
  ]

  @Test(arguments: knownAnswers.indices)
  func philoxGivesThePublishedNumbers(place: Int) {
    let answer = Self.knownAnswers[place]
    let state = RandomState(seed: answer.seed, iteration: answer.iteration)
    #expect(state.words(stream: 0, index: answer.index) == answer.words)
  }

  @Test func streamsIterationsAndSeedsDiffer() {
    var seen: Set<SIMD4<UInt32>> = []
    for seed in 0..<4 {
      for iteration in 0..<4 {
        let state = RandomState(seed: UInt64(seed), iteration: UInt64(iteration))
        for stream in 0..<4 {
          for index in 0..<4 { seen.insert(state.words(stream: UInt32(stream), index: UInt64(index))) }
        }
      }
    }
    #expect(seen.count == 256)
  }

  private static let shape = [64, 40, 3, 3]
  /// Inputs and outputs that meet in one place of the shape.
  private static let (fanIn, fanOut) = (Double(40 * 9), Double(64 * 9))

  private static func drawn(_ initializer: @escaping (Shape) -> Initializer, seed: UInt64 = 3) throws -> [Double] {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 2]))
    _ = try graph.addParameter("p", shape: Shape(shape), initializer: .constant(0))
    graph.outputs = [try graph.activation(input, .relu, name: "relu")]
    let model = try Model(graph)
    try model.initialize("p", with: initializer, seed: seed)
    return try #require(model.numbers("p")).floats.map(Double.init)
  }

  static let normals: [(name: String, make: @Sendable (Shape) -> Initializer, deviation: Double)] = [
    ("normal", { _ in .normal(standardDeviation: 0.02) }, 0.02),
    ("Kaiming, inputs", { .kaimingNormal($0) }, (2 / fanIn).squareRoot()),
    ("Kaiming, outputs", { .kaimingNormal($0, .output, gain: 1) }, (1 / fanOut).squareRoot()),
    ("Xavier", { .xavierNormal($0) }, (2 / (fanIn + fanOut)).squareRoot()),
  ]

  /// Five standard errors each, of 23,040 numbers.
  @Test(arguments: normals.indices)
  func normalsHaveTheirMeanDeviationAndShape(place: Int) throws {
    let (name, make, deviation) = Self.normals[place]
    let numbers = try Self.drawn(make).map { $0 / deviation }
    let count = Double(numbers.count)
    let mean = numbers.reduce(0, +) / count
    let variance = numbers.reduce(0) { $0 + $1 * $1 } / count
    #expect(abs(mean) < 5 / count.squareRoot(), "\(name): mean \(mean)")
    #expect(abs(variance - 1) < 5 * (2 / count).squareRoot(), "\(name): variance \(variance)")
    for (limit, share) in [(0.5, 0.382925), (1, 0.682689), (2, 0.954500), (3, 0.997300)] {
      let found = Double(numbers.count { abs($0) < limit }) / count
      #expect(abs(found - share) < 5 * (share * (1 - share) / count).squareRoot(), "\(name): \(found) within \(limit)")
    }
  }

  static let uniforms: [(name: String, make: @Sendable (Shape) -> Initializer, bound: Double)] = [
    ("uniform", { _ in .uniform(bound: 0.3) }, 0.3),
    ("Kaiming", { .kaimingUniform($0) }, (6 / fanIn).squareRoot()),
    ("Xavier", { .xavierUniform($0, gain: 2) }, 2 * (6 / (fanIn + fanOut)).squareRoot()),
  ]

  @Test(arguments: uniforms.indices)
  func uniformsFillTheirRangeEvenly(place: Int) throws {
    let (name, make, bound) = Self.uniforms[place]
    let numbers = try Self.drawn(make).map { $0 / bound }
    let count = Double(numbers.count)
    #expect(numbers.allSatisfy { abs($0) <= 1 + 1e-6 }, "\(name)")
    var tenths = [Int](repeating: 0, count: 10)
    for number in numbers { tenths[min(Int((number + 1) * 5), 9)] += 1 }
    for (tenth, found) in tenths.enumerated() {
      let error = abs(Double(found) / count - 0.1)
      #expect(error < 5 * (0.09 / count).squareRoot(), "\(name): \(found) numbers in tenth \(tenth)")
    }
  }

  @Test func aSeedGivesTheSameNumbersAgainAndAnotherOneOthers() throws {
    let first = try Self.drawn({ _ in .normal(standardDeviation: 1) }, seed: 5)
    #expect(try Self.drawn({ _ in .normal(standardDeviation: 1) }, seed: 5) == first)
    let other = try Self.drawn({ _ in .normal(standardDeviation: 1) }, seed: 6)
    #expect(zip(first, other).count { $0 == $1 } < 3)
  }
}
