// Pointwise and first convolutions with the depthwise ones behind them, and all with pooling: what the graph looks like, and that
// every bit stays.
import Sasuka
import Testing

/// Something whose second operator may be computed by bands of its first one's result.
private protocol Banded {
  var input: [Int] { get }
  func build(_ graph: inout Graph, _ input: Value) throws(SasukaError) -> [Value]
}

extension Banded {
  /// What the graph looks like after fusion.
  fileprivate func lines(_ passes: PassChoice = PassChoice(), mode: Mode = .evaluation) throws -> [String] {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape(self.input))
    graph.outputs = try build(&graph, input)
    let specialized = try ModePass.run(graph, mode: mode)
    let wanted = mode == .training ? specialized.learnt : []
    return try FusionPass.run(specialized, wanted: wanted, passes: passes).lines
  }
}

@Suite struct BandPassTests {
  /// An inverted residual without its projection, and the map between its two convolutions.
  struct Block: Banded, Sendable {
    var batch = 1
    var channels = 7
    var outputs = 37
    var height = 113
    var width = 61
    var pointwise = ConvolutionAttributes()
    var depthwise = ConvolutionAttributes(padding: .explicit(Padding(1)))
    var kernel = 3
    var pointwiseKernel = 1
    var functions = (between: Activation.Function.relu6, behind: Activation.Function.relu)
    var keepsMap = false
    var adds = false

    var input: [Int] { [batch, channels, height, width] }

    func build(_ graph: inout Graph, _ input: Value) throws(SasukaError) -> [Value] {
      var x = try graph.convolution(
        input, name: "wide", outputChannels: outputs, kernel: Extent(pointwiseKernel), stride: pointwise.stride,
        padding: pointwise.padding, bias: false)
      x = try graph.batchNorm(x, name: "bn1")
      if adds { x = try graph.add(x, x, name: "sum") }
      let map = try graph.activation(x, functions.between, name: "relu1")
      x = try graph.convolution(
        map, name: "deep", outputChannels: outputs, kernel: Extent(kernel), stride: depthwise.stride,
        padding: depthwise.padding, dilation: depthwise.dilation, groups: outputs)
      x = try graph.batchNorm(x, name: "bn2", affine: false)
      x = try graph.activation(x, functions.behind, name: "relu2")
      return keepsMap ? [x, map] : [x]
    }
  }

  private static let joined = [
    "wide + deep = banded_convolution(input, wide.weight, bn1.weight, bn1.bias, bn1.running_mean, bn1.running_var, "
      + "bn1.num_batches_tracked, deep.weight, deep.bias, bn2.running_mean, bn2.running_var, bn2.num_batches_tracked)"
  ]

  @Test func bothAreOneNode() throws {
    #expect(try Block().lines() == Self.joined)
    let apart = try Block().lines(PassChoice(without: "bands"))
    #expect(apart.map { String($0.prefix { $0 != "(" }) } == ["wide = convolution", "deep = convolution"])
  }

  @Test func whereItDoesNotPayOrCannotBeTheyStayApart() throws {
    func expectApart(_ what: String, _ change: (inout Block) -> Void) throws {
      var block = Block()
      change(&block)
      let lines = try block.lines()
      #expect(lines.count > 1 && !lines.contains { $0.contains("banded") }, "\(what): \(lines)")
    }
    let fewest = BandPass.fewestFloats
    try expectApart("a small map") { ($0.height, $0.width, $0.outputs) = (fewest / 4001, 100, 40) }
    try expectApart("many channels") { $0.channels = BandPass.mostInputChannels + 1 }
    try expectApart("a map that is a result") { $0.keepsMap = true }
    try expectApart("a sum") { $0.adds = true }
    try expectApart("a stride before") { ($0.pointwise.stride, $0.height, $0.width) = (Extent(2), 226, 122) }
    try expectApart("a border before") { $0.pointwise.padding = .explicit(Padding(1)) }
    try expectApart("a larger kernel before") { $0.pointwiseKernel = 3 }
    try expectApart("a larger kernel over planes") {
      ($0.channels, $0.pointwiseKernel, $0.height, $0.width) = (3, 5, 117, 65)
    }
    try expectApart("a kernel of one tap behind") { $0.kernel = 1 }
    #expect(try Block().lines(mode: .training).allSatisfy { !$0.contains("banded") })
  }

  /// Tails of channels; bands of several and of few rows, cut among threads; rows that see nothing but the border; batches.
  static let blocks = [
    Block(batch: 2),
    Block(channels: 3, outputs: 44, height: 97, width: 59, depthwise: attributes(stride: 2, padding: 2), kernel: 5),
    Block(
      batch: 5, channels: 16, outputs: 24, height: 112, width: 96,
      depthwise: ConvolutionAttributes(
        stride: Extent(2), padding: .explicit(Padding(top: 0, bottom: 1, left: 1, right: 0)))),
    Block(channels: 5, outputs: 19, height: 40, width: 300, depthwise: attributes(stride: 3, padding: 9), kernel: 7),
    Block(
      channels: 1, outputs: 40, height: 33, width: 1100,
      depthwise: ConvolutionAttributes(padding: .explicit(Padding(4)), dilation: Extent(4))),
    Block(channels: 2, outputs: 64, height: 200, width: 20),
    Block(
      batch: 2, channels: 3, outputs: 37, height: 225, width: 121, pointwise: attributes(stride: 2, padding: 1),
      pointwiseKernel: 3),
    Block(
      batch: 5, channels: 4, outputs: 70, height: 111, width: 90,
      pointwise: ConvolutionAttributes(padding: .explicit(Padding(top: 3, bottom: 0, left: 0, right: 2))),
      depthwise: attributes(stride: 2, padding: 2), kernel: 5, pointwiseKernel: 4),
    Block(
      channels: 1, outputs: 33, height: 301, width: 100, pointwise: attributes(stride: 2, padding: 0),
      pointwiseKernel: 2),
    Block(channels: 17, outputs: 44, functions: (between: .silu, behind: .hardSwish)),
    Block(
      batch: 5, channels: 3, outputs: 37, height: 225, width: 121, pointwise: attributes(stride: 2, padding: 1),
      depthwise: attributes(stride: 2, padding: 2), kernel: 5, pointwiseKernel: 3,
      functions: (between: .leakyRelu(slope: 0.1), behind: .silu)),
    // Both kernels have the same sizes.
    Block(
      channels: 1, outputs: 20, height: 90, width: 50, pointwise: attributes(stride: 1, padding: 1), pointwiseKernel: 3),
  ]

  private static func attributes(stride: Int, padding: Int) -> ConvolutionAttributes {
    ConvolutionAttributes(stride: Extent(stride), padding: .explicit(Padding(padding)))
  }

  @Test(arguments: blocks)
  func bitsStay(block: Block) throws {
    #expect(try block.lines().count == 1)
    func numbers(_ name: String, _ count: Int, _ range: ClosedRange<Double> = -1...1) -> [Float] {
      HostTensor.noise([count], name, range).floats
    }
    let (inputs, outputs) = (block.input, block.outputs)
    var run = OperatorRun(
      mode: .evaluation, inputs: [HostTensor.noise(inputs, "x")], fuses: true
    ) { (graph, values) throws(SasukaError) in try block.build(&graph, values[0])[0] }
    run.parameters = [
      "wide.weight": numbers("wide", outputs * block.channels * block.pointwiseKernel * block.pointwiseKernel),
      "deep.bias": numbers("bias", outputs),
      "deep.weight": numbers("deep", outputs * block.kernel * block.kernel),
      "bn1.weight": numbers("scale", outputs, 0.5...2), "bn1.bias": numbers("shift", outputs),
      "bn1.running_mean": numbers("mean1", outputs), "bn1.running_var": numbers("var1", outputs, 0.1...2),
      "bn2.running_mean": numbers("mean2", outputs), "bn2.running_var": numbers("var2", outputs, 0.1...2),
    ]
    for kernels in TestedKernels.available {
      run.passes = try PassChoice(without: "bands")
      let apart = try run.run(kernels.table, threads: 1)
      #expect(apart.output.floats.contains { $0 > 0 })
      run.passes = PassChoice()
      for threads in [1, 2, 3, 7] {
        #expect(try run.run(kernels.table, threads: threads).bits == apart.bits, "\(threads) threads on \(kernels)")
      }
    }
  }

  /// A convolution, rectified, and the maxima behind it.
  struct Pooled: Banded, Sendable {
    var batch = 1
    var channels = 8
    var outputs = 44
    var height = 121
    var width = 123
    var kernel = Extent(3)
    var convolution = BandPassTests.attributes(stride: 1, padding: 1)
    var window = Extent(2)
    var stride = Extent(2)
    var padding = Padding()
    var dilation = Extent(1)
    var ceil = false
    var keepsMap = false
    var function = Activation.Function.relu

    var input: [Int] { [batch, channels, height, width] }

    func build(_ graph: inout Graph, _ input: Value) throws(SasukaError) -> [Value] {
      let x = try graph.convolution(
        input, name: "conv", outputChannels: outputs, kernel: kernel, stride: convolution.stride,
        padding: convolution.padding, dilation: convolution.dilation)
      let map = try graph.activation(x, function, name: "relu")
      let pooled = try graph.maxPool(
        map, name: "pool", kernel: window, stride: stride, padding: .explicit(padding), dilation: dilation, ceil: ceil)
      return keepsMap ? [pooled, map] : [pooled]
    }
  }

  @Test func poolingIsOneNodeWithTheConvolution() throws {
    #expect(try Pooled().lines() == ["conv + pool = banded_convolution(input, conv.weight, conv.bias)"])
    func expectApart(_ what: String, mode: Mode = .evaluation, _ change: (inout Pooled) throws -> Void) throws {
      var pooled = Pooled()
      try change(&pooled)
      let lines = try pooled.lines(mode: mode)
      #expect(lines.count > 1 && !lines.contains { $0.contains("banded") }, "\(what): \(lines)")
    }
    try expectApart("a small map") { $0.height = BandPass.fewestFloatsBehindTaps / 44 / 124 }
    try expectApart("dilation") { $0.convolution.dilation = Extent(height: 2, width: 1) }
    try expectApart("a wide map") { ($0.height, $0.width) = (60, 257) }
    try expectApart("a map that is a result") { $0.keepsMap = true }
    try expectApart("many channels without taps") {
      ($0.channels, $0.kernel, $0.convolution) = (65, Extent(1), ConvolutionAttributes())
    }
    try expectApart("windows of one row") { $0.window = Extent(height: 1, width: 3) }
    try expectApart("windows of many rows") { $0.window = Extent(8) }
    try expectApart("training", mode: .training) { _ in }
    #expect(
      try Pooled().lines(PassChoice(without: "bands")).map { String($0.prefix { $0 != "(" }) } == [
        "conv = convolution", "pool = max_pool",
      ])
  }

  /// Windows that overlap, that leave rows out, that see nothing but the border; tiles of all sizes, planes, and batches; channels
  /// that two and five threads share evenly.
  static let pooledBlocks = [
    Pooled(),
    Pooled(batch: 2, window: Extent(3), padding: Padding(1)),
    Pooled(outputs: 37, height: 190, width: 91, window: Extent(3), stride: Extent(1), padding: Padding(1)),
    Pooled(
      outputs: 20, height: 126, width: 250, window: Extent(height: 4, width: 3), stride: Extent(height: 3, width: 1),
      padding: Padding(top: 2, bottom: 0, left: 1, right: 1), ceil: true),
    Pooled(height: 150, width: 100, stride: Extent(5), ceil: true),
    Pooled(outputs: 52, height: 120, width: 110, window: Extent(3), dilation: Extent(4)),
    Pooled(
      batch: 5, channels: 3, outputs: 40, height: 251, width: 250, kernel: Extent(7),
      convolution: attributes(stride: 2, padding: 3), window: Extent(3), padding: Padding(1)),
    Pooled(
      channels: 32, outputs: 33, height: 270, width: 280, convolution: attributes(stride: 2, padding: 1),
      window: Extent(3), ceil: true),
    Pooled(
      channels: 12, outputs: 40, height: 124, width: 124, kernel: Extent(height: 1, width: 7),
      convolution: ConvolutionAttributes(padding: .explicit(Padding(top: 0, bottom: 0, left: 3, right: 3)))),
    Pooled(channels: 9, outputs: 21, height: 100, width: 100, kernel: Extent(1), convolution: ConvolutionAttributes()),
    Pooled(outputs: 320, height: 56, width: 56, window: Extent(3), ceil: true),
    Pooled(channels: 16, outputs: 48, kernel: Extent(7), convolution: attributes(stride: 1, padding: 3)),
    Pooled(batch: 5, channels: 3, kernel: Extent(9), convolution: attributes(stride: 1, padding: 4)),
    Pooled(outputs: 50, window: Extent(3), padding: Padding(1), function: .leakyRelu(slope: 0.1)),
    Pooled(batch: 2, channels: 3, outputs: 20, height: 130, width: 130, function: .silu),
  ]

  private static let choices: [AlgorithmChoice] = [
    .fastest, .exact, .forced(.winograd2), .forced(.winograd4), .forced(.winograd6), .forced(.winograd7),
    .forced(.winograd7x4),
  ]

  @Test(arguments: pooledBlocks, choices)
  func bitsOfPoolingStay(pooled: Pooled, _ algorithms: AlgorithmChoice) throws {
    #expect(try pooled.lines().count == 1)
    var run = OperatorRun(
      mode: .evaluation, inputs: [HostTensor.noise(pooled.input, "x")], fuses: true
    ) { (graph, values) throws(SasukaError) in try pooled.build(&graph, values[0])[0] }
    run.algorithms = algorithms
    run.parameters = [
      "conv.weight":
        HostTensor.noise([pooled.outputs, pooled.channels, pooled.kernel.height, pooled.kernel.width], "w").floats,
      "conv.bias": HostTensor.noise([pooled.outputs], "b").floats,
    ]
    for kernels in TestedKernels.available {
      run.passes = try PassChoice(without: "bands")
      let apart = try run.run(kernels.table, threads: 1)
      #expect(apart.output.floats.contains { $0 > 0 })
      run.passes = PassChoice()
      for threads in [1, 2, 5] {
        #expect(try run.run(kernels.table, threads: threads).bits == apart.bits, "\(threads) threads on \(kernels)")
      }
    }
  }

  /// Sessions of one model, with and without bands, have weights in common that are packed once, and each its own sums' beginnings.
  @Test func sessionsSharePackedWeights() throws {
    let model = try Model(Architecture.named("mobilenet_v2").graph())
    model.fillByName()
    let shape = Shape([1, 3, 160, 160])
    let input = TestTensor.noise(shape.dimensions, "pictures")
    let results = try ["bands", nil, nil, "bands"].map { omitted in
      var options = Session.Options()
      if let omitted { options.passes = try PassChoice(without: omitted) }
      let session = try Session(model, inputShape: shape, options: options)
      let logits = TestTensor(session.outputShape.dimensions)
      try withExtendedLifetime((input, logits)) { try session.run(input.tensor, to: logits.tensor) }
      return logits.host
    }
    #expect(results.allSatisfy { $0 == results[0] })
  }
}
