// Max, average, adaptive and global average pooling against PyTorch, forward and backward.
import Sasuka
import Testing

@Suite struct PoolingTests {
  @Test(arguments: try Golden.cases(.operators, of: "max_pool"))
  func maxPoolMatchesPyTorch(golden: GoldenCase) throws {
    let pool = try PoolAttributes(golden)
    let run = OperatorRun(inputs: golden.inputs.map(HostTensor.init), upstream: try upstream(golden)) {
      (graph, values) throws(SasukaError) in
      try graph.maxPool(
        values[0], name: "pool", kernel: pool.kernel, stride: pool.stride, padding: pool.padding,
        dilation: pool.dilation, ceil: pool.ceil)
    }
    // Maxima are copies; a gradient is a sum of as many terms as windows overlap.
    try expect(run, golden, tolerance: 0, gradientTolerance: 25 * 0x1p-24)
  }

  @Test(arguments: try Golden.cases(.operators, of: "average_pool"))
  func averagePoolMatchesPyTorch(golden: GoldenCase) throws {
    let pool = try PoolAttributes(golden)
    let counts = try golden.boolean("count_include_pad")
    let run = OperatorRun(inputs: golden.inputs.map(HostTensor.init), upstream: try upstream(golden)) {
      (graph, values) throws(SasukaError) in
      try graph.averagePool(
        values[0], name: "pool", kernel: pool.kernel, stride: pool.stride, padding: pool.padding, ceil: pool.ceil,
        countIncludesPadding: counts)
    }
    try expect(run, golden, tolerance: 25 * 0x1p-24, gradientTolerance: 25 * 0x1p-24)
  }

  @Test(arguments: try Golden.cases(.operators, of: "adaptive_average_pool", "global_average_pool"))
  func adaptiveAveragePoolMatchesPyTorch(golden: GoldenCase) throws {
    let size = golden.isNull("output_size") ? [1, 1] : try golden.integers("output_size")
    let run = OperatorRun(inputs: golden.inputs.map(HostTensor.init), upstream: try upstream(golden)) {
      (graph, values) throws(SasukaError) in
      try graph.adaptiveAveragePool(values[0], name: "pool", output: Extent(height: size[0], width: size[1]))
    }
    try expect(run, golden, tolerance: 36 * 0x1p-24, gradientTolerance: 36 * 0x1p-24)
  }

  /// Windows whose maxima are found along rows and then along columns, beside those whose places are found too, in training:
  /// borders, dilation, strides, windows cut off by the ceiling, numbers that are none.
  @Test(arguments: [
    (Extent(5), Extent(1), 2, Extent(1), false), (Extent(13), Extent(1), 6, Extent(1), false),
    (Extent(height: 6, width: 4), Extent(height: 2, width: 3), 2, Extent(1), true),
    (Extent(height: 4, width: 7), Extent(1), 3, Extent(height: 3, width: 2), false),
    (Extent(9), Extent(height: 3, width: 1), 4, Extent(1), true),
  ])
  func largeWindowsAreTakenApart(
    _ kernel: Extent, _ stride: Extent, _ padding: Int, _ dilation: Extent, _ ceil: Bool
  ) throws {
    var numbers = HostTensor.noise([2, 19, 17, 23], "x").floats
    for place in Swift.stride(from: 5, to: numbers.count, by: 301) { numbers[place] = .nan }
    for place in Swift.stride(from: 9, to: numbers.count, by: 13) { numbers[place] = -.infinity }
    for place in Swift.stride(from: 70, to: numbers.count, by: 97) { numbers[place] = .infinity }
    var run = OperatorRun(inputs: [HostTensor([2, 19, 17, 23], numbers)]) { (graph, values) throws(SasukaError) in
      try graph.maxPool(
        values[0], name: "pool", kernel: kernel, stride: stride, padding: .explicit(Padding(padding)),
        dilation: dilation, ceil: ceil)
    }
    for kernels in TestedKernels.available {
      run.mode = .training
      let expected = try run.run(kernels.table, threads: 1).output.floats.map { $0.isNaN ? 7 : $0 }
      run.mode = .evaluation
      for threads in [1, 3] {
        let found = try run.run(kernels.table, threads: threads).output.floats.map { $0.isNaN ? 7 : $0 }
        #expect(found == expected, "\(threads) threads on \(kernels)")
      }
    }
  }

  @Test func aNaNWinsEveryWindowThatSeesIt() throws {
    let input = HostTensor([1, 1, 1, 5], [1, .nan, 3, 4, 5])
    let run = OperatorRun(inputs: [input], upstream: HostTensor([1, 1, 1, 4], [1, 2, 4, 8])) {
      (graph, values) throws(SasukaError) in
      try graph.maxPool(values[0], name: "pool", kernel: Extent(height: 1, width: 2), stride: Extent(1))
    }
    for (_, result) in try run.everywhere() {
      #expect(result.output.floats.map(\.isNaN) == [true, true, false, false])
      #expect(Array(result.output.floats[2...]) == [4, 5])
      #expect(result.inputGradients[0]?.floats == [0, 3, 0, 4, 8])
    }
  }

  @Test func givenDivisor() throws {
    let run = OperatorRun(inputs: [HostTensor([1, 1, 2, 2], [1, 2, 3, 4])]) { (graph, values) throws(SasukaError) in
      try graph.averagePool(values[0], name: "pool", kernel: Extent(2), divisor: 5)
    }
    for (_, result) in try run.everywhere() { #expect(result.output.floats == [2]) }
  }

  @Test func impossibleWindowsAreErrors() throws {
    func message(_ kernel: Extent, _ padding: Padding, _ shape: [Int] = [1, 1, 4, 4]) -> String {
      var graph = Graph()
      let input = graph.addInput(name: "input", shape: Shape(shape))
      do {
        return "\(try graph.maxPool(input, name: "p", kernel: kernel, padding: .explicit(padding)))"
      } catch { return error.message }
    }
    #expect(
      message(Extent(3), Padding(2))
        == "max_pool \"p\": padding 2; at most half of what the kernel spans, 3 / 2, is expected")
    #expect(
      message(Extent(5), Padding())
        == "max_pool \"p\": height: a kernel of 5 with dilation 1 spans 5, more than the padded input of 4 (0 + 4 + 0)")
    #expect(
      message(Extent(2), Padding(), [4, 4])
        == "max_pool \"p\": input of shape [4, 4]; [batch, channels, height, width] with at most 2147483647 pixels is "
        + "expected")
  }

  private func upstream(_ golden: GoldenCase) throws -> HostTensor { HostTensor(try golden.tensor("grad_output")) }

  /// In both modes: in evaluation, the gradient finds the places of the maxima by itself.
  private func expect(_ run: OperatorRun, _ golden: GoldenCase, tolerance: Float, gradientTolerance: Float) throws {
    var run = run
    for mode in [Mode.training, .evaluation] {
      run.mode = mode
      for (kernels, result) in try run.everywhere() {
        let what = "\(golden.name), \(mode), \(kernels)"
        expectClose(result.output, golden["output"], tolerance: tolerance, what)
        expectClose(result.inputGradients[0], golden["grad_input"], tolerance: gradientTolerance, what + ", dx")
      }
    }
  }
}

extension PoolAttributes {
  fileprivate init(_ golden: GoldenCase) throws {
    func extent(_ name: String) throws -> Extent {
      let sizes = try golden.integers(name)
      return Extent(height: sizes[0], width: sizes[1])
    }
    let sides = try golden.integers("padding")
    let mode: PaddingMode =
      switch try golden.string("padding_mode") {
      case "same": .same
      case "same_upper": .sameUpper
      case "same_lower": .sameLower
      case "valid": .valid
      default: .explicit(Padding(top: sides[0], bottom: sides[1], left: sides[2], right: sides[3]))
      }
    self.init(
      kernel: try extent("kernel_size"), stride: try extent("stride"),
      dilation: golden.isNull("dilation") ? Extent(1) : try extent("dilation"), padding: mode,
      ceil: try golden.boolean("ceil_mode"))
  }
}
