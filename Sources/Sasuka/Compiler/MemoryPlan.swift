/// Places the tensors of a graph in one arena so that tensors which live at the same time do not overlap.
struct MemoryPlan {
  /// Place of each tensor in the arena, in floats; -1 for tensors that do not lie there.
  private(set) var offsets: [Int]
  /// Size of the arena in floats.
  private(set) var floatCount = 0

  private struct Tenant {
    let index: Int
    let size: Int
    let firstUse: Int
    var lastUse: Int
  }

  /// Each tensor takes the lowest gap that is free over its whole life; larger tensors choose first
  /// (Pisarchyk and Lee 2020, Efficient Memory Management for Deep Neural Net Inference).
  init(_ graph: Graph, layouts: [Layout]) {
    offsets = [Int](repeating: -1, count: graph.tensors.count)
    let tenants = MemoryPlan.lives(of: graph, layouts: layouts)
    var placed: [Tenant] = []  // in the order of their offsets
    for place in ascendingPlaces(tenants.count, { tenants[$0].size > tenants[$1].size }) {
      let tenant = tenants[place]
      var offset = 0
      for other in placed where other.firstUse <= tenant.lastUse && tenant.firstUse <= other.lastUse {
        let start = offsets[other.index]
        if start >= offset + tenant.size { break }
        offset = max(offset, start + other.size)
      }
      offsets[tenant.index] = offset
      floatCount = max(floatCount, offset + tenant.size)
      let place = placed.firstIndex { offsets[$0.index] > offset } ?? placed.count
      placed.insert(tenant, at: place)
    }
  }

  private static func lives(of graph: Graph, layouts: [Layout]) -> [Tenant] {
    var tenants = [Tenant?](repeating: nil, count: graph.tensors.count)
    let end = graph.nodes.count
    func tenant(_ value: Value, from firstUse: Int, to lastUse: Int) -> Tenant {
      let size = layouts[value.index].storageCount(of: graph.shape(value))
      return Tenant(index: value.index, size: (size + 15) / 16 * 16, firstUse: firstUse, lastUse: lastUse)
    }
    // What the host writes and reads stays in place from one run to the next.
    for input in graph.inputs { tenants[input.index] = tenant(input, from: -1, to: end) }
    for (place, node) in graph.nodes.enumerated() {
      for input in node.inputs {
        guard let tenant = tenants[input.index] else { continue }
        tenants[input.index]!.lastUse = max(tenant.lastUse, place)
      }
      for output in node.outputs { tenants[output.index] = tenant(output, from: place, to: place) }
    }
    for output in graph.outputs where tenants[output.index] != nil { tenants[output.index]!.lastUse = end }
    return tenants.compactMap { $0 }
  }
}
