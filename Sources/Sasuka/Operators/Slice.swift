import CSystem

/// Elements start, start + step, ... of one axis.
package final class Slice: Operator {
  package let kind = "slice"
  package let layoutRule = LayoutRule.alike
  private let axis: Int
  private let start: Int
  private let end: Int
  private let step: Int

  /// - Parameters:
  ///   - axis: a negative one counts from the end.
  ///   - start: negative ones count from the end; what lies outside is moved to the edge, as in Python.
  ///   - end: the first element that is left out; as `start`.
  ///   - step: at least 1.
  package init(axis: Int, start: Int, end: Int, step: Int = 1) {
    self.axis = axis
    self.start = start
    self.end = end
    self.step = step
  }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    let range = try range(in: inputs[0])
    return [inputs[0].replacing(axis: range.axis, with: range.count)]
  }

  fileprivate func range(in shape: Shape) throws(SasukaError) -> SliceRange {
    let axis = try shape.axis(axis)
    guard step >= 1 else { throw SasukaError(.invalidArgument, "step \(step); at least 1 is expected") }
    let size = shape[axis]
    let first = min(max(start < 0 ? start + size : start, 0), size)
    let past = min(max(end < 0 ? end + size : end, 0), size)
    guard first < past else {
      throw SasukaError(
        .invalidArgument,
        "start \(start) and end \(end) leave nothing of axis \(axis) of shape \(shape); at least one element is "
          + "expected")
    }
    return SliceRange(axis: axis, first: first, step: step, count: (past - first - 1) / step + 1)
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let shape = context.shape(context.node.inputs[0])
    let operation = SliceGradient(try range(in: shape), inputShape: shape)
    context.setGradient(ofInput: 0, try context.append(operation, [context.outputGradient])[0])
  }

  package func channelSources(_ node: Node, _ graph: Graph) -> [ChannelSource]? {
    guard let range = try? range(in: graph.shape(node.inputs[0])), range.axis == 1 else { return nil }
    return (0..<range.count).map { ChannelSource(map: 0, channel: range.first + $0 * range.step) }
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let (input, output) = (node.inputs[0], node.outputs[0])
    let range = try range(in: lowering.shape(input))
    if try lowering.gatherChannels(node) { return }
    let source = UnsafePointer(lowering.pointer(input)) + range.first * lowering.axes(input).steps[range.axis]
    let loops = range.loops(part: lowering.axes(output), whole: lowering.axes(input), toWhole: false)
    lowering.copy(loops, from: source, to: lowering.pointer(output))
  }
}

/// Puts the gradient of a slice back where the slice was, between zeros.
final class SliceGradient: Operator {
  let kind = "slice_gradient"
  let layoutRule = LayoutRule.alike
  private let range: SliceRange
  private let inputShape: Shape

  fileprivate init(_ range: SliceRange, inputShape: Shape) {
    self.range = range
    self.inputShape = inputShape
  }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputShape] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let (part, whole) = (node.inputs[0], node.outputs[0])
    let range = range
    if range.axis == 1, lowering.layout(whole) != .plain {
      var sources = [ChannelSource](repeating: .none, count: inputShape[1])
      for channel in 0..<range.count {
        sources[range.first + channel * range.step] = ChannelSource(map: 0, channel: channel)
      }
      return try lowering.gatherChannels(node, sources)
    }
    if lowering.shape(part) != inputShape { lowering.clear(whole) }
    let destination = lowering.pointer(whole) + range.first * lowering.axes(whole).steps[range.axis]
    let loops = range.loops(part: lowering.axes(part), whole: lowering.axes(whole), toWhole: true)
    lowering.copy(loops, from: UnsafePointer(lowering.pointer(part)), to: destination)
  }
}

/// A slice of a tensor of known shape; all numbers lie inside the axis.
private struct SliceRange {
  let axis: Int
  let first: Int
  let step: Int
  let count: Int

  /// Loops over the elements of the slice, from the whole tensor to the part or back.
  @inline(never)
  func loops(part: MemoryAxes, whole: MemoryAxes, toWhole: Bool) -> Loops {
    var nest: [Loops.Axis] = []
    for place in part.counts.indices {
      // The step counts only where there is more than one element, and is then less than the axis.
      let wholeStep = whole.steps[place] * (place == axis && count > 1 ? step : 1)
      nest.append(
        Loops.Axis(
          count: part.counts[place], left: toWhole ? part.steps[place] : wholeStep,
          result: toWhole ? wholeStep : part.steps[place]))
    }
    return Loops(nest)
  }
}

extension Graph {
  /// Elements start, start + step, ... below `end` of an axis that is not the batch's; negative start and end count from
  /// the end.
  @inline(never)
  package mutating func slice(
    _ input: Value, axis: Int, start: Int, end: Int, step: Int = 1, name: String
  ) throws(SasukaError) -> Value {
    let shape = shape(input)
    try naming("slice", name) { () throws(SasukaError) in _ = try shape.axisBehindBatch(axis) }
    return try append(Slice(axis: axis, start: start, end: end, step: step), name: name, inputs: [input])[0]
  }
}
