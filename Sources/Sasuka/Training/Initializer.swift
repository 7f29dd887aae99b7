import CSystem

/// How a parameter's first numbers are made.
package enum Initializer: Equatable, Sendable {
  case constant(Float)
  /// Uniform in [-bound, bound).
  case uniform(bound: Float)
  /// Normal with mean 0.
  case normal(standardDeviation: Float)
  /// Of a convolution's weight [outputs, channels, height, width] of windows with that many numbers: each output begins
  /// as the average of the channel of its number; with one channel to an output, of that.
  case windowAverage(channels: Int, window: Int)

  /// Which connections of a weight the variance is kept over.
  package enum Fan: Equatable, Sendable { case input, output }

  /// He et al. 2015, Delving Deep into Rectifiers: variance gain² / fan.
  package static func kaimingNormal(_ shape: Shape, _ fan: Fan = .input, gain: Float = Float(2).squareRoot()) -> Self {
    .normal(standardDeviation: gain / Float(fan == .input ? shape.fanIn : shape.fanOut).squareRoot())
  }

  package static func kaimingUniform(_ shape: Shape, _ fan: Fan = .input, gain: Float = Float(2).squareRoot()) -> Self {
    .uniform(bound: gain * (3 / Float(fan == .input ? shape.fanIn : shape.fanOut)).squareRoot())
  }

  /// Glorot and Bengio 2010, Understanding the Difficulty of Training Deep Feedforward Neural Networks.
  package static func xavierNormal(_ shape: Shape, gain: Float = 1) -> Self {
    .normal(standardDeviation: gain * (2 / Float(shape.fanIn + shape.fanOut)).squareRoot())
  }

  package static func xavierUniform(_ shape: Shape, gain: Float = 1) -> Self {
    .uniform(bound: gain * (6 / Float(shape.fanIn + shape.fanOut)).squareRoot())
  }

  /// Writes the numbers of a range; each is a function of the random state, the stream and its index.
  func fill(_ numbers: UnsafeMutablePointer<Float>, _ range: Range<Int>, random: RandomState, stream: UInt32) {
    switch self {
    case .constant(let value):
      (numbers + range.lowerBound).update(repeating: value, count: range.count)
    case .uniform(let bound):
      var words = random.words(stream: stream, index: UInt64(range.lowerBound / 4))
      for index in range {
        if index % 4 == 0 { words = random.words(stream: stream, index: UInt64(index / 4)) }
        numbers[index] = bound * (2 * RandomState.unit(words[index % 4]) - 1)
      }
    case .normal(let deviation):
      for index in range {
        numbers[index] = deviation * random.normal(stream: stream, index: UInt64(index))
      }
    case .windowAverage(let channels, let window):
      // Output o and channel o stand at (o * channels + o) * window.
      for index in range {
        let isOwn = channels == 1 || index / window % (channels + 1) == 0
        numbers[index] = isOwn ? 1 / Float(window) : 0
      }
    }
  }
}

extension RandomState {
  /// A number of the standard normal distribution (Box and Muller 1958).
  func normal(stream: UInt32, index: UInt64) -> Float {
    let words = words(stream: stream, index: index)
    let radius = (-2 * log(1 - Double(words[0]) * 0x1p-32)).squareRoot()
    return Float(radius * cos(2 * Double.pi * Double(words[1]) * 0x1p-32))
  }
}

extension Shape {
  /// Connections into one output of a weight [outputs, inputs, ...].
  var fanIn: Int { rank < 2 ? max(count, 1) : count / dimensions[0] }
  /// Connections out of one input of a weight [outputs, inputs, ...].
  var fanOut: Int { rank < 2 ? max(count, 1) : count / dimensions[1] }
}
