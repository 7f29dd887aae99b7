extension Graph {
  /// The same network for another number of classes: the last layer, and that of each auxiliary head, is drawn anew as
  /// PyTorch draws its layers; everything else keeps its numbers.
  ///
  /// - Throws: `invalidArgument` for fewer than one class, `unsupported` where the last layer is neither linear nor a
  ///   convolution of 1 x 1.
  package func replacingHead(classes: Int) throws(SasukaError) -> Transformation {
    guard classes >= 1, classes <= Architecture.mostChannels else {
      throw SasukaError(
        .invalidArgument, "num_classes is \(classes); 1 to \(Architecture.mostChannels) are expected")
    }
    var heads: [Int] = []
    for output in outputs { heads.append(try lastLayer(before: output)) }
    let editor = NetworkEditor(self)
    try editor.forEachLayer { (place, node) throws(SasukaError) in
      guard heads.contains(place) else { return false }
      let weight = shape(node.inputs[1]).replacing(axis: 0, with: classes)
      try editor.substitute(
        node, node.operation, editor.mapped(node.inputs[0]),
        parameters: editor.drawnParameters(of: node, weight: weight))
      return true
    }
    return try editor.finish(outputs: outputs)
  }

  /// The place of the layer whose weights give a prediction its classes.
  @inline(never)
  func lastLayer(before output: Value) throws(SasukaError) -> Int {
    let producers = producers()
    var place = producers[output.index]
    while place >= 0 {
      let node = nodes[place]
      if node.operation is Linear { return place }
      if node.operation is Convolution {
        let weight = shape(node.inputs[1])
        if weight[2] == 1, weight[3] == 1 { return place }
      }
      guard node.inputs.count == 1 else {
        throw SasukaError(
          .unsupported,
          "the network ends with \(node.operation.kind) \"\(node.name)\"; a linear layer or a convolution of 1 x 1, with "
            + "only layers without weights behind it, is expected")
      }
      place = producers[node.inputs[0].index]
    }
    throw SasukaError(.unsupported, "the network has no layer with weights that could be its head")
  }
}
