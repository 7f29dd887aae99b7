import CSystem

/// How the pixels and channels of a 1 x 1 convolution are cut for Strassen's products.
struct StrassenGroups {
  /// Floats of the sums of inputs of a stretch of groups, at most: they stay in the second cache while all pairs of units
  /// read them.
  private static let floatsAtOnce = 98_304
  /// Groups of a stretch at least, over which each sum of weights is used: with fewer, those cost more than a cache saves.
  private static let fewestAtOnce = 7

  /// Groups of pixels in an image, without those that make no group.
  let whole: Int
  /// Floats of a group's sums, in one image.
  let groupFloats: Int
  /// Units of output channels, pairs of whole ones, and pairs with what makes none.
  let units, pairs, allPairs: Int

  init(_ shape: sasuka_convolution, lanes: Int) {
    var shape = shape
    let width = Int64(lanes)
    let pixels = shape.output_height * shape.output_width
    whole = Int(pixels / (2 * sasuka_strassen_pixels(width)))
    groupFloats = Int(sasuka_strassen_group_floats(&shape, width))
    units = Int(sasuka_divide_up(shape.output_channels, 2 * width))
    pairs = Int(shape.output_channels / (4 * width))
    allPairs = (units + 1) / 2
  }

  /// Into how many stretches of about equal length the groups are cut.
  var stretches: Int {
    let most = max(StrassenGroups.fewestAtOnce, StrassenGroups.floatsAtOnce / groupFloats)
    return max(1, (whole + most / 2) / most)
  }
}

extension Lowering {
  /// Convolves by one pass, of which the weights are packed as for the direct kernel.
  mutating func convolveByStrassen(
    _ pass: ConvolutionPass, _ operands: ConvolutionOperands, images: Int
  ) {
    algorithm = ConvolutionAlgorithm.strassen.name
    var run = StrassenRun(pass, kernels: kernels, operands)
    let scratchBytes = run.scratchFloats * MemoryLayout<Float>.stride
    if run.divide(images: images, among: threads) {
      needWorkerScratch(bytes: scratchBytes + run.panelFloats * MemoryLayout<Float>.stride)
      step(units: images * run.stretches) { [run] part, context in
        let scratch = context.workerScratch.assumingMemoryBound(to: Float.self)
        run.compute(part, scratch: scratch, panels: scratch + run.scratchFloats)
      }
      return
    }
    // Too few stretches for the threads: they share the sums of inputs, and then the pairs of units.
    needScratch(bytes: images * run.panelFloats * MemoryLayout<Float>.stride)
    needWorkerScratch(bytes: scratchBytes)
    step(units: images * run.groups.whole) { [run] group, context in
      run.sumInput(group, panels: context.scratch.assumingMemoryBound(to: Float.self))
    }
    step(units: images * run.groups.allPairs * run.stretches) { [run] part, context in
      run.multiply(
        part, scratch: context.workerScratch.assumingMemoryBound(to: Float.self),
        panels: context.scratch.assumingMemoryBound(to: Float.self))
    }
  }
}

/// The pointers and sizes of a convolution by Strassen over a batch.
private struct StrassenRun {
  private let kernels: sasuka_kernel_table
  private var shape: sasuka_convolution
  private let operands: ConvolutionOperands
  let groups: StrassenGroups
  /// Floats of scratch for the kernel, and for the sums of inputs of the longest stretch, or of an image.
  let scratchFloats: Int
  private(set) var panelFloats = 0
  private(set) var stretches = 1

  init(
    _ pass: ConvolutionPass, kernels: UnsafeMutablePointer<sasuka_kernel_table>, _ operands: ConvolutionOperands
  ) {
    self.kernels = kernels.pointee
    self.operands = operands
    shape = pass.shape
    // Pixels follow one another: they are as good as one row.
    (shape.input_width, shape.input_height) = (shape.input_height * shape.input_width, 1)
    (shape.output_width, shape.output_height) = (shape.output_height * shape.output_width, 1)
    let lanes = Int(kernels.pointee.vector_width)
    groups = StrassenGroups(shape, lanes: lanes)
    scratchFloats = Int(sasuka_strassen_scratch_floats(&shape, Int64(lanes)))
  }

  /// Cuts the images into stretches, of which each thread gets as many groups as the others, and answers true, or else the
  /// channels. The numbers do not depend on the division.
  mutating func divide(images: Int, among threads: Int) -> Bool {
    stretches = groups.stretches
    if threads > 1, images * stretches % threads != 0 {
      let least = sasuka_divide_up(Int64(stretches), Int64(threads)) * Int64(threads)
      stretches = min(Int(least), groups.whole)
    }
    let longest = (groups.whole + stretches - 1) / stretches
    let parts = images * stretches
    let share = (parts + threads - 1) / threads * longest * threads
    if Double(share) <= 1.06 * Double(images * groups.whole) || threads == 1 {
      panelFloats = longest * groups.groupFloats
      return true
    }
    panelFloats = groups.whole * groups.groupFloats
    stretches = images * groups.allPairs % threads == 0 ? 1 : min(threads, groups.whole)
    return false
  }

  private func stretch(_ number: Int) -> Range<Int> {
    (number * groups.whole / stretches)..<((number + 1) * groups.whole / stretches)
  }

  /// One stretch of an image, from the input to the output.
  func compute(_ part: Int, scratch: UnsafeMutablePointer<Float>, panels: UnsafeMutablePointer<Float>) {
    let (image, range) = (part / stretches, stretch(part % stretches))
    sumInput(image, range, panels: panels)
    for pair in 0..<groups.allPairs { multiply(image, pair, range, scratch: scratch, panels: panels) }
  }

  /// The sums of one group of the batch.
  func sumInput(_ number: Int, panels: UnsafeMutablePointer<Float>) {
    let group = number % groups.whole
    sumInput(number / groups.whole, group..<(group + 1), panels: panels + number * groups.groupFloats)
  }

  /// One pair of one image in one stretch.
  func multiply(_ part: Int, scratch: UnsafeMutablePointer<Float>, panels: UnsafeMutablePointer<Float>) {
    let (image, rest) = (part / (groups.allPairs * stretches), part % (groups.allPairs * stretches))
    let range = stretch(rest % stretches)
    let first = panels + image * panelFloats + range.lowerBound * groups.groupFloats
    multiply(image, rest / stretches, range, scratch: scratch, panels: first)
  }

  private func sumInput(_ image: Int, _ range: Range<Int>, panels: UnsafeMutablePointer<Float>) {
    var shape = shape
    kernels.strassen_input!(
      &shape, operands.input + image * operands.inputImage, panels, Int64(range.lowerBound), Int64(range.upperBound))
  }

  private func multiply(
    _ image: Int, _ pair: Int, _ range: Range<Int>, scratch: UnsafeMutablePointer<Float>,
    panels: UnsafeMutablePointer<Float>
  ) {
    var shape = shape
    let input = operands.input + image * operands.inputImage
    let output = operands.output + image * operands.outputImage
    let group = 2 * Int(sasuka_strassen_pixels(Int64(kernels.vector_width)))
    var first = range.lowerBound * group
    if pair < groups.pairs {
      kernels.strassen_product!(
        &shape, input, panels, operands.packed, operands.bias, output, scratch, Int64(pair), Int64(range.lowerBound),
        Int64(range.upperBound), operands.epilogue)
      first = range.upperBound * group
    }
    // Product by product, what makes no pair or no group.
    let end = range.upperBound == groups.whole ? Int(shape.output_width) : range.upperBound * group
    guard first < end else { return }
    shape.output_width = Int64(end - first)
    let offset = first * Int(shape.output_pixel_stride)
    for unit in (2 * pair)..<min(2 * pair + 2, groups.units) {
      kernels.convolution_forward!(
        &shape, input + offset, operands.packed, operands.bias, output + offset, Int64(unit), 0, 1, operands.epilogue)
    }
  }
}
