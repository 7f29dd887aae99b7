/// How the first layer's weights for K input channels become those for M.
///
/// Both keep the sum over the channels where M is a multiple of K, and averaging always does: a picture whose channels
/// are all alike gives what it gave before.
package enum ChannelAdaptation: Int32, Sendable {
  /// They do not: another number of channels is a mismatch.
  case none = 0
  /// Every channel gets the mean over the K channels, times K / M.
  case average = 1
  /// Channel c gets the weights of channel c mod K, times K / M.
  case repeated = 2
}

extension Model {
  /// The first convolution's kernel, with its numbers made of a file's kernel for another number of channels; nil where
  /// nothing is to be adapted, or the kernels differ in more than their channels.
  ///
  /// - Throws: `invalidArgument` for a network whose first convolution does not take all channels of the input.
  func firstKernel(
    adapting adaptation: ChannelAdaptation, _ file: any WeightFile, prefix: String
  ) throws(SasukaError) -> (place: Int, numbers: Buffer)? {
    guard adaptation != .none else { return nil }
    let input = graph.shape(graph.inputs[0])
    guard let layer = graph.nodes.first(where: { $0.operation.kind == "convolution" }),
      case .parameter(let place) = graph[layer.inputs[1]].role, input.rank == 4,
      parameters.infos[place].shape[1] == input[1]
    else {
      throw SasukaError(
        .invalidArgument, "channels: a network that begins with an ungrouped convolution of its input is expected")
    }
    let (name, shape) = (parameters.infos[place].name, parameters.infos[place].shape)
    guard let tensor = file.tensor(named: prefix + name), tensor.shape.count == 4, tensor.shape[1] > 0,
      tensor.shape[1] != shape[1], Shape(tensor.shape).replacing(axis: 1, with: shape[1]) == shape
    else { return nil }
    return (place, try tensor.kernel(for: shape, adaptation))
  }
}

extension WeightTensor {
  /// A kernel [output channels, K, height, width] made one of `wanted`, which differs in K only.
  fileprivate func kernel(for wanted: Shape, _ adaptation: ChannelAdaptation) throws(SasukaError) -> Buffer {
    let given = try Buffer(floatCount: count, purpose: name)
    let result = try Buffer(floatCount: wanted.count, purpose: name)
    copyFloats(to: given.floats)
    let (channels, area) = (shape[1], wanted[2] * wanted[3])
    let factor = Float(channels) / Float(wanted[1])
    for output in 0..<wanted[0] {
      let source = given.floats + output * channels * area
      let target = result.floats + output * wanted[1] * area
      if adaptation == .average { average(source, channels, area) }
      for channel in 0..<wanted[1] {
        let from = adaptation == .average ? source : source + channel % channels * area
        for pixel in 0..<area { target[channel * area + pixel] = from[pixel] * factor }
      }
    }
    return result
  }
}

/// Replaces the first of some planes by the mean of all.
private func average(_ planes: UnsafeMutablePointer<Float>, _ count: Int, _ area: Int) {
  for pixel in 0..<area {
    var sum = 0.0
    for plane in 0..<count { sum += Double(planes[plane * area + pixel]) }
    planes[pixel] = Float(sum / Double(count))
  }
}
