// Exponential and logarithm of vectors, with a few units in the last place of error, and selection by mask.

/// The bits of a vector as 32-bit integers.
typealias Bits = Vector.MaskStorage

@inline(__always)
func bits(_ vector: Vector) -> Bits { unsafeBitCast(vector, to: Bits.self) }

@inline(__always)
func vector(_ bits: Bits) -> Vector { unsafeBitCast(bits, to: Vector.self) }

@inline(__always)
func magnitude(_ x: Vector) -> Vector { vector(bits(x) & Bits(repeating: 0x7FFF_FFFF)) }

/// coefficients[0] + x · coefficients[1] + …
@inline(__always)
func polynomial<let count: Int>(_ x: Vector, _ coefficients: InlineArray<count, Float>) -> Vector {
  var sum = Vector(repeating: coefficients[count - 1])
  var index = count - 2
  while index >= 0 {
    sum = multiplyAdd(sum, x, Vector(repeating: coefficients[index]))
    index -= 1
  }
  return sum
}

/// e^x for x <= 0; 0 below -87, where the result would be denormal.
@inline(__always)
func exponentialOfNonPositive(_ x: Vector) -> Vector {
  select(less(x, Vector(repeating: -87)), Vector(repeating: 0), exponential(x, sign: 1))
}

/// e^(sign x) for a sign of 1 or -1 where that is from e^-87 to e^88, NaN for NaN, and anything elsewhere.
///
/// sign x = n ln 2 + sign r with |r| <= ln 2 / 2, where the polynomial of degree 6 with the least error that begins with 1 + r is
/// off by 3e-9 of the result.
@inline(__always)
private func exponential(_ x: Vector, sign: Float) -> Vector {
  // Adding 1.5 * 2^23 leaves the nearest integer in the low bits.
  let shift = Vector(repeating: 0x1.8p23)
  let shifted = multiplyAdd(x, Vector(repeating: sign * 1.442_695_04), shift)
  let n = shifted - shift
  // ln 2 in two parts; the first has so few bits that n times it is exact.
  var r = multiplyAdd(n, Vector(repeating: sign * -0x1.62e4p-1), x)
  r = multiplyAdd(n, Vector(repeating: sign * -1.428_606_8e-6), r)
  // By powers, not coefficient by coefficient: each would wait for the one before, and few vectors are under way at a time.
  let square = r * r
  let last = Vector(repeating: 0.001_381_453_89)
  let high = multiplyAdd(square, last, polynomial(r, [0.041_668_390_8, sign * 0.008_368_745_14]))
  let low = polynomial(r, [0.499_999_934, sign * 0.166_665_204])
  let power = multiplyAdd(square, multiplyAdd(square, high, low), sign < 0 ? 1 - r : 1 + r)
  return vector(bits(power) &+ (bits(shifted) &<< Bits(repeating: 23)))
}

/// Natural logarithm of positive normal numbers.
@inline(__always)
func logarithm(_ x: Vector) -> Vector {
  // x = 2^exponent · mantissa, mantissa in [√½, √2).
  let exponent = (bits(x) &- Bits(repeating: 0x3F35_04F3)) &>> Bits(repeating: 23)
  let mantissa = vector(bits(x) &- (exponent &<< Bits(repeating: 23)))
  let t = (mantissa - 1) / (mantissa + 1)
  let series = polynomial(t * t, [2, 2 / 3, 2 / 5, 2 / 7, 2 / 9])
  // The exponent as a number: added to the bits of 1.5 * 2^23 it stands in the low bits, as above.
  let shift = Vector(repeating: 0x1.8p23)
  let power = vector(bits(shift) &+ exponent) - shift
  return multiplyAdd(power, Vector(repeating: 0.693_147_18), t * series)
}

/// log(1 + z) for z in [0, 1], accurate for small z too: 2 artanh(z / (2 + z)).
@inline(__always)
func logarithmOfOnePlus(_ z: Vector) -> Vector {
  let t = z / (z + 2)
  return t * polynomial(t * t, [2, 2 / 3, 2 / 5, 2 / 7, 2 / 9, 2 / 11, 2 / 13, 2 / 15, 2 / 17])
}

@inline(__always)
func sigmoid(_ x: Vector) -> Vector { sigmoid(x, times: Vector(repeating: 1)) }

/// factor · sigmoid(x), by one division.
@inline(__always)
func sigmoid(_ x: Vector, times factor: Vector) -> Vector {
  // Where x is greater, it is 1.
  let bound = Vector(repeating: 87)
  let quotient = factor / (1 + exponential(select(less(bound, x), bound, x), sign: -1))
  return select(less(x, -bound), Vector(repeating: 0), quotient)
}

/// x P(x²) / Q(x²), off by 2e-8 of the result but for what is rounded, up to 9, where it is 1.
@inline(__always)
func hyperbolicTangent(_ x: Vector) -> Vector {
  let (bound, one) = (Vector(repeating: 9), Vector(repeating: 1))
  let size = select(less(bound, magnitude(x)), bound, magnitude(x))
  let square = size * size
  let above = polynomial(square, [1, 0.133_839_89, 0.003_499_005_76, 2.066_140_91e-5, 1.341_999_28e-8])
  let below = polynomial(square, [1, 0.467_173_102, 0.025_890_243_9, 0.000_329_105_37, 7.804_806_63e-7])
  let quotient = size * above / below
  let result = select(less(one, quotient), one, quotient)
  return vector(bits(result) | bits(x) & Bits(repeating: Int32.min))
}
