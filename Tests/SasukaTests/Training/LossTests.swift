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
    let isClasses = golden.operatorName == "cross_entropy"
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

  @Test func wrongTargetsAreErrorsAndChangeNothing() throws {
    let trainer = try Self.trainer([2, 3], Trainer.Options(), kernels: .baseline)
    let input = TestTensor([2, 3])
    let high = #expect(throws: SasukaError.self) {
      try trainer.step(input, TestTensor([2], integers: [0, 3]))
    }
    #expect(high?.code == .invalidArgument && high?.message.contains("3") == true)
    #expect(throws: SasukaError.self) { try trainer.step(input, TestTensor([2], integers: [-1, 0])) }
    #expect(throws: SasukaError.self) { try trainer.step(input, TestTensor([3], integers: [0, 0, 0])) }
    #expect(trainer.steps == 0)
    #expect(trainer.model.numbers("prediction")?.floats == [0, 0, 0, 0, 0, 0])
  }
}
