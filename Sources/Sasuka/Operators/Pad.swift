/// How a map goes on beyond its edges.
package enum PadMode: Equatable, Sendable {
  case constant(Float)
  /// Mirrored, without repeating the edge.
  case reflect
  /// The edge repeated.
  case replicate
}

/// Adds rows and columns at the sides of a map; negative numbers take some away.
package final class PadSampling: Sampling {
  package let kind = "pad"
  private let padding: Padding
  private let mode: PadMode

  package init(_ padding: Padding, mode: PadMode) {
    self.padding = padding
    self.mode = mode
  }

  package var constant: Float {
    if case .constant(let value) = mode { return value }
    return 0
  }

  package func outputSize(of input: Extent) throws(SasukaError) -> Extent {
    guard constant.isFinite else {
      throw SasukaError(.invalidArgument, "the value that fills is not finite; a finite number is expected")
    }
    return Extent(
      height: try outputSize(of: input.height, before: padding.top, after: padding.bottom, "height"),
      width: try outputSize(of: input.width, before: padding.left, after: padding.right, "width"))
  }

  private func outputSize(
    of size: Int, before: Int, after: Int, _ axis: StaticString
  ) throws(SasukaError) -> Int {
    for amount in [before, after] {
      guard amount >= -Window.maximum, amount <= Window.maximum else {
        throw SasukaError(
          .invalidArgument, "\(axis): padding \(amount); -\(Window.maximum) to \(Window.maximum) is expected")
      }
      guard mode != .reflect || amount < size else {
        throw SasukaError(
          .invalidArgument, "\(axis): padding \(amount) cannot reflect \(size) pixels; less than \(size) is expected")
      }
    }
    guard size + before + after >= 1 else {
      throw SasukaError(
        .invalidArgument, "\(axis): padding \(before) and \(after) leaves nothing of \(size) pixels")
    }
    return size + before + after
  }

  package func sample(_ index: Int, input: Int, output: Int, isRow: Bool) -> Sample {
    let place = source(of: index - (isRow ? padding.top : padding.left), size: input)
    return Sample(place: place, next: max(place, 0), weight: 0)
  }

  private func source(of place: Int, size: Int) -> Int {
    switch mode {
    case .constant: return place >= 0 && place < size ? place : -1
    case .replicate: return min(max(place, 0), size - 1)
    // Less than a map's size beyond either edge, as the shape rule has checked.
    case .reflect: return place < 0 ? -place : place < size ? place : 2 * (size - 1) - place
    }
  }
}

extension Graph {
  /// Pads a map [batch, channels, height, width]; negative numbers crop.
  @inline(never)
  package mutating func pad(
    _ input: Value, _ padding: Padding, mode: PadMode = .constant(0), name: String
  ) throws(SasukaError) -> Value {
    try append(Resample(PadSampling(padding, mode: mode)), name: name, inputs: [input])[0]
  }
}
