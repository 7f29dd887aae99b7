// Group normalisation against PyTorch and against float64, forward and backward.
import Sasuka
import Testing

@Suite struct GroupNormTests {
  /// Sums are gathered in float64 from at most 256 float32 terms; the rest is a handful of roundings.
  private static let tolerance: Float = 16 * 0x1p-24

  @Test(arguments: try Golden.cases(.operators, of: "group_norm"))
  func matchesPyTorch(golden: GoldenCase) throws {
    let (groups, affine) = (try golden.integer("num_groups"), try golden.boolean("affine"))
    let epsilon = Float(try golden.number("eps"))
    let upstream = HostTensor(try golden.tensor("grad_output"))
    var run = OperatorRun(inputs: golden.inputs.map(HostTensor.init), upstream: upstream) {
      (graph, values) throws(SasukaError) in
      try graph.groupNorm(values[0], name: "gn", groups: groups, epsilon: epsilon, affine: affine)
    }
    for name in ["weight", "bias"] { run.parameters["gn.\(name)"] = golden[name]?.floats }
    for mode in [Mode.training, .evaluation] {
      run.mode = mode
      for (kernels, result) in try run.everywhere() {
        let what = "\(golden.name) on \(kernels)"
        expectClose(result.output, golden["output"], tolerance: Self.tolerance, what)
        expectClose(result.inputGradients[0], golden["grad_input"], tolerance: Self.tolerance, floor: 1, what + ", dx")
        for name in ["weight", "bias"] {
          expectClose(
            result.parameterGradients["gn.\(name)"], golden["grad_\(name)"], tolerance: Self.tolerance, floor: 1,
            what + ", \(name)")
        }
      }
    }
  }

  /// Groups narrower and wider than a vector, beginning anywhere in one; maps of one pixel and of several parts.
  @Test(arguments: [
    (shape: [2, 6, 1, 1], groups: 2), (shape: [3, 8, 5, 7], groups: 8), (shape: [1, 40, 3, 3], groups: 1),
    (shape: [2, 51, 4, 5], groups: 3), (shape: [1, 6, 70, 61], groups: 3),
  ])
  func matchesFloat64(shape: [Int], groups: Int) throws {
    var random = SmallRandom(seed: 5)
    let count = shape.reduce(1, *)
    // Groups far from zero: a variance from sums of squares would lose its digits.
    let size = count / shape[0] / groups
    let x = (0..<count).map { Float($0 / size % groups) * 10 + random.next() }
    let dy = (0..<count).map { _ in random.next() }
    var run = OperatorRun(inputs: [HostTensor(shape, x)], upstream: HostTensor(shape, dy)) {
      (graph, values) throws(SasukaError) in
      try graph.groupNorm(values[0], name: "gn", groups: groups)
    }
    let weight = (0..<shape[1]).map { 1 + Float($0) * 0.125 }
    run.parameters = ["gn.weight": weight]
    let expected = reference(shape, groups, x, dy, weight)
    for (kernels, result) in try run.everywhere() {
      // The mean itself is rounded to float32 where x - mean is taken.
      let tolerance = Self.tolerance + 10 * Float(groups) * 0x1p-24
      expectClose(result.output, HostTensor(shape, expected.y), tolerance: tolerance, "y on \(kernels)")
      expectClose(
        result.inputGradients[0], HostTensor(shape, expected.dx), tolerance: 2 * tolerance, "dx on \(kernels)")
    }
  }

  private func reference(
    _ shape: [Int], _ groups: Int, _ x: [Float], _ dy: [Float], _ weight: [Float]
  ) -> (y: [Float], dx: [Float]) {
    let area = shape[2] * shape[3]
    let size = shape[1] / groups * area
    var (y, dx) = (x, x)
    for start in stride(from: 0, to: x.count, by: size) {
      let places = start..<(start + size)
      func mean(_ value: (Int) -> Double) -> Double { places.reduce(0) { $0 + value($1) } / Double(size) }
      func w(_ place: Int) -> Double { Double(weight[place / area % shape[1]]) }
      let center = mean { Double(x[$0]) }
      let variance = mean { (Double(x[$0]) - center) * (Double(x[$0]) - center) }
      let r = 1 / (variance + Double(Float(1e-5))).squareRoot()
      func normalised(_ place: Int) -> Double { (Double(x[place]) - center) * r }
      let sum = mean { Double(dy[$0]) * w($0) }
      let products = mean { Double(dy[$0]) * w($0) * normalised($0) }
      for place in places {
        y[place] = Float(normalised(place) * w(place))
        dx[place] = Float(r * (Double(dy[place]) * w(place) - sum - normalised(place) * products))
      }
    }
    return (y, dx)
  }

  /// A ReLU behind it becomes part of it and changes nothing.
  @Test func takesAReLUIn() throws {
    let shape = [2, 10, 5, 3]
    var random = SmallRandom(seed: 6)
    let numbers = (0..<600).map { _ in random.next() }
    var run = OperatorRun(
      inputs: [HostTensor(shape, Array(numbers[..<300]))], upstream: HostTensor(shape, Array(numbers[300...]))
    ) { (graph, values) throws(SasukaError) in
      let y = try graph.groupNorm(values[0], name: "gn", groups: 5)
      return try graph.activation(y, .relu, name: "relu")
    }
    run.parameters = ["gn.bias": (0..<10).map { Float($0) / 8 - 0.5 }]
    let apart = try run.everywhere().map(\.result)
    run.fuses = true
    let fused = try run.everywhere().map(\.result)
    #expect(fused == apart)
  }

  @Test func groupsThatDoNotDivideTheChannelsAreErrors() throws {
    for (groups, text) in [(4, "6 channels in 4 groups"), (0, "6 channels in 0 groups"), (-1, "in -1 groups")] {
      var graph = Graph()
      let x = graph.addInput(name: "input", shape: Shape([2, 6, 4, 5]))
      let error = #expect(throws: SasukaError.self) { _ = try graph.groupNorm(x, name: "gn", groups: groups) }
      #expect(error?.code == .invalidArgument && error?.message.contains(text) == true)
    }
  }
}
