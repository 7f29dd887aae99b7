import CSystem

/// What slides a window over each channel of a map that exists by bands of rows only.
struct BandReader {
  /// Rows of the map that one row of the output sees, from row to row, and in the border above.
  let span, stride, top: Int
  /// Rows of the output, and of the map.
  let rows, height: Int
  /// Some rows of one block of the output, from where row 0 of the block's map would be, of which `held` are there.
  let read:
    (
      _ map: UnsafePointer<Float>, _ held: Range<Int>, _ block: Int, _ rows: Range<Int>,
      _ output: UnsafeMutablePointer<Float>
    ) -> Void

  /// Rows of the map that some rows of the output see.
  func mapRows(for rows: Range<Int>) -> Range<Int> {
    let seen = rows.seen(span: span, stride: stride)
    let lower = min(max(seen.lowerBound - top, 0), height)
    return lower..<max(lower, min(seen.upperBound - top, height))
  }

  /// Rows of the output that see none of the map's from `end` on.
  func rowsDone(by end: Int) -> Int {
    end < height ? min(max(end + top - span + stride, 0) / stride, rows) : rows
  }
}

extension Range<Int> {
  /// Rows of a map, its border included, that a window over `span` rows sees from these rows of its output, one at least.
  func seen(span: Int, stride: Int) -> Range<Int> {
    (lowerBound * stride)..<((upperBound - 1) * stride + span)
  }
}

/// Moves those rows of a map to the front that the next band, which needs some, reads again; each block of the map has `mapRows`, of
/// which `held` are there, and then those that are needed.
///
/// - Returns: those that are still to be made.
@inline(never)
func keepRows(
  of held: inout Range<Int>, for needed: Range<Int>, in map: UnsafeMutablePointer<Float>, blocks: Range<Int>,
  mapRows: Int, rowFloats: Int
) -> Range<Int> {
  let kept = max(held.upperBound - needed.lowerBound, 0)
  for block in blocks where kept > 0 {
    let place = map + block * mapRows * rowFloats
    memmove(
      place, place + (needed.lowerBound - held.lowerBound) * rowFloats,
      kept * rowFloats * MemoryLayout<Float>.stride)
  }
  held = needed
  return (needed.lowerBound + kept)..<needed.upperBound
}

extension Lowering {
  /// The largest value of each window.
  func maxima(_ pooling: sasuka_pooling) -> BandReader {
    let (rowFloats, outputRow) = (Int(pooling.input_width) * lanes, Int(pooling.output_width) * lanes)
    let (stride, kernel) = (Int(pooling.stride_height), kernels.pointee.max_pool!)
    return BandReader(
      span: Int(pooling.dilation_height * (pooling.kernel_height - 1) + 1), stride: stride, top: Int(pooling.top),
      rows: Int(pooling.output_height), height: Int(pooling.input_height)
    ) { map, held, block, rows, output in
      // Of the rows that are there, as if they were a map of their own.
      var band = pooling
      band.top += Int64(held.lowerBound - rows.lowerBound * stride)
      (band.input_height, band.output_height) = (Int64(held.count), Int64(rows.count))
      let place = block * Int(pooling.output_height) + rows.lowerBound
      kernel(&band, map + held.lowerBound * rowFloats, output + place * outputRow, nil)
    }
  }
}
