/// MobileNet v2 (Sandler et al. 2018, Inverted Residuals and Linear Bottlenecks).
enum MobileNetV2 {
  /// Expansion, channels, blocks, stride of the first.
  private static let stages = [
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
  ]

  static let architectures = [
    Architecture("mobilenet_v2", recipes: .twice) { b, input in
      b.offerNorms()
      let width = b.choices.widthMultiplier.value(published: 1)
      var x = b.layer(input, "features.0", NetworkBuilder.scaled(32, width), 3, stride: 2, .relu6)
      var place = 1
      for (expansion, channels, blocks, stride) in stages {
        for block in 0..<blocks {
          x = inverted(
            &b, x, "features." + place, expansion, NetworkBuilder.scaled(channels, width),
            block == 0 ? stride : 1)
          place += 1
        }
      }
      x = b.layer(x, "features." + place, NetworkBuilder.scaled(1280, max(width, 1)), 1, .relu6)
      x = b.dropout(b.pooled(x), "classifier.0", 0.2)
      x = b.linear(x, "classifier.1", b.classes)
      b.initializeBiasesWithZero()
      b.initializeWeights(axes: 4) { .kaimingNormal($0, .output) }
      b.initializeWeights(axes: 2) { _ in .normal(standardDeviation: 0.01) }
      return x
    }
  ]

  private static func inverted(
    _ b: inout NetworkBuilder, _ x: Value, _ block: String, _ expansion: Int, _ channels: Int, _ stride: Int
  ) -> Value {
    let name = block + ".conv"
    let width = b.channels(x) * expansion
    var (y, place) = b.expandedDepthwise(x, name, width, 3, stride: stride, .relu6)
    y = b.norm(b.convolution(y, name + "." + place, channels, 1), name + "." + (place + 1))
    return stride == 1 && b.channels(x) == channels ? b.add(x, y, block + ".add") : y
  }
}
