// What modules compute in training steps, and the loss's gradients with respect to it, against PyTorch's numbers.
import Sasuka
import Testing

@Suite struct WatchTests {
  private static func read(_ trainer: Trainer, _ name: String, isGradient: Bool = false) throws -> HostTensor {
    let value = TestTensor(try trainer.featureShape(name).dimensions)
    try withExtendedLifetime(value) { try trainer.readFeature(name, isGradient: isGradient, to: value.tensor) }
    return value.host
  }

  private static func trainer(
    _ golden: GoldenCase, kernels: InstructionSet = .preferred, start: String? = nil
  ) throws -> Trainer {
    let model = try Model(NetworkTests.graph(), instructionSet: kernels)
    for info in model.parameters.infos where info.kind != .counter {
      model.set(info.name, try golden.tensor("initial." + info.name).floats)
    }
    var options = Trainer.Options()
    options.start = start
    return try Trainer(model, options: options)
  }

  /// Sums over a map [batch, channels, height, width], channel by channel.
  private static func channelSums(_ map: HostTensor) -> HostTensor {
    let (channels, area) = (map.shape[1], map.shape[2] * map.shape[3])
    var sums = [Double](repeating: 0, count: channels)
    for (place, value) in map.floats.enumerated() {
      sums[place / area % channels] += Double(value)
    }
    return HostTensor([channels], sums.map { Float($0) })
  }

  /// A normalisation's bias has the sum of the gradients of its results.
  @Test(arguments: InstructionSet.available)
  func gradientsAddUpToPyTorchsOfTheBiases(kernels: InstructionSet) throws {
    let golden = try #require(try Golden.cases(.network).first)
    let trainer = try Self.trainer(golden, kernels: kernels)
    let norms = ["bn1", "layer1.bn1", "layer1.bn2", "layer1.downsample.1"]
    try trainer.watch(norms + ["fc", "flatten", "input"])
    let (input, labels) = (
      TestTensor(try golden.tensor("input")), TestTensor(try golden.tensor("labels"), isInteger: true)
    )
    _ = try trainer.forwardBackward(input, labels)
    for norm in norms {
      let gradient = try Self.read(trainer, norm, isGradient: true)
      expectClose(
        Self.channelSums(gradient), try golden.tensor("gradient.\(norm).bias"), tolerance: 2e-5,
        "\(norm) on \(kernels)")
    }
    expectClose(try Self.read(trainer, "fc"), golden["logits_training"], tolerance: 5e-6, "logits")
    #expect(try Self.read(trainer, "input") == HostTensor(golden.tensor("input")))
    // fc.weight's gradient is the sum over pictures of products of what goes in and of what comes back.
    let (features, logits) = (try Self.read(trainer, "flatten"), try Self.read(trainer, "fc", isGradient: true))
    let expected = try golden.tensor("gradient.fc.weight")
    var weight = [Float](repeating: 0, count: expected.floats.count)
    for (place, _) in weight.enumerated() {
      let (row, column) = (place / features.shape[1], place % features.shape[1])
      for picture in 0..<4 {
        weight[place] += logits.floats[picture * 5 + row] * features.floats[picture * features.shape[1] + column]
      }
    }
    expectClose(HostTensor(expected.shape, weight), expected, tolerance: 2e-5, "fc.weight")
  }

  @Test func forwardComputesAsAStepDoes() throws {
    let golden = try #require(try Golden.cases(.network).first)
    let (input, labels) = (
      TestTensor(try golden.tensor("input")), TestTensor(try golden.tensor("labels"), isInteger: true)
    )
    let (forward, step) = (try Self.trainer(golden), try Self.trainer(golden))
    let logits = TestTensor([4, 5])
    try withExtendedLifetime((input, logits)) { try forward.forward(input.tensor, to: logits.tensor) }
    expectClose(logits.host, golden["logits_training"], tolerance: 5e-6, "logits")
    _ = try step.forwardBackward(input, labels)
    for info in step.model.parameters.infos where info.kind != .counter {
      // Without gradients to come, convolutions may add up in another order.
      expectClose(forward.model.numbers(info.name), step.model.numbers(info.name), tolerance: 2e-6, info.name)
    }
    let place = try #require(forward.model.graph.parameterIndex("bn1.num_batches_tracked"))
    #expect(forward.model.parameters.counter(place).pointee == 1)
    // A wrong output is found before anything has changed.
    let wrong = TestTensor([4, 4])
    #expect(throws: SasukaError.self) {
      try withExtendedLifetime((input, wrong)) { try forward.forward(input.tensor, to: wrong.tensor) }
    }
    #expect(forward.model.parameters.counter(place).pointee == 1)
  }

  @Test func modulesBeforeTheTrainersInputAreNotThere() throws {
    let golden = try #require(try Golden.cases(.network).first)
    let trainer = try Self.trainer(golden, start: "layer1")
    #expect(throws: SasukaError.self) { try trainer.watch(["bn1"]) }
    try trainer.watch(["layer1", "flatten"])
    #expect(throws: SasukaError.self) { _ = try Self.read(trainer, "flatten") }
    let (features, labels) = (
      TestTensor([4, 20, 9, 8], (0..<5760).map { Float($0 % 13) / 8 }), TestTensor([4], integers: [0, 1, 2, 3])
    )
    _ = try trainer.forwardBackward(features, labels)
    #expect(try Self.read(trainer, "layer1") == features.host)
    let (mean, map) = (
      try Self.read(trainer, "flatten", isGradient: true), try Self.read(trainer, "layer1", isGradient: true)
    )
    let expected = (0..<5760).map { mean.floats[$0 / 72] / 72 }
    expectClose(map, HostTensor([4, 20, 9, 8], expected), tolerance: 1e-6, "gradient of the map")
  }
}
