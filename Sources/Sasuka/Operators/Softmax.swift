import CSystem

/// Softmax along one axis, or its logarithm.
package final class Softmax: Operator {
  package var kind: String { isLogarithm ? "log_softmax" : "softmax" }
  package let layoutRule = LayoutRule.plain
  private let axis: Int
  private let isLogarithm: Bool

  /// - Parameter axis: a negative one counts from the end.
  package init(axis: Int, isLogarithm: Bool) {
    self.axis = axis
    self.isLogarithm = isLogarithm
  }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    _ = try inputs[0].axis(axis)
    return [inputs[0]]
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let operation = SoftmaxGradient(axis: axis, isLogarithm: isLogarithm)
    let gradient = try context.append(operation, [context.node.outputs[0], context.outputGradient])[0]
    context.setGradient(ofInput: 0, gradient)
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let shape = lowering.shape(node.inputs[0])
    let work = ClassesWork(shape, axis: try shape.axis(axis))
    let from = UnsafePointer(lowering.pointer(node.inputs[0]))
    let to = lowering.pointer(node.outputs[0])
    let kernel = lowering.kernels.pointee.narrow.softmax_forward!
    let logarithm: Int32 = isLogarithm ? 1 : 0
    if work.meetsInCaches { lowering.needWorkerScratch(bytes: work.copyFloats * MemoryLayout<Float>.stride) }
    lowering.step(units: work.units) { unit, context in
      var (classes, start) = work.unit(unit)
      if !work.meetsInCaches { return kernel(&classes, logarithm, from + start, to + start) }
      let copy = context.workerScratch.assumingMemoryBound(to: Float.self)
      let (apart, count) = (Int(classes.class_stride), Int(classes.positions))
      classes.class_stride = Int64(work.copyStride)
      for index in 0..<Int(classes.classes) {
        (copy + index * work.copyStride).copy(from: from + (start + index * apart), count: count)
      }
      kernel(&classes, logarithm, copy, copy)
      for index in 0..<Int(classes.classes) {
        (to + (start + index * apart)).copy(from: copy + index * work.copyStride, count: count)
      }
    }
  }
}

/// (output of the softmax, its gradient) -> gradient of its input.
final class SoftmaxGradient: Operator {
  let kind = "softmax_gradient"
  let layoutRule = LayoutRule.plain
  private let axis: Int
  private let isLogarithm: Bool

  init(axis: Int, isLogarithm: Bool) {
    self.axis = axis
    self.isLogarithm = isLogarithm
  }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputs[0]] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let shape = lowering.shape(node.inputs[0])
    let work = ClassesWork(shape, axis: try shape.axis(axis))
    let output = UnsafePointer(lowering.pointer(node.inputs[0]))
    let upstream = UnsafePointer(lowering.pointer(node.inputs[1]))
    let result = lowering.pointer(node.outputs[0])
    let kernel = lowering.kernels.pointee.narrow.softmax_backward!
    let logarithm: Int32 = isLogarithm ? 1 : 0
    lowering.step(units: work.units) { unit, _ in
      var (classes, start) = work.unit(unit)
      kernel(&classes, logarithm, output + start, upstream + start, result + start)
    }
  }
}

/// Work along one axis of a row-major tensor, cut into units of neighbouring positions.
private struct ClassesWork {
  private let classes: Int
  private let classStride: Int
  /// Positions that one call can take, and their distance.
  private let positions: Int
  private let positionStride: Int
  private let atOnce: Int
  private let stretches: Int
  let units: Int
  /// Whether the classes of a position lie a power of two apart, where they would drive each other out of the caches: a copy of a
  /// unit's numbers takes less time (21 classes at 128 x 128 positions: half).
  var meetsInCaches: Bool { classStride % 1024 == 0 && classes > 4 }
  /// Floats from one class to the next in such a copy, and of all of it.
  var copyStride: Int { atOnce + 16 }
  var copyFloats: Int { classes * copyStride }

  init(_ shape: Shape, axis: Int) {
    classes = shape[axis]
    classStride = shape.rowMajorStrides[axis]
    // Along the last axis, a position is a row; else positions are neighbours, in blocks that lie behind each other.
    positions = classStride == 1 ? shape.count / classes : classStride
    positionStride = classStride == 1 ? classes : 1
    // A multiple of every vector width: an element's result does not depend on the cut, but its speed does.
    atOnce = min(positions, max(Chunks.size / classes / 16, 1) * 16)
    stretches = positions.dividedUp(by: atOnce)
    units = shape.count / (classes * positions) * stretches
  }

  func unit(_ unit: Int) -> (sasuka_classes, start: Int) {
    let (block, first) = (unit / stretches, unit % stretches * atOnce)
    var shape = sasuka_classes()
    (shape.classes, shape.class_stride) = (Int64(classes), Int64(classStride))
    (shape.positions, shape.position_stride) = (Int64(min(atOnce, positions - first)), Int64(positionStride))
    return (shape, block * classes * positions + first * positionStride)
  }
}

extension Graph {
  /// Softmax along one axis, or its logarithm; a negative axis counts from the end.
  @inline(never)
  package mutating func softmax(
    _ input: Value, axis: Int, isLogarithm: Bool = false, name: String
  ) throws(SasukaError) -> Value {
    try append(Softmax(axis: axis, isLogarithm: isLogarithm), name: name, inputs: [input])[0]
  }
}
