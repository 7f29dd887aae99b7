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
    let columns = PixelColumns(lowering.shape(node.inputs[0]), lowering.kernels)
    let x = UnsafePointer(lowering.pointer(node.inputs[0]))
    let y = lowering.pointer(node.outputs[0])
    let operation = self
    lowering.needWorkerScratch(bytes: columns.rowBytes * (columns.channels + 1))
    lowering.step(units: columns.count) { unit, context in
      let (offset, pixels) = columns[unit]
      let squares = context.workerScratch.assumingMemoryBound(to: Float.self)
      let sums = columns.row(columns.channels, of: squares)
      columns.square(x + offset, pixels, squares)
      for channel in 0..<columns.channels {
        columns.sum(squares, operation.neighbours(channel, columns.channels), pixels, sums)
        let place = offset + channel * columns.area
        columns.scale(x + place, by: operation.power, sums, pixels, y + place)
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

  /// (k + alpha / size * sum of squares)^-beta.
  fileprivate var power: sasuka_power {
    sasuka_power(factor: 1, constant: k, slope: alpha / Float(size), exponent: beta)
  }

  /// What the gradient's terms have besides: -2 alpha beta / size / (k + alpha / size * sum of squares).
  fileprivate var gradientPower: sasuka_power {
    sasuka_power(factor: -2 * alpha * beta / Float(size), constant: k, slope: alpha / Float(size), exponent: 1)
  }
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
    let columns = PixelColumns(lowering.shape(node.inputs[1]), lowering.kernels)
    let dy = UnsafePointer(lowering.pointer(node.inputs[0]))
    let x = UnsafePointer(lowering.pointer(node.inputs[1]))
    let dx = lowering.pointer(node.outputs[0])
    let forward = forward
    lowering.needWorkerScratch(bytes: columns.rowBytes * (2 * columns.channels + 1))
    lowering.step(units: columns.count) { unit, context in
      let (offset, pixels) = columns[unit]
      let squares = context.workerScratch.assumingMemoryBound(to: Float.self)
      let terms = columns.row(columns.channels, of: squares)
      let sums = columns.row(columns.channels, of: terms)
      columns.square(x + offset, pixels, squares)
      for channel in 0..<columns.channels {
        columns.sum(squares, forward.neighbours(channel, columns.channels), pixels, sums)
        let (place, term) = (offset + channel * columns.area, columns.row(channel, of: terms))
        columns.scale(dy + place, by: forward.power, sums, pixels, dx + place)
        columns.multiply(dx + place, x + place, term, pixels)
        columns.scale(term, by: forward.gradientPower, sums, pixels, term)
      }
      for channel in 0..<columns.channels {
        columns.sum(terms, forward.dependants(channel, columns.channels), pixels, sums)
        let place = offset + channel * columns.area
        columns.multiply(sums, x + place, sums, pixels)
        columns.add(dx + place, sums, dx + place, pixels)
      }
    }
  }
}

/// A plain map divided in groups of pixels with all their channels, and the arithmetic of a group: in rows, each a channel's
/// numbers of these pixels.
private struct PixelColumns {
  /// Few enough that the rows of most maps stay in the first cache.
  private static let groupPixels = 128

  let channels: Int
  let area: Int
  let count: Int
  private let groups: Int
  private let kernels: UnsafeMutablePointer<sasuka_kernel_table>

  init(_ shape: Shape, _ kernels: UnsafeMutablePointer<sasuka_kernel_table>) {
    channels = shape[1]
    area = shape[2] * shape[3]
    groups = area.dividedUp(by: PixelColumns.groupPixels)
    count = shape[0] * groups
    self.kernels = kernels
  }

  /// Where the group's first channel begins in the map, and its number of pixels.
  subscript(unit: Int) -> (offset: Int, pixels: Int) {
    let first = unit % groups * PixelColumns.groupPixels
    return (unit / groups * channels * area + first, min(PixelColumns.groupPixels, area - first))
  }

  /// Of a row in scratch memory.
  var rowBytes: Int { PixelColumns.groupPixels * MemoryLayout<Float>.stride }

  func row(_ channel: Int, of rows: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Float> {
    rows + channel * PixelColumns.groupPixels
  }

  /// The squares of all channels.
  func square(_ x: UnsafePointer<Float>, _ pixels: Int, _ squares: UnsafeMutablePointer<Float>) {
    for channel in 0..<channels {
      multiply(x + channel * area, x + channel * area, row(channel, of: squares), pixels)
    }
  }

  /// The sums of some channels' rows.
  func sum(
    _ rows: UnsafeMutablePointer<Float>, _ some: Range<Int>, _ pixels: Int, _ sums: UnsafeMutablePointer<Float>
  ) {
    sums.copy(from: row(some.lowerBound, of: rows), count: pixels)
    for channel in some.dropFirst() { add(sums, row(channel, of: rows), sums, pixels) }
  }

  func add(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>, _ pixels: Int
  ) {
    kernels.pointee.add!(a, b, result, pixels)
  }

  func multiply(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>, _ pixels: Int
  ) {
    kernels.pointee.multiply!(a, b, result, pixels)
  }

  func scale(
    _ x: UnsafePointer<Float>, by power: sasuka_power, _ sums: UnsafePointer<Float>, _ pixels: Int,
    _ result: UnsafeMutablePointer<Float>
  ) {
    var power = power
    kernels.pointee.narrow.scale_by_power!(&power, x, sums, result, pixels)
  }
}
