// Transfer learning against PyTorch: frozen layers, layers in evaluation mode, rates of their own, features computed once.
import Sasuka
import Testing

@Suite struct TransferTests {
  /// The residual network of the golden file, its pictures and labels.
  private struct Fixture {
    let golden: GoldenCase
    let model: Model
    let input, labels: TestTensor

    init(_ kernels: InstructionSet = .preferred) throws {
      golden = try #require(try Golden.cases(.network).first)
      var options = Model.Options()
      options.threads = 2
      model = try Model(NetworkTests.graph(), options: options, instructionSet: kernels)
      for info in model.parameters.infos where info.kind != .counter {
        model.set(info.name, try golden.tensor("initial." + info.name).floats)
      }
      input = TestTensor(try golden.tensor("input"))
      labels = TestTensor(try golden.tensor("labels"), isInteger: true)
    }

    var options: Trainer.Options {
      get throws {
        var options = Trainer.Options()
        options.optimizer.learningRate = try golden.number("lr")
        options.optimizer.momentum = try golden.number("momentum")
        options.optimizer.weightDecay = try golden.number("weight_decay")
        return options
      }
    }

    /// What a module computes for the pictures.
    func features(_ module: String) throws -> TestTensor {
      var options = Session.Options()
      options.end = module
      let session = try Session(model, inputShape: input.tensor.shape, options: options)
      let result = TestTensor(session.outputShape.dimensions)
      try withExtendedLifetime((input, result)) { try session.run(input.tensor, to: result.tensor) }
      return result
    }

    func expect(_ names: [String], _ prefix: String, _ what: String) throws {
      for name in names {
        expectClose(
          model.numbers(name), try golden.tensor(prefix + name), tolerance: 2e-5, "\(what) \(name)")
      }
    }
  }

  private static func freezeAllButTheHead(_ trainer: Trainer) throws {
    try trainer.addGroup("*", learningRateFactor: 1, isFrozen: true)
    try trainer.addGroup("fc.*", learningRateFactor: 1, isFrozen: false)
    try trainer.setEvaluation("*", true)
  }

  @Test(arguments: InstructionSet.available)
  func aHeadOnFrozenLayersMatchesPyTorch(kernels: InstructionSet) throws {
    let fixture = try Fixture(kernels)
    let trainer = try Trainer(fixture.model, options: fixture.options)
    try Self.freezeAllButTheHead(trainer)
    let before = fixture.model.numbers("layer1.bn1.running_mean")
    for expected in try fixture.golden.tensor("transfer.losses").floats {
      let loss = try trainer.step(fixture.input, fixture.labels)
      #expect(abs(loss - Double(expected)) <= 1e-5 * Double(expected))
    }
    try fixture.expect(["fc.weight"], "transfer.", "transfer")
    #expect(fixture.model.numbers("layer1.bn1.running_mean") == before)
  }

  @Test(arguments: InstructionSet.available)
  func groupsAndEvaluationModeMatchPyTorch(kernels: InstructionSet) throws {
    let fixture = try Fixture(kernels)
    let trainer = try Trainer(fixture.model, options: fixture.options)
    try trainer.addGroup("conv1.*", learningRateFactor: 1, isFrozen: true)
    try trainer.addGroup("bn1.*", learningRateFactor: 0.01, isFrozen: false)
    try trainer.addGroup("layer1.*", learningRateFactor: 0.1, weightDecay: 0.1, isFrozen: false)
    try trainer.setEvaluation("layer1.*", true)
    try trainer.setEvaluation("layer1.*", false)
    try trainer.setEvaluation("layer1.bn1.*", true)
    for expected in try fixture.golden.tensor("groups.losses").floats {
      let loss = try trainer.step(fixture.input, fixture.labels)
      #expect(abs(loss - Double(expected)) <= 1e-5 * Double(expected))
    }
    try fixture.expect(
      [
        "bn1.weight", "bn1.running_mean", "layer1.conv1.weight", "layer1.bn1.weight", "layer1.bn1.running_mean",
        "layer1.bn2.running_var", "fc.weight",
      ], "groups.", "groups")
    try fixture.expect(["conv1.weight"], "initial.", "frozen")
  }

  /// Features computed once give what the whole network gives, bit for bit, at every module that splits it.
  @Test(arguments: ["relu", "layer1", "mean", "flatten"])
  func featuresComputedOnceTrainAsTheWholeDoes(module: String) throws {
    let whole = try Fixture()
    let split = try Fixture()
    let trainer = try Trainer(whole.model, options: whole.options)
    try Self.freezeAllButTheHead(trainer)
    var options = try split.options
    options.start = module
    let features = try split.features(module)
    let head = try Trainer(split.model, options: options)
    try Self.freezeAllButTheHead(head)
    for _ in 0..<3 {
      #expect(try head.step(features, split.labels) == trainer.step(whole.input, whole.labels))
    }
    for info in whole.model.parameters.infos where info.kind != .counter {
      #expect(split.model.numbers(info.name) == whole.model.numbers(info.name), "\(info.name)")
    }
    let found = try withExtendedLifetime(features) { try head.evaluate(features.tensor, split.labels.tensor) }
    let expected = try withExtendedLifetime(whole) { try trainer.evaluate(whole.input.tensor, whole.labels.tensor) }
    #expect((found.lossSum, found.top1) == (expected.lossSum, expected.top1))
  }

  /// What lies before the split stays, whatever weight decay and momentum would do to it.
  @Test func parametersBeforeTheSplitStay() throws {
    let fixture = try Fixture()
    var options = try fixture.options
    options.start = "relu"
    let before = fixture.model.numbers("bn1.weight")
    let trainer = try Trainer(fixture.model, options: options)
    let features = try fixture.features("relu")
    for _ in 0..<2 { _ = try trainer.step(features, fixture.labels) }
    #expect(fixture.model.numbers("bn1.weight") == before)
    #expect(try trainer.gradientNorm("layer1.*") > 0)
    #expect(try trainer.gradientNorm("bn1.*") == 0)
    #expect(throws: SasukaError.self) { try trainer.setEvaluation("bn1", true) }
  }

  @Test(arguments: [
    ("layer1.conv1", "\"layer1.downsample.0\" reads"), ("fc", "no layer behind it leads to the output"),
    ("layer7", "no layer or group of layers is called \"layer7\""),
  ])
  func modulesThatDoNotSplitTheNetworkAreNamed(module: String, message: String) throws {
    let fixture = try Fixture()
    var options = try fixture.options
    options.start = module
    let error = #expect(throws: SasukaError.self) { try Trainer(fixture.model, options: options) }
    if module == "layer1.conv1" {
      #expect(error?.message.contains("cannot be split at \"layer1.conv1\"") == true)
    } else {
      #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }
  }

  /// Nothing of the frozen part is in the backward pass, and in evaluation mode it is fused as for inference.
  @Test func frozenLayersAreCompiledAsForInference() throws {
    let graph = try NetworkTests.graph()
    let fc = try #require(graph.parameterIndex("fc.weight"))
    var everything = ModuleChoice()
    everything.set(NamePattern("*"), true)
    func plan(_ trainable: [Int], _ evaluated: ModuleChoice) throws -> Plan {
      try Plan.training(
        of: graph, inputShapes: [Shape([4, 3, 17, 15])],
        loss: LossOptions().make(target: Shape([4]), prediction: Shape([4, 3])), targetShape: Shape([4]),
        trainable: trainable, evaluated: evaluated, lanes: 16)
    }
    let inference = try Plan.evaluation(of: graph, inputShapes: [Shape([4, 3, 17, 15])], lanes: 16)
    let head = try plan([fc], everything)
    func kinds(_ plan: Plan) -> [String] { plan.graph.nodes.map(\.operation.kind) }
    let count = inference.graph.nodes.count
    #expect(Array(kinds(head)[..<count]) == kinds(inference))
    #expect(!kinds(head).contains { $0.contains("batch_norm") || $0.contains("convolution_") })
    // Beyond inference: the target, the loss and the gradient of the head, in units of 16 floats.
    #expect(head.arenaFloatCount <= inference.arenaFloatCount + 20 * 16)
    let all = graph.parameters.indices.filter { graph.parameters[$0].kind == .weight }
    #expect(try 2 * plan(all, ModuleChoice()).arenaFloatCount > 3 * head.arenaFloatCount)
    // Batch statistics are gathered in a frozen layer too unless it is in evaluation mode.
    #expect(kinds(try plan([fc], ModuleChoice())).count { $0 == "batch_norm_update" } == 4)
  }

  /// A frozen layer's packed weights are packed again when somebody else changes them.
  @Test func frozenWeightsMayBeChangedFromOutside() throws {
    let fixture = try Fixture()
    let trainer = try Trainer(fixture.model, options: fixture.options)
    try Self.freezeAllButTheHead(trainer)
    _ = try trainer.step(fixture.input, fixture.labels)
    fixture.model.set("conv1.weight", [Float](repeating: 0, count: 216))
    let changed = try trainer.forwardBackward(fixture.input, fixture.labels)
    let fresh = try Trainer(fixture.model, options: fixture.options)
    try Self.freezeAllButTheHead(fresh)
    #expect(try fresh.forwardBackward(fixture.input, fixture.labels) == changed)
  }

  @Test func unfrozenLayersAreTrainedAgain() throws {
    let fixture = try Fixture()
    let trainer = try Trainer(fixture.model, options: fixture.options)
    try Self.freezeAllButTheHead(trainer)
    let before = fixture.model.numbers("conv1.weight")
    _ = try trainer.step(fixture.input, fixture.labels)
    #expect(fixture.model.numbers("conv1.weight") == before)
    let frozenMemory = trainer.memoryBytes
    try trainer.addGroup("*", learningRateFactor: 1, isFrozen: false)
    try trainer.setEvaluation("*", false)
    _ = try trainer.step(fixture.input, fixture.labels)
    #expect(fixture.model.numbers("conv1.weight") != before)
    // Activations are kept again, and gradients with momentum of every layer.
    #expect(trainer.memoryBytes > frozenMemory)
  }

  @Test func normsAreThoseOfTheGradients() throws {
    let fixture = try Fixture()
    let trainer = try Trainer(fixture.model, options: fixture.options)
    try trainer.addGroup("bn1.*", learningRateFactor: 1, isFrozen: true)
    try trainer.zeroGradients()
    _ = try trainer.forwardBackward(fixture.input, fixture.labels)
    func norm(_ names: [String]) -> Double {
      names.flatMap { trainer.gradient($0)!.floats }.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
    let names = fixture.model.parameters.infos.filter { $0.kind == .weight }.map(\.name)
    // Sums of at most 3600 squares, each rounded once in float32 by the vectors they are gathered in.
    let tolerance = 1e-5
    for name in names { #expect(abs(try trainer.gradientNorm(name) - norm([name])) <= tolerance * norm([name])) }
    let layer = names.filter { $0.hasPrefix("layer1.") }
    #expect(abs(try trainer.gradientNorm("layer1.*") - norm(layer)) <= tolerance * norm(layer))
    #expect(abs(try trainer.gradientNorm("*") - norm(names)) <= tolerance * norm(names))
    #expect(try trainer.gradientNorm("bn1.weight") == 0)
    let missing = #expect(throws: SasukaError.self) { try trainer.gradientNorm("bn7.*") }
    #expect(missing?.code == .notFound)
  }
}
