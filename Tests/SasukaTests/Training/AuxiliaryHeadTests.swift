// Auxiliary heads: their losses count in training, and nothing of them is computed in evaluation.
import Sasuka
import Testing

@Suite struct AuxiliaryHeadTests {
  /// Which heads a network over the same trunk has.
  enum Heads: CaseIterable { case main, auxiliary, both }

  private static func graph(_ heads: Heads) throws -> Graph {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 2, 5, 5]))
    let trunk = try graph.convolution(input, name: "trunk", outputChannels: 6, kernel: Extent(3))
    let features = try graph.flatten(graph.activation(trunk, .relu, name: "relu"), name: "flatten")
    let main = try graph.linear(features, name: "main", outputFeatures: 3)
    let auxiliary = try graph.linear(features, name: "auxiliary", outputFeatures: 3)
    switch heads {
    case .main: graph.outputs = [main]
    case .auxiliary: graph.outputs = [auxiliary]
    case .both: (graph.outputs, graph.auxiliaryLossWeights) = ([main, auxiliary], [0.3])
    }
    return graph
  }

  private static func step(_ heads: Heads) throws -> (loss: Double, trainer: Trainer) {
    var options = Model.Options()
    options.seed = 7
    let trainer = try Trainer(Model(graph(heads), options: options), options: Trainer.Options())
    let input = TestTensor([4, 2, 5, 5], (0..<200).map { Float(($0 * 29) % 31) / 15 - 1 })
    try trainer.zeroGradients()
    return (try trainer.forwardBackward(input, TestTensor([4], integers: [0, 2, 1, 1])), trainer)
  }

  @Test func lossesAndGradientsAreWeightedSums() throws {
    let (main, auxiliary, both) = (try Self.step(.main), try Self.step(.auxiliary), try Self.step(.both))
    #expect(abs(both.loss - (main.loss + 0.3 * auxiliary.loss)) < 1e-6)
    func gradient(_ step: (loss: Double, trainer: Trainer), _ name: String) throws -> HostTensor {
      try #require(step.trainer.gradient(name))
    }
    for name in ["trunk.weight", "trunk.bias", "main.weight", "auxiliary.weight"] {
      let (first, second) = (try gradient(main, name), try gradient(auxiliary, name))
      let sum = zip(first.floats, second.floats).map { $0 + 0.3 * $1 }
      expectClose(try gradient(both, name), HostTensor(first.shape, sum), tolerance: 1e-6, name)
    }
  }

  @Test func evaluationComputesThePredictionAlone() throws {
    let graph = try Self.graph(.both)
    let alive = try DeadBranchPass.run(graph)
    #expect(graph.nodes.map(\.name) == ["trunk", "relu", "flatten", "main", "auxiliary"])
    #expect(alive.nodes.map(\.name) == ["trunk", "relu", "flatten", "main"])
    #expect(alive.outputs.count == 1 && alive.parameters.map(\.name) == graph.parameters.map(\.name))
  }

  /// Where only the auxiliary head needs a larger picture, evaluation takes smaller ones.
  @Test func aHeadSetsNoSmallestSizeForEvaluation() throws {
    let model = try Model(Architecture.named("inception_v3").graph())
    #expect(try model.outputShape(for: Shape([1, 3, 75, 75])) == Shape([1, 1000]))
    let trainer = try Trainer(model, options: Trainer.Options())
    let small = #expect(throws: SasukaError.self) {
      try trainer.forwardBackward(TestTensor([1, 3, 75, 75]), TestTensor([1], integers: [0]))
    }
    #expect(small?.message.contains("AuxLogits") == true)
  }

  @Test(arguments: ["googlenet", "inception_v3"])
  func theNetworksThatHaveHeadsWeighThemAsPublished(name: String) throws {
    let graph = try Architecture.named(name).graph()
    #expect(graph.auxiliaryLossWeights == (name == "googlenet" ? [0.3, 0.3] : [0.4]))
    #expect(graph.outputs.allSatisfy { graph.shape($0) == Shape([1, 1000]) })
  }
}
