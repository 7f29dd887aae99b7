/// LeNet-5 (LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition) with the layers that its
/// descendants have kept: averages without weights, the last layer linear. One channel of 32 x 32: digits of 28 x 28 with a
/// margin.
enum LeNet {
  static let architectures = [
    Architecture("lenet5", channels: 1, size: 32, classes: 10) { b, input in
      var x = input
      for (place, channels) in [6, 16].enumerated() {
        x = b.convolution(x, "conv" + (place + 1), channels, 5, padding: 0, bias: true)
        x = b.activation(x, "tanh" + (place + 1), .tanh)
        x = b.averagePool(x, "pool" + (place + 1), 2, stride: 2)
      }
      x = b.flatten(x, "flatten")
      for (place, features) in [120, 84].enumerated() {
        x = b.activation(b.linear(x, "fc" + (place + 1), features), "tanh" + (place + 3), .tanh)
      }
      return b.linear(x, "fc3", b.classes)
    }
  ]
}
