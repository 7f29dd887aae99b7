import CSystem

extension Graph {
  /// The average of each window of a map [batch, channels, height, width].
  ///
  /// - Parameters:
  ///   - stride: the kernel's size if nil.
  ///   - ceil: a last window that reaches past the padded map counts too; what lies past the padding never counts.
  ///   - countIncludesPadding: whether the padding's zeros are counted by the divisor.
  ///   - divisor: divides the sum instead of the count.
  @inline(never)
  package mutating func averagePool(
    _ input: Value, name: String, kernel: Extent, stride: Extent? = nil, padding: PaddingMode = .valid,
    ceil: Bool = false, countIncludesPadding: Bool = true, divisor: Int? = nil
  ) throws(SasukaError) -> Value {
    if let divisor, divisor < 1 || divisor > Window.maximum {
      throw SasukaError(
        .invalidArgument, "average_pool \"\(name)\": divisor \(divisor); 1 to \(Window.maximum) is expected")
    }
    let pool = PoolAttributes(
      kernel: kernel, stride: stride ?? kernel, dilation: Extent(1), padding: padding, ceil: ceil)
    let windows = SlidingWindows(pool, countIncludesPadding: countIncludesPadding, divisor: divisor)
    return try append(AveragePool(windows), name: name, inputs: [input])[0]
  }
}

/// Which rows and columns of a map each output of an average sees.
package protocol AverageWindows: AnyObject {
  /// The pooling's word in messages.
  var kind: String { get }
  func outputShape(of input: Shape) throws(SasukaError) -> Shape
  /// The window for a map of this shape; nil where sizes differ.
  func window(for input: Shape) -> Window?
  /// For each output row and column what it averages; the product of both divisors divides the sum.
  func ranges(of input: Shape) throws(SasukaError) -> (rows: [sasuka_pool_range], columns: [sasuka_pool_range])
}

/// Windows of one size that slide over the padded map.
package final class SlidingWindows: AverageWindows {
  package let kind = "average_pool"
  package let pool: PoolAttributes
  private let countIncludesPadding: Bool
  private let divisor: Int?

  package init(_ pool: PoolAttributes, countIncludesPadding: Bool, divisor: Int?) {
    self.pool = pool
    self.countIncludesPadding = countIncludesPadding
    self.divisor = divisor
  }

  package func outputShape(of input: Shape) throws(SasukaError) -> Shape { try pool.window(for: input).output }
  package func window(for input: Shape) -> Window? { (try? pool.window(for: input))?.window }

  package func ranges(
    of input: Shape
  ) throws(SasukaError) -> (rows: [sasuka_pool_range], columns: [sasuka_pool_range]) {
    let (window, output) = try pool.window(for: input)
    let padding = window.padding
    let rows = ranges(
      count: output[2], stride: pool.stride.height, kernel: pool.kernel.height, size: input[2], before: padding.top,
      after: padding.bottom, divisor: divisor)
    let columns = ranges(
      count: output[3], stride: pool.stride.width, kernel: pool.kernel.width, size: input[3], before: padding.left,
      after: padding.right, divisor: divisor == nil ? nil : 1)
    return (rows, columns)
  }

  /// Those of one axis.
  @inline(never)
  private func ranges(
    count: Int, stride: Int, kernel: Int, size: Int, before: Int, after: Int, divisor: Int?
  ) -> [sasuka_pool_range] {
    (0..<count).map { place in
      // None is greater than a window's sizes may be.
      let start = place &* stride &- before
      let end = min(start &+ kernel, size &+ after)
      let first = min(max(start, 0), size)
      let last = max(min(end, size), first)
      let counted = countIncludesPadding ? end &- start : last &- first
      return sasuka_pool_range(
        first: Int32(truncatingIfNeeded: first), end: Int32(truncatingIfNeeded: last),
        divisor: Float(divisor ?? max(counted, 1)))
    }
  }
}

/// The average over windows of any kind.
package final class AveragePool: Operator {
  package var kind: String { windows.kind }
  package let layoutRule = LayoutRule.blocked
  package let windows: any AverageWindows

  package init(_ windows: any AverageWindows) { self.windows = windows }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    [try windows.outputShape(of: inputs[0])]
  }

  package func window(inputs: [Shape]) -> Window? { windows.window(for: inputs[0]) }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let operation = AveragePoolGradient(windows, inputShape: context.shape(context.node.inputs[0]))
    context.setGradient(ofInput: 0, try context.append(operation, [context.outputGradient])[0])
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let (input, output) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]))
    let work = try AverageWork(windows, input: input, output: output, &lowering)
    let x = UnsafePointer(lowering.pointer(node.inputs[0]))
    let y = lowering.pointer(node.outputs[0])
    let kernel = lowering.kernels.pointee.average_pool!
    let between = input[2] * output[3] * lowering.lanes
    guard let window = windows.window(for: input), window.isFasterInTwo(between: between) else {
      lowering.step(units: work.units) { unit, _ in
        var shape = work.shape
        kernel(&shape, work.rows, work.columns, x + unit * work.inputFloats, y + unit * work.outputFloats)
      }
      return
    }
    // The sums of rows, then the sums of those.
    let each = try lowering.table(
      (0..<max(input[2], output[3])).map { sasuka_pool_range(first: Int32($0), end: Int32($0 + 1), divisor: 1) })
    lowering.needWorkerScratch(bytes: between * MemoryLayout<Float>.stride)
    lowering.step(units: work.units) { unit, context in
      var (across, down) = (work.shape, work.shape)
      across.output_height = across.input_height
      down.input_width = down.output_width
      let rows = context.workerScratch.assumingMemoryBound(to: Float.self)
      kernel(&across, each, work.columns, x + unit * work.inputFloats, rows)
      kernel(&down, work.rows, each, rows, y + unit * work.outputFloats)
    }
  }
}

/// Spreads each output's gradient evenly over its window.
final class AveragePoolGradient: Operator {
  let kind = "average_pool_gradient"
  let layoutRule = LayoutRule.blocked
  private let windows: any AverageWindows
  private let inputShape: Shape

  init(_ windows: any AverageWindows, inputShape: Shape) {
    self.windows = windows
    self.inputShape = inputShape
  }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputShape] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let work = try AverageWork(windows, input: inputShape, output: lowering.shape(node.inputs[0]), &lowering)
    let dy = UnsafePointer(lowering.pointer(node.inputs[0]))
    let dx = lowering.pointer(node.outputs[0])
    let kernel = lowering.kernels.pointee.average_pool_gradient
    lowering.step(units: work.units) { unit, _ in
      var shape = work.shape
      kernel!(&shape, work.rows, work.columns, dy + unit * work.outputFloats, dx + unit * work.inputFloats)
    }
  }
}

/// What both directions hand to their kernels: a unit is one channel block of one image.
private struct AverageWork {
  let shape: sasuka_pooling
  let rows: UnsafePointer<sasuka_pool_range>
  let columns: UnsafePointer<sasuka_pool_range>
  let units: Int
  let inputFloats: Int
  let outputFloats: Int

  init(
    _ windows: any AverageWindows, input: Shape, output: Shape, _ lowering: inout Lowering
  ) throws(SasukaError) {
    let lanes = lowering.lanes
    shape = sasuka_pooling(Window(kernel: Extent(1)), input: input, output: output)
    units = input[0] * Layout.blocks(of: input[1], lanes: lanes)
    inputFloats = input[2] * input[3] * lanes
    outputFloats = output[2] * output[3] * lanes
    let ranges = try windows.ranges(of: input)
    rows = try lowering.table(ranges.rows)
    columns = try lowering.table(ranges.columns)
  }
}

extension Lowering {
  /// Ranges that lie as long as the steps do.
  fileprivate mutating func table(_ ranges: [sasuka_pool_range]) throws(SasukaError) -> UnsafePointer<sasuka_pool_range>
  {
    let words = MemoryLayout<sasuka_pool_range>.stride / MemoryLayout<Float>.stride
    let memory = try persistent(floats: ranges.count * words)
    let table = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: sasuka_pool_range.self)
    for (place, range) in ranges.enumerated() { table[place] = range }
    return UnsafePointer(table)
  }
}
