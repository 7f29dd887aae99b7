/// DenseNet (Huang et al. 2016, Densely Connected Convolutional Networks).
enum DenseNet {
  private static let table: [(depth: Int, growth: Int, first: Int, blocks: [Int])] = [
    (121, 32, 64, [6, 12, 24, 16]), (161, 48, 96, [6, 12, 36, 24]), (169, 32, 64, [6, 12, 32, 32]),
    (201, 32, 64, [6, 12, 48, 32]),
  ]

  static let architectures: [Architecture] = table.map { depth, growth, first, blocks in
    Architecture("densenet\(depth)") { (b, input) throws(SasukaError) in
      var x = try b.convolution(input, "features.conv0", first, 7, stride: 2)
      x = try b.relu(b.norm(x, "features.norm0"), "features.relu0")
      x = try b.maxPool(x, "features.pool0", 3, stride: 2, padding: 1)
      for (block, layers) in blocks.enumerated() {
        for layer in 0..<layers {
          x = try dense(&b, x, "features.denseblock" + (block + 1), layer + 1, growth)
        }
        if block + 1 < blocks.count { x = try transition(&b, x, "features.transition" + (block + 1)) }
      }
      x = try b.relu(b.norm(x, "features.norm5"), "relu")
      x = try b.linear(b.pooled(x), "classifier", b.classes)
      b.initializeWeights(axes: 4) { .kaimingNormal($0) }
      b.graph.reinitialize { $0.name == "classifier.bias" ? .constant(0) : nil }
      return x
    }
  }

  private static func dense(
    _ b: inout NetworkBuilder, _ x: Value, _ block: String, _ number: Int, _ growth: Int
  ) throws(SasukaError) -> Value {
    let name = block + ".denselayer" + number
    var y = try b.relu(b.norm(x, name + ".norm1"), name + ".relu1")
    y = try b.convolution(y, name + ".conv1", 4 * growth, 1)
    y = try b.relu(b.norm(y, name + ".norm2"), name + ".relu2")
    y = try b.dropout(b.convolution(y, name + ".conv2", growth, 3), name + ".dropout", 0)
    return try b.graph.concatenate([x, y], name: block + ".concatenate" + number)
  }

  private static func transition(
    _ b: inout NetworkBuilder, _ x: Value, _ name: String
  ) throws(SasukaError) -> Value {
    var y = try b.relu(b.norm(x, name + ".norm"), name + ".relu")
    y = try b.convolution(y, name + ".conv", b.channels(x) / 2, 1)
    return try b.graph.averagePool(y, name: name + ".pool", kernel: Extent(2))
  }
}
