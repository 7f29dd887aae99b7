import CSystem

/// The same elements in the same row-major order under another shape.
package final class Reshape: Operator {
  package let kind = "reshape"
  package let layoutRule = LayoutRule.plain
  private let dimensions: [Int]

  /// - Parameter dimensions: the new sizes; 0 keeps the input's size of that axis, one -1 takes what is left.
  package init(dimensions: [Int]) { self.dimensions = dimensions }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    var sizes: [Int] = []
    var free: Int?
    var product = 1
    for (axis, wish) in dimensions.enumerated() {
      guard wish >= -1, wish != 0 || axis < inputs[0].rank else { throw misfit(inputs[0]) }
      let size = wish == 0 ? inputs[0][axis] : wish
      sizes.append(size)
      if size == -1 {
        guard free == nil else {
          throw SasukaError(.invalidArgument, "shape \(Shape(dimensions)) has more than one -1")
        }
        free = axis
        continue
      }
      let (next, overflow) = product.multipliedReportingOverflow(by: size)
      guard !overflow, next >= 1 else { throw misfit(inputs[0]) }
      product = next
    }
    if let free {
      guard inputs[0].count % product == 0 else { throw misfit(inputs[0]) }
      sizes[free] = inputs[0].count / product
      product = inputs[0].count
    }
    guard product == inputs[0].count else { throw misfit(inputs[0]) }
    return [Shape(sizes)]
  }

  private func misfit(_ input: Shape) -> SasukaError {
    SasukaError(
      .invalidArgument,
      "input \(input) of \(input.count) elements does not fit into shape \(Shape(dimensions)); positive sizes with that "
        + "product, 0 for an axis that stays and at most one -1 are expected")
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let back = Reshape(dimensions: context.shape(context.node.inputs[0]).dimensions)
    context.setGradient(ofInput: 0, try context.append(back, [context.outputGradient])[0])
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    lowering.copyElements(from: node.inputs[0], to: node.outputs[0])
  }
}

/// Joins a range of axes into one.
package final class Flatten: Operator {
  package let kind = "flatten"
  package let layoutRule = LayoutRule.plain
  private let startAxis: Int
  private let endAxis: Int

  /// Both axes are part of the range; negative ones count from the end.
  package init(startAxis: Int = 1, endAxis: Int = -1) {
    self.startAxis = startAxis
    self.endAxis = endAxis
  }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    let first = try inputs[0].axis(startAxis)
    let last = try inputs[0].axis(endAxis)
    guard first <= last else {
      throw SasukaError(.invalidArgument, "start axis \(startAxis) lies behind end axis \(endAxis) of \(inputs[0])")
    }
    let all = inputs[0].dimensions
    let joined = Shape(Array(all[first...last])).count
    return [Shape(Array(all[..<first]) + [joined] + Array(all[(last + 1)...]))]
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let back = Reshape(dimensions: context.shape(context.node.inputs[0]).dimensions)
    context.setGradient(ofInput: 0, try context.append(back, [context.outputGradient])[0])
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    lowering.copyElements(from: node.inputs[0], to: node.outputs[0])
  }
}

extension Shape {
  /// The place of an axis that may count from the end.
  ///
  /// - Throws: `invalidArgument` where the shape has no such axis.
  func axis(_ axis: Int) throws(SasukaError) -> Int {
    guard axis >= -rank, axis < rank else {
      throw SasukaError(.invalidArgument, "axis \(axis) of shape \(self); \(-rank) to \(rank - 1) is expected")
    }
    return axis < 0 ? axis + rank : axis
  }
}

extension Lowering {
  /// Copies all elements of one tensor to another of the same storage, in order.
  mutating func copyElements(from source: Value, to destination: Value) {
    let from = UnsafePointer(pointer(source))
    let to = pointer(destination)
    let chunks = Chunks(of: storageCount(destination))
    step(units: chunks.count) { unit, _ in
      let range = chunks[unit]
      (to + range.lowerBound).copy(from: from + range.lowerBound, count: range.count)
    }
  }
}

extension Graph {
  /// Joins the axes from `startAxis` on into one.
  @inline(never)
  package mutating func flatten(_ input: Value, startAxis: Int = 1, name: String) throws(SasukaError) -> Value {
    try append(Flatten(startAxis: startAxis), name: name, inputs: [input])[0]
  }

  /// Gives every picture of the batch another shape.
  ///
  /// - Parameter dimensions: the sizes behind the batch; one may be -1.
  @inline(never)
  package mutating func reshape(_ input: Value, dimensions: [Int], name: String) throws(SasukaError) -> Value {
    try append(Reshape(dimensions: [0] + dimensions), name: name, inputs: [input])[0]
  }
}
