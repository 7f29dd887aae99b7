/// A graph compiled for given input shapes and a mode: layouts chosen, memory placed, ready to be lowered.
package struct Plan {
  package let graph: Graph
  package let mode: Mode
  package let layouts: [Layout]
  /// Place of each tensor in the arena in floats; -1 where it does not lie there.
  let offsets: [Int]
  /// Size of the arena in floats.
  package let arenaFloatCount: Int
  /// The first node that changes the model; from there on a run is no longer cancelled.
  let firstUpdate: Int

  /// Where a tensor lies in the arena, in floats; -1 where it does not lie there.
  package func offset(of value: Value) -> Int { offsets[value.index] }

  /// Compiles a network for running; its outputs are the prediction and the values to observe.
  package static func evaluation(
    of graph: Graph, inputShapes: [Shape], observing values: [Value] = [], lanes: Int
  ) throws(SasukaError) -> Plan {
    let specialized = try prepare(graph, inputShapes, observing: values, mode: .evaluation)
    return try finish(specialized, mode: .evaluation, lanes: lanes)
  }

  /// Compiles a network for running against a target: inputs are the network's own and the target, outputs the loss and
  /// the network's own.
  package static func evaluation(
    of graph: Graph, inputShapes: [Shape], loss: Loss, targetShape: Shape, lanes: Int
  ) throws(SasukaError) -> Plan {
    var working = try prepare(graph, inputShapes, mode: .evaluation)
    let target = working.addInput(name: "target", shape: targetShape, element: loss.targetElement)
    let lossValue = try working.append(loss.operation, name: "loss", inputs: [working.outputs[0], target])[0]
    working.outputs = [lossValue] + working.outputs
    return try finish(working, mode: .evaluation, lanes: lanes)
  }

  /// Compiles a network for one training step: forward, loss (with that of auxiliary heads), backward; gradients of the
  /// `trainable` parameters (places in `Graph.parameters`) are added to the gradient store, running statistics are
  /// updated last.
  ///
  /// The graph's inputs become the network's own and then the target's; its outputs the loss and the network's own.
  package static func training(
    of graph: Graph, inputShapes: [Shape], loss: Loss, targetShape: Shape, trainable: [Int], lanes: Int
  ) throws(SasukaError) -> Plan {
    var working = try prepare(graph, inputShapes, mode: .training)
    let prediction = working.outputs[0]
    let forwardNodes = working.nodes
    let target = working.addInput(name: "target", shape: targetShape, element: loss.targetElement)
    var lossValue = try working.append(loss.operation, name: "loss", inputs: [prediction, target])[0]
    for (output, weight) in zip(working.outputs.dropFirst(), graph.auxiliaryLossWeights) {
      let part = try working.append(loss.operation, name: "auxiliary loss", inputs: [output, target])[0]
      let factor = try working.append(Fill(shape: Shape([]), value: weight), name: "auxiliary loss", inputs: [])[0]
      let scaled = try working.multiply(part, factor, name: "auxiliary loss")
      lossValue = try working.add(lossValue, scaled, name: "loss")
    }
    let seed = try working.append(Fill(shape: Shape([]), value: 1), name: "loss", inputs: [])[0]
    var wanted: [Value] = []
    for place in trainable { wanted.append(working.parameters[place].value) }
    var (complete, gradients) = try GradientPass.run(working, loss: lossValue, with: seed, wanted: wanted)
    for (value, gradient) in zip(wanted, gradients) {
      guard let gradient, case .parameter(let place) = complete[value].role else { continue }
      let name = complete.parameters[place].name
      _ = try complete.append(StoreGradient(parameter: place), name: name, inputs: [gradient])
    }
    complete.outputs = [lossValue] + complete.outputs
    for node in forwardNodes { try node.operation.appendUpdates(of: node, to: &complete) }
    return try finish(complete, mode: .training, lanes: lanes)
  }

  /// The first passes, common to every mode.
  private static func prepare(
    _ graph: Graph, _ inputShapes: [Shape], observing values: [Value] = [], mode: Mode
  ) throws(SasukaError) -> Graph {
    let needed = mode == .evaluation ? try DeadBranchPass.run(graph, observing: values) : graph
    return try FusionPass.run(ModePass.run(needed.specialized(to: inputShapes), mode: mode), mode: mode)
  }

  /// Compiles a graph as it stands: the last passes, common to every mode.
  package static func finish(_ graph: Graph, mode: Mode, lanes: Int) throws(SasukaError) -> Plan {
    let (converted, layouts) = try LayoutPass.run(graph, lanes: lanes)
    let memory = MemoryPlan(converted, layouts: layouts)
    let firstUpdate = converted.nodes.firstIndex { $0.operation.changesModel } ?? converted.nodes.count
    return Plan(
      graph: converted, mode: mode, layouts: layouts, offsets: memory.offsets, arenaFloatCount: memory.floatCount,
      firstUpdate: firstUpdate)
  }
}
