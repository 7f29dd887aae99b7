/// How work over a blocked map is divided when it goes channel by channel. The division depends on the shape only.
///
/// Sums over a channel are gathered in `parts`, some images or a stretch of one image each; what is done to single
/// pixels goes in `pieces`, a stretch of one image.
struct ChannelBlocks {
  /// Pixels that are worth a unit of work: 64 KiB at 16 lanes.
  private static let unitPixels = 1024

  let images: Int
  let channelCount: Int
  let area: Int
  let lanes: Int
  /// Channel blocks.
  let count: Int
  private let imagesPerPart: Int
  private let stretches: Int
  private let pixelsPerStretch: Int

  init(_ shape: Shape, lanes: Int) {
    images = shape[0]
    channelCount = shape[1]
    area = shape[2] * shape[3]
    self.lanes = lanes
    count = Layout.blocks(of: channelCount, lanes: lanes)
    imagesPerPart = max(1, ChannelBlocks.unitPixels / area)
    let wanted = area.dividedUp(by: ChannelBlocks.unitPixels)
    pixelsPerStretch = area.dividedUp(by: wanted)
    stretches = area.dividedUp(by: pixelsPerStretch)
  }

  /// Floats from one image to the next.
  var imageStride: Int { count * area * lanes }
  var valuesPerChannel: Int { images * area }

  /// The real channels of a block.
  func channels(of block: Int) -> Range<Int> { (block * lanes)..<min(channelCount, (block + 1) * lanes) }

  // MARK: Parts

  /// Parts of each channel block.
  var partCount: Int { images.dividedUp(by: imagesPerPart) * stretches }

  /// Unit `unit` of `count * partCount`: where it begins in the map, in floats, and its extent.
  func part(_ unit: Int) -> (block: Int, offset: Int, images: Int, pixels: Int) {
    let (block, place) = (unit / partCount, unit % partCount)
    let image = place / stretches * imagesPerPart
    let pixel = place % stretches * pixelsPerStretch
    let offset = image * imageStride + (block * area + pixel) * lanes
    return (block, offset, min(imagesPerPart, images - image), min(pixelsPerStretch, area - pixel))
  }

  /// Bytes of the sums of all parts: two vectors of float64 each.
  var sumsBytes: Int { count * partCount * 2 * lanes * 8 }

  /// Where part `unit` leaves its sums in the scratch.
  func sums(_ scratch: UnsafeMutableRawPointer, _ unit: Int) -> UnsafeMutablePointer<Double> {
    scratch.assumingMemoryBound(to: Double.self) + unit * 2 * lanes
  }

  /// A block's vectors of coefficients, behind the sums in the scratch.
  func coefficients(_ scratch: UnsafeMutableRawPointer, _ block: Int, vectors: Int) -> UnsafeMutablePointer<Float> {
    (scratch + sumsBytes).assumingMemoryBound(to: Float.self) + block * vectors * lanes
  }

  /// Mean and sum of squared deviations of a channel over all parts, merged in order.
  func mergedMoments(_ scratch: UnsafeMutableRawPointer, block: Int, lane: Int) -> (mean: Double, squares: Double) {
    var (mean, squares, total) = (0.0, 0.0, 0.0)
    for place in 0..<partCount {
      let part = self.part(block * partCount + place)
      let moments = sums(scratch, block * partCount + place)
      let size = Double(part.images * part.pixels)
      let delta = moments[lane] - mean
      squares += moments[lanes + lane] + delta * delta * total * size / (total + size)
      total += size
      mean += delta * size / total
    }
    return (mean, squares)
  }

  /// The two sums of a channel over all parts, added in order.
  func addedSums(_ scratch: UnsafeMutableRawPointer, block: Int, lane: Int) -> (Double, Double) {
    var (first, second) = (0.0, 0.0)
    for place in 0..<partCount {
      let part = sums(scratch, block * partCount + place)
      first += part[lane]
      second += part[lanes + lane]
    }
    return (first, second)
  }

  // MARK: Pieces

  /// Pieces of the whole map.
  var pieceCount: Int { images * count * stretches }

  /// Piece `unit` of `pieceCount`, in the order of memory.
  func piece(_ unit: Int) -> (block: Int, offset: Int, pixels: Int) {
    let (map, stretch) = (unit / stretches, unit % stretches)
    let pixel = stretch * pixelsPerStretch
    return (map % count, (map * area + pixel) * lanes, min(pixelsPerStretch, area - pixel))
  }
}
