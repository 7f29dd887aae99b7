// Sessions of one model, in several threads: packed weights are in memory once, and everybody gets the same bits.
import Foundation
import Sasuka
import Testing

@Suite struct SharedWeightsTests {
  private static let shape = Shape([1, 3, 64, 64])

  private static func picture(_ number: Int) -> TestTensor {
    TestTensor.noise(shape.dimensions, "picture\(number)")
  }

  private static func session(
    _ model: Model, _ algorithms: AlgorithmChoice = .fastest, shape: Shape = shape
  ) throws -> Session {
    var options = Session.Options()
    (options.threads, options.algorithms) = (1, algorithms)
    return try Session(model, inputShape: shape, options: options)
  }

  private static func logits(_ session: Session, _ picture: TestTensor) throws -> [UInt32] {
    let logits = TestTensor(session.outputShape.dimensions)
    try withExtendedLifetime((picture, logits)) { try session.run(picture.tensor, to: logits.tensor) }
    return logits.host.floats.map(\.bitPattern)
  }

  @Test func secondSessionNeedsNoMemoryForWeights() throws {
    let model = try Model(Architecture.named("resnet18").graph())
    // So large that on every kind of core some layers are computed by tiles.
    let shape = Shape([1, 3, 224, 224])
    let weights = model.parameters.infos.filter { $0.shape.rank == 4 }.reduce(0) { $0 + $1.shape.count }
    var first: Session? = try Self.session(model, shape: shape)
    let alone = try #require(first).memoryBytes
    let second = try Self.session(model, shape: shape)
    #expect(alone - second.memoryBytes >= 4 * weights)
    #expect(first?.memoryBytes == second.memoryBytes)
    // Other algorithms have other weights, but for the layers where only one is possible.
    let shared = second.memoryBytes
    let exact = try Self.session(model, .exact, shape: shape)
    #expect(exact.memoryBytes > shared)
    first = nil
    #expect(second.memoryBytes > shared && second.memoryBytes < alone)
    withExtendedLifetime(exact) {}
  }

  @Test func whatOneSessionLeavesTheOtherHas() throws {
    let model = try Model(Architecture.named("mobilenet_v2").graph())
    var first: Session? = try Self.session(model)
    let alone = try #require(first).memoryBytes
    let picture = Self.picture(0)
    let expected = try Self.logits(#require(first), picture)
    let second = try Self.session(model)
    first = nil
    #expect(second.memoryBytes == alone)
    #expect(try Self.logits(second, picture) == expected)
  }

  /// Memory that others have written and given back serves again, and holds nothing of theirs: channels that fill no vector
  /// are followed by zeros.
  @Test(arguments: ["squeezenet1_1", "shufflenet_v2_x1_0"])
  func weightsInUsedMemoryGiveTheSameBits(name: String) throws {
    let model = try Model(Architecture.named(name).graph())
    let kept = try Self.session(model)
    let picture = Self.picture(0)
    let expected = try Self.logits(kept, picture)
    var exact: Session? = try Self.session(model, .exact)
    let expectedOfExact = try Self.logits(#require(exact), picture)
    for algorithm in ConvolutionAlgorithm.allCases {
      exact = nil
      _ = try Self.logits(Self.session(model, .forced(algorithm)), picture)
      exact = try Self.session(model, .exact)
      #expect(try Self.logits(#require(exact), picture) == expectedOfExact, "after \(algorithm)")
      #expect(try Self.logits(kept, picture) == expected, "after \(algorithm)")
    }
  }

  /// Eight threads begin at once, before anything is packed and again after weights have changed.
  @Test(arguments: ["squeezenet1_1", "mobilenet_v2", "resnet18"])
  func threadsGetTheSameBits(name: String) throws {
    let model = try Model(Architecture.named(name).graph())
    let sessions = try (0..<8).map { try Self.session(model, $0 % 4 == 3 ? .exact : .fastest) }
    let pictures = (0..<2).map(Self.picture)
    for round in 0..<3 {
      if round > 0 { try model.initialize("*", with: nil, seed: UInt64(round)) }
      let results = Results(count: 8)
      nonisolated(unsafe) let (sessions, pictures) = (sessions, pictures)
      DispatchQueue.concurrentPerform(iterations: 8) { place in
        for picture in [0, 1, 0] {
          if let bits = try? Self.logits(sessions[place], pictures[picture]) { results.append(bits, to: place) }
        }
      }
      let fresh = try Model(Architecture.named(name).graph())
      try fresh.initialize("*", with: nil, seed: UInt64(round))
      for (algorithms, places) in [(AlgorithmChoice.fastest, [0, 1, 2, 4, 5, 6]), (.exact, [3, 7])] {
        let alone = try Self.session(fresh, algorithms)
        let expected = try [0, 1, 0].map { try Self.logits(alone, pictures[$0]) }
        for place in places { #expect(results[place] == expected, "\(name): session \(place), round \(round)") }
      }
    }
  }

  /// What each thread got, one thread to a place.
  private final class Results: @unchecked Sendable {
    private var all: [[[UInt32]]]
    private let lock = NSLock()
    init(count: Int) { all = [[[UInt32]]](repeating: [], count: count) }
    func append(_ bits: [UInt32], to place: Int) { lock.withLock { all[place].append(bits) } }
    subscript(place: Int) -> [[UInt32]] { lock.withLock { all[place] } }
  }

  /// A callback that runs another session of the model while this one packs would wait for itself.
  @Test func callbackOfPackingCannotRunWhatNeedsTheWeights() throws {
    final class Other {
      var session: Session?
      var errors: [SasukaError] = []
      var calls = 0
    }
    let other = Other()
    let (input, output) = (TestTensor([8, 4096]), TestTensor([8, 8192]))
    var options = Model.Options()
    options.threads = 1
    options.progress = { progress in
      guard let session = other.session else { return true }
      other.session = nil  // whose own callback this is too
      defer { other.session = session }
      other.calls += 1
      // The first call comes before the weights are packed.
      guard other.calls > 1 else { return true }
      do throws(SasukaError) { try session.run(input.tensor, to: output.tensor) } catch { other.errors.append(error) }
      return false
    }
    var graph = Graph()
    let x = graph.addInput(name: "input", shape: Shape([1, 4096]))
    graph.outputs = [try graph.linear(x, name: "fc", outputFeatures: 8192)]
    let model = try Model(graph, options: options)
    let session = try Session(model, inputShape: Shape([8, 4096]))
    other.session = try Session(model, inputShape: Shape([8, 4096]))
    let result = TestTensor([8, 8192])
    #expect(throws: SasukaError.self) { try session.run(input.tensor, to: result.tensor) }
    #expect(other.errors.first?.code == .busy)
    #expect(other.errors.first?.message.contains("being packed by the run whose callback") == true)
    other.session = nil
    try withExtendedLifetime((input, output, result)) { try session.run(input.tensor, to: result.tensor) }
  }
}
