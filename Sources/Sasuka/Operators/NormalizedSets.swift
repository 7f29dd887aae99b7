/// The values of a blocked map that are normalised together, in sets: one channel of all pictures (batch normalisation),
/// or a group of neighbouring channels of one picture (group normalisation).
///
/// For groups the map is seen as one picture with the channels of all, each with sums and coefficients of its own. Units of
/// work are channel blocks, or pictures.
struct NormalizedSets {
  let blocks: ChannelBlocks
  let units: Int
  /// Of the map, and so of the learnt parameters.
  let channelCount: Int
  let valuesPerSet: Double
  /// Pictures whose channels have sums of their own.
  private let pictures: Int
  private let setsPerPicture: Int
  private let channelsPerSet: Int
  /// From a picture's first channel to the next picture's, padding lanes included.
  private let pictureStride: Int
  private let setsPerUnit: Int
  private let blocksPerUnit: Int

  /// - Parameter groups: of a picture's channels, which they divide; 0: a channel of all pictures is a set.
  init(_ map: Shape, groups: Int, lanes: Int) {
    channelCount = map[1]
    let pictureBlocks = Layout.blocks(of: map[1], lanes: lanes)
    pictureStride = pictureBlocks * lanes
    if groups > 0 {
      pictures = map[0]
      (setsPerPicture, channelsPerSet) = (groups, map[1] / groups)
      (units, setsPerUnit, blocksPerUnit) = (map[0], groups, pictureBlocks)
      blocks = ChannelBlocks(Shape([1, pictures * pictureStride, map[2], map[3]]), lanes: lanes)
    } else {
      pictures = 1
      (setsPerPicture, channelsPerSet) = (map[1], 1)
      (units, setsPerUnit, blocksPerUnit) = (pictureBlocks, lanes, 1)
      blocks = ChannelBlocks(map, lanes: lanes)
    }
    valuesPerSet = Double(channelsPerSet * blocks.valuesPerChannel)
  }

  func sets(of unit: Int) -> Range<Int> {
    (unit * setsPerUnit)..<min(pictures * setsPerPicture, (unit + 1) * setsPerUnit)
  }

  /// The channels of a set as `blocks` counts them.
  func channels(of set: Int) -> Range<Int> {
    let first = set / setsPerPicture * pictureStride + set % setsPerPicture * channelsPerSet
    return first..<(first + channelsPerSet)
  }

  /// The place of a channel's learnt parameters.
  func parameter(of channel: Int) -> Int { channel % pictureStride }

  /// Zeroes the coefficients of a unit's blocks: lanes without a channel keep that.
  func clear(_ unit: Int, _ scratch: UnsafeMutableRawPointer, vectors: Int) {
    blocks.coefficients(scratch, unit * blocksPerUnit, vectors: vectors)
      .clear(count: blocksPerUnit * vectors * blocks.lanes)
  }

  /// A channel's coefficients, each a vector behind the one before.
  func coefficients(_ channel: Int, _ scratch: UnsafeMutableRawPointer, vectors: Int) -> UnsafeMutablePointer<Float> {
    blocks.coefficients(scratch, channel / blocks.lanes, vectors: vectors) + channel % blocks.lanes
  }

  /// Mean and sum of squared deviations of a set. Its channels have equally many values and are merged in order (Chan,
  /// Golub and LeVeque 1979).
  func moments(_ set: Int, _ scratch: UnsafeMutableRawPointer) -> (mean: Double, squares: Double) {
    var (mean, squares, count) = (0.0, 0.0, 0.0)
    for channel in channels(of: set) {
      let own = blocks.mergedMoments(scratch, block: channel / blocks.lanes, lane: channel % blocks.lanes)
      let delta = own.mean - mean
      squares += own.squares + delta * delta * Double(blocks.valuesPerChannel) * count / (count + 1)
      count += 1
      mean += delta / count
    }
    return (mean, squares)
  }

  /// The two sums of a channel.
  func sums(_ channel: Int, _ scratch: UnsafeMutableRawPointer) -> (Double, Double) {
    blocks.addedSums(scratch, block: channel / blocks.lanes, lane: channel % blocks.lanes)
  }

  /// Goes through a parameter's channels, one of each picture, and their sets.
  func forEachChannel(ofParameter place: Int, _ body: (_ channel: Int, _ set: Int) -> Void) {
    for picture in 0..<pictures {
      body(picture * pictureStride + place, picture * setsPerPicture + place / channelsPerSet)
    }
  }
}
