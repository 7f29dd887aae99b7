/// MNASNet-B1 (Tan et al. 2018, MnasNet: Platform-Aware Neural Architecture Search for Mobile).
enum MNASNet {
  /// Kernel, stride, expansion, channels at width 1, blocks.
  private static let stacks = [
    (3, 2, 3, 24, 3), (5, 2, 3, 40, 3), (5, 2, 6, 80, 3), (3, 1, 6, 96, 2), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1),
  ]
  private static let table: [(name: String, width: Double, recipes: Recipes)] = [
    ("0_5", 0.5, Recipes()), ("0_75", 0.75, .later), ("1_0", 1, Recipes()), ("1_3", 1.3, .later),
  ]

  static let architectures: [Architecture] = table.map { name, width, recipes in
    Architecture("mnasnet" + name, recipes: recipes, version: "2") { b, input in
      // torchvision's 1 - 0.9997.
      b.momentum = 0.0003
      let first = NetworkBuilder.scaled(32, width)
      var x = layer(&b, input, "layers", 0, first, 3, stride: 2)
      x = layer(&b, x, "layers", 3, first, 3, groups: first)
      x = linear(&b, x, "layers", 6, NetworkBuilder.scaled(16, width))
      for (place, (kernel, stride, expansion, channels, blocks)) in stacks.enumerated() {
        for block in 0..<blocks {
          x = inverted(
            &b, x, "layers." + (place + 8) + "." + block, kernel, block == 0 ? stride : 1, expansion,
            NetworkBuilder.scaled(channels, width))
        }
      }
      x = layer(&b, x, "layers", 14, 1280, 1)
      x = b.linear(b.dropout(b.pooled(x), "classifier.0", 0.2), "classifier.1", b.classes)
      b.initializeBiasesWithZero()
      b.initializeWeights(axes: 4) { .kaimingNormal($0, .output) }
      b.initializeWeights(axes: 2) { .kaimingUniform($0, .output, gain: 1) }
      return x
    }
  }

  /// Convolution and normalisation at `place` and the next.
  private static func linear(
    _ b: inout NetworkBuilder, _ x: Value, _ name: String, _ place: Int, _ channels: Int, kernel: Int = 1,
    stride: Int = 1, groups: Int = 1
  ) -> Value {
    let y = b.convolution(x, name + "." + place, channels, kernel, stride: stride, groups: groups)
    return b.norm(y, name + "." + (place + 1))
  }

  private static func layer(
    _ b: inout NetworkBuilder, _ x: Value, _ name: String, _ place: Int, _ channels: Int, _ kernel: Int,
    stride: Int = 1, groups: Int = 1
  ) -> Value {
    let y = linear(&b, x, name, place, channels, kernel: kernel, stride: stride, groups: groups)
    return b.relu(y, name + "." + (place + 2))
  }

  private static func inverted(
    _ b: inout NetworkBuilder, _ x: Value, _ block: String, _ kernel: Int, _ stride: Int, _ expansion: Int,
    _ channels: Int
  ) -> Value {
    let name = block + ".layers"
    let width = b.channels(x) * expansion
    var y = layer(&b, x, name, 0, width, 1)
    y = layer(&b, y, name, 3, width, kernel, stride: stride, groups: width)
    y = linear(&b, y, name, 6, channels)
    return stride == 1 && b.channels(x) == channels ? b.add(y, x, block + ".add") : y
  }
}
