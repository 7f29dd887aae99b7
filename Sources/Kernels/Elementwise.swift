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

/// result[i] = operation(left[i], right[i]). The tail goes through the same vector code, so that an element's result
/// does not depend on its place.
@inline(__always)
func mapPairs(
  _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>, _ count: Int,
  _ operation: (Vector, Vector) -> Vector
) {
  let width = Vector.scalarCount
  var index = 0
  while index + width <= count {
    storeVector(operation(loadVector(left + index), loadVector(right + index)), result + index)
    index += width
  }
  guard index < count else { return }
  let rest = count - index
  let tail = operation(loadLanes(left + index, rest), loadLanes(right + index, rest))
  storeLanes(tail, result + index, rest)
}

/// result[i] = operation(input[i]).
@inline(__always)
func mapEach(
  _ input: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>, _ count: Int, _ operation: (Vector) -> Vector
) {
  mapPairs(input, input, result, count) { value, _ in operation(value) }
}
