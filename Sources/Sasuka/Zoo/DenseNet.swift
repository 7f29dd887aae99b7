/// DenseNet (Huang et al. 2016, Densely Connected Convolutional Networks).
enum DenseNet {
  private static let table: [(depth: Int, growth: Int, first: Int, blocks: [Int])] = [
    (121, 32, 64, [6, 12, 24, 16]), (161, 48, 96, [6, 12, 36, 24]), (169, 32, 64, [6, 12, 32, 32]),
    (201, 32, 64, [6, 12, 48, 32]),
  ]

  static let architectures: [Architecture] = table.map { depth, growth, first, blocks in
    Architecture("densenet\(depth)") { b, input in
      var x = b.convolution(input, "features.conv0", first, 7, stride: 2)
      x = b.relu(b.norm(x, "features.norm0"), "features.relu0")
      x = b.maxPool(x, "features.pool0", 3, stride: 2, padding: 1)
      for (block, layers) in blocks.enumerated() {
        for layer in 0..<layers {
          x = dense(&b, x, "features.denseblock" + (block + 1), layer + 1, growth)
        }
        if block + 1 < blocks.count { x = transition(&b, x, "features.transition" + (block + 1)) }
      }
      x = b.relu(b.norm(x, "features.norm5"), "relu")
      x = b.linear(b.pooled(x), "classifier", b.classes)
      b.initializeWeights(axes: 4) { .kaimingNormal($0) }
      b.graph.reinitialize { $0.name == "classifier.bias" ? .constant(0) : nil }
      return x
    }
  }

  private static func dense(
    _ b: inout NetworkBuilder, _ x: Value, _ block: String, _ number: Int, _ growth: Int
  ) -> Value {
    let name = block + ".denselayer" + number
    var y = b.relu(b.norm(x, name + ".norm1"), name + ".relu1")
    y = b.convolution(y, name + ".conv1", 4 * growth, 1)
    y = b.relu(b.norm(y, name + ".norm2"), name + ".relu2")
    y = b.dropout(b.convolution(y, name + ".conv2", growth, 3), name + ".dropout", 0)
    return b.concatenate([x, y], block + ".concatenate" + number)
  }

  private static func transition(_ b: inout NetworkBuilder, _ x: Value, _ name: String) -> Value {
    var y = b.relu(b.norm(x, name + ".norm"), name + ".relu")
    y = b.convolution(y, name + ".conv", b.channels(x) / 2, 1)
    return b.averagePool(y, name + ".pool", 2, stride: 2)
  }
}
