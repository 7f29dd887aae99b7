// The one-dimensional transforms of Winograd's convolution: Toom and Cook's for the points 0, 1, -1, 1/2, -2, in this order,
// of which n - 2 serve as n - 1 with the point at infinity does. A transform of two dimensions is one along each.
// (A. Lavin and S. Gray, 2015, Fast Algorithms for Convolutional Neural Networks. The points, of which 1/2 is the negative
// inverse of -2, give a third of the error of 0, ±1, ±2; see B. Barabasz et al., 2020.)
import CSystem

/// A line of a tile.
typealias Line<let count: Int> = InlineArray<count, Vector>

/// What a line of the input becomes at each point: row `point` of the matrix holds the coefficients of the product of
/// (x - other point), and the last row those of all points.
@inline(__always)
func transformInput<let points: Int>(_ d: inout Line<points>) {
  if points == 6 {
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

/// The line of the output of which `s` are the products at the points.
@inline(__always)
func transformOutput<let points: Int, let outputs: Int>(_ s: Line<points>) -> Line<outputs> {
  var y = zeroed() as Line<outputs>
  if points == 6 {
    let (sum, difference) = (s[1] + s[2], s[1] - s[2])
    y[0] = s[0] + sum + s[3] + s[4]
    let odd = multiplyAdd(Vector(repeating: 0.5), s[3], multiplyAdd(Vector(repeating: -2), s[4], difference))
    if outputs == 4 {
      y[1] = odd
      y[2] = multiplyAdd(Vector(repeating: 0.25), s[3], multiplyAdd(Vector(repeating: 4), s[4], sum))
      y[3] =
        s[5] + multiplyAdd(Vector(repeating: 0.125), s[3], multiplyAdd(Vector(repeating: -8), s[4], difference))
    } else {
      y[1] = odd + s[5]
    }
  } else if points == 4 {
    y[0] = s[0] + s[1] + s[2]
    y[1] = s[1] - s[2] + s[3]
  } else {
    y[0] = s[0]
  }
  return y
}
