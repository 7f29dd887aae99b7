// Pooling of one channel block of one image, [height][width][V], forward and backward.
import CSystem

func fillPooling(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.max_pool = { shape, input, output, indices in
    if let indices {
      for row in 0..<Int(shape!.pointee.output_height) {
        maxPool(shape!.pointee, input!, output!, row) { place, pixel in
          UnsafeMutableRawPointer(indices + pixel * Vector.scalarCount).storeBytes(of: place, as: Indices.self)
        }
      }
    } else {
      maxima(shape!.pointee, input!, output!)
    }
  }
  table.pointee.max_pool_gradient = { shape, gradient, indices, result in
    maxPoolGradient(shape!.pointee, gradient!, indices!, result!)
  }
  table.pointee.average_pool = { shape, rows, columns, input, output in
    averagePool(shape!.pointee, rows!, columns!, input!, output!)
  }
  table.pointee.average_pool_gradient = { shape, rows, columns, gradient, result in
    averagePoolGradient(shape!.pointee, rows!, columns!, gradient!, result!)
  }
}

/// The taps of an output pixel that lie inside the input, in row-major order, as places y * width + x.
@inline(__always)
private func forEachTap(_ shape: sasuka_pooling, _ outputRow: Int, _ outputColumn: Int, _ body: (Int) -> Void) {
  let top = outputRow * Int(shape.stride_height) - Int(shape.top)
  let left = outputColumn * Int(shape.stride_width) - Int(shape.left)
  let (height, width) = (Int(shape.input_height), Int(shape.input_width))
  for i in 0..<Int(shape.kernel_height) {
    let y = top + i * Int(shape.dilation_height)
    guard y >= 0 else { continue }
    guard y < height else { break }
    for j in 0..<Int(shape.kernel_width) {
      let x = left + j * Int(shape.dilation_width)
      guard x >= 0 else { continue }
      guard x < width else { break }
      body(y * width + x)
    }
  }
}

/// The first tap inside the input, or -1: where a window holds minus infinity only, its gradient goes there.
@inline(__always)
private func firstTap(_ shape: sasuka_pooling, _ outputRow: Int, _ outputColumn: Int) -> Int32 {
  let y = firstInside(outputRow * Int(shape.stride_height) - Int(shape.top), Int(shape.dilation_height))
  let x = firstInside(outputColumn * Int(shape.stride_width) - Int(shape.left), Int(shape.dilation_width))
  let isInside = y < Int(shape.input_height) && x < Int(shape.input_width)
  return isInside ? Int32(truncatingIfNeeded: y * Int(shape.input_width) + x) : -1
}

/// The first of start, start + step, ... that is not negative.
@inline(__always)
private func firstInside(_ start: Int, _ step: Int) -> Int {
  start >= 0 ? start : start + (step - 1 - start) / step * step
}

/// An output row, pixel by pixel. The first of equal maxima wins; a NaN wins over every number, as in PyTorch.
@inline(__always)
private func maxPool(
  _ shape: sasuka_pooling, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, _ row: Int,
  _ keep: (Indices, Int) -> Void
) {
  for column in 0..<Int(shape.output_width) {
    var best = Vector(repeating: -.infinity)
    var place = Indices(repeating: firstTap(shape, row, column))
    forEachTap(shape, row, column) { tap in
      let value = loadVector(input + tap * Vector.scalarCount)
      let wins = either(less(best, value), isNaN(value))
      best = select(wins, value, best)
      place = select(wins, Indices(repeating: Int32(truncatingIfNeeded: tap)), place)
    }
    let pixel = row * Int(shape.output_width) + column
    storeVector(best, output + pixel * Vector.scalarCount)
    keep(place, pixel)
  }
}

/// Maxima without their places.
@inline(__always)
private func maxima(
  _ shape: sasuka_pooling, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>
) {
  let (looks, haveRuns) = (lanes > 4, haveRuns(shape))
  let (width, height) = (Int(shape.input_width), Int(shape.input_height))
  let span = Int((shape.kernel_height - 1) * shape.dilation_height) + 1
  // Rows of the input that have been looked at, and the last of them that has more than numbers.
  var (seen, unusual) = (0, -1)
  for row in 0..<Int(shape.output_height) {
    let top = row * Int(shape.stride_height) - Int(shape.top)
    seen = max(seen, top)
    while looks, seen < min(top + span, height) {
      if !areNumbers(input + seen * width * lanes, count: width) { unusual = seen }
      seen += 1
    }
    if !looks || unusual >= min(max(top, 0), height - 1) {
      maximaOfPixels(shape, input, output, row)
    } else if haveRuns {
      maximaInRuns(shape, input, output, row)
    } else {
      maximaOfNumbers(shape, input, output, row)
    }
  }
}

/// Whether no vector has what is not a number, or infinities of both signs: their sum tells, which takes less time than
/// comparisons of each.
@inline(__always)
private func areNumbers(_ vectors: UnsafePointer<Float>, count: Int) -> Bool {
  var sums = zeroed() as InlineArray<4, Vector>
  var place = vectors
  let end = vectors + count * lanes
  while end - place >= 4 * lanes {
    for index in 0..<4 { sums[index] += loadVector(place + index * lanes) }
    place += 4 * lanes
  }
  while place < end {
    sums[0] += loadVector(place)
    place += sasuka_one_by_one(lanes)
  }
  return !hasAny(isNaN((sums[0] + sums[1]) + (sums[2] + sums[3])))
}

/// Those of any windows.
@inline(never)
private func maximaOfPixels(
  _ shape: sasuka_pooling, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, _ row: Int
) {
  maxPool(shape, input, output, row) { _, _ in }
}

/// Those of any windows that have nothing but numbers: a comparison for each is enough.
@inline(never)
private func maximaOfNumbers(
  _ shape: sasuka_pooling, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, _ row: Int
) {
  let (width, height) = (Int(shape.input_width), Int(shape.input_height))
  let (across, down) = (Int(shape.dilation_width), Int(shape.dilation_height))
  let top = row &* Int(shape.stride_height) &- Int(shape.top)
  let firstRow = firstInside(top, down)
  let rows = tapsInside(firstRow, end: min(height, top &+ Int(shape.kernel_height) &* down), step: down)
  let (steps, stride) = ((across &* lanes, down &* width &* lanes), Int(shape.stride_width))
  var (left, pixel) = (0 &- Int(shape.left), 0)
  while pixel < Int(shape.output_width) {
    let first = firstInside(left, across)
    let columns = tapsInside(first, end: min(width, left &+ Int(shape.kernel_width) &* across), step: across)
    let source = input + (firstRow &* width &+ first) &* lanes
    let target = output + (row &* Int(shape.output_width) &+ pixel) &* lanes
    // Neighbours that all see whole rows of their windows.
    let end = left &+ (pixelsOfRun &- 1) &* stride &+ (Int(shape.kernel_width) &- 1) &* across
    let areAlike = left >= 0 && end < width && pixel &+ pixelsOfRun <= Int(shape.output_width)
    if areAlike {
      maximaOfWindows(Count<4>(), source, rows, columns, steps, pixelStep: stride &* lanes, target)
    } else {
      maximaOfWindows(Count<1>(), source, rows, columns, steps, pixelStep: 0, target)
    }
    let done = areAlike ? pixelsOfRun : 1
    pixel &+= done
    left &+= done &* stride
  }
}

/// Those of neighbouring windows that have so many rows and columns of pixels, `steps.row` and `steps.column` floats apart.
@inline(__always)
private func maximaOfWindows<let pixels: Int>(
  _: Count<pixels>, _ source: UnsafePointer<Float>, _ rows: Int, _ columns: Int, _ steps: (column: Int, row: Int),
  pixelStep: Int, _ target: UnsafeMutablePointer<Float>
) {
  var best = InlineArray<pixels, Vector>(repeating: Vector(repeating: -.infinity))
  var (source, rowsLeft) = (source, rows)
  while rowsLeft > 0 {
    var (tap, columnsLeft) = (source, columns)
    while columnsLeft > 0 {
      for pixel in 0..<pixels { best[pixel] = larger(best[pixel], loadVector(tap + pixel &* pixelStep)) }
      tap += steps.column
      columnsLeft = sasuka_one_by_one(columnsLeft &- 1)
    }
    source += steps.row
    rowsLeft &-= 1
  }
  for pixel in 0..<pixels { storeVector(best[pixel], target + pixel &* lanes) }
}

/// How many of first, first + step, ... lie before `end`.
@inline(__always)
private func tapsInside(_ first: Int, end: Int, step: Int) -> Int {
  let pixels = end &- first
  return step == 1 ? pixels : pixels > 0 ? (pixels &+ step &- 1) / step : 0
}

/// Pixels whose maxima are found together.
private var pixelsOfRun: Int { 4 }

/// Whether windows are of a usual size, pixels enough for a run, and each window has a row and a column inside the input, by
/// which those outside can be replaced.
@inline(__always)
private func haveRuns(_ shape: sasuka_pooling) -> Bool {
  let (kernel, stride) = (Int(shape.kernel_width), Int(shape.stride_width))
  let isUsual = kernel == 3 ? stride == 1 || stride == 2 : kernel == 2 && stride == 2
  let isSquare = kernel == Int(shape.kernel_height) && stride == Int(shape.stride_height)
  let lastTop = (shape.output_height - 1) * shape.stride_height - shape.top
  let lastLeft = (shape.output_width - 1) * shape.stride_width - shape.left
  return isUsual && isSquare && shape.dilation_height == 1 && shape.dilation_width == 1
    && Int(shape.output_width) >= pixelsOfRun && shape.top < shape.kernel_height && shape.left < shape.kernel_width
    && lastTop < shape.input_height && lastLeft < shape.input_width
}

/// One row of them, in runs.
@inline(__always)
private func maximaInRuns(
  _ shape: sasuka_pooling, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, _ row: Int
) {
  let (inputRow, width) = (Int(shape.input_width) * lanes, Int(shape.output_width))
  let top = row * Int(shape.stride_height) - Int(shape.top)
  // A row outside is replaced by the nearest one inside, which the window has too.
  var rows = InlineArray<3, UnsafePointer<Float>>(repeating: input)
  for tap in 0..<3 { rows[tap] += max(0, min(top + tap, Int(shape.input_height) - 1)) * inputRow }
  let last = Int(shape.input_width) - 1
  var column = 0
  while column < width {
    // The last run may write again what the one before has written.
    let first = min(column, width - pixelsOfRun)
    let left = first * Int(shape.stride_width) - Int(shape.left)
    let target = output + (row * width + first) * lanes
    switch (shape.kernel_width, shape.stride_width) {
    case (2, _): maximaOfRun(Count<2>(), Count<2>(), rows, left, last, target)
    case (_, 1): maximaOfRun(Count<3>(), Count<1>(), rows, left, last, target)
    case (_, _): maximaOfRun(Count<3>(), Count<2>(), rows, left, last, target)
    }
    column += pixelsOfRun
  }
}

/// The maxima of columns first, which neighbours share: those from `left` on, in place of one outside the nearest of 0 to
/// `last`.
@inline(__always)
private func maximaOfRun<let kernel: Int, let stride: Int>(
  _: Count<kernel>, _: Count<stride>, _ rows: InlineArray<3, UnsafePointer<Float>>, _ left: Int, _ last: Int,
  _ output: UnsafeMutablePointer<Float>
) {
  var best = zeroed() as InlineArray<4, Vector>
  for column in 0..<(3 &* stride &+ kernel) {
    // Each window's first column lies before the input's end, and its last one behind the beginning.
    let inside = column < kernel &- 1 ? max(0, left &+ column) : left &+ column
    let place = (column > 3 &* stride ? min(inside, last) : inside) &* lanes
    var value = loadVector(rows[0] + place)
    for row in 1..<kernel { value = larger(value, loadVector(rows[row] + place)) }
    for pixel in 0..<4 {
      let tap = column &- pixel &* stride
      if tap == 0 { best[pixel] = value }
      if tap > 0, tap < kernel { best[pixel] = larger(best[pixel], value) }
    }
  }
  for pixel in 0..<4 { storeVector(best[pixel], output + pixel &* lanes) }
}

/// The larger of two numbers in each lane.
@inline(__always)
private func larger(_ a: Vector, _ b: Vector) -> Vector { select(less(a, b), b, a) }

/// Each tap of a window takes the gradients of the lanes whose index it is.
@inline(__always)
private func maxPoolGradient(
  _ shape: sasuka_pooling, _ gradient: UnsafePointer<Float>, _ indices: UnsafePointer<Int32>,
  _ result: UnsafeMutablePointer<Float>
) {
  clear(result, Int(shape.input_height * shape.input_width) * Vector.scalarCount)
  for row in 0..<Int(shape.output_height) {
    for column in 0..<Int(shape.output_width) {
      let pixel = (row * Int(shape.output_width) + column) * Vector.scalarCount
      let incoming = loadVector(gradient + pixel)
      let place = UnsafeRawPointer(indices + pixel).loadUnaligned(as: Indices.self)
      forEachTap(shape, row, column) { tap in
        let share = select(equal(place, Indices(repeating: Int32(truncatingIfNeeded: tap))), incoming, Vector())
        let target = result + tap * Vector.scalarCount
        storeVector(loadVector(target) + share, target)
      }
    }
  }
}

/// Four pixels at a time where their windows are equally wide, else one. Four neighbours may begin among those before.
@inline(__always)
private func averagePool(
  _ shape: sasuka_pooling, _ rows: UnsafePointer<sasuka_pool_range>, _ columns: UnsafePointer<sasuka_pool_range>,
  _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>
) {
  let (inputRow, outputWidth) = (Int(shape.input_width) &* lanes, Int(shape.output_width))
  for row in 0..<Int(shape.output_height) {
    var column = 0
    while column < outputWidth {
      let first = max(0, min(column, outputWidth &- 5))
      if lanes > 4, column &- first < 4, first &+ 4 <= outputWidth, areNeighbours(columns + first) {
        averagesOfNeighbours(
          rows[row], columns + first, input, inputRow, output + (row &* outputWidth &+ first) &* lanes)
        column = first &+ 4
        continue
      }
      let target = output + (row &* outputWidth &+ column) &* lanes
      if lanes > 4, column &+ 4 <= outputWidth, haveOneWidth(columns + column) {
        averages(Count<4>(), rows[row], columns + column, input, inputRow, target)
        column &+= 4
      } else {
        averages(Count<1>(), rows[row], columns + column, input, inputRow, target)
        column &+= 1
      }
    }
  }
}

/// Whether four windows have as many columns.
@inline(__always)
private func haveOneWidth(_ columns: UnsafePointer<sasuka_pool_range>) -> Bool {
  let width = columns[0].end &- columns[0].first
  for pixel in 1..<4 where columns[pixel].end &- columns[pixel].first != width { return false }
  return true
}

/// Whether four windows have three columns each, of which neighbours share two.
@inline(__always)
private func areNeighbours(_ columns: UnsafePointer<sasuka_pool_range>) -> Bool {
  for pixel in 0..<4 {
    let (first, end) = (columns[pixel].first, columns[pixel].end)
    if first &- columns[0].first != Int32(truncatingIfNeeded: pixel) || end &- first != 3 { return false }
  }
  return true
}

/// Columns are summed first, of which each serves up to three windows.
@inline(__always)
private func averagesOfNeighbours(
  _ row: sasuka_pool_range, _ columns: UnsafePointer<sasuka_pool_range>, _ input: UnsafePointer<Float>, _ inputRow: Int,
  _ output: UnsafeMutablePointer<Float>
) {
  var sums = zeroed() as InlineArray<6, Vector>
  for y in row.first..<row.end {
    let source = input + (Int(y) &* inputRow &+ Int(columns[0].first) &* lanes)
    for column in 0..<6 { sums[column] += loadVector(source + column &* lanes) }
  }
  for pixel in 0..<4 {
    let sum = sums[pixel] + sums[pixel &+ 1] + sums[pixel &+ 2]
    storeVector(sum / (row.divisor * columns[pixel].divisor), output + pixel &* lanes)
  }
}

/// Rows of a window are summed first, then their sums: in a window of h x w pixels errors grow with h + w only.
@inline(__always)
private func averages<let pixels: Int>(
  _: Count<pixels>, _ row: sasuka_pool_range, _ columns: UnsafePointer<sasuka_pool_range>,
  _ input: UnsafePointer<Float>, _ inputRow: Int, _ output: UnsafeMutablePointer<Float>
) {
  var sums = zeroed() as InlineArray<pixels, Vector>
  for y in row.first..<row.end {
    var rowSums = zeroed() as InlineArray<pixels, Vector>
    let source = input + Int(y) &* inputRow
    for tap in 0..<Int(columns[0].end &- columns[0].first) {
      for pixel in 0..<pixels {
        rowSums[pixel] += loadVector(source + (Int(columns[pixel].first) &+ tap) &* lanes)
      }
    }
    for pixel in 0..<pixels { sums[pixel] += rowSums[pixel] }
  }
  for pixel in 0..<pixels {
    storeVector(sums[pixel] / (row.divisor * columns[pixel].divisor), output + pixel &* lanes)
  }
}

@inline(__always)
private func averagePoolGradient(
  _ shape: sasuka_pooling, _ rows: UnsafePointer<sasuka_pool_range>, _ columns: UnsafePointer<sasuka_pool_range>,
  _ gradient: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>
) {
  clear(result, Int(shape.input_height * shape.input_width) * Vector.scalarCount)
  for row in 0..<Int(shape.output_height) {
    for column in 0..<Int(shape.output_width) {
      let pixel = row * Int(shape.output_width) + column
      let divisor = rows[row].divisor * columns[column].divisor
      let share = loadVector(gradient + pixel * Vector.scalarCount) / divisor
      for y in rows[row].first..<rows[row].end {
        let target = result + Int(y) * Int(shape.input_width) * Vector.scalarCount
        for x in columns[column].first..<columns[column].end {
          let place = target + Int(x) * Vector.scalarCount
          storeVector(loadVector(place) + share, place)
        }
      }
    }
  }
}
