// Sessions that pack a model's kernels and let go of its own numbers of them.
import Sasuka
import Testing

@Suite struct ReleasedWeightsTests {
  private static let shape = Shape([1, 3, 64, 64])

  private static func model(_ name: String, progress: ProgressFunction? = nil) throws -> Model {
    var options = Model.Options()
    (options.threads, options.seed, options.progress) = (2, 5, progress)
    return try Model(Architecture.named(name).graph(), options: options)
  }

  private static func session(
    _ model: Model, releasing: Bool = true, shape: Shape = shape, _ change: (inout Session.Options) -> Void = { _ in }
  ) throws -> Session {
    var options = Session.Options()
    options.releasesWeights = releasing
    change(&options)
    return try Session(model, inputShape: shape, options: options)
  }

  private static func logits(_ session: Session) throws -> [UInt32] {
    let (picture, logits) = (
      TestTensor.noise(session.inputShape.dimensions, "picture"), TestTensor(session.outputShape.dimensions)
    )
    try withExtendedLifetime((picture, logits)) { try session.run(picture.tensor, to: logits.tensor) }
    return logits.host.floats.map(\.bitPattern)
  }

  /// The error of what needs numbers that are not there.
  private static func refusal(_ body: () throws -> Void) -> SasukaError? {
    do { try body() } catch { return error as? SasukaError }
    return nil
  }

  @Test(arguments: [
    ("resnet18", 1), ("resnet18", 5), ("densenet121", 1), ("mobilenet_v2", 1), ("shufflenet_v2_x1_0", 2),
    ("squeezenet1_1", 1), ("alexnet", 1),
  ])
  func bitsAreThoseOfOthers(name: String, batch: Int) throws {
    let shape = Self.shape.replacing(axis: 0, with: batch)
    let expected = try Self.logits(Self.session(Self.model(name), releasing: false, shape: shape))
    let model = try Self.model(name)
    let session = try Self.session(model, shape: shape)
    for _ in 0..<2 { #expect(try Self.logits(session) == expected) }
    #expect(throws: SasukaError.self) { try model.saveWeights() }
    // What others of the same kind need is packed.
    #expect(try Self.logits(Self.session(model, releasing: false, shape: shape)) == expected)
    #expect(try Self.logits(Self.session(model, shape: shape)) == expected)
  }

  @Test func sessionsBeforeItRunOn() throws {
    let model = try Self.model("resnet18")
    let first = try Self.session(model, releasing: false)
    let expected = try Self.logits(first)
    let second = try Self.session(model)
    #expect(try Self.logits(first) == expected)
    #expect(try Self.logits(second) == expected)
  }

  /// Gradients of inputs pack the same kernels once more.
  @Test func gradientsAreThoseOfOthers() throws {
    func gradient(_ session: Session) throws -> [UInt32] {
      _ = try Self.logits(session)
      let (seed, gradient) = (TestTensor.noise([1, 1000], "seed"), TestTensor(Self.shape.dimensions))
      try withExtendedLifetime((seed, gradient)) {
        try session.backward(seed.tensor)
        try session.readFeatureGradient("input", to: gradient.tensor)
      }
      return gradient.host.floats.map(\.bitPattern)
    }
    func options(_ options: inout Session.Options) { (options.hasGradients, options.features) = (true, ["input"]) }
    for name in ["resnet18", "mobilenet_v2"] {
      let expected = try gradient(Self.session(Self.model(name), releasing: false, options))
      let model = try Self.model(name)
      let session = try Self.session(model, options)
      #expect(try gradient(session) == expected)
      #expect(Self.refusal { _ = try model.saveWeights() }?.code == .wrongState)
    }
  }

  @Test func whatNeedsTheNumbersIsRefused() throws {
    let model = try Self.model("resnet18")
    let file = try model.saveWeights()
    let session = try Self.session(model)
    let expected = try Self.logits(session)
    let picture = TestTensor.noise(Self.shape.dimensions, "picture")
    let exact = try Self.session(model, releasing: false) { $0.algorithms = .exact }
    let trainer = try Trainer(model, options: Trainer.Options())
    let classes = TestTensor([1], integers: [3])
    withExtendedLifetime((picture, classes)) {
      for error in [
        Self.refusal { _ = try model.saveWeights() },
        Self.refusal { _ = try Self.logits(exact) },
        Self.refusal { _ = try trainer.step(picture.tensor, classes.tensor) },
        Self.refusal { _ = try Self.session(model) { $0.algorithms = .exact } },
      ] {
        #expect(error?.code == .wrongState)
        #expect(error?.message.contains("\"conv1.weight\" were released") == true, "\(error?.message ?? "")")
      }
    }
    #expect(try Self.logits(session) == expected)
    // Folded into the kernels, which would have to be packed anew.
    try model.initialize("bn1.*", with: { _ in .constant(2) }, seed: 0)
    #expect(Self.refusal { _ = try Self.logits(session) }?.code == .wrongState)
    var report = WeightReport()
    try withExtendedLifetime(file) { try model.loadWeights(openWeights(bytes: file.bytes), report: &report) }
    #expect(try Self.logits(session) == expected)
    #expect(try Self.logits(exact) != expected)
    _ = try model.saveWeights()
  }

  @Test func nobodyElseMayUseTheModelMeanwhile() throws {
    let model = try Self.model("squeezenet1_1")
    let before = try model.saveWeights()
    try model.gate.beginReading()
    #expect(Self.refusal { _ = try Self.session(model) }?.code == .busy)
    model.gate.endReading()
    let after = try model.saveWeights()
    withExtendedLifetime((before, after)) { #expect(before.bytes.elementsEqual(after.bytes)) }
  }

  /// Nothing of what a cancelled creation has left is taken for numbers.
  @Test func cancelledCreationLeavesNoWrongNumbers() throws {
    final class Clock { var calls = 0, last = Int.max }
    let expected = try Self.logits(Self.session(Self.model("resnet18"), releasing: false))
    for last in 0..<6 {
      let clock = Clock()
      let model = try Self.model("resnet18") { progress in
        guard progress.stage.description == "pack" else { return true }
        clock.calls += 1
        return clock.calls <= clock.last
      }
      clock.last = last
      let error = Self.refusal { _ = try Self.session(model) }
      #expect(error == nil || error?.code == .cancelled)
      clock.last = .max
      do {
        #expect(try Self.logits(Self.session(model, releasing: false)) == expected)
      } catch {
        #expect((error as? SasukaError)?.code == .wrongState)
      }
    }
  }
}
