/// Where a convolution and the maxima behind it, or a pointwise one or one of the host's planes and the depthwise one behind
/// it, are computed together: where the map between them would leave the second cache before it is read. It is computed and
/// read by bands of rows then, and never exists as a whole (Sandler et al. 2018, MobileNetV2: Inverted Residuals and Linear
/// Bottlenecks, section 5.1).
package enum BandPass {
  /// Floats of an image's smallest map that is worth it before a depthwise convolution. Measured on a Zen 4 core with a second
  /// cache of 1 MB: 16 to 96 channels at 112 x 112 take 0.91 of the time, 24 to 72 at 56 x 56 0.98, 32 to 192 at 28 x 28 the
  /// same. On a Zen 3 core with 512 KB, which the map and what is made of it leave sooner, MobileNet v2 takes 0.98 with those of
  /// 28 x 28 and 14 x 14, two threads 0.96.
  package static let fewestFloats = 60_000
  /// Where there are more, memory is not what one waits for, or Strassen's products are faster.
  package static let mostInputChannels = 100
  /// The same before maxima.
  private static let fewestFloatsOfMaxima = 200_000
  private static let mostInputChannelsOfMaxima = 64
  /// Larger kernels over planes are computed in the phases of their stride.
  private static let mostPlaneTaps = 4
  /// A map has several bands.
  private static let mostTaps = 7

  /// The same for maxima behind a larger kernel, whose map would leave the second cache too.
  package static let fewestFloatsBehindTaps = 600_000
  /// A row of tiles of a wider one would leave the second cache by itself.
  private static let mostColumnsBehindTaps = 256

  /// Whether the first, of one of the forms that `BandedConvolution` takes, writes such a map for the second.
  static func pays(_ first: Node, _ window: ChannelWindow, _ second: Node, _ graph: Graph) -> Bool {
    guard first.inputs.count > 1 else { return false }
    let (input, map) = (graph.shape(first.inputs[0]), graph.shape(second.inputs[0]))
    let kernel = graph.shape(first.inputs[1])
    guard input.rank == 4, kernel.rank == 4 else { return false }
    let readsPlanes = (first.operation as? Convolution)?.readsPlanes == true
    let isSmall = max(kernel[2], kernel[3]) <= (readsPlanes ? mostPlaneTaps : 1)
    var (taps, fewest, mostChannels) = (0, fewestFloats, mostInputChannels)
    switch window {
    case .depthwise:
      let depthwise = graph.shape(second.inputs[1])
      if isSmall, depthwise[0] == map[1], depthwise[1] == 1 { taps = depthwise[2] }
    case .maxima(let pool):
      taps = pool.attributes.kernel.height
      (fewest, mostChannels) = (fewestFloatsOfMaxima, mostInputChannelsOfMaxima)
      if !isSmall { fewest = map[3] <= mostColumnsBehindTaps ? fewestFloatsBehindTaps : .max }
    }
    return (!isSmall || input[1] <= mostChannels) && map[1] * map[2] * map[3] >= fewest
      && (2...mostTaps).contains(taps)
  }
}
