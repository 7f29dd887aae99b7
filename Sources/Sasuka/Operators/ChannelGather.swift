// Blocked maps put together from channels of other blocked maps: concatenations, slices, shuffles and their gradients.
import CSystem

/// Where a channel comes from.
struct ChannelSource {
  /// Place among the maps that are gathered from.
  let map: Int
  let channel: Int
}

/// A blocked map that channels are copied from.
struct ChannelMap {
  let floats: UnsafePointer<Float>
  /// Floats from one image to the next.
  let imageStride: Int
}

extension Lowering {
  func channelMap(_ value: Value) -> ChannelMap {
    let shape = shape(value)
    return ChannelMap(
      floats: UnsafePointer(pointer(value)),
      imageStride: Layout.blocks(of: shape[1], lanes: lanes) * lanes * shape[2] * shape[3])
  }

  /// Writes every channel of a blocked map from a channel of some other; channels without a source and padding lanes
  /// become 0. A unit is one block of one image.
  mutating func gatherChannels(
    _ destination: Value, from maps: [ChannelMap], source: (_ channel: Int) -> ChannelSource?
  ) throws(SasukaError) {
    let shape = shape(destination)
    let (lanes, area) = (self.lanes, shape[2] * shape[3])
    let blocks = Layout.blocks(of: shape[1], lanes: lanes)
    var table = GatherTable(lanes: lanes, blockFloats: area * lanes)
    for block in 0..<blocks {
      for lane in 0..<min(lanes, shape[1] - block * lanes) {
        if let channel = source(block * lanes + lane) { table.take(channel, into: lane) }
      }
      table.endBlock()
    }
    let picks = try persistent(floats: table.picks.count)
    let lanePairs = UnsafeMutableRawPointer(picks).assumingMemoryBound(to: Int32.self)
    for (place, pick) in table.picks.enumerated() { lanePairs[place] = pick }
    let (parts, ends) = (table.parts, table.ends)
    let to = pointer(destination)
    let kernel = kernels.pointee.channel_gather!
    step(units: shape[0] * blocks) { unit, _ in
      let (image, block) = (unit / blocks, unit % blocks)
      let target = to + unit * area * lanes
      let first = block == 0 ? 0 : ends[block - 1]
      if first == ends[block] { target.clear(count: area * lanes) }
      for part in first..<ends[block] {
        let map = maps[parts[2 * part]]
        let from = map.floats + image * map.imageStride + parts[2 * part + 1]
        // A part that lies in place already is its whole block.
        if from != target { kernel(from, lanePairs + part * 2 * lanes, target, Int64(area), part == first ? 0 : 1) }
      }
    }
  }
}

/// Which lanes of which blocks every block of a map is gathered from.
private struct GatherTable {
  private let lanes: Int
  private let blockFloats: Int
  /// Two numbers for each part: the place of a map, and where in it the block begins that channels are taken from.
  private(set) var parts: [Int] = []
  /// Where the parts of each block end.
  private(set) var ends: [Int] = []
  /// For each part and lane of the result the lane that is taken; then -1 where it is taken and 0 elsewhere.
  private(set) var picks: [Int32] = []

  init(lanes: Int, blockFloats: Int) {
    self.lanes = lanes
    self.blockFloats = blockFloats
  }

  mutating func take(_ channel: ChannelSource, into lane: Int) {
    let start = channel.channel / lanes * blockFloats
    var part = ends.last ?? 0
    while part < parts.count / 2, parts[2 * part] != channel.map || parts[2 * part + 1] != start { part += 1 }
    if part == parts.count / 2 {
      parts += [channel.map, start]
      picks += [Int32](repeating: 0, count: 2 * lanes)
    }
    picks[part * 2 * lanes + lane] = Int32(channel.channel % lanes)
    picks[part * 2 * lanes + lanes + lane] = -1
  }

  mutating func endBlock() { ends.append(parts.count / 2) }
}
