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
  /// Places of the parameters that those nodes change: statistics and counters.
  let updated: [Int]

  /// Where a tensor lies in the arena, in floats; -1 where it does not lie there.
  package func offset(of value: Value) -> Int { offsets[value.index] }

  /// Compiles a network for running; its outputs are the prediction and the values to observe.
  package static func evaluation(
    of graph: Graph, inputShapes: [Shape], observing values: [Value] = [], lanes: Int
  ) throws(SasukaError) -> Plan {
    let needed = try DeadBranchPass.run(graph, observing: values)
    return try finish(prepare(needed, inputShapes, mode: .evaluation), mode: .evaluation, lanes: lanes)
  }

  /// Compiles a network for running in evaluation mode and for the gradients of a sum of its results: the inputs are the
  /// network's own and then what each element of the prediction counts in the sum; the outputs the prediction, the values
  /// to observe, and the gradients with respect to these.
  package static func gradients(
    of graph: Graph, inputShapes: [Shape], observing values: [Value], lanes: Int
  ) throws(SasukaError) -> Plan {
    let needed = try DeadBranchPass.run(graph, observing: values)
    let specialized = try ModePass.run(needed.specialized(to: inputShapes), mode: .evaluation)
    var working = try FusionPass.run(specialized, wanted: Array(specialized.outputs.dropFirst()))
    let (prediction, wanted) = (working.outputs[0], Array(working.outputs.dropFirst()))
    let seed = working.addInput(name: "seed", shape: working.shape(prediction))
    var (complete, gradients) = try GradientPass.run(working, loss: prediction, with: seed, wanted: wanted)
    for (value, gradient) in zip(wanted, gradients) {
      if let gradient {
        complete.outputs.append(gradient)
      } else {
        let zeros = Fill(shape: complete.shape(value), value: 0)
        complete.outputs.append(try complete.append(zeros, name: "zeros", inputs: [])[0])
      }
    }
    return try finish(complete, mode: .evaluation, lanes: lanes)
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
    let target = working.addInput(name: "target", shape: targetShape, element: loss.targetElement)
    let lossValue = try working.append(loss.operation, name: "loss", inputs: [working.outputs[0], target])[0]
    working.outputs = [lossValue] + working.outputs
    return try finish(working, mode: .evaluation, lanes: lanes)
  }

  /// Compiles a network for one training step: forward, loss (with that of auxiliary heads), backward; gradients of the
  /// `trainable` parameters (places in `Graph.parameters`) are added to the gradient store, running statistics are
  /// updated last. What does not depend on trainable parameters is compiled as for evaluation: fused, its activations not
  /// kept, without a backward pass.
  ///
  /// The graph's inputs become the network's own and then the target's; its outputs the loss and the network's own.
  package static func training(
    of graph: Graph, inputShapes: [Shape], loss: Loss, targetShape: Shape, trainable: [Int],
    evaluated: ModuleChoice = ModuleChoice(), lanes: Int
  ) throws(SasukaError) -> Plan {
    var working = try prepare(graph, inputShapes, mode: .training, evaluated: evaluated, trainable: trainable)
    let prediction = working.outputs[0]
    let forwardNodes = working.nodes
    let target = working.addInput(name: "target", shape: targetShape, element: loss.targetElement)
    var lossValue = try working.append(loss.operation, name: "loss", inputs: [prediction, target])[0]
    for (output, weight) in zip(working.outputs.dropFirst(), graph.auxiliaryLossWeights) {
      // Labels are checked against the prediction's classes.
      guard working.shape(output) == working.shape(prediction) else {
        throw SasukaError(
          .invalidArgument,
          "an auxiliary head predicts \(working.shape(output)); the output's \(working.shape(prediction)) is expected")
      }
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
    _ graph: Graph, _ inputShapes: [Shape], mode: Mode, evaluated: ModuleChoice = ModuleChoice(), trainable: [Int] = []
  ) throws(SasukaError) -> Graph {
    let specialized = try ModePass.run(graph.specialized(to: inputShapes), mode: mode, evaluated: evaluated)
    var wanted: [Value] = []
    for place in trainable { wanted.append(specialized.parameters[place].value) }
    return try FusionPass.run(specialized, wanted: wanted)
  }

  private static func updated(_ graph: Graph, from firstUpdate: Int) -> [Int] {
    var places: [Int] = []
    for node in graph.nodes[firstUpdate...] {
      for input in node.inputs {
        if case .parameter(let place) = graph[input].role { places.append(place) }
      }
    }
    return places
  }

  /// Compiles a graph as it stands: the last passes, common to every mode.
  package static func finish(_ graph: Graph, mode: Mode, lanes: Int) throws(SasukaError) -> Plan {
    let (converted, layouts) = try LayoutPass.run(graph, lanes: lanes)
    let memory = MemoryPlan(converted, layouts: layouts)
    let firstUpdate = converted.nodes.firstIndex { $0.operation.changesModel } ?? converted.nodes.count
    return Plan(
      graph: converted, mode: mode, layouts: layouts, offsets: memory.offsets, arenaFloatCount: memory.floatCount,
      firstUpdate: firstUpdate, updated: updated(converted, from: firstUpdate))
  }
}
