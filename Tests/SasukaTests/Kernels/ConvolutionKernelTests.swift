// The convolution and matrix product kernels of every table the machine has, against plain loops in float64.
import CSystem
import Sasuka
import Testing

@Suite struct ConvolutionKernelTests {
  @Test(arguments: ConvolutionCase.all + ConvolutionCase.narrow + ConvolutionCase.pointwise + ConvolutionCase.oddBlocks)
  func agreesWithPlainLoops(_ shape: ConvolutionCase) {
    let reference = ConvolutionReference(shape)
    for (name, table) in kernelTables() {
      let driver = ConvolutionDriver(table: table)
      let terms = shape.inputs * shape.taps
      expectClose(driver.forward(reference), reference.output, terms: terms + 1, "\(name) forward, \(shape)")
      let clamped = reference.output.map { max($0, 0) }
      expectClose(
        driver.forward(reference, epilogue: Int(SASUKA_EPILOGUE_RELU)), clamped, terms: terms + 1,
        "\(name) forward and ReLU, \(shape)")
      let gradientTerms = shape.outputs * shape.taps
      expectClose(
        driver.inputGradient(reference), reference.inputGradient, terms: gradientTerms,
        "\(name) input gradient, \(shape)")
      expectClose(
        driver.inputGradientByPhases(reference), reference.inputGradient, terms: gradientTerms,
        "\(name) input gradient by phases, \(shape)")
      let pixels = shape.outputHeight * shape.outputWidth
      expectClose(
        driver.weightGradient(reference), reference.weightGradient, terms: pixels,
        "\(name) weight gradient, \(shape)")
      if shape.groups == 1 && shape.inputs <= 4 {
        expectClose(driver.runPlanar(reference), reference.output, terms: terms + 1, "\(name) planar, \(shape)")
      }
      if shape.inputs == shape.outputs && [4, 8].contains(shape.inputs) && shape.inputs < driver.v {
        expectClose(driver.runGrouped(reference), reference.output, terms: terms + 1, "\(name) grouped, \(shape)")
      }
      if shape.inputs == 1 && shape.outputs == 1 {
        expectClose(driver.runDepthwise(reference), reference.output, terms: terms + 1, "\(name) depthwise, \(shape)")
        expectClose(
          driver.runDepthwise(reference, held: 0.5), reference.output.map { $0 + 0.5 }, terms: terms + 2,
          "\(name) depthwise and sum, \(shape)")
        expectClose(
          driver.depthwiseWeightGradient(reference), reference.weightGradient, terms: pixels,
          "\(name) depthwise weight gradient, \(shape)")
      }
    }
  }

  /// With and without something to be added to, which no pixel is twice.
  @Test(arguments: ConvolutionCase.few)
  func fewOutputs(_ shape: ConvolutionCase) {
    let reference = ConvolutionReference(shape)
    for (name, table) in kernelTables() where table.narrow.convolution_few_forward != nil {
      let driver = ConvolutionDriver(table: table)
      let terms = shape.inputs * shape.taps + 1
      expectClose(driver.runFew(reference), reference.output, terms: terms, "\(name) few, \(shape)")
      expectClose(
        driver.runFew(reference, held: 0.5), reference.output.map { $0 + 0.5 }, terms: terms + 1,
        "\(name) few and sum, \(shape)")
    }
  }

  /// Taps that are left out have no part in the sums, and the others are where they were: of one block of outputs, of two, of
  /// one and a half, and of inputs that end within a block.
  @Test(arguments: [
    ConvolutionCase(inputs: 20, outputs: 40, height: 9, width: 15, kernel: (3, 3), dilation: (2, 3)),
    ConvolutionCase(inputs: 16, outputs: 16, height: 7, width: 20, kernel: (5, 4), stride: (1, 2), top: 2),
    ConvolutionCase(inputs: 9, outputs: 24, height: 8, width: 21, kernel: (1, 3), dilation: (1, 4)),
    ConvolutionCase(inputs: 8, outputs: 32, height: 12, width: 9, kernel: (4, 1), dilation: (2, 1)),
  ])
  func tapsLeftOut(_ shape: ConvolutionCase) {
    let reference = ConvolutionReference(shape)
    let (height, width) = (shape.kernel.height, shape.kernel.width)
    for (name, table) in kernelTables() {
      let driver = ConvolutionDriver(table: table)
      for rows in [(0, 0), (0, height - 1), (height - 1, 0), (height / 2, height - 1 - height / 2)] {
        for across in [(0, 0), (0, width - 1), (width - 1, 0), (width / 2, 0), (0, width / 2)] {
          for columns in [0..<shape.outputWidth, 1..<3, 2..<shape.outputWidth] {
            let found = driver.leavingOut(
              top: rows.0, bottom: rows.1, left: across.0, right: across.1, columns: columns, reference)
            #expect(
              found.withoutTaps == found.withZeros, "\(name), \(shape), \(rows) and \(across) of \(columns)")
          }
        }
      }
    }
  }

  /// Joined to the one before it, the last unit's sums are those it has by itself; nothing between the rows is written.
  @Test(arguments: ConvolutionCase.oddBlocks, [0, 3])
  func joinedUnits(_ shape: ConvolutionCase, gap: Int) {
    let reference = ConvolutionReference(shape)
    for (name, table) in kernelTables() where table.convolution_joined_forward != nil {
      let driver = ConvolutionDriver(table: table)
      for epilogue in [0, Int(SASUKA_EPILOGUE_ADD | SASUKA_EPILOGUE_RELU6)] {
        let joined = driver.forward(reference, epilogue: epilogue, joinsLast: true, gap: gap, held: 0.5)
        let apart = driver.forward(reference, epilogue: epilogue, gap: gap, held: 0.5)
        #expect(joined == apart, "\(name), \(shape), epilogue \(epilogue)")
      }
    }
  }

  @Test(arguments: [
    (1, 1, 1), (64, 10, 64), (13, 33, 7), (5, 64, 100), (29, 17, 3), (3, 19, 2061), (1, 37, 50), (1, 21, 300),
    (1, 19, 2100), (2, 13, 129), (2, 9, 5), (4, 11, 517), (7, 6, 31), (8, 40, 40), (9, 20, 33),
  ])
  func matrixProduct(_ rows: Int, _ columns: Int, _ depth: Int) {
    let a = (0..<rows * depth).map { Float($0 * 37 % 101) / 50 - 1 }
    let b = (0..<depth * columns).map { Float($0 * 53 % 97) / 48 - 1 }
    let bias = (0..<columns).map { Float($0) / 8 }
    let expected = (0..<rows * columns).map { index in
      (0..<depth).reduce(Double(bias[index % columns])) {
        $0 + Double(a[index / columns * depth + $1]) * Double(b[$1 * columns + index % columns])
      }
    }
    for (name, table) in kernelTables() {
      let v = Int64(table.vector_width)
      let units = sasuka_matrix_units(Int64(columns), v, Int64(table.convolution_columns))
      var packed = [Float](
        repeating: .nan,
        count: Int(
          sasuka_matrix_packed_floats(Int64(columns), Int64(depth), v, Int64(table.convolution_columns))))
      var result = [Float](repeating: .nan, count: rows * columns)
      var product = sasuka_matrix_product(
        rows: Int64(rows), columns: Int64(columns), depth: Int64(depth), a_row_stride: Int64(depth),
        a_depth_stride: 1, c_row_stride: Int64(columns))
      for unit in 0..<units {
        table.packing.matrix_pack(Int64(columns), Int64(depth), Int64(columns), 1, b, &packed, unit, unit + 1, v)
        table.matrix_multiply(&product, a, packed, bias, &result, unit, 0, Int64(rows), 0)
      }
      expectClose(result, expected, terms: depth + 1, "\(name) \(rows) x \(columns) x \(depth)")
      let transposed = (0..<columns * depth).map { b[$0 % depth * columns + $0 / depth] }
      result = [Float](repeating: .nan, count: rows * columns)
      for first in stride(from: 0, to: Int64(columns), by: 8) {
        table.matrix_dot(&product, a, transposed, bias, &result, first, min(first + 8, Int64(columns)))
      }
      expectClose(result, expected, terms: depth + 1, "\(name) \(rows) x \(columns) x \(depth), as it lies")
    }
  }

  @Test func channelSums() {
    for (name, table) in kernelTables() {
      let v = Int(table.vector_width)
      let (images, pixels) = (3, 131)
      let map = (0..<images * pixels * v).map { Float($0 * 29 % 103) / 51 - 1 }
      var sums = [Float](repeating: 1, count: v)
      table.channel_sums(
        map, Int64(images), Int64(pixels * v), Int64(pixels), Int64(v - 1), &sums, Int32(SASUKA_EPILOGUE_ADD))
      let expected = (0..<v).map { lane in
        lane == v - 1 ? 1 : (0..<images * pixels).reduce(1.0) { $0 + Double(map[$1 * v + lane]) }
      }
      expectClose(sums, expected, terms: images * pixels, "\(name) channel sums")
    }
  }
}

/// The tables that this machine can run.
private func kernelTables() -> [(String, sasuka_kernel_table)] {
  TestedKernels.available.map { tested in
    withExtendedLifetime(tested.table) { (tested.description, $0.slots.pointee) }
  }
}

/// Operands lie in [-1, 1]: every product and partial sum is rounded by at most half a unit in the last place of a value below
/// the number of terms; its square root is what independent roundings come to, with a factor for the worst of many results.
private func expectClose(_ got: [Float], _ expected: [Double], terms: Int, _ name: String) {
  let tolerance = 16 * Double(Float.ulpOfOne) * Double(terms + 1).squareRoot() * 2
  guard got.count == expected.count else {
    Issue.record("\(name): \(got.count) values, expected \(expected.count)")
    return
  }
  for index in got.indices where !(abs(Double(got[index]) - expected[index]) <= tolerance) {
    Issue.record("\(name): at \(index) expected \(expected[index]), got \(got[index]), tolerance \(tolerance)")
    return
  }
}
