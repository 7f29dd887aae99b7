// The kernels for AVX-512 F, BW, DQ and VL with FMA: vectors of 16 floats.
import CSystem

/// The vector that every kernel of this target computes with; its width is the channel block of the blocked layout.
typealias Vector = SIMD16<Float>

/// a · b + c, rounded once: one `vfmadd` instruction.
@inline(__always)
func multiplyAdd(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector {
  c.addingProduct(a, b)
}

/// Half of a vector: on AVX-512, two take as long as a whole one.
typealias HalfVector = SIMD8<Float>

@inline(__always)
func multiplyAdd(_ a: HalfVector, _ b: HalfVector, _ c: HalfVector) -> HalfVector {
  c.addingProduct(a, b)
}

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

/// Fills `table` with this target's kernels; the narrow ones the engine takes from AVX2.
@_cdecl("sasuka_kernels_avx512")
func fill(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  fillWide(table)
}
