// The one-dimensional transforms of Winograd's convolution: Toom and Cook's for `winogradPoint`'s points and the one at
// infinity. A transform of two dimensions is one along each.
// (A. Lavin and S. Gray, 2015, Fast Algorithms for Convolutional Neural Networks. Points come with their negatives, which
// halves the work, or with their negative inverses, which round least; see B. Barabasz et al., 2020.)
import CSystem

/// A line of a tile.
typealias Line<let count: Int> = InlineArray<count, Vector>

/// The finite points of a line of `points`, in their order. Those of 4 and 6 points have a third of the error of 0, ±1, ±2;
/// those of 3, 5, 8, 9 and 12 are the pairs of opposites with the least, or almost, in steps of a sixteenth. An odd number
/// does without 0: tiles of 7 x 7, by 9 points, round twice as much as those of 6 x 6; with 0 they would eight times.
@inline(__always)
func winogradPoint(_ index: Int, of points: Int) -> Double {
  let first = firstPair(of: points)
  if index < first { return 0 }
  if points == 4 || points == 6 { return index == 1 ? 1 : index == 2 ? -1 : index == 3 ? 0.5 : -2 }
  let pair = (index &- first) / 2
  let magnitude =
    switch points {
    case 3: 0.75
    case 5: pair == 0 ? 0.5 : 1.25
    case 8: pair == 0 ? 1 : pair == 1 ? 0.5 : 2
    case 9: pair == 0 ? 0.25 : pair == 1 ? 0.6875 : pair == 2 ? 1.125 : 2.125
    default: pair == 0 ? 0.375 : pair == 1 ? 0.6875 : pair == 2 ? 1 : pair == 3 ? 1.4375 : 2.75
    }
  return (index &- first) % 2 == 0 ? magnitude : -magnitude
}

/// Where pairs of opposites begin: an even number of points has 0 before them, and each has the one at infinity after them.
@inline(__always)
private func firstPair(of points: Int) -> Int { 1 &- points % 2 }

/// How many pairs of opposites there are.
@inline(__always)
private func pairs(of points: Int) -> Int { (points &- 1) / 2 }

/// Whether constants of a line are whole vectors in memory, from where products take them. The compiler would make each of a
/// number, by an instruction of its own: for 28 products of a line of the output 24.
@inline(__always)
func hasConstants(points: Int) -> Bool { lanes == 8 && points == 9 }

/// Writes those of lines of nine points of the output: each pair's point to the powers 1 to 6.
func fillOutputConstants(_ constants: UnsafeMutablePointer<Float>) {
  for pair in 0..<4 {
    for exponent in 1..<7 {
      storeVector(pointPower(of: 2 &* pair, exponent, points: 9), constants + (6 &* pair &+ exponent &- 1) &* lanes)
    }
  }
}

/// A point to some power.
@inline(__always)
private func pointPower(of place: Int, _ exponent: Int, points: Int) -> Vector {
  var power = 1.0
  for _ in 0..<exponent { power *= winogradPoint(place, of: points) }
  return Vector(repeating: Float(power))
}

/// What a line of the input becomes at each point: row `point` of the matrix holds the coefficients of the product of
/// (x - other point), and the last row those of all points.
@inline(__always)
func transformInput<let points: Int>(_ d: inout Line<points>) {
  if points > 6 || points % 2 == 1 {
    let source = d
    let polynomial = squares(of: points, without: -1)
    let first = firstPair(of: points)
    if first == 1 { d[0] = everySecond(source, from: 0, polynomial, count: pairs(of: points)) }
    d[points &- 1] = everySecond(source, from: first, polynomial, count: pairs(of: points))
    for pair in 0..<5 where pair < pairs(of: points) { transformPair(&d, source, pair) }
  } else if points == 6 {
    let (a, b) = (d[4] - d[2], d[3] - d[1])
    let (sum, difference) = (d[2] + d[3], d[3] - d[2])
    let (half, three) = (Vector(repeating: 1.5), Vector(repeating: 2))
    let first = multiplyAdd(half, b, d[0] - d[2] + a)
    d[5] = multiplyAdd(half, a, d[5] - d[3] - b)
    d[0] = first
    d[1] = multiplyAdd(half, sum, a + b)
    d[2] = multiplyAdd(half, difference, a - b)
    d[3] = multiplyAdd(three, b, a)
    d[4] = multiplyAdd(Vector(repeating: -0.5), b, a)
  } else if points == 4 {
    let (first, second) = (d[1], d[2])
    d[0] = second - d[0]
    d[1] = first + second
    d[2] = second - first
    d[3] = d[3] - first
  }
}

/// What a line becomes at both points of a pair of opposites: x (x ± p) times a polynomial in x², or without x where 0 is no
/// point.
@inline(__always)
private func transformPair<let points: Int>(_ d: inout Line<points>, _ source: Line<points>, _ pair: Int) {
  let polynomial = squares(of: points, without: pair)
  let (count, first) = (pairs(of: points) &- 1, firstPair(of: points))
  let even = everySecond(source, from: first &+ 1, polynomial, count: count)
  let odd = everySecond(source, from: first, polynomial, count: count)
  let place = first &+ 2 &* pair
  let point = Vector(repeating: Float(winogradPoint(place, of: points)))
  d[place] = multiplyAdd(point, odd, even)
  d[place &+ 1] = multiplyAdd(-point, odd, even)
}

/// The coefficients of the product of (y - p²) over the pairs ±p, but one; the highest is 1.
@inline(__always)
private func squares(of points: Int, without skipped: Int) -> InlineArray<6, Float> {
  var polynomial: InlineArray<6, Double> = [1, 0, 0, 0, 0, 0]
  for pair in 0..<5 where pair != skipped && pair < pairs(of: points) {
    let point = winogradPoint(firstPair(of: points) &+ 2 &* pair, of: points)
    for power in 0..<5 { polynomial[5 &- power] = polynomial[4 &- power] - point * point * polynomial[5 &- power] }
    polynomial[0] *= -point * point
  }
  var result = zeroed() as InlineArray<6, Float>
  for power in 0..<6 { result[power] = Float(polynomial[power]) }
  return result
}

/// A polynomial's coefficients times every second vector from one on; the highest, of `count`, is 1.
@inline(__always)
private func everySecond<let points: Int>(
  _ d: Line<points>, from first: Int, _ coefficients: InlineArray<6, Float>, count: Int
) -> Vector {
  var sum = d[first &+ 2 &* count]
  for place in 0..<5 where place < count {
    sum = multiplyAdd(Vector(repeating: coefficients[place]), d[first &+ 2 &* place], sum)
  }
  return sum
}

/// What the line of the output is made of, of which `s` are the products at the points.
struct OutputSums<let points: Int> {
  private let s: Line<points>
  private let constants: UnsafePointer<Float>
  /// Of the products at the points of each pair.
  private var sums = zeroed() as Line<5>
  private var differences = zeroed() as Line<5>

  @inline(__always)
  init(_ s: Line<points>, _ constants: UnsafePointer<Float>) {
    self.s = s
    self.constants = constants
    let first = firstPair(of: points)
    for pair in 0..<5 where pair < pairs(of: points) {
      let place = first &+ 2 &* pair
      // Of 6 points the last two finite ones are no pair.
      if points == 6, pair == 1 {
        (sums[pair], differences[pair]) = (s[place], s[place &+ 1])
      } else {
        (sums[pair], differences[pair]) = (s[place] + s[place &+ 1], s[place] - s[place &+ 1])
      }
    }
  }

  /// One vector of it, but for the product at infinity, which the last has.
  @inline(__always)
  func output(_ output: Int) -> Vector {
    let first = firstPair(of: points)
    let pair = output % 2 == 0 ? sums : differences
    var sum = output == 0 && first == 1 ? pair[0] + s[0] : power(of: first, output) * pair[0]
    for number in 1..<5 where number < pairs(of: points) {
      let place = first &+ 2 &* number
      if points == 6 {
        sum = multiplyAdd(power(of: place &+ 1, output), differences[number], sum)
        sum = multiplyAdd(power(of: place, output), sums[number], sum)
      } else {
        sum = multiplyAdd(power(of: place, output), pair[number], sum)
      }
    }
    return sum
  }

  /// A point to some power.
  @inline(__always)
  private func power(of place: Int, _ exponent: Int) -> Vector {
    if hasConstants(points: points), exponent > 0 {
      return loadVector(constants + (3 &* place &+ exponent &- 1) &* lanes)
    }
    return pointPower(of: place, exponent, points: points)
  }
}
