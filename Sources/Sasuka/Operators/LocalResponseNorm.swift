import CSystem

extension Graph {
  /// y = x / (k + alpha / size * sum of x^2 over `size` neighbouring channels)^beta, on [batch, channels, height, width]
  /// (Krizhevsky, Sutskever and Hinton 2012, ImageNet Classification with Deep Convolutional Neural Networks).
  @inline(never)
  package mutating func localResponseNorm(
    _ input: Value, name: String, size: Int, alpha: Float = 1e-4, beta: Float = 0.75, k: Float = 1
  ) throws(SasukaError) -> Value {
    try append(LocalResponseNorm(size: size, alpha: alpha, beta: beta, k: k), name: name, inputs: [input])[0]
  }
}

/// Division by the strength of the neighbouring channels.
package final class LocalResponseNorm: Operator {
  package let kind = "local_response_norm"
  package let layoutRule = LayoutRule.plain
  private let size: Int
  private let alpha: Float
  private let beta: Float
  private let k: Float

  package init(size: Int, alpha: Float, beta: Float, k: Float) {
    self.size = size
    self.alpha = alpha
    self.beta = beta
    self.k = k
  }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    guard inputs[0].rank == 4 else {
      throw SasukaError(
        .invalidArgument, "input of shape \(inputs[0]); [batch, channels, height, width] is expected")
    }
    guard size >= 1, size <= Window.maximum else {
      throw SasukaError(.invalidArgument, "size \(size); 1 to \(Window.maximum) channels are expected")
    }
    return [inputs[0]]
  }

  package func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int {
    saturatingProduct(outputs[0].count, min(size, outputs[0][1]) + 1)
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let operation = LocalResponseNormGradient(self)
    let inputs = [context.outputGradient, context.node.inputs[0]]
    context.setGradient(ofInput: 0, try context.append(operation, inputs)[0])
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let columns = PixelColumns(lowering.shape(node.inputs[0]))
    let x = UnsafePointer(lowering.pointer(node.inputs[0]))
    let y = lowering.pointer(node.outputs[0])
    let (operation, beta) = (self, beta)
    lowering.step(units: columns.count) { unit, _ in
      let (offset, pixels) = columns[unit]
      for channel in 0..<columns.channels {
        for place in (offset..<(offset + pixels)) {
          let base = operation.base(x + place, channel, columns)
          y[place + channel * columns.area] = x[place + channel * columns.area] * powf(base, -beta)
        }
      }
    }
  }

  /// The channels whose squares channel `channel` is divided by.
  fileprivate func neighbours(_ channel: Int, _ channels: Int) -> Range<Int> {
    max(0, channel - size / 2)..<min(channels, channel + (size - 1) / 2 + 1)
  }

  /// The channels that are divided by the square of channel `channel`, among others.
  fileprivate func dependants(_ channel: Int, _ channels: Int) -> Range<Int> {
    max(0, channel - (size - 1) / 2)..<min(channels, channel + size / 2 + 1)
  }

  /// k + alpha / size * sum of squares, for the pixel at `pixel` in the first channel.
  fileprivate func base(_ pixel: UnsafePointer<Float>, _ channel: Int, _ columns: PixelColumns) -> Float {
    var squares: Float = 0
    for other in neighbours(channel, columns.channels) {
      let value = pixel[other * columns.area]
      squares += value * value
    }
    return k + alpha * (squares / Float(size))
  }

  /// Factor of the sum in the gradient: 2 alpha beta / size.
  fileprivate var gradientFactor: Float { 2 * alpha * beta / Float(size) }
  fileprivate var exponent: Float { beta }
}

/// dx_j = dy_j b_j^-beta - 2 alpha beta / size x_j sum over dependants i of dy_i x_i b_i^(-beta - 1), with b the bases.
final class LocalResponseNormGradient: Operator {
  let kind = "local_response_norm_gradient"
  let layoutRule = LayoutRule.plain
  private let forward: LocalResponseNorm

  init(_ forward: LocalResponseNorm) { self.forward = forward }

  /// Inputs: dy, x. Output: dx.
  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputs[1]] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let columns = PixelColumns(lowering.shape(node.inputs[1]))
    let dy = UnsafePointer(lowering.pointer(node.inputs[0]))
    let x = UnsafePointer(lowering.pointer(node.inputs[1]))
    let dx = lowering.pointer(node.outputs[0])
    let forward = forward
    lowering.needWorkerScratch(bytes: columns.channels * 2 * MemoryLayout<Float>.stride)
    lowering.step(units: columns.count) { unit, context in
      let (offset, pixels) = columns[unit]
      let direct = context.workerScratch.assumingMemoryBound(to: Float.self)
      let indirect = direct + columns.channels
      for place in offset..<(offset + pixels) {
        for channel in 0..<columns.channels {
          let base = forward.base(x + place, channel, columns)
          let value = dy[place + channel * columns.area] * powf(base, -forward.exponent)
          direct[channel] = value
          indirect[channel] = value * x[place + channel * columns.area] / base
        }
        for channel in 0..<columns.channels {
          var sum: Float = 0
          for other in forward.dependants(channel, columns.channels) { sum += indirect[other] }
          let pixel = place + channel * columns.area
          dx[pixel] = direct[channel] - forward.gradientFactor * x[pixel] * sum
        }
      }
    }
  }
}

/// A plain map divided in groups of pixels with all their channels.
private struct PixelColumns {
  private static let groupPixels = 256

  let channels: Int
  let area: Int
  let count: Int
  private let groups: Int

  init(_ shape: Shape) {
    channels = shape[1]
    area = shape[2] * shape[3]
    groups = area.dividedUp(by: PixelColumns.groupPixels)
    count = shape[0] * groups
  }

  /// Where the group's first channel begins in the map, and its number of pixels.
  subscript(unit: Int) -> (offset: Int, pixels: Int) {
    let first = unit % groups * PixelColumns.groupPixels
    return (unit / groups * channels * area + first, min(PixelColumns.groupPixels, area - first))
  }
}
