// The kernels for every x86-64 processor (SSE2): vectors of 4 floats.
import CSystem

/// The vector that every kernel of this target computes with; its width is the channel block of the blocked layout.
typealias Vector = SIMD4<Float>

/// a · b + c, rounded twice: without FMA instructions \`addingProduct\` would call fmaf for every lane.
@inline(__always)
func multiplyAdd(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector {
  a * b + c
}

/// Half a vector takes as long as a whole one here.
typealias HalfVector = Vector

/// `multiplyAdd`, in its place in the program.
@inline(__always)
func pinnedMultiplyAdd(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector {
  multiplyAdd(a, b, c)
}

/// Lane places[lane] of `a` in each lane, which is one of the same group of channels that divides a vector.
@inline(__always)
func permuteInGroup(_ a: Vector, _ places: Indices) -> Vector {
  permute(a, places)
}

/// Fills `table` with this target's kernels.
@_cdecl("sasuka_kernels_baseline")
func fill(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  fillTable(table)
  fillPacking(table)
}
