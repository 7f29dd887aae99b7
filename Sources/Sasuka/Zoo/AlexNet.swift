/// AlexNet in its one-column form (Krizhevsky 2014, One Weird Trick for Parallelizing Convolutional Neural Networks).
enum AlexNet {
  /// Place in `features`, channels, kernel, stride, padding, and whether a pooling follows the ReLU.
  private static let convolutions: [(place: Int, channels: Int, kernel: Int, stride: Int, padding: Int, pools: Bool)] =
    [
      (0, 64, 11, 4, 2, true), (3, 192, 5, 1, 2, true), (6, 384, 3, 1, 1, false), (8, 256, 3, 1, 1, false),
      (10, 256, 3, 1, 1, true),
    ]

  static let architectures = [
    Architecture("alexnet") { b, input in
      var x = input
      for layer in convolutions {
        x = b.convolution(
          x, "features." + layer.place, layer.channels, layer.kernel, stride: layer.stride, padding: layer.padding,
          bias: true)
        x = b.relu(x, "features." + (layer.place + 1))
        if layer.pools { x = b.maxPool(x, "features." + (layer.place + 2), 3, stride: 2) }
      }
      x = b.dropout(b.pooled(x, size: 6), "classifier.0", 0.5)
      x = b.dropout(b.relu(b.linear(x, "classifier.1", 4096), "classifier.2"), "classifier.3", 0.5)
      x = b.relu(b.linear(x, "classifier.4", 4096), "classifier.5")
      return b.linear(x, "classifier.6", b.classes)
    }
  ]
}
