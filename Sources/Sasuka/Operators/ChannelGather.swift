// Blocked maps put together from channels of other blocked maps: concatenations, slices, shuffles and their gradients.
import CSystem

/// Where a channel comes from.
package struct ChannelSource: Equatable, Sendable {
  /// Place among the maps that are gathered from.
  package let map: Int
  package let channel: Int

  /// A channel of zeros.
  static let none = ChannelSource(map: -1, channel: 0)
}

/// A map put together from channels of others: what chains of concatenations, shuffles and slices come to.
package final class ChannelGather: Operator {
  package let kind = "channel_gather"
  package let layoutRule = LayoutRule.blocked
  private let sources: [ChannelSource]

  /// - Parameter sources: where each channel comes from, among the inputs.
  init(_ sources: [ChannelSource]) { self.sources = sources }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    [inputs[0].replacing(axis: 1, with: sources.count)]
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    try lowering.gatherChannels(node, sources)
  }
}

/// A map that channels are copied from.
struct ChannelMap {
  let floats: UnsafePointer<Float>
  /// Floats from one image to the next.
  let imageStride: Int
}

extension Lowering {
  /// Lowers an operation that does no more than gather channels as it says, if its map is blocked.
  ///
  /// - Returns: whether it is.
  mutating func gatherChannels(_ node: Node) throws(SasukaError) -> Bool {
    guard layout(node.outputs[0]) != .plain, let sources = node.operation.channelSources(node, graph) else {
      return false
    }
    try gatherChannels(node, sources)
    return true
  }

  /// Writes every channel of a node's blocked map from a channel of one of its inputs; padding lanes become 0. A unit is one
  /// block of one image.
  mutating func gatherChannels(_ node: Node, _ sources: [ChannelSource]) throws(SasukaError) {
    let destination = node.outputs[0]
    let shape = shape(destination)
    var maps: [ChannelMap] = []
    for input in node.inputs {
      maps.append(ChannelMap(floats: UnsafePointer(pointer(input)), imageStride: imageFloats(input)))
    }
    let (lanes, area) = (self.lanes, shape[2] * shape[3])
    let blocks = Layout.blocks(of: shape[1], lanes: lanes)
    var table = GatherTable(lanes: lanes, blockFloats: area * lanes)
    for block in 0..<blocks {
      for lane in 0..<min(lanes, shape[1] - block * lanes) {
        table.take(sources[block * lanes + lane], into: lane)
      }
      table.endBlock()
    }
    let picks = try persistent(floats: table.picks.count)
    let lanePicks = UnsafeMutableRawPointer(picks).assumingMemoryBound(to: Int32.self)
    for (place, pick) in table.picks.enumerated() { lanePicks[place] = pick }
    let (pairs, ends) = (table.pairs, table.ends)
    let to = pointer(destination)
    let kernel = kernels.pointee.channel_gather!
    step(units: shape[0] * blocks) { unit, _ in
      let (image, block) = (unit / blocks, unit % blocks)
      let target = to + unit * area * lanes
      let first = block == 0 ? 0 : ends[block - 1]
      if first == ends[block] { target.clear(count: area * lanes) }
      for place in first..<ends[block] {
        let (one, other) = (pairs[place].first.start(maps, image), pairs[place].second.start(maps, image))
        // A part that lies in place already is its whole block.
        if one == target { continue }
        kernel(one, other, lanePicks + place * 3 * lanes, target, Int64(area), place == first ? 0 : 1)
      }
    }
  }
}

/// A block of a map that channels are gathered from.
private struct GatherPart: Equatable {
  let map: Int
  /// Where the block begins in an image, in floats.
  let offset: Int

  func start(_ maps: [ChannelMap], _ image: Int) -> UnsafePointer<Float> {
    maps[map].floats + image * maps[map].imageStride + offset
  }
}

/// Which lanes of which blocks every block of a map is gathered from, two blocks at a time.
private struct GatherTable {
  private let lanes: Int
  private let blockFloats: Int
  /// The same twice where the number of parts is odd.
  private(set) var pairs: [(first: GatherPart, second: GatherPart)] = []
  /// Where the pairs of each block of the map end.
  private(set) var ends: [Int] = []
  /// For each pair and lane of the result the lane that is taken; then -1 where it is taken from the first part and 0 elsewhere,
  /// and the same for the second.
  private(set) var picks: [Int32] = []

  init(lanes: Int, blockFloats: Int) {
    self.lanes = lanes
    self.blockFloats = blockFloats
  }

  mutating func take(_ channel: ChannelSource, into lane: Int) {
    if channel == .none { return }
    let part = GatherPart(map: channel.map, offset: channel.channel / lanes * blockFloats)
    let begin = ends.last ?? 0
    var place = begin
    while place < pairs.count, pairs[place].first != part, pairs[place].second != part { place += 1 }
    if place == pairs.count, place > begin, pairs[place - 1].first == pairs[place - 1].second {
      place -= 1
      pairs[place].second = part
    } else if place == pairs.count {
      pairs.append((part, part))
      picks += [Int32](repeating: 0, count: 3 * lanes)
    }
    let row = place * 3 * lanes
    picks[row + lane] = Int32(channel.channel % lanes)
    picks[row + (pairs[place].first == part ? lanes : 2 * lanes) + lane] = -1
  }

  mutating func endBlock() { ends.append(pairs.count) }
}
