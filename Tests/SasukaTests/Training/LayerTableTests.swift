// Tables of layers: where parameters and arithmetic sit, and what a layer sees of the picture, as published.
import Sasuka
import Testing

@Suite struct LayerTableTests {
  private static func layers(_ name: String) throws -> [String: LayerInfo] {
    let graph = try Architecture.named(name).graph()
    var layers: [String: LayerInfo] = [:]
    try graph.forEachLayer(at: graph.shape(graph.inputs[0])) { layers[$0.node.name] = $0 }
    return layers
  }

  /// Simonyan and Zisserman 2014: 138 million parameters, nine tenths of them in the fully connected layers, while the
  /// convolutions compute.
  @Test func theParametersOfVGG16SitInItsClassifier() throws {
    let layers = try Self.layers("vgg16")
    #expect(layers.values.map(\.parameters).reduce(0, +) == 138_357_544)
    #expect(try #require(layers["classifier.0"]).parameters == 25_088 * 4096 + 4096)
    let linear = layers.values.filter { $0.node.operation.kind == "linear" }
    #expect(linear.map(\.parameters).reduce(0, +) == 123_642_856)
    let convolutions = layers.values.filter { $0.node.operation.kind == "convolution" }
    #expect(convolutions.map(\.multiplyAdds).reduce(0, +) == 15_346_630_656)
    #expect(linear.map(\.multiplyAdds).reduce(0, +) == 123_633_664)
    #expect(try #require(layers["features.0"]).activationBytes == 4 * 64 * 224 * 224)
  }

  /// Araujo, Norris and Sim 2019, Computing Receptive Fields of Convolutional Neural Networks, table 1. Their ResNets of 483
  /// and 1027 pixels halve the map at the end of a stage, torchvision's at its beginning.
  @Test(arguments: [
    ("alexnet", "features.12", 195, 32), ("vgg16", "features.30", 212, 32), ("resnet50", "layer4.2.relu", 427, 32),
    ("resnet101", "layer4.2.relu", 971, 32),
  ])
  func receptiveFieldsAreThePublishedOnes(name: String, layer: String, size: Int, step: Int) throws {
    let field = try #require(Self.layers(name)[layer]?.field)
    #expect(field.rows.size == size && field.rows.step == step && field.rows == field.columns)
  }

  @Test(arguments: Architecture.all.map(\.name))
  func everyArchitectureHasATable(name: String) throws {
    let graph = try Architecture.named(name).graph()
    var (count, parameters) = (0, 0)
    try graph.forEachLayer(at: graph.shape(graph.inputs[0])) {
      count += 1
      parameters += $0.parameters
      // GoogLeNet's auxiliary heads begin with averages of 14 x 14 to 4 x 4 pixels, whose windows differ in size.
      let isKnown = $0.field != nil || $0.node.inputs.isEmpty
      #expect(isKnown != (name == "googlenet" && $0.node.name.hasPrefix("aux")), "\($0.node.name)")
    }
    #expect(count == graph.nodes.count)
    #expect(parameters == graph.parameters.filter { $0.kind == .weight }.map(\.shape.count).reduce(0, +))
  }
}
