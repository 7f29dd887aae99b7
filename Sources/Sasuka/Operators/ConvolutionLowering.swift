import CSystem

/// How convolutions become kernel calls; forward, gradient of the input and transposed convolution share it.
extension Lowering {
  /// Images from which on a unit of work is a whole image, padded in its worker's own cache.
  private static let imagesForWholeImageUnits = 4

  /// Convolves `input` (channels of all groups: `inputChannels`) by each of the passes, which together fill the node's
  /// first output.
  mutating func convolve(
    _ passes: [ConvolutionPass], input: Value, weight: Value, epilogue: ConvolutionEpilogue, _ node: Node
  ) throws(SasukaError) {
    let output = node.outputs[0]
    let channels = shape(output)[1]
    let folded = try fold(epilogue, node, channels: channels)
    if let addend = epilogue.addend(node) { placeAddend(addend, at: output) }
    let bias = folded?.shifts ?? epilogue.bias(node).map { pointer($0) }
    for pass in passes {
      let packed = try pack(pass, weight: weight, folded: folded, channels: channels)
      let run = ConvolutionRun(
        pass, kernels: kernels, input: UnsafePointer(pointer(input)), inputShape: shape(input),
        packed: UnsafePointer(packed), bias: bias.map { UnsafePointer($0) }, output: pointer(output),
        outputShape: shape(output), epilogue: epilogue.flags)
      convolve(run, pass, images: shape(input)[0])
    }
  }

  private mutating func convolve(_ run: ConvolutionRun, _ pass: ConvolutionPass, images: Int) {
    let name: StaticString = pass.isDepthwise ? "depthwise" : "direct"
    algorithm = name
    if images >= Lowering.imagesForWholeImageUnits {
      needWorkerScratch(bytes: run.paddedFloats * MemoryLayout<Float>.stride)
      step(units: images) { image, context in run.wholeImage(image, scratch: context.workerScratch) }
      return
    }
    needScratch(bytes: images * run.paddedFloats * MemoryLayout<Float>.stride)
    if pass.padding != nil {
      algorithm = "padding"
      step(units: images * run.inputBlocks) { unit, context in run.padBlock(unit, scratch: context.scratch) }
      algorithm = name
    }
    step(units: images * run.units * run.rowChunks) { unit, context in run.part(unit, scratch: context.scratch) }
  }

  private mutating func pack(
    _ pass: ConvolutionPass, weight: Value, folded: FoldedNormalization?, channels: Int
  ) throws(SasukaError) -> UnsafeMutablePointer<Float> {
    let (width, columns) = (Int64(lanes), Int64(kernels.pointee.convolution_columns))
    var shape = pass.shape
    let source = UnsafePointer(pointer(weight)) + pass.weightOffset
    let strides = pass.weightStrides
    if pass.isDepthwise {
      let blocks = Layout.blocks(of: Int(shape.groups), lanes: lanes)
      let packed = try persistent(floats: blocks * lanes * Int(shape.kernel_height * shape.kernel_width))
      let kernel = kernels.pointee.convolution_depthwise_pack!
      prepare(units: 1) { _, _ in
        var (shape, strides) = (shape, strides)
        kernel(&shape, &strides, source, packed, 0, Int64(blocks))
      }
      if let folded {
        let blockFloats = lanes * Int(shape.kernel_height * shape.kernel_width)
        scale(packed, by: folded, units: blocks, unitFloats: blockFloats, width: lanes, channels: channels)
      }
      return packed
    }
    let packed = try persistent(floats: Int(sasuka_convolution_packed_floats(&shape, width, columns)))
    let units = sasuka_convolution_units(&shape, width, columns)
    let kernel = kernels.pointee.convolution_pack!
    prepare(units: Int(units)) { unit, _ in
      var (shape, strides) = (shape, strides)
      kernel(&shape, &strides, source, packed, Int64(unit), Int64(unit) + 1)
    }
    if let folded {
      let unitFloats = Int(sasuka_convolution_unit_floats(&shape, width, columns))
      let unitWidth = lanes * Int(sasuka_convolution_columns(&shape, width, columns))
      scale(
        packed, by: folded, units: Int(units), unitFloats: unitFloats, width: unitWidth, channels: channels)
    }
    return packed
  }
}

/// The pointers and sizes of one pass over a batch.
struct ConvolutionRun {
  private let pass: ConvolutionPass
  private let lanes: Int
  private let input: UnsafePointer<Float>
  private let packed: UnsafePointer<Float>
  private let bias: UnsafePointer<Float>?
  private let output: UnsafeMutablePointer<Float>
  /// Flags for the kernel.
  private let epilogue: Int32
  private let pad:
    @convention(c) (UnsafePointer<sasuka_padding>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int64, Int64)
      -> Void
  private let multiply:
    @convention(c) (
      UnsafePointer<sasuka_convolution>?, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?,
      UnsafeMutablePointer<Float>?, Int64, Int64, Int64, Int32
    ) -> Void
  private let imageFloats, outputImageFloats: Int
  let inputBlocks: Int
  /// Units over the output channels.
  let units: Int
  /// Rows of the output that a unit of work computes at once: as many as keep its input rows in the L2 cache.
  private let rowsAtOnce: Int
  /// Floats of one padded image.
  let paddedFloats: Int

  init(
    _ pass: ConvolutionPass, kernels: UnsafeMutablePointer<sasuka_kernel_table>, input: UnsafePointer<Float>,
    inputShape: Shape, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>?, output: UnsafeMutablePointer<Float>,
    outputShape: Shape, epilogue: Int32
  ) {
    self.pass = pass
    self.epilogue = epilogue
    self.input = input
    self.packed = packed
    self.bias = bias
    self.output = output + pass.outputOffset
    lanes = Int(kernels.pointee.vector_width)
    pad = kernels.pointee.pad!
    var shape = pass.shape
    if pass.isDepthwise {
      multiply = kernels.pointee.convolution_depthwise_forward!
      units = Layout.blocks(of: Int(shape.groups), lanes: lanes)
    } else {
      multiply = kernels.pointee.convolution_forward!
      units = Int(sasuka_convolution_units(&shape, Int64(lanes), Int64(kernels.pointee.convolution_columns)))
    }
    inputBlocks = Layout.blocks(of: inputShape[1], lanes: lanes)
    let layout = Layout.blocked(lanes: lanes)
    imageFloats = layout.storageCount(of: inputShape.replacing(axis: 0, with: 1))
    outputImageFloats = layout.storageCount(of: outputShape.replacing(axis: 0, with: 1))
    paddedFloats = pass.padding == nil ? 0 : inputBlocks * lanes * Int(shape.input_height * shape.input_width)
    let rowBytes = inputBlocks * lanes * Int(shape.input_width * shape.stride_height) * MemoryLayout<Float>.stride
    rowsAtOnce = max(4, min(Int(shape.output_height), 262_144 / max(rowBytes, 1)))
  }

  var rowChunks: Int { (Int(pass.shape.output_height) + rowsAtOnce - 1) / rowsAtOnce }

  func wholeImage(_ image: Int, scratch: UnsafeMutableRawPointer) {
    var source = input + image * imageFloats
    if var padding = pass.padding {
      let padded = scratch.assumingMemoryBound(to: Float.self)
      pad(&padding, source, padded, 0, Int64(inputBlocks))
      source = UnsafePointer(padded)
    }
    for chunk in 0..<rowChunks {
      for unit in 0..<units { compute(image, unit: unit, chunk: chunk, from: source) }
    }
  }

  func padBlock(_ unit: Int, scratch: UnsafeMutableRawPointer) {
    guard var padding = pass.padding else { return }
    let (image, block) = (unit / inputBlocks, unit % inputBlocks)
    let padded = scratch.assumingMemoryBound(to: Float.self) + image * paddedFloats
    pad(&padding, input + image * imageFloats, padded, Int64(block), Int64(block) + 1)
  }

  func part(_ number: Int, scratch: UnsafeMutableRawPointer) {
    let image = number / (units * rowChunks)
    let rest = number % (units * rowChunks)
    let padded = UnsafePointer(scratch.assumingMemoryBound(to: Float.self)) + image * paddedFloats
    let source = pass.padding == nil ? input + image * imageFloats : padded
    compute(image, unit: rest % units, chunk: rest / units, from: source)
  }

  private func compute(_ image: Int, unit: Int, chunk: Int, from source: UnsafePointer<Float>) {
    var shape = pass.shape
    let first = chunk * rowsAtOnce
    let end = min(first + rowsAtOnce, Int(shape.output_height))
    multiply(
      &shape, source, packed, bias, output + image * outputImageFloats, Int64(unit), Int64(first), Int64(end),
      epilogue)
  }
}
