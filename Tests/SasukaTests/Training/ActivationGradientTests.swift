// Gradients of a class's logit with respect to what modules compute, against PyTorch.
import Sasuka
import Testing

@Suite struct ActivationGradientTests {
  private static func session(
    _ features: [String], kernels: InstructionSet = .preferred, gradients: Bool = true
  ) throws -> (GoldenCase, Session) {
    let golden = try #require(try Golden.cases(.network).first)
    let model = try Model(NetworkTests.graph(), instructionSet: kernels)
    for info in model.parameters.infos where info.kind != .counter {
      model.set(info.name, try golden.tensor("initial." + info.name).floats)
    }
    var options = Session.Options()
    (options.features, options.hasGradients) = (features, gradients)
    return (golden, try Session(model, inputShape: Shape([4, 3, 17, 15]), options: options))
  }

  private static func run(_ session: Session, _ golden: GoldenCase) throws -> TestTensor {
    let (input, logits) = (TestTensor(try golden.tensor("input")), TestTensor([4, 5]))
    try withExtendedLifetime((input, logits)) { try session.run(input.tensor, to: logits.tensor) }
    return logits
  }

  private static func backward(_ session: Session, _ seed: [Float]) throws {
    let seed = TestTensor([4, 5], seed)
    try withExtendedLifetime(seed) { try session.backward(seed.tensor) }
  }

  private static func gradient(_ session: Session, _ name: String) throws -> HostTensor {
    let value = TestTensor(try session.featureShape(name).dimensions)
    try withExtendedLifetime(value) { try session.readFeatureGradient(name, to: value.tensor) }
    return value.host
  }

  private static func seed(_ classes: [Int32]) -> [Float] {
    var seed = [Float](repeating: 0, count: 20)
    for (picture, label) in classes.enumerated() { seed[5 * picture + Int(label)] = 1 }
    return seed
  }

  @Test(arguments: InstructionSet.available)
  func matchPyTorch(kernels: InstructionSet) throws {
    let (golden, session) = try Self.session(["layer1", "input", "fc"], kernels: kernels)
    expectClose(try Self.run(session, golden).host, golden["logits_evaluation"], tolerance: 5e-6, "logits")
    let seed = Self.seed(try golden.tensor("labels").integers)
    try Self.backward(session, seed)
    for name in ["layer1", "input"] {
      expectClose(
        try Self.gradient(session, name), try golden.tensor("class_gradient." + name), tolerance: 5e-6,
        "\(name) on \(kernels)")
    }
    #expect(try Self.gradient(session, "fc").floats == seed)
  }

  /// Each class in turn, from one run, gives what a session of its own gives.
  @Test func seedsMayFollowEachOther() throws {
    let (golden, session) = try Self.session(["layer1"])
    _ = try Self.run(session, golden)
    for label in [0, 3, 1] as [Int32] {
      let seed = Self.seed([label, label, label, label])
      try Self.backward(session, seed)
      let (_, fresh) = try Self.session(["layer1"])
      _ = try Self.run(fresh, golden)
      try Self.backward(fresh, seed)
      #expect(try Self.gradient(session, "layer1") == Self.gradient(fresh, "layer1"))
    }
    let value = TestTensor([4, 20, 9, 8])
    try withExtendedLifetime(value) { try session.readFeature("layer1", to: value.tensor) }
    #expect(value.host.floats.allSatisfy { $0 >= 0 } && value.host.floats.contains { $0 > 0 })
  }

  @Test func callsInAnOrderThatMakesNoSenseAreErrors() throws {
    let seed = Self.seed([0, 0, 0, 0])
    func code(_ body: () throws -> Void) -> SasukaError.Code? {
      do { try body() } catch { return (error as? SasukaError)?.code }
      return nil
    }
    let (golden, session) = try Self.session(["layer1"])
    #expect(code { try Self.backward(session, seed) } == .wrongState)
    _ = try Self.run(session, golden)
    #expect(code { _ = try Self.gradient(session, "layer1") } == .wrongState)
    let wrong = TestTensor([4, 4])
    #expect(code { try withExtendedLifetime(wrong) { try session.backward(wrong.tensor) } } == .invalidArgument)
    try Self.backward(session, seed)
    #expect(code { _ = try Self.gradient(session, "layer1") } == nil)
    _ = try Self.run(session, golden)
    #expect(code { _ = try Self.gradient(session, "layer1") } == .wrongState)
    let (_, plain) = try Self.session(["layer1"], gradients: false)
    _ = try Self.run(plain, golden)
    #expect(code { try Self.backward(plain, seed) } == .wrongState)
  }
}
