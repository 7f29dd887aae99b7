// Convolution to few channels whose products with all taps come first, so that taps fill the lanes that channels do not: here those
// that fall on a pixel of the output are summed.
import CSystem

/// The slot `convolution_tap_sums`.
func tapSums(
  _ linePointer: UnsafePointer<sasuka_tap_sums>?, _ products: UnsafePointer<Float>?, _ bias: UnsafePointer<Float>?,
  _ output: UnsafeMutablePointer<Float>?, _ epilogueFlags: Int32
) {
  guard let line = linePointer?.pointee, let products, let output else { return }
  let (epilogue, channels) = (Epilogue(epilogueFlags), Int(line.channels))
  let start = bias.map { loadLanes($0, channels) } ?? Vector()
  let (real, pixelStep, isWide) = (firstLanes(channels), Int(line.pixel_step), Int(line.block_lanes) > lanes)
  var (first, place, left) = (products, output, Int(line.pixels))
  while left > 0 {
    var sums = InlineArray<7, Vector>(repeating: start)
    var (row, rowsLeft) = (first, line.rows)
    while rowsLeft > 0 {
      var (from, columnsLeft) = (row, line.columns)
      repeat {
        for pixel in 0..<runPixels { sums[pixel] += loadVector(from + pixel &* pixelStep) }
        from += Int(line.column_step)
        columnsLeft &-= 1
      } while columnsLeft > 0
      row += Int(line.row_step)
      rowsLeft &-= 1
    }
    // A copy, that the sums themselves stay in registers.
    let done = sums
    withUnsafePointer(to: done) { done in
      var sum = UnsafeRawPointer(done).assumingMemoryBound(to: Float.self)
      let end = sum + min(left, runPixels) &* lanes
      while sum < end {
        // Behind a tap's channels are the next one's.
        storeVector(epilogue.apply(select(real, loadVector(sum), Vector()), held: place), place)
        if isWide { storeVector(Vector(), place + lanes) }
        sum += lanes
        place += Int(line.output_step)
      }
    }
    first += runPixels &* pixelStep
    left &-= runPixels
  }
}
