import CSystem

/// Tensors joined along one axis.
package final class Concatenate: Operator {
  package let kind = "concatenate"
  package let layoutRule = LayoutRule.alike
  private let axis: Int

  /// - Parameter axis: a negative one counts from the end.
  package init(axis: Int) { self.axis = axis }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    guard let first = inputs.first else {
      throw SasukaError(.invalidArgument, "there is nothing to join; at least one value is expected")
    }
    let axis = try first.axis(axis)
    var size = 0
    for (place, shape) in inputs.enumerated() {
      guard shape.rank == first.rank, shape.replacing(axis: axis, with: 1) == first.replacing(axis: axis, with: 1)
      else {
        throw SasukaError(
          .invalidArgument,
          "input \(place) has shape \(shape), input 0 \(first); sizes that are equal except along axis \(axis) are "
            + "expected")
      }
      // No size is over 2^40, so that 2^23 of them stay below overflow; the sum is checked with the output's shape.
      size = min(size + shape[axis], Shape.maximumCount + 1)
    }
    return [first.replacing(axis: axis, with: size)]
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    var start = 0
    for (place, input) in context.node.inputs.enumerated() {
      let shape = context.shape(input)
      let axis = try shape.axis(axis)
      let end = start + shape[axis]
      if context.needs[place] {
        let slice = Slice(axis: axis, start: start, end: end)
        context.setGradient(ofInput: place, try context.append(slice, [context.outputGradient])[0])
      }
      start = end
    }
  }

  /// One image's channels lie one behind the other as long as they fill whole blocks.
  package func partOffsets(_ node: Node, _ graph: Graph, layout: Layout) -> [Int]? {
    let shape = graph.shape(node.outputs[0])
    guard case .blocked(let lanes) = layout, shape[0] == 1, (try? shape.axis(axis)) == 1 else { return nil }
    let area = shape[2] * shape[3]
    var offsets: [Int] = []
    var start = 0
    for input in node.inputs {
      let end = start + graph.shape(input)[1]
      let fillsBlocks = start % lanes == 0 && (end % lanes == 0 || end == shape[1])
      offsets.append(fillsBlocks ? start * area : -1)
      start = end
    }
    return offsets
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let output = node.outputs[0]
    let axis = try lowering.shape(output).axis(axis)
    if lowering.lieInPlace(node, operation: self) { return }
    if try lowering.gatherChannels(node) { return }
    let to = lowering.axes(output)
    var start = 0
    for input in node.inputs {
      let from = lowering.axes(input)
      let destination = lowering.pointer(output) + start * to.steps[axis]
      lowering.copy(
        Loops(from, to), from: UnsafePointer(lowering.pointer(input)), to: destination)
      start += lowering.shape(input)[axis]
    }
  }

  package func channelSources(_ node: Node, _ graph: Graph) -> [ChannelSource]? {
    guard (try? graph.shape(node.outputs[0]).axis(axis)) == 1 else { return nil }
    var sources: [ChannelSource] = []
    for (place, input) in node.inputs.enumerated() {
      for channel in 0..<graph.shape(input)[1] { sources.append(ChannelSource(map: place, channel: channel)) }
    }
    return sources
  }
}

extension Lowering {
  /// Whether every input was placed in the output's memory.
  fileprivate func lieInPlace(_ node: Node, operation: Concatenate) -> Bool {
    guard let offsets = operation.partOffsets(node, graph, layout: layout(node.outputs[0])) else { return false }
    let start = pointer(node.outputs[0])
    return zip(node.inputs, offsets).allSatisfy { $1 >= 0 && pointer($0) == start + $1 }
  }
}

extension Graph {
  /// Joins values along an axis that is not the batch's; their other sizes must be equal.
  @inline(never)
  package mutating func concatenate(_ inputs: [Value], axis: Int = 1, name: String) throws(SasukaError) -> Value {
    if let first = inputs.first {
      let shape = shape(first)
      try naming("concatenate", name) { () throws(SasukaError) in _ = try shape.axisBehindBatch(axis) }
    }
    return try append(Concatenate(axis: axis), name: name, inputs: inputs)[0]
  }
}
