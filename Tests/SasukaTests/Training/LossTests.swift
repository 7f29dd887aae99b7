// Losses and their gradients against PyTorch, through a trainer.
import Sasuka
import Testing

@Suite struct LossTests {
  /// A network that adds a parameter of the prediction's shape to its input, so that the trainer holds the gradient.
  static func trainer(_ shape: [Int], _ options: Trainer.Options, kernels: InstructionSet) throws -> Trainer {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape(shape))
    let prediction = try graph.addParameter("prediction", shape: Shape(shape), initializer: .constant(0))
    graph.outputs = [try graph.add(input, prediction, name: "add")]
    return try Trainer(Model(graph, instructionSet: kernels), options: options)
  }

  private static func options(of golden: GoldenCase) throws -> Trainer.Options {
    var options = Trainer.Options()
    switch golden.operatorName {
    case "cross_entropy":
      options.loss.labelSmoothing = try golden.number("label_smoothing")
      options.loss.ignoreIndex = try golden.integer("ignore_index")
      options.loss.classWeights = golden["weight"]?.floats
    case "mean_squared_error": options.loss.kind = .meanSquaredError
    default: options.loss.kind = .binaryCrossEntropyWithLogits
    }
    return options
  }

  // A trainer's losses are means.
  @Test(arguments: try Golden.cases(.losses).filter { try $0.string("reduction") == "mean" })
  func valuesAndGradientsMatchPyTorch(golden: GoldenCase) throws {
    let input = try golden.tensor("input")
    let isClasses = golden.operatorName == "cross_entropy" && !golden.name.contains("probabilities")
    let target = TestTensor(try golden.tensor("target"), isInteger: isClasses)
    for kernels in InstructionSet.available {
      let trainer = try Self.trainer(input.shape, Self.options(of: golden), kernels: kernels)
      trainer.model.set("prediction", input.floats)
      try trainer.zeroGradients()
      let loss = try trainer.forwardBackward(TestTensor(input.shape), target)
      let expected = Double(try golden.tensor("output").floats[0])
      #expect(abs(loss - expected) <= 2e-6 * max(abs(expected), 1), "\(kernels): \(loss), expected \(expected)")
      expectClose(trainer.gradient("prediction"), golden["grad_input"], tolerance: 2e-6, "\(kernels) gradient")
    }
  }

  @Test func classWeightsBelowZeroAreRefused() throws {
    for wrong: Float in [-1, .nan, .infinity] {
      var options = Trainer.Options()
      options.loss.classWeights = [1, wrong, 1]
      #expect(throws: SasukaError.self) { try Self.trainer([2, 3], options, kernels: .baseline) }
    }
  }

  @Test func evaluationRanksAgainstTheHighestProbability() throws {
    var options = Trainer.Options()
    // Neither changes which class is the right one.
    options.loss.labelSmoothing = 1
    options.loss.classWeights = [100, 1, 1]
    let trainer = try Self.trainer([2, 3], options, kernels: .baseline)
    let logits = TestTensor([2, 3], [0, 1, 2, 3, 2, 1])
    let found = try trainer.evaluate(logits, TestTensor([2, 3], [0.3, 0.2, 0.5, 0.1, 0.6, 0.3]))
    #expect(found.samples == 2 && found.top1 == 1 && found.top5 == 2)
  }

  @Test func theResultOfAPassCanBeRead() throws {
    let trainer = try Self.trainer([2, 3], Trainer.Options(), kernels: .baseline)
    let result = TestTensor([2, 3])
    let early = #expect(throws: SasukaError.self) {
      try trainer.readFeature("output", isGradient: false, to: result.tensor)
    }
    #expect(early?.code == .wrongState)
    let logits = TestTensor([2, 3], [0, 1, 2, 3, 2, 1])
    _ = try trainer.step(logits, TestTensor([2], integers: [0, 1]))
    try trainer.readFeature("output", isGradient: false, to: result.tensor)
    #expect(result.host.floats == [0, 1, 2, 3, 2, 1])
    #expect(try trainer.featureShape("output") == Shape([2, 3]))
    #expect(throws: SasukaError.self) { try trainer.readFeature("output", isGradient: true, to: result.tensor) }
  }

  @Test func wrongTargetsAreErrorsAndChangeNothing() throws {
    let trainer = try Self.trainer([2, 3], Trainer.Options(), kernels: .baseline)
    let input = TestTensor([2, 3])
    let high = #expect(throws: SasukaError.self) {
      try trainer.step(input, TestTensor([2], integers: [0, 3]))
    }
    #expect(high?.code == .invalidArgument && high?.message.contains("3") == true)
    #expect(throws: SasukaError.self) { try trainer.step(input, TestTensor([2], integers: [-1, 0])) }
    #expect(throws: SasukaError.self) { try trainer.step(input, TestTensor([3], integers: [0, 0, 0])) }
    // Probabilities: below 0, no numbers, of integers.
    for wrong: Float in [-0.5, .nan, .infinity] {
      let found = #expect(throws: SasukaError.self) {
        try trainer.step(input, TestTensor([2, 3], [0, 1, 0, wrong, 0, 0]))
      }
      #expect(found?.code == .invalidArgument && found?.message.contains("probability") == true)
    }
    #expect(throws: SasukaError.self) { try trainer.step(input, TestTensor([2, 3], integers: [0, 1, 0, 1, 0, 0])) }
    #expect(throws: SasukaError.self) { try trainer.step(input, TestTensor([2], [0, 1])) }
    #expect(throws: SasukaError.self) { try trainer.step(input, TestTensor([2, 2], [0, 1, 1, 0])) }
    #expect(trainer.steps == 0)
    #expect(trainer.model.numbers("prediction")?.floats == [0, 0, 0, 0, 0, 0])
  }
}
