/// Cuts a network in two for a batch: the first part computes a few pictures at a time, for the maps of all of them would leave
/// the caches between one operator and the next; the second, where layers have more weights than maps have numbers, computes
/// all at once and reads its weights once. Where the cut is does not depend on the number of threads.
package enum PicturePass {
  /// Floats of the largest map of a batch that may stay in the last cache, and of a picture's that is worth a part of its own.
  private static let mostFloats = 2_000_000
  private static let fewestFloats = 100_000

  /// Pictures of a part: two, one for each thread if there are two.
  package static func picturesAtOnce(of batch: Int) -> Int { batch % 2 == 0 ? 2 : 1 }

  /// The value that is the first part's result and all that the second reads, in a network with the shapes of a run and one
  /// output; nil where the whole batch is as fast at once.
  package static func cut(_ graph: Graph) -> Value? {
    let pictures = graph.shape(graph.inputs[0])[0]
    guard pictures > picturesAtOnce(of: pictures) else { return nil }
    let readers = Readers(graph)
    var cut: Value?
    var largest = 0
    // The last node that reads something from before the node at hand.
    var reach = readers.last[graph.inputs[0].index]
    for (place, node) in graph.nodes.enumerated() {
      guard let floats = mapFloats(of: node, graph, pictures) else { break }
      largest = max(largest, floats)
      let result = node.outputs[0]
      let reader = readers.last[result.index]
      // Nothing that the operator would do before its result goes to memory.
      if reach <= place, reader >= 0, readers.counts[result.index] > 1 || graph.nodes[reader].operation.follower == nil
      {
        cut = result
      }
      reach = max(reach, reader)
    }
    return largest >= fewestFloats && largest >= mostFloats / pictures ? cut : nil
  }

  /// Floats of a picture's result; nil where it is no map, where pictures depend on each other, or where there are many weights
  /// for the maps.
  private static func mapFloats(of node: Node, _ graph: Graph, _ pictures: Int) -> Int? {
    // A normalisation without running statistics has the batch's.
    if node.operation.kind == "batch_norm", node.inputs.count < 4 { return nil }
    let result = graph.shape(node.outputs[0])
    guard node.outputs.count == 1, result.rank == 4, result[0] == pictures else { return nil }
    var (weights, floats) = (0, result.count)
    for input in node.inputs {
      let shape = graph.shape(input)
      if graph.parameterPlace(input) != nil {
        weights += shape.count
      } else {
        guard shape.rank == 4, shape[0] == pictures else { return nil }
        floats += shape.count
      }
    }
    return weights <= floats / pictures * 2 ? result.count / pictures : nil
  }
}
