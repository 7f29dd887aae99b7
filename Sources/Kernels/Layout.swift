// Copies between the row-major and the blocked layout, one channel block at a time.
import CSystem

/// The slot `channel_gather`.
private func channelGather(
  _ first: UnsafePointer<Float>?, _ second: UnsafePointer<Float>?, _ lanePicks: UnsafePointer<Int32>?,
  _ result: UnsafeMutablePointer<Float>?, _ pixels: Int64, _ keeps: Int32
) {
  guard let first, let second, let lanePicks, let result else { return }
  let picks = UnsafeRawPointer(lanePicks).loadUnaligned(as: Indices.self)
  let ofFirst = UnsafeRawPointer(lanePicks + lanes).loadUnaligned(as: Indices.self)
  let ofSecond = UnsafeRawPointer(lanePicks + 2 &* lanes).loadUnaligned(as: Indices.self)
  let kept = Mask(repeating: keeps == 0 ? 0 : -1)
  var place = 0
  while place < Int(pixels) &* lanes {
    let held = select(kept, loadVector(result + place), Vector())
    let other = select(ofSecond, permute(loadVector(second + place), picks), held)
    storeVector(select(ofFirst, permute(loadVector(first + place), picks), other), result + place)
    place &+= lanes
  }
}

func fillLayout(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.channel_gather = channelGather
  table.pointee.layout_block = { plain, blocked, channels, area in
    // Every cache line of the block is written once.
    for pixel in 0..<area {
      let place = blocked! + pixel &* lanes
      storeVector(Vector(), place)
      for channel in 0..<channels { place[channel] = plain![channel &* area &+ pixel] }
    }
  }
  table.pointee.layout_unblock = { blocked, plain, channels, area in
    // Stretches whose lines stay in the cache while one channel after the other is picked from them.
    var first = 0
    while first < area {
      let end = min(first &+ 64, area)
      for channel in 0..<channels {
        let row = plain! + channel &* area
        for pixel in first..<end { row[pixel] = blocked![pixel &* lanes &+ channel] }
      }
      first = end
    }
  }
}
