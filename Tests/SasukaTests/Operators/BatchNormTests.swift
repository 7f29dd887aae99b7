// Batch normalisation against PyTorch, in training and in evaluation, forward and backward.
import Foundation
import Sasuka
import Testing

@Suite struct BatchNormTests {
  /// Sums are gathered in float64 from at most 256 float32 terms; the rest is a handful of roundings.
  private static let tolerance: Float = 16 * 0x1p-24

  @Test(arguments: try Golden.cases(.operators, of: "batch_norm"))
  func matchesPyTorch(golden: GoldenCase) throws {
    let training = try golden.boolean("training")
    var run = try OperatorRun(golden)
    run.mode = training ? .training : .evaluation
    // The mean itself is rounded to float32 where x - mean is taken.
    let offset = golden.name.contains("mean_100") ? 100 * 0x1p-24 as Float : 0
    for (kernels, result) in try run.everywhere() {
      let what = "\(golden.name) on \(kernels)"
      let tolerance = Self.tolerance + offset
      expectClose(result.output, golden["output"], tolerance: tolerance, what)
      expectClose(result.inputGradients[0], golden["grad_input"], tolerance: tolerance, floor: 1, what + ", dx")
      for name in ["weight", "bias"] {
        expectClose(
          result.parameterGradients["bn.\(name)"], golden["grad_\(name)"], tolerance: tolerance, what + ", \(name)")
      }
      guard training else { continue }
      for name in ["running_mean", "running_var"] {
        let after = HostTensor([run.inputs[0].shape[1]], try #require(result.parametersAfter["bn.\(name)"]))
        expectClose(after, golden["\(name)_after"], tolerance: tolerance, what + ", \(name)")
      }
      let batches = Int(try golden.tensor("num_batches_tracked_after").integers[0])
      #expect(result.countersAfter["bn.num_batches_tracked"] == batches)
    }
  }

  @Test func parametersStandInTheOrderOfPyTorchsStateDict() throws {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([2, 3, 4, 5]))
    _ = try graph.batchNorm(input, name: "bn")
    let names = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"].map { "bn." + $0 }
    #expect(graph.parameters.map(\.name) == names)
    #expect(graph.parameters.map(\.kind) == [.weight, .weight, .statistic, .statistic, .counter])
  }

  @Test func oneValuePerChannelIsAnErrorInTrainingOnly() throws {
    var run = OperatorRun(inputs: [HostTensor([1, 3, 1, 1], [1, 2, 3])]) { (graph, values) throws(SasukaError) in
      try graph.batchNorm(values[0], name: "bn", epsilon: 0)
    }
    let error = #expect(throws: SasukaError.self) { try run.run(TestedKernels.baseline.table, threads: 1) }
    #expect(
      error?.message
        == "batch_norm \"bn\": expected more than 1 value per channel when training, got input size [1, 3, 1, 1]")
    run.mode = .evaluation
    #expect(try run.run(TestedKernels.baseline.table, threads: 1).output.floats == [1, 2, 3])
  }

  @Test func withoutRunningStatisticsEvaluationUsesTheBatch() throws {
    var run = OperatorRun(inputs: [HostTensor([2, 1, 1, 1], [1, 3])], upstream: HostTensor([2, 1, 1, 1], [1, 2])) {
      (graph, values) throws(SasukaError) in
      try graph.batchNorm(values[0], name: "bn", epsilon: 0, affine: false, trackRunningStatistics: false)
    }
    for mode in [Mode.training, .evaluation] {
      run.mode = mode
      for (_, result) in try run.everywhere() { #expect(result.output.floats == [-1, 1]) }
    }
  }

  /// With the ReLU inside: gradients pass where the normalised value is positive.
  @Test(arguments: [true, false])
  func rectified(frozen: Bool) throws {
    let shape = [3, 5, 7, 6]
    var random = SmallRandom(seed: 4)
    let x = HostTensor(shape, (0..<630).map { _ in random.next() })
    let dy = HostTensor(shape, (0..<630).map { _ in random.next() })
    func results(rectifies: Bool) throws -> [OperatorResult] {
      let run = OperatorRun(inputs: [x], upstream: dy) { (graph, values) throws(SasukaError) in
        let channels = Shape([5])
        var inputs = values
        inputs.append(try graph.addParameter("bn.weight", shape: channels, initializer: .constant(1)))
        inputs.append(try graph.addParameter("bn.bias", shape: channels, initializer: .constant(0)))
        for (name, start) in [("mean", 0 as Float), ("var", 1)] {
          inputs.append(
            try graph.addParameter(
              "bn.running_\(name)", shape: channels, kind: .statistic, initializer: .constant(start)))
        }
        inputs.append(
          try graph.addParameter("bn.batches", shape: Shape([]), kind: .counter, initializer: .constant(0)))
        let attributes = BatchNormAttributes(frozen: frozen, rectifies: rectifies)
        return try graph.append(BatchNorm(attributes), name: "bn", inputs: inputs)[0]
      }
      return try run.everywhere().map(\.result)
    }
    for (plain, rectified) in zip(try results(rectifies: false), try results(rectifies: true)) {
      #expect(rectified.output.floats == plain.output.floats.map { max($0, 0) })
      let expected = zip(plain.output.floats, dy.floats).map { $0 > 0 ? $1 : 0 }
      let bias = (0..<5).map { channel in
        expected.indices.reduce(0 as Float) { ($1 / 42) % 5 == channel ? $0 + expected[$1] : $0 }
      }
      expectClose(
        rectified.parameterGradients["bn.bias"], HostTensor([5], bias), tolerance: 126 * 0x1p-24, floor: 126, "dbias")
      guard frozen else { continue }
      let scale = 1 / (1 + 1e-5 as Float).squareRoot()
      let dx = HostTensor(shape, expected.map { $0 * scale })
      expectClose(rectified.inputGradients[0], dx, tolerance: 4 * 0x1p-24, "dx")
      #expect(rectified.parametersAfter["bn.running_mean"] == [0, 0, 0, 0, 0])
    }
  }

  /// Many images and large maps, so that a channel's sums come from several parts of several slices.
  @Test(arguments: [[70, 5, 9, 7], [3, 19, 70, 61], [2, 4, 1, 2]])
  func matchesFloat64(shape: [Int]) throws {
    let (channels, area) = (shape[1], shape[2] * shape[3])
    let count = shape.reduce(1, *)
    var random = SmallRandom(seed: 3)
    let x = (0..<count).map { Float(($0 / area) % channels) * 10 + random.next() }
    let dy = (0..<count).map { _ in random.next() }
    var run = OperatorRun(inputs: [HostTensor(shape, x)], upstream: HostTensor(shape, dy)) {
      (graph, values) throws(SasukaError) in
      try graph.batchNorm(values[0], name: "bn")
    }
    run.parameters = ["bn.weight": (0..<channels).map { 1 + Float($0) * 0.125 }]
    let expected = reference(shape, x, dy, run.parameters["bn.weight"]!)
    for (kernels, result) in try run.everywhere() {
      let tolerance = Self.tolerance + 10 * Float(channels) * 0x1p-24
      expectClose(result.output, HostTensor(shape, expected.y), tolerance: tolerance, "y on \(kernels)")
      expectClose(result.inputGradients[0], HostTensor(shape, expected.dx), tolerance: tolerance, "dx on \(kernels)")
    }
  }

  private func reference(_ shape: [Int], _ x: [Float], _ dy: [Float], _ weight: [Float]) -> (y: [Float], dx: [Float]) {
    let (channels, area) = (shape[1], shape[2] * shape[3])
    var (y, dx) = (x, x)
    for channel in 0..<channels {
      let places = x.indices.filter { ($0 / area) % channels == channel }
      let n = Double(places.count)
      let mean = places.reduce(0) { $0 + Double(x[$1]) } / n
      let variance = places.reduce(0) { $0 + (Double(x[$1]) - mean) * (Double(x[$1]) - mean) } / n
      let r = 1 / (variance + Double(Float(1e-5))).squareRoot()
      let sum = places.reduce(0) { $0 + Double(dy[$1]) } / n
      let products = places.reduce(0) { $0 + Double(dy[$1]) * (Double(x[$1]) - mean) * r } / n
      for place in places {
        let normalised = (Double(x[place]) - mean) * r
        y[place] = Float(normalised * Double(weight[channel]))
        dx[place] = Float(Double(weight[channel]) * r * (Double(dy[place]) - sum - normalised * products))
      }
    }
    return (y, dx)
  }
}

/// Reproducible numbers in [-1, 1).
struct SmallRandom {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(Int64(bitPattern: state) >> 40) * 0x1p-23
  }
}

extension OperatorRun {
  fileprivate init(_ golden: GoldenCase) throws {
    let epsilon = Float(try golden.number("eps"))
    let momentum = golden.isNull("momentum") ? nil : Float(try golden.number("momentum"))
    let affine = try golden.boolean("affine")
    self.init(inputs: golden.inputs.map(HostTensor.init), upstream: HostTensor(try golden.tensor("grad_output"))) {
      (graph, values) throws(SasukaError) in
      try graph.batchNorm(values[0], name: "bn", epsilon: epsilon, momentum: momentum, affine: affine)
    }
    for name in ["weight", "bias", "running_mean", "running_var"] {
      parameters["bn.\(name)"] = golden[name]?.floats
    }
    counters["bn.num_batches_tracked"] = try golden.integer("num_batches_tracked")
  }
}
