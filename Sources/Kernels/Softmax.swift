// Softmax and cross entropy over classes; each lane of a vector is one position.
import CSystem

func fillSoftmax(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.narrow.softmax_forward = { shape, isLogarithm, input, output in
    softmaxForward(shape!.pointee, isLogarithm != 0, input!, output!)
  }
  table.pointee.narrow.softmax_backward = { shape, isLogarithm, output, upstream, result in
    softmaxBackward(shape!.pointee, isLogarithm != 0, output!, upstream!, result!)
  }
  table.pointee.narrow.cross_entropy_forward = { shape, loss, logits, labels, sums in
    crossEntropyForward(shape!.pointee, loss!.pointee, logits!, labels!, sums!)
  }
  table.pointee.narrow.cross_entropy_backward = { shape, loss, logits, labels, scale, gradient in
    crossEntropyBackward(shape!.pointee, loss!.pointee, logits!, labels!, scale, gradient!)
  }
}

/// Up to a vector of neighbouring positions.
private struct Group {
  let first: Int
  let count: Int
  private let shape: sasuka_classes
  /// Whether they are a whole vector in memory.
  private let isWhole: Bool

  @inline(__always)
  init(_ shape: sasuka_classes, first: Int) {
    self.shape = shape
    self.first = first
    count = min(Vector.scalarCount, Int(shape.positions) - first)
    isWhole = count == Vector.scalarCount && shape.position_stride == 1
  }

  /// One class at the group's positions; 0 in lanes without one.
  @inline(__always)
  func load(_ numbers: UnsafePointer<Float>, _ index: Int) -> Vector {
    let stride = Int(shape.position_stride)
    return loadLanes(numbers + index * Int(shape.class_stride) + first * stride, count, step: stride)
  }

  @inline(__always)
  func store(_ value: Vector, _ numbers: UnsafeMutablePointer<Float>, _ index: Int) {
    let stride = Int(shape.position_stride)
    storeLanes(value, numbers + index * Int(shape.class_stride) + first * stride, count, step: stride)
  }

  /// The same without a call for a whole vector, which takes longer than what softmax does with it.
  @inline(__always)
  func loadAtOnce(_ numbers: UnsafePointer<Float>, _ index: Int) -> Vector {
    isWhole ? loadVector(numbers + index * Int(shape.class_stride) + first) : load(numbers, index)
  }

  @inline(__always)
  func storeAtOnce(_ value: Vector, _ numbers: UnsafeMutablePointer<Float>, _ index: Int) {
    isWhole
      ? storeVector(value, numbers + index * Int(shape.class_stride) + first) : store(value, numbers, index)
  }

  /// The greatest of the classes and the sum of e^(x - greatest). A call: three kernels begin with it.
  ///
  /// - Parameter powers: where those powers go, which may be the numbers' own place.
  @inline(never)
  func statistics(
    _ numbers: UnsafePointer<Float>, powers: UnsafeMutablePointer<Float>? = nil
  ) -> (greatest: Vector, sum: Vector) {
    var greatest = load(numbers, 0)
    for index in 1..<max(Int(shape.classes), 1) {
      let x = loadAtOnce(numbers, index)
      greatest = select(less(greatest, x), x, greatest)
    }
    var total = CompensatedSum()
    for index in 0..<Int(shape.classes) {
      let power = exponentialOfNonPositive(loadAtOnce(numbers, index) - greatest)
      total.add(power)
      if let powers { storeAtOnce(power, powers, index) }
    }
    return (greatest, total.value)
  }
}

/// A sum that carries the rounding errors along (Kahan 1965).
private struct CompensatedSum {
  private(set) var value = Vector(repeating: 0)
  private var lost = Vector(repeating: 0)

  @inline(__always)
  mutating func add(_ term: Vector) {
    let corrected = term - lost
    let next = value + corrected
    lost = (next - value) - corrected
    value = next
  }
}

@inline(__always)
private func forEachGroup(_ shape: sasuka_classes, _ body: (Group) -> Void) {
  var first = 0
  while first < Int(shape.positions) {
    body(Group(shape, first: first))
    first += Vector.scalarCount
  }
}

private func softmaxForward(
  _ shape: sasuka_classes, _ isLogarithm: Bool, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>
) {
  let areApart = shape.positions == 1 || shape.position_stride != 1
  // With vectors of 4, small code comes before fast code.
  if lanes > 4, shape.class_stride == 1, areApart, shape.classes >= Int64(lanes) {
    for position in 0..<Int(shape.positions) {
      let place = position * Int(shape.position_stride)
      softmaxRow(Int(shape.classes), isLogarithm, input + place, output + place)
    }
    return
  }
  forEachGroup(shape) { group in
    let (greatest, sum) = group.statistics(input, powers: isLogarithm ? nil : output)
    let logSum = logarithm(sum)
    for index in 0..<Int(shape.classes) {
      let result =
        isLogarithm ? group.loadAtOnce(input, index) - greatest - logSum : group.loadAtOnce(output, index) / sum
      group.storeAtOnce(result, output, index)
    }
  }
}

/// The classes of one position, at least a vector of them and neighbours in memory: there a vector is as many classes.
private func softmaxRow(
  _ classes: Int, _ isLogarithm: Bool, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>
) {
  let end = classes &- lanes
  var greatest = loadVector(input + end)
  for first in stride(from: 0, to: end, by: lanes) {
    let x = loadVector(input + first)
    greatest = select(less(greatest, x), x, greatest)
  }
  greatest = acrossLanes(greatest) { $0 < $1 ? $1 : $0 }
  var total = CompensatedSum()
  for first in stride(from: 0, to: classes, by: lanes) {
    let power = exponentialOfNonPositive(loadLanes(input + first, classes &- first) - greatest)
    total.add(select(firstLanes(classes &- first), power, Vector()))
    if !isLogarithm { storeLanes(power, output + first, classes &- first) }
  }
  let sum = acrossLanes(total.value, +)
  let logSum = logarithm(sum)
  for first in stride(from: 0, to: classes, by: lanes) {
    let x = loadLanes((isLogarithm ? input : UnsafePointer(output)) + first, classes &- first)
    storeLanes(isLogarithm ? x - greatest - logSum : x / sum, output + first, classes &- first)
  }
}

@inline(__always)
private func acrossLanes(_ vector: Vector, _ combine: (Float, Float) -> Float) -> Vector {
  var all = vector[0]
  for lane in 1..<lanes { all = combine(all, vector[lane]) }
  return Vector(repeating: all)
}

private func softmaxBackward(
  _ shape: sasuka_classes, _ isLogarithm: Bool, _ output: UnsafePointer<Float>, _ upstream: UnsafePointer<Float>,
  _ result: UnsafeMutablePointer<Float>
) {
  forEachGroup(shape) { group in
    var total = CompensatedSum()
    for index in 0..<Int(shape.classes) {
      let g = group.load(upstream, index)
      total.add(isLogarithm ? g : g * group.load(output, index))
    }
    for index in 0..<Int(shape.classes) {
      let (y, g) = (group.load(output, index), group.load(upstream, index))
      group.store(
        isLogarithm ? g - exponentialOfNonPositive(y) * total.value : y * (g - total.value), result, index)
    }
  }
}

/// The label of a position, or -1 if it does not count.
@inline(__always)
private func label(_ labels: UnsafePointer<Int32>, _ position: Int, _ classes: Int, _ ignored: Int) -> Int {
  let label = Int(labels[position])
  return label == ignored || label < 0 || label >= classes ? -1 : label
}

private func crossEntropyForward(
  _ shape: sasuka_classes, _ loss: sasuka_cross_entropy, _ logits: UnsafePointer<Float>,
  _ labels: UnsafePointer<Int32>, _ sums: UnsafeMutablePointer<Double>
) {
  let classes = Int(shape.classes)
  let smoothing = Double(loss.smoothing)
  forEachGroup(shape) { group in
    let (greatest, sum) = group.statistics(logits)
    let logSum = logarithm(sum)
    var spread = CompensatedSum()
    if smoothing > 0 {
      for index in 0..<classes {
        let weight = Vector(repeating: loss.weights?[index] ?? 1)
        spread.add(weight * (logSum - (group.load(logits, index) - greatest)))
      }
    }
    for lane in 0..<group.count {
      let position = group.first + lane
      let label = label(labels, position, classes, Int(loss.ignored_label))
      guard label >= 0 else { continue }
      let logit = logits[label * Int(shape.class_stride) + position * Int(shape.position_stride)]
      let own = Double(logSum[lane]) - (Double(logit) - Double(greatest[lane]))
      let weight = Double(loss.weights?[label] ?? 1)
      sums[0] += (1 - smoothing) * weight * own + smoothing / Double(classes) * Double(spread.value[lane])
      sums[1] += weight
    }
  }
}

private func crossEntropyBackward(
  _ shape: sasuka_classes, _ loss: sasuka_cross_entropy, _ logits: UnsafePointer<Float>,
  _ labels: UnsafePointer<Int32>, _ scale: Float, _ gradient: UnsafeMutablePointer<Float>
) {
  let classes = Int(shape.classes)
  let spread = loss.smoothing / Float(classes)
  forEachGroup(shape) { group in
    let (greatest, sum) = group.statistics(logits)
    // Per lane: what multiplies the probabilities, 0 where the position does not count, and what counts at all.
    var factor = Vector(repeating: 0)
    var counts = Vector(repeating: 0)
    for lane in 0..<group.count {
      let label = label(labels, group.first + lane, classes, Int(loss.ignored_label))
      guard label >= 0 else { continue }
      let weight = loss.weights?[label] ?? 1
      factor[lane] = scale * ((1 - loss.smoothing) * weight + spread * loss.weight_sum)
      counts[lane] = 1
    }
    for index in 0..<classes {
      let probability = exponentialOfNonPositive(group.load(logits, index) - greatest) / sum
      let share = scale * spread * (loss.weights?[index] ?? 1)
      // Selected, not multiplied by 0: an ignored position with infinite logits has no gradient either.
      let value = probability * factor - Vector(repeating: share)
      group.store(select(less(Vector(repeating: 0), counts), value, Vector(repeating: 0)), gradient, index)
    }
    for lane in 0..<group.count {
      let position = group.first + lane
      let label = label(labels, position, classes, Int(loss.ignored_label))
      guard label >= 0 else { continue }
      let place = label * Int(shape.class_stride) + position * Int(shape.position_stride)
      gradient[place] -= scale * (1 - loss.smoothing) * (loss.weights?[label] ?? 1)
    }
  }
}
