// Strassen's products of every table that has them, against plain loops in float64.
import CSystem
import KernelsPortable16
import Sasuka
import Testing

@Suite struct StrassenKernelTests {
  /// The rounding of random operands beside that of a plain sum: C22 adds four products of half the terms, whose operands are
  /// sums of 1 and 1, 3 and 3, 2 and 2, 2 and 2 numbers.
  static let amplification: Double = (Double(1 + 9 + 4 + 4) / 2).squareRoot()

  /// Blocks of half the input's channels, pairs of units, the fewest pixels that are multiplied together, and what is left of
  /// inputs, outputs and pixels.
  static let shapes: [(halfBlocks: Int, pairs: Int, groups: Int, inputsLeft: Int, outputsLeft: Int, pixelsLeft: Int)] =
    [
      (1, 1, 1, 0, 0, 0), (1, 2, 6, 15, 5, 1), (2, 1, 3, 0, 0, 7), (3, 3, 1, 8, 17, 9), (5, 2, 7, 1, 1, 0),
      (8, 1, 10, 0, 0, 3),
    ]

  @Test(
    arguments: shapes.indices, [Int(0), Int(SASUKA_EPILOGUE_RELU), Int(SASUKA_EPILOGUE_ADD | SASUKA_EPILOGUE_RELU6)])
  func agreesWithPlainLoops(_ index: Int, _ epilogue: Int) {
    let sizes = StrassenKernelTests.shapes[index]
    for kernels in TestedKernels.available {
      let table = withExtendedLifetime(kernels.table) { $0.slots.pointee }
      guard table.strassen_product != nil else { continue }
      let v = Int(table.vector_width)
      let group = Int(sasuka_strassen_fewest_pixels(Int64(v)))
      let shape = ConvolutionCase(
        inputs: sizes.halfBlocks * 2 * v + sizes.inputsLeft, outputs: sizes.pairs * 4 * v + sizes.outputsLeft,
        height: 1,
        width: sizes.groups * group + sizes.pixelsLeft, kernel: (1, 1))
      let reference = ConvolutionReference(shape)
      let tolerance =
        32 * Double(Float.ulpOfOne) * Double(shape.inputs + 2).squareRoot() * StrassenKernelTests.amplification
      for hasBias in [true, false] {
        let output = forward(reference, table, sizes.pairs, sizes.groups, hasBias: hasBias, epilogue: Int32(epilogue))
        for place in output.indices {
          let (channel, pixel) = (place / shape.width, place % shape.width)
          let isComputed = channel < sizes.pairs * 4 * v && pixel < sizes.groups * group
          var expected = reference.output[place] - (hasBias ? 0 : Double(reference.bias[channel]))
          for input in (shape.inputs - sizes.inputsLeft)..<shape.inputs {
            let weight = reference.weights[channel * shape.inputs + input]
            expected -= Double(weight) * Double(reference.input[input * shape.width + pixel])
          }
          if epilogue & Int(SASUKA_EPILOGUE_ADD) != 0 { expected += held }
          if epilogue & Int(SASUKA_EPILOGUE_RELU | SASUKA_EPILOGUE_RELU6) != 0 { expected = max(expected, 0) }
          if epilogue & Int(SASUKA_EPILOGUE_RELU6) != 0 { expected = min(expected, 6) }
          if !isComputed { expected = held }
          guard !(abs(Double(output[place]) - expected) <= tolerance) else { continue }
          Issue.record(
            "\(kernels), \(shape): channel \(channel), pixel \(pixel): \(output[place]), expected \(expected) within \(tolerance)"
          )
          return
        }
      }
    }
  }

  /// What the output holds before.
  private let held = 0.75

  /// The pixels are computed in two stretches, the last first, each of them by all pairs.
  private func forward(
    _ reference: ConvolutionReference, _ table: sasuka_kernel_table, _ pairs: Int, _ groups: Int, hasBias: Bool,
    epilogue: Int32
  ) -> [Float] {
    let driver = ConvolutionDriver(table: table)
    let shape = reference.shape
    var sizes = driver.shape(shape)
    var strides = driver.strides(shape)
    let v = Int64(driver.v)
    let units = sasuka_convolution_units(&sizes, v, Int64(table.convolution_columns))
    var packed = [Float](
      repeating: .nan, count: Int(sasuka_convolution_packed_floats(&sizes, v, Int64(table.convolution_columns))))
    table.packing.convolution_pack(&sizes, &strides, reference.weights, nil, &packed, 0, units, v)
    let input = driver.blocked(reference.input, channels: shape.inputs)
    let blocks = (shape.outputs + driver.v - 1) / driver.v
    var output = [Float](repeating: Float(held), count: blocks * shape.width * driver.v)
    var panels = [Float](repeating: .nan, count: shape.inputs * shape.width)
    var scratch = [Float](repeating: .nan, count: Int(sasuka_strassen_scratch_floats(&sizes, v)))
    let tallest = 2 * Int(sasuka_strassen_pixels(v))
    let end = groups * Int(sasuka_strassen_fewest_pixels(v))
    let middle = end / 2 / tallest * tallest
    for stretch in [middle..<end, 0..<middle] where !stretch.isEmpty {
      for pair in 0..<Int64(pairs) {
        table.strassen_product(
          &sizes, input, &panels, packed, hasBias ? reference.bias : nil, &output, &scratch, pair,
          Int64(stretch.lowerBound), Int64(stretch.upperBound), Int64(pair == 0 ? stretch.upperBound : 0), epilogue)
      }
    }
    return driver.plain(output, channels: shape.outputs, pixels: shape.width)
  }
}
