// A network's layers as data: sizes, windows, receptive fields and costs at a given input.

/// One layer of a network that runs on an input of a known shape.
package struct LayerInfo {
  package let node: Node
  package let output: Shape
  /// What slides over the layer's map, if anything does.
  package let window: Window?
  /// What one of its values sees of the input, by rows and by columns; nil where values see fields of different sizes.
  package let field: MapField?
  /// Learnt numbers.
  package let parameters: Int
  package let multiplyAdds: Int
  /// Of its result as float32.
  package var activationBytes: Int { saturatingProduct(output.count, MemoryLayout<Float>.stride) }
}

/// A receptive field in both directions.
package struct MapField: Equatable {
  package var rows = ReceptiveField()
  package var columns = ReceptiveField()

  /// Behind a window; nil for fields too large to count.
  @inline(never)
  func appending(_ window: Window) -> MapField? {
    var result = self
    do {
      try result.rows.append(
        kernel: window.kernel.height, stride: window.stride.height, dilation: window.dilation.height,
        before: window.padding.top)
      try result.columns.append(
        kernel: window.kernel.width, stride: window.stride.width, dilation: window.dilation.width,
        before: window.padding.left)
    } catch { return nil }
    return result
  }
}

extension Graph {
  /// Shows all layers, auxiliary heads included, in the order of computation for an input of this shape.
  ///
  /// - Throws: as `specialized(to:)`.
  @inline(never)
  package func forEachLayer(at input: Shape, _ show: (LayerInfo) -> Void) throws(SasukaError) {
    let network = try specialized(to: [input])
    var fields = FieldInference(network)
    for node in network.nodes {
      var inputShapes: [Shape] = []
      var parameterCount = 0
      for input in node.inputs {
        inputShapes.append(network.shape(input))
        if let place = network.parameterPlace(input), parameters[place].kind == .weight {
          parameterCount = saturatingSum(parameterCount, parameters[place].shape.count)
        }
      }
      let output = network.shape(node.outputs[0])
      let window = node.operation.window(inputs: inputShapes)
      show(
        LayerInfo(
          node: node, output: output, window: window, field: fields.infer(node, window), parameters: parameterCount,
          multiplyAdds: node.operation.multiplyAdds(inputs: inputShapes, outputs: [output])))
    }
  }
}

/// Follows receptive fields through a network.
private struct FieldInference {
  private let graph: Graph
  /// The place in `known` of each tensor's field, by index.
  private var places: [Int]
  private var known = [MapField()]

  /// Depends on no input.
  private static let none = -1
  /// Its values see fields of different sizes.
  private static let uneven = -2

  init(_ graph: Graph) {
    self.graph = graph
    places = [Int](repeating: FieldInference.none, count: graph.tensors.count)
    for input in graph.inputs { places[input.index] = 0 }
  }

  mutating func infer(_ node: Node, _ window: Window?) -> MapField? {
    var place = FieldInference.none
    var map = Shape([])
    var field = MapField()
    for input in node.inputs {
      let next = places[input.index]
      if next == FieldInference.uneven || place == FieldInference.uneven {
        place = FieldInference.uneven
      } else if next >= 0, place < 0 {
        (place, field, map) = (next, known[next], graph.shape(input))
      } else if next >= 0 {
        // A gate of 1 x 1 comes second; the steps are the map's.
        field = MapField(rows: field.rows.union(known[next].rows), columns: field.columns.union(known[next].columns))
      }
    }
    var result: MapField?
    if place >= 0 {
      result = behind(field, map, graph.shape(node.outputs[0]), window)
      place = FieldInference.uneven
    }
    if let result {
      place = known.count
      known.append(result)
    }
    for value in node.outputs { places[value.index] = place }
    return result
  }

  private func behind(_ field: MapField, _ map: Shape, _ output: Shape, _ window: Window?) -> MapField? {
    guard map.rank == 4 else { return output.rank == 4 ? nil : field }
    let size = Extent(height: map[2], width: map[3])
    guard output.rank == 4 else {
      // A vector is made of all pixels.
      return field.appending(Window(kernel: size, stride: size))
    }
    let found = Extent(height: output[2], width: output[3])
    guard let window else { return size == found ? field : nil }
    // A transposed convolution's values see fields of different sizes.
    for ceil in [false, true] where (try? window.outputSize(of: size, ceil: ceil)) == found {
      return field.appending(window)
    }
    return nil
  }
}

@inline(never)
func saturatingSum(_ left: Int, _ right: Int) -> Int {
  let (sum, overflow) = left.addingReportingOverflow(right)
  return overflow ? Int.max : sum
}
