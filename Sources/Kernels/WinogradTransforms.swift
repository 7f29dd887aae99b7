// The one-dimensional transforms of Winograd's convolution: Toom and Cook's for `winogradPoint`'s points and the one at
// infinity. A transform of two dimensions is one along each.
// (A. Lavin and S. Gray, 2015, Fast Algorithms for Convolutional Neural Networks. Points come with their negatives, which
// halves the work, or with their negative inverses, which round least; see B. Barabasz et al., 2020.)
import CSystem

/// A line of a tile.
typealias Line<let count: Int> = InlineArray<count, Vector>

/// The finite points of a line of `points`, in their order. Those of 4 and 6 points have a third of the error of 0, ±1, ±2;
/// those of 3, 5, 7, 8 and 10 are the pairs of opposites with the least, or almost, in steps of a sixteenth.
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
    case 7: pair == 0 ? 0.3125 : pair == 1 ? 0.875 : 1.875
    case 8: pair == 0 ? 1 : pair == 1 ? 0.5 : 2
    default: pair == 0 ? 0.4375 : pair == 1 ? 0.8125 : pair == 2 ? 1.25 : 2.25
    }
  return (index &- first) % 2 == 0 ? magnitude : -magnitude
}

/// Where pairs of opposites begin: an even number of points has 0 before them, and each has the one at infinity after them.
@inline(__always)
private func firstPair(of points: Int) -> Int { 1 &- points % 2 }

/// How many pairs of opposites there are.
@inline(__always)
private func pairs(of points: Int) -> Int { (points &- 1) / 2 }

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
    for pair in 0..<4 where pair < pairs(of: points) { transformPair(&d, source, pair) }
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
private func squares(of points: Int, without skipped: Int) -> InlineArray<5, Float> {
  var polynomial: InlineArray<5, Double> = [1, 0, 0, 0, 0]
  for pair in 0..<4 where pair != skipped && pair < pairs(of: points) {
    let point = winogradPoint(firstPair(of: points) &+ 2 &* pair, of: points)
    for power in 0..<4 { polynomial[4 &- power] = polynomial[3 &- power] - point * point * polynomial[4 &- power] }
    polynomial[0] *= -point * point
  }
  var result = zeroed() as InlineArray<5, Float>
  for power in 0..<5 { result[power] = Float(polynomial[power]) }
  return result
}

/// A polynomial's coefficients times every second vector from one on; the highest, of `count`, is 1.
@inline(__always)
private func everySecond<let points: Int>(
  _ d: Line<points>, from first: Int, _ coefficients: InlineArray<5, Float>, count: Int
) -> Vector {
  var sum = d[first &+ 2 &* count]
  for place in 0..<4 where place < count {
    sum = multiplyAdd(Vector(repeating: coefficients[place]), d[first &+ 2 &* place], sum)
  }
  return sum
}

/// The line of the output of which `s` are the products at the points.
@inline(__always)
func transformOutput<let points: Int, let outputs: Int>(_ s: Line<points>) -> Line<outputs> {
  var y = zeroed() as Line<outputs>
  if points > 6 || points % 2 == 1 {
    let first = firstPair(of: points)
    var (sums, differences) = (zeroed() as Line<4>, zeroed() as Line<4>)
    for pair in 0..<4 where pair < pairs(of: points) {
      sums[pair] = s[first &+ 2 &* pair] + s[first &+ 2 &* pair &+ 1]
      differences[pair] = s[first &+ 2 &* pair] - s[first &+ 2 &* pair &+ 1]
    }
    for output in 0..<outputs {
      var sum = output == 0 && first == 1 ? s[0] : output == outputs &- 1 ? s[points &- 1] : Vector()
      for pair in 0..<4 where pair < pairs(of: points) {
        let point = winogradPoint(first &+ 2 &* pair, of: points)
        var power = 1.0
        for _ in 0..<output { power *= point }
        sum = multiplyAdd(Vector(repeating: Float(power)), output % 2 == 0 ? sums[pair] : differences[pair], sum)
      }
      y[output] = sum
    }
  } else if points == 6 {
    let (sum, difference) = (s[1] + s[2], s[1] - s[2])
    y[0] = s[0] + sum + s[3] + s[4]
    let odd = multiplyAdd(Vector(repeating: 0.5), s[3], multiplyAdd(Vector(repeating: -2), s[4], difference))
    y[1] = odd
    y[2] = multiplyAdd(Vector(repeating: 0.25), s[3], multiplyAdd(Vector(repeating: 4), s[4], sum))
    y[3] =
      s[5] + multiplyAdd(Vector(repeating: 0.125), s[3], multiplyAdd(Vector(repeating: -8), s[4], difference))
  } else {
    y[0] = s[0] + s[1] + s[2]
    y[1] = s[1] - s[2]
    if outputs == 3 { y[2] = s[1] + s[2] }
    y[outputs &- 1] += s[3]
  }
  return y
}
