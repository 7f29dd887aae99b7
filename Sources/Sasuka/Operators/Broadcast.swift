// What operators on two tensors share: NumPy's broadcasting, there and back.
import CSystem

enum Broadcast {
  /// Maps of rank 4 stay in the layout they come in. A lower rank next to them reaches into channels, which only the
  /// row-major layout keeps apart.
  static func layoutRule(_ ranks: (Int, Int)) -> LayoutRule { ranks.0 == ranks.1 ? .alike : .plain }

  /// The shape of the result: axes are aligned at the end, and one of size 1 is repeated.
  ///
  /// - Throws: `invalidArgument` where two sizes differ and neither is 1.
  static func shape(_ left: Shape, _ right: Shape) throws(SasukaError) -> Shape {
    let rank = max(left.rank, right.rank)
    var sizes = [Int](repeating: 1, count: rank)
    for back in 1..<(rank + 1) {
      let a = back <= left.rank ? left[left.rank - back] : 1
      let b = back <= right.rank ? right[right.rank - back] : 1
      guard a == b || a == 1 || b == 1 else {
        throw SasukaError(
          .invalidArgument,
          "shapes \(left) and \(right) do not go together; counted from the last axis, sizes that are equal or 1 are "
            + "expected, not \(a) and \(b)")
      }
      sizes[rank - back] = a == 1 ? b : a
    }
    return Shape(sizes)
  }
}

extension GradientContext {
  /// The sum of a gradient over the axes along which a tensor of this shape was repeated.
  mutating func summed(_ gradient: Value, to target: Shape) throws(SasukaError) -> Value {
    let from = shape(gradient)
    guard from != target else { return gradient }
    let missing = from.rank - target.rank
    var axes: [Int] = []
    for axis in 0..<from.rank where from[axis] > 1 && (axis < missing || target[axis - missing] == 1) {
      axes.append(axis)
    }
    let sum = axes.isEmpty ? gradient : try append(AxisReduction(.sum, axes: axes, rank: from.rank), [gradient])[0]
    return missing == 0 ? sum : try append(Reshape(dimensions: target.dimensions), [sum])[0]
  }
}

extension Lowering {
  /// A kernel of two operands of one shape, and of two operands along loops.
  typealias PairKernel =
    @convention(c) (
      UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int
    ) -> Void
  typealias GridKernel =
    @convention(c) (
      UnsafePointer<sasuka_grid>?, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?
    ) -> Void

  /// Adds the step of a node with two inputs that are broadcast to its output.
  mutating func combine(_ node: Node, rows: PairKernel?, grid: GridKernel?) {
    let left = UnsafePointer(pointer(node.inputs[0]))
    let right = UnsafePointer(pointer(node.inputs[1]))
    let output = pointer(node.outputs[0])
    let (a, b, result) = (shape(node.inputs[0]), shape(node.inputs[1]), shape(node.outputs[0]))
    guard a != b else {
      let chunks = Chunks(of: storageCount(node.outputs[0]))
      return step(units: chunks.count) { unit, _ in
        let range = chunks[unit]
        rows!(left + range.lowerBound, right + range.lowerBound, output + range.lowerBound, range.count)
      }
    }
    let layout = layout(node.outputs[0])
    let leftSteps = MemoryAxes.broadcastSteps(a, over: result, layout)
    let rightSteps = MemoryAxes.broadcastSteps(b, over: result, layout)
    let to = axes(node.outputs[0])
    var nest: [Loops.Axis] = []
    for place in to.counts.indices {
      nest.append(
        Loops.Axis(
          count: to.counts[place], left: leftSteps[place], right: rightSteps[place], result: to.steps[place]))
    }
    let loops = Loops(nest)
    step(units: loops.units) { unit, _ in
      var piece = loops.piece(unit)
      grid!(&piece.grid, left + piece.left, right + piece.right, output + piece.result)
    }
  }
}
