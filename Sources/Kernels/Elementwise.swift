// Arithmetic on single elements of arrays of any length; results may lie where an operand lies.
import CSystem

func fillElementwise(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.add = { left, right, result, count in
    mapPairs(left!, right!, result!, count) { $0 + $1 }
  }
  table.pointee.multiply = { left, right, result, count in
    mapPairs(left!, right!, result!, count) { $0 * $1 }
  }
  table.pointee.sum_rows = { matrix, rows, rowStride, columns, sums in
    for column in 0..<columns {
      var sum = 0.0
      for row in 0..<rows { sum += Double(matrix![row * rowStride + column]) }
      sums![column] = Float(sum)
    }
  }
}

/// result[i] = operation(left[i], right[i]). The tail goes through the same loop, as a vector of its own: an element's result
/// does not depend on its place, and the operation's code stands there once.
@inline(__always)
func mapPairs(
  _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>, _ count: Int,
  _ operation: (Vector, Vector) -> Vector
) {
  let width = Vector.scalarCount
  let rest = count % width
  let whole = count - rest
  // The tail's operands and its result.
  var tail = zeroed() as InlineArray<48, Float>
  withUnsafeMutablePointer(to: &tail) { tail in
    let memory = UnsafeMutableRawPointer(tail).assumingMemoryBound(to: Float.self)
    storeVector(loadLanes(left + whole, rest), memory)
    storeVector(loadLanes(right + whole, rest), memory + width)
    var (a, b, to, end) = (left, right, result, whole)
    var isTail = false
    while true {
      var index = 0
      while index < end {
        storeVector(operation(loadVector(a + index), loadVector(b + index)), to + index)
        index += width
      }
      if isTail || rest == 0 { break }
      (a, b, to, end) = (UnsafePointer(memory), UnsafePointer(memory + width), memory + 2 * width, width)
      isTail = true
    }
    storeLanes(loadVector(memory + 2 * width), result + whole, rest)
  }
}

/// result[i] = operation(input[i]).
@inline(__always)
func mapEach(
  _ input: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>, _ count: Int, _ operation: (Vector) -> Vector
) {
  mapPairs(input, input, result, count) { value, _ in operation(value) }
}
