// Convolution, transposed convolution and linear against PyTorch, and what they refuse.
import Sasuka
import Testing

@Suite struct ConvolutionTests {
  @Test(arguments: try Golden.cases(.operators, of: "convolution"))
  func convolutionMatchesPyTorch(golden: GoldenCase) throws {
    let (kernel, stride) = try (golden.extent("kernel_size"), golden.extent("stride"))
    let (dilation, groups) = try (golden.extent("dilation"), golden.integer("groups"))
    let (padding, channels) = try (golden.paddingMode(), golden.integer("out_channels"))
    let hasBias = golden["bias"] != nil
    for algorithms in Self.choices {
      let tolerance = Self.tolerance(algorithms, kernel, stride)
      try golden.expectMatch(tolerance: tolerance, algorithms: algorithms) { (graph, inputs) throws(SasukaError) in
        try graph.convolution(
          inputs[0], name: "m", outputChannels: channels, kernel: kernel, stride: stride, padding: padding,
          dilation: dilation, groups: groups, bias: hasBias)
      }
    }
  }

  private static let choices: [AlgorithmChoice] =
    [.exact] + ConvolutionAlgorithm.allCases.filter { $0 != .direct }.map { .forced($0) }

  /// The bound of plain sums times what an algorithm amplifies their rounding by, if it has transforms for the kernel.
  private static func tolerance(_ choice: AlgorithmChoice, _ kernel: Extent, _ stride: Extent) -> Float {
    guard case .forced(let algorithm) = choice else { return 1e-5 }
    if algorithm == .strassen { return kernel == Extent(1) ? 1e-5 * Float(StrassenKernelTests.amplification) : 1e-5 }
    /// Taps of the largest and of the smallest phase along a side, and of the pieces of a kernel that is cut.
    func sides(_ size: Int, _ stride: Int) -> [Int] {
      [(size + stride - 1) / stride, size / stride].flatMap { taps in
        let pieces = max((taps + 4) / 5, 1)
        return [taps, (taps + pieces - 1) / pieces]
      }
    }
    func amplification(_ kernel: (height: Int, width: Int), stride: Int = 1) -> Float {
      let (rows, columns) = (
        algorithm.tileRows(taps: Int64(sides(kernel.height, stride)[0])),
        algorithm.tileColumns(taps: Int64(sides(kernel.width, stride)[0]))
      )
      return Float(ToomCook.amplification(tile: (Int(rows), Int(columns)), kernel: kernel, stride: stride))
    }
    // A layer of stride 2 is computed in its phases, which are summed point by point; a first layer in those of any stride, as
    // more channels; and so is the gradient of any layer's input, by phases of some taps and of one fewer.
    let (allRows, allColumns) = (sides(kernel.height, stride.height), sides(kernel.width, stride.width))
    var most: Float = 1
    for rows in allRows {
      for columns in allColumns where algorithm.filters(rows: Int64(rows), columns: Int64(columns)) {
        most = max(most, amplification((rows, columns)))
      }
    }
    if stride == Extent(2), algorithm.filters(rows: Int64(allRows[0]), columns: Int64(allColumns[0])) {
      most = max(most, amplification((kernel.height, kernel.width), stride: 2))
    }
    return 1e-5 * most
  }

  /// Winograd's and Strassen's results after everything that a convolution does for those behind it, and in training, beside the exact.
  @Test(arguments: [
    (2, Extent(3), 1, Padding(3), 20, 70, 13, 9), (5, Extent(3), 1, Padding(1), 33, 16, 30, 31),
    (1, Extent(3), 1, Padding(1), 64, 96, 14, 14), (1, Extent(5), 1, Padding(2), 17, 30, 13, 15),
    (3, Extent(height: 1, width: 7), 1, Padding(top: 0, bottom: 0, left: 3, right: 3), 40, 50, 17, 17),
    (1, Extent(height: 7, width: 1), 1, Padding(top: 3, bottom: 3, left: 0, right: 0), 33, 16, 17, 17),
    (2, Extent(height: 3, width: 1), 1, Padding(top: 1, bottom: 2, left: 1, right: 0), 16, 24, 8, 8),
    (2, Extent(1), 1, Padding(), 64, 200, 9, 8), (5, Extent(1), 1, Padding(), 32, 64, 7, 4),
    (1, Extent(1), 1, Padding(), 96, 136, 17, 17), (1, Extent(1), 1, Padding(), 32, 80, 31, 9),
    (2, Extent(1), 1, Padding(), 72, 200, 9, 8), (1, Extent(1), 1, Padding(), 45, 96, 17, 17),
    (1, Extent(3), 2, Padding(1), 64, 96, 28, 28), (5, Extent(3), 2, Padding(0), 32, 40, 35, 17),
    (2, Extent(3), 2, Padding(top: 0, bottom: 1, left: 2, right: 1), 48, 70, 16, 29),
    (1, Extent(4), 2, Padding(1), 64, 96, 28, 28), (2, Extent(5), 2, Padding(2), 48, 70, 16, 29),
    (1, Extent(7), 2, Padding(3), 32, 40, 35, 17),
    (2, Extent(height: 3, width: 4), 2, Padding(top: 2, bottom: 1, left: 0, right: 3), 16, 24, 9, 30),
    (2, Extent(1), 2, Padding(), 64, 200, 17, 18), (5, Extent(1), 2, Padding(), 56, 64, 11, 7),
    (1, Extent(4), 1, Padding(top: 2, bottom: 1, left: 1, right: 2), 33, 40, 13, 17),
    (1, Extent(7), 2, Padding(3), 3, 64, 45, 67), (9, Extent(7), 2, Padding(3), 3, 24, 37, 20),
    (2, Extent(7), 2, Padding(top: 4, bottom: 0, left: 1, right: 5), 4, 70, 16, 29),
    (5, Extent(7), 2, Padding(), 1, 16, 9, 8),
    (2, Extent(11), 4, Padding(2), 3, 64, 63, 66),
    (1, Extent(8), 2, Padding(top: 1, bottom: 1, left: 0, right: 0), 2, 33, 19, 18),
    (1, Extent(height: 5, width: 6), 2, Padding(2), 3, 40, 30, 21), (3, Extent(9), 3, Padding(4), 3, 17, 31, 32),
  ])
  func fasterIsFused(
    _ batch: Int, _ kernel: Extent, _ stride: Int, _ padding: Padding, _ channels: Int, _ outputs: Int, _ height: Int,
    _ width: Int
  ) throws {
    try expectFused(batch, kernel, Extent(stride), Extent(1), padding, channels, outputs, height, width)
  }

  /// The same in maps of pixels that lie a dilation apart: of as many pixels and of one fewer, cropped, of one pixel each, of more
  /// tiles than a run has, of none in some; and where one direction has one tap.
  @Test(arguments: [
    (2, Extent(3), Extent(2), Padding(2), 20, 70, 13, 9), (5, Extent(3), Extent(3), Padding(1), 33, 16, 30, 31),
    (1, Extent(3), Extent(6), Padding(6), 24, 40, 17, 20), (1, Extent(3), Extent(9), Padding(9), 16, 24, 8, 7),
    (3, Extent(5), Extent(height: 2, width: 3), Padding(top: 9, bottom: 1, left: 0, right: 14), 17, 30, 11, 15),
    (1, Extent(3), Extent(2), Padding(2), 8, 16, 15, 147),
    (2, Extent(height: 1, width: 7), Extent(2), Padding(top: 1, bottom: 0, left: 6, right: 6), 40, 50, 9, 27),
    (
      1, Extent(height: 3, width: 1), Extent(height: 4, width: 5), Padding(top: 4, bottom: 3, left: 0, right: 2), 16,
      24, 18, 8
    ),
    (1, Extent(4), Extent(height: 3, width: 1), Padding(top: 2, bottom: 1, left: 1, right: 2), 33, 40, 19, 17),
    (2, Extent(3), Extent(2), Padding(), 16, 24, 5, 5),
  ])
  func fasterIsDilated(
    _ batch: Int, _ kernel: Extent, _ dilation: Extent, _ padding: Padding, _ channels: Int, _ outputs: Int,
    _ height: Int, _ width: Int
  ) throws {
    let faster = try expectFused(batch, kernel, Extent(1), dilation, padding, channels, outputs, height, width)
    #expect(faster > 0, "nothing but the direct algorithm")
  }

  /// The same in groups: of a unit of output channels and of more, of several to a unit, of units that have not the channels of
  /// whole groups, of blocks that fill no units, of other numbers of input than of output channels; where groups are dilated too,
  /// and strided.
  @Test(arguments: [
    (2, Extent(3), 1, 1, (2, 32, 32), 13, 9), (5, Extent(3), 1, 1, (4, 16, 16), 30, 31),
    (1, Extent(3), 1, 1, (8, 8, 8), 14, 14), (3, Extent(3), 1, 1, (32, 4, 4), 9, 30),
    (2, Extent(3), 1, 1, (4, 24, 24), 8, 11), (1, Extent(5), 1, 1, (4, 8, 16), 13, 15),
    (1, Extent(height: 1, width: 7), 1, 1, (4, 16, 8), 9, 17), (2, Extent(3), 1, 1, (16, 1, 2), 12, 12),
    (1, Extent(3), 1, 2, (2, 16, 80), 13, 9), (1, Extent(3), 1, 1, (2, 64, 64), 7, 7),
    (1, Extent(3), 1, 1, (5, 24, 24), 14, 30), (3, Extent(3), 1, 2, (3, 16, 48), 19, 13),
    (2, Extent(5), 1, 1, (7, 48, 40), 10, 11), (1, Extent(3), 2, 1, (3, 24, 24), 17, 40),
    (2, Extent(4), 2, 1, (2, 16, 32), 21, 16), (1, Extent(3), 2, 1, (4, 16, 16), 30, 15),
    (5, Extent(5), 2, 1, (3, 48, 48), 13, 14),
  ])
  func fasterIsGrouped(
    _ batch: Int, _ kernel: Extent, _ stride: Int, _ dilation: Int, _ groups: (count: Int, inputs: Int, outputs: Int),
    _ height: Int, _ width: Int
  ) throws {
    let padding = Padding(top: kernel.height - 1, bottom: 0, left: 1, right: kernel.width - 1)
    let faster = try expectFused(
      batch, kernel, Extent(stride), Extent(dilation), padding, groups.count * groups.inputs,
      groups.count * groups.outputs, height, width, groups: groups.count)
    #expect(faster > 0, "nothing but the direct algorithm")
  }

  /// The same by kernels that are cut into pieces, because they are large or their stride is none of 2 along both sides: of pieces
  /// that all have as many taps, of some with fewer and of none; of blocks, with dilation, with a border that is cropped; of planes,
  /// as wide as their map, in batches that are taken apart at once and one after the other.
  @Test(arguments: [
    (1, Extent(7), Extent(1), Extent(1), Padding(3), 16, 24, 13, 15),
    (2, Extent(6), Extent(1), Extent(1), Padding(top: 2, bottom: 3, left: 3, right: 2), 32, 40, 11, 17),
    (1, Extent(9), Extent(1), Extent(1), Padding(4), 48, 16, 12, 9),
    (
      3, Extent(height: 1, width: 9), Extent(1), Extent(1), Padding(top: 0, bottom: 0, left: 4, right: 4), 16, 33, 1, 40
    ),
    (
      5, Extent(height: 3, width: 11), Extent(1), Extent(1), Padding(top: 1, bottom: 0, left: 5, right: 0), 16, 24, 10,
      30
    ),
    (
      2, Extent(height: 1, width: 9), Extent(height: 1, width: 2), Extent(1),
      Padding(top: 0, bottom: 0, left: 4, right: 4),
      32, 24, 1, 75
    ),
    (
      1, Extent(height: 9, width: 1), Extent(height: 2, width: 1), Extent(1),
      Padding(top: 7, bottom: 1, left: 0, right: 0), 16, 24, 41, 5
    ),
    (2, Extent(height: 1, width: 9), Extent(2), Extent(1), Padding(), 16, 24, 1, 61),
    (2, Extent(5), Extent(3), Extent(1), Padding(2), 16, 24, 20, 31),
    (1, Extent(11), Extent(2), Extent(1), Padding(5), 16, 16, 23, 25),
    (
      2, Extent(height: 2, width: 6), Extent(2), Extent(1), Padding(top: 1, bottom: 0, left: 0, right: 3), 16, 24, 12,
      30
    ),
    (1, Extent(7), Extent(1), Extent(2), Padding(6), 16, 16, 17, 19),
    (1, Extent(height: 1, width: 21), Extent(height: 1, width: 2), Extent(1), Padding(), 16, 24, 3, 90),
    (2, Extent(7), Extent(1), Extent(1), Padding(3), 3, 24, 17, 30),
    (5, Extent(9), Extent(1), Extent(1), Padding(top: 4, bottom: 0, left: 7, right: 1), 1, 16, 12, 40),
    (
      1, Extent(height: 1, width: 15), Extent(1), Extent(1), Padding(top: 0, bottom: 0, left: 7, right: 7), 1, 24, 1,
      200
    ),
    (
      2, Extent(height: 3, width: 24), Extent(1), Extent(1), Padding(top: 1, bottom: 2, left: 0, right: 0), 1, 40, 20,
      24
    ),
    (1, Extent(5), Extent(height: 1, width: 2), Extent(1), Padding(2), 2, 33, 19, 38),
  ])
  func fasterIsCut(
    _ batch: Int, _ kernel: Extent, _ stride: Extent, _ dilation: Extent, _ padding: Padding, _ channels: Int,
    _ outputs: Int, _ height: Int, _ width: Int
  ) throws {
    let faster = try expectFused(batch, kernel, stride, dilation, padding, channels, outputs, height, width)
    #expect(faster > 0, "nothing but the direct algorithm")
  }

  /// Where the border is zeros of the input itself nothing is left out: the same sums, in the same order. Of maps with as many
  /// pieces as taps, with one place to a piece, with pixels that meet no tap, and with so few pixels that only rows are cut.
  @Test(arguments: [
    (24, 40, 20, 17, Extent(3), 1, 6, Padding(6)), (9, 16, 13, 29, Extent(3), 1, 12, Padding(12)),
    (16, 33, 12, 12, Extent(5), 1, 4, Padding(8)), (8, 24, 30, 40, Extent(height: 1, width: 7), 1, 9, Padding(27)),
    (16, 16, 26, 31, Extent(3), 2, 9, Padding(top: 11, bottom: 4, left: 0, right: 18)),
    (40, 24, 2, 2, Extent(3), 1, 1, Padding(1)), (16, 40, 3, 3, Extent(5), 1, 1, Padding(2)),
    (16, 24, 1, 1, Extent(7), 1, 1, Padding(6)), (8, 16, 14, 10, Extent(3), 1, 20, Padding(20)),
    (16, 40, 2, 2, Extent(4), 2, 1, Padding(1)), (16, 24, 3, 1, Extent(height: 7, width: 5), 2, 1, Padding(3)),
  ])
  func aBorderIsAsGoodAsZeros(
    _ channels: Int, _ outputs: Int, _ height: Int, _ width: Int, _ kernel: Extent, _ stride: Int, _ dilation: Int,
    _ padding: Padding
  ) throws {
    try expectAsGoodAsZeros(channels, outputs, height, width, kernel, stride, dilation, padding)
  }

  /// The same of depthwise kernels, which find the border or read a copy with it: whole, and in parts of maps that are high enough.
  @Test(arguments: [
    (24, 130, 120, Extent(7), 1, 1, Padding(3)), (9, 16, 16, Extent(9), 1, 1, Padding(4)),
    (16, 200, 90, Extent(height: 2, width: 4), 2, 1, Padding(top: 1, bottom: 0, left: 3, right: 2)),
    (8, 160, 130, Extent(5), 1, 3, Padding(top: 9, bottom: 3, left: 0, right: 12)),
    (16, 150, 150, Extent(3), 3, 1, Padding(1)),
    (20, 1, 140, Extent(height: 1, width: 7), 1, 2, Padding(top: 0, bottom: 0, left: 6, right: 6)),
    (16, 170, 100, Extent(3), 1, 2, Padding(2)), (8, 140, 140, Extent(5), 2, 1, Padding(2)),
    (20, 60, 50, Extent(5), 1, 2, Padding(top: 4, bottom: 4, left: 3, right: 5)),
    (12, 7, 7, Extent(height: 7, width: 11), 1, 1, Padding(top: 3, bottom: 3, left: 5, right: 5)),
  ])
  func aDepthwiseBorderIsAsGoodAsZeros(
    _ channels: Int, _ height: Int, _ width: Int, _ kernel: Extent, _ stride: Int, _ dilation: Int, _ padding: Padding
  ) throws {
    try expectAsGoodAsZeros(channels, channels, height, width, kernel, stride, dilation, padding, groups: channels)
  }

  private func expectAsGoodAsZeros(
    _ channels: Int, _ outputs: Int, _ height: Int, _ width: Int, _ kernel: Extent, _ stride: Int, _ dilation: Int,
    _ padding: Padding, groups: Int = 1
  ) throws {
    func run(_ given: Padding, _ within: Padding) -> OperatorRun {
      var run = OperatorRun(mode: .evaluation, inputs: [HostTensor.noise([2, channels, height, width], "x")]) {
        (graph, values) throws(SasukaError) in
        let map = given == Padding() ? values[0] : try graph.pad(values[0], given, name: "pad")
        return try graph.convolution(
          map, name: "conv", outputChannels: outputs, kernel: kernel, stride: Extent(stride),
          padding: .explicit(within), dilation: Extent(dilation), groups: groups)
      }
      run.parameters = [
        "conv.weight": HostTensor.noise([outputs, channels / groups, kernel.height, kernel.width], "weight").floats,
        "conv.bias": HostTensor.noise([outputs], "bias").floats,
      ]
      run.algorithms = .exact
      return run
    }
    for kernels in TestedKernels.available {
      let expected = try run(padding, Padding()).run(kernels.table, threads: 1).output.floats
      for threads in [1, 2, 3] {
        let found = try run(Padding(), padding).run(kernels.table, threads: threads).output.floats
        #expect(found == expected, "\(threads) threads on \(kernels)")
      }
    }
  }

  /// Threads share the pixels of a map's only row: bit for bit what each of two such rows of a map would be. Of blocks, of planes, of
  /// kernels as wide as their map, depthwise, to few outputs, of 1 x 1, with strides, dilation and in groups.
  @Test(arguments: [
    (16, 24, 130, Extent(height: 1, width: 3), Extent(1), 1, 1, Padding(top: 0, bottom: 0, left: 1, right: 1)),
    (9, 40, 301, Extent(height: 1, width: 5), Extent(height: 1, width: 3), 1, 1, Padding()),
    (16, 40, 257, Extent(height: 1, width: 5), Extent(1), 20, 1, Padding(top: 0, bottom: 0, left: 50, right: 30)),
    (
      1, 20, 333, Extent(height: 1, width: 9), Extent(height: 1, width: 2), 1, 1,
      Padding(top: 0, bottom: 0, left: 4, right: 0)
    ),
    (3, 24, 200, Extent(height: 1, width: 3), Extent(1), 1, 1, Padding(top: 0, bottom: 0, left: 0, right: 2)),
    (24, 24, 250, Extent(height: 1, width: 5), Extent(1), 1, 24, Padding(top: 0, bottom: 0, left: 3, right: 1)),
    (
      24, 24, 251, Extent(height: 1, width: 3), Extent(height: 1, width: 2), 1, 24,
      Padding(top: 0, bottom: 0, left: 1, right: 1)
    ),
    (16, 16, 250, Extent(height: 1, width: 7), Extent(1), 3, 16, Padding(top: 0, bottom: 0, left: 9, right: 9)),
    (64, 1, 150, Extent(height: 1, width: 5), Extent(1), 1, 1, Padding(top: 0, bottom: 0, left: 2, right: 2)),
    (32, 24, 129, Extent(1), Extent(1), 1, 1, Padding()),
    (16, 32, 177, Extent(height: 1, width: 3), Extent(1), 1, 4, Padding()),
    (16, 32, 140, Extent(height: 1, width: 3), Extent(1), 1, 4, Padding(top: 0, bottom: 0, left: 1, right: 1)),
  ])
  func theOnlyRowIsShared(
    _ channels: Int, _ outputs: Int, _ width: Int, _ kernel: Extent, _ stride: Extent, _ dilation: Int, _ groups: Int,
    _ padding: Padding
  ) throws {
    let row = HostTensor.noise([channels, width], "x").floats
    func run(rows: Int) -> OperatorRun {
      let map = (0..<channels).flatMap { channel in
        (0..<rows).flatMap { _ in row[(channel * width)..<((channel + 1) * width)] }
      }
      var run = OperatorRun(mode: .evaluation, inputs: [HostTensor([1, channels, rows, width], map)]) {
        (graph, values) throws(SasukaError) in
        let map = try graph.convolution(
          values[0], name: "conv", outputChannels: outputs, kernel: kernel, stride: stride, padding: .explicit(padding),
          dilation: Extent(dilation), groups: groups)
        return try graph.activation(map, .relu, name: "relu")
      }
      run.parameters = [
        "conv.weight": HostTensor.noise([outputs * channels / groups * kernel.width], "weight").floats,
        "conv.bias": HostTensor.noise([outputs], "bias").floats,
      ]
      run.algorithms = .exact
      return run
    }
    for kernels in TestedKernels.available {
      let two = try run(rows: 2).run(kernels.table, threads: 1).output
      let columns = two.floats.count / (2 * outputs)
      let expected = (0..<outputs).flatMap { two.floats[(2 * $0 * columns)..<((2 * $0 + 1) * columns)] }
      for threads in [1, 2, 3, 7] {
        let found = try run(rows: 1).run(kernels.table, threads: threads).output.floats
        #expect(found == expected, "\(threads) threads on \(kernels)")
      }
    }
  }

  /// A large kernel that meets each pixel at most once is a product over an image that is taken apart: beside the sums in float64, with
  /// borders, pixels that no patch has, channels that fill no block, and a single row, and of those that are none, or too small.
  @Test(arguments: [
    (2, ConvolutionCase(inputs: 3, outputs: 96, height: 48, width: 50, kernel: (16, 16), stride: (16, 16))),
    (
      1,
      ConvolutionCase(
        inputs: 1, outputs: 530, height: 40, width: 60, kernel: (9, 14), stride: (10, 14), top: 4, left: 3, bottom: 5)
    ),
    (
      5,
      ConvolutionCase(
        inputs: 4, outputs: 340, height: 20, width: 33, kernel: (7, 7), stride: (7, 9), top: 1, left: 1, bottom: 1,
        right: 1)
    ),
    (1, ConvolutionCase(inputs: 2, outputs: 260, height: 1, width: 700, kernel: (1, 130), stride: (1, 130))),
    (1, ConvolutionCase(inputs: 3, outputs: 80, height: 32, width: 32, kernel: (16, 16), stride: (16, 16))),
    (1, ConvolutionCase(inputs: 3, outputs: 96, height: 48, width: 50, kernel: (16, 16), stride: (15, 15))),
    (1, ConvolutionCase(inputs: 3, outputs: 96, height: 16, width: 50, kernel: (16, 16), stride: (16, 16))),
  ])
  func patchesAreProducts(_ batch: Int, _ shape: ConvolutionCase) throws {
    let reference = ConvolutionReference(shape)
    let x = HostTensor(
      [batch, shape.inputs, shape.height, shape.width], ConvolutionReference.batch(of: reference.input, images: batch))
    let pixels = shape.outputHeight * shape.outputWidth
    let expected = ConvolutionReference.batch(of: reference.sums, images: batch).enumerated().map { place, sum in
      Float(max(Double(reference.bias[place / pixels % shape.outputs]) + sum, 0))
    }
    var run = OperatorRun(mode: .evaluation, inputs: [x], fuses: true) { (graph, values) throws(SasukaError) in
      let map = try graph.convolution(
        values[0], name: "conv", outputChannels: shape.outputs, kernel: shape.kernelExtent, stride: shape.strideExtent,
        padding: .explicit(shape.padding))
      return try graph.activation(map, .relu, name: "relu")
    }
    run.parameters = ["conv.weight": reference.weights, "conv.bias": reference.bias]
    for (kernels, found) in try run.everywhere() {
      expectClose(
        found.output, HostTensor([batch, shape.outputs, shape.outputHeight, shape.outputWidth], expected),
        tolerance: 2e-6, "\(kernels)")
    }
  }

  /// A stride leaves no maps to be computed by, not even where the output is one pixel and they would be one.
  @Test(arguments: [7, 8, 14])
  func aStrideIsDilated(side: Int) throws {
    try expectFused(2, Extent(3), Extent(2), Extent(3), Padding(), 16, 24, side, side)
  }

  /// - Returns: how often another algorithm than the direct one has been there: its bits are others.
  @discardableResult
  private func expectFused(
    _ batch: Int, _ kernel: Extent, _ stride: Extent, _ dilation: Extent, _ padding: Padding, _ channels: Int,
    _ outputs: Int, _ height: Int, _ width: Int, groups: Int = 1
  ) throws -> Int {
    var faster = 0
    let extent = Extent(
      height: (height + padding.top + padding.bottom - dilation.height * (kernel.height - 1) - 1) / stride.height + 1,
      width: (width + padding.left + padding.right - dilation.width * (kernel.width - 1) - 1) / stride.width + 1)
    let result = [batch, outputs, extent.height, extent.width]
    for mode in [Mode.evaluation, .training] {
      var run = OperatorRun(
        mode: mode, inputs: [HostTensor.noise([batch, channels, height, width], "x"), HostTensor.noise(result, "y")],
        fuses: true
      ) { (graph, values) throws(SasukaError) in
        let map = try graph.convolution(
          values[0], name: "conv", outputChannels: outputs, kernel: kernel, stride: stride,
          padding: .explicit(padding), dilation: dilation, groups: groups)
        let normalized = mode == .evaluation ? try graph.batchNorm(map, name: "bn") : map
        let sum = try graph.add(normalized, graph.blockedInput(values[1]), name: "sum")
        // In training the kink would turn a rounding into another gradient.
        return mode == .evaluation ? try graph.activation(sum, .relu, name: "relu") : sum
      }
      if mode == .training { run.upstream = HostTensor.noise(result, "gradient") }
      run.parameters = [
        "conv.weight": HostTensor.noise([outputs, channels / groups, kernel.height, kernel.width], "weight").floats,
        "conv.bias": HostTensor.noise([outputs], "bias").floats,
        "bn.weight": HostTensor.noise([outputs], "scale", 0.5...2).floats,
        "bn.bias": HostTensor.noise([outputs], "shift").floats,
        "bn.running_mean": HostTensor.noise([outputs], "mean").floats,
        "bn.running_var": HostTensor.noise([outputs], "var", 0.5...2).floats,
      ]
      for kernels in TestedKernels.available {
        run.algorithms = .exact
        let exact = try run.run(kernels.table, threads: 1)
        for algorithms in Self.choices {
          let tolerance = Self.tolerance(algorithms, kernel, stride)
          run.algorithms = algorithms
          let what = "\(algorithms), \(mode) on \(kernels)"
          let found = try run.run(kernels.table, threads: 1)
          expectClose(found.output, exact.output, tolerance: tolerance, what)
          for (gradient, expected) in zip(found.inputGradients, exact.inputGradients) {
            expectClose(gradient, expected, tolerance: tolerance, "input gradient, \(what)")
          }
          for threads in [2, 5, 32] {
            #expect(try run.run(kernels.table, threads: threads).bits == found.bits, "\(threads) threads, \(what)")
          }
          if found.bits != exact.bits { faster += 1 }
        }
      }
    }
    return faster
  }

  /// Groups, each padded by the parts that read it or all before, beside the same convolution whose other weights are 0:
  /// of kernels of their own, of several to a unit, that begin and end within a block, of two units, of units of their own of which
  /// the last is narrower or joins the one before, at every way of dividing images; of maps high enough for several parts, whose
  /// rows overlap or leave some out between them.
  ///
  /// - Parameter step: stride and dilation of rows.
  @Test(arguments: [
    (8, 4, 4, 9, (1, 1), 3), (5, 8, 8, 9, (1, 1), 3), (4, 16, 16, 9, (1, 1), 3), (3, 32, 32, 9, (1, 1), 3),
    (6, 3, 5, 9, (1, 1), 3), (3, 12, 8, 9, (1, 1), 3), (2, 24, 24, 9, (1, 1), 3), (4, 40, 16, 9, (1, 1), 3),
    (5, 8, 8, 600, (1, 1), 3), (8, 4, 4, 600, (2, 1), 3), (3, 12, 8, 600, (1, 3), 3), (2, 24, 24, 600, (4, 1), 3),
    (5, 16, 56, 9, (1, 1), 3), (3, 48, 48, 600, (2, 1), 3), (3, 48, 48, 9, (1, 1), 1), (2, 16, 40, 600, (2, 1), 1),
  ])
  func groupsAreWhatZerosWouldMake(
    _ groups: Int, _ inputs: Int, _ outputs: Int, _ height: Int, _ step: (stride: Int, dilation: Int), _ side: Int
  ) throws {
    // 3 x 2, or 1 x 1 without a border.
    let kernel = Extent(height: side, width: (side + 1) / 2)
    let padding = side == 1 ? Padding() : Padding(top: 2, bottom: 0, left: 1, right: 3)
    let size = inputs * kernel.height * kernel.width
    let own = HostTensor.noise([groups * outputs, size], "weight").floats
    var whole = [Float](repeating: 0, count: groups * own.count)
    for (index, weight) in own.enumerated() {
      let (channel, place) = (index / size, index % size)
      whole[(channel * groups + channel / outputs) * size + place] = weight
    }
    for batch in [1, 2, 5] {
      let x = HostTensor.noise([batch, groups * inputs, height, 14], "x")
      func run(groups: Int, outputs: Int, _ weights: [Float]) -> OperatorRun {
        var run = OperatorRun(mode: .evaluation, inputs: [x], fuses: true) { (graph, values) throws(SasukaError) in
          try graph.convolution(
            values[0], name: "conv", outputChannels: outputs, kernel: kernel,
            stride: Extent(height: step.stride, width: 1), padding: .explicit(padding),
            dilation: Extent(height: step.dilation, width: 1), groups: groups, bias: false)
        }
        run.parameters = ["conv.weight": weights]
        run.algorithms = .exact
        return run
      }
      for kernels in TestedKernels.available {
        let expected = try run(groups: 1, outputs: groups * outputs, whole).run(kernels.table, threads: 1)
        let grouped = run(groups: groups, outputs: groups * outputs, own)
        let found = try grouped.run(kernels.table, threads: 1)
        expectClose(found.output, expected.output, tolerance: 1e-6, "batch \(batch) on \(kernels)")
        for threads in [2, 3] {
          let again = try grouped.run(kernels.table, threads: threads)
          #expect(again.bits == found.bits, "\(threads) threads on \(kernels)")
        }
      }
    }
  }

  /// So many channels that units take them some at a time, with what is added and clamped once, in units of which the last is
  /// narrower, beside sums in double precision.
  @Test(arguments: [(600, 24), (520, 40), (1000, 9)])
  func manyChannelsAreTakenInPasses(_ channels: Int, outputs: Int) throws {
    let (side, result) = (14, 7)
    let x = HostTensor.noise([1, channels, side, side], "x")
    let weight = HostTensor.noise([outputs, channels, 9], "weight", -0.1...0.1).floats
    let y = HostTensor.noise([1, outputs, result, result], "y")
    let expected = y.floats.indices.map { index in
      let (output, row, column) = (index / 49, index / 7 % 7, index % 7)
      var sum = Double(y.floats[index])
      for channel in 0..<channels {
        for tap in 0..<9 {
          let (top, left) = (2 * row + tap / 3 - 1, 2 * column + tap % 3 - 1)
          guard 0..<side ~= top, 0..<side ~= left else { continue }
          sum +=
            Double(weight[(output * channels + channel) * 9 + tap])
            * Double(x.floats[(channel * side + top) * side + left])
        }
      }
      return Float(min(max(sum, 0), 6))
    }
    var run = OperatorRun(mode: .evaluation, inputs: [x, y], fuses: true) { (graph, values) throws(SasukaError) in
      let map = try graph.convolution(
        values[0], name: "conv", outputChannels: outputs, kernel: Extent(3), stride: Extent(2),
        padding: .explicit(Padding(1)), bias: false)
      let sum = try graph.add(map, graph.blockedInput(values[1]), name: "sum")
      return try graph.activation(sum, .relu6, name: "relu6")
    }
    run.parameters = ["conv.weight": weight]
    run.algorithms = .exact
    for (kernels, found) in try run.everywhere() {
      expectClose(found.output, HostTensor([1, outputs, result, result], expected), tolerance: 1e-5, "\(kernels)")
    }
  }

  /// One to three channels, for which kernels take input channels as lanes, are the first of sixteen, for which they do not; by a
  /// transposed convolution in its phases too. What is added to them is so once.
  @Test(arguments: [1, 2, 3], [false, true])
  func fewOutputsAreTheFirstOfMany(_ outputs: Int, isTransposed: Bool) throws {
    let (channels, many, area) = (24, 16, 16)
    let all = HostTensor.noise([many, channels, area], "weight").floats
    /// Those to the first channels; transposed, output channels are the second axis.
    func weights(to outputs: Int) -> [Float] {
      isTransposed
        ? (0..<channels).flatMap { all[($0 * many * area)..<(($0 * many + outputs) * area)] }
        : Array(all[..<(outputs * channels * area)])
    }
    for batch in [1, 2, 5] {
      let x = HostTensor.noise([batch, channels, 9, 13], "x")
      func run(_ outputs: Int) -> OperatorRun {
        var run = OperatorRun(mode: .evaluation, inputs: [x], fuses: true) { (graph, values) throws(SasukaError) in
          let map = try graph.blockedInput(values[0])
          let sums = try ["first", "second"].map { (name) throws(SasukaError) in
            isTransposed
              ? try graph.transposedConvolution(
                map, name: name, outputChannels: outputs, kernel: Extent(4),
                attributes: TransposedConvolutionAttributes(stride: Extent(2), padding: Padding(1)), bias: false)
              : try graph.convolution(
                map, name: name, outputChannels: outputs, kernel: Extent(4),
                padding: .explicit(Padding(top: 2, bottom: 1, left: 1, right: 2)), bias: false)
          }
          return try graph.activation(graph.add(sums[0], sums[1], name: "sum"), .relu, name: "relu")
        }
        run.parameters = ["first.weight": weights(to: outputs), "second.weight": weights(to: outputs)]
        run.algorithms = .exact
        return run
      }
      for kernels in TestedKernels.available {
        let all = try run(many).run(kernels.table, threads: 1).output
        let found = try run(outputs).run(kernels.table, threads: 1)
        let size = all.floats.count / batch
        let first = (0..<batch).flatMap { all.floats[($0 * size)..<($0 * size + size / many * outputs)] }
        expectClose(
          found.output, HostTensor([batch, outputs] + all.shape[2...], first), tolerance: 3e-6,
          "batch \(batch) on \(kernels)")
        for threads in [2, 3] {
          let again = try run(outputs).run(kernels.table, threads: threads)
          #expect(again.bits == found.bits, "\(threads) threads on \(kernels)")
        }
      }
    }
  }

  /// Transposed kernels as large as their stride, each pixel of which makes a patch of the output, beside double precision: stretches of
  /// a row that fill tiles and do not, one to three channels for which lanes are input channels, what is added and clamped; and
  /// kernels beside them that make none.
  @Test(arguments: [
    (1, 24, 8, 5, 7, Extent(2), Extent(2)), (2, 40, 16, 6, 6, Extent(2), Extent(2)),
    (1, 17, 5, 4, 9, Extent(3), Extent(3)), (5, 20, 3, 3, 4, Extent(height: 1, width: 5), Extent(height: 1, width: 5)),
    (1, 33, 37, 3, 11, Extent(height: 3, width: 4), Extent(height: 3, width: 4)),
    (1, 9, 24, 4, 4, Extent(3), Extent(3)),
    (3, 128, 1, 6, 13, Extent(2), Extent(2)),
    (1, 128, 3, 5, 5, Extent(height: 2, width: 3), Extent(height: 2, width: 3)),
    (1, 64, 2, 7, 8, Extent(height: 3, width: 1), Extent(height: 3, width: 1)),
    (1, 130, 130, 1, 1, Extent(4), Extent(4)), (1, 16, 8, 5, 6, Extent(2), Extent(height: 2, width: 3)),
  ])
  func pixelsMakePatches(
    _ batch: Int, inputs: Int, outputs: Int, height: Int, width: Int, kernel: Extent, stride: Extent
  ) throws {
    let reference = ConvolutionReference(
      ConvolutionCase(
        inputs: outputs, outputs: inputs, height: (height - 1) * stride.height + kernel.height,
        width: (width - 1) * stride.width + kernel.width, kernel: (kernel.height, kernel.width),
        stride: (stride.height, stride.width)))
    let size = [batch, outputs, reference.shape.height, reference.shape.width]
    let x = HostTensor(
      [batch, inputs, height, width], ConvolutionReference.batch(of: reference.outputGradient, images: batch))
    let (addend, bias) = (HostTensor.noise(size, "addend"), HostTensor.noise([outputs], "bias").floats)
    let sums = ConvolutionReference.batch(of: reference.inputGradient, images: batch)
    let pixels = reference.shape.height * reference.shape.width
    let expected = sums.enumerated().map { place, sum in
      Float(max(sum + Double(bias[place / pixels % outputs]) + Double(addend.floats[place]), 0))
    }
    for isBlocked in [false, true] {
      var run = OperatorRun(mode: .evaluation, inputs: [x, addend], fuses: true) {
        (graph, values) throws(SasukaError) in
        let map = try graph.transposedConvolution(
          isBlocked ? graph.blockedInput(values[0]) : values[0], name: "up", outputChannels: outputs, kernel: kernel,
          attributes: TransposedConvolutionAttributes(stride: stride))
        return try graph.activation(graph.add(map, values[1], name: "sum"), .relu, name: "relu")
      }
      run.parameters = ["up.weight": reference.weights, "up.bias": bias]
      for (kernels, found) in try run.everywhere() {
        expectClose(found.output, HostTensor(size, expected), tolerance: 2e-6, "\(kernels)")
      }
    }
  }

  /// Kernels as large as the image, whose weights are read as they lie where images are few and outputs fill blocks, beside sums
  /// in double precision, clamped in all ways.
  @Test(arguments: [(1, 48), (3, 32), (4, 16), (5, 32), (2, 20)])
  func wholeImagesAreMultipliedByWeightsAsTheyLie(_ batch: Int, outputs: Int) throws {
    let (channels, kernel) = (61, Extent(height: 7, width: 5))
    let (area, size) = (kernel.height * kernel.width, channels * kernel.height * kernel.width)
    let x = HostTensor.noise([batch, channels, kernel.height, kernel.width], "x")
    let weight = HostTensor.noise([outputs, size], "weight").floats
    let bias = HostTensor.noise([outputs], "bias").floats
    let sums = (0..<batch * outputs).map { index in
      let (image, output) = (index / outputs * size, index % outputs)
      return (0..<size).reduce(Double(bias[output])) {
        $0 + Double(x.floats[image + $1]) * Double(weight[output * size + $1])
      }
    }
    #expect(size > 2048 && area > 1)
    let clamps: [(Activation.Function?, most: Double)] = [(nil, .infinity), (.relu, .infinity), (.relu6, 6)]
    for (clamp, most) in clamps {
      var run = OperatorRun(
        mode: .evaluation, inputs: [x], fuses: true
      ) { (graph, values) throws(SasukaError) in
        let map = try graph.convolution(values[0], name: "conv", outputChannels: outputs, kernel: kernel)
        guard let clamp else { return map }
        return try graph.activation(map, clamp, name: "clamp")
      }
      run.parameters = ["conv.weight": weight, "conv.bias": bias]
      let expected = sums.map { Float(clamp == nil ? $0 : min(max($0, 0), most)) }
      for (kernels, found) in try run.everywhere() {
        expectClose(found.output, HostTensor([batch, outputs, 1, 1], expected), tolerance: 1e-5, "\(kernels)")
      }
    }
  }

  /// 1 x 1 by a stride, of outputs enough for a copy of the pixels it leaves and of few, beside those pixels of all.
  @Test(arguments: [(2, 2), (3, 1), (1, 2)], [24, 100, 128])
  func stridesLeavePixelsOut(_ stride: (height: Int, width: Int), outputs: Int) throws {
    let (height, width) = (11, 14)
    for (batch, algorithms) in [(1, AlgorithmChoice.exact), (2, .fastest), (5, .exact), (3, .forced(.strassen))] {
      let x = HostTensor.noise([batch, 32, height, width], "x")
      func run(_ stride: Extent) -> OperatorRun {
        var run = OperatorRun(mode: .evaluation, inputs: [x], fuses: true) { (graph, values) throws(SasukaError) in
          try graph.convolution(
            values[0], name: "conv", outputChannels: outputs, kernel: Extent(1), stride: stride, bias: false)
        }
        run.parameters = ["conv.weight": HostTensor.noise([outputs, 32], "weight").floats]
        run.algorithms = algorithms
        return run
      }
      for kernels in TestedKernels.available {
        let all = try run(Extent(1)).run(kernels.table, threads: 1).output.floats
        let strided = run(Extent(height: stride.height, width: stride.width))
        let found = try strided.run(kernels.table, threads: 1)
        let columns = (width + stride.width - 1) / stride.width
        let rows = (height + stride.height - 1) / stride.height
        let expected = (0..<batch * outputs * rows * columns).map { index in
          let (map, row, column) = (index / columns / rows, index / columns % rows, index % columns)
          return all[(map * height + row * stride.height) * width + column * stride.width]
        }
        expectClose(
          found.output, HostTensor([batch, outputs, rows, columns], expected), tolerance: 3e-6,
          "batch \(batch), \(algorithms) on \(kernels)")
        for threads in [2, 3] {
          #expect(
            try strided.run(kernels.table, threads: threads).bits == found.bits, "\(threads) threads on \(kernels)")
        }
      }
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "transposed_convolution"))
  func transposedConvolutionMatchesPyTorch(golden: GoldenCase) throws {
    let (kernel, channels) = try (golden.extent("kernel_size"), golden.integer("out_channels"))
    let padding = try golden.padding()
    let attributes = try TransposedConvolutionAttributes(
      stride: golden.extent("stride"), padding: padding, outputPadding: golden.extent("output_padding"),
      dilation: golden.extent("dilation"), groups: golden.integer("groups"))
    let hasBias = golden["bias"] != nil
    try golden.expectMatch { (graph, inputs) throws(SasukaError) in
      try graph.transposedConvolution(
        inputs[0], name: "m", outputChannels: channels, kernel: kernel, attributes: attributes, bias: hasBias)
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "linear"))
  func linearMatchesPyTorch(golden: GoldenCase) throws {
    let features = try golden.integer("out_features")
    let hasBias = golden["bias"] != nil
    try golden.expectMatch { (graph, inputs) throws(SasukaError) in
      try graph.linear(inputs[0], name: "m", outputFeatures: features, bias: hasBias)
    }
  }

  /// What a builder is told, and a part of the message that it must answer with.
  static let refused: [(kernel: Extent, stride: Extent, groups: Int, channels: Int, message: String)] = [
    (Extent(0), Extent(1), 1, 4, "axis 2"), (Extent(-3), Extent(1), 1, 4, "-3"), (Extent(9), Extent(1), 1, 4, "9"),
    (Extent(3), Extent(0), 1, 4, "stride 0"), (Extent(3), Extent(1), 2, 4, "2 groups"),
    (Extent(3), Extent(1), 0, 4, "0 groups"), (Extent(3), Extent(1), 1, -1, "-1 output channels"),
    (Extent(.max), Extent(1), 1, 4, "elements"), (Extent(3), Extent(.max), 1, 4, "stride"),
  ]

  @Test(arguments: refused.indices)
  func refusesWhatMakesNoSense(index: Int) throws {
    let bad = ConvolutionTests.refused[index]
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 3, 8, 8]))
    do {
      _ = try graph.convolution(
        input, name: "conv1", outputChannels: bad.channels, kernel: bad.kernel, stride: bad.stride, groups: bad.groups)
      Issue.record("no error for \(bad)")
    } catch {
      #expect(error.code == .invalidArgument)
      #expect(error.message.contains("conv1") && error.message.contains(bad.message), "\(error.message)")
    }
  }
}

extension GoldenCase {
  func extent(_ attribute: String) throws -> Extent {
    let sizes = try integers(attribute)
    return Extent(height: sizes[0], width: sizes[1])
  }

  func paddingMode() throws -> PaddingMode {
    switch try string("padding_mode") {
    case "valid": return .valid
    case "same": return .same
    case "same_upper": return .sameUpper
    case "same_lower": return .sameLower
    default: return .explicit(try padding())
    }
  }

  func padding() throws -> Padding {
    let sides = try integers("padding")
    return Padding(top: sides[0], bottom: sides[1], left: sides[2], right: sides[3])
  }

  /// Runs the operator that `build` makes on every table of kernels and compares output and gradients with the case's.
  ///
  /// Parameters are named `m.weight` and so on. The references are rounded from float64, so what differs is this
  /// library's rounding: a sum of n products has an error of about √n · 2⁻²⁴ of the largest magnitude, at most n · 2⁻²⁴;
  /// the default allows sums of some hundred terms.
  ///
  /// - Parameters:
  ///   - gradientFloor: the magnitude whose rounding shows in gradients of inputs that are small differences.
  ///   - algorithms: what the plan may use.
  ///   - isBlocked: whether the operator gets inputs of rank 4 in the blocked layout, if it leaves the choice.
  func expectMatch(
    tolerance: Float = 1e-5, gradientFloor: Float = 0, isBlocked: Bool = false, algorithms: AlgorithmChoice = .fastest,
    _ build: @escaping (inout Graph, [Value]) throws(SasukaError) -> Value
  ) throws {
    var run = OperatorRun(inputs: inputs.map { HostTensor($0.shape, $0.floats) }) {
      (graph, values) throws(SasukaError) in
      var inputs = values
      if isBlocked { for place in values.indices { inputs[place] = try graph.blockedInput(values[place]) } }
      return try build(&graph, inputs)
    }
    run.algorithms = algorithms
    for name in ["weight", "bias"] { if let tensor = self[name] { run.parameters["m.\(name)"] = tensor.floats } }
    let upstream = try tensor("grad_output")
    run.upstream = HostTensor(upstream.shape, upstream.floats)
    for (kernels, result) in try run.everywhere() {
      expectClose(result.output, try host("output"), tolerance: tolerance, "\(name) output on \(kernels)")
      for (place, gradient) in result.inputGradients.enumerated() {
        let key = place == 0 ? "grad_input" : "grad_input\(place + 1)"
        expectClose(
          gradient, try host(key), tolerance: tolerance, floor: gradientFloor, "\(name) \(key) on \(kernels)")
      }
      for name in ["weight", "bias"] where self[name] != nil {
        expectClose(
          result.parameterGradients["m.\(name)"], try host("grad_\(name)"), tolerance: tolerance,
          "\(self.name) grad_\(name) on \(kernels)")
      }
    }
  }

  private func host(_ name: String) throws -> HostTensor {
    let tensor = try tensor(name)
    return HostTensor(tensor.shape, tensor.floats)
  }
}

extension Graph {
  /// A map that passes through an operator of the blocked layout unchanged, so that what follows gets it blocked.
  mutating func blockedInput(_ value: Value) throws(SasukaError) -> Value {
    guard shape(value).rank == 4 else { return value }
    return try maxPool(value, name: "blocked", kernel: Extent(1))
  }
}
