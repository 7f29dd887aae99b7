/// A graph compiled for given input shapes and a mode: layouts chosen, memory placed, ready to be lowered.
package final class Plan {
  package let graph: Graph
  package let mode: Mode
  package let layouts: [Layout]
  /// Place of each tensor in the arena in floats; -1 where it does not lie there.
  let offsets: [Int]
  /// Size of the arena in floats.
  package let arenaFloatCount: Int
  /// The first node that changes the model; from there on a run is no longer cancelled.
  let firstUpdate: Int
  /// Places of the parameters that those nodes change: statistics and counters.
  let updated: [Int]

  /// Whether the network's input may stay where the host has it, as all that reads it are convolutions of planes and copies to
  /// blocks.
  let lendsInput: Bool
  /// Whether the first output may be written where the host wants it, as it is a copy from blocks that nothing else reads.
  let lendsOutput: Bool

  /// Where a tensor lies in the arena, in floats; -1 where it does not lie there.
  package func offset(of value: Value) -> Int { offsets[value.index] }

  /// Multiply-adds of a node, and the bytes of its inputs, parameters and outputs.
  @inline(never)
  func work(of node: Int) -> (multiplyAdds: Int, bytes: Int) {
    let node = graph.nodes[node]
    var (inputs, outputs): ([Shape], [Shape]) = ([], [])
    var count = 0
    for value in node.inputs { inputs.append(graph.shape(value)) }
    for value in node.outputs { outputs.append(graph.shape(value)) }
    for shape in inputs + outputs { count = saturatingSum(count, shape.count) }
    let bytes = saturatingProduct(count, MemoryLayout<Float>.stride)
    return (node.operation.multiplyAdds(inputs: inputs, outputs: outputs), bytes)
  }

  /// For how many threads a run has enough to do: waking one takes about as long as a million and a half multiply-adds or bytes.
  var threadsWithWork: Int {
    var work = 0
    for node in graph.nodes.indices {
      let (multiplyAdds, bytes) = self.work(of: node)
      work = saturatingSum(work, saturatingSum(multiplyAdds, bytes))
    }
    return max(1, work / 1_500_000)
  }

  /// Compiles a network for running; its outputs are the prediction and the values to observe.
  package static func evaluation(
    of graph: Graph, inputShapes: [Shape], observing values: [Value] = [], passes: PassChoice = PassChoice(),
    lanes: Int
  ) throws(SasukaError) -> Plan {
    let needed = try needed(graph, observing: values, passes)
    let prepared = try prepare(needed, inputShapes, mode: .evaluation, passes: passes)
    return try Plan(finishing: prepared, mode: .evaluation, passes: passes, lanes: lanes)
  }

  /// Compiles a network for running in evaluation mode and for the gradients of a sum of its results: the inputs are the
  /// network's own and then what each element of the prediction counts in the sum; the outputs the prediction, the values
  /// to observe, and the gradients with respect to these.
  package static func gradients(
    of graph: Graph, inputShapes: [Shape], observing values: [Value], passes: PassChoice = PassChoice(), lanes: Int
  ) throws(SasukaError) -> Plan {
    let needed = try needed(graph, observing: values, passes)
    let specialized = try ModePass.run(needed.specialized(to: inputShapes), mode: .evaluation)
    var working = try FusionPass.run(
      specialized, wanted: Array(specialized.outputs.dropFirst()), passes: passes)
    let (prediction, wanted) = (working.outputs[0], Array(working.outputs.dropFirst()))
    let seed = working.addInput(name: "seed", shape: working.shape(prediction))
    var (complete, gradients) = try GradientPass.run(working, loss: prediction, with: seed, wanted: wanted)
    try complete.appendOutputs(gradients, from: 0, of: wanted)
    return try Plan(finishing: complete, mode: .evaluation, passes: passes, lanes: lanes)
  }

  /// The network with its prediction and some other values as outputs.
  private static func needed(
    _ graph: Graph, observing values: [Value], _ passes: PassChoice
  ) throws(SasukaError) -> Graph {
    if passes.makes(.deadBranches) { return try DeadBranchPass.run(graph, observing: values) }
    var whole = graph
    whole.outputs = [graph.outputs[0]] + values
    return whole
  }

  /// The first node that reads an input of the host: those before it can run without that input.
  func firstReader(ofInput place: Int) -> Int {
    let input = graph.inputs[place]
    return graph.nodes.firstIndex { $0.inputs.contains(input) } ?? graph.nodes.count
  }

  /// Compiles a network for running against a target: inputs are the network's own and the target, outputs the loss and
  /// the network's own.
  package static func evaluation(
    of graph: Graph, inputShapes: [Shape], loss: Loss, targetShape: Shape, lanes: Int
  ) throws(SasukaError) -> Plan {
    var working = try prepare(DeadBranchPass.run(graph), inputShapes, mode: .evaluation)
    let lossValue = try working.appendLoss(loss, targetShape, auxiliaries: [])
    working.outputs = [lossValue] + working.outputs
    return try Plan(finishing: working, mode: .evaluation, lanes: lanes)
  }

  /// Compiles a network for one training step: forward, loss (with that of auxiliary heads), backward; gradients of the
  /// `trainable` parameters (places in `Graph.parameters`) are added to the gradient store, running statistics are
  /// updated last. What does not depend on trainable parameters is compiled as for evaluation: fused, its activations not
  /// kept, without a backward pass.
  ///
  /// The graph's inputs become the network's own and then the target's; its outputs the loss, the network's own, the
  /// values to observe, and the loss's gradients with respect to these. Without a target there is no loss, and no more than
  /// the network's own and the values.
  package static func training(
    of graph: Graph, inputShapes: [Shape], loss: Loss, targetShape: Shape?, trainable: [Int],
    evaluated: ModuleChoice = ModuleChoice(), observing values: [Value] = [], lanes: Int
  ) throws(SasukaError) -> Plan {
    var working = try prepare(
      graph, inputShapes, mode: .training, evaluated: evaluated, observing: values, trainable: trainable)
    let forwardNodes = working.nodes
    if let targetShape {
      let observed = Array(working.outputs.suffix(values.count))
      let lossValue = try working.appendLoss(loss, targetShape, auxiliaries: graph.auxiliaryLossWeights)
      let seed = try working.append(Fill(shape: Shape([]), value: 1), name: "loss", inputs: [])[0]
      var wanted: [Value] = []
      for place in trainable { wanted.append(working.parameters[place].value) }
      let (complete, gradients) = try GradientPass.run(working, loss: lossValue, with: seed, wanted: wanted + observed)
      working = complete
      for (place, gradient) in zip(trainable, gradients) {
        guard let gradient else { continue }
        let name = working.parameters[place].name
        _ = try working.append(StoreGradient(parameter: place), name: name, inputs: [gradient])
      }
      working.outputs = [lossValue] + working.outputs
      try working.appendOutputs(gradients, from: trainable.count, of: observed)
    }
    for node in forwardNodes { try node.operation.appendUpdates(of: node, to: &working) }
    return try Plan(finishing: working, mode: .training, lanes: lanes)
  }

  /// The first passes, common to every mode; the values to observe become the last outputs.
  private static func prepare(
    _ graph: Graph, _ inputShapes: [Shape], mode: Mode, evaluated: ModuleChoice = ModuleChoice(),
    observing values: [Value] = [], trainable: [Int] = [], passes: PassChoice = PassChoice()
  ) throws(SasukaError) -> Graph {
    var observed = graph
    observed.outputs += values
    let specialized = try ModePass.run(observed.specialized(to: inputShapes), mode: mode, evaluated: evaluated)
    // Values of another graph at each pass.
    func wanted(_ graph: Graph) -> [Value] {
      Array(graph.outputs.suffix(values.count)) + trainable.map { graph.parameters[$0].value }
    }
    let fused = try FusionPass.run(specialized, wanted: wanted(specialized), passes: passes)
    return passes.makes(.channels) ? try ChannelPass.run(fused, wanted: wanted(fused)) : fused
  }

  /// Compiles a graph as it stands: the last passes, common to every mode.
  package init(
    finishing graph: Graph, mode: Mode, passes: PassChoice = PassChoice(), lanes: Int
  ) throws(SasukaError) {
    let (converted, layouts) = try LayoutPass.run(graph, lanes: lanes, keepsBlocked: passes.makes(.layout))
    let memory = MemoryPlan(converted, layouts: layouts, passes: passes)
    self.graph = converted
    self.mode = mode
    self.layouts = layouts
    offsets = memory.offsets
    arenaFloatCount = memory.floatCount
    firstUpdate = converted.nodes.firstIndex { $0.operation.changesModel } ?? converted.nodes.count
    updated = converted.parameterPlaces(of: firstUpdate..<converted.nodes.count)
    lendsInput = Plan.lendsInput(converted, layouts)
    lendsOutput = Plan.lendsOutput(converted)
  }

  private static func lendsInput(_ graph: Graph, _ layouts: [Layout]) -> Bool {
    guard graph.inputs.count == 1 else { return false }
    let input = graph.inputs[0]
    return layouts[input.index] == .plain && !graph.outputs.contains(input)
      && graph.nodes.allSatisfy {
        !$0.inputs.contains(input) || $0.operation is Convolution || $0.operation is BandedConvolution
          || $0.operation is ConvertLayout
      }
  }

  private static func lendsOutput(_ graph: Graph) -> Bool {
    let output = graph.outputs[0]
    var isCopy = false
    for node in graph.nodes {
      if node.inputs.contains(output) { return false }
      if node.outputs.contains(output) { isCopy = node.operation is ConvertLayout }
    }
    return isCopy && !graph.outputs.dropFirst().contains(output)
  }
}

extension Graph {
  /// The loss of the prediction, and that of auxiliary heads as these weigh it, against a target, which becomes an input.
  fileprivate mutating func appendLoss(
    _ loss: Loss, _ targetShape: Shape, auxiliaries weights: [Float]
  ) throws(SasukaError) -> Value {
    var element = TensorInfo.Element.float32
    if case .operation(_, let made) = loss { element = made }
    let target = addInput(name: "target", shape: targetShape, element: element)
    var sum = try append(loss, of: outputs[0], against: target, name: "loss")
    for (output, weight) in zip(outputs.dropFirst(), weights) {
      // Labels are checked against the prediction's classes.
      guard shape(output) == shape(outputs[0]) else {
        throw SasukaError(
          .invalidArgument,
          "an auxiliary head predicts \(shape(output)); the output's \(shape(outputs[0])) is expected")
      }
      let part = try append(loss, of: output, against: target, name: "auxiliary loss")
      let factor = try append(Fill(shape: Shape([]), value: weight), name: "auxiliary loss", inputs: [])[0]
      sum = try add(sum, multiply(part, factor, name: "auxiliary loss"), name: "loss")
    }
    return sum
  }

  /// Makes gradients from a place on outputs; where a value has none, zeros of its shape.
  fileprivate mutating func appendOutputs(
    _ gradients: [Value?], from first: Int, of values: [Value]
  ) throws(SasukaError) {
    for (place, value) in values.enumerated() {
      if let gradient = gradients[first + place] {
        outputs.append(gradient)
      } else {
        let zeros = Fill(shape: shape(value), value: 0)
        outputs.append(try append(zeros, name: "zeros", inputs: [])[0])
      }
    }
  }
}
