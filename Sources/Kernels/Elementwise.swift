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

/// result[i] = operation(left[i], right[i]).
@inline(__always)
func mapPairs(
  _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>, _ count: Int,
  _ operation: (Vector, Vector) -> Vector
) {
  let whole = count / lanes * lanes
  mapWholePairs(left, right, result, whole, operation)
  guard whole < count else { return }
  let rest = count - whole
  let tail = operation(loadLanes(left + whole, rest), loadLanes(right + whole, rest))
  storeLanes(tail, result + whole, rest)
}

/// The same for a number of elements that is a multiple of a vector's.
@inline(__always)
func mapWholePairs(
  _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>, _ count: Int,
  _ operation: (Vector, Vector) -> Vector
) {
  var index = 0
  while index < count {
    storeVector(operation(loadVector(left + index), loadVector(right + index)), result + index)
    index += lanes
  }
}

/// Calls `map` for the whole vectors of its arrays, then for their tail, copied to vectors of its own. So an element's result
/// does not depend on its place, and a choice among many operations stands there once.
@inline(__always)
func withWholeVectors(
  _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>, _ count: Int,
  _ map: (UnsafePointer<Float>, UnsafePointer<Float>, UnsafeMutablePointer<Float>, _ count: Int) -> Void
) {
  let whole = count / lanes * lanes
  map(left, right, result, whole)
  guard whole < count else { return }
  let rest = count - whole
  var tail = zeroed() as InlineArray<48, Float>
  withUnsafeMutablePointer(to: &tail) { tail in
    let memory = UnsafeMutableRawPointer(tail).assumingMemoryBound(to: Float.self)
    storeVector(loadLanes(left + whole, rest), memory)
    storeVector(loadLanes(right + whole, rest), memory + lanes)
    map(memory, memory + lanes, memory + 2 * lanes, lanes)
    storeLanes(loadVector(memory + 2 * lanes), result + whole, rest)
  }
}
