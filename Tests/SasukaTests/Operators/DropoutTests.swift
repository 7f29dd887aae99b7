// The dropouts: values against PyTorch's for the same mask, masks by their statistics, gradients by the mask.
import Sasuka
import Testing

@Suite struct DropoutTests {
  enum Variant: String, CaseIterable {
    case dropout
    case alphaDropout = "alpha_dropout"
    case dropout2d

    func append(
      to graph: inout Graph, _ input: Value, name: String = "drop", _ probability: Float
    ) throws(SasukaError) -> Value {
      switch self {
      case .dropout: try graph.dropout(input, name: name, probability: probability)
      case .alphaDropout: try graph.alphaDropout(input, name: name, probability: probability)
      case .dropout2d: try graph.dropout2d(input, name: name, probability: probability)
      }
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "dropout", "alpha_dropout", "dropout2d"))
  func valuesMatchPyTorch(golden: GoldenCase) throws {
    let probability = Float(try golden.number("p"))
    let values: DropoutValues =
      golden.operatorName == "alpha_dropout" ? .selfNormalizing(probability) : .scaled(probability)
    let (input, output) = (try golden.tensor("input"), try golden.tensor("output"))
    let mask = try golden.tensor("mask").integers
    let group = input.floats.count / mask.count
    for (place, x) in input.floats.enumerated() {
      let expected = mask[place / group] == 1 ? x * values.scale + values.shift : values.dropped
      #expect(abs(output.floats[place] - expected) <= 4 * 0x1p-24 * max(1, abs(expected)), "element \(place)")
    }
  }

  /// About p of the elements are dropped, the gradient is dropped where the output was, every table gives the same draw.
  @Test(arguments: Variant.allCases, [0.2 as Float, 0.5])
  func drawsAndGradients(variant: Variant, probability: Float) throws {
    let shape = variant == .dropout2d ? [40, 63, 2, 3] : [5, 21, 9, 11]
    let count = shape.reduce(1, *)
    let x = HostTensor(shape, (0..<count).map { 1 + Float($0 % 7) })
    let dy = HostTensor(shape, (0..<count).map { 1 + Float($0 % 5) })
    let run = OperatorRun(inputs: [x], upstream: dy) { (graph, values) throws(SasukaError) in
      try variant.append(to: &graph, values[0], probability)
    }
    let values: DropoutValues = variant == .alphaDropout ? .selfNormalizing(probability) : .scaled(probability)
    var first: OperatorResult?
    for (kernels, result) in try run.everywhere() {
      let dx = try #require(result.inputGradients[0])
      let kept = dx.floats.map { $0 != 0 }
      let draws = variant == .dropout2d ? count / 6 : count
      let share = Float(kept.count { !$0 }) / Float(count)
      // Four standard deviations of a binomial distribution.
      let deviation = (probability * (1 - probability) / Float(draws)).squareRoot()
      #expect(abs(share - probability) < 4 * deviation, "\(kernels)")
      for place in 0..<count {
        let y = kept[place] ? x.floats[place] * values.scale + values.shift : values.dropped
        #expect(result.output.floats[place] == y)
        #expect(dx.floats[place] == (kept[place] ? dy.floats[place] * values.scale : 0))
        if variant == .dropout2d { #expect(kept[place] == kept[place / 6 * 6]) }
      }
      #expect(result == first ?? result, "\(kernels) draws differently")
      first = result
    }
  }

  @Test func drawsDependOnSeedIterationAndPlace() throws {
    let x = HostTensor([64], [Float](repeating: 1, count: 64))
    func draw(_ random: RandomState, second: Bool = false) throws -> [Float] {
      var run = OperatorRun(inputs: [x]) { (graph, values) throws(SasukaError) in
        let value = second ? try graph.append(Add(), name: "add", inputs: [values[0], values[0]])[0] : values[0]
        return try graph.dropout(value, name: "drop")
      }
      run.random = random
      return try run.run(TestedKernels.baseline.table, threads: 1).output.floats.map { $0 == 0 ? 0 : 1 }
    }
    let first = try draw(RandomState(seed: 1, iteration: 1))
    #expect(try draw(RandomState(seed: 1, iteration: 1)) == first)
    #expect(try draw(RandomState(seed: 2, iteration: 1)) != first)
    #expect(try draw(RandomState(seed: 1, iteration: 2)) != first)
    #expect(try draw(RandomState(seed: 1, iteration: 1), second: true) != first)
  }

  @Test(arguments: Variant.allCases)
  func evaluationAndProbabilityZeroChangeNothing(variant: Variant) throws {
    let x = HostTensor([1, 3, 2, 2], (0..<12).map { Float($0) })
    for (mode, probability) in [(Mode.evaluation, 0.5 as Float), (.training, 0)] {
      let run = OperatorRun(mode: mode, inputs: [x], upstream: x) { (graph, values) throws(SasukaError) in
        try variant.append(to: &graph, values[0], probability)
      }
      let result = try run.run(TestedKernels.baseline.table, threads: 1)
      #expect(result.output == x)
      #expect(result.inputGradients == [x])
    }
  }

  @Test(arguments: Variant.allCases)
  func probabilityOneDropsEverything(variant: Variant) throws {
    let x = HostTensor([1, 3, 2, 2], (0..<12).map { Float($0) })
    let run = OperatorRun(inputs: [x], upstream: x) { (graph, values) throws(SasukaError) in
      try variant.append(to: &graph, values[0], 1)
    }
    let result = try run.run(TestedKernels.baseline.table, threads: 1)
    #expect(result.output.floats.allSatisfy { $0 == 0 })
    #expect(result.inputGradients[0]?.floats.allSatisfy { $0 == 0 } == true)
  }

  @Test(arguments: [-0.1 as Float, 1.5, .nan])
  func otherProbabilitiesAreErrors(probability: Float) {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([2, 2]))
    #expect(throws: SasukaError.self) { try graph.dropout(input, name: "drop", probability: probability) }
  }
}
