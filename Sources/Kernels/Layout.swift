// Channel blocks gathered from others, and copies between the row-major and the blocked layout, one channel block at a time.
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
}

/// Four rows of four numbers.
private typealias Square = InlineArray<4, SIMD4<Float>>

/// Rows that are columns of another square.
@inline(__always)
private func transposed(_ square: Square) -> Square {
  let (low, high) = (sasuka_low_pairs4(square[0], square[2]), sasuka_high_pairs4(square[0], square[2]))
  let (otherLow, otherHigh) = (sasuka_low_pairs4(square[1], square[3]), sasuka_high_pairs4(square[1], square[3]))
  return [
    sasuka_low_pairs4(low, otherLow), sasuka_high_pairs4(low, otherLow), sasuka_low_pairs4(high, otherHigh),
    sasuka_high_pairs4(high, otherHigh),
  ]
}

@inline(__always)
private func load(_ numbers: UnsafePointer<Float>, _ count: Int) -> SIMD4<Float> {
  if count == 4 { return UnsafeRawPointer(numbers).loadUnaligned(as: SIMD4<Float>.self) }
  var row = SIMD4<Float>()
  for lane in 0..<4 where lane < count { row[lane] = numbers[lane] }
  return row
}

@inline(__always)
private func store(_ row: SIMD4<Float>, _ numbers: UnsafeMutablePointer<Float>, _ count: Int) {
  if count == 4 { return UnsafeMutableRawPointer(numbers).storeBytes(of: row, as: SIMD4<Float>.self) }
  for lane in 0..<4 where lane < count { numbers[lane] = row[lane] }
}

func fillConversion(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.narrow.layout_block = { plain, blocked, channels, area, width in
    var pixel = 0
    while pixel < area {
      let count = min(4, area &- pixel)
      var channel = 0
      while channel < width {
        var square = zeroed() as Square
        let from = plain! + (channel &* area &+ pixel)
        for row in 0..<4 where channel &+ row < channels { square[row] = load(from + row &* area, count) }
        square = transposed(square)
        let to = blocked! + (pixel &* width &+ channel)
        for row in 0..<4 where row < count { store(square[row], to + row &* width, 4) }
        channel &+= 4
      }
      pixel &+= 4
    }
  }
  table.pointee.narrow.layout_unblock = { blocked, plain, channels, area, width in
    var pixel = 0
    while pixel < area {
      let count = min(4, area &- pixel)
      var channel = 0
      while channel < channels {
        var square = zeroed() as Square
        let from = blocked! + (pixel &* width &+ channel)
        for row in 0..<4 where row < count { square[row] = load(from + row &* width, 4) }
        square = transposed(square)
        let to = plain! + (channel &* area &+ pixel)
        for row in 0..<4 where channel &+ row < channels { store(square[row], to + row &* area, count) }
        channel &+= 4
      }
      pixel &+= 4
    }
  }
}
