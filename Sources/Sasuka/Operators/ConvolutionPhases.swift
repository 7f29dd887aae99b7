import CSystem

/// Planes taken apart by the phases of a convolution's stride ("space to depth"): of each plane, the pixels that lie a stride
/// apart become a channel, so that the convolution is one of stride 1 with fewer taps and more channels. Of 7 x 7 and stride
/// 2 over 3 channels, it is one of 4 x 4 over 12.
struct StridePhases {
  /// Channels of all planes together: all phases of a plane, row by row, then those of the next one.
  let channels: Int
  /// Extent of a channel.
  private(set) var height, width: Int
  private let stride: Extent
  private var plane: Extent
  /// Zeros before the planes.
  private var (top, left) = (0, 0)
  /// Channels in a block, [blocks][height][width][lanes].
  private var lanes: Int

  /// The phases of the kernels of a pass: all channels are one block.
  init(ofKernels pass: ConvolutionPass) {
    let phases = pass.overPhases.shape
    channels = Int(phases.input_channels)
    (height, width) = (Int(phases.kernel_height), Int(phases.kernel_width))
    stride = Extent(height: Int(pass.shape.stride_height), width: Int(pass.shape.stride_width))
    plane = Extent(height: Int(pass.shape.kernel_height), width: Int(pass.shape.kernel_width))
    lanes = channels
  }

  /// The phases of the images that a pass reads.
  init(ofImages pass: ConvolutionPass, lanes: Int) {
    self.init(ofKernels: pass)
    self.lanes = lanes
    (height, width) = (height &+ Int(pass.shape.output_height) &- 1, width &+ Int(pass.shape.output_width) &- 1)
    plane.height = Int(pass.padding?.height ?? pass.shape.input_height)
    plane.width = Int(pass.padding?.width ?? pass.shape.input_width)
    (top, left) = (Int(pass.padding?.top ?? 0), Int(pass.padding?.left ?? 0))
  }

  /// Floats of an image's or a kernel's phases.
  var floats: Int { Layout.blocks(of: channels, lanes: lanes) * height * width * lanes }

  /// Writes one row of all channels of one of several images or kernels, each in its place: `number` counts all their rows.
  func copyRow(_ number: Int, from all: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
    // What is stored might be this struct, as far as the compiler knows.
    let (step, phases, lanes, width) = (stride.width, stride.height &* stride.width, lanes, width)
    let (item, row) = (number / height, number % height)
    var channel = 0
    while channel < channels {
      let (phase, lane) = (channel % phases, channel % lanes)
      let to = target + item &* floats + (channel / lanes &* height &+ row) &* width &* lanes
      if lane == 0 { to.clear(count: width &* lanes) }
      let planeRow = row &* stride.height &+ phase / step &- top
      if planeRow >= 0, planeRow < plane.height {
        let planeNumber = (item &* channels &+ channel) / phases
        // Columns outside the plane stay zeros.
        var (first, column) = (0, phase % step &- left)
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
  /// The same convolution over the phases of its stride, as `StridePhases` lays out images and kernels.
  var overPhases: ConvolutionPass {
    var pass = self
    pass.readsPlanes = false
    pass.padding = nil
    let rows = shape.kernel_height.dividedUp(by: shape.stride_height)
    let columns = shape.kernel_width.dividedUp(by: shape.stride_width)
    let channels = shape.input_channels &* shape.stride_height &* shape.stride_width
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
