import CSystem

/// 1 x 1 convolution by a stride: that of a smaller image, without strides, whose rows adjoin. It is made of the pixels that the
/// stride leaves.
extension ConvolutionPass {
  /// Whether there is such an image.
  var canBeThinned: Bool { isOneByOne && !isPointwise && ownGroups == 1 }

  /// The convolution of the smaller image.
  fileprivate var thinned: ConvolutionPass {
    var pass = self
    (pass.shape.stride_height, pass.shape.stride_width) = (1, 1)
    (pass.shape.input_height, pass.shape.input_width) = (shape.output_height, shape.output_width)
    return pass
  }
}

extension Lowering {
  /// Makes the smaller images of a batch in the scratch, and the pass and its operands those of them.
  mutating func thin(_ pass: inout ConvolutionPass, _ operands: inout ConvolutionOperands, images: Int) {
    let run = ThinningRun(pass.shape, operands, lanes: lanes)
    needScratch(bytes: images * run.imageFloats * MemoryLayout<Float>.stride)
    algorithm = "padding"
    step(units: images * run.blocks) { block, context in run.copy(block, context) }
    pass = pass.thinned
    operands.readScratch(imageFloats: run.imageFloats)
  }
}

/// The pointers and sizes of such copies.
private final class ThinningRun {
  private let shape: sasuka_convolution
  private let operands: ConvolutionOperands
  private let lanes: Int
  /// Channel blocks of an image.
  let blocks: Int

  init(_ shape: sasuka_convolution, _ operands: ConvolutionOperands, lanes: Int) {
    (self.shape, self.operands, self.lanes) = (shape, operands, lanes)
    blocks = Layout.blocks(of: Int(shape.input_channels), lanes: lanes)
  }

  /// Floats of a smaller image, and of one of its blocks.
  var imageFloats: Int { blocks * blockFloats }
  private var blockFloats: Int { Int(shape.output_height * shape.output_width) * lanes }

  /// Copies one channel block of one image.
  func copy(_ number: Int, _ context: StepContext) {
    let rowFloats = Int(shape.input_width) * lanes
    let step = Int(shape.stride_width) * lanes
    let block = operands.image(number / blocks, context) + number % blocks * Int(shape.input_height) * rowFloats
    var to = UnsafeMutableRawPointer(context.scratch) + number * blockFloats * MemoryLayout<Float>.stride
    for row in 0..<Int(shape.output_height) {
      var from = UnsafeRawPointer(block + row &* Int(shape.stride_height) &* rowFloats)
      for _ in 0..<Int(shape.output_width) {
        for quarter in 0..<(lanes / 4) {
          let part = from.loadUnaligned(fromByteOffset: quarter &* 16, as: SIMD4<Float>.self)
          to.storeBytes(of: part, toByteOffset: quarter &* 16, as: SIMD4<Float>.self)
        }
        from += step &* MemoryLayout<Float>.stride
        to += lanes &* MemoryLayout<Float>.stride
      }
    }
  }
}
