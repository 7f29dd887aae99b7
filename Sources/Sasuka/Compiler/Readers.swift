/// Who reads the tensors of a graph.
struct Readers {
  /// How often each tensor is read, by index; the network's outputs are read once more.
  private(set) var counts: [Int]
  /// The last node that reads a tensor, by index; -1 for none.
  private(set) var last: [Int]

  @inline(never)
  init(_ graph: Graph) {
    counts = [Int](repeating: 0, count: graph.tensors.count)
    last = [Int](repeating: -1, count: graph.tensors.count)
    for (place, node) in graph.nodes.enumerated() {
      for input in node.inputs {
        counts[input.index] += 1
        last[input.index] = place
      }
    }
    for output in graph.outputs { counts[output.index] += 1 }
  }
}
