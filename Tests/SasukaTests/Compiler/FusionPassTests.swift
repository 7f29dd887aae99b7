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
