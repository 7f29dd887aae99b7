// Every operator's gradients against finite differences of its own forward pass, element by element.
import Sasuka
import Testing

/// An operator on inputs small enough to move each of their elements.
struct GradientCase: Sendable, CustomStringConvertible {
  let description: String
  let inputs: [[Int]]
  var parameters: [String: [Int]] = [:]
  /// Distance between neighbouring numbers of the inputs, which are odd multiples of its half: no two are equal, and
  /// none lies where an activation has a kink.
  var spacing: Float = 0.125
  let build: @Sendable (inout Graph, [Value]) throws(SasukaError) -> Value

  init(
    _ description: String, _ inputs: [[Int]], parameters: [String: [Int]] = [:], spacing: Float = 0.125,
    _ build: @escaping @Sendable (inout Graph, [Value]) throws(SasukaError) -> Value
  ) {
    self.description = description
    self.inputs = inputs
    self.parameters = parameters
    self.spacing = spacing
    self.build = build
  }
}

@Suite struct GradientTests {
  private static let map = [2, 3, 4, 3]

  private static let activations: [(String, Activation.Function, Float)] = [
    ("relu", .relu, 0.125), ("relu6", .relu6, 0.25), ("leaky_relu", .leakyRelu(slope: 0.2), 0.125),
    ("sigmoid", .sigmoid, 0.125), ("tanh", .tanh, 0.125), ("hard_swish", .hardSwish, 0.125), ("silu", .silu, 0.125),
    ("hard_sigmoid", .hardSigmoid, 0.125),
  ]

  private static let windows: [GradientCase] = [
    GradientCase("convolution", [map], parameters: ["m.weight": [4, 3, 3, 2], "m.bias": [4]]) {
      (graph, x) throws(SasukaError) in
      try graph.convolution(
        x[0], name: "m", outputChannels: 4, kernel: Extent(height: 3, width: 2), stride: Extent(height: 2, width: 1),
        padding: .explicit(Padding(top: 1, bottom: 0, left: 2, right: 1)))
    },
    GradientCase("dilated convolution in groups", [[1, 4, 5, 5]], parameters: ["m.weight": [4, 2, 2, 2]]) {
      (graph, x) throws(SasukaError) in
      try graph.convolution(
        x[0], name: "m", outputChannels: 4, kernel: Extent(2), dilation: Extent(3), groups: 2, bias: false)
    },
    GradientCase("depthwise convolution", [[1, 4, 4, 4]], parameters: ["m.weight": [4, 1, 3, 3]]) {
      (graph, x) throws(SasukaError) in
      try graph.convolution(
        x[0], name: "m", outputChannels: 4, kernel: Extent(3), padding: .same, groups: 4, bias: false)
    },
    GradientCase("transposed convolution", [[2, 2, 3, 2]], parameters: ["m.weight": [2, 3, 3, 3], "m.bias": [3]]) {
      (graph, x) throws(SasukaError) in
      try graph.transposedConvolution(
        x[0], name: "m", outputChannels: 3, kernel: Extent(3),
        attributes: TransposedConvolutionAttributes(
          stride: Extent(2), padding: Padding(1), outputPadding: Extent(1)))
    },
    GradientCase("linear", [[3, 7]], parameters: ["m.weight": [4, 7], "m.bias": [4]]) {
      (graph, x) throws(SasukaError) in
      try graph.linear(x[0], name: "m", outputFeatures: 4)
    },
    GradientCase("max pooling", [map]) { (graph, x) throws(SasukaError) in
      try graph.maxPool(
        x[0], name: "m", kernel: Extent(2), stride: Extent(1), padding: .explicit(Padding(1)),
        dilation: Extent(height: 2, width: 1))
    },
    GradientCase("average pooling", [map]) { (graph, x) throws(SasukaError) in
      try graph.averagePool(
        x[0], name: "m", kernel: Extent(3), stride: Extent(2), padding: .explicit(Padding(1)), ceil: true,
        countIncludesPadding: false)
    },
    GradientCase("adaptive average pooling", [map]) { (graph, x) throws(SasukaError) in
      try graph.adaptiveAveragePool(x[0], name: "m", output: Extent(height: 3, width: 2))
    },
    GradientCase("global average pooling", [map]) { (graph, x) throws(SasukaError) in
      try graph.globalAveragePool(x[0], name: "m")
    },
  ]

  private static let norms: [GradientCase] = [
    GradientCase("batch norm", [map], parameters: ["m.weight": [3], "m.bias": [3]]) {
      (graph, x) throws(SasukaError) in
      try graph.batchNorm(x[0], name: "m")
    },
    GradientCase("group norm", [[2, 6, 3, 2]], parameters: ["m.weight": [6], "m.bias": [6]]) {
      (graph, x) throws(SasukaError) in
      try graph.groupNorm(x[0], name: "m", groups: 2)
    },
    GradientCase("local response norm", [[2, 5, 2, 2]], spacing: 0.25) { (graph, x) throws(SasukaError) in
      try graph.localResponseNorm(x[0], name: "m", size: 3, alpha: 0.5)
    },
    GradientCase("dropout", [map]) { (graph, x) throws(SasukaError) in
      try graph.dropout(x[0], name: "m", probability: 0.4)
    },
    GradientCase("dropout2d", [[3, 5, 2, 2]]) { (graph, x) throws(SasukaError) in
      try graph.dropout2d(x[0], name: "m", probability: 0.4)
    },
    GradientCase("alpha dropout", [map]) { (graph, x) throws(SasukaError) in
      try graph.alphaDropout(x[0], name: "m", probability: 0.4)
    },
    GradientCase("softmax", [[2, 6]]) { (graph, x) throws(SasukaError) in
      try graph.softmax(x[0], axis: 1, name: "m")
    },
    GradientCase("log-softmax over channels", [[2, 3, 2, 3]]) { (graph, x) throws(SasukaError) in
      try graph.softmax(x[0], axis: 1, isLogarithm: true, name: "m")
    },
  ]

  private static let arrangements: [GradientCase] = [
    GradientCase("add", [map, map]) { (graph, x) throws(SasukaError) in try graph.add(x[0], x[1], name: "m") },
    GradientCase("add of a number to itself", [map]) { (graph, x) throws(SasukaError) in
      try graph.add(x[0], x[0], name: "m")
    },
    GradientCase("multiply with broadcasting", [map, [2, 3, 1, 1]]) { (graph, x) throws(SasukaError) in
      try graph.multiply(x[0], x[1], name: "m")
    },
    GradientCase("square", [map]) { (graph, x) throws(SasukaError) in try graph.multiply(x[0], x[0], name: "m") },
    GradientCase("concatenate", [[2, 3, 2, 2], [2, 1, 2, 2]]) { (graph, x) throws(SasukaError) in
      try graph.concatenate([x[0], x[1], x[0]], name: "m")
    },
    GradientCase("flatten", [map]) { (graph, x) throws(SasukaError) in try graph.flatten(x[0], name: "m") },
    GradientCase("reshape", [map]) { (graph, x) throws(SasukaError) in
      try graph.reshape(x[0], dimensions: [4, 9], name: "m")
    },
    GradientCase("permute", [map]) { (graph, x) throws(SasukaError) in
      try graph.permute(x[0], order: [0, 3, 1, 2], name: "m")
    },
    GradientCase("channel shuffle", [[1, 6, 2, 2]]) { (graph, x) throws(SasukaError) in
      try graph.channelShuffle(x[0], groups: 3, name: "m")
    },
    GradientCase("slice", [map]) { (graph, x) throws(SasukaError) in
      try graph.slice(x[0], axis: 2, start: 1, end: 4, step: 2, name: "m")
    },
    GradientCase("pad with a constant", [map]) { (graph, x) throws(SasukaError) in
      try graph.pad(x[0], Padding(top: 1, bottom: 2, left: 0, right: 1), mode: .constant(3), name: "m")
    },
    GradientCase("pad by reflection", [map]) { (graph, x) throws(SasukaError) in
      try graph.pad(x[0], Padding(top: 3, bottom: 2, left: 1, right: 2), mode: .reflect, name: "m")
    },
    GradientCase("pad by replication", [map]) { (graph, x) throws(SasukaError) in
      try graph.pad(x[0], Padding(top: 1, bottom: 2, left: 3, right: 1), mode: .replicate, name: "m")
    },
    GradientCase("bilinear resize", [map]) { (graph, x) throws(SasukaError) in
      try graph.resize(x[0], to: .size(Extent(height: 7, width: 2)), name: "m")
    },
    GradientCase("bilinear resize of aligned corners", [map]) { (graph, x) throws(SasukaError) in
      try graph.resize(
        x[0], to: .size(Extent(height: 3, width: 5)), filter: .bilinear(alignCorners: true), name: "m")
    },
    GradientCase("nearest resize", [map]) { (graph, x) throws(SasukaError) in
      try graph.resize(x[0], to: .scale(height: 2, width: 0.7), filter: .nearest, name: "m")
    },
    GradientCase("mean over axes", [map]) { (graph, x) throws(SasukaError) in
      try graph.mean(x[0], axes: [1, 3], name: "m")
    },
  ]

  static let cases =
    windows + norms + arrangements
    + activations.map { (name, function, spacing) in
      GradientCase(name, [map], spacing: spacing) { (graph, x) throws(SasukaError) in
        try graph.activation(x[0], function, name: "m")
      }
    }

  @Test(arguments: cases)
  func gradientMatchesFiniteDifferences(gradient: GradientCase) throws {
    let kernels = KernelTable(.best)
    let run = try Self.run(gradient, kernels)
    let result = try run.run(kernels, threads: 1)
    let upstream = try #require(run.upstream)
    for (place, input) in run.inputs.enumerated() {
      let computed = try #require(result.inputGradients[place])
      try expectDerivatives(computed, of: input, "input \(place)", upstream, gradient.description) { moved in
        var other = run
        other.inputs[place] = HostTensor(input.shape, moved)
        return try other.run(kernels, threads: 1).output
      }
    }
    for (name, shape) in gradient.parameters {
      let computed = try #require(result.parameterGradients[name])
      let numbers = HostTensor(shape, run.parameters[name]!)
      try expectDerivatives(computed, of: numbers, name, upstream, gradient.description) { moved in
        var other = run
        other.parameters[name] = moved
        return try other.run(kernels, threads: 1).output
      }
    }
  }

  private static func run(_ gradient: GradientCase, _ kernels: KernelTable) throws -> OperatorRun {
    var run = OperatorRun(
      inputs: gradient.inputs.enumerated().map { numbers($1, salt: $0, spacing: gradient.spacing) },
      build: gradient.build)
    for (salt, name) in gradient.parameters.keys.sorted().enumerated() {
      run.parameters[name] = numbers(gradient.parameters[name]!, salt: salt + 5, spacing: 0.0625).floats
    }
    let shape = try run.run(kernels, threads: 1).output.shape
    run.upstream = numbers(shape, salt: 9, spacing: 0.03125)
    return run
  }

  /// Odd multiples of half the spacing around 0, shuffled.
  private static func numbers(_ shape: [Int], salt: Int, spacing: Float) -> HostTensor {
    let count = shape.reduce(1, *)
    var random = RandomState(seed: 17, iteration: UInt64(salt))
    random.seed += UInt64(count)
    let order = (0..<count).sorted {
      random.words(stream: 0, index: UInt64($0))[0] < random.words(stream: 0, index: UInt64($1))[0]
    }
    return HostTensor(shape, order.map { (Float($0 - count / 2) + 0.5) * spacing })
  }

  /// Compares with the five-point formula, whose own error is step^4 / 30 times the fifth derivative.
  private func expectDerivatives(
    _ computed: HostTensor, of numbers: HostTensor, _ what: String, _ upstream: HostTensor, _ name: String,
    _ output: ([Float]) throws -> HostTensor
  ) throws {
    let step: Float = 0x1p-6
    var magnitude = 0.0
    func objective(_ place: Int, _ move: Float) throws -> Double {
      var moved = numbers.floats
      moved[place] += move
      let result = try output(moved)
      let terms = zip(result.floats, upstream.floats).map { Double($0) * Double($1) }
      magnitude = max(magnitude, terms.reduce(0) { $0 + abs($1) })
      return terms.reduce(0, +)
    }
    var worst = (error: -1.0, place: 0, expected: 0.0)
    for place in numbers.floats.indices {
      let near = try objective(place, step) - objective(place, -step)
      let far = try objective(place, 2 * step) - objective(place, -2 * step)
      let expected = (8 * near - far) / (12 * Double(step))
      let error = abs(expected - Double(computed.floats[place]))
      if !(error <= worst.error) { worst = (error, place, expected) }
    }
    // Each output carries a few float32 roundings, which the division by the step makes larger.
    let bound = 4 * 0x1p-24 * magnitude / Double(step) + 1e-6
    #expect(
      worst.error <= bound,
      "\(name), \(what): element \(worst.place) is \(computed.floats[worst.place]), expected \(worst.expected) ± \(bound)"
    )
  }
}
