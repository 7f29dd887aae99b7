import CSystem

/// Gradient of a convolution's weight from its input and the gradient of its output.
///
/// A transposed convolution's is the same with the two exchanged.
final class ConvolutionWeightGradient: Operator {
  let kind = "convolution_weight_gradient"
  let layoutRule = LayoutRule.mixed(inputs: [true, true], outputs: [false])
  private let weightShape: Shape
  private let geometryOf: (Shape, Shape) throws(SasukaError) -> ConvolutionGeometry

  /// - Parameter geometry: sizes of the convolution for these shapes of the two inputs.
  init(weightShape: Shape, geometry: @escaping (Shape, Shape) throws(SasukaError) -> ConvolutionGeometry) {
    self.weightShape = weightShape
    geometryOf = geometry
  }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [weightShape] }

  func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int {
    guard let geometry = try? geometryOf(inputs[0], inputs[1]) else { return 0 }
    return saturatingProduct(geometry.multiplyAddsPerImage, inputs[0][0])
  }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let geometry = try geometryOf(lowering.shape(node.inputs[0]), lowering.shape(node.inputs[1]))
    try lowering.convolutionWeightGradient(
      geometry, input: node.inputs[0], outputGradient: node.inputs[1], gradient: node.outputs[0])
  }
}

extension Lowering {
  /// Most parts into which a batch is divided; each has sums of its own, added in order at the end.
  private static let mostParts = 16
  /// Most floats that the parts' sums may take together.
  private static let mostSumFloats = 1 << 22

  mutating func convolutionWeightGradient(
    _ geometry: ConvolutionGeometry, input: Value, outputGradient: Value, gradient: Value
  ) throws(SasukaError) {
    let images = shape(input)[0]
    let work = WeightGradientWork(
      .forward(geometry, lanes: lanes), kernels: kernels, input: UnsafePointer(pointer(input)),
      inputShape: shape(input), outputGradient: UnsafePointer(pointer(outputGradient)),
      outputShape: shape(outputGradient))
    let parts = min(images, Lowering.mostParts, Lowering.mostSumFloats / work.sumFloats)
    if parts >= 2 {
      needScratch(bytes: parts * work.sumFloats * MemoryLayout<Float>.stride)
      needWorkerScratch(bytes: work.paddedFloats * MemoryLayout<Float>.stride)
      step(units: parts) { part, context in
        let range = (images * part / parts)..<(images * (part + 1) / parts)
        work.gather(range, part: part, context)
      }
    } else {
      let sumBytes = work.sumFloats * MemoryLayout<Float>.stride
      needScratch(bytes: sumBytes + images * work.paddedFloats * MemoryLayout<Float>.stride)
      if work.paddedFloats > 0 {
        step(units: images * work.inputBlocks) { unit, context in work.padBlock(unit, context.scratch + sumBytes) }
      }
      step(units: work.units * work.gradientBlocks) { unit, context in
        work.gatherAll(images, unit: unit, context, padded: context.scratch + sumBytes)
      }
    }
    let result = pointer(gradient)
    step(units: work.units) { unit, context in
      work.unpack(unit, parts: max(parts, 1), sums: context.scratch, to: result)
    }
  }
}

/// The pointers and sizes of a weight gradient over a batch.
private final class WeightGradientWork {
  let pass: ConvolutionPass
  let input, outputGradient: UnsafePointer<Float>
  let imageFloats, gradientImageFloats: Int
  let inputBlocks, units, gradientBlocks, sumFloats, paddedFloats: Int
  private let kernels: sasuka_kernel_table

  init(
    _ pass: ConvolutionPass, kernels: UnsafeMutablePointer<sasuka_kernel_table>, input: UnsafePointer<Float>,
    inputShape: Shape, outputGradient: UnsafePointer<Float>, outputShape: Shape
  ) {
    self.pass = pass
    self.input = input
    self.outputGradient = outputGradient
    self.kernels = kernels.pointee
    let lanes = Int(kernels.pointee.vector_width)
    let (width, columns) = (Int64(lanes), Int64(kernels.pointee.convolution_columns))
    var shape = pass.shape
    inputBlocks = Layout.blocks(of: inputShape[1], lanes: lanes)
    let layout = Layout.blocked(lanes: lanes)
    imageFloats = layout.storageCount(of: inputShape.replacing(axis: 0, with: 1))
    gradientImageFloats = layout.storageCount(of: outputShape.replacing(axis: 0, with: 1))
    paddedFloats = pass.padding == nil ? 0 : inputBlocks * lanes * Int(shape.input_height * shape.input_width)
    if pass.isDepthwise {
      units = inputBlocks
      gradientBlocks = 1
      sumFloats = inputBlocks * lanes * Int(shape.kernel_height * shape.kernel_width)
    } else {
      units = Int(sasuka_convolution_units(&shape, width, columns))
      gradientBlocks = Int(sasuka_convolution_gradient_blocks(&shape, width, columns))
      sumFloats = Int(sasuka_convolution_gradient_floats(&shape, width, columns))
    }
  }

  /// Sums the gradients of some images into one part's sums.
  func gather(_ images: Range<Int>, part: Int, _ context: StepContext) {
    let sums = context.scratch.assumingMemoryBound(to: Float.self) + part * sumFloats
    sums.clear(count: sumFloats)
    for image in images {
      var source = input + image * imageFloats
      if var padding = pass.padding {
        let destination = context.workerScratch.assumingMemoryBound(to: Float.self)
        kernels.pad!(&padding, source, destination, 0, Int64(inputBlocks))
        source = UnsafePointer(destination)
      }
      for unit in 0..<(units * gradientBlocks) where context.goesOn { add(image, unit, source, sums) }
    }
  }

  /// Sums one stretch of the sums over all images.
  func gatherAll(_ images: Int, unit: Int, _ context: StepContext, padded: UnsafeMutableRawPointer) {
    let sums = context.scratch.assumingMemoryBound(to: Float.self)
    let stretch = sumFloats / (units * gradientBlocks)
    (sums + unit * stretch).clear(count: stretch)
    let padded = UnsafePointer(padded.assumingMemoryBound(to: Float.self))
    for image in 0..<images where context.goesOn {
      add(image, unit, pass.padding == nil ? input + image * imageFloats : padded + image * paddedFloats, sums)
    }
  }

  private func add(_ image: Int, _ unit: Int, _ source: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>) {
    var shape = pass.shape
    let gradient = outputGradient + image * gradientImageFloats
    if pass.isDepthwise {
      kernels.convolution_depthwise_weight_gradient!(
        &shape, source, gradient, sums, Int64(unit), 0, shape.output_height)
    } else {
      kernels.convolution_weight_gradient!(
        &shape, source, gradient, sums, Int64(unit / gradientBlocks), Int64(unit % gradientBlocks), 0,
        shape.output_height)
    }
  }

  func padBlock(_ unit: Int, _ scratch: UnsafeMutableRawPointer) {
    guard var padding = pass.padding else { return }
    let (image, block) = (unit / inputBlocks, unit % inputBlocks)
    let padded = scratch.assumingMemoryBound(to: Float.self) + image * paddedFloats
    kernels.pad!(&padding, input + image * imageFloats, padded, Int64(block), Int64(block) + 1)
  }

  /// Adds up the parts' sums and writes them in the weights' own layout.
  func unpack(_ unit: Int, parts: Int, sums: UnsafeMutableRawPointer, to gradient: UnsafeMutablePointer<Float>) {
    var (shape, strides) = (pass.shape, pass.weightStrides)
    let sums = UnsafePointer(sums.assumingMemoryBound(to: Float.self))
    let kernel =
      pass.isDepthwise
      ? kernels.packing.convolution_depthwise_gradient_unpack! : kernels.packing.convolution_gradient_unpack!
    kernel(
      &shape, &strides, sums, Int64(sumFloats), Int64(parts), gradient, Int64(unit), Int64(unit) + 1, 0,
      Int64(kernels.vector_width))
  }
}
