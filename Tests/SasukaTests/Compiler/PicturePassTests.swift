// Batches that go through a network's first layers a few pictures at a time: where networks are cut, and that numbers stay.
import Sasuka
import Testing

@Suite struct PicturePassTests {
  private static func cut(_ graph: Graph, _ shape: [Int]) throws -> String? {
    let graph = try DeadBranchPass.run(graph).specialized(to: [Shape(shape)])
    guard let cut = PicturePass.cut(graph) else { return nil }
    return graph.nodes.first { $0.outputs[0] == cut }?.name
  }

  /// Before the first layer of more than twice as many weights as its maps have numbers.
  @Test(arguments: [
    ("mobilenet_v2", "features.14.conv.1.2"), ("densenet121", "features.transition3.pool"),
    ("resnet18", "layer2.1.relu"),
    ("googlenet", "maxpool3"), ("vgg16", "features.18"),
  ])
  func networksAreCutWhereWeightsAreMore(name: String, place: String) throws {
    let graph = try Architecture.named(name).graph()
    let found = try Self.cut(graph, [8, 3, 224, 224])
    #expect(found == place, "\(name) is cut at \(found ?? "no layer")")
    // One part, or maps that stay in the caches.
    for shape in [[1, 3, 224, 224], [2, 3, 224, 224], [8, 3, 32, 32]] {
      #expect(try Self.cut(graph, shape) == nil, "\(shape)")
    }
  }

  /// Two convolutions with something between them.
  private static func chain(_ between: (inout Graph, Value) throws -> Value) throws -> Graph {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([4, 3, 200, 200]))
    let first = try graph.convolution(input, name: "first", outputChannels: 16, kernel: Extent(1))
    let middle = try between(&graph, first)
    let second = try graph.convolution(middle, name: "second", outputChannels: 8, kernel: Extent(1))
    graph.outputs = [try graph.activation(second, .sigmoid, name: "last")]
    return graph
  }

  @Test func whatLooksAtTheWholeBatchIsNotCut() throws {
    let shape = [4, 3, 200, 200]
    let tanh = try Self.chain { (graph, x) in try graph.activation(x, .tanh, name: "between") }
    // The second convolution computes the function behind it too.
    #expect(try Self.cut(tanh, shape) == "between")
    let statistics = try Self.chain { (graph, x) in
      let pooled = try graph.averagePool(x, name: "pool", kernel: Extent(2))
      return try graph.batchNorm(pooled, name: "between", trackRunningStatistics: false)
    }
    #expect(try Self.cut(statistics, shape) == "first")
    let turned = try Self.chain { (graph, x) in
      let flat = try graph.reshape(x, dimensions: [16 * 200 * 200], name: "flat")
      return try graph.reshape(flat, dimensions: [16, 200, 200], name: "between")
    }
    #expect(try Self.cut(turned, shape) == "first")
  }

  /// The parts of a batch are one run to who is told of it.
  @Test func progressGoesOnFromPartToPart() throws {
    final class Told { var all: [Progress] = [] }
    let told = Told()
    var options = Model.Options()
    options.progress = { progress in
      told.all.append(progress)
      return true
    }
    let graph = try Self.chain { (graph, x) in try graph.activation(x, .tanh, name: "between") }
    let model = try Model(graph, options: options)
    let shape = Shape([6, 3, 200, 200])
    let session = try Session(model, inputShape: shape)
    let (input, output) = (TestTensor([6, 3, 200, 200]), TestTensor([6, 8, 200, 200]))
    told.all = []
    try withExtendedLifetime((input, output)) { try session.run(input.tensor, to: output.tensor) }
    // Each part tells when it begins: three of two pictures, and what follows all of them.
    #expect(told.all.count >= 4)
    let done = told.all.map(\.done)
    #expect(done.first == 0 && done == done.sorted() && Set(done).count >= 4, "\(done)")
    #expect(Set(told.all.map(\.total)).count == 1 && told.all.allSatisfy { $0.done < $0.total })
  }

  private static func run(
    _ model: Model, _ shape: Shape, threads: Int, exact: Bool, without list: String?
  ) throws -> (logits: HostTensor, memory: Int) {
    var options = Session.Options()
    (options.threads, options.algorithms) = (threads, exact ? .exact : .fastest)
    if let list { options.passes = try PassChoice(without: list) }
    let session = try Session(model, inputShape: shape, options: options)
    let (input, logits) = (TestTensor.noise(shape.dimensions, "pictures"), TestTensor(session.outputShape.dimensions))
    try withExtendedLifetime((input, logits)) {
      for _ in 0..<2 { try session.run(input.tensor, to: logits.tensor) }
    }
    return (logits.host, session.memoryBytes)
  }

  // Parts of two pictures and of one.
  @Test(arguments: [4, 5])
  func numbersStay(batch: Int) throws {
    let model = try Model(Architecture.named("mobilenet_v2").graph())
    model.fillByName()
    let shape = Shape([batch, 3, 160, 160])
    for exact in [true, false] {
      let whole = try Self.run(model, shape, threads: 1, exact: exact, without: "pictures")
      let parts = try Self.run(model, shape, threads: 1, exact: exact, without: nil)
      // Plain sums are the same; the fastest algorithms may be others.
      if exact { #expect(parts.logits == whole.logits) }
      expectClose(parts.logits, whole.logits, tolerance: 1e-4, "\(batch) pictures")
      #expect(parts.memory < whole.memory, "\(parts.memory) bytes, \(whole.memory) at once")
      for threads in [2, 3] {
        let others = try Self.run(model, shape, threads: threads, exact: exact, without: nil)
        #expect(others.logits == parts.logits, "\(threads) threads")
      }
    }
  }
}
