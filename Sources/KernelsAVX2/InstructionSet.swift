// The kernels for AVX2 with FMA: vectors of 8 floats.
import CSystem

/// The vector that every kernel of this target computes with; its width is the channel block of the blocked layout.
typealias Vector = SIMD8<Float>

/// a · b + c, rounded once: one `vfmadd` instruction.
@inline(__always)
func multiplyAdd(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector {
  c.addingProduct(a, b)
}

/// Half a vector takes as long as a whole one here.
typealias HalfVector = Vector

/// `multiplyAdd`, in its place in the program.
@inline(__always)
func pinnedMultiplyAdd(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector {
  sasuka_pinned_multiply_add8(a, b, c)
}

/// Lane places[lane] of `a` in each lane, which is one of the same group of channels that divides a vector. Such a group is
/// within one half here, and within halves lanes are had for half of what they take across them.
@inline(__always)
func permuteInGroup(_ a: Vector, _ places: Indices) -> Vector {
  sasuka_permute_halves8(a, places)
}

/// Fills `table` with this target's kernels.
@_cdecl("sasuka_kernels_avx2")
func fill(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  fillTable(table)
}
