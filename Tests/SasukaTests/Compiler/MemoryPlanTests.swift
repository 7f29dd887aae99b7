// Random graphs: tensors that live at the same time never share memory, but for one that overwrites what dies there.
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
    var values = [graph.addInput(name: "input", shape: Shape([2, 1 + draw(20), 6, 5]))]
    if draw(2) == 0 { values.append(graph.addInput(name: "other", shape: graph.shape(values[0]))) }
    for step in 0..<(3 + draw(25)) {
      // Mostly what was made last, so that lives are short and long.
      let value = values[draw(3) == 0 ? draw(values.count) : values.count - 1]
      let name = "node\(step)"
      switch draw(6) {
      case 0, 1:
        values.append(try graph.activation(value, draw(2) == 0 ? .relu : .sigmoid, name: name))
      case 2:
        values.append(try graph.convolution(value, name: name, outputChannels: 1 + draw(20), kernel: Extent(1)))
      case 3:
        let same = values.filter { graph.shape($0) == graph.shape(value) }
        values.append(try graph.add(value, same[draw(same.count)], name: name))
      case 4:
        values.append(try graph.concatenate([value, values[draw(values.count)]], name: name))
      default:
        values.append(try graph.slice(value, axis: 1, start: 0, end: 1 + draw(8), name: name))
      }
    }
    graph.outputs = draw(2) == 0 ? [values[values.count - 1]] : [values[values.count - 1], values[draw(values.count)]]
    return graph
  }

  private struct Life {
    let index: Int
    let memory: Range<Int>
    let written: Int
    let lastRead: Int
  }

  private static func lives(in graph: Graph, layouts: [Layout], plan: MemoryPlan) -> [Life] {
    let end = graph.nodes.count
    return graph.tensors.indices.compactMap { index in
      guard plan.offsets[index] >= 0 else { return nil }
      let isInput = graph.inputs.contains { $0.index == index }
      let isKept = isInput || graph.outputs.contains { $0.index == index }
      let written = graph.nodes.firstIndex { $0.outputs.contains { $0.index == index } } ?? -1
      let read = graph.nodes.lastIndex { $0.inputs.contains { $0.index == index } } ?? written
      let size = layouts[index].storageCount(of: graph.tensors[index].shape)
      return Life(
        index: index, memory: plan.offsets[index]..<(plan.offsets[index] + size), written: isInput ? -1 : written,
        lastRead: isKept ? end : read)
    }
  }

  @Test func livingTensorsDoNotOverlap() throws {
    var overwritten = 0
    for seed in 0..<300 {
      let compiled = try Plan.finish(Self.randomGraph(seed: seed), mode: .evaluation, lanes: seed % 2 == 0 ? 16 : 8)
      let (graph, layouts) = (compiled.graph, compiled.layouts)
      let plan = MemoryPlan(graph, layouts: layouts)
      let lives = Self.lives(in: graph, layouts: layouts, plan: plan)
      #expect(lives.allSatisfy { $0.memory.upperBound <= plan.floatCount && $0.memory.lowerBound % 16 == 0 })
      for (place, first) in lives.enumerated() {
        for second in lives[(place + 1)...] where first.memory.overlaps(second.memory) {
          let (older, newer) = first.written <= second.written ? (first, second) : (second, first)
          if older.lastRead < newer.written { continue }
          let node = graph.nodes[newer.written]
          let sameMemory = older.memory == newer.memory && older.lastRead == newer.written
          let isOverwritten = node.operation.inputToOverwrite(node).map { node.inputs[$0].index } == older.index
          #expect(
            sameMemory && isOverwritten, "seed \(seed): tensors \(older.index) and \(newer.index) share memory at work")
          overwritten += 1
        }
      }
    }
    // The graphs do exercise overwriting.
    #expect(overwritten > 100)
  }

  /// A chain needs the memory of two of its tensors, however long it is.
  @Test func aChainReusesItsMemory() throws {
    var graph = Graph()
    var value = graph.addInput(name: "input", shape: Shape([1, 16, 8, 8]))
    for step in 0..<20 {
      value = try graph.convolution(value, name: "conv\(step)", outputChannels: 16, kernel: Extent(1))
    }
    graph.outputs = [value]
    let compiled = try Plan.finish(graph, mode: .evaluation, lanes: 16)
    // The input stays where it is; two maps take turns, the last of them the output.
    #expect(compiled.arenaFloatCount == 3 * 16 * 8 * 8)
  }
}
