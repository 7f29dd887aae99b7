/// MobileNet v3 (Howard et al. 2019, Searching for MobileNetV3).
enum MobileNetV3 {
  /// Kernel, expanded channels, channels, squeeze-excitation, hard swish instead of ReLU, stride.
  private typealias Block = (Int, Int, Int, Bool, Bool, Int)

  private static let large: [Block] = [
    (3, 16, 16, false, false, 1), (3, 64, 24, false, false, 2), (3, 72, 24, false, false, 1),
    (5, 72, 40, true, false, 2), (5, 120, 40, true, false, 1), (5, 120, 40, true, false, 1),
    (3, 240, 80, false, true, 2), (3, 200, 80, false, true, 1), (3, 184, 80, false, true, 1),
    (3, 184, 80, false, true, 1), (3, 480, 112, true, true, 1), (3, 672, 112, true, true, 1),
    (5, 672, 160, true, true, 2), (5, 960, 160, true, true, 1), (5, 960, 160, true, true, 1),
  ]
  private static let small: [Block] = [
    (3, 16, 16, true, false, 2), (3, 72, 24, false, false, 2), (3, 88, 24, false, false, 1), (5, 96, 40, true, true, 2),
    (5, 240, 40, true, true, 1), (5, 240, 40, true, true, 1), (5, 120, 48, true, true, 1), (5, 144, 48, true, true, 1),
    (5, 288, 96, true, true, 2), (5, 576, 96, true, true, 1), (5, 576, 96, true, true, 1),
  ]

  static let architectures = [
    Architecture("mobilenet_v3_small") { b, input in body(&b, input, small, last: 1024) },
    Architecture("mobilenet_v3_large", recipes: .twice) { b, input in
      body(&b, input, large, last: 1280)
    },
  ]

  private static func body(_ b: inout NetworkBuilder, _ input: Value, _ blocks: [Block], last: Int) -> Value {
    (b.epsilon, b.momentum) = (0.001, 0.01)
    b.offerNorms()
    // torchvision's choices for the last three blocks, as backbones of detectors and segmenters want them.
    let divisor = b.choices.reducesTail.value(published: false) ? 2 : 1
    let dilation = b.choices.dilatesTail.value(published: false) ? 2 : 1
    let width = b.choices.widthMultiplier.value(published: 1)
    var x = b.layer(input, "features.0", NetworkBuilder.scaled(16, width), 3, stride: 2, .hardSwish)
    let tail = blocks.count - 3
    for (place, published) in blocks.enumerated() {
      var block = published
      if place >= tail { block.2 /= divisor }
      if place > tail { block.1 /= divisor }
      x = inverted(&b, x, "features." + (place + 1), block, width, dilation: place >= tail ? dilation : 1)
    }
    x = b.layer(x, "features." + (blocks.count + 1), 6 * b.channels(x), 1, .hardSwish)
    x = b.linear(b.pooled(x), "classifier.0", NetworkBuilder.scaled(last / divisor, width))
    x = b.dropout(b.activation(x, "classifier.1", .hardSwish), "classifier.2", 0.2)
    x = b.linear(x, "classifier.3", b.classes)
    b.initializeBiasesWithZero()
    b.initializeWeights(axes: 4) { .kaimingNormal($0, .output) }
    b.initializeWeights(axes: 2) { _ in .normal(standardDeviation: 0.01) }
    return x
  }

  private static func inverted(
    _ b: inout NetworkBuilder, _ x: Value, _ block: String, _ sizes: Block, _ width: Double, dilation: Int
  ) -> Value {
    let name = block + ".block"
    let (kernel, published, channels, squeezes, isHard, stride) = sizes
    let (expanded, output) = (NetworkBuilder.scaled(published, width), NetworkBuilder.scaled(channels, width))
    let activation = isHard ? Activation.Function.hardSwish : .relu
    var (y, place) = b.expandedDepthwise(
      x, name, expanded, kernel, stride: dilation > 1 ? 1 : stride, dilation: dilation, activation)
    if squeezes {
      let squeezed = NetworkBuilder.scaled(expanded / 4, 1)
      y = b.squeezeExcitation(y, name + "." + place, squeezed, .relu, .hardSigmoid)
      place += 1
    }
    y = b.layer(y, name + "." + place, output, 1, nil)
    return stride == 1 && output == b.channels(x) ? b.add(y, x, block + ".add") : y
  }
}
