/// What can do a maximum pooling's work of making a map smaller (Springenberg et al. 2014, Striving for Simplicity).
package enum PoolReplacement: Int32, Sendable {
  /// A convolution of the pooling's kernel, stride and padding from all channels to all channels, and a ReLU; the paper's
  /// "All-CNN". It begins as the average of each window.
  case convolution = 0
  /// The same with a kernel for each channel alone.
  case depthwise = 1
  /// Nothing: the convolution before the pooling takes its stride; the paper's "Strided-CNN".
  case stride = 2
}

extension Graph {
  /// The same network with other layers in the place, and under the name, of the maximum poolings whose names match.
  ///
  /// - Throws: `notFound` where no pooling matches; `unsupported` for `stride` where no convolution stands before the
  ///   pooling with nothing but elementwise layers between.
  package func replacingMaxPools(
    _ pattern: String, with replacement: PoolReplacement
  ) throws(SasukaError) -> Transformation {
    let names = NamePattern(pattern)
    // For each node the pooling that it stands for: itself, or one behind it whose stride it takes.
    var pools = [Int](repeating: -1, count: nodes.count)
    var found = false
    for (place, node) in nodes.enumerated() where node.operation is MaxPool && names.matches(node.name) {
      found = true
      pools[place] = place
      if replacement == .stride { pools[try convolution(before: place)] = place }
    }
    guard found else { throw SasukaError(.notFound, "no max_pool layer's name matches \"\(pattern)\"") }
    let editor = NetworkEditor(self)
    try editor.forEachLayer { (place, node) throws(SasukaError) in
      guard pools[place] >= 0, let pool = nodes[pools[place]].operation as? MaxPool else { return false }
      let input = editor.mapped(node.inputs[0])
      if let convolution = node.operation as? Convolution {
        let strided = convolution.multiplyingStride(by: pool.attributes.stride)
        try editor.substitute(node, strided, input, parameters: editor.parameters(of: node))
      } else if replacement == .stride {
        editor.replace(node.outputs[0], with: input)
      } else {
        try replace(place, pool.attributes, isDepthwise: replacement == .depthwise, editor)
      }
      return true
    }
    return try editor.finish(outputs: outputs)
  }

  private func replace(
    _ place: Int, _ pool: PoolAttributes, isDepthwise: Bool, _ editor: NetworkEditor
  ) throws(SasukaError) {
    let (node, kernel) = (nodes[place], pool.kernel)
    let channels = shape(node.inputs[0])[1]
    let inputs = isDepthwise ? 1 : channels
    let weight = try editor.addParameter(
      node.name + ".weight", Shape([channels, inputs, kernel.height, kernel.width]), before: place,
      .windowAverage(channels: inputs, window: saturatingProduct(kernel.height, kernel.width)))
    let bias = try editor.addParameter(node.name + ".bias", Shape([channels]), before: place, .constant(0))
    let attributes = ConvolutionAttributes(
      stride: pool.stride, padding: pool.roundedPadding, dilation: pool.dilation, groups: isDepthwise ? channels : 1)
    try editor.substitute(
      node, Convolution(attributes, hasBias: true), editor.mapped(node.inputs[0]), parameters: [weight, bias])
    let output = node.outputs[0]
    let rectified = try editor.append(Activation(.relu), name: node.name + ".relu", editor.mapped(output))
    editor.replace(output, with: rectified)
  }

  /// The place of the convolution whose result, seen by elementwise layers alone, a pooling takes.
  private func convolution(before pool: Int) throws(SasukaError) -> Int {
    let producers = producers()
    var place = pool
    repeat {
      let value = nodes[place].inputs[0]
      var readers = outputs.contains(value) ? 1 : 0
      for node in nodes where node.inputs.contains(value) { readers += 1 }
      place = readers == 1 ? producers[value.index] : -1
      if place >= 0, nodes[place].operation is Convolution { return place }
    } while place >= 0 && nodes[place].isElementwise
    throw SasukaError(
      .unsupported,
      "max_pool \"\(nodes[pool].name)\" has no convolution of its own before it that could take its stride")
  }
}

extension PoolAttributes {
  /// Padding of a convolution that gives as many outputs: where the pooling rounds up, it reaches further.
  fileprivate var roundedPadding: PaddingMode {
    guard ceil else { return padding }
    var sides = Padding()
    if case .explicit(let explicit) = padding { sides = explicit }
    sides.bottom += stride.height - 1
    sides.right += stride.width - 1
    return .explicit(sides)
  }
}

extension Convolution {
  fileprivate func multiplyingStride(by factor: Extent) -> Convolution {
    var changed = attributes
    changed.stride = Extent(
      height: saturatingProduct(attributes.stride.height, factor.height),
      width: saturatingProduct(attributes.stride.width, factor.width))
    return Convolution(changed, hasBias: epilogue.hasBias)
  }
}
