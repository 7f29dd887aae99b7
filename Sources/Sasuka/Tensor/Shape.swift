/// The sizes of a tensor's axes, outermost first: [batch, channels, height, width] for a feature map.
package struct Shape: Equatable, Sendable {
  /// No tensor may have more elements than this; products of checked shapes stay far from overflow.
  package static let maximumCount = 1 << 40

  package let dimensions: [Int]

  package init(_ dimensions: [Int]) {
    self.dimensions = dimensions
  }

  /// A shape whose every axis is at least 1 and whose number of elements is bounded.
  ///
  /// - Throws: `invalidArgument`, naming `what` and the axis, for a shape no tensor can have.
  package init(checking dimensions: [Int], of what: @autoclosure () -> String) throws(SasukaError) {
    var count = 1
    for (axis, size) in dimensions.enumerated() {
      guard size >= 1 else {
        throw SasukaError(
          .invalidArgument, "\(what()): axis \(axis) of shape \(Shape(dimensions)) is \(size); at least 1 is expected")
      }
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow, product <= Shape.maximumCount else {
        throw SasukaError(
          .invalidArgument,
          "\(what()): shape \(Shape(dimensions)) has more than \(Shape.maximumCount) elements, the most a tensor can have"
        )
      }
      count = product
    }
    self.dimensions = dimensions
  }

  package var rank: Int { dimensions.count }
  package subscript(axis: Int) -> Int { dimensions[axis] }

  /// Number of elements; 1 for a scalar. Shapes that came from outside have passed `init(checking:of:)`.
  package var count: Int {
    var product = 1
    for size in dimensions { product *= size }
    return product
  }

  /// Distance in elements between neighbours along each axis in row-major order.
  package var rowMajorStrides: [Int] {
    var strides = [Int](repeating: 1, count: rank)
    var axis = rank - 2
    while axis >= 0 {
      strides[axis] = strides[axis + 1] * dimensions[axis + 1]
      axis -= 1
    }
    return strides
  }

  /// The same shape with another size along one axis.
  package func replacing(axis: Int, with size: Int) -> Shape {
    var changed = dimensions
    changed[axis] = size
    return Shape(changed)
  }
}

extension Shape: CustomStringConvertible {
  package var description: String {
    var text = "["
    for (axis, size) in dimensions.enumerated() {
      if axis > 0 { text += ", " }
      text += "\(size)"
    }
    return text + "]"
  }
}
