// Squared error and binary cross entropy, element by element, with sums in float64.
import CSystem

func fillLosses(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.narrow.squared_error_sum = { prediction, target, count in
    sumPairs(prediction!, target!, count) { ($0 - $1) * ($0 - $1) }
  }
  table.pointee.narrow.squared_error_backward = { prediction, target, scale, gradient, count in
    mapPairs(prediction!, target!, gradient!, count) { scale * ($0 - $1) }
  }
  table.pointee.narrow.binary_cross_entropy_sum = { logits, target, count in
    sumPairs(logits!, target!, count) { x, t in
      let positive = select(less(x, Vector(repeating: 0)), Vector(repeating: 0), x)
      return positive - x * t + logarithmOfOnePlus(exponentialOfNonPositive(-magnitude(x)))
    }
  }
  table.pointee.narrow.binary_cross_entropy_backward = { logits, target, scale, gradient, count in
    mapPairs(logits!, target!, gradient!, count) { scale * (sigmoid($0) - $1) }
  }
}

/// The sum of operation(left[i], right[i]) in order, in float64.
@inline(__always)
private func sumPairs(
  _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, _ count: Int, _ operation: (Vector, Vector) -> Vector
) -> Double {
  let width = Vector.scalarCount
  var total = 0.0
  var index = 0
  while index < count {
    let lanes = min(width, count - index)
    let terms = operation(loadLanes(left + index, lanes), loadLanes(right + index, lanes))
    for lane in 0..<lanes { total += Double(terms[lane]) }
    index += width
  }
  return total
}
