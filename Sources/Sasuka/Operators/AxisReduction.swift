// Sums and means over axes, and numbers repeated along axes: each other's gradients.
import CSystem

/// The sum or the mean over some axes, each of which keeps size 1.
package final class AxisReduction: Operator {
  package enum Function: Equatable, Sendable { case sum, mean }

  package var kind: String { function == .sum ? "sum" : "mean" }
  package let layoutRule: LayoutRule
  private let function: Function
  private let axes: [Int]

  /// - Parameters:
  ///   - axes: each once; negative ones count from the end.
  ///   - rank: of the input. A sum over channels takes the row-major layout, for blocks have lanes without a channel.
  package init(_ function: Function, axes: [Int], rank: Int) {
    self.function = function
    self.axes = axes
    layoutRule = axes.contains { $0 == 1 || $0 == 1 - rank } ? .plain : .alike
  }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    var sizes = inputs[0].dimensions
    for axis in try inputs[0].distinctAxes(axes) { sizes[axis] = 1 }
    return [Shape(sizes)]
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let input = context.shape(context.node.inputs[0])
    let terms = input.count / context.shape(context.node.outputs[0]).count
    let operation = Expand(to: input, scale: function == .mean ? 1 / Float(terms) : 1)
    context.setGradient(ofInput: 0, try context.append(operation, [context.outputGradient])[0])
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let (input, output) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]))
    let terms = input.count / output.count
    let nest = SumNest(lowering.axes(node.inputs[0]), lowering.axes(node.outputs[0]), terms: terms)
    let from = UnsafePointer(lowering.pointer(node.inputs[0]))
    let to = lowering.pointer(node.outputs[0])
    let divisor = function == .mean ? Double(terms) : 1
    let kernel = lowering.kernels.pointee.grid_sums!
    lowering.needWorkerScratch(bytes: SumNest.sumsAtOnce * MemoryLayout<Double>.stride)
    lowering.step(units: nest.results.units) { unit, context in
      let sums = context.workerScratch.assumingMemoryBound(to: Double.self)
      nest.forEachRow(of: unit) { source, result, count, step in
        sums.update(repeating: 0, count: count)
        nest.add(count, from + source, to: sums, kernel)
        for column in 0..<count { to[result + column * step] = Float(sums[column] / divisor) }
      }
    }
  }
}

/// The loops of a reduction: over results, and for each of them over its terms.
private struct SumNest {
  typealias Kernel =
    @convention(c) (
      UnsafePointer<sasuka_grid>?, UnsafePointer<Float>?, UnsafeMutablePointer<Double>?
    ) -> Void

  /// Neighbouring sums that one pass over their terms gathers.
  static let sumsAtOnce = 512

  let results: Loops
  private let terms: Loops

  init(_ input: MemoryAxes, _ output: MemoryAxes, terms count: Int) {
    var results: [Loops.Axis] = []
    var terms: [Loops.Axis] = []
    for place in input.counts.indices {
      if input.counts[place] == output.counts[place] {
        results.append(
          Loops.Axis(count: input.counts[place], left: input.steps[place], result: output.steps[place]))
      } else {
        terms.append(Loops.Axis(count: input.counts[place], left: input.steps[place], result: 0))
      }
    }
    self.results = Loops(results, unitSize: max(16, Chunks.size / count))
    self.terms = Loops(terms)
  }

  /// Goes through the results of a unit: where a row's terms and its results begin, their count and distance.
  func forEachRow(of unit: Int, _ body: (_ source: Int, _ result: Int, _ count: Int, _ step: Int) -> Void) {
    let piece = results.piece(unit)
    let grid = piece.grid
    let atOnce = grid.left_column == 1 ? SumNest.sumsAtOnce : 1
    let (leftStep, resultStep) = (Int(grid.left_column), Int(grid.result_column))
    for plane in 0..<Int(grid.planes) {
      for row in 0..<Int(grid.rows) {
        let source = piece.left + plane * Int(grid.left_plane) + row * Int(grid.left_row)
        let result = piece.result + plane * Int(grid.result_plane) + row * Int(grid.result_row)
        var column = 0
        while column < Int(grid.columns) {
          let count = min(atOnce, Int(grid.columns) - column)
          body(source + column * leftStep, result + column * resultStep, count, resultStep)
          column += count
        }
      }
    }
  }

  /// Adds the terms of `count` neighbouring results, in one order.
  func add(_ count: Int, _ source: UnsafePointer<Float>, to sums: UnsafeMutablePointer<Double>, _ kernel: Kernel) {
    for unit in 0..<terms.units {
      let piece = terms.piece(unit)
      // The kernel's columns are the sums; the two innermost loops over terms are its planes and rows.
      var grid = sasuka_grid()
      (grid.planes, grid.rows, grid.columns) = (piece.grid.rows, piece.grid.columns, Int64(count))
      (grid.left_plane, grid.left_row, grid.left_column) = (piece.grid.left_row, piece.grid.left_column, 1)
      for plane in 0..<Int(piece.grid.planes) {
        kernel(&grid, source + piece.left + plane * Int(piece.grid.left_plane), sums)
      }
    }
  }
}

/// A tensor repeated along its axes of size 1, times a number: the gradient of a sum and of a mean.
final class Expand: Operator {
  let kind = "expand"
  let layoutRule = LayoutRule.alike
  private let target: Shape
  private let scale: Float

  init(to target: Shape, scale: Float) {
    self.target = target
    self.scale = scale
  }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [target] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let from = UnsafePointer(lowering.pointer(node.inputs[0]))
    let to = lowering.pointer(node.outputs[0])
    let steps = MemoryAxes.broadcastSteps(
      lowering.shape(node.inputs[0]), over: target, lowering.layout(node.outputs[0]))
    let axes = lowering.axes(node.outputs[0])
    var nest: [Loops.Axis] = []
    for place in axes.counts.indices {
      nest.append(Loops.Axis(count: axes.counts[place], left: steps[place], result: axes.steps[place]))
    }
    let loops = Loops(nest)
    let factor = try lowering.persistent(floats: 1)
    factor.pointee = scale
    let kernel = lowering.kernels.pointee.grid_multiply!
    lowering.step(units: loops.units) { unit, _ in
      var piece = loops.piece(unit)
      kernel(&piece.grid, from + piece.left, factor, to + piece.result)
    }
  }
}

/// The same elements without some axes of size 1.
package final class Squeeze: Operator {
  package let kind = "squeeze"
  package let layoutRule = LayoutRule.plain
  private let axes: [Int]

  package init(axes: [Int]) { self.axes = axes }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    let dropped = try inputs[0].distinctAxes(axes)
    var sizes: [Int] = []
    for (axis, size) in inputs[0].dimensions.enumerated() where !dropped.contains(axis) { sizes.append(size) }
    return [Shape(sizes)]
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let back = Reshape(dimensions: context.shape(context.node.inputs[0]).dimensions)
    context.setGradient(ofInput: 0, try context.append(back, [context.outputGradient])[0])
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    lowering.copyElements(from: node.inputs[0], to: node.outputs[0])
  }
}

extension Shape {
  /// Places of axes that may count from the end.
  ///
  /// - Throws: `invalidArgument` for no axis at all, one that the shape has not and one named twice.
  func distinctAxes(_ axes: [Int]) throws(SasukaError) -> [Int] {
    guard !axes.isEmpty else { throw SasukaError(.invalidArgument, "no axis is named; at least one is expected") }
    var result: [Int] = []
    for axis in axes {
      let place = try self.axis(axis)
      guard !result.contains(place) else {
        throw SasukaError(.invalidArgument, "axis \(axis) of shape \(self) is named twice")
      }
      result.append(place)
    }
    return result
  }

  /// The place of an axis that may count from the end and is not the batch's.
  func axisBehindBatch(_ axis: Int) throws(SasukaError) -> Int {
    let place = try self.axis(axis)
    guard place != 0 else {
      throw SasukaError(.invalidArgument, "axis \(axis) of shape \(self) is the batch; another one is expected")
    }
    return place
  }
}

extension Graph {
  /// The mean over some axes, the batch's not among them.
  ///
  /// - Parameter keepsAxes: whether those axes stay, with size 1.
  @inline(never)
  package mutating func mean(
    _ input: Value, axes: [Int], keepsAxes: Bool = false, name: String
  ) throws(SasukaError) -> Value {
    let shape = shape(input)
    try naming("mean", name) { () throws(SasukaError) in
      for axis in axes { _ = try shape.axisBehindBatch(axis) }
    }
    let mean = try append(AxisReduction(.mean, axes: axes, rank: shape.rank), name: name, inputs: [input])[0]
    return keepsAxes ? mean : try append(Squeeze(axes: axes), name: name, inputs: [mean])[0]
  }

  /// Puts the node that is being built in front of an error's message.
  func naming(
    _ kind: StaticString, _ name: String, _ body: () throws(SasukaError) -> Void
  ) throws(SasukaError) {
    do {
      try body()
    } catch {
      throw SasukaError(error.code, "\(kind) \"\(name)\": \(error.message)")
    }
  }
}
