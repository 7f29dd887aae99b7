import CSystem

/// A picture of 8-bit levels in the host's memory: rows of interleaved channels.
package struct Picture {
  package let pixels: UnsafePointer<UInt8>
  package let height: Int
  package let width: Int
  /// 1 (grey) or 3 (red, green, blue).
  package let channels: Int
  /// Bytes from one row to the next.
  package let rowBytes: Int

  /// The longest side: products of sides and preprocessing's sizes stay far from overflow.
  private static let longestSide = 1 << 20

  /// - Throws: `invalidArgument` for sizes that no picture has.
  package init(
    _ pixels: UnsafePointer<UInt8>, height: Int, width: Int, channels: Int, rowBytes: Int
  ) throws(SasukaError) {
    let sides = 1...Picture.longestSide
    guard sides.contains(height), sides.contains(width) else {
      throw SasukaError(
        .invalidArgument,
        "a picture of height \(height) and width \(width); 1 to \(Picture.longestSide) are expected")
    }
    guard channels == 1 || channels == 3 else {
      throw SasukaError(.invalidArgument, "a picture of \(channels) channels; 1 (grey) or 3 (RGB) is expected")
    }
    guard rowBytes == 0 || rowBytes >= width * channels, rowBytes <= Shape.maximumCount else {
      throw SasukaError(
        .invalidArgument,
        "a picture's row_bytes is \(rowBytes); 0 or at least \(width * channels) for \(width) pixels is expected")
    }
    (self.pixels, self.height, self.width, self.channels) = (pixels, height, width, channels)
    self.rowBytes = rowBytes == 0 ? width * channels : rowBytes
  }
}

extension Preprocessing {
  /// The longest side after resampling or cutting.
  private static let longestSide = 1 << 16

  /// Turns pictures into a batch.
  ///
  /// - Parameter output: [pictures, channels, height, width] of float32 or float64, any strides.
  /// - Throws: `invalidArgument` for numbers out of range and a batch of another shape, before anything is written.
  package func run(_ pictures: [Picture], to output: HostTensor) throws(SasukaError) {
    try check()
    guard pictures.count > 0 else { throw SasukaError(.invalidArgument, "0 pictures; at least 1 is expected") }
    guard output.dtype == .float32 || output.dtype == .float64 else {
      throw SasukaError(.invalidArgument, "output has type \(output.dtype.name); float32 or float64 is expected")
    }
    for (place, picture) in pictures.enumerated() {
      let step = PictureStep(picture, self)
      let expected = Shape([pictures.count, channels, step.rows.output, step.columns.output])
      guard output.shape == expected else {
        throw SasukaError(
          .invalidArgument, "output has shape \(output.shape); picture \(place) makes it \(expected)")
      }
    }
    let planes = try Buffer(floatCount: output.shape.count / pictures.count, purpose: "a preprocessed picture")
    let width = output.dtype == .float32 ? 4 : 8
    let (shape, strides) = (Shape(Array(output.shape.dimensions[1...])), Array(output.strides[1...]))
    for (place, picture) in pictures.enumerated() {
      try PictureStep(picture, self).run(planes.floats)
      let start = output.data + place * output.strides[0] * width
      try HostTensor(start, output.dtype, shape, strides: strides).write(from: UnsafePointer(planes.floats))
    }
  }

  private func check() throws(SasukaError) {
    guard channels == 1 || channels == 3 else {
      throw SasukaError(.invalidArgument, "preprocessing of \(channels) channels; 1 or 3 is expected")
    }
    for (name, size) in [("resize_size", resize), ("crop_size", crop)] {
      guard size >= 0, size <= Preprocessing.longestSide else {
        throw SasukaError(
          .invalidArgument, "\(name) is \(size); 0 (none) to \(Preprocessing.longestSide) is expected")
      }
    }
    for channel in 0..<channels {
      let (mean, deviation) = statistics(channel)
      guard mean > -.infinity, mean < .infinity, deviation > 0, deviation < .infinity else {
        throw SasukaError(
          .invalidArgument,
          "mean \(describe(mean)) and std \(describe(deviation)) of channel \(channel); finite numbers and a positive "
            + "deviation are expected")
      }
    }
  }

  func statistics(_ channel: Int) -> (mean: Double, deviation: Double) {
    switch channel {
    case 0: (mean.0, deviation.0)
    case 1: (mean.1, deviation.1)
    default: (mean.2, deviation.2)
    }
  }
}

/// One picture's way through a preprocessing.
private final class PictureStep {
  private let picture: Picture
  private let preprocessing: Preprocessing
  private let filter: PictureFilter
  let rows: PictureAxis
  let columns: PictureAxis
  /// Channels that are resampled: a grey picture's one stands for three, three become grey before.
  private let channels: Int

  init(_ picture: Picture, _ preprocessing: Preprocessing) {
    self.picture = picture
    self.preprocessing = preprocessing
    filter = PictureFilter(isBicubic: preprocessing.interpolation == .bicubic)
    channels = min(picture.channels, preprocessing.channels)
    var (height, width) = (picture.height, picture.width)
    if preprocessing.resize > 0 {
      let other = Int(Double(preprocessing.resize * max(height, width)) / Double(min(height, width)))
      (height, width) = height <= width ? (preprocessing.resize, other) : (other, preprocessing.resize)
    }
    rows = PictureAxis(size: picture.height, resized: height, crop: preprocessing.crop)
    columns = PictureAxis(size: picture.width, resized: width, crop: preprocessing.crop)
  }

  /// Pillow 13 resamples rows first where the height shrinks by more than twice the pixels that the width does.
  private var rowsComeFirst: Bool {
    rows.resized < rows.size && rows.size - rows.resized > 2 * (columns.size - columns.resized)
  }

  /// - Parameter planes: [channels, height, width], receives the result.
  func run(_ planes: UnsafeMutablePointer<Float>) throws(SasukaError) {
    var source = (levels: picture.pixels, rowBytes: picture.rowBytes)
    let grey = try greyLevels()
    if let grey { source = (UnsafePointer(grey.levels), picture.width) }
    let (rowTaps, columnTaps) = (try PictureTaps(rows, filter), try PictureTaps(columns, filter))
    let result = try Buffer(byteCount: rows.count * columns.count * channels, purpose: "a resampled picture")
    let width = columns.count * channels
    if rowsComeFirst {
      // [kept rows, used columns, channels]
      let used = columnTaps.used.count * channels
      let between = try Buffer(byteCount: rows.count * used, purpose: "a resampled picture")
      rowTaps.resample(
        source.levels + columnTaps.used.lowerBound * channels, source.rowBytes, lines: used, 1,
        to: between.levels, used, 1)
      for channel in 0..<channels {
        columnTaps.resample(
          between.levels + channel - columnTaps.used.lowerBound * channels, channels, lines: rows.count, used,
          to: result.levels + channel, channels, width)
      }
    } else {
      // [used rows, kept columns, channels]
      let used = rowTaps.used
      let between = try Buffer(byteCount: used.count * width, purpose: "a resampled picture")
      for channel in 0..<channels {
        columnTaps.resample(
          source.levels + used.lowerBound * source.rowBytes + channel, channels, lines: used.count, source.rowBytes,
          to: between.levels + channel, channels, width)
      }
      rowTaps.resample(
        between.levels - used.lowerBound * width, width, lines: width, 1, to: result.levels, width, 1)
    }
    withExtendedLifetime(grey) { write(result.levels, to: planes) }
  }

  /// Where three channels become one: Pillow's grey (ITU-R 601-2), [height, width].
  private func greyLevels() throws(SasukaError) -> Buffer? {
    guard channels != picture.channels else { return nil }
    let grey = try Buffer(byteCount: picture.height * picture.width, purpose: "a picture's grey levels")
    for row in 0..<picture.height {
      var source = picture.pixels + row * picture.rowBytes
      for column in 0..<picture.width {
        let (red, green, blue) = (Int(source[0]), Int(source[1]), Int(source[2]))
        let level = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
        grey.levels[row * picture.width + column] = UInt8(truncatingIfNeeded: level)
        source += 3
      }
    }
    return grey
  }

  /// The result as normalised numbers, each channel in its plane, black where the picture does not reach.
  private func write(_ levels: UnsafePointer<UInt8>, to planes: UnsafeMutablePointer<Float>) {
    for channel in 0..<preprocessing.channels {
      // In float32, as torchvision does.
      let statistics = preprocessing.statistics(channel)
      let (mean, deviation) = (Float(statistics.mean), Float(statistics.deviation))
      let plane = planes + channel * rows.output * columns.output
      for place in 0..<(rows.output * columns.output) { plane[place] = -mean / deviation }
      for row in 0..<rows.count {
        var source = levels + row * columns.count * channels + (channels == 1 ? 0 : channel)
        let target = plane + (rows.offset + row) * columns.output + columns.offset
        for column in 0..<columns.count {
          target[column] = (Float(source.pointee) / 255 - mean) / deviation
          source += channels
        }
      }
    }
  }
}

extension Buffer {
  fileprivate var levels: UnsafeMutablePointer<UInt8> { raw.assumingMemoryBound(to: UInt8.self) }
}
