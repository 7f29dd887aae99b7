// Random graphs, run by name: every node finds in memory what was written for it.
import Sasuka
import Testing

@Suite struct MemoryPlanTests {
  /// Numbers drawn in a row.
  private struct Draw {
    let state: RandomState
    var index: UInt64 = 0

    mutating func callAsFunction(_ count: Int) -> Int {
      index += 1
      return Int(state.words(stream: 7, index: index)[0]) % count
    }
  }

  private static func randomGraph(seed: Int) throws -> Graph {
    var draw = Draw(state: RandomState(seed: UInt64(seed), iteration: 0))
    var graph = Graph()
    let (batch, unit) = (1 + draw(2), draw(2) == 0 ? 1 : 8)
    var values = [graph.addInput(name: "input", shape: Shape([batch, unit * (1 + draw(8)), 6, 5]))]
    if draw(2) == 0 { values.append(graph.addInput(name: "other", shape: graph.shape(values[0]))) }
    for step in 0..<(3 + draw(25)) {
      // Mostly what was made last, so that lives are short and long.
      let value = values[draw(3) == 0 ? draw(values.count) : values.count - 1]
      let name = "node\(step)"
      switch draw(7) {
      case 0, 1:
        values.append(try graph.activation(value, draw(2) == 0 ? .relu : .sigmoid, name: name))
      case 2:
        values.append(
          try graph.convolution(value, name: name, outputChannels: unit * (1 + draw(6)), kernel: Extent(1)))
      case 3:
        let same = values.filter { graph.shape($0) == graph.shape(value) }
        values.append(try graph.add(value, same[draw(same.count)], name: name))
      case 4, 5:
        values.append(try graph.concatenate([value, values[draw(values.count)]], name: name))
      default:
        values.append(try graph.slice(value, axis: 1, start: 0, end: 1 + draw(8), name: name))
      }
    }
    graph.outputs = draw(2) == 0 ? [values[values.count - 1]] : [values[values.count - 1], values[draw(values.count)]]
    return graph
  }

  /// The arena while a plan runs: which numbers lie where, in pieces of a block's eight lanes at least.
  private struct Arena {
    static let piece = 8
    let graph: Graph
    let layouts: [Layout]
    let plan: MemoryPlan
    var memory: [Int]
    /// What a tensor holds: names of numbers that only its writer made, or those of its parts.
    var contents: [[Int]]
    var names = 0
    var overwritten = 0
    var joinedInPlace = 0

    init(_ graph: Graph, layouts: [Layout]) {
      (self.graph, self.layouts) = (graph, layouts)
      plan = MemoryPlan(graph, layouts: layouts)
      memory = [Int](repeating: -1, count: plan.floatCount / Arena.piece)
      contents = [[Int]](repeating: [], count: graph.tensors.count)
      for input in graph.inputs { write(input, fresh(input)) }
    }

    func places(_ value: Value) -> Range<Int> {
      let first = plan.offsets[value.index] / Arena.piece
      let floats = layouts[value.index].storageCount(of: graph.shape(value))
      return first..<(first + (floats + Arena.piece - 1) / Arena.piece)
    }

    mutating func fresh(_ value: Value) -> [Int] {
      let count = places(value).count
      names += count
      return [Int]((names - count)..<names)
    }

    mutating func write(_ value: Value, _ numbers: [Int]) {
      contents[value.index] = numbers
      memory.replaceSubrange(places(value), with: numbers)
    }

    func holds(_ value: Value) -> Bool {
      if case .parameter = graph[value].role { return true }
      return [Int](memory[places(value)]) == contents[value.index]
    }

    /// What a node's first output holds: the inputs' numbers where a concatenation could lie in place.
    mutating func result(of node: Node) -> [Int] {
      let output = node.outputs[0]
      guard let offsets = node.operation.partOffsets(node, graph, layout: layouts[output.index]) else {
        return fresh(output)
      }
      var numbers = fresh(output)
      for (input, offset) in zip(node.inputs, offsets) where offset >= 0 {
        let start = offset / Arena.piece
        let part = contents[input.index]
        numbers.replaceSubrange(start..<(start + part.count), with: part)
        if places(input).lowerBound == places(output).lowerBound + start { joinedInPlace += 1 }
      }
      return numbers
    }

    /// Runs a node; false where an operand is not what it was or is written while it is read.
    mutating func run(_ node: Node) -> Bool {
      var isSound = node.inputs.allSatisfy { holds($0) }
      let overwrites = node.operation.inputToOverwrite(node).map { node.inputs[$0] }
      let joins = node.operation.partOffsets(node, graph, layout: layouts[node.outputs[0].index]) != nil
      let target = places(node.outputs[0])
      for input in node.inputs where plan.offsets[input.index] >= 0 {
        guard places(input).overlaps(target) else { continue }
        if input == overwrites, places(input) == target {
          overwritten += 1
        } else if !joins {
          isSound = false
        }
      }
      write(node.outputs[0], result(of: node))
      for output in node.outputs.dropFirst() { write(output, fresh(output)) }
      return isSound
    }
  }

  @Test func everyNodeReadsWhatWasWritten() throws {
    var (overwritten, joinedInPlace) = (0, 0)
    for seed in 0..<400 {
      let lanes = seed % 2 == 0 ? 16 : 8
      let compiled = try Plan(finishing: Self.randomGraph(seed: seed), mode: .evaluation, lanes: lanes)
      var arena = Arena(compiled.graph, layouts: compiled.layouts)
      #expect(arena.plan.offsets.allSatisfy { $0 < 0 || $0 % lanes == 0 })
      for node in compiled.graph.nodes {
        let isSound = arena.run(node)
        #expect(isSound, "seed \(seed): \(node.operation.kind) \(node.name) reads what is not there")
      }
      for value in compiled.graph.outputs + compiled.graph.inputs {
        #expect(arena.holds(value), "seed \(seed): input or output \(value.index) is lost")
      }
      overwritten += arena.overwritten
      joinedInPlace += arena.joinedInPlace
    }
    // The graphs do exercise both.
    #expect(overwritten > 100)
    #expect(joinedInPlace > 100)
  }

  /// Features that each layer adds to a row, as in DenseNet: every row is the beginning of the next, and nothing is copied.
  @Test func growingRowsShareOneMemory() throws {
    var graph = Graph()
    var features = [graph.addInput(name: "input", shape: Shape([1, 32, 4, 4]))]
    features[0] = try graph.convolution(features[0], name: "stem", outputChannels: 32, kernel: Extent(1))
    for layer in 0..<4 {
      let row = try graph.concatenate(features, name: "row\(layer)")
      features.append(try graph.convolution(row, name: "layer\(layer)", outputChannels: 16, kernel: Extent(1)))
    }
    let row = try graph.concatenate(features, name: "all")
    graph.outputs = [try graph.convolution(row, name: "last", outputChannels: 16, kernel: Extent(1))]
    let compiled = try Plan(finishing: graph, mode: .evaluation, lanes: 16)
    let joins = compiled.graph.nodes.filter { $0.operation.kind == "concatenate" }
    let starts = Set(joins.map { compiled.offset(of: $0.outputs[0]) })
    #expect(joins.count == 5 && starts.count == 1)
    let places = features.dropFirst().map { graph.tensors[$0.index].name }
    for (channels, name) in zip(stride(from: 32, to: 96, by: 16), places) {
      let node = try #require(compiled.graph.nodes.first { $0.name == name && $0.operation.kind == "convolution" })
      #expect(compiled.offset(of: node.outputs[0]) == starts.first! + channels * 16)
    }
  }

  /// A chain needs the memory of two of its tensors, however long it is.
  @Test func aChainReusesItsMemory() throws {
    var graph = Graph()
    var value = graph.addInput(name: "input", shape: Shape([1, 16, 8, 8]))
    for step in 0..<20 {
      value = try graph.convolution(value, name: "conv\(step)", outputChannels: 16, kernel: Extent(1))
    }
    graph.outputs = [value]
    let compiled = try Plan(finishing: graph, mode: .evaluation, lanes: 16)
    // The input stays where it is; two maps take turns, the last of them the output.
    #expect(compiled.arenaFloatCount == 3 * 16 * 8 * 8)
  }
}
