import CSystem

/// How a kernel is cut for Winograd's filtering where its transforms do not take it whole: along each side into the phases of the
/// stride, and each of those into pieces of at most five taps. The convolution is then one of stride 1 with a piece's taps and as
/// many times the input channels as there are pieces, each of which reads the input from a place of its own on: of 9 x 9 taps, one
/// of 5 x 5 over four times the channels.
struct KernelPieces {
  /// One side.
  struct Axis {
    /// Of the larger kernels that have transforms, those of five taps have the fewest products for each.
    private static let mostTaps: Int64 = 5

    let kernel, stride: Int64
    /// Taps of a piece; the last of a phase may have fewer.
    let taps: Int64
    let phases: Int64
    /// Pieces of a phase.
    let cuts: Int64

    init(_ kernel: Int64, stride: Int64) {
      (self.kernel, self.stride) = (kernel, stride)
      phases = min(stride, kernel)
      let longest = kernel.dividedUp(by: max(stride, 1))
      cuts = longest.dividedUp(by: Axis.mostTaps)
      taps = longest.dividedUp(by: max(cuts, 1))
    }

    var count: Int64 { phases * cuts }

    /// The first tap of a piece in the kernel, whose others follow it a stride apart.
    func start(_ piece: Int64) -> Int64 { piece % phases + piece / phases * taps * stride }
  }

  /// Transformed weights of all pieces, at most: up to seven times those of the kernel, whose memory is the host's (256 MB).
  static let mostWeights = 1 << 26

  let rows, columns: Axis

  var count: Int { Int(rows.count * columns.count) }

  /// Row and column of the first tap of a piece.
  func start(_ piece: Int) -> (row: Int64, column: Int64) {
    let (row, column) = Int64(piece).quotientAndRemainder(dividingBy: columns.count)
    return (rows.start(row), columns.start(column))
  }

  /// Copies the weights of some output channels of a pass, [output][channel][row][column] with zeros for the taps that a piece lacks;
  /// its channels come in the order of those that it reads: of planes, all pieces of each, of blocks, all inputs of each piece.
  ///
  /// - Returns: where those of the first channel of all would begin.
  func copy(
    _ outputs: Range<Int>, of pass: ConvolutionPass, _ weights: UnsafePointer<Float>,
    to copy: UnsafeMutablePointer<Float>, _ strides: inout sasuka_weight_strides
  ) -> UnsafePointer<Float> {
    let inputs = Int(pass.shape.input_channels)
    let channels = count * inputs
    var place = copy
    for number in (outputs.lowerBound * channels)..<(outputs.upperBound * channels) {
      let (output, channel) = number.quotientAndRemainder(dividingBy: channels)
      let (piece, input) =
        pass.readsPlanes ? (channel % count, channel / count) : (channel / inputs, channel % inputs)
      let start = start(piece)
      let from = weights + (output * Int(strides.output) + input * Int(strides.input))
      for row in stride(from: start.row, to: start.row + rows.taps * rows.stride, by: Int(rows.stride)) {
        for column in stride(
          from: start.column, to: start.column + columns.taps * columns.stride, by: Int(columns.stride))
        {
          let isThere = row < rows.kernel && column < columns.kernel
          place.pointee = isThere ? from[Int(row * strides.row + column * strides.column)] : 0
          place += 1
        }
      }
    }
    strides = weightStrides(of: pass)
    return UnsafePointer(copy) - outputs.lowerBound * outputFloats(of: pass)
  }

  /// Those of such a copy.
  func weightStrides(of pass: ConvolutionPass) -> sasuka_weight_strides {
    sasuka_weight_strides(
      group: 0, output: Int64(outputFloats(of: pass)), input: rows.taps * columns.taps, row: columns.taps, column: 1)
  }

  /// Floats of an output channel in such a copy.
  func outputFloats(of pass: ConvolutionPass) -> Int {
    count * Int(pass.shape.input_channels * rows.taps * columns.taps)
  }
}

extension ConvolutionPass {
  /// Those that planes are taken apart for. Of blocks, nil where Winograd's transforms take the kernel whole, or in the four phases of
  /// a stride of 2, or it is not cut: between the pieces' channels is no place for those that fill up a block.
  var pieces: KernelPieces? {
    guard shape.groups == 1, shape.kernel_height * shape.kernel_width > 0 else { return nil }
    // One pixel of output has no stride.
    let down = shape.output_height == 1 ? 1 : shape.stride_height
    let across = shape.output_width == 1 ? 1 : shape.stride_width
    let rows = KernelPieces.Axis(shape.kernel_height, stride: down)
    let columns = KernelPieces.Axis(shape.kernel_width, stride: across)
    if readsPlanes { return KernelPieces(rows: rows, columns: columns) }
    if shape.input_channels % shape.block_lanes != 0 { return nil }
    let isWhole =
      switch (down, across) {
      case (1, 1): rows.cuts * columns.cuts == 1 || shape.kernel_height * shape.kernel_width == 7
      case (2, 2): rows.cuts * columns.cuts == 1 && min(shape.kernel_height, shape.kernel_width) > 2
      // Pixels that lie a dilation apart are no maps of their own then.
      default: shape.dilation_height > 1 || shape.dilation_width > 1
      }
    return isWhole ? nil : KernelPieces(rows: rows, columns: columns)
  }
}
