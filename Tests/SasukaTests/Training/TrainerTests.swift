// A trainer's groups, accumulation, limits and evaluation, where exact arithmetic says what must come out.
import Foundation
import Sasuka
import Testing

/// A small network with every kind of parameter, and a batch for it.
struct TrainerFixture {
  let model: Model
  let input: TestTensor
  let labels: TestTensor

  init(width: Int = 5, seed: UInt64 = 4) throws {
    var graph = Graph()
    var x = graph.addInput(name: "input", shape: Shape([1, 2, 6, 6]))
    x = try graph.convolution(x, name: "conv", outputChannels: width, kernel: Extent(3))
    x = try graph.activation(graph.batchNorm(x, name: "bn"), .relu, name: "relu")
    x = try graph.dropout(x, name: "drop", probability: 0.3)
    x = try graph.flatten(graph.globalAveragePool(x, name: "mean"), name: "flatten")
    graph.outputs = [try graph.linear(x, name: "fc", outputFeatures: 7)]
    var options = Model.Options()
    (options.seed, options.threads) = (seed, 2)
    model = try Model(graph, options: options)
    input = TestTensor([4, 2, 6, 6], (0..<288).map { Float(($0 * 37) % 101) / 50 - 1 })
    labels = TestTensor([4], integers: [0, 6, 3, 3])
  }

  /// Every bit of the model.
  var state: [UInt32] {
    model.parameters.infos.enumerated().flatMap { place, info -> [UInt32] in
      if info.kind == .counter { return [UInt32(truncatingIfNeeded: model.parameters.counter(place).pointee)] }
      return model.numbers(info.name)!.floats.map(\.bitPattern)
    }
  }
}

extension Trainer {
  /// Every bit of the optimiser's arrays.
  var stateBits: [UInt32] {
    (0..<(gradients.floatCount * options.optimizer.stateCount)).map { state.floats[$0].bitPattern }
  }

  func load(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try loadCheckpoint(openWeights(bytes: $0, name: "checkpoint")) }
  }

  func checkpoint() throws -> [UInt8] {
    let memory = try saveCheckpoint()
    return withExtendedLifetime(memory) { [UInt8](memory.bytes) }
  }
}

@Suite struct TrainerTests {
  private static func options(_ rule: Optimizer.Rule = .sgd, rate: Double = 0.25) -> Trainer.Options {
    var options = Trainer.Options()
    options.optimizer = Optimizer(rule)
    options.optimizer.learningRate = rate
    return options
  }

  @Test func groupsHaveRatesDecaysAndFreezing() throws {
    let fixture = try TrainerFixture()
    let model = fixture.model
    let trainer = try Trainer(model, options: Self.options())
    try trainer.addGroup("conv.*", learningRateFactor: 0, weightDecay: 0, isFrozen: true)
    try trainer.addGroup("fc.*", learningRateFactor: 0.5, weightDecay: 0.125, isFrozen: false)
    let before = Dictionary(
      uniqueKeysWithValues: model.parameters.infos.map { ($0.name, model.numbers($0.name)!.floats) })
    try trainer.zeroGradients()
    _ = try trainer.forwardBackward(fixture.input, fixture.labels)
    let gradients = ["bn.weight", "fc.weight"].map { trainer.gradient($0)!.floats }
    try trainer.update()
    #expect(model.numbers("conv.weight")?.floats == before["conv.weight"])
    #expect(model.numbers("conv.bias")?.floats == before["conv.bias"])
    let norm = zip(before["bn.weight"]!, gradients[0]).map { $0 - 0.25 * $1 }
    expectClose(model.numbers("bn.weight"), HostTensor([5], norm), tolerance: 0x1p-23, "bn.weight")
    let head = zip(before["fc.weight"]!, gradients[1]).map { $0 - 0.125 * ($1 + 0.125 * $0) }
    expectClose(model.numbers("fc.weight"), HostTensor([7, 5], head), tolerance: 0x1p-23, "fc.weight")
    #expect(gradients[0].contains { $0 != 0 } && gradients[1].contains { $0 != 0 })
  }

  @Test func aGroupThatMatchesNothingOrMakesNoSenseIsAnError() throws {
    let trainer = try Trainer(TrainerFixture().model, options: Self.options())
    let missing = #expect(throws: SasukaError.self) {
      try trainer.addGroup("layer9.*", learningRateFactor: 1, weightDecay: 0, isFrozen: false)
    }
    #expect(missing?.code == .notFound && missing?.message.contains("layer9.*") == true)
    for (factor, decay) in [(-1.0, 0.0), (.nan, 0), (.infinity, 0), (1, -1), (1, .nan)] {
      #expect(throws: SasukaError.self) {
        try trainer.addGroup("*", learningRateFactor: factor, weightDecay: decay, isFrozen: false)
      }
    }
  }

  @Test func gradientsAccumulateOverBatches() throws {
    let fixture = try TrainerFixture()
    let trainer = try Trainer(fixture.model, options: Self.options())
    let other = TestTensor([4], integers: [1, 1, 2, 5])
    var parts: [[Float]] = []
    for (pass, labels) in [fixture.labels, other].enumerated() {
      // Dropout draws by pass, so that both parts come from one trainer, one after the other.
      try trainer.zeroGradients()
      #expect(trainer.passes == UInt64(pass))
      _ = try trainer.forwardBackward(fixture.input, labels)
      parts.append(trainer.gradient("fc.weight")!.floats)
    }
    let together = try Trainer(fixture.model, options: Self.options())
    try together.zeroGradients()
    _ = try together.forwardBackward(fixture.input, fixture.labels)
    _ = try together.forwardBackward(fixture.input, other)
    #expect(together.gradient("fc.weight")?.floats == zip(parts[0], parts[1]).map { $0 + $1 })
  }

  @Test func evaluationCountsWhatTheLogitsSay() throws {
    let fixture = try TrainerFixture()
    let trainer = try Trainer(fixture.model, options: Self.options())
    let logits = TestTensor([4, 7])
    try fixture.model.forward(fixture.input, to: logits)
    let labels = [0, 6, 3, 3]
    var (loss, top1, top5) = (0.0, 0, 0)
    for (sample, label) in labels.enumerated() {
      let row = logits.host.floats[(7 * sample)..<(7 * sample + 7)].map(Double.init)
      loss += log(row.reduce(0) { $0 + exp($1) }) - row[label]
      let better = row.count { $0 > row[label] }
      top1 += better < 1 ? 1 : 0
      top5 += better < 5 ? 1 : 0
    }
    let before = fixture.state
    let found = try withExtendedLifetime(fixture) { try trainer.evaluate(fixture.input.tensor, fixture.labels.tensor) }
    #expect((found.samples, found.top1, found.top5) == (4, top1, top5))
    #expect(abs(found.lossSum - loss) < 1e-5 * loss)
    #expect(fixture.state == before)
  }

  @Test func clippingByNormScalesTheWholeGradient() throws {
    let fixture = try TrainerFixture()
    var options = Self.options()
    options.clipNorm = 0x1p-6
    let trainer = try Trainer(fixture.model, options: options)
    try trainer.zeroGradients()
    _ = try trainer.forwardBackward(fixture.input, fixture.labels)
    let names = fixture.model.parameters.infos.filter { $0.kind == .weight }.map(\.name)
    func norm() -> Double {
      names.flatMap { trainer.gradient($0)!.floats }.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
    #expect(norm() > 0x1p-5)
    try trainer.update()
    #expect(abs(norm() - 0x1p-6) < 1e-5)
  }
}

@Suite struct CheckpointTests {
  private static func trainer(_ fixture: TrainerFixture, _ rule: Optimizer.Rule) throws -> Trainer {
    var options = Trainer.Options()
    options.optimizer = Optimizer(rule)
    if rule == .sgd { options.optimizer.momentum = 0.9 }
    return try Trainer(fixture.model, options: options)
  }

  @Test(arguments: [Optimizer.Rule.sgd, .adam, .adamW, .rmsProp])
  func trainingGoesOnBitForBit(rule: Optimizer.Rule) throws {
    let straight = try TrainerFixture()
    let trainer = try Self.trainer(straight, rule)
    for _ in 0..<3 { _ = try trainer.step(straight.input, straight.labels) }
    let bytes = try trainer.checkpoint()
    for _ in 0..<3 { _ = try trainer.step(straight.input, straight.labels) }

    let resumed = try TrainerFixture(seed: 99)
    let other = try Self.trainer(resumed, rule)
    try other.load(bytes)
    #expect(other.steps == 3 && other.passes == 3)
    for _ in 0..<3 { _ = try other.step(resumed.input, resumed.labels) }
    #expect(resumed.state == straight.state)
    #expect(other.stateBits == trainer.stateBits)
  }

  /// Every shorter file, and every byte of the header changed: an error or the same network, and never half of one.
  @Test func damagedCheckpointsChangeNothing() throws {
    let fixture = try TrainerFixture()
    let trainer = try Self.trainer(fixture, .adam)
    for _ in 0..<2 { _ = try trainer.step(fixture.input, fixture.labels) }
    let bytes = try trainer.checkpoint()
    _ = try trainer.step(fixture.input, fixture.labels)
    let (state, optimizer, steps) = (fixture.state, trainer.stateBits, trainer.steps)
    let header = 8 + bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    var refused = 0
    func expectUntouched(_ damaged: [UInt8], _ what: String) throws {
      do {
        try trainer.load(damaged)
        // Padding, a name of metadata that nobody reads, another seed's digits: taken over whole, then undone.
        try trainer.load(bytes)
        _ = try trainer.step(fixture.input, fixture.labels)
      } catch {
        refused += 1
        #expect(error is SasukaError, "\(what)")
      }
      #expect(fixture.state == state && trainer.stateBits == optimizer && trainer.steps == steps, "\(what)")
    }
    for length in Swift.stride(from: 0, to: bytes.count, by: 7) {
      try expectUntouched(Array(bytes[..<length]), "\(length) bytes")
    }
    for place in 0..<header {
      for bit in [0, 5, 7] {
        var damaged = bytes
        damaged[place] ^= 1 << bit
        try expectUntouched(damaged, "byte \(place), bit \(bit)")
      }
    }
    #expect(refused > header)
  }

  @Test func checkpointsOfOtherNetworksAndOptimisersAreMismatches() throws {
    let fixture = try TrainerFixture()
    let bytes = try Self.trainer(fixture, .sgd).checkpoint()
    let wide = try TrainerFixture(width: 6)
    let (before, trainer) = (wide.state, try Self.trainer(wide, .sgd))
    let network = #expect(throws: SasukaError.self) { try trainer.load(bytes) }
    #expect(network?.code == .mismatch && network?.message.contains("conv.weight") == true)
    #expect(wide.state == before)
    let optimizer = #expect(throws: SasukaError.self) { try Self.trainer(fixture, .adam).load(bytes) }
    #expect(optimizer?.code == .mismatch)
    let weights = try written([StoredTensor("conv.weight", .float32, [1], [0, 0, 0, 0])], .safetensors)
    let plain = #expect(throws: SasukaError.self) { try trainer.load(weights) }
    #expect(plain?.code == .format && plain?.message.contains("checkpoint") == true)
  }
}
