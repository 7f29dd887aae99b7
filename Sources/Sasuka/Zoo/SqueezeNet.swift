/// SqueezeNet (Iandola et al. 2016, SqueezeNet: AlexNet-Level Accuracy with 50x Fewer Parameters).
enum SqueezeNet {
  private enum Layer: Sendable {
    /// Channels that a fire module squeezes to; it expands them to four times as many twice.
    case fire(Int)
    case pool
  }

  private static let table: [(name: String, first: Int, kernel: Int, layers: [Layer])] = [
    (
      "squeezenet1_0", 96, 7,
      [.fire(16), .fire(16), .fire(32), .pool, .fire(32), .fire(48), .fire(48), .fire(64), .pool, .fire(64)]
    ),
    (
      "squeezenet1_1", 64, 3,
      [.fire(16), .fire(16), .pool, .fire(32), .fire(32), .pool, .fire(48), .fire(48), .fire(64), .fire(64)]
    ),
  ]

  static let architectures: [Architecture] = table.map { name, first, kernel, layers in
    Architecture(name) { b, input in
      var x = b.convolution(input, "features.0", first, kernel, stride: 2, padding: 0, bias: true)
      x = b.relu(x, "features.1")
      x = b.maxPool(x, "features.2", 3, stride: 2, ceil: true)
      for (place, layer) in layers.enumerated() {
        let name = "features." + (place + 3)
        switch layer {
        case .fire(let squeezed): x = fire(&b, x, name, squeezed)
        case .pool: x = b.maxPool(x, name, 3, stride: 2, ceil: true)
        }
      }
      x = b.convolution(b.dropout(x, "classifier.0", 0.5), "classifier.1", b.classes, 1, bias: true)
      x = b.pooled(b.relu(x, "classifier.2"), "classifier.3")
      b.initializeBiasesWithZero()
      b.graph.reinitialize { weight in
        guard weight.shape.rank == 4 else { return nil }
        return weight.name == "classifier.1.weight"
          ? .normal(standardDeviation: 0.01) : .kaimingUniform(weight.shape)
      }
      return x
    }
  }

  private static func fire(_ b: inout NetworkBuilder, _ x: Value, _ name: String, _ squeezed: Int) -> Value {
    let y = b.relu(b.convolution(x, name + ".squeeze", squeezed, 1, bias: true), name + ".squeeze_activation")
    let small = b.relu(
      b.convolution(y, name + ".expand1x1", 4 * squeezed, 1, bias: true), name + ".expand1x1_activation")
    let large = b.relu(
      b.convolution(y, name + ".expand3x3", 4 * squeezed, 3, bias: true), name + ".expand3x3_activation")
    return b.concatenate([small, large], name + ".concatenate")
  }
}
