// 1 x 1 convolution by one level of fast matrix multiplication: seven products where there were eight, of half the channels
// each. The form with the fewest additions is S. Winograd's, of V. Strassen, "Gaussian elimination is not optimal" (1969);
// tiles of the result are summed while they are in the first cache, as by J. Huang, T. Smith, G. Henry and R. van de Geijn,
// "Strassen's algorithm reloaded" (2016).
//
// A pair of units, 1 and 2, has weights A11, A12 and A21, A22 for the first and second half of the input's channels; a group
// of pixels, 1 and 2, has inputs B11, B12 in the first half of the channels and B21, B22 in the second.
import CSystem

/// Pixels of the tallest register tile; a group has two.
@inline(__always)
private var tilePixels: Int { Int(sasuka_strassen_pixels(Int64(lanes))) }

/// Whether products make sums on the way: a group and pair with all sums take 4 % longer for them then, with loops of their
/// own 17 %. Tiles of vectors of 8 load as much as a core can as it is.
@inline(__always)
private var makesSumsBeside: Bool { lanes == 16 }

/// Floats of a tile of results.
@inline(__always)
private var tileFloats: Int { tileColumns &* tilePixels &* lanes }

extension sasuka_convolution {
  /// Blocks of half the input's channels.
  fileprivate var halfBlocks: Int { Int(input_channels) / (2 &* lanes) }
  /// Floats of the weights of one unit for half the input's channels, and for all of them.
  fileprivate var halfUnit: Int { halfBlocks &* lanes &* tileColumns &* lanes }
  fileprivate var wholeUnit: Int { Int(input_channels) &* tileColumns &* lanes }
  fileprivate var inputBlock: Int { Int(input_height &* input_width) &* lanes }
}

/// What is read vector by vector: how many floats it goes on from pixel to pixel, or from channel to channel where these are
/// weights, and besides from block to block. Zeros stay where they are.
private struct StrassenTerm {
  var from: UnsafePointer<Float>
  let step, jump: Int
}

/// Zeros, four parts of the weights or of the inputs, 11, 12, 21, 22, and four sums of them.
private typealias StrassenParts = InlineArray<9, UnsafePointer<Float>>

/// What a group's products and sums are made of.
private struct StrassenTerms {
  let weights, pixels: StrassenParts
  /// Floats from a block of inputs to the next, besides those of its pixels.
  let jump: Int
  /// Where sums go that nobody wants, made beside another one.
  let unread: UnsafeMutablePointer<Float>

  /// A digit each for first, second and less of a sum; above them one for where it goes, or 0.
  @inline(never)
  private func sum(_ digits: Int, _ parts: borrowing StrassenParts, step: Int, jump: Int) -> StrassenSum {
    func term(_ number: Int) -> StrassenTerm {
      StrassenTerm(from: parts[number], step: number == 0 ? 0 : step, jump: 1...4 ~= number ? jump : 0)
    }
    let place = digits >> 12
    return StrassenSum(
      first: term(digits >> 8 & 15), second: term(digits >> 4 & 15), less: term(digits & 15),
      to: place == 0 ? unread : UnsafeMutablePointer(mutating: parts[place]), step: place == 0 ? 0 : step)
  }

  /// What a product is to make beside it. Where its weights are no sum, they are read as they are: `plain`.
  @inline(never)
  func make(_ sums: inout StrassenSums, weights digits: Int, plain: Int, input: Int) {
    sums.areWanted = digits | input != 0
    sums.weights = sum(digits != 0 ? digits : plain << 8, weights, step: tileColumns &* lanes, jump: 0)
    sums.input = sum(input, pixels, step: lanes, jump: jump)
  }
}

/// The sum that a product's weights are, and one of inputs that a later product needs, made beside it.
private struct StrassenSums {
  var weights, input: StrassenSum
  var areWanted: Bool
}

/// first + (second - less), made while the products go on: other parts of the core add, load and store meanwhile.
private struct StrassenSum {
  var first, second, less: StrassenTerm
  var to: UnsafeMutablePointer<Float>
  /// Floats from sum to sum; none where nobody reads them.
  let step: Int

  @inline(__always)
  func make(_ offset: Int) -> Vector {
    let sum =
      loadVector(first.from + offset) + (loadVector(second.from + offset) - loadVector(less.from + offset))
    storeVector(sum, to + offset)
    return sum
  }

  @inline(__always)
  mutating func goOn() {
    first.from += first.step
    second.from += second.step
    less.from += less.step
    to += step
  }

  @inline(__always)
  mutating func nextBlock(rowsAhead rows: Int) {
    first.from += first.jump
    second.from += second.jump
    less.from += less.jump
    sasuka_prefetch_lines(first.from + 2 &* rows &* lanes, Int64(rows))
    sasuka_prefetch_lines(second.from + 2 &* rows &* lanes, Int64(rows))
  }
}

/// One of the seven products: the weights of half the channels times a tile of pixels.
private struct StrassenProduct {
  var pixels: UnsafePointer<Float>
  /// Floats from one channel block's pixels to the next's.
  let pixelBlock: Int
  let weights: UnsafePointer<Float>
  /// Where the sum goes that ends with this product.
  var output: UnsafeMutablePointer<Float>
  var sums: UnsafePointer<StrassenSums>?
}

/// What all products of a pair share.
private struct StrassenPass {
  /// Blocks of input channels, and channels of one: were they known at compile time, the loop would be unrolled.
  let blocks: Int
  let blockChannels: Int
  let outputBlock: Int
  let epilogue: Epilogue
  /// How many of a tile's pixels sums of inputs call for from the next group: none where the input lies in the second cache,
  /// all where it comes from farther away, 10 % of a layer of 256 channels of 56 x 56 pixels.
  var rowsAhead = 0
  /// As many as a tile has.
  let zeros: UnsafePointer<Float>
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
  let run = Run(rows: EvenRows(stride: lanes), rowStep: 1, columnStride: lanes, columnStep: columns &* lanes)
  for column in 0..<columns {
    sasuka_prefetch_lines(last.pointee.output + column &* pass.pointee.outputBlock, Int64(rows &* lanes / 16))
  }
  var product = products
  while true {
    if makesSumsBeside, let beside = product.pointee.sums, beside.pointee.areWanted {
      accumulate(&sums, product, beside, pass)
    } else {
      var (pixels, weights) = (product.pointee.pixels, product.pointee.weights)
      let (block, channels, lines) = (product.pointee.pixelBlock, pass.pointee.blockChannels, pass.pointee.linesAhead)
      var ahead = pass.pointee.ahead
      for _ in 0..<pass.pointee.blocks {
        callFor(&ahead, lines: lines)
        if lanes == 8 {
          prefetchPixels(pixels + block, count: rows, pixel: lanes)
          accumulateBlock(&sums, pixels, &weights, run)
        } else {
          accumulate(&sums, pixels, &weights, run, count: channels)
        }
        pixels += block
      }
      pass.pointee.ahead = ahead
    }
    if product == last { break }
    let to = product.pointee.output
    for row in 0..<rows {
      for column in 0..<columns { storeVector(sums[row][column], to + (column &* rows &+ row) &* lanes) }
    }
    product += 1
  }
  // Copies, for what the stores write might be the pass as far as the compiler knows.
  let (epilogue, block, output) = (pass.pointee.epilogue, pass.pointee.outputBlock, last.pointee.output)
  for column in 0..<columns {
    let shift = loadVector(bias + column &* lanes)
    for row in 0..<rows { sums[row][column] += shift }
  }
  let (addend, addendBlock) = epilogue.adds ? (UnsafePointer(output), block) : (pass.pointee.zeros, 0)
  for row in 0..<rows {
    for column in 0..<columns {
      let added = loadVector(addend + row &* lanes + column &* addendBlock)
      storeVector(epilogue.clamp(sums[row][column] + added), output + row &* lanes + column &* block)
    }
  }
}

/// Calls the tile compiled for `rows` pixels.
@inline(__always)
private func strassenTile(
  _ rows: Int, _ pass: UnsafeMutablePointer<StrassenPass>, held: UnsafePointer<Float>,
  _ products: UnsafePointer<StrassenProduct>, _ last: UnsafePointer<StrassenProduct>, bias: UnsafePointer<Float>
) {
  if lanes == 16, rows == 14 {
    strassenTile(Count<14>(), Count<2>(), pass, held: held, products, last, bias: bias)
  } else if lanes == 16 {
    strassenTile(Count<7>(), Count<2>(), pass, held: held, products, last, bias: bias)
  } else {
    strassenTile(Count<6>(), Count<2>(), pass, held: held, products, last, bias: bias)
  }
}

/// A product by weights that become a sum on the way; so does a tile's row with each of a block's last channels.
@inline(__always)
private func accumulate<let rows: Int, let columns: Int>(
  _ sums: inout RegisterTile<rows, columns>, _ product: UnsafePointer<StrassenProduct>,
  _ beside: UnsafePointer<StrassenSums>, _ pass: UnsafeMutablePointer<StrassenPass>
) {
  var (pixels, weights, input) = (product.pointee.pixels, beside.pointee.weights, beside.pointee.input)
  for _ in 0..<pass.pointee.blocks {
    var scalar = pixels
    var remaining = pass.pointee.blockChannels
    while remaining > 0 {
      var factors = zeroed() as InlineArray<columns, Vector>
      for column in 0..<columns { factors[column] = weights.make(column &* lanes) }
      weights.goOn()
      if remaining <= rows {
        _ = input.make(0)
        input.goOn()
      }
      accumulate(&sums, scalar, EvenRows(stride: lanes), factors)
      scalar += 1
      remaining &-= 1
    }
    input.nextBlock(rowsAhead: pass.pointee.rowsAhead)
    pixels += product.pointee.pixelBlock
    callFor(&pass.pointee.ahead, lines: pass.pointee.linesAhead)
  }
}

/// A pair of units over groups of pixels.
private struct StrassenPair {
  let shape: sasuka_convolution
  /// The pair's weights: those of each unit, in the first and the second half of the channels.
  let packed: UnsafePointer<Float>
  /// Of the first unit, and of the second; zeros where there is none.
  let bias, secondBias: UnsafePointer<Float>
  /// Four sums of weights, then tiles: four of results before they are whole, one of zeros, and one of what nobody reads.
  let scratch: UnsafeMutablePointer<Float>
  private var pass: StrassenPass
  /// The group: its first pixel; its panels, for T1 = B12 - B11, T2 = B22 - T1, T3 = B22 - B12, T4 = B21 - T2; the first pixel of
  /// the pair's first block of the output; the pixels of each of its two tiles, 0 before the first group.
  private var input: UnsafePointer<Float>
  private var panels: UnsafeMutablePointer<Float>
  private var output: UnsafeMutablePointer<Float>
  private var rows = 0
  /// The group's products, in the order in which they are summed.
  private var products: InlineArray<7, StrassenProduct>

  init(
    _ shape: sasuka_convolution, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
    input: UnsafePointer<Float>, panels: UnsafeMutablePointer<Float>, output: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>, epilogue: Int32, groups: Int, isLast: Bool
  ) {
    (self.shape, self.packed, self.scratch) = (shape, packed, scratch)
    (self.input, self.panels, self.output) = (input, panels, output)
    products = zeroed()
    let zeros = scratch + 4 &* (shape.halfUnit &+ StrassenPair.sumGap &+ tileFloats)
    self.bias = bias ?? UnsafePointer(zeros)
    secondBias = bias.map { $0 + tileColumns &* lanes } ?? UnsafePointer(zeros)
    let (blocks, next) = (shape.halfBlocks, 2 &* shape.wholeUnit)
    pass = StrassenPass(
      blocks: blocks, blockChannels: min(Int(shape.input_channels), lanes),
      outputBlock: Int(shape.output_block_stride), epilogue: Epilogue(epilogue), zeros: zeros, ahead: packed + next,
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

  /// Goes on with the next group, of two tiles of so many pixels. Its products are those before it moved on, if they are as large:
  /// to find where everything lies takes as long as a fortieth of 128 channels' products.
  mutating func goOn(rows: Int) {
    let (pixels, panel) = (2 &* self.rows &* lanes, 2 &* self.rows &* Int(shape.input_channels))
    input += pixels
    panels += panel
    output += pixels
    guard rows == self.rows else { return begin(rows: rows) }
    for place in 0..<7 {
      products[place].pixels += place < 2 || place == 6 ? pixels : panel
      if place == 1 || place == 4 || place == 6 { products[place].output += pixels }
    }
  }

  private mutating func begin(rows: Int) {
    self.rows = rows
    let (weights, pixels) = (weightParts, inputParts)
    func product(_ weight: Int, _ pixel: Int, _ output: UnsafeMutablePointer<Float>) -> StrassenProduct {
      StrassenProduct(
        pixels: pixels[pixel], pixelBlock: pixel > 4 ? rows &* lanes : shape.inputBlock, weights: weights[weight],
        output: output)
    }
    products = [
      // A11 B11, and C11, which is that + A12 B21.
      product(1, 1, tile(0)), product(2, 3, output),
      // The first + S2 T2, + S3 T3, and C21, which is all those + A22 T4.
      product(6, 6, tile(1)), product(7, 7, tile(2)), product(4, 8, secondOutput),
      // The first + S2 T2 + S1 T1, and C12, which is that + S4 B22.
      product(5, 5, tile(3)), product(8, 4, output + rows &* lanes),
    ]
  }

  private var weightParts: StrassenParts {
    let (half, second) = (shape.halfUnit, packed + shape.wholeUnit)
    return [
      UnsafePointer(tile(4)), packed, packed + half, second, second + half, UnsafePointer(sum(1)),
      UnsafePointer(sum(2)), UnsafePointer(sum(3)), UnsafePointer(sum(4)),
    ]
  }

  private var inputParts: StrassenParts {
    let (tileBlock, below) = (rows &* lanes, input + shape.halfBlocks &* shape.inputBlock)
    let panel = shape.halfBlocks &* tileBlock
    return [
      UnsafePointer(tile(4)), input, input + tileBlock, below, below + tileBlock, UnsafePointer(panels),
      UnsafePointer(panels + panel), UnsafePointer(panels + 2 &* panel), UnsafePointer(panels + 3 &* panel),
    ]
  }

  private var secondOutput: UnsafeMutablePointer<Float> {
    output + tileColumns &* Int(shape.output_block_stride)
  }

  /// - Parameters:
  ///   - sumsWeights: whether S1 = A21 + A22, S2 = S1 - A11, S3 = A11 - A21, S4 = A12 - S2 are to be made too.
  ///   - sumsInput: whether the panels are to be filled.
  mutating func compute(sumsWeights: Bool, sumsInput: Bool) {
    if makesSumsBeside {
      multiplyBeside(sumsWeights: sumsWeights, sumsInput: sumsInput)
    } else {
      if sumsWeights { sumWeights() }
      if sumsInput { sumInput() }
      multiply()
    }
    finish()
  }

  /// The products, and sums beside them.
  private mutating func multiplyBeside(sumsWeights: Bool, sumsInput: Bool) {
    let terms = StrassenTerms(
      weights: weightParts, pixels: inputParts, jump: shape.inputBlock &- rows &* lanes, unread: tile(5))
    let (ofWeights, ofInput) = (sumsWeights ? -1 : 0, sumsInput ? -1 : 0)
    var sums = zeroed() as InlineArray<7, StrassenSums>
    if sumsWeights || sumsInput {
      terms.make(&sums[0], weights: 0, plain: 1, input: ofInput & 0x6142)
      terms.make(&sums[1], weights: 0, plain: 2, input: ofInput & 0x7042)
      terms.make(&sums[2], weights: ofWeights & 0x6341, plain: 6, input: ofInput & 0x8036)
      terms.make(&sums[3], weights: ofWeights & 0x7103, plain: 7, input: ofInput & 0x5021)
      terms.make(&sums[5], weights: ofWeights & 0x5340, plain: 5, input: 0)
      terms.make(&sums[6], weights: ofWeights & 0x8206, plain: 8, input: 0)
    }
    withUnsafePointer(to: sums) {
      $0.withMemoryRebound(to: StrassenSums.self, capacity: 7) {
        for index in 0..<7 { products[index].sums = sumsWeights || sumsInput ? $0 + index : nil }
        multiply()
      }
    }
  }

  private func sumWeights() {
    let half = shape.halfUnit
    var index = 0
    while index < half {
      let from = packed + index
      let second = from + shape.wholeUnit
      let (a11, a21) = (loadVector(from), loadVector(second))
      let sum1 = a21 + loadVector(second + half)
      storeVector(sum1, sum(1) + index)
      storeVector(sum1 - a11, sum(2) + index)
      storeVector(a11 - a21, sum(3) + index)
      storeVector(loadVector(from + half) - (sum1 - a11), sum(4) + index)
      index &+= lanes
    }
  }

  private func sumInput() {
    let tileBlock = rows &* lanes
    let panelFloats = shape.halfBlocks &* tileBlock
    let half = shape.halfBlocks &* shape.inputBlock
    var from = input
    // One loop: of two, the inner would be unrolled to many times the code.
    var left = tileBlock
    var index = 0
    while index < panelFloats {
      let (b11, b12) = (loadVector(from), loadVector(from + tileBlock))
      let (b21, b22) = (loadVector(from + half), loadVector(from + half + tileBlock))
      let difference = b12 - b11
      let sum = b22 - difference
      let to = panels + index
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
  }

  private mutating func multiply() {
    let (first, second) = (bias, secondBias)
    let (zeros, tiles) = (tile(4), (tile(0), tile(1)))
    let rows = rows
    pass.rowsAhead = shape.inputBlock &* shape.halfBlocks > 131_072 ? rows : 0
    withUnsafeMutablePointer(to: &pass) { pass in
      withUnsafePointer(to: &products) {
        $0.withMemoryRebound(to: StrassenProduct.self, capacity: 7) {
          strassenTile(rows, pass, held: zeros, $0, $0 + 1, bias: first)
          strassenTile(rows, pass, held: tiles.0, $0 + 2, $0 + 4, bias: second)
          strassenTile(rows, pass, held: tiles.1, $0 + 5, $0 + 6, bias: first)
        }
      }
    }
  }

  /// C22 = the sum in tile 2 - that in tile 1 + that in tile 3.
  private func finish() {
    let tileBlock = rows &* lanes
    var (place, shift) = (secondOutput + tileBlock, loadVector(secondBias))
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
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?,
  _ panels: UnsafeMutablePointer<Float>?, _ packed: UnsafePointer<Float>?, _ bias: UnsafePointer<Float>?,
  _ output: UnsafeMutablePointer<Float>?, _ scratch: UnsafeMutablePointer<Float>?, _ pair: Int64, _ firstPixel: Int64,
  _ endPixel: Int64, _ unsummed: Int64, _ epilogue: Int32
) {
  guard let shape = shapePointer?.pointee, let input, let panels, let packed, let output, let scratch else { return }
  let channels = 2 &* tileColumns &* lanes
  let (first, pixels, group) = (Int(pair) &* channels, Int(endPixel &- firstPixel), 2 &* tilePixels)
  var work = StrassenPair(
    shape, packed: packed + first &* Int(shape.input_channels), bias: bias.map { $0 + first },
    input: input + Int(firstPixel) &* lanes, panels: panels,
    output: output + first / lanes &* Int(shape.output_block_stride) + Int(firstPixel) &* lanes, scratch: scratch,
    epilogue: epilogue, groups: (pixels &+ group &- 1) / group,
    isLast: first &+ 2 &* channels > Int(shape.output_channels))
  var pixel = 0
  while pixel < pixels {
    let count = min(group, pixels &- pixel)
    work.goOn(rows: count / 2)
    work.compute(sumsWeights: pixel == 0, sumsInput: Int(firstPixel) &+ pixel < Int(unsummed))
    pixel &+= count
  }
}
