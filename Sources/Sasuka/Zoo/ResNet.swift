/// ResNet (He et al. 2015, Deep Residual Learning for Image Recognition), ResNeXt (Xie et al. 2016, Aggregated Residual
/// Transformations) and Wide ResNet (Zagoruyko and Komodakis 2016), as torchvision has them: the stride of a bottleneck is
/// in its 3 x 3 convolution.
enum ResNet {
  private struct Sizes: Sendable {
    var blocks: [Int]
    var isBottleneck = true
    var groups = 1
    var widthPerGroup = 64
    var recipes = Recipes.twice
  }

  private static let table: [(String, Sizes)] = [
    ("resnet18", Sizes(blocks: [2, 2, 2, 2], isBottleneck: false, recipes: Recipes())),
    ("resnet34", Sizes(blocks: [3, 4, 6, 3], isBottleneck: false, recipes: Recipes())),
    ("resnet50", Sizes(blocks: [3, 4, 6, 3])),
    ("resnet101", Sizes(blocks: [3, 4, 23, 3])),
    ("resnet152", Sizes(blocks: [3, 8, 36, 3])),
    ("resnext50_32x4d", Sizes(blocks: [3, 4, 6, 3], groups: 32, widthPerGroup: 4)),
    ("resnext101_32x8d", Sizes(blocks: [3, 4, 23, 3], groups: 32, widthPerGroup: 8)),
    ("resnext101_64x4d", Sizes(blocks: [3, 4, 23, 3], groups: 64, widthPerGroup: 4, recipes: .later)),
    ("wide_resnet50_2", Sizes(blocks: [3, 4, 6, 3], widthPerGroup: 128)),
    ("wide_resnet101_2", Sizes(blocks: [3, 4, 23, 3], widthPerGroup: 128)),
  ]

  static let architectures: [Architecture] = table.map { name, sizes in
    Architecture(name, recipes: sizes.recipes) { builder, input in
      body(&builder, input, sizes)
    }
  }

  private static func body(_ b: inout NetworkBuilder, _ input: Value, _ sizes: Sizes) -> Value {
    b.offerNorms()
    let sizes = chosen(&b, sizes)
    // torchvision dilates blocks of three convolutions only.
    let dilated = sizes.isBottleneck ? b.choices.dilatedStages.value(published: 0) : 0
    var dilation = 1
    var x = b.convolution(input, "conv1", 64, 7, stride: 2)
    x = b.relu(b.norm(x, "bn1"))
    x = b.maxPool(x, "maxpool", 3, stride: 2, padding: 1)
    let total = Float(sizes.blocks.reduce(0, +))
    var place: Float = 0
    for (stage, count) in sizes.blocks.enumerated() {
      let dilates = stage > 0 && dilated >> (stage - 1) & 1 == 1
      let before = dilation
      if dilates { dilation *= 2 }
      for block in 0..<count {
        place += 1
        let stride = stage > 0 && block == 0 && !dilates ? 2 : 1
        let (name, planes) = ("layer" + (stage + 1) + "." + block, 64 << stage)
        x =
          sizes.isBottleneck
          ? bottleneck(&b, x, name, planes, stride, block == 0 ? before : dilation, sizes, place / total)
          : b.basicBlock(x, name, planes, stride, place / total)
      }
    }
    x = b.linear(b.pooled(x), "fc", b.classes)
    b.initializeResiduals(lastNorm: sizes.isBottleneck ? "bn3" : "bn2")
    return x
  }

  /// The sizes with the caller's groups and their width, of which blocks of two convolutions have none.
  private static func chosen(_ b: inout NetworkBuilder, _ published: Sizes) -> Sizes {
    guard published.isBottleneck else { return published }
    var sizes = published
    sizes.groups = b.choices.groups.value(published: published.groups)
    sizes.widthPerGroup = b.choices.widthPerGroup.value(published: published.widthPerGroup)
    return sizes
  }

  private static func bottleneck(
    _ b: inout NetworkBuilder, _ x: Value, _ name: String, _ planes: Int, _ stride: Int, _ dilation: Int,
    _ sizes: Sizes, _ depth: Float
  ) -> Value {
    let width = planes * sizes.widthPerGroup / 64 * sizes.groups
    var y = b.relu(b.norm(b.convolution(x, name + ".conv1", width, 1), name + ".bn1"), name + ".relu")
    y = b.convolution(y, name + ".conv2", width, 3, stride: stride, groups: sizes.groups, dilation: dilation)
    y = b.relu(b.norm(y, name + ".bn2"), name + ".relu")
    y = b.norm(b.convolution(y, name + ".conv3", 4 * planes, 1), name + ".bn3")
    return b.joined(y, b.projected(x, name, 4 * planes, stride), name, depth)
  }
}

extension NetworkBuilder {
  /// Two convolutions of 3 x 3 beside a shortcut.
  fileprivate mutating func basicBlock(
    _ x: Value, _ name: String, _ planes: Int, _ stride: Int, _ depth: Float
  ) -> Value {
    var y = convolution(x, name + ".conv1", planes, 3, stride: stride)
    y = relu(norm(y, name + ".bn1"), name + ".relu")
    y = norm(convolution(y, name + ".conv2", planes, 3), name + ".bn2")
    return joined(y, projected(x, name, planes, stride), name, depth)
  }

  /// The shortcut: x itself, or projected where shapes change.
  fileprivate mutating func projected(_ x: Value, _ name: String, _ channels: Int, _ stride: Int) -> Value {
    guard stride != 1 || self.channels(x) != channels else { return x }
    let projection = convolution(x, name + ".downsample.0", channels, 1, stride: stride)
    return norm(projection, name + ".downsample.1")
  }

  fileprivate mutating func joined(_ y: Value, _ shortcut: Value, _ name: String, _ depth: Float) -> Value {
    relu(residual(y, shortcut, name, depth: depth), name + ".relu")
  }

  fileprivate mutating func initializeResiduals(lastNorm: String) {
    initializeWeights(axes: 4) { .kaimingNormal($0, .output) }
    guard choices.zeroInitializesResiduals.value(published: false) else { return }
    let ending = "." + lastNorm + ".weight"
    graph.reinitialize { $0.name.utf8.ends(with: ending.utf8) ? .constant(0) : nil }
  }
}

/// The ResNets for CIFAR-10 of section 4.2 of the same paper: three stages of 16, 32 and 64 channels at 32 x 32, with
/// projections (option B) where shapes change. They have no torchvision name; parameters are named as in its ResNet.
enum CIFARResNet {
  static let architectures: [Architecture] = [20, 32, 44, 56, 110].map { depth in
    Architecture("cifar_resnet\(depth)", size: 32, classes: 10) { b, input in
      var x = b.convolution(input, "conv1", 16, 3)
      x = b.relu(b.norm(x, "bn1"))
      let blocks = (depth - 2) / 6
      for place in 0..<(3 * blocks) {
        let (stage, block) = (place / blocks, place % blocks)
        x = b.basicBlock(
          x, "layer" + (stage + 1) + "." + block, 16 << stage, stage > 0 && block == 0 ? 2 : 1,
          Float(place + 1) / Float(3 * blocks))
      }
      x = b.linear(b.pooled(x), "fc", b.classes)
      b.initializeResiduals(lastNorm: "bn2")
      return x
    }
  }
}
