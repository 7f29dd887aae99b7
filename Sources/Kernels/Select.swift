// Comparing vectors and choosing between them lane by lane; sasuka_vectors.h says why Swift's own operators do not serve.
import CSystem

/// As many 32-bit integers as a vector has floats. A mask is such a vector too: -1 where something holds, 0 elsewhere.
typealias Indices = Vector.MaskStorage
typealias Mask = Indices

/// 0, 1, 2, … in the lanes of a vector.
@inline(__always)
var laneNumbers: Indices {
  var numbers = Indices()
  for lane in 0..<lanes { numbers[lane] = Int32(truncatingIfNeeded: lane) }
  return numbers
}

/// The lanes before `count`.
@inline(__always)
func firstLanes(_ count: Int) -> Mask {
  (laneNumbers &- Indices(repeating: Int32(truncatingIfNeeded: min(count, lanes)))) &>> Indices(repeating: 31)
}

/// Where one of both holds.
@inline(__always)
func either(_ a: Mask, _ b: Mask) -> Mask { a | b }

// MARK: Vectors of 4

@inline(__always)
func stream(_ vector: SIMD4<Float>, _ place: UnsafeMutablePointer<Float>) { sasuka_stream4(vector, place) }

@inline(__always)
func less(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Int32> { sasuka_less4(a, b) }

@inline(__always)
func atMost(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> SIMD4<Int32> { sasuka_at_most4(a, b) }

/// Where a lane is not a number.
@inline(__always)
func isNaN(_ a: SIMD4<Float>) -> SIMD4<Int32> { sasuka_unordered4(a) }

@inline(__always)
func hasAny(_ mask: SIMD4<Int32>) -> Bool { sasuka_any4(mask) != 0 }

@inline(__always)
func squareRoot(_ a: SIMD4<Float>) -> SIMD4<Float> { sasuka_square_root4(a) }

@inline(__always)
func equal(_ a: SIMD4<Int32>, _ b: SIMD4<Int32>) -> SIMD4<Int32> { sasuka_equal4(a, b) }

@inline(__always)
func select(_ mask: SIMD4<Int32>, _ yes: SIMD4<Float>, _ no: SIMD4<Float>) -> SIMD4<Float> {
  sasuka_select4(mask, yes, no)
}

@inline(__always)
func select(_ mask: SIMD4<Int32>, _ yes: SIMD4<Int32>, _ no: SIMD4<Int32>) -> SIMD4<Int32> {
  sasuka_select_integers4(mask, yes, no)
}

/// Lane places[lane] of `a` in each lane.
@inline(__always)
func permute(_ a: SIMD4<Float>, _ places: SIMD4<Int32>) -> SIMD4<Float> { sasuka_permute4(a, places) }

// MARK: Vectors of 8

@inline(__always)
func stream(_ vector: SIMD8<Float>, _ place: UnsafeMutablePointer<Float>) { sasuka_stream8(vector, place) }

@inline(__always)
func less(_ a: SIMD8<Float>, _ b: SIMD8<Float>) -> SIMD8<Int32> { sasuka_less8(a, b) }

@inline(__always)
func atMost(_ a: SIMD8<Float>, _ b: SIMD8<Float>) -> SIMD8<Int32> { sasuka_at_most8(a, b) }

/// Where a lane is not a number.
@inline(__always)
func isNaN(_ a: SIMD8<Float>) -> SIMD8<Int32> { sasuka_unordered8(a) }

@inline(__always)
func hasAny(_ mask: SIMD8<Int32>) -> Bool { sasuka_any8(mask) != 0 }

@inline(__always)
func squareRoot(_ a: SIMD8<Float>) -> SIMD8<Float> { sasuka_square_root8(a) }

@inline(__always)
func equal(_ a: SIMD8<Int32>, _ b: SIMD8<Int32>) -> SIMD8<Int32> { sasuka_equal8(a, b) }

@inline(__always)
func select(_ mask: SIMD8<Int32>, _ yes: SIMD8<Float>, _ no: SIMD8<Float>) -> SIMD8<Float> {
  sasuka_select8(mask, yes, no)
}

@inline(__always)
func select(_ mask: SIMD8<Int32>, _ yes: SIMD8<Int32>, _ no: SIMD8<Int32>) -> SIMD8<Int32> {
  sasuka_select_integers8(mask, yes, no)
}

/// Lane places[lane] of `a` in each lane.
@inline(__always)
func permute(_ a: SIMD8<Float>, _ places: SIMD8<Int32>) -> SIMD8<Float> { sasuka_permute8(a, places) }

// MARK: Vectors of 16

@inline(__always)
func stream(_ vector: SIMD16<Float>, _ place: UnsafeMutablePointer<Float>) { sasuka_stream16(vector, place) }

@inline(__always)
func less(_ a: SIMD16<Float>, _ b: SIMD16<Float>) -> SIMD16<Int32> { sasuka_less16(a, b) }

@inline(__always)
func atMost(_ a: SIMD16<Float>, _ b: SIMD16<Float>) -> SIMD16<Int32> { sasuka_at_most16(a, b) }

/// Where a lane is not a number.
@inline(__always)
func isNaN(_ a: SIMD16<Float>) -> SIMD16<Int32> { sasuka_unordered16(a) }

@inline(__always)
func hasAny(_ mask: SIMD16<Int32>) -> Bool { sasuka_any16(mask) != 0 }

@inline(__always)
func squareRoot(_ a: SIMD16<Float>) -> SIMD16<Float> { sasuka_square_root16(a) }

@inline(__always)
func equal(_ a: SIMD16<Int32>, _ b: SIMD16<Int32>) -> SIMD16<Int32> { sasuka_equal16(a, b) }

@inline(__always)
func select(_ mask: SIMD16<Int32>, _ yes: SIMD16<Float>, _ no: SIMD16<Float>) -> SIMD16<Float> {
  sasuka_select16(mask, yes, no)
}

@inline(__always)
func select(_ mask: SIMD16<Int32>, _ yes: SIMD16<Int32>, _ no: SIMD16<Int32>) -> SIMD16<Int32> {
  sasuka_select_integers16(mask, yes, no)
}

/// Lane places[lane] of `a` in each lane.
@inline(__always)
func permute(_ a: SIMD16<Float>, _ places: SIMD16<Int32>) -> SIMD16<Float> { sasuka_permute16(a, places) }
