/// RegNetX and RegNetY (Radosavovic et al. 2020, Designing Network Design Spaces). The widths that the paper's rule gives
/// are written out.
enum RegNet {
  private struct Sizes: Sendable {
    var widths: [Int]
    var depths: [Int]
    var groupWidth: Int
    /// Squeeze-excitation in each block: RegNetY.
    var squeezes = true
    var recipes = Recipes.twice
  }

  private static let alsoSWAG = Recipes(secondResize: 232, hasSWAG: true)

  private static let table: [(String, Sizes)] = [
    ("y_400mf", Sizes(widths: [48, 104, 208, 440], depths: [1, 3, 6, 6], groupWidth: 8)),
    ("y_800mf", Sizes(widths: [64, 144, 320, 784], depths: [1, 3, 8, 2], groupWidth: 16)),
    ("y_1_6gf", Sizes(widths: [48, 120, 336, 888], depths: [2, 6, 17, 2], groupWidth: 24)),
    ("y_3_2gf", Sizes(widths: [72, 216, 576, 1512], depths: [2, 5, 13, 1], groupWidth: 24)),
    ("y_8gf", Sizes(widths: [224, 448, 896, 2016], depths: [2, 4, 10, 1], groupWidth: 56)),
    ("y_16gf", Sizes(widths: [224, 448, 1232, 3024], depths: [2, 4, 11, 1], groupWidth: 112, recipes: alsoSWAG)),
    ("y_32gf", Sizes(widths: [232, 696, 1392, 3712], depths: [2, 5, 12, 1], groupWidth: 232, recipes: alsoSWAG)),
    (
      "y_128gf",
      Sizes(
        widths: [528, 1056, 2904, 7392], depths: [2, 7, 17, 1], groupWidth: 264,
        recipes: Recipes(resize: 0, hasSWAG: true))
    ),
    ("x_400mf", Sizes(widths: [32, 64, 160, 400], depths: [1, 2, 7, 12], groupWidth: 16, squeezes: false)),
    ("x_800mf", Sizes(widths: [64, 128, 288, 672], depths: [1, 3, 7, 5], groupWidth: 16, squeezes: false)),
    ("x_1_6gf", Sizes(widths: [72, 168, 408, 912], depths: [2, 4, 10, 2], groupWidth: 24, squeezes: false)),
    ("x_3_2gf", Sizes(widths: [96, 192, 432, 1008], depths: [2, 6, 15, 2], groupWidth: 48, squeezes: false)),
    ("x_8gf", Sizes(widths: [80, 240, 720, 1920], depths: [2, 5, 15, 1], groupWidth: 120, squeezes: false)),
    ("x_16gf", Sizes(widths: [256, 512, 896, 2048], depths: [2, 6, 13, 1], groupWidth: 128, squeezes: false)),
    ("x_32gf", Sizes(widths: [336, 672, 1344, 2520], depths: [2, 7, 13, 1], groupWidth: 168, squeezes: false)),
  ]

  static let architectures: [Architecture] = table.map { name, sizes in
    Architecture("regnet_" + name, recipes: sizes.recipes) { b, input in
      b.offerNorms()
      var x = b.layer(input, "stem", 32, 3, stride: 2, .relu)
      for (stage, (width, depth)) in zip(sizes.widths, sizes.depths).enumerated() {
        for place in 0..<depth {
          let name = "trunk_output.block" + (stage + 1) + ".block" + (stage + 1) + "-" + place
          x = block(&b, x, name, width, place == 0 ? 2 : 1, sizes)
        }
      }
      x = b.linear(b.pooled(x), "fc", b.classes)
      b.initializeWeights(axes: 4) { .normal(standardDeviation: (2 / Float($0[0] * $0[2] * $0[3])).squareRoot()) }
      b.initializeWeights(axes: 2) { _ in .normal(standardDeviation: 0.01) }
      b.graph.reinitialize { $0.name == "fc.bias" ? .constant(0) : nil }
      return x
    }
  }

  private static func block(
    _ b: inout NetworkBuilder, _ x: Value, _ name: String, _ width: Int, _ stride: Int, _ sizes: Sizes
  ) -> Value {
    let inputs = b.channels(x)
    let shortcut = inputs != width || stride != 1 ? b.layer(x, name + ".proj", width, 1, stride: stride, nil) : x
    var y = b.layer(x, name + ".f.a", width, 1, .relu)
    let groups = width / min(sizes.groupWidth, width)
    y = b.layer(y, name + ".f.b", width, 3, stride: stride, groups: groups, .relu)
    if sizes.squeezes {
      let squeezed = Int((0.25 * Double(inputs)).rounded(.toNearestOrEven))
      y = b.squeezeExcitation(y, name + ".f.se", squeezed, .relu, .sigmoid)
    }
    y = b.layer(y, name + ".f.c", width, 1, nil)
    return b.relu(b.add(shortcut, y, name + ".add"), name + ".activation")
  }
}
