/// Places the tensors of a graph in one arena so that tensors which live at the same time do not overlap.
package struct MemoryPlan {
  /// Place of each tensor in the arena, in floats; -1 for tensors that do not lie there.
  package private(set) var offsets: [Int]
  /// Size of the arena in floats.
  package private(set) var floatCount = 0

  private struct Tenant {
    let index: Int
    let size: Int
    let firstUse: Int
    var lastUse: Int
  }

  /// Each tensor takes the lowest gap that is free over its whole life; larger tensors choose first
  /// (Pisarchyk and Lee 2020, Efficient Memory Management for Deep Neural Net Inference).
  package init(_ graph: Graph, layouts: [Layout]) {
    offsets = [Int](repeating: -1, count: graph.tensors.count)
    var landlords = [Int](0..<graph.tensors.count)
    let tenants = MemoryPlan.lives(of: graph, layouts: layouts, landlords: &landlords)
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
    for (index, landlord) in landlords.enumerated() where landlord != index { offsets[index] = offsets[landlord] }
  }

  /// When each tensor of the arena is written first and read last; a tensor that overwrites another is its tenant still.
  private static func lives(of graph: Graph, layouts: [Layout], landlords: inout [Int]) -> [Tenant] {
    let end = graph.nodes.count
    var lastUse = [Int](repeating: -1, count: graph.tensors.count)
    for (place, node) in graph.nodes.enumerated() {
      for input in node.inputs { lastUse[input.index] = place }
    }
    // What the host writes and reads stays in place from one run to the next.
    for value in graph.inputs + graph.outputs { lastUse[value.index] = end }
    var tenants = [Tenant?](repeating: nil, count: graph.tensors.count)
    func size(_ value: Value) -> Int {
      (layouts[value.index].storageCount(of: graph.shape(value)) + 15) / 16 * 16
    }
    for input in graph.inputs {
      tenants[input.index] = Tenant(index: input.index, size: size(input), firstUse: -1, lastUse: end)
    }
    for (place, node) in graph.nodes.enumerated() {
      for output in node.outputs {
        tenants[output.index] = Tenant(
          index: output.index, size: size(output), firstUse: place, lastUse: max(place, lastUse[output.index]))
      }
      guard let input = node.operation.inputToOverwrite(node).map({ node.inputs[$0] }), let output = node.outputs.first,
        graph[input].role == .activation, lastUse[input.index] == place, graph.shape(input) == graph.shape(output),
        size(input) == size(output),
        node.inputs.count(where: { $0 == input }) == 1
      else { continue }
      let landlord = landlords[input.index]
      landlords[output.index] = landlord
      tenants[output.index] = nil
      tenants[landlord]?.lastUse = max(place, lastUse[output.index])
    }
    return tenants.compactMap { $0 }
  }
}
