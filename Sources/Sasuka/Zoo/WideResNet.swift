/// The Wide ResNet for CIFAR (Zagoruyko and Komodakis 2016, Wide Residual Networks): 28 layers, ten times as wide,
/// normalisation and ReLU before each convolution. It has no torchvision name; parameters are named as in its ResNet.
enum WideResNet {
  static let architectures = [
    Architecture("cifar_wide_resnet28_10", size: 32, classes: 10) { b, input in
      let (blocks, factor) = (4, 10)
      var x = b.convolution(input, "conv1", 16, 3)
      for place in 0..<(3 * blocks) {
        let (stage, number) = (place / blocks, place % blocks)
        x = block(
          &b, x, "layer" + (stage + 1) + "." + number, (16 << stage) * factor, stage > 0 && number == 0 ? 2 : 1,
          depth: Float(place + 1) / Float(3 * blocks))
      }
      x = b.linear(b.pooled(b.relu(b.norm(x, "bn1"))), "fc", b.classes)
      b.initializeWeights(axes: 4) { .kaimingNormal($0, .output) }
      return x
    }
  ]

  private static func block(
    _ b: inout NetworkBuilder, _ x: Value, _ name: String, _ channels: Int, _ stride: Int, depth: Float
  ) -> Value {
    let before = b.relu(b.norm(x, name + ".bn1"), name + ".relu1")
    var y = b.convolution(before, name + ".conv1", channels, 3, stride: stride)
    y = b.dropout(b.relu(b.norm(y, name + ".bn2"), name + ".relu2"), name + ".dropout", 0)
    y = b.convolution(y, name + ".conv2", channels, 3)
    guard stride != 1 || b.channels(x) != channels else { return b.residual(y, x, name, depth: depth) }
    let shortcut = b.convolution(before, name + ".downsample.0", channels, 1, stride: stride)
    return b.residual(y, shortcut, name, depth: depth)
  }
}
