// Copies between the row-major and the blocked layout, one channel block at a time.
import CSystem

/// The slot `channel_gather`.
private func channelGather(
  _ source: UnsafePointer<Float>?, _ lanePairs: UnsafePointer<Int32>?, _ result: UnsafeMutablePointer<Float>?,
  _ pixels: Int64, _ keeps: Int32
) {
  guard let source, let lanePairs, let result else { return }
  let picks = UnsafeRawPointer(lanePairs).loadUnaligned(as: Indices.self)
  let mask = UnsafeRawPointer(lanePairs + lanes).loadUnaligned(as: Indices.self)
  let kept = Mask(repeating: keeps == 0 ? 0 : -1)
  var place = 0
  while place < Int(pixels) &* lanes {
    let held = select(kept, loadVector(result + place), Vector())
    storeVector(select(mask, permute(loadVector(source + place), picks), held), result + place)
    place &+= lanes
  }
}

func fillLayout(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.channel_gather = channelGather
  table.pointee.layout_block = { plain, blocked, channels, area in
    for channel in 0..<channels {
      let row = plain! + channel * area
      for pixel in 0..<area { blocked![pixel * Vector.scalarCount + channel] = row[pixel] }
    }
    for channel in channels..<Vector.scalarCount {
      for pixel in 0..<area { blocked![pixel * Vector.scalarCount + channel] = 0 }
    }
  }
  table.pointee.layout_unblock = { blocked, plain, channels, area in
    for channel in 0..<channels {
      let row = plain! + channel * area
      for pixel in 0..<area { row[pixel] = blocked![pixel * Vector.scalarCount + channel] }
    }
  }
}
