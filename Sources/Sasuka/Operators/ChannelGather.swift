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
    _ destination: Value, from maps: [ChannelMap], source: @escaping (_ channel: Int) -> ChannelSource?
  ) {
    let shape = shape(destination)
    let to = pointer(destination)
    let (lanes, area, channels) = (self.lanes, shape[2] * shape[3], shape[1])
    let blocks = Layout.blocks(of: channels, lanes: lanes)
    let kernel = kernels.pointee.grid_copy!
    step(units: shape[0] * blocks) { unit, _ in
      let (image, block) = (unit / blocks, unit % blocks)
      let target = to + unit * area * lanes
      let end = min(channels - block * lanes, lanes)
      if end < lanes { clearLanes(target + end, count: lanes - end, area: area, lanes: lanes) }
      var lane = 0
      while lane < end {
        let channel = block * lanes + lane
        guard let first = source(channel) else {
          clearLanes(target + lane, count: 1, area: area, lanes: lanes)
          lane += 1
          continue
        }
        var run = 1
        while lane + run < end, (first.channel + run) % lanes != 0, let next = source(channel + run),
          next.map == first.map, next.channel == first.channel + run
        { run += 1 }
        let map = maps[first.map]
        let place = first.channel / lanes * area * lanes + first.channel % lanes
        let from = map.floats + image * map.imageStride + place
        if run == lanes, from == target { break }  // It lies in place.
        if run == lanes {
          (target + lane).update(from: from, count: area * lanes)
        } else {
          var grid = sasuka_grid()
          (grid.planes, grid.rows, grid.columns) = (1, Int64(area), Int64(run))
          (grid.left_row, grid.left_column) = (Int64(lanes), 1)
          (grid.result_row, grid.result_column) = (Int64(lanes), 1)
          kernel(&grid, from, target + lane)
        }
        lane += run
      }
    }
  }
}

/// Writes zeros to some neighbouring lanes of a channel block.
private func clearLanes(_ target: UnsafeMutablePointer<Float>, count: Int, area: Int, lanes: Int) {
  for pixel in 0..<area { (target + pixel * lanes).update(repeating: 0, count: count) }
}
