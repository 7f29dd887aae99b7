// Maps whose pixels lie at or between pixels of another map: padding and resizing.
import CSystem

/// Where one of the output's rows, or columns, lies in the input.
package struct Sample {
  /// The input row before it and the one behind it; -1 stands for the constant.
  let place: Int
  let next: Int
  /// Of the one behind it.
  let weight: Float
}

/// A rule by which a map is sampled.
package protocol Sampling: AnyObject {
  /// The word in messages.
  var kind: String { get }
  /// What stands where no input pixel does.
  var constant: Float { get }
  /// Rows and columns of the output.
  func outputSize(of input: Extent) throws(SasukaError) -> Extent
  /// Where an output row (or column, as `isRow` says) lies, for an input and output of that many.
  func sample(_ index: Int, input: Int, output: Int, isRow: Bool) -> Sample
}

/// A map sampled by a rule, for each channel alike.
package final class Resample: Operator {
  package var kind: String { sampling.kind }
  package let layoutRule = LayoutRule.blocked
  private let sampling: any Sampling

  package init(_ sampling: any Sampling) { self.sampling = sampling }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    let input = inputs[0]
    guard input.rank == 4, input[2] * input[3] <= Int32.max else {
      throw SasukaError(
        .invalidArgument,
        "input of shape \(input); [batch, channels, height, width] with at most \(Int32.max) pixels is expected")
    }
    let output = try sampling.outputSize(of: Extent(height: input[2], width: input[3]))
    for size in [output.height, output.width] where size < 1 || size > Window.maximum {
      throw SasukaError(
        .invalidArgument,
        "input of shape \(input) gives \(output.height) x \(output.width); 1 to \(Window.maximum) is expected")
    }
    return [Shape([input[0], input[1], output.height, output.width])]
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let operation = ResampleGradient(sampling, inputShape: context.shape(context.node.inputs[0]))
    context.setGradient(ofInput: 0, try context.append(operation, [context.outputGradient])[0])
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let (input, output) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]))
    let work = try ResampleWork(sampling, input: input, output: output, &lowering)
    let from = UnsafePointer(lowering.pointer(node.inputs[0]))
    let to = lowering.pointer(node.outputs[0])
    let kernel = lowering.kernels.pointee.resample_forward!
    let rows = output[2]
    let rowsAtOnce = min(rows, max(Chunks.size / (output[3] * lowering.lanes), 1))
    let stretches = rows.dividedUp(by: rowsAtOnce)
    lowering.step(units: work.maps * stretches) { unit, _ in
      var shape = work.shape
      let (map, first) = (unit / stretches, unit % stretches * rowsAtOnce)
      let end = min(first + rowsAtOnce, rows)
      kernel(&shape, from + map * work.inputFloats, to + map * work.outputFloats, Int64(first), Int64(end))
    }
  }
}

/// Spreads each output's gradient over the pixels it was made of.
final class ResampleGradient: Operator {
  var kind: String { "\(sampling.kind)_gradient" }
  let layoutRule = LayoutRule.blocked
  private let sampling: any Sampling
  private let inputShape: Shape

  init(_ sampling: any Sampling, inputShape: Shape) {
    self.sampling = sampling
    self.inputShape = inputShape
  }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputShape] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let output = lowering.shape(node.inputs[0])
    let work = try ResampleWork(sampling, input: inputShape, output: output, &lowering)
    let upstream = UnsafePointer(lowering.pointer(node.inputs[0]))
    let result = lowering.pointer(node.outputs[0])
    let kernel = lowering.kernels.pointee.resample_backward!
    lowering.step(units: work.maps) { map, _ in
      var shape = work.shape
      kernel(&shape, upstream + map * work.outputFloats, result + map * work.inputFloats)
    }
  }
}

/// What both directions hand to their kernels, with tables of places that live as long as the steps.
private struct ResampleWork {
  let shape: sasuka_resample
  /// Channel blocks of all images.
  let maps: Int
  let inputFloats: Int
  let outputFloats: Int

  init(_ sampling: any Sampling, input: Shape, output: Shape, _ lowering: inout Lowering) throws(SasukaError) {
    let lanes = lowering.lanes
    maps = input[0] * Layout.blocks(of: input[1], lanes: lanes)
    inputFloats = input[2] * input[3] * lanes
    outputFloats = output[2] * output[3] * lanes
    let rows = try ResampleTable(sampling, input: input[2], output: output[2], isRow: true, &lowering)
    let columns = try ResampleTable(sampling, input: input[3], output: output[3], isRow: false, &lowering)
    shape = sasuka_resample(
      input_height: Int64(input[2]), input_width: Int64(input[3]), output_height: Int64(output[2]),
      output_width: Int64(output[3]), row: rows.places, next_row: rows.next, column: columns.places,
      next_column: columns.next, row_weight: rows.weights, column_weight: columns.weights,
      constant: sampling.constant)
  }
}

/// The samples of one direction.
private struct ResampleTable {
  let places: UnsafePointer<Int32>
  let next: UnsafePointer<Int32>
  let weights: UnsafePointer<Float>

  init(
    _ sampling: any Sampling, input: Int, output: Int, isRow: Bool, _ lowering: inout Lowering
  ) throws(SasukaError) {
    let weights = try lowering.persistent(floats: 3 * output)
    let places = UnsafeMutableRawPointer(weights + output).assumingMemoryBound(to: Int32.self)
    for index in 0..<output {
      let sample = sampling.sample(index, input: input, output: output, isRow: isRow)
      weights[index] = sample.weight
      places[index] = Int32(sample.place)
      places[output + index] = Int32(sample.next)
    }
    (self.weights, self.places, next) = (UnsafePointer(weights), UnsafePointer(places), UnsafePointer(places + output))
  }
}
