// A whole residual network against PyTorch: logits, losses, gradients, and its state after three steps of training.
import Sasuka
import Testing

@Suite struct NetworkTests {
  static func graph() throws(SasukaError) -> Graph {
    var graph = Graph()
    let pad = PaddingMode.explicit(Padding(1))
    var x = graph.addInput(name: "input", shape: Shape([1, 3, 17, 15]))
    x = try graph.convolution(x, name: "conv1", outputChannels: 8, kernel: Extent(3), padding: pad, bias: false)
    x = try graph.activation(graph.batchNorm(x, name: "bn1"), .relu, name: "relu")
    var y = try graph.convolution(
      x, name: "layer1.conv1", outputChannels: 20, kernel: Extent(3), stride: Extent(2), padding: pad, bias: false)
    y = try graph.activation(graph.batchNorm(y, name: "layer1.bn1"), .relu, name: "layer1.relu")
    y = try graph.convolution(
      y, name: "layer1.conv2", outputChannels: 20, kernel: Extent(3), padding: pad, bias: false)
    y = try graph.batchNorm(y, name: "layer1.bn2")
    var shortcut = try graph.convolution(
      x, name: "layer1.downsample.0", outputChannels: 20, kernel: Extent(1), stride: Extent(2), bias: false)
    shortcut = try graph.batchNorm(shortcut, name: "layer1.downsample.1")
    x = try graph.activation(graph.add(y, shortcut, name: "add"), .relu, name: "layer1.relu")
    x = try graph.flatten(graph.globalAveragePool(x, name: "mean"), name: "flatten")
    graph.outputs = [try graph.linear(x, name: "fc", outputFeatures: 5)]
    return graph
  }

  private static func expectState(_ model: Model, _ golden: GoldenCase, _ prefix: String, _ what: String) throws {
    for info in model.parameters.infos {
      let expected = try golden.tensor(prefix + info.name)
      if info.kind == .counter {
        let place = try #require(model.graph.parameterIndex(info.name))
        #expect(model.parameters.counter(place).pointee == Int64(expected.integers[0]), "\(what) \(info.name)")
      } else {
        expectClose(model.numbers(info.name), expected, tolerance: 2e-5, "\(what) \(info.name)")
      }
    }
  }

  @Test(arguments: InstructionSet.available)
  func trainingMatchesPyTorch(kernels: InstructionSet) throws {
    let golden = try #require(try Golden.cases(.network).first)
    var options = Model.Options()
    options.threads = 2
    let model = try Model(Self.graph(), options: options, instructionSet: kernels)
    for info in model.parameters.infos where info.kind != .counter {
      model.set(info.name, try golden.tensor("initial." + info.name).floats)
    }
    let (input, labels) = (
      TestTensor(try golden.tensor("input")), TestTensor(try golden.tensor("labels"), isInteger: true)
    )
    let logits = TestTensor([4, 5])
    try model.forward(input, to: logits)
    expectClose(logits.host, golden["logits_evaluation"], tolerance: 5e-6, "logits")

    var settings = Trainer.Options()
    settings.optimizer.learningRate = try golden.number("lr")
    settings.optimizer.momentum = try golden.number("momentum")
    settings.optimizer.weightDecay = try golden.number("weight_decay")
    let trainer = try Trainer(model, options: settings)
    let losses = try golden.tensor("losses").floats
    for step in 0..<3 {
      let loss = try trainer.step(input, labels)
      #expect(abs(loss - Double(losses[step])) <= 1e-5 * Double(losses[step]), "loss of step \(step)")
      guard step == 0 else { continue }
      for info in model.parameters.infos where info.kind == .weight {
        expectClose(
          trainer.gradient(info.name), try golden.tensor("gradient." + info.name), tolerance: 2e-5,
          "gradient \(info.name)")
      }
    }
    try Self.expectState(model, golden, "trained.", "trained")
    try model.forward(input, to: logits)
    expectClose(logits.host, golden["logits_evaluation_trained"], tolerance: 2e-5, "logits after training")
  }

  @Test func threadCountsGiveTheSameBits() throws {
    let golden = try #require(try Golden.cases(.network).first)
    let (input, labels) = (
      TestTensor(try golden.tensor("input")), TestTensor(try golden.tensor("labels"), isInteger: true)
    )
    for kernels in InstructionSet.available {
      var states: [[UInt32]] = []
      for threads in [1, 2, 3, 7] {
        var options = Model.Options()
        (options.threads, options.seed) = (threads, 11)
        let model = try Model(Self.graph(), options: options, instructionSet: kernels)
        var settings = Trainer.Options()
        settings.optimizer = Optimizer(.adamW)
        let trainer = try Trainer(model, options: settings)
        for _ in 0..<3 { _ = try trainer.step(input, labels) }
        states.append(
          model.parameters.infos.filter { $0.kind != .counter }.flatMap {
            model.numbers($0.name)?.floats.map(\.bitPattern) ?? []
          })
      }
      for state in states.dropFirst() { #expect(state == states[0], "\(kernels)") }
    }
  }
}
