// Convolutions to few channels, whose products with all taps come before their sums.
import Sasuka
import Testing

@Suite struct TapProductsTests {
  /// Beside double precision, with a normalisation, a sum and a ReLU behind them: phases of a stride with and without taps, output
  /// padding, borders that are wide, narrow, odd and more than a kernel, single rows, maps of several bands, channels that fill no
  /// block; and those beside them that are computed otherwise.
  @Test(arguments: [
    (1, sizes(3, 24, 18, 26, (4, 4), (2, 2), 1, 1, 1, 1)), (2, sizes(1, 17, 31, 29, (9, 9), (3, 3), 4, 4, 4, 4)),
    (5, sizes(8, 12, 12, 14, (3, 3), (2, 2), 1, 1, 1, 1)), (1, sizes(2, 20, 13, 9, (5, 2), (3, 1), 2, 0, 1, 1)),
    (1, sizes(1, 16, 1, 90, (1, 5), (1, 2), 0, 2, 0, 1)), (2, sizes(5, 14, 11, 15, (2, 3), (3, 2), 0, 0, 0, 0)),
    (1, sizes(2, 33, 14, 12, (6, 6), (3, 3), 4, 5, 3, 2)), (1, sizes(4, 40, 10, 12, (2, 2), (2, 2), 0, 0, 0, 0)),
    (1, sizes(1, 16, 202, 150, (4, 4), (2, 2), 1, 1, 1, 1)), (3, sizes(1, 19, 9, 21, (5, 5), (1, 1), 2, 2, 2, 2)),
    (1, sizes(7, 16, 37, 9, (16, 1), (8, 1), 3, 0, 4, 0)), (1, sizes(3, 16, 9, 9, (7, 7), (2, 2), 0, 0, 0, 0)),
    (1, sizes(2, 16, 8, 8, (3, 3), (2, 2), 3, 3, 3, 3)),
  ])
  func productsOfTransposedKernelsAreSummed(_ batch: Int, _ shape: ConvolutionCase) throws {
    let reference = ConvolutionReference(shape)
    try check(
      batch, [shape.outputs, shape.outputHeight, shape.outputWidth], reference.outputGradient,
      [shape.inputs, shape.height, shape.width], reference.inputGradient, reference.weights
    ) { (graph, map) throws(SasukaError) in
      let used = Extent(
        height: (shape.outputHeight - 1) * shape.stride.height + shape.kernel.height - shape.top - shape.bottom,
        width: (shape.outputWidth - 1) * shape.stride.width + shape.kernel.width - shape.left - shape.right)
      return try graph.transposedConvolution(
        map, name: "conv", outputChannels: shape.inputs, kernel: shape.kernelExtent,
        attributes: TransposedConvolutionAttributes(
          stride: shape.strideExtent, padding: shape.padding,
          outputPadding: Extent(height: shape.height - used.height, width: shape.width - used.width)), bias: false)
    }
  }

  @Test(arguments: [
    (1, sizes(12, 1, 20, 33, (5, 5), (1, 1), 2, 2, 2, 2)), (2, sizes(16, 1, 40, 30, (9, 9), (1, 1), 4, 4, 4, 4)),
    (5, sizes(19, 1, 1, 70, (1, 17), (1, 1), 0, 8, 0, 8)), (1, sizes(24, 1, 14, 17, (4, 6), (1, 1), 2, 3, 1, 4)),
    (1, sizes(20, 2, 11, 8, (2, 2), (1, 1), 0, 1, 1, 0)), (1, sizes(16, 1, 12, 13, (4, 4), (1, 1), 4, 1, 1, 3)),
    (1, sizes(64, 1, 4, 4, (4, 4), (1, 1), 0, 0, 0, 0)), (1, sizes(16, 1, 31, 29, (5, 5), (2, 2), 2, 2, 2, 2)),
    (1, sizes(16, 1, 150, 170, (5, 7), (1, 1), 2, 3, 2, 3)),
  ])
  func productsOfKernelsAreSummed(_ batch: Int, _ shape: ConvolutionCase) throws {
    let reference = ConvolutionReference(shape)
    try check(
      batch, [shape.inputs, shape.height, shape.width], reference.input,
      [shape.outputs, shape.outputHeight, shape.outputWidth], reference.sums, reference.weights
    ) { (graph, map) throws(SasukaError) in
      try graph.convolution(
        map, name: "conv", outputChannels: shape.outputs, kernel: shape.kernelExtent,
        stride: shape.strideExtent, padding: .explicit(shape.padding),
        bias: false)
    }
  }

  /// Runs a layer named "conv" with a normalisation, a sum and a ReLU behind it.
  private func check(
    _ batch: Int, _ inputSize: [Int], _ input: [Float], _ size: [Int], _ sums: [Double], _ weights: [Float],
    layer: (inout Graph, Value) throws(SasukaError) -> Value
  ) throws {
    let x = HostTensor([batch] + inputSize, ConvolutionReference.batch(of: input, images: batch))
    let addend = HostTensor.noise([batch] + size, "addend")
    let noise = ["mean", "shift", "scale"].map { HostTensor.noise([size[0]], $0, 0.5...1.5).floats }
    let (mean, shift, scale) = (noise[0], noise[1], noise[2])
    let expected = ConvolutionReference.batch(of: sums, images: batch).enumerated().map { place, sum in
      let channel = place / (size[1] * size[2]) % size[0]
      let normal = (sum - Double(mean[channel])) * Double(scale[channel]) + Double(shift[channel])
      return Float(max(normal + Double(addend.floats[place]), 0))
    }
    try withoutActuallyEscaping(layer) { layer in
      var run = OperatorRun(mode: .evaluation, inputs: [x, addend], fuses: true) {
        (graph, values) throws(SasukaError) in
        let map = try graph.batchNorm(layer(&graph, graph.blockedInput(values[0])), name: "norm", epsilon: 1e-30)
        return try graph.activation(graph.add(map, values[1], name: "sum"), .relu, name: "relu")
      }
      run.parameters = [
        "conv.weight": weights, "norm.running_mean": mean, "norm.running_var": [Float](repeating: 1, count: size[0]),
        "norm.weight": scale, "norm.bias": shift,
      ]
      run.algorithms = .exact
      for (kernels, found) in try run.everywhere() {
        expectClose(found.output, HostTensor([batch] + size, expected), tolerance: 3e-6, "\(kernels)")
      }
    }
  }
}

/// A convolution by its channels, size, kernel, stride, and borders at the top, left, bottom and right.
private func sizes(
  _ inputs: Int, _ outputs: Int, _ height: Int, _ width: Int, _ kernel: (Int, Int), _ stride: (Int, Int), _ top: Int,
  _ left: Int, _ bottom: Int, _ right: Int
) -> ConvolutionCase {
  ConvolutionCase(
    inputs: inputs, outputs: outputs, height: height, width: width, kernel: (kernel.0, kernel.1),
    stride: (stride.0, stride.1), top: top, left: left, bottom: bottom, right: right)
}
