/// The size of a resized map.
package enum ResizeTarget: Equatable, Sendable {
  case size(Extent)
  /// Factors that the input's height and width are multiplied by, rounded down.
  case scale(height: Double, width: Double)
}

/// Changes the size of a map as PyTorch's interpolate does.
package final class ResizeSampling: Sampling {
  package enum Filter: Equatable, Sendable {
    case nearest
    /// - Parameter alignCorners: the centres of the corner pixels lie on each other, instead of the corners themselves.
    case bilinear(alignCorners: Bool)
  }

  package let kind = "resize"
  package let constant: Float = 0
  private let target: ResizeTarget
  private let filter: Filter

  package init(_ target: ResizeTarget, filter: Filter) {
    self.target = target
    self.filter = filter
  }

  package func outputSize(of input: Extent) throws(SasukaError) -> Extent {
    switch target {
    case .size(let size):
      return size
    case .scale(let height, let width):
      return Extent(
        height: try ResizeSampling.scaled(input.height, by: height, "height"),
        width: try ResizeSampling.scaled(input.width, by: width, "width"))
    }
  }

  private static func scaled(_ size: Int, by scale: Double, _ axis: StaticString) throws(SasukaError) -> Int {
    let result = (Double(size) * scale).rounded(.down)
    // Written so that NaN fails too.
    guard scale > 0, result >= 1, result <= Double(Window.maximum) else {
      throw SasukaError(
        .invalidArgument,
        "\(axis): the scale does not make 1 to \(Window.maximum) pixels of \(size)")
    }
    return Int(result)
  }

  package func sample(_ index: Int, input: Int, output: Int, isRow: Bool) -> Sample {
    let step = step(input: input, output: output, isRow: isRow)
    guard case .bilinear(let alignCorners) = filter else {
      // In float32, as PyTorch rounds it.
      let place = min(Int((Float(index) * Float(step)).rounded(.down)), input - 1)
      return Sample(place: place, next: place, weight: 0)
    }
    let position = alignCorners ? Double(index) * step : max((Double(index) + 0.5) * step - 0.5, 0)
    let place = min(Int(position), input - 1)
    let next = min(place + 1, input - 1)
    return Sample(place: place, next: next, weight: next == place ? 0 : Float(position - Double(place)))
  }

  /// Input pixels from one output to the next. A given scale counts as it stands, not as the sizes came out.
  private func step(input: Int, output: Int, isRow: Bool) -> Double {
    if filter == .bilinear(alignCorners: true) {
      return output > 1 ? Double(input - 1) / Double(output - 1) : 0
    }
    if case .scale(let height, let width) = target { return 1 / (isRow ? height : width) }
    return Double(input) / Double(output)
  }
}

extension Graph {
  /// Changes the size of a map [batch, channels, height, width] as PyTorch's interpolate does.
  @inline(never)
  package mutating func resize(
    _ input: Value, to target: ResizeTarget, filter: ResizeSampling.Filter = .bilinear(alignCorners: false),
    name: String
  ) throws(SasukaError) -> Value {
    try append(Resample(ResizeSampling(target, filter: filter)), name: name, inputs: [input])[0]
  }
}
