// The 16-wide kernels without AVX-512 instructions, for tests: their arithmetic is checked on every machine.
import CSystem

/// The vector that every kernel of this target computes with; its width is the channel block of the blocked layout.
typealias Vector = SIMD16<Float>

/// a · b + c, rounded twice: without FMA instructions \`addingProduct\` would call fmaf for every lane.
@inline(__always)
func multiplyAdd(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector {
  a * b + c
}

/// Half of a vector: on AVX-512, two take as long as a whole one.
typealias HalfVector = SIMD8<Float>

@inline(__always)
func multiplyAdd(_ a: HalfVector, _ b: HalfVector, _ c: HalfVector) -> HalfVector {
  a * b + c
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

/// Fills `table` with this target's kernels.
@_cdecl("sasuka_kernels_portable16")
package func fill(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  fillTable(table)
}
