// Chains of concatenations, shuffles and slices: what the graph looks like, and that the numbers stay.
import Sasuka
import Testing

@Suite struct ChannelPassTests {
  private static func blocks(_ graph: inout Graph, _ input: Value) throws(SasukaError) -> Value {
    try blocks(&graph, input, channels: 20)
  }

  /// Two blocks as ShuffleNet v2 has them: so many channels are kept, as many are convolved; those of a part begin within vectors.
  private static func blocks(_ graph: inout Graph, _ input: Value, channels: Int) throws(SasukaError) -> Value {
    let a = try graph.convolution(input, name: "a", outputChannels: channels, kernel: Extent(1))
    let b = try graph.convolution(input, name: "b", outputChannels: channels, kernel: Extent(1))
    var x = try graph.channelShuffle(graph.concatenate([a, b], name: "join1"), groups: 2, name: "shuffle1")
    let kept = try graph.slice(x, axis: 1, start: 0, end: channels, name: "kept")
    let changed = try graph.slice(x, axis: 1, start: channels, end: 2 * channels, name: "changed")
    let c = try graph.convolution(changed, name: "c", outputChannels: channels, kernel: Extent(1))
    x = try graph.channelShuffle(graph.concatenate([kept, c], name: "join2"), groups: 2, name: "shuffle2")
    return try graph.convolution(x, name: "d", outputChannels: 3, kernel: Extent(1))
  }

  /// Moves channels of the input itself, in the layout of the host; what a slice with a step leaves out is read by nobody.
  private static func movesOnly(_ graph: inout Graph, _ input: Value) throws(SasukaError) -> Value {
    let joined = try graph.concatenate([input, input, input], name: "join")
    let shuffled = try graph.channelShuffle(joined, groups: 7, name: "shuffle")
    return try graph.slice(shuffled, axis: 1, start: 2, end: 17, step: 3, name: "slice")
  }

  /// - Parameter wanted: parameters whose gradients will be asked for.
  private func nodes(
    wanted: [String] = [], _ build: (inout Graph, Value) throws(SasukaError) -> Value
  ) throws -> (before: [String], after: [String]) {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 7, 5, 3]))
    graph.outputs = [try build(&graph, input)]
    func words(_ graph: Graph) -> [String] { graph.nodes.map { "\($0.operation.kind) \($0.name)" } }
    let values = graph.parameters.filter { wanted.contains($0.name) }.map(\.value)
    return (words(graph), words(try ChannelPass.run(graph, wanted: values)))
  }

  @Test func channelsAreMovedOnce() throws {
    let nodes = try nodes(Self.blocks)
    #expect(
      nodes.before == [
        "convolution a", "convolution b", "concatenate join1", "channel_shuffle shuffle1", "slice kept",
        "slice changed",
        "convolution c", "concatenate join2", "channel_shuffle shuffle2", "convolution d",
      ])
    #expect(
      nodes.after == [
        "convolution a", "convolution b", "channel_gather kept", "convolution c", "convolution d",
      ])
    #expect(try self.nodes(Self.movesOnly).after == ["channel_gather slice"])
  }

  @Test func whatOthersReadStays() throws {
    let after = try nodes { (graph, input) throws(SasukaError) in
      let joined = try graph.concatenate([input, input], name: "join")
      let half = try graph.slice(joined, axis: 1, start: 3, end: 10, name: "slice")
      let whole = try graph.convolution(joined, name: "a", outputChannels: 7, kernel: Extent(1))
      return try graph.append(Add(), name: "add", inputs: [half, whole])[0]
    }.after
    #expect(after == ["concatenate join", "channel_gather slice", "convolution a", "add add"])
  }

  /// A frozen part is computed as for evaluation, so that features from there train a head as the whole network does.
  @Test func whatHasAGradientStays() throws {
    let all = try nodes(wanted: ["a.weight"], Self.blocks)
    #expect(all.after == all.before)
    #expect(
      try nodes(wanted: ["d.weight"], Self.blocks).after == [
        "convolution a", "convolution b", "channel_gather kept", "convolution c", "channel_gather shuffle2",
        "convolution d",
      ])
  }

  /// Only a 1 x 1 convolution that alone reads channels from two maps by turns reads them where they lie.
  @Test(arguments: [
    (start: 5, kernel: 1, stride: 1, groups: 1, reads: 1, moves: true),
    (start: 4, kernel: 1, stride: 1, groups: 1, reads: 1, moves: false),
    (start: 4, kernel: 3, stride: 1, groups: 1, reads: 1, moves: true),
    (start: 4, kernel: 1, stride: 2, groups: 1, reads: 1, moves: true),
    (start: 4, kernel: 1, stride: 1, groups: 2, reads: 1, moves: true),
    (start: 4, kernel: 1, stride: 1, groups: 1, reads: 2, moves: true),
  ])
  func whatDoesNotFitIsMoved(
    start: Int, kernel: Int, stride: Int, groups: Int, reads: Int, moves: Bool
  ) throws {
    let after = try nodes { (graph, input) throws(SasukaError) in
      let other = try graph.convolution(input, name: "other", outputChannels: 7, kernel: Extent(1))
      let joined = try graph.concatenate([input, other], name: "join")
      let shuffled = try graph.channelShuffle(joined, groups: 2, name: "shuffle")
      let taken = try graph.slice(shuffled, axis: 1, start: start, end: start + 6, name: "taken")
      let first = try graph.convolution(
        taken, name: "a", outputChannels: 2, kernel: Extent(kernel), stride: Extent(stride), groups: groups)
      guard reads == 2 else { return first }
      let second = try graph.convolution(taken, name: "b", outputChannels: 2, kernel: Extent(kernel))
      return try graph.append(Add(), name: "add", inputs: [first, second])[0]
    }.after
    #expect(after.contains("channel_gather taken") == moves)
  }

  /// 36 channels are units of two vectors and one that is joined to the last of them, with AVX2; 63 pixels are tiles of 5 and 6.
  @Test(arguments: [1, 2], [(channels: 20, height: 5, width: 3), (channels: 36, height: 7, width: 9)])
  func numbersStay(batch: Int, size: (channels: Int, height: Int, width: Int)) throws {
    for isPlain in [false, true] {
      let count = batch * 7 * size.height * size.width
      let numbers = (0..<count).map { Float(($0 * 7919) % 1000) / 500 - 1 }
      var parameters: [String: [Float]] = [:]
      for (place, name) in ["a", "b", "c", "d"].enumerated() {
        let outputs = name == "d" ? 3 : size.channels
        let inputs = ["c": size.channels, "d": 2 * size.channels][name] ?? 7
        parameters["\(name).weight"] = (0..<outputs * inputs).map { Float(($0 * 37 + place) % 101) / 50 - 1 }
        parameters["\(name).bias"] = (0..<outputs).map { Float($0) / 8 }
      }
      var run = OperatorRun(
        mode: .evaluation, inputs: [HostTensor([batch, 7, size.height, size.width], numbers)], parameters: parameters
      ) { (graph, values) throws(SasukaError) in
        isPlain
          ? try Self.movesOnly(&graph, values[0]) : try Self.blocks(&graph, values[0], channels: size.channels)
      }
      let plain = try run.everywhere()
      run.fuses = true
      for (one, other) in zip(plain, try run.everywhere()) {
        // A convolution that takes channels by turns sums them in another order; of twice as many, it rounds as many more.
        let tolerance: Float = isPlain ? 0 : 5e-8 * Float(size.channels)
        expectClose(other.result.output, one.result.output, tolerance: tolerance, "\(one.kernels)")
      }
    }
  }
}
