// Winograd's convolution of every table the machine has, against plain loops in float64.
import CSystem
import KernelsPortable16
import Sasuka
import Testing

@Suite struct WinogradKernelTests {
  static let shapes: [ConvolutionCase] = [
    ConvolutionCase(inputs: 1, outputs: 1, height: 3, width: 3, kernel: (3, 3)),
    ConvolutionCase(inputs: 3, outputs: 5, height: 7, width: 9, kernel: (3, 3), top: 1, left: 1, bottom: 1, right: 1),
    ConvolutionCase(inputs: 16, outputs: 16, height: 8, width: 8, kernel: (3, 3), top: 1, left: 1, bottom: 1, right: 1),
    ConvolutionCase(
      inputs: 17, outputs: 33, height: 6, width: 31, kernel: (3, 3), top: 2, left: 0, bottom: 0, right: 1),
    ConvolutionCase(inputs: 40, outputs: 50, height: 1, width: 1, kernel: (3, 3), top: 1, left: 1, bottom: 1, right: 1),
    ConvolutionCase(inputs: 9, outputs: 70, height: 13, width: 2, kernel: (3, 3), top: 3, left: 4, bottom: 2, right: 3),
    ConvolutionCase(
      inputs: 64, outputs: 48, height: 14, width: 14, kernel: (3, 3), top: 1, left: 1, bottom: 1, right: 1),
  ]

  static let shapesOf4: [ConvolutionCase] = [
    ConvolutionCase(inputs: 1, outputs: 1, height: 4, width: 4, kernel: (4, 4)),
    ConvolutionCase(inputs: 12, outputs: 64, height: 21, width: 66, kernel: (4, 4)),
    ConvolutionCase(
      inputs: 17, outputs: 33, height: 6, width: 31, kernel: (4, 4), top: 3, left: 0, bottom: 0, right: 2),
    ConvolutionCase(
      inputs: 64, outputs: 48, height: 13, width: 14, kernel: (4, 4), top: 1, left: 2, bottom: 2, right: 1),
    ConvolutionCase(inputs: 9, outputs: 8, height: 8, width: 9, kernel: (1, 4), top: 0, left: 1, bottom: 0, right: 1),
    ConvolutionCase(inputs: 9, outputs: 8, height: 8, width: 9, kernel: (4, 3), top: 1, left: 1, bottom: 1, right: 1),
  ]

  static let shapesOf5: [ConvolutionCase] = [
    ConvolutionCase(inputs: 1, outputs: 1, height: 5, width: 5, kernel: (5, 5)),
    ConvolutionCase(inputs: 3, outputs: 5, height: 7, width: 9, kernel: (5, 5), top: 2, left: 2, bottom: 2, right: 2),
    ConvolutionCase(
      inputs: 17, outputs: 33, height: 6, width: 31, kernel: (5, 5), top: 4, left: 0, bottom: 0, right: 3),
    ConvolutionCase(
      inputs: 64, outputs: 48, height: 13, width: 14, kernel: (5, 5), top: 2, left: 2, bottom: 2, right: 2),
  ]

  /// Kernels of one row or column, and of different sides.
  static let lines: [ConvolutionCase] = [
    ConvolutionCase(inputs: 1, outputs: 1, height: 1, width: 7, kernel: (1, 7)),
    ConvolutionCase(inputs: 5, outputs: 3, height: 9, width: 1, kernel: (7, 1)),
    ConvolutionCase(
      inputs: 24, outputs: 40, height: 17, width: 17, kernel: (1, 7), top: 0, left: 3, bottom: 0, right: 3),
    ConvolutionCase(
      inputs: 24, outputs: 40, height: 17, width: 17, kernel: (7, 1), top: 3, left: 0, bottom: 3, right: 0),
    ConvolutionCase(inputs: 3, outputs: 17, height: 4, width: 71, kernel: (1, 7), top: 1, left: 8, bottom: 2, right: 1),
    ConvolutionCase(inputs: 3, outputs: 17, height: 5, width: 70, kernel: (7, 1), top: 8, left: 1, bottom: 9, right: 2),
    ConvolutionCase(inputs: 9, outputs: 8, height: 8, width: 8, kernel: (1, 3), top: 0, left: 1, bottom: 0, right: 1),
    ConvolutionCase(inputs: 9, outputs: 8, height: 8, width: 8, kernel: (3, 1), top: 1, left: 0, bottom: 1, right: 0),
    ConvolutionCase(inputs: 9, outputs: 8, height: 9, width: 30, kernel: (3, 5), top: 1, left: 2, bottom: 1, right: 2),
  ]

  /// Of stride 2: channels are a multiple of every vector's; sides even and odd, borders of every parity, maps smaller than a
  /// tile and runs of tiles longer than the scratch.
  static let strided: [ConvolutionCase] = [
    ConvolutionCase(inputs: 16, outputs: 1, height: 3, width: 3, kernel: (3, 3), stride: (2, 2)),
    ConvolutionCase(inputs: 16, outputs: 5, height: 17, width: 17, kernel: (3, 3), stride: (2, 2)),
    ConvolutionCase(
      inputs: 32, outputs: 40, height: 28, width: 28, kernel: (3, 3), stride: (2, 2), top: 1, left: 1, bottom: 1,
      right: 1),
    ConvolutionCase(
      inputs: 48, outputs: 33, height: 9, width: 141, kernel: (3, 3), stride: (2, 2), top: 1, left: 0, bottom: 0,
      right: 1),
    ConvolutionCase(
      inputs: 16, outputs: 70, height: 1, width: 2, kernel: (3, 3), stride: (2, 2), top: 1, left: 1, bottom: 1, right: 1
    ),
    ConvolutionCase(
      inputs: 16, outputs: 17, height: 12, width: 6, kernel: (3, 3), stride: (2, 2), top: 5, left: 4, bottom: 2,
      right: 7
    ),
    ConvolutionCase(
      inputs: 64, outputs: 48, height: 35, width: 18, kernel: (3, 3), stride: (2, 2), top: 0, left: 2, bottom: 1,
      right: 0),
    ConvolutionCase(inputs: 16, outputs: 5, height: 4, width: 4, kernel: (4, 4), stride: (2, 2)),
    ConvolutionCase(
      inputs: 32, outputs: 40, height: 28, width: 31, kernel: (4, 4), stride: (2, 2), top: 1, left: 1, bottom: 1,
      right: 2),
    ConvolutionCase(
      inputs: 48, outputs: 33, height: 9, width: 141, kernel: (4, 3), stride: (2, 2), top: 3, left: 0, bottom: 0,
      right: 1),
    ConvolutionCase(
      inputs: 16, outputs: 70, height: 12, width: 7, kernel: (3, 4), stride: (2, 2), top: 1, left: 2, bottom: 0,
      right: 5),
  ]

  /// The same whose largest phase has 3 x 3 taps, and 4 x 4.
  static let stridedBy5: [ConvolutionCase] = [
    ConvolutionCase(inputs: 16, outputs: 1, height: 5, width: 5, kernel: (5, 5), stride: (2, 2)),
    ConvolutionCase(
      inputs: 32, outputs: 40, height: 28, width: 31, kernel: (5, 5), stride: (2, 2), top: 2, left: 2, bottom: 2,
      right: 2),
    ConvolutionCase(
      inputs: 16, outputs: 33, height: 9, width: 75, kernel: (6, 5), stride: (2, 2), top: 5, left: 0, bottom: 1,
      right: 3),
    ConvolutionCase(
      inputs: 48, outputs: 17, height: 2, width: 6, kernel: (6, 6), stride: (2, 2), top: 2, left: 1, bottom: 2,
      right: 1),
  ]
  static let stridedBy7: [ConvolutionCase] = [
    ConvolutionCase(inputs: 16, outputs: 1, height: 7, width: 7, kernel: (7, 7), stride: (2, 2)),
    ConvolutionCase(
      inputs: 32, outputs: 40, height: 28, width: 31, kernel: (7, 7), stride: (2, 2), top: 3, left: 3, bottom: 3,
      right: 3),
    ConvolutionCase(
      inputs: 16, outputs: 33, height: 9, width: 75, kernel: (8, 7), stride: (2, 2), top: 6, left: 0, bottom: 1,
      right: 3),
  ]

  /// Rows and columns of a tile.
  typealias Tile = (rows: Int, columns: Int)

  /// Every tile that each kernel has.
  static let tiles: [(shape: ConvolutionCase, tile: Tile)] =
    squares([2, 3, 4], of: strided) + squares([2, 4, 6, 7], of: stridedBy5) + squares([6], of: stridedBy7)
    + squares([2, 4, 6, 7], of: shapes) + stridedBy5.map { ($0, (7, 2)) }
    + shapes.flatMap { [($0, (4, 2)), ($0, (7, 4)), ($0, (7, 2))] }
    + squares([6], of: shapesOf4) + squares([5], of: shapesOf5)
    + squares([6], of: lines.filter { $0.longest == 7 }) + squares([4, 6, 7], of: lines.filter { $0.longest == 3 })
    + lines.filter { $0.longest == 5 }.map { ($0, (7, 5)) }

  private static func squares(_ sides: [Int], of shapes: [ConvolutionCase]) -> [(ConvolutionCase, Tile)] {
    sides.flatMap { side in shapes.map { ($0, (side, side)) } }
  }

  @Test(arguments: tiles)
  func agreesWithPlainLoops(_ shape: ConvolutionCase, tile: Tile) {
    let reference = ConvolutionReference(shape)
    let plain = 32 * Double(Float.ulpOfOne) * Double(shape.inputs * shape.taps + 2).squareRoot()
    let tolerance = plain * ToomCook.amplification(tile: tile, kernel: shape.kernel, stride: shape.stride.width)
    for kernels in TestedKernels.available {
      let table = withExtendedLifetime(kernels.table) { $0.slots.pointee }
      guard table.winograd_input != nil else { continue }
      let driver = WinogradDriver(table: table, shape: shape, tile: tile)
      for (first, epilogue) in [(5, 0), (1000, SASUKA_EPILOGUE_RELU)] {
        let (output, opposite) = driver.forward(reference, tilesAtOnce: first, epilogue: Int32(epilogue))
        let pixels = shape.outputHeight * shape.outputWidth
        for index in output.indices {
          let (sum, bias) = (reference.output[index], Double(reference.bias[index / pixels]))
          for (got, plain) in [(output[index], sum), (opposite[index], 2 * bias - sum)] {
            let expected = epilogue == 0 ? plain : max(plain, 0)
            guard !(abs(Double(got) - expected) <= tolerance) else { continue }
            Issue.record("\(kernels) \(tile), \(shape): at \(index) \(got), expected \(expected) within \(tolerance)")
            return
          }
        }
      }
    }
  }

  /// What DESIGN.md says of the points: those chosen amplify rounding less than 0, ±1, ±2.
  @Test func chosenPointsRoundLess() {
    let chosen = ToomCook(outputs: 4, taps: 3, points: ToomCook.chosen(6)).amplification
    let usual = ToomCook(outputs: 4, taps: 3, points: [0, 1, -1, 2, -2]).amplification
    #expect(
      chosen * chosen < 0.7 * usual * usual, "\(chosen * chosen) and \(usual * usual) times a plain sum's rounding")
  }

  /// An odd number of points, pairs of opposites without 0, rounds so little that tiles of 7 x 7 are worth it.
  @Test func ninePointsRoundLittleMoreThanEight() {
    let eight = ToomCook(outputs: 6, taps: 3, points: ToomCook.chosen(8)).amplification
    let nine = ToomCook(outputs: 7, taps: 3, points: ToomCook.chosen(9)).amplification
    let withZero = ToomCook(outputs: 7, taps: 3, points: [0, 1, -1, 0.5, -0.5, 2, -2, -4]).amplification
    #expect(nine * nine < 3 * eight * eight, "\(nine * nine) and \(eight * eight) times a plain sum's rounding")
    #expect(withZero * withZero > 8 * nine * nine, "\(withZero * withZero) times a plain sum's rounding")
  }
}

/// The matrices of the algorithm of Toom and Cook for y = Aᵀ((G g) ⊙ (Bᵀ d)), made from its points alone.
struct ToomCook {
  /// The finite ones of a line of so many points.
  static func chosen(_ points: Int) -> [Double] {
    switch points {
    case 3: [0.75, -0.75]
    case 5: [0.5, -0.5, 1.25, -1.25]
    case 8: [0, 1, -1, 0.5, -0.5, 2, -2]
    case 9: [0.25, -0.25, 0.6875, -0.6875, 1.125, -1.125, 2.125, -2.125]
    case 12: [0, 0.375, -0.375, 0.6875, -0.6875, 1, -1, 1.4375, -1.4375, 2.75, -2.75]
    default: [0, 1, -1, 0.5, -2]
    }
  }

  /// Of tiles of so many rows and columns where the kernel has more than one tap.
  static func amplification(
    tile: (rows: Int, columns: Int), kernel: (height: Int, width: Int), stride: Int = 1
  ) -> Double {
    [(tile.rows, kernel.height), (tile.columns, kernel.width)].filter { $0.1 != 1 }.reduce(1) { product, side in
      let evenTaps = (side.1 + stride - 1) / stride
      let evenPhase = ToomCook(outputs: side.0, taps: evenTaps, points: chosen(side.0 + evenTaps - 1))
      // All phases of an even number of taps have as many, as if there were more channels.
      let isEven = stride == 1 || side.1 % 2 == 0
      return product * (isEven ? evenPhase.amplification : evenPhase.amplificationOfBothPhases)
    }
  }

  private let a, b, g: [[Double]]
  private let taps: Int

  init(outputs: Int, taps: Int, points all: [Double]) {
    let points = Array(all.prefix(outputs + taps - 2))
    self.taps = taps
    func product(without skipped: Int?) -> [Double] {
      var polynomial = [1.0] + [Double](repeating: 0, count: points.count)
      for (place, point) in points.enumerated() where place != skipped {
        for power in stride(from: points.count, through: 0, by: -1) {
          polynomial[power] = (power > 0 ? polynomial[power - 1] : 0) - point * polynomial[power]
        }
      }
      return polynomial
    }
    func powers(_ point: Double, _ count: Int) -> [Double] {
      (0..<count).reduce(into: [Double]()) { list, _ in list.append((list.last ?? 1) * (list.isEmpty ? 1 : point)) }
    }
    func last(_ count: Int) -> [Double] { [Double](repeating: 0, count: count - 1) + [1] }
    b = points.indices.map { product(without: $0) } + [product(without: nil)]
    a = points.map { powers($0, outputs) } + [last(outputs)]
    g =
      points.enumerated().map { place, point in
        let distance = points.enumerated().reduce(1.0) { $1.offset == place ? $0 : $0 * (point - $1.element) }
        return powers(point, taps).map { $0 / distance }
      } + [last(taps)]
  }

  /// The rounding of random operands in one dimension beside that of a plain sum: each product is as large as its two
  /// lines of the matrices are long.
  var amplification: Double {
    let worst = a[0].indices.map { output in
      length(a.indices.map { a[$0][output] * length(b[$0]) * length(g[$0]) })
    }.max()!
    return worst / Double(taps).squareRoot()
  }

  /// The same where an odd phase of one tap fewer is added at the finite points, whose rows of the matrices serve it too but
  /// for their last element.
  var amplificationOfBothPhases: Double {
    let worst = a[0].indices.map { output in
      length(
        a.indices.flatMap { point in
          let odd = point == a.count - 1 ? 0 : length(b[point].dropLast()) * length(g[point].dropLast())
          return [a[point][output] * length(b[point]) * length(g[point]), a[point][output] * odd]
        })
    }.max()!
    return worst / Double(2 * taps - 1).squareRoot()
  }

  private func length(_ line: some Sequence<Double>) -> Double { line.reduce(0) { $0 + $1 * $1 }.squareRoot() }
}

/// The Winograd kernels of one table, driven over two images, the second the negative of the first.
private struct WinogradDriver {
  let table: sasuka_kernel_table
  let shape: ConvolutionCase
  let tile: WinogradKernelTests.Tile

  func forward(
    _ reference: ConvolutionReference, tilesAtOnce: Int, epilogue: Int32
  ) -> (output: [Float], opposite: [Float]) {
    let plain = ConvolutionDriver(table: table)
    let v = plain.v
    let (inputBlocks, outputBlocks) = ((shape.inputs + v - 1) / v, (shape.outputs + v - 1) / v)
    let units = (outputBlocks + 1) / 2
    let image = plain.blocked(reference.input, channels: shape.inputs)
    let input = image + image.map { -$0 }
    let step = shape.stride.width
    let (kernelHeight, kernelWidth) = (Int64(shape.kernel.height), Int64(shape.kernel.width))
    let (tileHeight, tileWidth) = (kernelHeight == 1 ? 1 : tile.rows, kernelWidth == 1 ? 1 : tile.columns)
    let down = (shape.outputHeight + tileHeight - 1) / tileHeight
    let across = (shape.outputWidth + tileWidth - 1) / tileWidth
    let tiles = 2 * down * across
    let block = min(tilesAtOnce, tiles)
    let pixels = shape.outputHeight * shape.outputWidth
    var sizes = sasuka_winograd(
      input_channels: Int64(shape.inputs), output_channels: Int64(shape.outputs), kernel_height: kernelHeight,
      kernel_width: kernelWidth, stride: Int64(step),
      point_rows: Int64(tileHeight) + (kernelHeight + Int64(step) - 1) / Int64(step) - 1,
      point_columns: Int64(tileWidth) + (kernelWidth + Int64(step) - 1) / Int64(step) - 1,
      input_height: Int64(shape.height),
      input_width: Int64(shape.width), top: Int64(shape.top), left: Int64(shape.left),
      output_height: Int64(shape.outputHeight), output_width: Int64(shape.outputWidth), tiles_down: Int64(down),
      tiles_across: Int64(across), input_image_stride: Int64(image.count),
      output_image_stride: Int64(outputBlocks * pixels * v), input_block_stride: Int64(shape.height * shape.width * v),
      input_row_stride: Int64(shape.width * v), input_pixel_stride: Int64(v), output_block_stride: Int64(pixels * v),
      output_row_stride: Int64(shape.outputWidth * v), output_pixel_stride: Int64(v), tile_stride: Int64(block),
      input_point_stride: Int64((step * step * inputBlocks * block + 1) * v),
      output_point_stride: Int64((2 * block + 1) * v))
    var strides = plain.strides(shape)
    let points = sizes.point_rows * sizes.point_columns
    let floats =
      Int(sasuka_winograd_weights(&sizes))
      * Int(sasuka_matrix_packed_floats(Int64(shape.outputs), Int64(shape.inputs), Int64(v), 2))
    let packed = UnsafeMutablePointer<Float>(
      OpaquePointer(UnsafeMutableRawPointer.allocate(byteCount: 4 * floats, alignment: 64)))
    defer { packed.deallocate() }
    packed.update(repeating: .nan, count: floats)
    var scratch = [Float](repeating: .nan, count: Int(16 * (sizes.kernel_height + 1) * sizes.kernel_width) * 2 * v)
    // Half of each weight, twice: what a folded normalisation does.
    let scales = [Float](repeating: 2, count: 2 * units * v)
    let halves = reference.weights.map { $0 / 2 }
    for unit in 0..<Int64(units) {
      table.narrow.winograd_pack(&sizes, &strides, halves, scales, packed, &scratch, unit, unit + 1, Int64(v))
    }
    var lines = [Float](repeating: .nan, count: Int(sasuka_winograd_scratch_floats(Int64(v))))
    var transformed = [Float](repeating: .nan, count: Int(points * sizes.input_point_stride))
    var products = [Float](repeating: .nan, count: Int(points * sizes.output_point_stride))
    var output = [Float](repeating: .nan, count: 2 * outputBlocks * pixels * v)
    for first in stride(from: 0, to: tiles, by: block) {
      let (first, end) = (Int64(first), Int64(min(first + block, tiles)))
      for block in 0..<Int64(inputBlocks) {
        table.winograd_input(&sizes, input, &transformed, &lines, first, end, block, block + 1)
      }
      for unit in 0..<Int64(units) {
        table.winograd_product(&sizes, transformed, packed, &products, end - first, unit, unit + 1)
        table.winograd_output(
          &sizes, products, reference.bias, &output, &lines, first, end, 2 * unit,
          min(2 * unit + 2, Int64(outputBlocks)),
          epilogue)
      }
    }
    let half = output.count / 2
    return (
      plain.plain(Array(output[..<half]), channels: shape.outputs, pixels: pixels),
      plain.plain(Array(output[half...]), channels: shape.outputs, pixels: pixels)
    )
  }
}
