// Shapes of convolutions, and convolution in plain loops of float64: what the kernels are compared with.
import CSystem
import Sasuka

/// One convolution as PyTorch's Conv2d describes it, with padding per side.
struct ConvolutionCase: CustomStringConvertible {
  var groups = 1
  /// Channels per group.
  var inputs: Int
  var outputs: Int
  var height: Int
  var width: Int
  var kernel: (height: Int, width: Int)
  var stride: (height: Int, width: Int) = (1, 1)
  var dilation: (height: Int, width: Int) = (1, 1)
  var top = 0
  var left = 0
  var bottom = 0
  var right = 0

  var outputHeight: Int { (height + top + bottom - dilation.height * (kernel.height - 1) - 1) / stride.height + 1 }
  var outputWidth: Int { (width + left + right - dilation.width * (kernel.width - 1) - 1) / stride.width + 1 }
  var taps: Int { kernel.height * kernel.width }
  var longest: Int { max(kernel.height, kernel.width) }
  var inputChannels: Int { groups * inputs }
  var outputChannels: Int { groups * outputs }

  var description: String {
    "\(groups) x (\(inputs) -> \(outputs)) \(height)x\(width), kernel \(kernel), stride \(stride), dilation \(dilation), "
      + "padding \(top) \(left) \(bottom) \(right)"
  }

  static let all: [ConvolutionCase] = [
    ConvolutionCase(inputs: 1, outputs: 1, height: 1, width: 1, kernel: (1, 1)),
    ConvolutionCase(inputs: 3, outputs: 5, height: 7, width: 9, kernel: (3, 3), top: 1, left: 1, bottom: 1, right: 1),
    ConvolutionCase(
      inputs: 17, outputs: 33, height: 6, width: 31, kernel: (3, 2), top: 1, left: 0, bottom: 2, right: 1),
    ConvolutionCase(inputs: 16, outputs: 64, height: 5, width: 14, kernel: (1, 1)),
    ConvolutionCase(inputs: 40, outputs: 24, height: 9, width: 8, kernel: (3, 3), stride: (2, 2), top: 1, left: 1),
    ConvolutionCase(inputs: 5, outputs: 20, height: 11, width: 13, kernel: (2, 1), stride: (3, 2), bottom: 1),
    ConvolutionCase(
      inputs: 4, outputs: 6, height: 12, width: 10, kernel: (3, 3), dilation: (2, 3), top: 2, left: 3, right: 3),
    ConvolutionCase(
      inputs: 4, outputs: 18, height: 13, width: 15, kernel: (3, 2), stride: (2, 4), dilation: (3, 2), top: 3, left: 1),
    ConvolutionCase(inputs: 2, outputs: 3, height: 3, width: 2, kernel: (5, 5), top: 2, left: 2, bottom: 2, right: 2),
    ConvolutionCase(groups: 2, inputs: 32, outputs: 32, height: 5, width: 6, kernel: (3, 3), top: 1, left: 1),
    ConvolutionCase(groups: 2, inputs: 16, outputs: 16, height: 5, width: 6, kernel: (3, 3), top: 1, left: 1),
    ConvolutionCase(
      groups: 8, inputs: 4, outputs: 4, height: 6, width: 7, kernel: (3, 3), stride: (2, 2), top: 1, left: 1),
    ConvolutionCase(
      groups: 10, inputs: 4, outputs: 4, height: 5, width: 33, kernel: (3, 3), top: 1, left: 1, bottom: 1, right: 1),
    ConvolutionCase(
      groups: 5, inputs: 8, outputs: 8, height: 7, width: 24, kernel: (3, 2), stride: (1, 2), dilation: (2, 1), top: 2),
    ConvolutionCase(
      inputs: 3, outputs: 40, height: 9, width: 41, kernel: (3, 3), stride: (2, 2), top: 1, left: 1, bottom: 1, right: 1
    ),
    ConvolutionCase(inputs: 4, outputs: 33, height: 6, width: 17, kernel: (5, 2), top: 2, left: 1),
    ConvolutionCase(inputs: 1, outputs: 9, height: 8, width: 30, kernel: (2, 3), stride: (3, 3), left: 2, right: 1),
    ConvolutionCase(
      groups: 3, inputs: 24, outputs: 24, height: 7, width: 6, kernel: (3, 3), stride: (2, 2), top: 1, left: 1,
      bottom: 1,
      right: 1),
    ConvolutionCase(groups: 2, inputs: 20, outputs: 40, height: 4, width: 5, kernel: (1, 1)),
    ConvolutionCase(groups: 3, inputs: 5, outputs: 7, height: 6, width: 5, kernel: (2, 3), left: 1, right: 1),
    ConvolutionCase(groups: 7, inputs: 3, outputs: 1, height: 4, width: 5, kernel: (1, 3)),
    ConvolutionCase(groups: 19, inputs: 1, outputs: 2, height: 4, width: 5, kernel: (3, 3), bottom: 1),
    ConvolutionCase(groups: 37, inputs: 1, outputs: 1, height: 9, width: 17, kernel: (3, 3), top: 1, left: 1, right: 1),
    ConvolutionCase(
      groups: 16, inputs: 1, outputs: 1, height: 10, width: 11, kernel: (5, 3), stride: (2, 3), dilation: (1, 2), top: 2
    ),
    ConvolutionCase(
      groups: 18, inputs: 1, outputs: 1, height: 9, width: 39, kernel: (3, 3), stride: (2, 2), top: 1, left: 1,
      bottom: 1,
      right: 1),
    ConvolutionCase(
      groups: 20, inputs: 1, outputs: 1, height: 3, width: 33, kernel: (5, 5), top: 2, left: 2, bottom: 2, right: 2),
    ConvolutionCase(
      groups: 7, inputs: 1, outputs: 1, height: 8, width: 36, kernel: (5, 5), stride: (2, 2), top: 2, left: 2,
      bottom: 2,
      right: 2),
    ConvolutionCase(
      groups: 5, inputs: 1, outputs: 1, height: 2, width: 3, kernel: (5, 7), top: 4, left: 6, bottom: 3, right: 9),
    ConvolutionCase(
      groups: 17, inputs: 1, outputs: 1, height: 7, width: 7, kernel: (3, 3), top: 1, left: 1, bottom: 1, right: 1),
    ConvolutionCase(
      groups: 4, inputs: 1, outputs: 1, height: 4, width: 15, kernel: (5, 5), top: 2, left: 2, bottom: 2, right: 2),
    ConvolutionCase(
      groups: 3, inputs: 1, outputs: 1, height: 6, width: 14, kernel: (5, 5), stride: (2, 2), top: 2, left: 2,
      bottom: 2, right: 2),
    ConvolutionCase(
      groups: 4, inputs: 1, outputs: 1, height: 4, width: 19, kernel: (3, 3), top: 1, left: 2, bottom: 1, right: 2),
    ConvolutionCase(
      groups: 9, inputs: 1, outputs: 1, height: 8, width: 23, kernel: (7, 7), top: 3, left: 3, bottom: 3, right: 3),
    ConvolutionCase(
      groups: 3, inputs: 1, outputs: 1, height: 7, width: 7, kernel: (7, 7), top: 3, left: 3, bottom: 3, right: 3),
    ConvolutionCase(
      groups: 6, inputs: 1, outputs: 1, height: 9, width: 31, kernel: (7, 9), stride: (2, 2), top: 3, left: 0,
      bottom: 3,
      right: 6),
    ConvolutionCase(
      groups: 5, inputs: 1, outputs: 1, height: 9, width: 29, kernel: (3, 3), dilation: (2, 3), top: 2, left: 3,
      bottom: 2,
      right: 3),
    ConvolutionCase(
      groups: 11, inputs: 1, outputs: 1, height: 8, width: 33, kernel: (3, 3), dilation: (2, 2), top: 2, left: 2,
      bottom: 2, right: 2),
    ConvolutionCase(
      groups: 18, inputs: 1, outputs: 1, height: 7, width: 16, kernel: (5, 5), dilation: (1, 2), top: 2, left: 4,
      bottom: 2, right: 3),
    ConvolutionCase(groups: 9, inputs: 1, outputs: 1, height: 5, width: 12, kernel: (2, 5), dilation: (3, 2), left: 5),
    ConvolutionCase(
      groups: 3, inputs: 1, outputs: 1, height: 11, width: 20, kernel: (5, 3), stride: (2, 1), dilation: (4, 2), top: 7,
      right: 4),
    ConvolutionCase(
      groups: 4, inputs: 1, outputs: 1, height: 9, width: 15, kernel: (3, 3), stride: (1, 2), dilation: (3, 1), top: 3,
      left: 1, bottom: 3, right: 1),
    ConvolutionCase(
      groups: 5, inputs: 1, outputs: 1, height: 9, width: 1, kernel: (5, 3), dilation: (2, 12), top: 4, left: 12,
      bottom: 4,
      right: 12),
  ]

  /// Output rows of 1 to 8 pixels, by a stride or not, and dilated: tiles that go on from row to row meet every end of one.
  static let narrow: [ConvolutionCase] = (1...8).flatMap { width in
    [
      ConvolutionCase(
        inputs: 10, outputs: 24, height: 7, width: width, kernel: (3, 3), top: 1, left: 1, bottom: 1, right: 1),
      ConvolutionCase(
        inputs: 17, outputs: 33, height: 9, width: 2 * width, kernel: (3, 3), stride: (2, 2), top: 1, left: 1,
        bottom: 1, right: 1),
      ConvolutionCase(
        inputs: 3, outputs: 16, height: 6, width: 3 * width, kernel: (2, 2), stride: (1, 3), dilation: (2, 1), right: 1),
    ]
  }

  /// 1 x 1, of all numbers of pixels that are cut differently.
  static let pointwise: [ConvolutionCase] = (1...26).map { pixels in
    ConvolutionCase(inputs: 12 + pixels % 3, outputs: 32, height: 1, width: pixels, kernel: (1, 1))
  }

  /// 1 x 1, of an odd number of blocks with vectors of 8, the last of which is full or not.
  static let oddBlocks: [ConvolutionCase] = (1...17).map { width in
    ConvolutionCase(
      inputs: 9 + width % 9, outputs: [24, 20, 33][width % 3], height: 1 + width % 5, width: width, kernel: (1, 1))
  }

  /// To one, two or three channels, with pixels whose taps are inside in part or not at all, and rows of all numbers of pixels that
  /// are cut differently.
  static let few: [ConvolutionCase] = (1...19).flatMap { width in
    let (inputs, outputs) = (8 + width % 5 * 8, 1 + width % 3)
    return [
      ConvolutionCase(
        inputs: inputs, outputs: outputs, height: 5, width: width, kernel: (3, 3), top: 1, left: 1,
        bottom: 1, right: 1),
      ConvolutionCase(
        inputs: 24, outputs: outputs, height: 7, width: 2 * width, kernel: (2, 3), stride: (1, 2),
        dilation: (2, 1), top: 3, left: 5, bottom: 1, right: 4),
      ConvolutionCase(inputs: 32, outputs: outputs, height: 2, width: width, kernel: (1, 1)),
    ]
  }
}

/// Plain data and plain loops. Maps are [channels][height][width], weights [output channels][inputs][rows][columns].
struct ConvolutionReference {
  let shape: ConvolutionCase
  let input: [Float]
  let weights: [Float]
  let bias: [Float]
  let outputGradient: [Float]
  private(set) var output: [Double]
  private(set) var inputGradient: [Double]
  private(set) var weightGradient: [Double]

  init(_ shape: ConvolutionCase) {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    func random(_ count: Int) -> [Float] {
      (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(1 << 31)
      }
    }
    self.shape = shape
    input = random(shape.inputChannels * shape.height * shape.width)
    weights = random(shape.outputChannels * shape.inputs * shape.taps)
    bias = random(shape.outputChannels)
    outputGradient = random(shape.outputChannels * shape.outputHeight * shape.outputWidth)
    let pixels = shape.outputHeight * shape.outputWidth
    output = (0..<shape.outputChannels * pixels).map { [bias] in Double(bias[$0 / pixels]) }
    inputGradient = [Double](repeating: 0, count: input.count)
    weightGradient = [Double](repeating: 0, count: weights.count)
    for channel in 0..<shape.outputChannels {
      for row in 0..<shape.outputHeight {
        for column in 0..<shape.outputWidth { visit(channel, row, column) }
      }
    }
  }

  /// All products that one output pixel takes part in.
  private mutating func visit(_ outputChannel: Int, _ row: Int, _ column: Int) {
    let group = outputChannel / shape.outputs
    let place = (outputChannel * shape.outputHeight + row) * shape.outputWidth + column
    for input in 0..<shape.inputs {
      for tap in 0..<shape.taps {
        let y = row * shape.stride.height + tap / shape.kernel.width * shape.dilation.height - shape.top
        let x = column * shape.stride.width + tap % shape.kernel.width * shape.dilation.width - shape.left
        guard (0..<shape.height).contains(y), (0..<shape.width).contains(x) else { continue }
        let from = ((group * shape.inputs + input) * shape.height + y) * shape.width + x
        let weight = (outputChannel * shape.inputs + input) * shape.taps + tap
        output[place] += Double(self.input[from]) * Double(weights[weight])
        inputGradient[from] += Double(outputGradient[place]) * Double(weights[weight])
        weightGradient[weight] += Double(outputGradient[place]) * Double(self.input[from])
      }
    }
  }
}

/// The convolution kernels of one table, driven over one image as the engine drives them.
struct ConvolutionDriver {
  let table: sasuka_kernel_table
  var v: Int { Int(table.vector_width) }
  private var columns: Int64 { Int64(table.convolution_columns) }

  /// A plain map in blocks; padding lanes hold a value that must not be used.
  func blocked(_ plain: [Float], channels: Int) -> [Float] {
    let pixels = plain.count / channels
    let blocks = (channels + v - 1) / v
    return (0..<blocks * pixels * v).map { index in
      let channel = index / (pixels * v) * v + index % v
      return channel < channels ? plain[channel * pixels + index / v % pixels] : 1e6
    }
  }

  func plain(_ blocked: [Float], channels: Int, pixels: Int) -> [Float] {
    (0..<channels * pixels).map { blocked[($0 / pixels / v * pixels + $0 % pixels) * v + $0 / pixels % v] }
  }

  /// The input with its border.
  func padded(_ map: [Float], channels: Int, _ padding: sasuka_padding) -> [Float] {
    let blocks = (channels + v - 1) / v
    var padding = padding
    var result = [Float](repeating: .nan, count: blocks * Int(padding.padded_height * padding.padded_width) * v)
    for block in 0..<Int64(blocks) { table.pad(&padding, map, &result, block, block + 1) }
    return result
  }

  func shape(_ c: ConvolutionCase) -> sasuka_convolution {
    sasuka_convolution(
      groups: Int64(c.groups), input_channels: Int64(c.inputs), output_channels: Int64(c.outputs),
      kernel_height: Int64(c.kernel.height), kernel_width: Int64(c.kernel.width),
      stride_height: Int64(c.stride.height), stride_width: Int64(c.stride.width),
      dilation_height: Int64(c.dilation.height), dilation_width: Int64(c.dilation.width),
      input_height: Int64(c.height + c.top + c.bottom), input_width: Int64(c.width + c.left + c.right),
      output_height: Int64(c.outputHeight), output_width: Int64(c.outputWidth),
      output_block_stride: Int64(c.outputHeight * c.outputWidth * v), output_row_stride: Int64(c.outputWidth * v),
      output_pixel_stride: Int64(v), top: 0, left: 0, first_channel: 0, skipped_top: 0, skipped_bottom: 0,
      skipped_left: 0, skipped_right: 0, block_lanes: Int64(v))
  }

  func border(_ c: ConvolutionCase) -> sasuka_padding {
    sasuka_padding(
      height: Int64(c.height), width: Int64(c.width), padded_height: Int64(c.height + c.top + c.bottom),
      padded_width: Int64(c.width + c.left + c.right), top: Int64(c.top), left: Int64(c.left), step_height: 1,
      step_width: 1)
  }

  func strides(_ c: ConvolutionCase) -> sasuka_weight_strides {
    sasuka_weight_strides(
      group: Int64(c.outputs * c.inputs * c.taps), output: Int64(c.inputs * c.taps), input: Int64(c.taps),
      row: Int64(c.kernel.width), column: 1)
  }

  /// Runs all units of a convolution of `input`, three rows at a time, into `output`; the last two together where they are joined.
  func run(
    _ shape: sasuka_convolution, _ strides: sasuka_weight_strides, weights: UnsafePointer<Float>, bias: [Float]?,
    input: [Float], output: UnsafeMutablePointer<Float>, epilogue: Int = 0, joinsLast: Bool = false
  ) {
    var shape = shape
    var strides = strides
    let units = sasuka_convolution_units(&shape, Int64(v), columns)
    var packed = [Float](
      repeating: .nan, count: Int(sasuka_convolution_packed_floats(&shape, Int64(v), columns)))
    for unit in 0..<units {
      table.packing.convolution_pack(&shape, &strides, weights, nil, &packed, unit, unit + 1, Int64(v))
    }
    let last = joinsLast ? units - 2 : units - 1
    for unit in 0...last {
      let forward = joinsLast && unit == last ? table.convolution_joined_forward! : table.convolution_forward!
      for row in stride(from: 0, to: shape.output_height, by: 3) {
        forward(&shape, input, packed, bias, output, unit, row, min(row + 3, shape.output_height), Int32(epilogue))
      }
    }
  }

  /// The kernel takes the image as it is and finds the border itself.
  func runDepthwise(_ reference: ConvolutionReference, held: Float? = nil) -> [Float] {
    let c = reference.shape
    var shape = shape(c)
    (shape.input_height, shape.input_width) = (Int64(c.height), Int64(c.width))
    (shape.top, shape.left) = (Int64(c.top), Int64(c.left))
    return runBlocks(
      reference, shape, input: blocked(reference.input, channels: c.groups), held: held,
      forward: table.convolution_depthwise_forward)
  }

  /// Groups of 4 or 8 channels, fewer than a vector has.
  func runGrouped(_ reference: ConvolutionReference) -> [Float] {
    let c = reference.shape
    return runBlocks(
      reference, shape(c),
      input: padded(blocked(reference.input, channels: c.inputChannels), channels: c.inputChannels, border(c)),
      forward: table.convolution_grouped_forward)
  }

  /// A kernel whose unit is one channel block, three rows at a time.
  private func runBlocks(
    _ reference: ConvolutionReference, _ shape: sasuka_convolution, input: [Float], held: Float? = nil,
    forward:
      @convention(c) (
        UnsafePointer<sasuka_convolution>?, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?,
        UnsafeMutablePointer<Float>?, Int64, Int64, Int64, Int32
      ) -> Void
  ) -> [Float] {
    let c = reference.shape
    var shape = shape
    var strides = strides(c)
    let blocks = Int64((c.outputChannels + v - 1) / v)
    var packed = [Float](repeating: .nan, count: Int(blocks) * c.inputs * c.taps * v)
    var output = [Float](repeating: held ?? .nan, count: Int(blocks * shape.output_block_stride))
    let epilogue = held == nil ? 0 : Int32(SASUKA_EPILOGUE_ADD)
    for block in 0..<blocks {
      table.packing.convolution_grouped_pack(
        &shape, &strides, reference.weights, &packed, block, block + 1, Int64(v))
      for row in stride(from: 0, to: shape.output_height, by: 3) {
        forward(&shape, input, packed, reference.bias, &output, block, row, min(row + 3, shape.output_height), epilogue)
      }
    }
    return plain(output, channels: c.outputChannels, pixels: c.outputHeight * c.outputWidth)
  }

  /// Few output channels, three rows at a time; the kernel takes the image as it is and finds the border itself.
  func runFew(_ reference: ConvolutionReference, held: Float? = nil) -> [Float] {
    let c = reference.shape
    var (shape, strides) = (shape(c), strides(c))
    (shape.input_height, shape.input_width) = (Int64(c.height), Int64(c.width))
    (shape.top, shape.left) = (Int64(c.top), Int64(c.left))
    var packed = [Float](repeating: .nan, count: Int(sasuka_few_packed_floats(&shape)))
    table.packing.convolution_few_pack(&shape, &strides, reference.weights, nil, &packed)
    let input = blocked(reference.input, channels: c.inputChannels)
    var output = [Float](repeating: held ?? .nan, count: Int(shape.output_block_stride))
    for row in stride(from: 0, to: shape.output_height, by: 3) {
      table.narrow.convolution_few_forward(
        &shape, input, packed, reference.bias, &output, 0, row, min(row + 3, shape.output_height),
        held == nil ? 0 : Int32(SASUKA_EPILOGUE_ADD))
    }
    return plain(output, channels: c.outputChannels, pixels: c.outputHeight * c.outputWidth)
  }

  /// An image of a few channels that lies in planes.
  func runPlanar(_ reference: ConvolutionReference) -> [Float] {
    let c = reference.shape
    var (shape, strides) = (shape(c), strides(c))
    let (height, width) = (Int(shape.input_height), Int(shape.input_width))
    var image = [Float](repeating: 0, count: c.inputs * height * width)
    for row in 0..<(c.inputs * c.height) {
      let paddedRow = row / c.height * height + row % c.height + c.top
      for column in 0..<c.width {
        image[paddedRow * width + c.left + column] = reference.input[row * c.width + column]
      }
    }
    let units = sasuka_convolution_units(&shape, Int64(v), columns)
    var packed = [Float](
      repeating: .nan, count: Int(sasuka_convolution_packed_floats(&shape, Int64(v), columns)))
    var output = [Float](repeating: .nan, count: (c.outputs + v - 1) / v * Int(shape.output_block_stride))
    for unit in 0..<units {
      table.packing.convolution_pack(&shape, &strides, reference.weights, nil, &packed, unit, unit + 1, Int64(v))
      table.convolution_planar_forward(
        &shape, image, packed, reference.bias, &output, unit, 0, shape.output_height, 0)
    }
    return plain(output, channels: c.outputs, pixels: c.outputHeight * c.outputWidth)
  }

  func depthwiseWeightGradient(_ reference: ConvolutionReference) -> [Float] {
    let c = reference.shape
    var shape = shape(c)
    var strides = strides(c)
    let blocks = Int64((c.groups + v - 1) / v)
    let input = padded(blocked(reference.input, channels: c.groups), channels: c.groups, border(c))
    let gradient = blocked(reference.outputGradient, channels: c.groups)
    var sums = [Float](repeating: 0, count: Int(blocks) * c.taps * v)
    var result = [Float](repeating: .nan, count: reference.weights.count)
    for block in 0..<blocks {
      table.convolution_depthwise_weight_gradient(&shape, input, gradient, &sums, block, 0, shape.output_height)
      table.packing.convolution_depthwise_gradient_unpack(
        &shape, &strides, sums, 0, 1, &result, block, block + 1, 0, Int64(v))
    }
    return result
  }

  /// - Parameters:
  ///   - joinsLast: whether the last two units are computed together.
  ///   - gap: pixels of the output's memory between two rows.
  ///   - held: what the output's memory holds before.
  func forward(
    _ reference: ConvolutionReference, epilogue: Int = 0, joinsLast: Bool = false, gap: Int = 0, held: Float = .nan
  ) -> [Float] {
    let c = reference.shape
    var shape = shape(c)
    shape.output_row_stride += Int64(gap * v)
    shape.output_block_stride = Int64(c.outputHeight) * shape.output_row_stride
    let input = padded(blocked(reference.input, channels: c.inputChannels), channels: c.inputChannels, border(c))
    let blocks = (c.outputChannels + v - 1) / v
    var output = [Float](repeating: held, count: blocks * Int(shape.output_block_stride))
    run(
      shape, strides(c), weights: reference.weights, bias: reference.bias, input: input, output: &output,
      epilogue: epilogue, joinsLast: joinsLast)
    return plain(output, channels: c.outputChannels, pixels: c.outputHeight * (c.outputWidth + gap))
  }

  /// Some columns of the output without some of the kernel's taps, whose weights are not numbers; and with all of them, where
  /// those weights are zeros.
  func leavingOut(
    top: Int = 0, bottom: Int = 0, left: Int = 0, right: Int = 0, columns: Range<Int>, _ reference: ConvolutionReference
  ) -> (withoutTaps: [Float], withZeros: [Float]) {
    let c = reference.shape
    var shape = shape(c)
    shape.output_width = Int64(columns.count)
    let input = padded(blocked(reference.input, channels: c.inputChannels), channels: c.inputChannels, border(c))
    let first = Array(input[(columns.lowerBound * c.stride.width * v)...])
    func output(without value: Float) -> [Float] {
      let weights = reference.weights.indices.map { index in
        let (row, column) = (index % c.taps / c.kernel.width, index % c.kernel.width)
        let isLeft = (top..<c.kernel.height - bottom).contains(row) && (left..<c.kernel.width - right).contains(column)
        return isLeft ? reference.weights[index] : value
      }
      let blocks = (c.outputChannels + v - 1) / v
      var output = [Float](repeating: 0.5, count: blocks * c.outputHeight * c.outputWidth * v)
      run(shape, strides(c), weights: weights, bias: reference.bias, input: first, output: &output)
      return output
    }
    let withZeros = output(without: 0)
    (shape.skipped_top, shape.skipped_bottom) = (Int64(top), Int64(bottom))
    (shape.skipped_left, shape.skipped_right) = (Int64(left), Int64(right))
    return (output(without: .nan), withZeros)
  }

  func weightGradient(_ reference: ConvolutionReference) -> [Float] {
    let c = reference.shape
    var shape = shape(c)
    var strides = strides(c)
    let input = padded(blocked(reference.input, channels: c.inputChannels), channels: c.inputChannels, border(c))
    let gradient = blocked(reference.outputGradient, channels: c.outputChannels)
    let floats = Int(sasuka_convolution_gradient_floats(&shape, Int64(v), columns))
    let units = sasuka_convolution_units(&shape, Int64(v), columns)
    // Even rows into one buffer, odd rows into another.
    var sums = [Float](repeating: 0, count: 2 * floats)
    var result = [Float](repeating: .nan, count: reference.weights.count)
    sums.withUnsafeMutableBufferPointer { sums in
      for unit in 0..<units {
        for block in 0..<sasuka_convolution_gradient_blocks(&shape, Int64(v), columns) {
          for row in 0..<shape.output_height {
            table.convolution_weight_gradient(
              &shape, input, gradient, sums.baseAddress! + Int(row % 2) * floats, unit, block, row, row + 1)
          }
        }
        table.packing.convolution_gradient_unpack(
          &shape, &strides, sums.baseAddress!, Int64(floats), 2, &result, unit, unit + 1, 0, Int64(v))
      }
    }
    return result
  }

  /// The gradient of the input as one convolution over the output's gradient with zeros between its pixels.
  func inputGradient(_ reference: ConvolutionReference) -> [Float] {
    let c = reference.shape
    let reach = (c.dilation.height * (c.kernel.height - 1), c.dilation.width * (c.kernel.width - 1))
    let padding = sasuka_padding(
      height: Int64(c.outputHeight), width: Int64(c.outputWidth), padded_height: Int64(c.height + reach.0),
      padded_width: Int64(c.width + reach.1), top: Int64(reach.0 - c.top), left: Int64(reach.1 - c.left),
      step_height: Int64(c.stride.height), step_width: Int64(c.stride.width))
    let input = padded(
      blocked(reference.outputGradient, channels: c.outputChannels), channels: c.outputChannels, padding)
    var shape = transposed(c, padding)
    (shape.kernel_height, shape.kernel_width) = (Int64(c.kernel.height), Int64(c.kernel.width))
    (shape.dilation_height, shape.dilation_width) = (Int64(c.dilation.height), Int64(c.dilation.width))
    (shape.output_height, shape.output_width) = (Int64(c.height), Int64(c.width))
    var strides = strides(c)
    (strides.output, strides.input) = (strides.input, strides.output)
    (strides.row, strides.column) = (-strides.row, -1)
    var output = [Float](repeating: .nan, count: (c.inputChannels + v - 1) / v * c.height * c.width * v)
    reference.weights.withUnsafeBufferPointer {
      run(shape, strides, weights: $0.baseAddress! + c.taps - 1, bias: nil, input: input, output: &output)
    }
    return plain(output, channels: c.inputChannels, pixels: c.height * c.width)
  }

  /// A stride-1 convolution from the output's channels to the input's, with the input's memory as its result.
  private func transposed(_ c: ConvolutionCase, _ padding: sasuka_padding) -> sasuka_convolution {
    var shape = shape(c)
    (shape.input_channels, shape.output_channels) = (Int64(c.outputs), Int64(c.inputs))
    (shape.stride_height, shape.stride_width) = (1, 1)
    (shape.input_height, shape.input_width) = (padding.padded_height, padding.padded_width)
    shape.output_block_stride = Int64(c.height * c.width * v)
    shape.output_row_stride = Int64(c.width * v)
    return shape
  }

  /// The gradient of the input phase by phase, as sasuka_weight_strides describes it: no zero is multiplied.
  func inputGradientByPhases(_ reference: ConvolutionReference) -> [Float] {
    let c = reference.shape
    let gradient = blocked(reference.outputGradient, channels: c.outputChannels)
    var output = [Float](repeating: .nan, count: (c.inputChannels + v - 1) / v * c.height * c.width * v)
    for r in 0..<min(c.stride.height, c.height) {
      for q in 0..<min(c.stride.width, c.width) {
        let rows = Phase(r, size: c.height, kernel: c.kernel.height, c.stride.height, c.dilation.height, padding: c.top)
        let across = Phase(q, size: c.width, kernel: c.kernel.width, c.stride.width, c.dilation.width, padding: c.left)
        let padding = sasuka_padding(
          height: Int64(c.outputHeight), width: Int64(c.outputWidth), padded_height: rows.padded,
          padded_width: across.padded, top: rows.before, left: across.before, step_height: 1, step_width: 1)
        let input = padded(gradient, channels: c.outputChannels, padding)
        var shape = transposed(c, padding)
        (shape.kernel_height, shape.kernel_width) = (rows.taps, across.taps)
        (shape.dilation_height, shape.dilation_width) = (rows.dilation, across.dilation)
        (shape.output_height, shape.output_width) = (rows.size, across.size)
        shape.output_row_stride = Int64(c.stride.height * c.width * v)
        shape.output_pixel_stride = Int64(c.stride.width * v)
        var strides = strides(c)
        (strides.output, strides.input) = (strides.input, strides.output)
        strides.row = -rows.step * Int64(c.kernel.width)
        strides.column = -across.step
        let source = Int(rows.last) * c.kernel.width + Int(across.last)
        output.withUnsafeMutableBufferPointer { output in
          reference.weights.withUnsafeBufferPointer {
            run(
              shape, strides, weights: $0.baseAddress! + source, bias: nil, input: input,
              output: output.baseAddress! + (r * c.width + q) * v)
          }
        }
      }
    }
    return plain(output, channels: c.inputChannels, pixels: c.height * c.width)
  }

  /// One phase of one axis: the taps that reach its rows, and the padding of the output's gradient.
  private struct Phase {
    let taps, last, step, dilation, before, size, padded: Int64

    init(_ phase: Int, size: Int, kernel: Int, _ stride: Int, _ dilation: Int, padding: Int) {
      let fitting = (0..<kernel).filter { (phase + padding - $0 * dilation) % stride == 0 }
      let step = (1...stride).first { $0 * dilation % stride == 0 }!
      taps = Int64(fitting.count)
      last = Int64(fitting.last ?? 0)
      self.step = Int64(step)
      self.dilation = Int64(dilation * step / stride)
      before = fitting.isEmpty ? 0 : -Int64((phase + padding - fitting.last! * dilation) / stride)
      self.size = Int64((size - phase + stride - 1) / stride)
      padded = self.size + self.dilation * max(taps - 1, 0)
    }
  }
}

extension ConvolutionReference {
  /// The output without its bias.
  var sums: [Double] {
    let pixels = shape.outputHeight * shape.outputWidth
    return output.enumerated().map { place, sum in sum - Double(bias[place / pixels]) }
  }

  /// A batch of a map: images that differ by powers of two, which round nothing.
  static func batch<Number: BinaryFloatingPoint>(of map: [Number], images: Int) -> [Number] {
    (0..<images).flatMap { image in
      map.map { $0 * Number(sign: .plus, exponent: Number.Exponent(-image), significand: 1) }
    }
  }
}

extension ConvolutionCase {
  // As layers take them.
  var kernelExtent: Extent { Extent(height: kernel.height, width: kernel.width) }
  var strideExtent: Extent { Extent(height: stride.height, width: stride.width) }
  var padding: Padding { Padding(top: top, bottom: bottom, left: left, right: right) }
}
