/// EfficientNet (Tan and Le 2019, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks).
enum EfficientNet {
  /// Factors of channels and of blocks, size of the published input and of the picture it is cut from, dropout.
  private static let table: [(width: Double, depth: Double, size: Int16, picture: Int16, dropout: Float)] = [
    (1, 1, 224, 256, 0.2), (1, 1.1, 240, 256, 0.2), (1.1, 1.2, 288, 288, 0.3), (1.2, 1.4, 300, 320, 0.3),
    (1.4, 1.8, 380, 384, 0.4), (1.6, 2.2, 456, 456, 0.4), (1.8, 2.6, 528, 528, 0.5), (2, 3.1, 600, 600, 0.5),
  ]
  /// Of B0: expansion, kernel, stride of the first block, channels, blocks.
  private static let stages = [
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
  ]

  static let architectures: [Architecture] = table.enumerated().map { number, scaling in
    let recipes = Recipes(
      resize: scaling.picture, crop: scaling.size, isBicubic: true, secondResize: number == 1 ? 255 : 0)
    return Architecture("efficientnet_b\(number)", size: Int(scaling.size), recipes: recipes) { b, input in
      b.offerNorms()
      if number >= 5 { (b.epsilon, b.momentum) = (0.001, 0.01) }
      let counts = stages.map { Int((Double($0.4) * scaling.depth).rounded(.up)) }
      let total = Float(counts.reduce(0, +))
      var x = b.layer(input, "features.0", NetworkBuilder.scaled(32, scaling.width), 3, stride: 2, .silu)
      var place: Float = 0
      for (index, (expansion, kernel, stride, channels, _)) in stages.enumerated() {
        for block in 0..<counts[index] {
          x = inverted(
            &b, x, "features." + (index + 1) + "." + block, expansion, kernel, block == 0 ? stride : 1,
            NetworkBuilder.scaled(channels, scaling.width), depth: place / total)
          place += 1
        }
      }
      x = b.layer(x, "features.8", 4 * b.channels(x), 1, .silu)
      x = b.linear(b.dropout(b.pooled(x), "classifier.0", scaling.dropout), "classifier.1", b.classes)
      b.initializeBiasesWithZero()
      b.initializeWeights(axes: 4) { .kaimingNormal($0, .output) }
      b.initializeWeights(axes: 2) { .uniform(bound: 1 / Float($0[0]).squareRoot()) }
      return x
    }
  }

  private static func inverted(
    _ b: inout NetworkBuilder, _ x: Value, _ name: String, _ expansion: Int, _ kernel: Int, _ stride: Int,
    _ channels: Int, depth: Float
  ) -> Value {
    let block = name + ".block"
    let inputs = b.channels(x)
    var (y, place) = b.expandedDepthwise(x, block, inputs * expansion, kernel, stride: stride, .silu)
    y = b.squeezeExcitation(y, block + "." + place, max(1, inputs / 4), .silu, .sigmoid)
    y = b.layer(y, block + "." + (place + 1), channels, 1, nil)
    guard stride == 1, channels == inputs else { return y }
    return b.residual(y, x, name, depth: depth, published: 0.2)
  }
}
