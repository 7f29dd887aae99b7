// Operators that do the work of those behind them: what the graph looks like, and that the numbers stay.
import Sasuka
import Testing

@Suite struct FusionPassTests {
  /// conv1 - bn1 - relu1 - conv2 - bn2 - (+ input through conv0 - bn0) - relu2 - depthwise - bn3 - relu6 - up - bn4 - relu4
  private static func residual(_ graph: inout Graph, _ input: Value) throws(SasukaError) -> Value {
    let pad = PaddingMode.explicit(Padding(1))
    var x = try graph.convolution(input, name: "conv1", outputChannels: 21, kernel: Extent(3), padding: pad)
    x = try graph.batchNorm(x, name: "bn1")
    x = try graph.activation(x, .relu, name: "relu1")
    x = try graph.convolution(x, name: "conv2", outputChannels: 19, kernel: Extent(3), padding: pad, bias: false)
    x = try graph.batchNorm(x, name: "bn2", affine: false)
    var shortcut = try graph.convolution(input, name: "conv0", outputChannels: 19, kernel: Extent(1))
    shortcut = try graph.batchNorm(shortcut, name: "bn0")
    x = try graph.append(Add(), name: "add", inputs: [x, shortcut])[0]
    x = try graph.activation(x, .relu, name: "relu2")
    x = try graph.convolution(x, name: "depthwise", outputChannels: 19, kernel: Extent(3), padding: pad, groups: 19)
    x = try graph.batchNorm(x, name: "bn3")
    x = try graph.activation(x, .relu6, name: "relu6")
    let attributes = TransposedConvolutionAttributes(stride: Extent(2), padding: Padding(1))
    x = try graph.transposedConvolution(x, name: "up", outputChannels: 12, kernel: Extent(4), attributes: attributes)
    x = try graph.batchNorm(x, name: "bn4")
    return try graph.activation(x, .relu, name: "relu4")
  }

  private static func run(_ mode: Mode, fuses: Bool, batch: Int) -> OperatorRun {
    let shape = [batch, 7, 9, 5]
    let count = shape.reduce(1, *)
    var parameters: [String: [Float]] = [:]
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape(shape))
    _ = try? residual(&graph, input)
    for (place, parameter) in graph.parameters.enumerated() where parameter.kind != .counter {
      let isVariance = parameter.name.hasSuffix("running_var")
      parameters[parameter.name] = (0..<parameter.shape.count).map { index in
        let draw = RandomState.unit(
          RandomState(seed: 5, iteration: 0).words(stream: UInt32(place), index: UInt64(index))[0])
        return isVariance ? 0.5 + draw : 2 * draw - 1
      }
    }
    let numbers = (0..<count).map { Float(($0 * 7919) % 1000) / 500 - 1 }
    var run = OperatorRun(mode: mode, inputs: [HostTensor(shape, numbers)], parameters: parameters) {
      (graph, values) throws(SasukaError) in try residual(&graph, values[0])
    }
    run.fuses = fuses
    // Plain sums, whose rounding is known; `ConvolutionTests.fasterIsFused` does the same with every other algorithm.
    run.algorithms = .exact
    if mode == .training {
      let outputs = [batch, 12, 18, 10]
      run.upstream = HostTensor(outputs, (0..<outputs.reduce(1, *)).map { Float(($0 * 31) % 17) / 8 - 1 })
    }
    return run
  }

  private func kinds(_ mode: Mode) throws -> [String] {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 7, 9, 5]))
    graph.outputs = [try Self.residual(&graph, input)]
    let specialized = try ModePass.run(graph, mode: mode)
    let fused = try FusionPass.run(specialized, wanted: mode == .training ? specialized.learnt : [])
    return fused.nodes.map { "\($0.operation.kind) \($0.name)" }
  }

  @Test func evaluationKeepsConvolutionsOnly() throws {
    #expect(
      try kinds(.evaluation) == [
        "convolution conv1", "convolution conv0", "convolution conv2", "convolution depthwise",
        "transposed_convolution up",
      ])
  }

  @Test func trainingPutsReluIntoItsNormalisation() throws {
    let kinds = try kinds(.training)
    #expect(kinds.filter { $0.hasPrefix("relu") } == ["relu relu2", "relu6 relu6"])
    #expect(kinds.filter { $0.hasPrefix("batch_norm") }.count == 5)
  }

  // 1 image: units over rows and channels; 5 images: whole images.
  @Test(arguments: [Mode.evaluation, .training], [1, 5])
  func numbersStay(mode: Mode, batch: Int) throws {
    let plain = try Self.run(mode, fuses: false, batch: batch).everywhere()
    let fused = try Self.run(mode, fuses: true, batch: batch).everywhere()
    for ((kernels, expected), (_, actual)) in zip(plain, fused) {
      // Folded weights are rounded once more, in three layers whose sums have up to 21 x 9 terms and are larger than the
      // clamped output.
      expectClose(actual.output, expected.output, tolerance: 5e-6, "\(kernels) output")
      for (name, gradient) in expected.parameterGradients {
        expectClose(actual.parameterGradients[name], gradient, tolerance: 1e-5, floor: 1, "\(kernels) \(name)")
      }
      #expect(actual.parametersAfter == expected.parametersAfter, "\(kernels)")
    }
  }

  /// Functions of single elements are applied to what a convolution has just computed, part by part or all of it, but never twice:
  /// by every kind of product, of blocks that join the one before, of channels that make no pair of blocks, in several passes over
  /// the channels, of planes, pieces, maps that lie between each other, groups and single pixels.
  @Test(arguments: [
    (1, 24, 40, (13, 17), 1, 1, 1, 1, Activation.Function.silu), (2, 72, 200, (9, 8), 1, 1, 1, 1, .hardSwish),
    (5, 16, 33, (20, 21), 3, 1, 1, 1, .tanh), (1, 20, 70, (31, 29), 3, 2, 1, 1, .leakyRelu(slope: 0.1)),
    (1, 16, 24, (19, 18), 3, 1, 2, 1, .sigmoid), (1, 30, 30, (25, 14), 5, 2, 1, 30, .silu),
    (3, 48, 48, (14, 14), 3, 1, 1, 3, .hardSigmoid), (1, 32, 32, (14, 19), 3, 1, 1, 8, .silu),
    (2, 36, 60, (9, 11), 3, 1, 1, 6, .hardSwish), (1, 3, 24, (33, 35), 3, 2, 1, 1, .hardSwish),
    (2, 3, 32, (40, 41), 7, 2, 1, 1, .leakyRelu(slope: 2)), (1, 64, 16, (7, 7), 7, 7, 1, 1, .silu),
    (1, 300, 40, (40, 15), 4, 3, 1, 1, .tanh), (1, 16, 17, (1, 900), 1, 1, 1, 1, .silu),
  ])
  func functionsAreInTheConvolution(
    _ batch: Int, _ channels: Int, _ outputs: Int, _ size: (Int, Int), _ kernel: Int, _ stride: Int,
    _ dilation: Int, _ groups: Int, _ function: Activation.Function
  ) throws {
    let padding = PaddingMode.explicit(Padding(stride < kernel ? kernel / 2 : 0))
    var run = OperatorRun(
      mode: .evaluation, inputs: [HostTensor.noise([batch, channels, size.0, size.1], "x", -4...4)],
      fuses: true
    ) { (graph, values) throws(SasukaError) in
      let map = try graph.convolution(
        values[0], name: "conv", outputChannels: outputs, kernel: Extent(kernel), stride: Extent(stride),
        padding: padding, dilation: Extent(dilation), groups: groups)
      return try graph.activation(map, function, name: "function")
    }
    run.parameters = [
      "conv.weight": HostTensor.noise([outputs, channels / groups, kernel, kernel], "w").floats,
      "conv.bias": HostTensor.noise([outputs], "b").floats,
    ]
    for kernels in TestedKernels.available {
      for algorithms in [AlgorithmChoice.exact, .fastest, .forced(.strassen), .forced(.winograd4), .forced(.winograd7)]
      {
        run.algorithms = algorithms
        run.passes = try PassChoice(without: "fusion")
        let apart = try run.run(kernels.table, threads: 1)
        run.passes = PassChoice()
        for threads in [1, 2, 5] {
          #expect(
            try run.run(kernels.table, threads: threads).bits == apart.bits,
            "\(algorithms), \(threads) threads on \(kernels)")
        }
      }
    }
  }

  @Test func aFunctionIsPartOfTheConvolutionUnlessItsBlocksWouldBeEmpty() throws {
    func names(outputs: Int, transposed: Bool = false) throws -> [String] {
      var graph = Graph()
      let input = graph.addInput(name: "input", shape: Shape([1, 3, 4, 4]))
      let map =
        transposed
        ? try graph.transposedConvolution(
          input, name: "conv", outputChannels: outputs, kernel: Extent(2),
          attributes: TransposedConvolutionAttributes(stride: Extent(2)))
        : try graph.convolution(input, name: "conv", outputChannels: outputs, kernel: Extent(1))
      graph.outputs = [try graph.activation(map, .silu, name: "silu")]
      return try FusionPass.run(graph).nodes.map(\.name)
    }
    #expect(try names(outputs: 9) == ["conv"])
    #expect(try names(outputs: 9, transposed: true) == ["conv"])
    #expect(try names(outputs: 8) == ["conv", "silu"])
  }

  @Test func aTensorThatIsReadTwiceOrIsAnOutputIsKept() throws {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 3, 4, 4]))
    let convolved = try graph.convolution(input, name: "conv", outputChannels: 3, kernel: Extent(1))
    let rectified = try graph.activation(convolved, .relu, name: "relu")
    graph.outputs = [try graph.append(Add(), name: "add", inputs: [rectified, convolved])[0]]
    #expect(try FusionPass.run(graph).nodes.map(\.name) == ["conv", "relu", "add"])
    graph.outputs = [rectified, convolved]
    #expect(try FusionPass.run(graph).nodes.map(\.name) == ["conv", "relu", "add"])
  }
}
