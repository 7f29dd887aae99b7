import CSystem

/// Planes taken apart for the pieces of a convolution's kernel ("space to depth"): of each plane, the pixels that a piece meets
/// become a channel, so that the convolution is one of stride 1 with fewer taps and more channels. Of 7 x 7 over 3 channels, it is
/// one of 4 x 4 over 12: with a stride of 2 in its phases, with none in quarters of the kernel.
struct PlanePieces {
  /// Channels of all planes together: all pieces of a plane, row by row, then those of the next one.
  let channels: Int
  /// Extent of a channel.
  let height, width: Int
  private let pieces: KernelPieces
  private let plane: Extent
  /// Zeros before the planes.
  private let top, left: Int
  /// Channels in a block, [blocks][height][width][lanes].
  private let lanes: Int

  /// The images that a pass reads.
  init(_ pieces: KernelPieces, of pass: ConvolutionPass, lanes: Int) {
    (self.pieces, self.lanes) = (pieces, lanes)
    channels = pieces.count * Int(pass.shape.input_channels)
    height = Int(pieces.rows.taps &+ pass.shape.output_height) &- 1
    width = Int(pieces.columns.taps &+ pass.shape.output_width) &- 1
    plane = Extent(
      height: Int(pass.padding?.height ?? pass.shape.input_height),
      width: Int(pass.padding?.width ?? pass.shape.input_width))
    (top, left) = (Int(pass.padding?.top ?? 0), Int(pass.padding?.left ?? 0))
  }

  /// Floats of an image's pieces.
  var floats: Int { Layout.blocks(of: channels, lanes: lanes) * height * width * lanes }

  /// Writes one row of all channels of one of several images, each in its place: `number` counts all their rows.
  func copyRow(_ number: Int, from all: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
    // What is stored might be this struct, as far as the compiler knows.
    let (step, count, lanes, width) = (Int(pieces.columns.stride), pieces.count, lanes, width)
    let (item, row) = (number / height, number % height)
    // Four pieces whose pixels lie side by side are four lanes side by side.
    let haveFours = pieces.columns.phases % 4 == 0
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
        if haveFours, channel & 3 == 0, first == 0, column &+ (width &- 1) &* step &+ 3 < plane.width {
          for _ in 0..<width {
            let four = UnsafeRawPointer(from).loadUnaligned(as: SIMD4<Float>.self)
            UnsafeMutableRawPointer(place).storeBytes(of: four, as: SIMD4<Float>.self)
            place += lanes
            from += step
          }
          channel &+= 4
          continue
        }
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
    return PlanePieces(pieces, of: self, lanes: lanes)
  }

  /// The same convolution over planes that are taken apart; over blocks itself.
  var overBlocks: ConvolutionPass {
    guard readsPlanes, let pieces else { return self }
    var pass = self
    pass.readsPlanes = false
    pass.padding = nil
    let (rows, columns) = (pieces.rows.taps, pieces.columns.taps)
    pass.shape.input_channels = shape.input_channels &* Int64(pieces.count)
    (pass.shape.kernel_height, pass.shape.kernel_width) = (rows, columns)
    (pass.shape.stride_height, pass.shape.stride_width) = (1, 1)
    pass.shape.input_height = shape.output_height &+ rows &- 1
    pass.shape.input_width = shape.output_width &+ columns &- 1
    pass.weightStrides = pieces.weightStrides(of: self)
    return pass
  }
}

/// Kernels that meet each pixel at most once, as those do that cut an image into patches: over planes that are taken apart the
/// convolution has one tap, and its weights lie as they are.
extension ConvolutionPass {
  /// Weights of such a kernel from which on the copy takes less time than tiles of pixels that lie far apart (AVX2: a picture to 384
  /// channels by 16 x 16 taps 0.70 of the time, to 512 by 7 x 7 0.95, to 192 by 8 x 8 as long).
  private static let fewestOfPatches = 1 << 16

  /// Whether the kernel is such a one, and large.
  var readsPatches: Bool {
    guard readsPlanes, let pieces, pieces.rows.taps * pieces.columns.taps == 1, !maps.areDilated else { return false }
    let area = shape.kernel_height * shape.kernel_width
    let depth = area * shape.input_channels
    return depth * shape.output_channels >= ConvolutionPass.fewestOfPatches
      && shape.output_height * shape.output_width > 1 && weightStrides.output == depth && weightStrides.input == area
      && weightStrides.row == shape.kernel_width && weightStrides.column == 1
  }
}

extension Lowering {
  /// Takes the images of a batch apart in the scratch, where they are read from then on.
  mutating func takeApart(_ apart: PlanePieces, _ operands: inout ConvolutionOperands, images: Int) {
    takeApart(apart, operands, first: 0, images: images)
    operands.readScratch(imageFloats: apart.floats)
  }

  /// The same of some of its images.
  mutating func takeApart(_ apart: PlanePieces, _ operands: ConvolutionOperands, first: Int, images: Int) {
    algorithm = "space to depth"
    needScratch(bytes: images * apart.floats * MemoryLayout<Float>.stride)
    step(units: images * apart.height) { [own = operands.own, first = first * operands.inputImage] row, context in
      apart.copyRow(
        row, from: (own ?? context.input) + first, to: context.scratch.assumingMemoryBound(to: Float.self))
    }
  }
}
