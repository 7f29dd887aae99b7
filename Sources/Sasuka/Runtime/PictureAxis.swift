/// What becomes of a picture's rows, or of its columns: resampled to another number, cut from the middle or padded.
struct PictureAxis {
  /// Pixels of the picture, and after resampling.
  let size: Int
  let resized: Int
  /// Those of the resampled pixels that are kept, and where the first of them stands in the output.
  let first: Int
  let count: Int
  let offset: Int
  /// Pixels of the output.
  let output: Int

  /// - Parameter crop: pixels of the output; 0 keeps all.
  init(size: Int, resized: Int, crop: Int) {
    (self.size, self.resized) = (size, resized)
    output = crop > 0 ? crop : resized
    count = min(output, resized)
    // torchvision's rounding: what is cut off by Python's `round`, to the even number; what is padded down.
    let cut = resized - count
    first = cut / 2 + (cut % 4 == 3 ? 1 : 0)
    offset = (output - count) / 2
  }

  /// Pixels of the picture to a resampled one.
  fileprivate var scale: Double { Double(size) / Double(resized) }
}

/// The pixels of the picture that each kept pixel of an axis is made of, and their weights.
final class PictureTaps {
  private let axis: PictureAxis
  /// Most weights that a kept pixel has.
  private let most: Int
  /// For each kept pixel its first pixel, their number and `most` weights of 22 binary digits, as Pillow has them.
  private let table: Buffer

  init(_ axis: PictureAxis, _ filter: PictureFilter) throws(SasukaError) {
    self.axis = axis
    let reach = filter.support * max(1, axis.scale)
    most = axis.resized == axis.size ? 1 : 2 * Int(reach.rounded(.up)) + 1
    table = try Buffer(
      byteCount: axis.count * (most + 2) * MemoryLayout<Int32>.stride, purpose: "the weights of a resampling")
    for place in 0..<axis.count { fill(place, filter) }
  }

  private func entry(_ place: Int) -> UnsafeMutablePointer<Int32> {
    table.raw.assumingMemoryBound(to: Int32.self) + place * (most + 2)
  }

  private func fill(_ place: Int, _ filter: PictureFilter) {
    let entry = entry(place)
    guard axis.resized != axis.size else {
      (entry[0], entry[1], entry[2]) = (Int32(truncatingIfNeeded: axis.first + place), 1, 1 << PictureFilter.digits)
      return
    }
    // Where the picture shrinks, the filter is as much wider.
    let (center, spread) = ((Double(axis.first + place) + 0.5) * axis.scale, max(1, axis.scale))
    let reach = filter.support * spread
    let start = max(0, Int(center - reach + 0.5))
    let count = max(0, min(min(axis.size, Int(center + reach + 0.5)) - start, most))
    func weight(_ tap: Int) -> Double { filter.weight((Double(start + tap) - center + 0.5) * (1 / spread)) }
    var sum = 0.0
    for tap in 0..<count { sum += weight(tap) }
    for tap in 0..<count {
      let share = (sum == 0 ? 0 : weight(tap) / sum) * Double(1 << PictureFilter.digits)
      entry[2 + tap] = Int32(share.rounded(.toNearestOrAwayFromZero))
    }
    (entry[0], entry[1]) = (Int32(truncatingIfNeeded: start), Int32(truncatingIfNeeded: count))
  }

  /// All pixels of the picture that are looked at.
  var used: Range<Int> {
    let last = entry(axis.count - 1)
    return Int(entry(0)[0])..<Int(last[0] + last[1])
  }

  /// Resamples lines along the axis.
  ///
  /// - Parameters:
  ///   - source: the first line's level at the axis' first pixel; `step` bytes to the next, `sourceLine` to the next line.
  ///   - target: the same for the result.
  @inline(never)
  func resample(
    _ source: UnsafePointer<UInt8>, _ step: Int, lines: Int, _ sourceLine: Int,
    to target: UnsafeMutablePointer<UInt8>, _ targetStep: Int, _ targetLine: Int
  ) {
    // As many lines at once as bytes are brought to the cache together.
    for first in stride(from: 0, to: lines, by: 64) {
      for place in 0..<axis.count {
        let entry = entry(place)
        let (count, weights) = (Int(entry[1]), entry + 2)
        for line in first..<min(first + 64, lines) {
          var pixel = source + line * sourceLine + Int(entry[0]) * step
          // Rounds to the nearest level.
          var sum: Int32 = 1 << (PictureFilter.digits - 1)
          for tap in 0..<count {
            sum &+= Int32(pixel.pointee) &* weights[tap]
            pixel += step
          }
          target[line * targetLine + place * targetStep] = UInt8(clamping: sum >> PictureFilter.digits)
        }
      }
    }
  }
}

/// The filters that Pillow resamples with, as functions of the distance in pixels of the smaller picture.
struct PictureFilter {
  /// Binary digits of a weight behind the point: a sum of products with 8-bit levels fits in 32 bits.
  static let digits = 22

  let isBicubic: Bool

  /// Where the weights end.
  var support: Double { isBicubic ? 2 : 1 }

  /// The triangle, or the cubic of Keys 1981 (Cubic Convolution Interpolation) with a = -1/2.
  func weight(_ distance: Double) -> Double {
    let x = abs(distance)
    guard isBicubic else { return x < 1 ? 1 - x : 0 }
    if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
  }
}
