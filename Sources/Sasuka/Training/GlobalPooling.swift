extension Graph {
  /// The same features, each averaged over the whole map, and one linear layer instead of the classifier (Lin, Chen and
  /// Yan 2013, Network in Network). It has the last layer's name and number of classes and is drawn anew.
  ///
  /// - Throws: `unsupported` where no linear layer over a flattened map is the last.
  package func poolingGlobally() throws(SasukaError) -> Transformation {
    let last = try lastLayer(before: outputs[0])
    var map = nodes[try flattening(before: last)].inputs[0]
    // A pooling to a fixed size before the classifier gives way too.
    let pool = producers()[map.index]
    var name = "avgpool"
    if pool >= 0, nodes[pool].adaptivePool != nil { (map, name) = (nodes[pool].inputs[0], nodes[pool].name) }
    let editor = NetworkEditor(self)
    try editor.forEachLayer { (place, node) throws(SasukaError) in
      guard place == last else { return false }
      let weight = Shape([shape(node.inputs[1])[0], shape(map)[1]])
      let average = try editor.append(AveragePool(AdaptiveWindows(Extent(1))), name: name, editor.mapped(map))
      try editor.substitute(
        node, node.operation, editor.append(Flatten(), name: "flatten", average),
        parameters: editor.drawnParameters(of: node, weight: weight))
      return true
    }
    return try editor.finish(outputs: outputs)
  }

  /// The place of the layer that makes a vector of the map which a classifier's last layer rests on.
  private func flattening(before last: Int) throws(SasukaError) -> Int {
    let node = nodes[last]
    let isBehind = liveNodes(for: [node.inputs[0]]).nodes
    for place in (0..<last).reversed()
    where isBehind[place] && nodes[place].operation is Flatten && shape(nodes[place].inputs[0]).rank == 4 {
      if node.operation is Linear { return place }
    }
    throw SasukaError(
      .unsupported, "\"\(node.name)\" does not end a classifier of linear layers over a flattened map")
  }
}

extension Node {
  /// Whether it does the same to each number alone, or to each channel.
  var isElementwise: Bool { operation is Activation || operation is Dropout || operation is BatchNorm }

  /// The size that it averages maps to, if it does.
  var adaptivePool: Extent? { ((operation as? AveragePool)?.windows as? AdaptiveWindows)?.output }
}
