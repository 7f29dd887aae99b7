import CSystem

/// Convolutions that see all of an image at once, as those that stand in for fully connected layers do.
extension Lowering {
  /// Computes a pass as a product with weights as they lie, where that pays: they are a stream from memory, which arrives
  /// faster in several places than packed in one, and a packed copy of a VGG16's would be most of its memory.
  ///
  /// - Returns: whether it does.
  mutating func convolveAsDot(
    _ pass: ConvolutionPass, input: Value, weight: Value, bias: UnsafePointer<Float>?, epilogue: Int32, output: Value
  ) -> Bool {
    let images = shape(input)[0]
    guard pass.seesWholeImages, images <= Lowering.mostRowsForDot, epilogue & Int32(SASUKA_EPILOGUE_ADD) == 0,
      Int(pass.shape.output_channels) % lanes == 0
    else { return false }
    let weights = UnsafePointer(pointer(weight))
    let operands = operands(of: pass, input: input, packed: weights, bias: bias, epilogue: epilogue, output: output)
    let (channels, area) = (Int(pass.shape.input_channels), Int(pass.shape.input_height * pass.shape.input_width))
    let (lanes, blocks) = (self.lanes, Layout.blocks(of: channels, lanes: self.lanes))
    needScratch(bytes: images * channels * area * MemoryLayout<Float>.stride)
    let unblock = kernels.pointee.narrow.layout_unblock!
    algorithm = "dot"
    step(units: images * blocks) { unit, context in
      let (image, first) = (unit / blocks, unit % blocks * lanes)
      let rows = context.scratch.assumingMemoryBound(to: Float.self) + (image * channels + first) * area
      unblock(operands.image(image, context) + first * area, rows, min(lanes, channels - first), area, lanes)
    }
    let product = sasuka_matrix_product(
      rows: Int64(images), columns: pass.shape.output_channels, depth: Int64(channels * area),
      a_row_stride: Int64(channels * area), a_depth_stride: 1, c_row_stride: Int64(operands.outputImage))
    dot(product, nil, weights, bias: bias, operands.output, epilogue: epilogue)
    return true
  }
}

extension ConvolutionPass {
  /// Whether it makes one pixel of all of a large image in one group, by weights that lie as the image would in planes.
  fileprivate var seesWholeImages: Bool {
    let (rows, columns) = (shape.kernel_height, shape.kernel_width)
    let weights = shape.input_channels * rows * columns
    return shape.groups == 1 && !readsPlanes && padding == nil && shape.input_height == rows
      && shape.input_width == columns && shape.output_height * shape.output_width == 1 && weights > 2048
      && weightStrides.output == weights && weightStrides.input == rows * columns && weightStrides.row == columns
      && weightStrides.column == 1 && shape.first_channel == 0
  }
}
