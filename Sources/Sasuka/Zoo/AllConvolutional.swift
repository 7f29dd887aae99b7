/// The nets All-CNN-A, B and C for CIFAR (Springenberg et al. 2014, Striving for Simplicity: The All Convolutional Net):
/// convolutions of stride 2 where others pool, 1 x 1 where others have fully connected layers, averages at the end.
enum AllConvolutional {
  /// Kernels of the convolutions of a stage, before the 3 x 3 of stride 2 that halves the map.
  private static let table: [(name: String, kernels: [Int])] = [("a", [5]), ("b", [5, 1]), ("c", [3, 3])]

  static let architectures: [Architecture] = table.map { name, kernels in
    Architecture("all_cnn_" + name, size: 32, classes: 10) { b, input in
      // The paper's dropout: a fifth of the pictures, half of what comes out of a stage.
      var x = b.dropout(input, "features.0", 0.2)
      var place = 1
      for channels in [96, 192] {
        for (number, kernel) in (kernels + [3]).enumerated() {
          let stride = number == kernels.count ? 2 : 1
          x = b.convolution(x, "features." + place, channels, kernel, stride: stride, bias: true)
          x = b.relu(x, "features." + (place + 1))
          place += 2
        }
        x = b.dropout(x, "features." + place, 0.5)
        place += 1
      }
      for (channels, kernel) in [(192, 3), (192, 1), (b.classes, 1)] {
        x = b.convolution(x, "features." + place, channels, kernel, padding: 0, bias: true)
        x = b.relu(x, "features." + (place + 1))
        place += 2
      }
      b.initializeBiasesWithZero()
      b.initializeWeights(axes: 4) { .kaimingNormal($0) }
      return b.pooled(x)
    }
  }
}
