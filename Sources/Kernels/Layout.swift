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
typealias Square = InlineArray<4, SIMD4<Float>>

/// Rows that are columns of another square.
@inline(__always)
func transposed(_ square: Square) -> Square {
  let (low, high) = (sasuka_low_pairs4(square[0], square[2]), sasuka_high_pairs4(square[0], square[2]))
  let (otherLow, otherHigh) = (sasuka_low_pairs4(square[1], square[3]), sasuka_high_pairs4(square[1], square[3]))
  return [
    sasuka_low_pairs4(low, otherLow), sasuka_high_pairs4(low, otherLow), sasuka_low_pairs4(high, otherHigh),
    sasuka_high_pairs4(high, otherHigh),
  ]
}

/// Transposes a square of a matrix: of what is copied `rows` rows exist, of what is written as many as of `columns`; other numbers
/// are zeros.
@inline(__always)
private func transpose(
  _ matrix: UnsafePointer<Float>, step: Int, rows: Int, columns: Int, to target: UnsafeMutablePointer<Float>,
  targetStep: Int
) {
  var square = zeroed() as Square
  for line in 0..<4 where line < rows {
    square[line] = UnsafeRawPointer(matrix + line &* step).loadUnaligned(as: SIMD4<Float>.self)
  }
  square = transposed(square)
  for line in 0..<4 where line < columns {
    UnsafeMutableRawPointer(target + line &* targetStep).storeBytes(of: square[line], as: SIMD4<Float>.self)
  }
}

/// The same of a square at the end of the matrix, number by number where `columns` of rows of `step` are left, or of the target's.
@inline(never)
private func transposeLast(
  _ matrix: UnsafePointer<Float>, step: Int, rows: Int, columns: Int, to target: UnsafeMutablePointer<Float>,
  targetStep: Int, targetColumns: Int, isWhole: Bool
) {
  if isWhole {
    return transpose(matrix, step: step, rows: rows, columns: columns, to: target, targetStep: targetStep)
  }
  var place = 0
  while place < 16 {
    let (column, row) = (place &>> 2, place & 3)
    if column < columns, row < targetColumns {
      target[column &* targetStep &+ row] = row < rows ? matrix[row &* step &+ column] : 0
    }
    place = sasuka_one_by_one(place &+ 1)
  }
}

/// Copies a matrix of `rows` rows and `columns` columns to its transposed, with zeros in columns from `rows` to `targetColumns`.
///
/// - Parameters:
///   - step: floats from one row to the next.
///   - targetStep: floats from one row of the transposed to the next.
@inline(never)
private func transpose(
  _ matrix: UnsafePointer<Float>, rows: Int, columns: Int, step: Int, to target: UnsafeMutablePointer<Float>,
  targetColumns: Int, targetStep: Int
) {
  var column = 0
  while column < columns {
    var row = 0
    while row < targetColumns {
      let (from, to) = (matrix + (row &* step &+ column), target + (column &* targetStep &+ row))
      if column &+ 4 <= columns, row &+ 4 <= rows {
        transpose(from, step: step, rows: 4, columns: 4, to: to, targetStep: targetStep)
      } else {
        // What lies behind the last column of a row may be read.
        transposeLast(
          from, step: step, rows: rows &- row, columns: columns &- column, to: to, targetStep: targetStep,
          targetColumns: targetColumns &- row, isWhole: column &+ 4 <= step && row &+ 4 <= targetColumns)
      }
      row &+= 4
    }
    column &+= 4
  }
}

func fillConversion(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.narrow.layout_block = { plain, blocked, channels, area, width in
    transpose(
      plain!, rows: channels, columns: area, step: area, to: blocked!, targetColumns: width, targetStep: width)
  }
  table.pointee.narrow.layout_unblock = { blocked, plain, channels, area, width in
    transpose(
      blocked!, rows: area, columns: channels, step: width, to: plain!, targetColumns: area, targetStep: area)
  }
}
