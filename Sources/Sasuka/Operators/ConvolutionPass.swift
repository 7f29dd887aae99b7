import CSystem

/// The sizes of a two-dimensional convolution, as the forward pass sees them.
package struct ConvolutionGeometry: Equatable, Sendable {
  package var groups: Int
  /// Channels of all groups.
  package var inputChannels, outputChannels: Int
  package var kernel: Extent
  package var stride: Extent
  package var dilation: Extent
  package var padding: Padding
  package var input: Extent
  package var output: Extent

  var window: Window { Window(kernel: kernel, stride: stride, dilation: dilation, padding: padding) }
  var isDepthwise: Bool { groups > 1 && groups == inputChannels && groups == outputChannels }
  var multiplyAddsPerImage: Int {
    saturatingProduct(
      outputChannels, inputChannels / groups, kernel.height, kernel.width, output.height, output.width)
  }
}

/// One run of the convolution kernel over an image: a whole forward convolution, or one phase of the gradient of a
/// strided one.
struct ConvolutionPass {
  var shape = sasuka_convolution()
  /// How the source image is copied before; nil where it serves as it lies.
  var padding: sasuka_padding?
  var weightStrides = sasuka_weight_strides()
  /// First weight that the packing reads, in floats.
  var weightOffset = 0
  /// First output element of the pass, in floats from the image's start.
  var outputOffset = 0
  /// Whether the image lies in planes, as the host laid it out, not in blocks.
  var readsPlanes = false
  /// Whether each output pixel is made of one pixel of either of two images, whose channels come by turns.
  private(set) var takesTurns = false
  /// Whether the direct product is that of lanes that are input channels, for there are few output channels.
  private(set) var sumsAcrossLanes = false
  /// What each pixel makes, where that is more than one of the output.
  private(set) var patch: OutputPatch?
  /// Groups of which each is a convolution of its own, whose shape this is; 1 where vectors may have channels of several.
  private(set) var ownGroups = 1
  let isDepthwise: Bool
  /// Whether the groups have a kernel of their own: of 4 or 8 channels, several to a vector.
  let isGrouped: Bool

  /// Whether each output pixel is made of one pixel of all channels, in blocks that are read as they lie.
  var isOneByOne: Bool {
    !readsPlanes && shape.groups == 1 && shape.kernel_height == 1 && shape.kernel_width == 1 && padding == nil
  }

  /// Whether all pixels are, without strides.
  var isPointwise: Bool { isOneByOne && shape.stride_height == 1 && shape.stride_width == 1 }

  /// Whether its output's rows, and their pixels, follow one another.
  func fillsRows(lanes: Int) -> Bool {
    shape.output_pixel_stride == lanes && shape.output_row_stride == shape.output_width * Int64(lanes)
  }

  /// How many groups Winograd's products take for one: as many as have whole units of output channels; but one alone where it has
  /// blocks of its own, several of them.
  func groupsAtOnce(lanes: Int) -> Int {
    // The widest unit has two blocks.
    let (width, outputs) = (2 * lanes, Int(shape.output_channels))
    if shape.groups == 1 || outputs > lanes && outputs % lanes == 0 { return 1 }
    return width / greatestCommonDivisor(outputs, width)
  }

  /// How many groups a unit of the direct product has on average, each of whose input channels all its vectors meet.
  func groupsOfUnit(lanes: Int) -> Double {
    let (groups, units) = (Int(shape.groups), Int(shape.groups * shape.output_channels).dividedUp(by: 2 * lanes))
    // Another one wherever a group ends within a unit.
    return isGrouped ? 1 : 1 + Double(groups - groups / groupsAtOnce(lanes: lanes)) / Double(units)
  }

  /// Makes groups of several whole blocks convolutions of their own: each may then have a last unit of one block, and tiles of
  /// three (AVX2: 24 channels, 3 x 3 0.78 of the time of single blocks, 1 x 1 0.6).
  mutating func takeGroupsApart(lanes: Int) {
    let (inputs, outputs) = (Int(shape.input_channels), Int(shape.output_channels))
    guard shape.groups > 1, directKernel == .general, inputs % lanes == 0, outputs > lanes, outputs % lanes == 0 else {
      return
    }
    (ownGroups, shape.groups) = (Int(shape.groups), 1)
  }

  /// What tells its packed weights from those of other passes over the same weights.
  func packing(for algorithm: ConvolutionAlgorithm) -> [Int] {
    // The same kernel has other pieces where one pixel of output leaves it without a stride, and another order in planes.
    let pieces = algorithm == .direct ? nil : pieces
    return [
      algorithm.rawValue, weightOffset, Int(shape.kernel_height), Int(shape.kernel_width), Int(shape.stride_width),
      Int(weightStrides.output), Int(weightStrides.input), Int(weightStrides.row), Int(weightStrides.column),
      Int(shape.first_channel), sumsAcrossLanes ? 1 : 0,
      Int(pieces?.rows.stride ?? 0), Int(pieces?.columns.stride ?? 0), pieces != nil && readsPlanes ? 1 : 0,
      patch?.parts ?? 0,
    ]
  }

  /// The forward convolution.
  static func forward(_ geometry: ConvolutionGeometry, lanes: Int) -> ConvolutionPass {
    var pass = ConvolutionPass(geometry, lanes: lanes)
    let (inputs, outputs) = (geometry.inputChannels / geometry.groups, geometry.outputChannels / geometry.groups)
    let area = geometry.kernel.height * geometry.kernel.width
    pass.shape.input_channels = Int64(inputs)
    pass.shape.output_channels = Int64(outputs)
    pass.weightStrides = sasuka_weight_strides(
      group: Int64(outputs * inputs * area), output: Int64(inputs * area), input: Int64(area),
      row: Int64(geometry.kernel.width), column: 1)
    let padding = geometry.padding
    pass.shape.input_height = Int64(geometry.input.height + padding.top + padding.bottom)
    pass.shape.input_width = Int64(geometry.input.width + padding.left + padding.right)
    if padding != Padding() {
      pass.padding = sasuka_padding(
        height: Int64(geometry.input.height), width: Int64(geometry.input.width),
        padded_height: pass.shape.input_height, padded_width: pass.shape.input_width,
        top: Int64(padding.top), left: Int64(padding.left), step_height: 1, step_width: 1)
    }
    return pass
  }

  /// Makes a 1 x 1 convolution read its channels from two images by turns, from channel `first` of either on.
  ///
  /// - Parameter distance: pixels from one image to the other.
  mutating func takeTurns(from first: Int, distance: Int) {
    takesTurns = true
    shape.input_channels /= 2
    shape.first_channel = Int64(first)
    shape.kernel_width = 2
    shape.dilation_width = Int64(distance)
    (weightStrides.input, weightStrides.column) = (2, 1)
  }

  /// Sums across lanes where there is a kernel that does, the input's channels fill vectors, and it gains by it.
  mutating func sumAcrossLanes(_ kernels: UnsafeMutablePointer<sasuka_kernel_table>) {
    sumsAcrossLanes =
      kernels.pointee.narrow.convolution_few_forward != nil && !readsPlanes && !takesTurns
      && shape.first_channel % Int64(kernels.pointee.vector_width) == 0 && canSumAcrossLanes
  }

  /// Whether its channels are such that it may be one of these.
  var canSumAcrossLanes: Bool {
    shape.groups == 1 && shape.output_channels <= Int64(SASUKA_FEW_OUTPUTS) && shape.input_channels % 8 == 0
      && gainsAcrossLanes
  }

  /// Takes a kernel as wide as its map, which makes one column of pixels, for one of a single row over a map of a single row: where
  /// rows are computed one by one, pixels beside each other fill tiles.
  mutating func turnColumn() {
    let (height, width) = (shape.kernel_height, shape.kernel_width)
    guard readsPlanes || isDepthwise, height > 0, shape.output_width == 1, shape.input_width == width,
      (padding?.left ?? 0) == 0, (padding?.width ?? width) == width, (padding?.step_height ?? 1) == 1,
      width == 1 || shape.dilation_height == 1 && shape.dilation_width == 1 && weightStrides.row == width
    else { return }
    (shape.kernel_height, shape.kernel_width) = (1, height * width)
    if width == 1 { (shape.dilation_width, weightStrides.column) = (shape.dilation_height, weightStrides.row) }
    (shape.stride_height, shape.stride_width) = (1, shape.stride_height * width)
    (shape.output_height, shape.output_width) = (1, shape.output_height)
    shape.output_pixel_stride = shape.output_row_stride
    (shape.input_height, shape.input_width) = (1, shape.input_height * width)
    if let old = padding {
      padding = sasuka_padding(
        height: 1, width: old.height * width, padded_height: 1, padded_width: shape.input_width, top: 0,
        left: old.top * width, step_height: 1, step_width: 1)
    }
  }

  /// Whether a copy with the border takes less time than to find it: a depthwise kernel of a width that has no runs asks of each
  /// product at a border whether it is there (AVX2: 9x9 over 16 x 16 pixels 0.75 of the time, 7x7 over 28 x 28 0.87).
  var hasCostlyBorder: Bool {
    guard isDepthwise, let padding, shape.output_height > 1, shape.kernel_width > 1 else { return false }
    var shape = shape
    if sasuka_has_depthwise_runs(&shape) { return false }
    let isDilated = shape.dilation_width > 1 || shape.dilation_height > 1
    // A dilated one of 3 x 3 has few products; and the copy is to be no larger than a few times the map.
    let isSmall = isDilated && shape.kernel_height * shape.kernel_width <= 9
    return !isSmall && shape.input_height * shape.input_width <= 4 * padding.height * padding.width
  }

  /// The same for kernels that take the image without its border.
  var withoutBorder: ConvolutionPass {
    guard let padding else { return self }
    var pass = self
    pass.padding = nil
    (pass.shape.input_height, pass.shape.input_width) = (padding.height, padding.width)
    (pass.shape.top, pass.shape.left) = (padding.top, padding.left)
    return pass
  }

  /// The convolutions over the output's gradient that give the input's gradient: one for each phase of the stride, so
  /// that no inserted zero is multiplied; but one alone where each pixel makes a patch.
  static func inputGradient(_ geometry: ConvolutionGeometry, lanes: Int) -> [ConvolutionPass] {
    var passes: [ConvolutionPass] = []
    for row in 0..<min(geometry.stride.height, geometry.input.height) {
      let rows = Phase(
        row, stride: geometry.stride.height, dilation: geometry.dilation.height, kernel: geometry.kernel.height,
        before: geometry.padding.top, size: geometry.input.height)
      for column in 0..<min(geometry.stride.width, geometry.input.width) {
        let columns = Phase(
          column, stride: geometry.stride.width, dilation: geometry.dilation.width, kernel: geometry.kernel.width,
          before: geometry.padding.left, size: geometry.input.width)
        passes.append(inputGradient(geometry, rows: rows, columns: columns, lanes: lanes))
      }
    }
    guard var pass = passes.first, let patch = OutputPatch(geometry, pass, lanes: lanes) else { return passes }
    pass.patch = patch
    if patch.pixels > 1 {
      // These are blocks of channels to the kernels.
      pass.shape.output_channels = Int64(patch.pixels * lanes)
      pass.shape.output_block_stride = Int64(lanes)
    }
    return [pass]
  }

  private static func inputGradient(
    _ geometry: ConvolutionGeometry, rows: Phase, columns: Phase, lanes: Int
  ) -> ConvolutionPass {
    var pass = ConvolutionPass(geometry, lanes: lanes)
    let (inputs, outputs) = (geometry.inputChannels / geometry.groups, geometry.outputChannels / geometry.groups)
    let (height, width) = (geometry.kernel.height, geometry.kernel.width)
    pass.shape.input_channels = Int64(outputs)
    pass.shape.output_channels = Int64(inputs)
    pass.shape.kernel_height = Int64(columns.taps == 0 ? 0 : rows.taps)
    pass.shape.kernel_width = Int64(rows.taps == 0 ? 0 : columns.taps)
    pass.shape.stride_height = 1
    pass.shape.stride_width = 1
    pass.shape.dilation_height = Int64(rows.dilation)
    pass.shape.dilation_width = Int64(columns.dilation)
    pass.weightStrides = sasuka_weight_strides(
      group: Int64(outputs * inputs * height * width), output: Int64(height * width),
      input: Int64(inputs * height * width), row: Int64(-rows.tapStep * width), column: Int64(-columns.tapStep))
    pass.weightOffset = rows.firstTap * width + columns.firstTap
    pass.shape.output_height = Int64(rows.count)
    pass.shape.output_width = Int64(columns.count)
    pass.shape.output_block_stride = Int64(geometry.input.height * geometry.input.width * lanes)
    pass.shape.output_row_stride = Int64(geometry.stride.height * geometry.input.width * lanes)
    pass.shape.output_pixel_stride = Int64(geometry.stride.width * lanes)
    pass.outputOffset = (rows.phase * geometry.input.width + columns.phase) * lanes
    pass.shape.input_height = Int64(rows.sourceSize)
    pass.shape.input_width = Int64(columns.sourceSize)
    let fits = rows.top == 0 && columns.top == 0 && rows.sourceSize == geometry.output.height
    if !(fits && columns.sourceSize == geometry.output.width) {
      pass.padding = sasuka_padding(
        height: Int64(geometry.output.height), width: Int64(geometry.output.width),
        padded_height: pass.shape.input_height, padded_width: pass.shape.input_width,
        top: Int64(rows.top), left: Int64(columns.top), step_height: 1, step_width: 1)
    }
    return pass
  }

  private init(_ geometry: ConvolutionGeometry, lanes: Int) {
    isDepthwise = geometry.isDepthwise
    let (inputs, outputs) = (geometry.inputChannels / geometry.groups, geometry.outputChannels / geometry.groups)
    isGrouped = geometry.groups > 1 && inputs == outputs && (inputs == 4 || inputs == 8) && inputs < lanes
    shape.groups = Int64(geometry.groups)
    shape.kernel_height = Int64(geometry.kernel.height)
    shape.kernel_width = Int64(geometry.kernel.width)
    shape.stride_height = Int64(geometry.stride.height)
    shape.stride_width = Int64(geometry.stride.width)
    shape.dilation_height = Int64(geometry.dilation.height)
    shape.dilation_width = Int64(geometry.dilation.width)
    shape.output_height = Int64(geometry.output.height)
    shape.output_width = Int64(geometry.output.width)
    shape.output_block_stride = Int64(geometry.output.height * geometry.output.width * lanes)
    shape.output_row_stride = Int64(geometry.output.width * lanes)
    shape.output_pixel_stride = Int64(lanes)
    shape.block_lanes = Int64(lanes)
  }
}

/// Along one axis, the elements phase, phase + stride, … of the gradient of a strided convolution's input.
private struct Phase {
  let phase: Int
  /// Number of such elements.
  let count: Int
  /// Number of the kernel's taps that reach them.
  let taps: Int
  /// The greatest such tap; the others follow downwards, `tapStep` apart.
  let firstTap: Int
  let tapStep: Int
  /// Distance between the gradients that neighbouring taps read.
  let dilation: Int
  /// Zeros before the output's gradient; negative where its beginning is cropped.
  let top: Int
  /// Size of the output's gradient with its zeros.
  let sourceSize: Int

  init(_ phase: Int, stride: Int, dilation: Int, kernel: Int, before: Int, size: Int) {
    self.phase = phase
    count = (size - phase + stride - 1) / stride
    let step = stride / greatestCommonDivisor(stride, dilation)
    tapStep = step
    self.dilation = dilation * step / stride
    let fitting = (0..<kernel).last { (phase + before - $0 * dilation) % stride == 0 }
    firstTap = fitting ?? 0
    taps = fitting.map { $0 / step + 1 } ?? 0
    top = fitting == nil ? 0 : -((phase + before - firstTap * dilation) / stride)
    sourceSize = count + self.dilation * max(taps - 1, 0)
  }
}

private func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
  var (a, b) = (a, b)
  while b != 0 { (a, b) = (b, a % b) }
  return a
}
