// Every network of the registry takes a new head that has the old one's names.
import Sasuka
import Testing

@Suite struct HeadReplacementTests {
  /// Auxiliary heads have a last layer of their own.
  private static let headCounts = ["googlenet": 3, "inception_v3": 2]

  @Test(arguments: Architecture.all.map(\.name))
  func newHeadsHaveTheSizesOfANetworkForAsManyClasses(name: String) throws {
    let architecture = try Architecture.named(name)
    let graph = try architecture.graph()
    let changed = try graph.replacingHead(classes: 7)
    var options = ArchitectureOptions()
    options.classes = 7
    let expected = try architecture.graph(options)
    #expect(changed.graph.parameters.map(\.name) == expected.parameters.map(\.name))
    #expect(changed.graph.parameters.map(\.shape) == expected.parameters.map(\.shape))
    #expect(changed.graph.parameters.map(\.kind) == expected.parameters.map(\.kind))
    #expect(changed.graph.auxiliaryLossWeights == graph.auxiliaryLossWeights)
    #expect(changed.graph.outputs.map { changed.graph.shape($0) } == expected.outputs.map { expected.shape($0) })
    // All else keeps its numbers at its place.
    let drawn = changed.origins.enumerated().filter { $0.element != $0.offset }
    #expect(drawn.allSatisfy { $0.element == -1 })
    #expect(drawn.count == 2 * Self.headCounts[name, default: 1], "\(name)")
  }

  @Test func networksWithoutAHeadAreNamed() throws {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 3, 8, 8]))
    graph.outputs = [try graph.convolution(input, name: "last", outputChannels: 4, kernel: Extent(3))]
    #expect(
      throws: SasukaError(
        .unsupported,
        "the network ends with convolution \"last\"; a linear layer or a convolution of 1 x 1, with only layers without "
          + "weights behind it, is expected")
    ) { try graph.replacingHead(classes: 3) }
  }
}
