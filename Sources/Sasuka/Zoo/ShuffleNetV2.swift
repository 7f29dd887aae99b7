/// ShuffleNet v2 (Ma et al. 2018, ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design).
enum ShuffleNetV2 {
  private static let table: [(name: String, channels: [Int], last: Int, recipes: Recipes)] = [
    ("x0_5", [48, 96, 192], 1024, Recipes()), ("x1_0", [116, 232, 464], 1024, Recipes()),
    ("x1_5", [176, 352, 704], 1024, .later), ("x2_0", [244, 488, 976], 2048, .later),
  ]
  private static let repeats = [4, 8, 4]

  static let architectures: [Architecture] = table.map { name, stages, last, recipes in
    Architecture("shufflenet_v2_" + name, recipes: recipes) { b, input in
      var x = b.relu(b.norm(b.convolution(input, "conv1.0", 24, 3, stride: 2), "conv1.1"), "conv1.2")
      x = b.maxPool(x, "maxpool", 3, stride: 2, padding: 1)
      for (stage, channels) in stages.enumerated() {
        for block in 0..<repeats[stage] {
          let name = "stage" + (stage + 2) + "." + block
          x = block == 0 ? reducing(&b, x, name, channels / 2) : keeping(&b, x, name, channels / 2)
        }
      }
      x = b.relu(b.norm(b.convolution(x, "conv5.0", last, 1), "conv5.1"), "conv5.2")
      return b.linear(b.pooled(x, "mean"), "fc", b.classes)
    }
  }

  private static func branch(
    _ b: inout NetworkBuilder, _ x: Value, _ name: String, _ channels: Int, _ stride: Int
  ) -> Value {
    var y = b.relu(b.norm(b.convolution(x, name + ".0", channels, 1), name + ".1"), name + ".2")
    y = b.norm(b.convolution(y, name + ".3", channels, 3, stride: stride, groups: channels), name + ".4")
    return b.relu(b.norm(b.convolution(y, name + ".5", channels, 1), name + ".6"), name + ".7")
  }

  /// The first block of a stage: both branches see all channels and halve the map.
  private static func reducing(_ b: inout NetworkBuilder, _ x: Value, _ name: String, _ channels: Int) -> Value {
    let inputs = b.channels(x)
    var y = b.convolution(x, name + ".branch1.0", inputs, 3, stride: 2, groups: inputs)
    y = b.norm(y, name + ".branch1.1")
    y = b.relu(b.norm(b.convolution(y, name + ".branch1.2", channels, 1), name + ".branch1.3"), name + ".branch1.4")
    return shuffled(&b, [y, branch(&b, x, name + ".branch2", channels, 2)], name)
  }

  /// The other blocks: half of the channels pass unchanged.
  private static func keeping(_ b: inout NetworkBuilder, _ x: Value, _ name: String, _ channels: Int) -> Value {
    let kept = b.slice(x, name + ".chunk", 0..<channels)
    let changed = b.slice(x, name + ".chunk", channels..<2 * channels)
    return shuffled(&b, [kept, branch(&b, changed, name + ".branch2", channels, 1)], name)
  }

  private static func shuffled(_ b: inout NetworkBuilder, _ halves: [Value], _ name: String) -> Value {
    b.channelShuffle(b.concatenate(halves, name + ".concatenate"), name + ".shuffle", groups: 2)
  }
}
