import CSystem

extension Graph {
  /// Averages a map [batch, channels, height, width] down, or up, to a given size.
  @inline(never)
  package mutating func adaptiveAveragePool(
    _ input: Value, name: String, output: Extent
  ) throws(SasukaError) -> Value {
    try append(AveragePool(AdaptiveWindows(output)), name: name, inputs: [input])[0]
  }

  /// The average over all pixels of each channel: [batch, channels, 1, 1].
  @inline(never)
  package mutating func globalAveragePool(_ input: Value, name: String) throws(SasukaError) -> Value {
    try adaptiveAveragePool(input, name: name, output: Extent(1))
  }
}

/// Windows that share a map out among a fixed number of outputs: output i of n sees [floor(i s / n), ceil((i + 1) s / n)).
package final class AdaptiveWindows: AverageWindows {
  package let kind = "adaptive_average_pool"
  package let output: Extent

  package init(_ output: Extent) { self.output = output }

  package func outputShape(of input: Shape) throws(SasukaError) -> Shape {
    guard input.rank == 4, input[2] * input[3] <= Int32.max else {
      throw SasukaError(
        .invalidArgument,
        "input of shape \(input); [batch, channels, height, width] with at most \(Int32.max) pixels is expected")
    }
    for size in [output.height, output.width] where size < 1 || size > Window.maximum {
      throw SasukaError(.invalidArgument, "output size \(size); 1 to \(Window.maximum) is expected")
    }
    return Shape([input[0], input[1], output.height, output.width])
  }

  package func window(for input: Shape) -> Window? {
    guard input[2] % output.height == 0, input[3] % output.width == 0 else { return nil }
    let kernel = Extent(height: input[2] / output.height, width: input[3] / output.width)
    return Window(kernel: kernel, stride: kernel)
  }

  package func ranges(
    of input: Shape
  ) throws(SasukaError) -> (rows: [sasuka_pool_range], columns: [sasuka_pool_range]) {
    (AdaptiveWindows.ranges(input[2], output.height), AdaptiveWindows.ranges(input[3], output.width))
  }

  @inline(never)
  private static func ranges(_ size: Int, _ outputs: Int) -> [sasuka_pool_range] {
    (0..<outputs).map { place in
      let (first, end) = (place * size / outputs, ((place + 1) * size).dividedUp(by: outputs))
      return sasuka_pool_range(first: Int32(first), end: Int32(end), divisor: Float(end - first))
    }
  }
}
