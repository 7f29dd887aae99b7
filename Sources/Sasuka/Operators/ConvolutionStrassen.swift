import CSystem

/// How the pixels and channels of a 1 x 1 convolution are cut for Strassen's products.
struct StrassenGroups {
  /// Floats of the sums of inputs of a stretch of groups, at most: they stay in the second cache while all pairs of units
  /// read them.
  private static let floatsAtOnce = 98_304
  /// Pixels of a stretch at least, over which each sum of weights is used: with fewer, those cost more than a cache saves.
  private static let fewestAtOnce = 192

  /// Pixels of an image, those that are multiplied in groups, and those of a group; the last one may have fewer.
  let pixels, grouped, group: Int
  let inputChannels: Int
  /// Channels of the input that are no whole pair of blocks.
  let restChannels: Int
  /// Units of output channels, pairs of whole ones, and pairs with what makes none.
  let units, pairs, allPairs: Int

  init(_ shape: sasuka_convolution, lanes: Int) {
    let width = Int64(lanes)
    pixels = Int(shape.output_height * shape.output_width)
    group = 2 * Int(sasuka_strassen_pixels(width))
    grouped = pixels - pixels % Int(sasuka_strassen_fewest_pixels(width))
    inputChannels = Int(shape.input_channels)
    restChannels = inputChannels % (2 * lanes)
    units = Int(shape.output_channels.dividedUp(by: 2 * width))
    pairs = Int(shape.output_channels / (4 * width))
    allPairs = (units + 1) / 2
  }

  var groups: Int { grouped.dividedUp(by: group) }

  /// Into how many stretches of about equal length the groups are cut.
  var stretches: Int {
    let fewest = StrassenGroups.fewestAtOnce.dividedUp(by: group)
    let most = max(fewest, StrassenGroups.floatsAtOnce / (group * inputChannels))
    return max(1, (groups + most / 2) / most)
  }

  /// What a stretch of so many is made of; the last has the pixels that make no group.
  func pixels(of stretch: Int, of stretches: Int) -> Range<Int> {
    let next = (stretch + 1) * groups / stretches * group
    return (stretch * groups / stretches * group)..<(next < grouped ? next : pixels)
  }
}

extension Lowering {
  /// Convolves by one pass without strides, of which the weights are packed as for the direct kernel.
  mutating func convolveByStrassen(
    _ pass: ConvolutionPass, _ operands: ConvolutionOperands, images: Int
  ) {
    let run = StrassenRun(pass, kernels: kernels, operands, images: images)
    run.divide(among: threads)
    algorithm = ConvolutionAlgorithm.strassen.name
    needWorkerScratch(bytes: (run.scratchFloats + run.panelFloats) * MemoryLayout<Float>.stride)
    step(units: run.parts) { part, context in run.compute(part, context) }
  }
}

/// The pointers and sizes of a convolution by Strassen over a batch.
private final class StrassenRun {
  private let kernels: sasuka_kernel_table
  /// Of the image as one row: pixels follow one another.
  private var shape: sasuka_convolution
  private let operands: ConvolutionOperands
  private let images: Int
  private let groups: StrassenGroups
  /// Floats of scratch for the kernel, and for the sums of inputs of the longest stretch.
  let scratchFloats: Int
  private(set) var panelFloats = 0
  /// Into how many parts an image's pixels and its pairs of units are cut.
  private var stretches = 1
  private var shares = 1

  init(
    _ pass: ConvolutionPass, kernels: UnsafeMutablePointer<sasuka_kernel_table>, _ operands: ConvolutionOperands,
    images: Int
  ) {
    self.kernels = kernels.pointee
    self.operands = operands
    self.images = images
    let lanes = Int(kernels.pointee.vector_width)
    shape = pass.shape
    groups = StrassenGroups(shape, lanes: lanes)
    scratchFloats = Int(sasuka_strassen_scratch_floats(&shape, Int64(lanes)))
    (shape.input_width, shape.input_height) = (Int64(groups.pixels), 1)
    (shape.output_width, shape.output_height) = (Int64(groups.pixels), 1)
  }

  var parts: Int { images * stretches * shares }

  /// Cuts the images into stretches, as many for each thread as can be, or their channels into shares, where that divides the
  /// work more evenly. The numbers do not depend on the division.
  func divide(among threads: Int) {
    let fewest = groups.stretches
    var least = Int.max
    consider(fewest, shares: 1, threads, &least)
    consider(min(fewest.dividedUp(by: threads) * threads, groups.groups), shares: 1, threads, &least)
    consider(fewest, shares: threads, threads, &least)
  }

  /// In pixels of an eighth of a unit. Each part makes sums of weights for its units, which take as long as two pixels, and
  /// sums of inputs for its pixels, which take as long as an eighth of a unit.
  private func consider(_ stretches: Int, shares: Int, _ threads: Int, _ least: inout Int) {
    let parts = images * stretches * shares
    var (time, longest) = (0, 0)
    for thread in 0..<threads {
      var (pixels, sums) = (0, 0)
      for part in (parts * thread / threads)..<(parts * (thread + 1) / threads) {
        let count = groups.pixels(of: part / shares % stretches, of: stretches).count
        (pixels, sums, longest) = (pixels + count, sums + 2, max(longest, count))
      }
      time = max(time, (pixels + sums) * (8 * groups.units).dividedUp(by: shares) + pixels)
    }
    guard time < least else { return }
    (least, self.stretches, self.shares) = (time, stretches, shares)
    panelFloats = longest * groups.inputChannels
  }

  /// One share of the channels of a stretch of an image, from the input to the output.
  func compute(_ part: Int, _ context: StepContext) {
    let (image, rest) = (part / (stretches * shares), part % (stretches * shares))
    let (stretch, share) = (rest / shares, rest % shares)
    let pixels = groups.pixels(of: stretch, of: stretches)
    let first = pixels.lowerBound
    let (begin, end) = (cut(share, of: pixels), cut(share + 1, of: pixels))
    var unsummed = pixels.upperBound
    for pair in begin.pair...end.pair {
      let from = pair == begin.pair ? begin.pixel : first
      let to = pair == end.pair ? end.pixel : pixels.upperBound
      multiply(image, pair, from..<to, context, panels: (from - first) * groups.inputChannels, unsummed)
      // A share that ends with a pair ends at the next one's beginning.
      if from < to { applyFunction(image, pair, from..<to) }
      // The next pair begins where the stretch does, and makes the sums that this one did not need.
      unsummed = from
    }
  }

  private func applyFunction(_ image: Int, _ pair: Int, _ range: Range<Int>) {
    let width = Int(shape.output_pixel_stride)
    let blocks = Layout.blocks(of: Int(shape.output_channels), lanes: width)
    operands.function?.apply(
      to: operands.output + (image * operands.outputImage + range.lowerBound * width), count: range.count * width,
      blocks: (4 * pair)..<min(4 * pair + 4, blocks), blockStride: Int(shape.output_block_stride))
  }

  /// Where a share begins: at one of the groups of a pair. Pairs follow one another, and a share may end in the middle of one.
  private func cut(_ share: Int, of pixels: Range<Int>) -> (pair: Int, pixel: Int) {
    guard share < shares else { return (groups.allPairs, pixels.lowerBound) }
    let before = groups.units * pixels.count * share / shares
    let pair = before / (2 * pixels.count)
    let pairUnits = min(2, groups.units - 2 * pair)
    let whole = (before % (2 * pixels.count) / pairUnits + groups.group / 2) / groups.group
    return (pair, min(pixels.lowerBound + whole * groups.group, pixels.upperBound))
  }

  private func multiply(
    _ image: Int, _ pair: Int, _ range: Range<Int>, _ context: StepContext, panels: Int, _ unsummed: Int
  ) {
    let input = operands.image(image, context)
    let scratch = context.workerScratch.assumingMemoryBound(to: Float.self)
    let output = operands.output + image * operands.outputImage
    var shape = shape
    var first = range.lowerBound
    let grouped = min(range.upperBound, groups.grouped)
    if pair < groups.pairs, first < grouped {
      let hasRest = groups.restChannels > 0
      kernels.strassen_product!(
        &shape, input, scratch + scratchFloats + panels, operands.packed, operands.bias, output, scratch, Int64(pair),
        Int64(first), Int64(grouped), Int64(unsummed),
        hasRest ? operands.epilogue & Int32(SASUKA_EPILOGUE_ADD) : operands.epilogue)
      if hasRest { addRest(pair, first..<grouped, input, to: output) }
      first = grouped
    }
    // Product by product, what makes no pair or no group.
    guard first < range.upperBound else { return }
    shape.output_width = Int64(range.upperBound - first)
    let offset = first * Int(shape.output_pixel_stride)
    for unit in (2 * pair)..<min(2 * pair + 2, groups.units) {
      kernels.convolution_forward!(
        &shape, input + offset, operands.packed, operands.bias, output + offset, Int64(unit), 0, 1, operands.epilogue)
    }
  }

  /// Adds the products of the channels that are no pair of blocks, while the others' sums are in the second cache.
  private func addRest(
    _ pair: Int, _ range: Range<Int>, _ input: UnsafePointer<Float>, to output: UnsafeMutablePointer<Float>
  ) {
    let (rest, width) = (groups.restChannels, 2 * Int(kernels.vector_width))
    let before = groups.inputChannels - rest
    var shape = shape
    shape.input_channels = Int64(rest)
    shape.output_width = Int64(range.count)
    let offset = range.lowerBound * Int(shape.output_pixel_stride)
    let from = input + (before * groups.pixels + offset)
    for unit in (2 * pair)..<(2 * pair + 2) {
      kernels.convolution_forward!(
        &shape, from, operands.packed + (unit * groups.inputChannels + before) * width, nil,
        output + (unit * 2 * Int(shape.output_block_stride) + offset), 0, 0, 1,
        operands.epilogue | Int32(SASUKA_EPILOGUE_ADD))
    }
  }
}
