/// GoogLeNet (Szegedy et al. 2014, Going Deeper with Convolutions), with batch normalisation as in torchvision, and its two
/// auxiliary classifiers.
enum GoogLeNet {
  private enum Layer: Sendable {
    /// Output channels of the four branches; of the second and third the reduction before comes first.
    case inception(String, Int, (Int, Int), (Int, Int), Int)
    case pool(String, Int)
    case auxiliary(String)
  }

  private static let layers: [Layer] = [
    .inception("3a", 64, (96, 128), (16, 32), 32), .inception("3b", 128, (128, 192), (32, 96), 64), .pool("3", 3),
    .inception("4a", 192, (96, 208), (16, 48), 64), .auxiliary("aux1"),
    .inception("4b", 160, (112, 224), (24, 64), 64), .inception("4c", 128, (128, 256), (24, 64), 64),
    .inception("4d", 112, (144, 288), (32, 64), 64), .auxiliary("aux2"),
    .inception("4e", 256, (160, 320), (32, 128), 128), .pool("4", 2),
    .inception("5a", 256, (160, 320), (32, 128), 128), .inception("5b", 384, (192, 384), (48, 128), 128),
  ]

  static let architectures = [
    Architecture("googlenet") { b, input in
      var x = b.basicConvolution(b.transformedInput(input), "conv1", 64, Extent(7), stride: 2)
      x = b.maxPool(x, "maxpool1", 3, stride: 2, ceil: true)
      x = b.basicConvolution(x, "conv2", 64, Extent(1))
      x = b.basicConvolution(x, "conv3", 192, Extent(3))
      x = b.maxPool(x, "maxpool2", 3, stride: 2, ceil: true)
      // The heads come last in the state dict.
      var heads: [(name: String, value: Value)] = []
      for layer in layers {
        switch layer {
        case .inception(let name, let first, let second, let third, let fourth):
          x = inception(&b, x, "inception" + name, first, second, third, fourth)
        case .pool(let name, let kernel): x = b.maxPool(x, "maxpool" + name, kernel, stride: 2, ceil: true)
        case .auxiliary(let name): heads.append((name, x))
        }
      }
      if b.choices.hasAuxiliaryHeads.value(published: true) {
        for head in heads { addHead(&b, head.value, head.name) }
      }
      x = b.linear(b.dropout(b.pooled(x), "dropout", 0.2), "fc", b.classes)
      // torchvision cuts the distribution off at 200 deviations.
      b.graph.reinitialize { $0.shape.rank > 1 ? .normal(standardDeviation: 0.01) : nil }
      return x
    }
  ]

  private static func inception(
    _ b: inout NetworkBuilder, _ x: Value, _ name: String, _ first: Int, _ second: (Int, Int), _ third: (Int, Int),
    _ fourth: Int
  ) -> Value {
    let one = b.basicConvolution(x, name + ".branch1", first, Extent(1))
    var two = b.basicConvolution(x, name + ".branch2.0", second.0, Extent(1))
    two = b.basicConvolution(two, name + ".branch2.1", second.1, Extent(3))
    // 5 x 5 in the paper; torchvision's weights come from a version with 3 x 3.
    var three = b.basicConvolution(x, name + ".branch3.0", third.0, Extent(1))
    three = b.basicConvolution(three, name + ".branch3.1", third.1, Extent(3))
    var four = b.maxPool(x, name + ".branch4.0", 3, stride: 1, padding: 1, ceil: true)
    four = b.basicConvolution(four, name + ".branch4.1", fourth, Extent(1))
    return b.concatenate([one, two, three, four], name + ".concatenate")
  }

  private static func addHead(_ b: inout NetworkBuilder, _ value: Value, _ name: String) {
    let pooled = b.adaptiveAveragePool(value, name + ".avgpool", 4)
    var x = b.flatten(b.basicConvolution(pooled, name + ".conv", 128, Extent(1)), name + ".flatten")
    x = b.relu(b.linear(x, name + ".fc1", 1024), name + ".relu")
    let probability = b.choices.auxiliaryDropout.value(published: 0.7)
    x = b.dropout(x, name + ".dropout", probability: probability)
    b.addAuxiliary(b.linear(x, name + ".fc2", b.classes), lossWeight: 0.3)
  }
}
