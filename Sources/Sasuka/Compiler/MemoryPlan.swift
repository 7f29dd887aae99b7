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
    let lastUse: Int
  }

  /// Each tensor takes the lowest gap that is free over its whole life; larger tensors choose first
  /// (Pisarchyk and Lee 2020, Efficient Memory Management for Deep Neural Net Inference). Tensors that share the memory of
  /// one are placed with it.
  package init(_ graph: Graph, layouts: [Layout], passes: PassChoice = PassChoice()) {
    offsets = [Int](repeating: -1, count: graph.tensors.count)
    let sharing = MemorySharing(graph, layouts: layouts, inPlace: passes.makes(.inPlace))
    var tenants: [Tenant] = []
    for index in graph.tensors.indices where sharing.isOwner(index) {
      let life = passes.makes(.reuse) ? sharing.life(ofOwner: index) : (first: -1, last: graph.nodes.count)
      tenants.append(Tenant(index: index, size: sharing.size(index), firstUse: life.first, lastUse: life.last))
    }
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
    for index in offsets.indices where sharing.owner(of: index) != index {
      offsets[index] = offsets[sharing.owner(of: index)] + sharing.start(of: index)
    }
  }
}
