import CSystem

/// Adds a parameter's gradient to the store that the trainer owns.
package final class StoreGradient: Operator {
  package let kind = "store_gradient"
  package let layoutRule = LayoutRule.plain
  private let parameter: Int

  /// - Parameter parameter: the parameter's place in `Graph.parameters`.
  package init(parameter: Int) { self.parameter = parameter }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [] }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    guard let store = lowering.gradientPointer(ofParameter: parameter) else {
      throw SasukaError(.wrongState, "gradient of \"\(node.name)\" has no store")
    }
    let gradient = UnsafePointer(lowering.pointer(node.inputs[0]))
    let chunks = Chunks(of: lowering.storageCount(node.inputs[0]))
    let add = lowering.kernels.pointee.add
    lowering.step(units: chunks.count) { unit, _ in
      let range = chunks[unit]
      add!(store + range.lowerBound, gradient + range.lowerBound, store + range.lowerBound, range.count)
    }
  }
}
