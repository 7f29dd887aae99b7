/// ShuffleNet v2 (Ma et al. 2018, ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design).
enum ShuffleNetV2 {
  private static let table: [(name: String, channels: [Int], last: Int, recipes: Recipes)] = [
    ("x0_5", [48, 96, 192], 1024, Recipes()), ("x1_0", [116, 232, 464], 1024, Recipes()),
    ("x1_5", [176, 352, 704], 1024, .later), ("x2_0", [244, 488, 976], 2048, .later),
  ]
  private static let repeats = [4, 8, 4]

  static let architectures: [Architecture] = table.map { name, stages, last, recipes in
    Architecture("shufflenet_v2_" + name, recipes: recipes) { (b, input) throws(SasukaError) in
      var x = try b.relu(b.norm(b.convolution(input, "conv1.0", 24, 3, stride: 2), "conv1.1"), "conv1.2")
      x = try b.maxPool(x, "maxpool", 3, stride: 2, padding: 1)
      for (stage, channels) in stages.enumerated() {
        for block in 0..<repeats[stage] {
          let name = "stage" + (stage + 2) + "." + block
          x = block == 0 ? try reducing(&b, x, name, channels / 2) : try keeping(&b, x, name, channels / 2)
        }
      }
      x = try b.relu(b.norm(b.convolution(x, "conv5.0", last, 1), "conv5.1"), "conv5.2")
      return try b.linear(b.pooled(x, "mean"), "fc", b.classes)
    }
  }

  private static func branch(
    _ b: inout NetworkBuilder, _ x: Value, _ name: String, _ channels: Int, _ stride: Int
  ) throws(SasukaError) -> Value {
    var y = try b.relu(b.norm(b.convolution(x, name + ".0", channels, 1), name + ".1"), name + ".2")
    y = try b.norm(b.convolution(y, name + ".3", channels, 3, stride: stride, groups: channels), name + ".4")
    return try b.relu(b.norm(b.convolution(y, name + ".5", channels, 1), name + ".6"), name + ".7")
  }

  /// The first block of a stage: both branches see all channels and halve the map.
  private static func reducing(
    _ b: inout NetworkBuilder, _ x: Value, _ name: String, _ channels: Int
  ) throws(SasukaError) -> Value {
    let inputs = b.channels(x)
    var y = try b.convolution(x, name + ".branch1.0", inputs, 3, stride: 2, groups: inputs)
    y = try b.norm(y, name + ".branch1.1")
    y = try b.relu(b.norm(b.convolution(y, name + ".branch1.2", channels, 1), name + ".branch1.3"), name + ".branch1.4")
    return try shuffled(&b, [y, branch(&b, x, name + ".branch2", channels, 2)], name)
  }

  /// The other blocks: half of the channels pass unchanged.
  private static func keeping(
    _ b: inout NetworkBuilder, _ x: Value, _ name: String, _ channels: Int
  ) throws(SasukaError) -> Value {
    let kept = try b.graph.slice(x, axis: 1, start: 0, end: channels, name: name + ".chunk")
    let changed = try b.graph.slice(x, axis: 1, start: channels, end: 2 * channels, name: name + ".chunk")
    return try shuffled(&b, [kept, branch(&b, changed, name + ".branch2", channels, 1)], name)
  }

  private static func shuffled(
    _ b: inout NetworkBuilder, _ halves: [Value], _ name: String
  ) throws(SasukaError) -> Value {
    try b.graph.channelShuffle(
      b.graph.concatenate(halves, name: name + ".concatenate"), groups: 2, name: name + ".shuffle")
  }
}
