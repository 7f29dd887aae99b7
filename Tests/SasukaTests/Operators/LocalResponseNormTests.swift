// Local response normalisation against PyTorch, forward and backward.
import Sasuka
import Testing

@Suite struct LocalResponseNormTests {
  /// Sums of at most 7 squares, a power and a division.
  private static let tolerance: Float = 16 * 0x1p-24

  @Test(arguments: try Golden.cases(.operators, of: "local_response_norm"))
  func matchesPyTorch(golden: GoldenCase) throws {
    let size = try golden.integer("size")
    let (alpha, beta) = (Float(try golden.number("alpha")), Float(try golden.number("beta")))
    let k = Float(try golden.number("k"))
    let upstream = HostTensor(try golden.tensor("grad_output"))
    let run = OperatorRun(inputs: golden.inputs.map(HostTensor.init), upstream: upstream) {
      (graph, values) throws(SasukaError) in
      try graph.localResponseNorm(values[0], name: "lrn", size: size, alpha: alpha, beta: beta, k: k)
    }
    for (kernels, result) in try run.everywhere() {
      let what = "\(golden.name) on \(kernels)"
      expectClose(result.output, golden["output"], tolerance: Self.tolerance, what)
      expectClose(result.inputGradients[0], golden["grad_input"], tolerance: Self.tolerance, what + ", dx")
    }
  }
}
