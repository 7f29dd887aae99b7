import CSystem

/// Planes taken apart for the pieces of a convolution's kernel ("space to depth"): of each plane, the pixels that a piece meets
/// become a channel, so that the convolution is one of stride 1 with fewer taps and more channels. Of 7 x 7 over 3 channels, it is
/// one of 4 x 4 over 12: with a stride of 2 in its phases, with none in quarters of the kernel.
struct PlanePieces {
  /// Channels of all planes together: all pieces of a plane, row by row, then those of the next one.
  let channels: Int
  /// Extent of a channel.
  private(set) var height, width: Int
  private let pieces: KernelPieces
  private var plane: Extent
  /// Zeros before the planes.
  private var (top, left) = (0, 0)
  /// Channels in a block, [blocks][height][width][lanes].
  private var lanes: Int

  /// The pieces of the kernels of a pass: all channels are one block.
  init(_ pieces: KernelPieces, ofKernels pass: ConvolutionPass) {
    self.pieces = pieces
    channels = pieces.count * Int(pass.shape.input_channels)
    (height, width) = (Int(pieces.rows.taps), Int(pieces.columns.taps))
    plane = Extent(height: Int(pass.shape.kernel_height), width: Int(pass.shape.kernel_width))
    lanes = channels
  }

  /// The images that a pass reads.
  init(_ pieces: KernelPieces, ofImages pass: ConvolutionPass, lanes: Int) {
    self.init(pieces, ofKernels: pass)
    self.lanes = lanes
    (height, width) = (height &+ Int(pass.shape.output_height) &- 1, width &+ Int(pass.shape.output_width) &- 1)
    plane.height = Int(pass.padding?.height ?? pass.shape.input_height)
    plane.width = Int(pass.padding?.width ?? pass.shape.input_width)
    (top, left) = (Int(pass.padding?.top ?? 0), Int(pass.padding?.left ?? 0))
  }

  /// Floats of an image's or a kernel's pieces.
  var floats: Int { Layout.blocks(of: channels, lanes: lanes) * height * width * lanes }

  /// Writes one row of all channels of one of several images or kernels, each in its place: `number` counts all their rows.
  func copyRow(_ number: Int, from all: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
    // What is stored might be this struct, as far as the compiler knows.
    let (step, count, lanes, width) = (Int(pieces.columns.stride), pieces.count, lanes, width)
    let (item, row) = (number / height, number % height)
    var channel = 0
    while channel < channels {
      let (start, lane) = (pieces.start(channel % count), channel % lanes)
      let to = target + item &* floats + (channel / lanes &* height &+ row) &* width &* lanes
      if lane == 0 { to.clear(count: width &* lanes) }
      let planeRow = row &* Int(pieces.rows.stride) &+ Int(start.row) &- top
      if planeRow >= 0, planeRow < plane.height {
        let planeNumber = (item &* channels &+ channel) / count
        // Columns outside the plane stay zeros.
        var (first, column) = (0, Int(start.column) &- left)
        while column < 0 { (first, column) = (first &+ 1, column &+ step) }
        var from = all + (planeNumber &* plane.height &+ planeRow) &* plane.width + column
        var place = to + first &* lanes + lane
        var count = min(width &- first, (plane.width &- column &+ step &- 1) / step)
        // Two at a time: the loop itself takes as long as what it does.
        while count > 1 {
          let second = from[step]
          place.pointee = from.pointee
          place[lanes] = second
          place += 2 &* lanes
          from += 2 &* step
          count &-= 2
        }
        if count == 1 { place.pointee = from.pointee }
      }
      channel &+= 1
    }
  }
}

extension ConvolutionPass {
  /// How images are taken apart that lie in planes; nil where they do not.
  func planes(lanes: Int) -> PlanePieces? {
    guard readsPlanes, let pieces else { return nil }
    return PlanePieces(pieces, ofImages: self, lanes: lanes)
  }

  /// The same convolution over planes that are taken apart, as `PlanePieces` lays out images and kernels; over blocks itself.
  var overBlocks: ConvolutionPass {
    guard readsPlanes, let pieces else { return self }
    var pass = self
    pass.readsPlanes = false
    pass.padding = nil
    let (rows, columns) = (pieces.rows.taps, pieces.columns.taps)
    let channels = shape.input_channels &* Int64(pieces.count)
    pass.shape.input_channels = channels
    (pass.shape.kernel_height, pass.shape.kernel_width) = (rows, columns)
    (pass.shape.stride_height, pass.shape.stride_width) = (1, 1)
    pass.shape.input_height = shape.output_height &+ rows &- 1
    pass.shape.input_width = shape.output_width &+ columns &- 1
    pass.weightStrides = sasuka_weight_strides(
      group: 0, output: channels &* rows &* columns, input: 1, row: channels &* columns, column: channels)
    return pass
  }
}
