// Activations, softmax, sums and products with broadcasting against PyTorch, forward and backward.
import Foundation
import Sasuka
import Testing

@Suite struct ElementTests {
  @Test(
    arguments: try Golden.cases(
      .operators, of: "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "hard_swish", "silu", "hard_sigmoid"))
  func activationMatchesPyTorch(golden: GoldenCase) throws {
    let function = try activation(golden)
    try golden.expectMatch { (graph, inputs) throws(SasukaError) in
      try graph.activation(inputs[0], function, name: "m")
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "softmax", "log_softmax"))
  func softmaxMatchesPyTorch(golden: GoldenCase) throws {
    let axis = try golden.integer("dim")
    let isLogarithm = golden.operatorName == "log_softmax"
    // The gradient is a probability times a difference of upstream gradients, which are about 1.
    try golden.expectMatch(tolerance: 16 * 0x1p-24, gradientFloor: 1) { (graph, inputs) throws(SasukaError) in
      try graph.softmax(inputs[0], axis: axis, isLogarithm: isLogarithm, name: "m")
    }
  }

  /// Rows of classes that end anywhere in a vector, all far below 0, where zeros in their place would show.
  @Test(arguments: Array(1...34) + [1000], [false, true])
  func softmaxOfRows(_ classes: Int, isLogarithm: Bool) throws {
    let x = HostTensor.noise([3, classes], "x", -60 ... -40)
    let expected = (0..<3).flatMap { row in
      let numbers = x.floats[(row * classes)..<((row + 1) * classes)].map { Double($0) }
      let sum = numbers.reduce(0) { $0 + exp($1) }
      return numbers.map { Float(isLogarithm ? $0 - log(sum) : exp($0) / sum) }
    }
    let run = OperatorRun(mode: .evaluation, inputs: [x]) {
      (graph, values) throws(SasukaError) in
      try graph.softmax(values[0], axis: 1, isLogarithm: isLogarithm, name: "m")
    }
    for (kernels, result) in try run.everywhere() {
      expectClose(result.output, HostTensor([3, classes], expected), tolerance: 1e-6, "\(kernels)")
    }
  }

  /// Classes that lie a power of two apart are computed in a copy: to the same bits as where one position more sets them apart.
  @Test(arguments: [4, 5, 21, 600], [false, true])
  func softmaxOfClassesFarApart(_ classes: Int, isLogarithm: Bool) throws {
    let fill = NamedUniform("x", -9, 9)
    func outputs(positions: Int) throws -> [[Float]] {
      let x = (0..<2 * classes).flatMap { row in (0..<positions).map { fill[row * 1025 + $0] } }
      let run = OperatorRun(mode: .evaluation, inputs: [HostTensor([2, classes, positions], x)]) {
        (graph, values) throws(SasukaError) in
        try graph.softmax(values[0], axis: 1, isLogarithm: isLogarithm, name: "m")
      }
      return try run.everywhere().map { $0.1.output.floats }
    }
    for (found, expected) in zip(try outputs(positions: 1024), try outputs(positions: 1025)) {
      for row in 0..<2 * classes {
        try #require(
          found[(row * 1024)..<((row + 1) * 1024)] == expected[(row * 1025)..<(row * 1025 + 1024)], "row \(row)")
      }
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "add"))
  func addMatchesPyTorch(golden: GoldenCase) throws {
    try golden.expectMatch { (graph, inputs) throws(SasukaError) in
      try graph.add(inputs[0], inputs[1], name: "m")
    }
    try golden.expectMatch(isBlocked: true) { (graph, inputs) throws(SasukaError) in
      try graph.add(inputs[0], inputs[1], name: "m")
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "multiply"))
  func multiplyMatchesPyTorch(golden: GoldenCase) throws {
    try golden.expectMatch { (graph, inputs) throws(SasukaError) in
      try graph.multiply(inputs[0], inputs[1], name: "m")
    }
    try golden.expectMatch(isBlocked: true) { (graph, inputs) throws(SasukaError) in
      try graph.multiply(inputs[0], inputs[1], name: "m")
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "mean"))
  func meanMatchesPyTorch(golden: GoldenCase) throws {
    let (axes, keepsAxes) = (try golden.integers("axes"), try golden.boolean("keepdim"))
    for isBlocked in [false, true] {
      try golden.expectMatch(isBlocked: isBlocked) { (graph, inputs) throws(SasukaError) in
        // Without the builder, which refuses the batch.
        let operation = AxisReduction(.mean, axes: axes, rank: graph.shape(inputs[0]).rank)
        let mean = try graph.append(operation, name: "m", inputs: [inputs[0]])[0]
        return keepsAxes ? mean : try graph.append(Squeeze(axes: axes), name: "m", inputs: [mean])[0]
      }
    }
  }

  /// Sizes of several units of work, and a squeeze-and-excitation's factor.
  @Test func largeMapsTimesOneFactorForEachChannel() throws {
    let (channels, area) = (40, 57 * 31)
    let map = (0..<(2 * channels * area)).map { Float($0 % 13) - 6 }
    let factors = (0..<(2 * channels)).map { Float($0 % 7) - 3 }
    let upstream = (0..<map.count).map { Float($0 % 5) - 2 }
    let run = OperatorRun(
      inputs: [HostTensor([2, channels, 57, 31], map), HostTensor([2, channels, 1, 1], factors)],
      upstream: HostTensor([2, channels, 57, 31], upstream)
    ) { (graph, values) throws(SasukaError) in
      let blocked = try graph.blockedInput(values[0])
      return try graph.multiply(blocked, values[1], name: "scale")
    }
    let sums = factors.indices.map { index in
      (0..<area).reduce(Float(0)) { $0 + map[index * area + $1] * upstream[index * area + $1] }
    }
    for (_, result) in try run.everywhere() {
      #expect(result.output.floats == map.indices.map { map[$0] * factors[$0 / area] })
      #expect(result.inputGradients[0]?.floats == map.indices.map { upstream[$0] * factors[$0 / area] })
      #expect(result.inputGradients[1]?.floats == sums)
    }
  }

  /// Both would fit into the same memory: 16 floats, or one block of channels.
  @Test(arguments: [[[1, 5], [3, 5]], [[1, 1, 2, 3], [1, 4, 2, 3]]])
  func aRepeatedOperandIsNotOverwritten(shapes: [[Int]]) throws {
    let inputs = shapes.map { shape in
      HostTensor(shape, (0..<shape.reduce(1, *)).map { Float($0 + 1) })
    }
    let run = OperatorRun(mode: .evaluation, inputs: inputs) { (graph, values) throws(SasukaError) in
      let left = try graph.activation(graph.blockedInput(values[0]), .relu, name: "relu")
      return try graph.add(left, values[1], name: "m")
    }
    let count = inputs[0].floats.count
    for (kernels, result) in try run.everywhere() {
      let expected = inputs[1].floats.indices.map { inputs[0].floats[$0 % count] + inputs[1].floats[$0] }
      #expect(result.output.floats == expected, "\(kernels)")
    }
  }

  private func activation(_ golden: GoldenCase) throws -> Activation.Function {
    switch golden.operatorName {
    case "relu": .relu
    case "relu6": .relu6
    case "leaky_relu": .leakyRelu(slope: Float(try golden.number("negative_slope")))
    case "sigmoid": .sigmoid
    case "tanh": .tanh
    case "hard_swish": .hardSwish
    case "silu": .silu
    default: .hardSigmoid
    }
  }
}
