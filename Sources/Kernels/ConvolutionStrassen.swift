// 1 x 1 convolution by one level of fast matrix multiplication: seven products where there were eight, of half the channels
// each. The form with the fewest additions is S. Winograd's, of V. Strassen, "Gaussian elimination is not optimal" (1969);
// tiles of the result are summed while they are in the first cache, as by J. Huang, T. Smith, G. Henry and R. van de Geijn,
// "Strassen's algorithm reloaded" (2016).
//
// A pair of units, 1 and 2, has weights A11, A12 and A21, A22 for the first and second half of the input's channels; a group
// of pixels, 1 and 2, has inputs B11, B12 in the first half of the channels and B21, B22 in the second.
import CSystem

/// Pixels of one register tile; a group has two tiles.
@inline(__always)
private var tilePixels: Int { Int(sasuka_strassen_pixels(Int64(lanes))) }

/// Floats of a tile's pixels in one channel block.
@inline(__always)
private var tileBlock: Int { tilePixels &* lanes }

/// Floats of a tile of results.
@inline(__always)
private var tileFloats: Int { tileColumns &* tileBlock }

extension sasuka_convolution {
  /// Blocks of half the input's channels.
  fileprivate var halfBlocks: Int { Int(input_channels) / (2 &* lanes) }
  /// Floats of the weights of one unit for half the input's channels.
  fileprivate var halfUnit: Int { halfBlocks &* lanes &* tileColumns &* lanes }
  fileprivate var inputBlock: Int { Int(input_height &* input_width) &* lanes }
}

/// The slot `strassen_input`.
func strassenInput(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?,
  _ panels: UnsafeMutablePointer<Float>?, _ firstGroup: Int64, _ endGroup: Int64
) {
  guard let shape = shapePointer?.pointee, let input, var panel = panels else { return }
  let panelFloats = shape.halfBlocks &* tileBlock
  let half = shape.halfBlocks &* shape.inputBlock
  var group = Int(firstGroup)
  while group < Int(endGroup) {
    var from = input + 2 &* group &* tileBlock
    // One loop: of two, the inner would be unrolled to many times the code.
    var left = tileBlock
    var index = 0
    while index < panelFloats {
      let (b11, b12) = (loadVector(from), loadVector(from + tileBlock))
      let (b21, b22) = (loadVector(from + half), loadVector(from + half + tileBlock))
      let difference = b12 - b11
      let sum = b22 - difference
      let to = panel + index
      storeVector(difference, to)
      storeVector(sum, to + panelFloats)
      storeVector(b22 - b12, to + 2 &* panelFloats)
      storeVector(b21 - sum, to + 3 &* panelFloats)
      from += lanes
      index &+= lanes
      left &-= lanes
      if left == 0 {
        from += shape.inputBlock &- tileBlock
        left = tileBlock
      }
    }
    panel += 4 &* panelFloats
    group &+= 1
  }
}

/// One of the seven products: the weights of half the channels times a tile of pixels.
private struct StrassenProduct {
  let pixels: UnsafePointer<Float>
  /// Floats from one channel block's pixels to the next's.
  let pixelBlock: Int
  let weights: UnsafePointer<Float>
  /// Where the sum goes that ends with this product.
  let output: UnsafeMutablePointer<Float>
}

/// What all products of a pair share.
private struct StrassenPass {
  /// Blocks of input channels, and channels of one: were they known at compile time, the loop would be unrolled.
  let blocks: Int
  let blockChannels: Int
  let outputBlock: Int
  let epilogue: Epilogue
  /// The next pair's weights, and how many cache lines of them each block calls for: the sums of weights would wait for
  /// memory, 4 % of a layer of 14 x 14 pixels.
  var ahead: UnsafePointer<Float>
  let linesAhead: Int
}

/// A tile to which products are added, one after the other, while it is in the registers. All sums but the last, which is
/// a result, go to the scratch, where columns follow one another.
///
/// - Parameters:
///   - held: what is added to: a tile of the scratch, or zeros.
///   - bias: what is added to the result.
@inline(never)
private func strassenTile<let rows: Int, let columns: Int>(
  _: Count<rows>, _: Count<columns>, _ pass: UnsafeMutablePointer<StrassenPass>, held: UnsafePointer<Float>,
  _ products: UnsafePointer<StrassenProduct>, _ last: UnsafePointer<StrassenProduct>, bias: UnsafePointer<Float>
) {
  var sums = zeroed() as RegisterTile<rows, columns>
  for row in 0..<rows {
    for column in 0..<columns { sums[row][column] = loadVector(held + (column &* rows &+ row) &* lanes) }
  }
  let run = Run(rowStride: lanes, rowStep: 1, columnStride: lanes, columnStep: columns &* lanes)
  var product = products
  while true {
    var (pixels, weights, ahead) = (product.pointee.pixels, product.pointee.weights, pass.pointee.ahead)
    for _ in 0..<pass.pointee.blocks {
      accumulate(&sums, pixels, weights, run, count: pass.pointee.blockChannels)
      pixels += product.pointee.pixelBlock
      weights += pass.pointee.blockChannels &* run.columnStep
      for _ in 0..<pass.pointee.linesAhead {
        sasuka_prefetch(ahead)
        ahead += 16
      }
    }
    pass.pointee.ahead = ahead
    if product == last { break }
    for row in 0..<rows {
      for column in 0..<columns {
        storeVector(sums[row][column], product.pointee.output + (column &* rows &+ row) &* lanes)
      }
    }
    product += 1
  }
  // Copies, for what the stores write might be the pass as far as the compiler knows.
  let (epilogue, block, output) = (pass.pointee.epilogue, pass.pointee.outputBlock, last.pointee.output)
  for column in 0..<columns {
    let shift = loadVector(bias + column &* lanes)
    for row in 0..<rows { sums[row][column] += shift }
  }
  if epilogue.adds {
    for row in 0..<rows {
      for column in 0..<columns { sums[row][column] += loadVector(output + row &* lanes + column &* block) }
    }
  }
  for row in 0..<rows {
    for column in 0..<columns {
      storeVector(epilogue.clamp(sums[row][column]), output + row &* lanes + column &* block)
    }
  }
}

/// A pair of units over groups of pixels.
private struct StrassenPair {
  let shape: sasuka_convolution
  /// The pair's weights: those of each unit, in the first and the second half of the channels.
  let packed: UnsafePointer<Float>
  /// Of the first unit, and of the second; zeros where there is none.
  let bias, secondBias: UnsafePointer<Float>
  /// Four sums of weights, then tiles: four of results before they are whole, and one of zeros.
  let scratch: UnsafeMutablePointer<Float>
  private var pass: StrassenPass

  init(
    _ shape: sasuka_convolution, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
    scratch: UnsafeMutablePointer<Float>, epilogue: Int32, groups: Int, isLast: Bool
  ) {
    self.shape = shape
    self.packed = packed
    self.scratch = scratch
    let zeros = scratch + 4 &* (shape.halfUnit &+ StrassenPair.sumGap &+ tileFloats)
    self.bias = bias ?? UnsafePointer(zeros)
    secondBias = bias.map { $0 + tileColumns &* lanes } ?? UnsafePointer(zeros)
    let (blocks, next) = (shape.halfBlocks, 4 &* shape.halfUnit)
    pass = StrassenPass(
      blocks: blocks, blockChannels: Int(shape.input_channels) / (2 &* blocks),
      outputBlock: Int(shape.output_block_stride), epilogue: Epilogue(epilogue), ahead: packed + next,
      linesAhead: isLast ? 0 : next / (16 &* 7 &* groups &* blocks) &+ 1)
    // How many is not known at compile time, lest the loop be unrolled.
    for index in 0..<(shape.columns &* tilePixels) { storeVector(Vector(), zeros + index &* lanes) }
  }

  /// Floats between the sums of weights, which are powers of two, lest all fall into the same sets of the cache.
  private static var sumGap: Int { 80 }

  private func sum(_ number: Int) -> UnsafeMutablePointer<Float> {
    scratch + (number &- 1) &* (shape.halfUnit &+ StrassenPair.sumGap)
  }

  private func tile(_ number: Int) -> UnsafeMutablePointer<Float> { sum(5) + number &* tileFloats }

  /// S1 = A21 + A22, S2 = S1 - A11, S3 = A11 - A21, S4 = A12 - S2.
  func sumWeights() {
    let half = shape.halfUnit
    var index = 0
    while index < half {
      let from = packed + index
      let (a11, a21) = (loadVector(from), loadVector(from + 2 &* half))
      let sum1 = a21 + loadVector(from + 3 &* half)
      storeVector(sum1, sum(1) + index)
      storeVector(sum1 - a11, sum(2) + index)
      storeVector(a11 - a21, sum(3) + index)
      storeVector(loadVector(from + half) - (sum1 - a11), sum(4) + index)
      index &+= lanes
    }
  }

  /// - Parameters:
  ///   - input: the group's first pixel.
  ///   - panels: T1 = B12 - B11, T2 = B22 - T1, T3 = B22 - B12, T4 = B21 - T2 of the group.
  ///   - output: the pair's first block, the group's first pixel.
  mutating func compute(
    _ input: UnsafePointer<Float>, _ panels: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>
  ) {
    let (panel, half, block) = (shape.halfBlocks &* tileBlock, shape.halfUnit, shape.inputBlock)
    let b21 = input + shape.halfBlocks &* block
    let second = output + tileColumns &* Int(shape.output_block_stride)
    let products: InlineArray<7, StrassenProduct> = [
      // A11 B11, and C11, which is that + A12 B21.
      StrassenProduct(pixels: input, pixelBlock: block, weights: packed, output: tile(0)),
      StrassenProduct(pixels: b21, pixelBlock: block, weights: packed + half, output: output),
      // The first + S2 T2, + S3 T3, and C21, which is all those + A22 T4.
      StrassenProduct(pixels: panels + panel, pixelBlock: tileBlock, weights: sum(2), output: tile(1)),
      StrassenProduct(pixels: panels + 2 &* panel, pixelBlock: tileBlock, weights: sum(3), output: tile(2)),
      StrassenProduct(pixels: panels + 3 &* panel, pixelBlock: tileBlock, weights: packed + 3 &* half, output: second),
      // The first + S2 T2 + S1 T1, and C12, which is that + S4 B22.
      StrassenProduct(pixels: panels, pixelBlock: tileBlock, weights: sum(1), output: tile(3)),
      StrassenProduct(pixels: b21 + tileBlock, pixelBlock: block, weights: sum(4), output: output + tileBlock),
    ]
    withUnsafePointer(to: products) {
      $0.withMemoryRebound(to: StrassenProduct.self, capacity: 7) {
        add($0, $0 + 1, to: tile(4), bias)
        add($0 + 2, $0 + 4, to: tile(0), secondBias)
        add($0 + 5, $0 + 6, to: tile(1), bias)
      }
    }
    finish(second + tileBlock)
  }

  @inline(__always)
  private mutating func add(
    _ products: UnsafePointer<StrassenProduct>, _ last: UnsafePointer<StrassenProduct>, to held: UnsafePointer<Float>,
    _ bias: UnsafePointer<Float>
  ) {
    withUnsafeMutablePointer(to: &pass) {
      if lanes == 16 {
        strassenTile(Count<14>(), Count<2>(), $0, held: held, products, last, bias: bias)
      } else {
        strassenTile(Count<5>(), Count<2>(), $0, held: held, products, last, bias: bias)
      }
    }
  }

  /// C22 = the sum in tile 2 - that in tile 1 + that in tile 3.
  private func finish(_ output: UnsafeMutablePointer<Float>) {
    var (place, shift) = (output, loadVector(secondBias))
    // How many is not known at compile time, lest the loop be unrolled.
    let end = shape.columns &* tileBlock
    var offset = 0
    while offset < end {
      if offset == tileBlock {
        place += Int(shape.output_block_stride) &- tileBlock
        shift = loadVector(secondBias + lanes)
      }
      let common = loadVector(tile(2) + offset) - loadVector(tile(1) + offset)
      storeVector(pass.epilogue.apply(loadVector(tile(3) + offset) + common + shift, held: place), place)
      place += lanes
      offset &+= lanes
    }
  }
}

/// The slot `strassen_product`.
func strassenProduct(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?, _ panels: UnsafePointer<Float>?,
  _ packed: UnsafePointer<Float>?, _ bias: UnsafePointer<Float>?, _ output: UnsafeMutablePointer<Float>?,
  _ scratch: UnsafeMutablePointer<Float>?, _ pair: Int64, _ firstGroup: Int64, _ endGroup: Int64, _ epilogue: Int32
) {
  guard let shape = shapePointer?.pointee, let input, var panels, let packed, let output, let scratch else { return }
  let channels = 2 &* tileColumns &* lanes
  let first = Int(pair) &* channels
  var work = StrassenPair(
    shape, packed: packed + first &* Int(shape.input_channels), bias: bias.map { $0 + first }, scratch: scratch,
    epilogue: epilogue, groups: Int(endGroup &- firstGroup),
    isLast: first &+ 2 &* channels > Int(shape.output_channels))
  work.sumWeights()
  let to = output + first / lanes &* Int(shape.output_block_stride)
  var group = Int(firstGroup)
  while group < Int(endGroup) {
    let pixel = 2 &* group &* tileBlock
    work.compute(input + pixel, panels, to + pixel)
    panels += 4 &* shape.halfBlocks &* tileBlock
    group &+= 1
  }
}
