/// Inception v3 (Szegedy et al. 2015, Rethinking the Inception Architecture for Computer Vision), with its auxiliary
/// classifier. The blocks bear torchvision's letters.
enum InceptionV3 {
  static let architectures = [
    Architecture("inception_v3", size: 299, recipes: Recipes(resize: 342, crop: 299)) { b, input in
      var x = b.basicConvolution(b.transformedInput(input), "Conv2d_1a_3x3", 32, Extent(3), stride: 2, isPadded: false)
      x = b.basicConvolution(x, "Conv2d_2a_3x3", 32, Extent(3), isPadded: false)
      x = b.basicConvolution(x, "Conv2d_2b_3x3", 64, Extent(3))
      x = b.maxPool(x, "maxpool1", 3, stride: 2)
      x = b.basicConvolution(x, "Conv2d_3b_1x1", 80, Extent(1))
      x = b.basicConvolution(x, "Conv2d_4a_3x3", 192, Extent(3), isPadded: false)
      x = b.maxPool(x, "maxpool2", 3, stride: 2)
      for (name, pooled) in [("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)] {
        x = blockA(&b, x, name, pooled)
      }
      x = blockB(&b, x, "Mixed_6a")
      for (name, inner) in [("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)] {
        x = blockC(&b, x, name, inner)
      }
      if b.choices.hasAuxiliaryHeads.value(published: true) { addHead(&b, x, "AuxLogits") }
      x = blockD(&b, x, "Mixed_7a")
      for name in ["Mixed_7b", "Mixed_7c"] { x = blockE(&b, x, name) }
      x = b.linear(b.dropout(b.pooled(x), "dropout", 0.5), "fc", b.classes)
      // torchvision cuts the distributions off at 20 deviations and more.
      b.graph.reinitialize { weight in
        guard weight.shape.rank > 1 else { return nil }
        return .normal(standardDeviation: weight.name == "AuxLogits.fc.weight" ? 0.001 : 0.1)
      }
      return x
    }
  ]

  /// A convolution of a row of them: what stands behind the block's name, output channels, kernel.
  private typealias Step = (name: String, channels: Int, kernel: Extent)

  private static let square = Extent(3)
  private static let (row, column) = (Extent(height: 1, width: 7), Extent(height: 7, width: 1))

  @inline(never)
  private static func convolutions(_ b: inout NetworkBuilder, _ x: Value, _ name: String, _ steps: [Step]) -> Value {
    var y = x
    for step in steps { y = b.basicConvolution(y, name + ".branch" + step.name, step.channels, step.kernel) }
    return y
  }

  @inline(never)
  private static func pooled(_ b: inout NetworkBuilder, _ x: Value, _ name: String, _ channels: Int) -> Value {
    let y = b.averagePool(x, name + ".avgpool", 3, stride: 1, padding: 1)
    return b.basicConvolution(y, name + ".branch_pool", channels, Extent(1))
  }

  private static func blockA(_ b: inout NetworkBuilder, _ x: Value, _ name: String, _ poolChannels: Int) -> Value {
    let one = convolutions(&b, x, name, [("1x1", 64, Extent(1))])
    let five = convolutions(&b, x, name, [("5x5_1", 48, Extent(1)), ("5x5_2", 64, Extent(5))])
    let double = convolutions(
      &b, x, name, [("3x3dbl_1", 64, Extent(1)), ("3x3dbl_2", 96, square), ("3x3dbl_3", 96, square)])
    let pool = pooled(&b, x, name, poolChannels)
    return b.concatenate([one, five, double, pool], name + ".concatenate")
  }

  private static func blockB(_ b: inout NetworkBuilder, _ x: Value, _ name: String) -> Value {
    let three = b.basicConvolution(x, name + ".branch3x3", 384, square, stride: 2, isPadded: false)
    var double = convolutions(&b, x, name, [("3x3dbl_1", 64, Extent(1)), ("3x3dbl_2", 96, square)])
    double = b.basicConvolution(double, name + ".branch3x3dbl_3", 96, square, stride: 2, isPadded: false)
    let pool = b.maxPool(x, name + ".maxpool", 3, stride: 2)
    return b.concatenate([three, double, pool], name + ".concatenate")
  }

  private static func blockC(_ b: inout NetworkBuilder, _ x: Value, _ name: String, _ inner: Int) -> Value {
    let one = convolutions(&b, x, name, [("1x1", 192, Extent(1))])
    let seven = convolutions(&b, x, name, [("7x7_1", inner, Extent(1)), ("7x7_2", inner, row), ("7x7_3", 192, column)])
    let double = convolutions(
      &b, x, name,
      [
        ("7x7dbl_1", inner, Extent(1)), ("7x7dbl_2", inner, column), ("7x7dbl_3", inner, row),
        ("7x7dbl_4", inner, column), ("7x7dbl_5", 192, row),
      ])
    let pool = pooled(&b, x, name, 192)
    return b.concatenate([one, seven, double, pool], name + ".concatenate")
  }

  private static func blockD(_ b: inout NetworkBuilder, _ x: Value, _ name: String) -> Value {
    var three = convolutions(&b, x, name, [("3x3_1", 192, Extent(1))])
    three = b.basicConvolution(three, name + ".branch3x3_2", 320, square, stride: 2, isPadded: false)
    var seven = convolutions(
      &b, x, name, [("7x7x3_1", 192, Extent(1)), ("7x7x3_2", 192, row), ("7x7x3_3", 192, column)])
    seven = b.basicConvolution(seven, name + ".branch7x7x3_4", 192, square, stride: 2, isPadded: false)
    let pool = b.maxPool(x, name + ".maxpool", 3, stride: 2)
    return b.concatenate([three, seven, pool], name + ".concatenate")
  }

  private static func blockE(_ b: inout NetworkBuilder, _ x: Value, _ name: String) -> Value {
    let (row, column) = (Extent(height: 1, width: 3), Extent(height: 3, width: 1))
    let one = convolutions(&b, x, name, [("1x1", 320, Extent(1))])
    let three = convolutions(&b, x, name, [("3x3_1", 384, Extent(1))])
    let threeRow = convolutions(&b, three, name, [("3x3_2a", 384, row)])
    let threeColumn = convolutions(&b, three, name, [("3x3_2b", 384, column)])
    let double = convolutions(&b, x, name, [("3x3dbl_1", 448, Extent(1)), ("3x3dbl_2", 384, square)])
    let doubleRow = convolutions(&b, double, name, [("3x3dbl_3a", 384, row)])
    let doubleColumn = convolutions(&b, double, name, [("3x3dbl_3b", 384, column)])
    let pool = pooled(&b, x, name, 192)
    return b.concatenate([one, threeRow, threeColumn, doubleRow, doubleColumn, pool], name + ".concatenate")
  }

  private static func addHead(_ b: inout NetworkBuilder, _ value: Value, _ name: String) {
    var x = b.averagePool(value, name + ".avgpool", 5, stride: 3)
    x = b.basicConvolution(x, name + ".conv0", 128, Extent(1))
    x = b.basicConvolution(x, name + ".conv1", 768, Extent(5), isPadded: false)
    b.addAuxiliary(b.linear(b.pooled(x, name + ".mean"), name + ".fc", b.classes), lossWeight: 0.4)
  }
}
