/// What training makes small: an operator from (prediction, target) to a scalar, and what its target is made of.
package struct Loss {
  package let operation: any Operator
  package let targetElement: TensorInfo.Element

  package init(_ operation: any Operator, target: TensorInfo.Element) {
    self.operation = operation
    targetElement = target
  }
}
