import CSystem

/// The numbers of each class along one axis of a row-major tensor, cut into units of work.
struct ClassAxis {
  let classes: Int
  /// Elements behind the axis, and positions before it.
  private let inner: Int
  private let outer: Int
  private let perOuter: Int
  private static let positionsPerUnit = 128

  init(_ shape: Shape, axis: Int) {
    classes = shape[axis]
    var (before, behind) = (1, 1)
    for place in 0..<axis { before *= shape[place] }
    for place in (axis + 1)..<max(shape.rank, axis + 1) { behind *= shape[place] }
    outer = before
    inner = behind
    perOuter = inner.dividedUp(by: ClassAxis.positionsPerUnit)
  }

  var units: Int {
    inner == 1 ? outer.dividedUp(by: ClassAxis.positionsPerUnit) : outer * perOuter
  }

  /// Where a unit's numbers and its positions begin, and their geometry.
  func unit(_ unit: Int) -> (offset: Int, position: Int, shape: sasuka_classes) {
    let size = ClassAxis.positionsPerUnit
    var shape = sasuka_classes()
    shape.classes = Int64(classes)
    shape.class_stride = Int64(inner)
    if inner == 1 {
      let first = unit * size
      shape.positions = Int64(min(size, outer - first))
      shape.position_stride = Int64(classes)
      return (first * classes, first, shape)
    }
    let (image, first) = (unit / perOuter, unit % perOuter * size)
    shape.positions = Int64(min(size, inner - first))
    shape.position_stride = 1
    return (image * classes * inner + first, image * inner + first, shape)
  }
}

/// Mean cross entropy of logits [N, C, ...] and labels [N, ...], log-softmax included; where classes have weights, the mean
/// is weighted with those of the labels, as in PyTorch. `LossOptions` has checked shapes and options.
final class CrossEntropy: Operator {
  struct Options {
    /// Share of each target that is spread over all classes: 0 to 1.
    let labelSmoothing: Float
    /// One weight per class, or nil.
    let classWeights: [Float]?
    /// Positions with this label do not count.
    let ignoredLabel: Int
  }

  let kind = "cross_entropy"
  let layoutRule = LayoutRule.plain
  private let options: Options

  init(_ options: Options) { self.options = options }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [Shape([])] }

  func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    try ElementLoss.appendGradient(CrossEntropyGradient(options), &context)
  }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let axis = ClassAxis(lowering.shape(node.inputs[0]), axis: 1)
    let loss = try options.lowered(classes: axis.classes, &lowering)
    let logits = UnsafePointer(lowering.pointer(node.inputs[0]))
    let labels = lowering.labels(node.inputs[1])
    let output = lowering.pointer(node.outputs[0])
    let kernel = lowering.kernels.pointee.narrow.cross_entropy_forward
    // Two sums to a unit, added up in the units' order afterwards.
    lowering.needScratch(bytes: axis.units * 2 * MemoryLayout<Double>.stride)
    lowering.step(units: axis.units) { unit, context in
      let (offset, position, shape) = axis.unit(unit)
      let sums = context.scratch.assumingMemoryBound(to: Double.self) + 2 * unit
      (sums[0], sums[1]) = (0, 0)
      withUnsafePointer(to: shape) { shape in
        withUnsafePointer(to: loss) { kernel!(shape, $0, logits + offset, labels + position, sums) }
      }
    }
    lowering.step(units: 1) { _, context in
      let sums = UnsafePointer(context.scratch.assumingMemoryBound(to: Double.self))
      var (loss, weight) = (0.0, 0.0)
      for unit in 0..<axis.units {
        loss += sums[2 * unit]
        weight += sums[2 * unit + 1]
      }
      output.pointee = Float(loss / weight)
    }
  }
}

/// (logits, labels, gradient of the loss) -> gradient of the logits.
final class CrossEntropyGradient: Operator {
  let kind = "cross_entropy_gradient"
  let layoutRule = LayoutRule.plain
  private let options: CrossEntropy.Options

  init(_ options: CrossEntropy.Options) { self.options = options }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputs[0]] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let axis = ClassAxis(lowering.shape(node.inputs[0]), axis: 1)
    let loss = try options.lowered(classes: axis.classes, &lowering)
    let logits = UnsafePointer(lowering.pointer(node.inputs[0]))
    let labels = lowering.labels(node.inputs[1])
    let upstream = UnsafePointer(lowering.pointer(node.inputs[2]))
    let gradient = lowering.pointer(node.outputs[0])
    let kernel = lowering.kernels.pointee.narrow.cross_entropy_backward
    let (options, positions) = (options, lowering.shape(node.inputs[1]).count)
    lowering.needScratch(bytes: MemoryLayout<Float>.stride)
    lowering.step(units: 1) { _, context in
      var divisor = 0.0
      for position in 0..<positions {
        let label = Int(labels[position])
        guard label != options.ignoredLabel, label >= 0, label < axis.classes else { continue }
        divisor += Double(loss.weights?[label] ?? 1)
      }
      // Without a label that counts there is nothing to scale.
      let scale = divisor == 0 ? 0 : Double(upstream.pointee) / divisor
      context.scratch.storeBytes(of: Float(scale), as: Float.self)
    }
    lowering.step(units: axis.units) { unit, context in
      let (offset, position, shape) = axis.unit(unit)
      let scale = context.scratch.load(as: Float.self)
      withUnsafePointer(to: shape) { shape in
        withUnsafePointer(to: loss) {
          kernel!(shape, $0, logits + offset, labels + position, scale, gradient + offset)
        }
      }
    }
  }
}

extension CrossEntropy.Options {
  /// What the kernels take; the weights lie in memory that lives as long as the steps.
  fileprivate func lowered(classes: Int, _ lowering: inout Lowering) throws(SasukaError) -> sasuka_cross_entropy {
    var loss = sasuka_cross_entropy()
    loss.smoothing = labelSmoothing
    loss.ignored_label = Int64(ignoredLabel)
    loss.weight_sum = Float(classes)
    guard let classWeights else { return loss }
    let weights = try lowering.persistent(floats: classes)
    var sum = 0.0
    for (place, weight) in classWeights.enumerated() {
      weights[place] = weight
      sum += Double(weight)
    }
    loss.weights = UnsafePointer(weights)
    loss.weight_sum = Float(sum)
    return loss
  }
}

extension Lowering {
  /// Where the labels of an Int32 tensor lie.
  fileprivate func labels(_ value: Value) -> UnsafePointer<Int32> {
    UnsafePointer(UnsafeRawPointer(pointer(value)).assumingMemoryBound(to: Int32.self))
  }
}
