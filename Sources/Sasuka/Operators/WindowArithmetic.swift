// Shape questions about windows that slide over a map, answered without a network: sizes, paddings, receptive fields.

/// A size, step or place in the two directions of a map.
package struct Extent: Equatable, Sendable {
  package var height: Int
  package var width: Int

  package init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }

  /// The same in both directions.
  package init(_ both: Int) { self.init(height: both, width: both) }
}

/// Pixels added at each side of a map.
package struct Padding: Equatable, Sendable {
  package var top: Int
  package var bottom: Int
  package var left: Int
  package var right: Int

  package init(top: Int = 0, bottom: Int = 0, left: Int = 0, right: Int = 0) {
    self.top = top
    self.bottom = bottom
    self.left = left
    self.right = right
  }

  /// The same at all four sides.
  package init(_ all: Int) { self.init(top: all, bottom: all, left: all, right: all) }
}

/// How the padding of a window is given.
package enum PaddingMode: Equatable, Sendable {
  case explicit(Padding)
  case valid
  /// PyTorch's `same`: the output has the input's size; stride 1 only; the odd pixel goes to the bottom and the right.
  case same
  /// ONNX's SAME_UPPER: ceil(input / stride) outputs; the odd pixel goes to the bottom and the right.
  case sameUpper
  /// ONNX's SAME_LOWER: the odd pixel goes to the top and the left.
  case sameLower
  /// Every place where window and map overlap.
  case full

  /// The padding at each side for a map of this size.
  ///
  /// - Throws: `invalidArgument` for sizes out of range and for `same` with a stride other than 1.
  package func resolved(
    input: Extent, kernel: Extent, stride: Extent, dilation: Extent = Extent(1)
  ) throws(SasukaError) -> Padding {
    if case .explicit(let padding) = self { return padding }
    let rows = try sides(input: input.height, kernel: kernel.height, stride: stride.height, dilation: dilation.height)
    let columns = try sides(input: input.width, kernel: kernel.width, stride: stride.width, dilation: dilation.width)
    return Padding(top: rows.before, bottom: rows.after, left: columns.before, right: columns.after)
  }

  private func sides(
    input: Int, kernel: Int, stride: Int, dilation: Int
  ) throws(SasukaError) -> (before: Int, after: Int) {
    try Window.check(input: input, kernel: kernel, stride: stride, dilation: dilation)
    let extent = dilation * (kernel - 1) + 1
    let total: Int
    switch self {
    case .explicit, .valid:
      total = 0
    case .same:
      guard stride == 1 else {
        throw SasukaError(
          .invalidArgument, "padding \"same\" with stride \(stride); stride 1 is expected (SAME_UPPER takes any)")
      }
      total = extent - 1
    case .full: total = 2 * (extent - 1)
    case .sameUpper, .sameLower:
      total = max((input.dividedUp(by: stride) - 1) * stride + extent - input, 0)
    }
    let (smaller, larger) = (total / 2, total - total / 2)
    return self == .sameLower ? (larger, smaller) : (smaller, larger)
  }
}

/// A window that slides over a padded map: of a convolution or of a pooling.
package struct Window: Equatable, Sendable {
  package var kernel: Extent
  package var stride: Extent
  package var dilation: Extent
  package var padding: Padding

  package init(
    kernel: Extent, stride: Extent = Extent(1), dilation: Extent = Extent(1), padding: Padding = Padding()
  ) {
    self.kernel = kernel
    self.stride = stride
    self.dilation = dilation
    self.padding = padding
  }

  /// No size, stride, dilation or padding may be larger; sums and products of two of them stay far from overflow.
  package static let maximum = 1 << 30

  /// Rows and columns of the output.
  ///
  /// - Throws: as `outputSize(input:kernel:stride:dilation:before:after:ceil:)`, saying which direction.
  package func outputSize(of input: Extent, ceil: Bool = false) throws(SasukaError) -> Extent {
    let height = try Window.naming("height") { () throws(SasukaError) in
      try Window.outputSize(
        input: input.height, kernel: kernel.height, stride: stride.height, dilation: dilation.height,
        before: padding.top, after: padding.bottom, ceil: ceil)
    }
    let width = try Window.naming("width") { () throws(SasukaError) in
      try Window.outputSize(
        input: input.width, kernel: kernel.width, stride: stride.width, dilation: dilation.width,
        before: padding.left, after: padding.right, ceil: ceil)
    }
    return Extent(height: height, width: width)
  }

  /// Places of a window along one axis. With `ceil`, a last window that reaches past the padded input counts too if it
  /// begins inside the input or the padding before it, as in PyTorch; so may the only one.
  ///
  /// - Throws: `invalidArgument` for values out of range and where no window fits.
  @inline(never)
  package static func outputSize(
    input: Int, kernel: Int, stride: Int, dilation: Int = 1, before: Int = 0, after: Int = 0, ceil: Bool = false
  ) throws(SasukaError) -> Int {
    try check(input: input, kernel: kernel, stride: stride, dilation: dilation)
    try check(padding: before)
    try check(padding: after)
    let padded = input + before + after
    let extent = dilation * (kernel - 1) + 1
    let reach = ceil ? padded + stride - 1 : padded
    guard extent <= reach else {
      throw SasukaError(
        .invalidArgument,
        "a kernel of \(kernel) with dilation \(dilation) spans \(extent), more than the padded input of \(padded) "
          + "(\(before) + \(input) + \(after))")
    }
    let count = (reach - extent) / stride + 1
    return ceil && (count - 1) * stride >= input + before ? count - 1 : count
  }

  /// Size of a transposed convolution's output along one axis.
  ///
  /// - Throws: `invalidArgument` for values out of range and where nothing is left.
  @inline(never)
  package static func transposedOutputSize(
    input: Int, kernel: Int, stride: Int, dilation: Int = 1, before: Int = 0, after: Int = 0, outputPadding: Int = 0
  ) throws(SasukaError) -> Int {
    try check(input: input, kernel: kernel, stride: stride, dilation: dilation)
    try check(padding: before)
    try check(padding: after)
    guard outputPadding >= 0, outputPadding < max(stride, dilation) else {
      throw SasukaError(
        .invalidArgument,
        "output padding \(outputPadding); at least 0 and less than the stride \(stride) or the dilation \(dilation) "
          + "is expected")
    }
    let size = (input - 1) * stride - before - after + dilation * (kernel - 1) + outputPadding + 1
    guard size >= 1, size <= maximum else {
      throw SasukaError(
        .invalidArgument,
        "an input of \(input) with kernel \(kernel), stride \(stride), dilation \(dilation), padding \(before) and "
          + "\(after) gives an output of \(size); 1 to \(maximum) is expected")
    }
    return size
  }

  /// Throws `invalidArgument` for what no window has.
  static func check(input: Int, kernel: Int, stride: Int, dilation: Int) throws(SasukaError) {
    for (name, value) in [("input size", input), ("kernel size", kernel), ("stride", stride), ("dilation", dilation)] {
      guard value >= 1, value <= maximum else {
        throw SasukaError(.invalidArgument, "\(name) \(value); 1 to \(maximum) is expected")
      }
    }
  }

  private static func check(padding: Int) throws(SasukaError) {
    guard padding >= 0, padding <= maximum else {
      throw SasukaError(.invalidArgument, "padding \(padding); 0 to \(maximum) is expected")
    }
  }

  private static func naming(_ axis: String, _ body: () throws(SasukaError) -> Int) throws(SasukaError) -> Int {
    do {
      return try body()
    } catch {
      throw SasukaError(error.code, "\(axis): \(error.message)")
    }
  }
}

/// What one value of a deep layer sees of the network's input, along one axis
/// (Araujo, Norris and Sim 2019, Computing Receptive Fields of Convolutional Neural Networks).
package struct ReceptiveField: Equatable, Sendable {
  /// Pixels that one value depends on.
  package private(set) var size = 1
  /// Pixels between the fields of neighbouring values.
  package private(set) var step = 1
  /// First pixel of the first value's field; negative where it reaches into the padding.
  package private(set) var start = 0

  /// The field of one pixel: itself.
  package init() {}

  /// Goes one window deeper.
  ///
  /// - Throws: `invalidArgument` for values out of range and fields too large to count.
  package mutating func append(
    kernel: Int, stride: Int, dilation: Int = 1, before: Int = 0
  ) throws(SasukaError) {
    try Window.check(input: 1, kernel: kernel, stride: stride, dilation: dilation)
    let (growth, growthOverflow) = step.multipliedReportingOverflow(by: dilation * (kernel - 1))
    let (newSize, sizeOverflow) = size.addingReportingOverflow(growth)
    let (shift, shiftOverflow) = step.multipliedReportingOverflow(by: before)
    let (newStart, startOverflow) = start.subtractingReportingOverflow(shift)
    let (newStep, stepOverflow) = step.multipliedReportingOverflow(by: stride)
    guard !growthOverflow, !sizeOverflow, !shiftOverflow, !startOverflow, !stepOverflow else {
      throw SasukaError(
        .invalidArgument, "the receptive field is too large to count at kernel \(kernel), stride \(stride)")
    }
    (size, step, start) = (newSize, newStep, newStart)
  }

  /// The pixels that values of one place in two maps see; the steps are this one's.
  package func union(_ other: ReceptiveField) -> ReceptiveField {
    var result = self
    result.start = min(start, other.start)
    // Neither end is beyond what `append` has counted without overflow.
    let (end, overflow) = max(start &+ size, other.start &+ other.size).subtractingReportingOverflow(result.start)
    result.size = overflow ? Int.max : end
    return result
  }
}
