// Choosing between vectors lane by lane.

/// As many 32-bit integers as a vector has floats.
typealias Indices = Vector.MaskStorage
typealias Mask = SIMDMask<Indices>

/// The lanes of `a` where the mask holds, those of `b` elsewhere.
///
/// `replacing(with:where:)` goes lane by lane in Swift 6.3: a max pooling's gradient takes ten times as long with it.
/// A mask is a vector of 0 and -1, so that three bit operations do the same, and they become one blend.
@inline(__always)
func select(_ mask: Mask, _ a: Vector, _ b: Vector) -> Vector {
  unsafeBitCast(select(mask, unsafeBitCast(a, to: Indices.self), unsafeBitCast(b, to: Indices.self)), to: Vector.self)
}

@inline(__always)
func select(_ mask: Mask, _ a: Indices, _ b: Indices) -> Indices {
  let bits = unsafeBitCast(mask, to: Indices.self)
  return (a & bits) | (b & ~bits)
}

/// Where one of both holds; `.|` goes lane by lane too.
@inline(__always)
func either(_ a: Mask, _ b: Mask) -> Mask {
  unsafeBitCast(unsafeBitCast(a, to: Indices.self) | unsafeBitCast(b, to: Indices.self), to: Mask.self)
}
