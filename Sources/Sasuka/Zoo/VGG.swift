/// VGG (Simonyan and Zisserman 2014, Very Deep Convolutional Networks for Large-Scale Image Recognition).
enum VGG {
  /// Convolutions in each of the five stages.
  private static let table: [(depth: Int, stages: [Int])] = [
    (11, [1, 1, 2, 2, 2]), (13, [2, 2, 2, 2, 2]), (16, [2, 2, 3, 3, 3]), (19, [2, 2, 4, 4, 4]),
  ]

  static let architectures: [Architecture] = table.flatMap { depth, stages in
    [false, true].map { normalizes in
      Architecture("vgg\(depth)" + (normalizes ? "_bn" : "")) { builder, input in
        body(&builder, input, stages, normalizes)
      }
    }
  }

  private static func body(_ b: inout NetworkBuilder, _ input: Value, _ stages: [Int], _ normalizes: Bool) -> Value {
    var x = input
    var place = 0
    for (stage, convolutions) in stages.enumerated() {
      for _ in 0..<convolutions {
        x = b.convolution(x, "features." + place, min(64 << stage, 512), 3, bias: true)
        if normalizes { x = b.norm(x, "features." + (place + 1)) }
        place += normalizes ? 2 : 1
        x = b.relu(x, "features." + place)
        place += 1
      }
      x = b.maxPool(x, "features." + place, 2, stride: 2)
      place += 1
    }
    x = b.pooled(x, size: 7)
    x = b.dropout(b.relu(b.linear(x, "classifier.0", 4096), "classifier.1"), "classifier.2", 0.5)
    x = b.dropout(b.relu(b.linear(x, "classifier.3", 4096), "classifier.4"), "classifier.5", 0.5)
    x = b.linear(x, "classifier.6", b.classes)
    b.initializeBiasesWithZero()
    b.initializeWeights(axes: 4) { .kaimingNormal($0, .output) }
    b.initializeWeights(axes: 2) { _ in .normal(standardDeviation: 0.01) }
    return x
  }
}
