/// Networks split at a module.
extension Graph {
  /// The part of the network between two modules: its input is what `start` computes, its output what `end` computes;
  /// nil is the network's own. All parameters stay, used or not, so that the part shares the whole's.
  ///
  /// - Throws: `notFound` for a module that does not exist; `invalidArgument` where a layer behind `start` reads something
  ///   else of what lies before it as well.
  package func part(from start: String?, to end: String? = nil) throws(SasukaError) -> Graph {
    var whole = self
    if let end {
      whole.outputs = [try output(ofModule: end)]
      whole.auxiliaryLossWeights = []
    }
    guard let start else { return whole }
    return try whole.behind(output(ofModule: start), start)
  }

  /// The part behind a value, whose name messages have.
  func behind(_ cut: Value, _ name: String) throws(SasukaError) -> Graph {
    let isBehind = dependents(on: [cut])
    var obstacle = outputs[0] == cut || !isBehind[outputs[0].index] ? "no layer behind it leads to the output" : ""
    var nodes: [Node] = []
    for node in self.nodes where node.outputs[0] != cut && isBehind[node.outputs[0].index] {
      for input in node.inputs where !isBehind[input.index] && !isParameter(input) {
        obstacle = "\"" + node.name + "\" reads something else before it too"
      }
      nodes.append(node)
    }
    guard obstacle == "" else {
      throw SasukaError(
        .invalidArgument,
        "the network cannot be split at \"\(name)\": \(obstacle); a module through which every way leads is expected")
    }
    var result = self
    result.replaceNodes(nodes, input: cut, name: name)
    for place in outputs.indices.reversed() where !isBehind[outputs[place].index] {
      // An auxiliary head before the cut.
      result.outputs.remove(at: place)
      result.auxiliaryLossWeights.remove(at: place - 1)
    }
    return result
  }

  /// Places in `parameters` of the learnt parameters that the nodes read, ascending.
  var learntPlaces: [Int] {
    var isRead = [Bool](repeating: false, count: tensors.count)
    for node in nodes {
      for input in node.inputs { isRead[input.index] = true }
    }
    return parameters.indices.filter { parameters[$0].kind == .weight && isRead[parameters[$0].value.index] }
  }
}
