// The smallest operator, and with it the whole way through compiler and executable.
import Sasuka
import Testing

@Suite struct AddTests {
  @Test func addsBothOperandsAndPassesTheGradientOn() throws {
    let shape = [2, 5, 3, 7]
    let left = (0..<210).map { Float($0) }
    let right = (0..<210).map { Float($0) * 0.5 }
    let upstream = HostTensor(shape, (0..<210).map { Float(-$0) })
    let run = OperatorRun(inputs: [HostTensor(shape, left), HostTensor(shape, right)], upstream: upstream) {
      (graph, values) throws(SasukaError) in
      try graph.append(Add(), name: "add", inputs: values)[0]
    }
    for (kernels, result) in try run.everywhere() {
      #expect(result.output.floats == zip(left, right).map(+), "\(kernels)")
      #expect(result.inputGradients == [upstream, upstream], "\(kernels)")
    }
  }
}
