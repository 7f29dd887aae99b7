import CSystem

extension Graph {
  /// The largest value of each window of a map [batch, channels, height, width]; padding counts as minus infinity.
  ///
  /// - Parameters:
  ///   - stride: the kernel's size if nil.
  ///   - ceil: a last window that reaches past the padded map counts too.
  @inline(never)
  package mutating func maxPool(
    _ input: Value, name: String, kernel: Extent, stride: Extent? = nil, padding: PaddingMode = .valid,
    dilation: Extent = Extent(1), ceil: Bool = false
  ) throws(SasukaError) -> Value {
    let operation = MaxPool(
      PoolAttributes(kernel: kernel, stride: stride ?? kernel, dilation: dilation, padding: padding, ceil: ceil))
    return try append(operation, name: name, inputs: [input])[0]
  }
}

/// Windows of a pooling before the size of the map is known.
package struct PoolAttributes: Equatable, Sendable {
  package var kernel: Extent
  package var stride: Extent
  package var dilation: Extent
  package var padding: PaddingMode
  package var ceil: Bool

  package init(kernel: Extent, stride: Extent, dilation: Extent, padding: PaddingMode, ceil: Bool) {
    self.kernel = kernel
    self.stride = stride
    self.dilation = dilation
    self.padding = padding
    self.ceil = ceil
  }

  /// The window for a map of this shape, and the shape of the output.
  ///
  /// - Throws: `invalidArgument` for other ranks, values out of range and padding of more than half the kernel.
  func window(for shape: Shape) throws(SasukaError) -> (window: Window, output: Shape) {
    guard shape.rank == 4, shape[2] * shape[3] <= Int32.max else {
      throw SasukaError(
        .invalidArgument,
        "input of shape \(shape); [batch, channels, height, width] with at most \(Int32.max) pixels is expected")
    }
    let input = Extent(height: shape[2], width: shape[3])
    let resolved = try padding.resolved(input: input, kernel: kernel, stride: stride, dilation: dilation)
    let window = Window(kernel: kernel, stride: stride, dilation: dilation, padding: resolved)
    let output = try window.outputSize(of: input, ceil: ceil)
    try PoolAttributes.check(resolved.top, resolved.bottom, kernel.height, dilation.height)
    try PoolAttributes.check(resolved.left, resolved.right, kernel.width, dilation.width)
    return (window, Shape([shape[0], shape[1], output.height, output.width]))
  }

  private static func check(
    _ before: Int, _ after: Int, _ kernel: Int, _ dilation: Int
  ) throws(SasukaError) {
    let extent = dilation * (kernel - 1) + 1
    guard max(before, after) <= extent / 2 else {
      throw SasukaError(
        .invalidArgument,
        "padding \(max(before, after)); at most half of what the kernel spans, \(extent) / 2, is expected")
    }
  }
}

extension Window {
  /// Floats of one block's results of rows, at most: more would leave the caches before they are read, and each thread has its own.
  private static let mostFloatsBetween = 262_144

  /// Whether a pooling pays along the rows first and then along the columns of what that gave, `floats` of each block: of
  /// 13 x 13 pixels, 26 are looked at instead of 169.
  func isFasterInTwo(between floats: Int) -> Bool {
    kernel.height >= 2 * (stride.height + 1) && kernel.width > 3 && floats <= Window.mostFloatsBetween
  }
}

extension sasuka_pooling {
  /// Windows over a map of the shape `input` that give the shape `output`.
  init(_ window: Window, input: Shape, output: Shape) {
    self.init()
    (input_height, input_width) = (Int64(input[2]), Int64(input[3]))
    (output_height, output_width) = (Int64(output[2]), Int64(output[3]))
    (kernel_height, kernel_width) = (Int64(window.kernel.height), Int64(window.kernel.width))
    (stride_height, stride_width) = (Int64(window.stride.height), Int64(window.stride.width))
    (dilation_height, dilation_width) = (Int64(window.dilation.height), Int64(window.dilation.width))
    (top, left) = (Int64(window.padding.top), Int64(window.padding.left))
  }
}

/// The largest value of each window, and in training also its place, for the gradient.
package final class MaxPool: Operator, Equatable, Sendable {
  package let kind = "max_pool"
  package let layoutRule = LayoutRule.blocked
  package let attributes: PoolAttributes
  private let keepsIndices: Bool

  package init(_ attributes: PoolAttributes, keepsIndices: Bool = false) {
    self.attributes = attributes
    self.keepsIndices = keepsIndices
  }

  /// Outputs: the maxima; their places y * width + x as 32-bit integers if they are kept.
  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    let output = try attributes.window(for: inputs[0]).output
    return keepsIndices ? [output, output] : [output]
  }

  package static func == (left: MaxPool, right: MaxPool) -> Bool { left === right }

  package var follower: Follower? { keepsIndices ? nil : .window(.maxima(self)) }

  package func window(inputs: [Shape]) -> Window? { (try? attributes.window(for: inputs[0]))?.window }

  package func specialized(for mode: Mode) -> (any Operator)? {
    MaxPool(attributes, keepsIndices: mode == .training)
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let input = context.node.inputs[0]
    let shape = context.shape(input)
    let indices =
      keepsIndices
      ? context.node.outputs[1] : try context.append(MaxPool(attributes, keepsIndices: true), [input])[1]
    let operation = MaxPoolGradient(try attributes.window(for: shape).window, inputShape: shape)
    context.setGradient(ofInput: 0, try context.append(operation, [context.outputGradient, indices])[0])
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let (input, output) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]))
    let window = try attributes.window(for: input).window
    let pooling = sasuka_pooling(window, input: input, output: output)
    let lanes = lowering.lanes
    let x = UnsafePointer(lowering.pointer(node.inputs[0]))
    let y = lowering.pointer(node.outputs[0])
    let indices = keepsIndices ? UnsafeMutableRawPointer(lowering.pointer(node.outputs[1])) : nil
    let (inputFloats, outputFloats) = (input[2] * input[3] * lanes, output[2] * output[3] * lanes)
    let kernel = lowering.kernels.pointee.max_pool
    let units = input[0] * Layout.blocks(of: input[1], lanes: lanes)
    let between = input[2] * output[3] * lanes
    if !keepsIndices, window.isFasterInTwo(between: between) {
      // The greatest of rows, then the greatest of those.
      var (across, down) = (pooling, pooling)
      (across.kernel_height, across.stride_height, across.top) = (1, 1, 0)
      across.output_height = pooling.input_height
      (down.kernel_width, down.stride_width, down.left) = (1, 1, 0)
      down.input_width = pooling.output_width
      lowering.needWorkerScratch(bytes: between * MemoryLayout<Float>.stride)
      lowering.step(units: units) { [across, down] unit, context in
        var (across, down) = (across, down)
        let rows = context.workerScratch.assumingMemoryBound(to: Float.self)
        kernel!(&across, x + unit * inputFloats, rows, nil)
        kernel!(&down, rows, y + unit * outputFloats, nil)
      }
      return
    }
    lowering.step(units: units) { unit, _ in
      var pooling = pooling
      let places = indices.map { $0.assumingMemoryBound(to: Int32.self) + unit * outputFloats }
      kernel!(&pooling, x + unit * inputFloats, y + unit * outputFloats, places)
    }
  }
}

/// Adds each output's gradient at the place its value came from.
final class MaxPoolGradient: Operator {
  let kind = "max_pool_gradient"
  let layoutRule = LayoutRule.blocked
  private let window: Window
  private let inputShape: Shape

  init(_ window: Window, inputShape: Shape) {
    self.window = window
    self.inputShape = inputShape
  }

  /// Inputs: dy and the places. Output: dx.
  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputShape] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let output = lowering.shape(node.inputs[0])
    let pooling = sasuka_pooling(window, input: inputShape, output: output)
    let lanes = lowering.lanes
    let dy = UnsafePointer(lowering.pointer(node.inputs[0]))
    let indices = UnsafeRawPointer(lowering.pointer(node.inputs[1])).assumingMemoryBound(to: Int32.self)
    let dx = lowering.pointer(node.outputs[0])
    let (inputFloats, outputFloats) = (inputShape[2] * inputShape[3] * lanes, output[2] * output[3] * lanes)
    let kernel = lowering.kernels.pointee.max_pool_gradient
    lowering.step(units: inputShape[0] * Layout.blocks(of: inputShape[1], lanes: lanes)) { unit, _ in
      var pooling = pooling
      kernel!(&pooling, dy + unit * outputFloats, indices + unit * outputFloats, dx + unit * inputFloats)
    }
  }
}
