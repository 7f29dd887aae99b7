import CSystem

/// y = x Wᵀ + b over the last axis, as PyTorch's Linear.
///
/// Inputs: x [..., features], weight [outputs, features], bias [outputs] where there is one.
package final class Linear: Operator {
  package let kind = "linear"
  package let layoutRule = LayoutRule.plain

  package init() {}

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    let (input, weight) = (inputs[0], inputs[1])
    guard input.rank >= 2, input[input.rank - 1] == weight[1] else {
      throw SasukaError(
        .invalidArgument, "input has shape \(input); \(weight[1]) features along its last axis are expected")
    }
    return [input.replacing(axis: input.rank - 1, with: weight[0])]
  }

  package func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int {
    saturatingProduct(outputs[0].count, inputs[1][1])
  }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    let (input, weight) = (context.node.inputs[0], context.node.inputs[1])
    let gradient = context.outputGradient
    let features = context.shape(weight)
    if context.needs[0] {
      let shape = context.shape(input)
      let operation = MatrixProduct("linear_input_gradient", output: shape) {
        let rows = shape.count / features[1]
        return MatrixProduct.Sizes(rows: rows, columns: features[1], depth: features[0])
      }
      context.setGradient(ofInput: 0, try context.append(operation, [gradient, weight])[0])
    }
    if context.needs[1] {
      let rows = context.shape(input).count / features[1]
      let operation = MatrixProduct("linear_weight_gradient", output: features) {
        MatrixProduct.Sizes(
          rows: features[0], columns: features[1], depth: rows, isATransposed: true)
      }
      context.setGradient(ofInput: 1, try context.append(operation, [gradient, input])[0])
    }
    if context.needs.count > 2, context.needs[2] {
      context.setGradient(ofInput: 2, try context.append(RowSum(features: features[0]), [gradient])[0])
    }
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let weight = lowering.shape(node.inputs[1])
    let rows = lowering.shape(node.inputs[0]).count / weight[1]
    let sizes = MatrixProduct.Sizes(rows: rows, columns: weight[0], depth: weight[1], isBTransposed: true)
    let bias = node.inputs.count > 2 ? UnsafePointer(lowering.pointer(node.inputs[2])) : nil
    try lowering.multiply(sizes, node.inputs[0], node.inputs[1], bias: bias, output: node.outputs[0])
  }
}

/// A matrix product whose second factor may be a parameter: the gradients of Linear.
final class MatrixProduct: Operator {
  /// C [rows, columns] = A [rows, depth] B [depth, columns], each stored row-major or transposed.
  struct Sizes {
    var rows, columns, depth: Int
    var isATransposed = false
    var isBTransposed = false
  }

  let kind: String
  let layoutRule = LayoutRule.plain
  private let output: Shape
  private let sizes: Sizes

  init(_ kind: String, output: Shape, sizes: () -> Sizes) {
    self.kind = kind
    self.output = output
    self.sizes = sizes()
  }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [output] }

  func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int {
    saturatingProduct(sizes.rows, sizes.columns, sizes.depth)
  }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    try lowering.multiply(sizes, node.inputs[0], node.inputs[1], bias: nil, output: node.outputs[0])
  }
}

extension Lowering {
  /// Rows of the result that one unit of work computes.
  private static let rowsAtOnce = 64

  mutating func multiply(
    _ sizes: MatrixProduct.Sizes, _ left: Value, _ right: Value, bias: UnsafePointer<Float>?, output: Value
  ) throws(SasukaError) {
    let (width, groupWidth) = (Int64(lanes), Int64(kernels.pointee.convolution_columns))
    if sizes.isDot {
      let (columns, depth) = (Int64(sizes.columns), Int64(sizes.depth))
      let product = sasuka_matrix_product(
        rows: Int64(sizes.rows), columns: columns, depth: depth, a_row_stride: depth, a_depth_stride: 1,
        c_row_stride: columns)
      return dot(product, pointer(left), pointer(right), bias: bias, pointer(output), epilogue: 0)
    }
    let (columns, depth) = (Int64(sizes.columns), Int64(sizes.depth))
    let floats = Int(sasuka_matrix_packed_floats(columns, depth, width, groupWidth))
    let packed =
      graph.isParameter(right)
      ? try packedMemory([sizes.isBTransposed ? 1 : 0], of: right, floats: floats) : try persistent(floats: floats)
    let units = Int(sasuka_matrix_units(columns, width, groupWidth))
    let (a, b, c) = (UnsafePointer(pointer(left)), UnsafePointer(pointer(right)), pointer(output))
    let packKernel = kernels.pointee.packing.matrix_pack!
    let pack: Step.Body = { unit, _ in
      packKernel(
        columns, depth, sizes.isBTransposed ? 1 : columns, sizes.isBTransposed ? depth : 1, b, packed, Int64(unit),
        Int64(unit) + 1, width)
    }
    if graph.isParameter(right) { prepare(units: units, pack) } else { step(units: units, pack) }
    let product = sasuka_matrix_product(
      rows: Int64(sizes.rows), columns: columns, depth: depth,
      a_row_stride: sizes.isATransposed ? 1 : depth, a_depth_stride: sizes.isATransposed ? Int64(sizes.rows) : 1,
      c_row_stride: columns)
    let kernel = kernels.pointee.matrix_multiply!
    let chunks = sizes.rows.dividedUp(by: Lowering.rowsAtOnce)
    step(units: units * chunks) { number, _ in
      var product = product
      let first = number / units * Lowering.rowsAtOnce
      let end = min(first + Lowering.rowsAtOnce, sizes.rows)
      kernel(&product, a, UnsafePointer(packed), bias, c, Int64(number % units), Int64(first), Int64(end), 0)
    }
  }
}

extension MatrixProduct.Sizes {
  /// Floats of a second factor that is large beside memory: 16 MB.
  private static let largeFactor = 1 << 22
  /// Numbers of a column that takes longer to be summed than to be read, at most.
  private static let shortColumn = 64

  /// Whether the second factor is read as it lies: where its columns are not short, and unless it is not large and meets as many
  /// rows as are taken at all, which multiply it faster when it is packed.
  fileprivate var isDot: Bool {
    let most = columns * depth > MatrixProduct.Sizes.largeFactor ? Lowering.mostRowsForDot : Lowering.mostRowsForDot - 1
    return isBTransposed && !isATransposed && depth > MatrixProduct.Sizes.shortColumn && rows <= most
  }
}

extension Lowering {
  /// Rows up to which the second factor is read as it lies: a fully connected layer at batch 1 is a stream from memory, and
  /// its packed weights would be most of the memory of a VGG16.
  static let mostRowsForDot = 4
  /// Floats of the second factor in a unit of work: 256 KiB.
  private static let floatsAtOnce = 65_536

  /// Multiplies by the second factor as it lies.
  ///
  /// - Parameters:
  ///   - a: the first factor; nil is the beginning of the scratch.
  ///   - epilogue: how the results are clamped.
  mutating func dot(
    _ product: sasuka_matrix_product, _ a: UnsafePointer<Float>?, _ b: UnsafePointer<Float>,
    bias: UnsafePointer<Float>?, _ c: UnsafeMutablePointer<Float>, epilogue: Int32
  ) {
    let (kernel, clamp) = (kernels.pointee.matrix_dot!, kernels.pointee.activation_forward!)
    // A multiple of the kernel's columns, whatever the thread count.
    let stretch = max(1, Lowering.floatsAtOnce / max(Int(product.depth), 1) / 8) * 8
    let columns = Int(product.columns)
    algorithm = "dot"
    step(units: columns.dividedUp(by: stretch)) { unit, context in
      var product = product
      let (first, end) = (unit * stretch, min((unit + 1) * stretch, columns))
      let a = a ?? UnsafePointer(context.scratch.assumingMemoryBound(to: Float.self))
      kernel(&product, a, b, bias, c, Int64(first), Int64(end))
      if epilogue == 0 { return }
      let function = epilogue == Int32(SASUKA_EPILOGUE_RELU) ? SASUKA_FUNCTION_RELU : SASUKA_FUNCTION_RELU6
      for row in 0..<Int(product.rows) {
        let place = c + row * Int(product.c_row_stride) + first
        clamp(Int32(function), 0, place, place, end - first)
      }
    }
  }
}

/// The sum of the rows of a matrix: the gradient of Linear's bias.
final class RowSum: Operator {
  let kind = "row_sum"
  let layoutRule = LayoutRule.plain
  private let features: Int

  init(features: Int) { self.features = features }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [Shape([features])] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let features = features
    let rows = lowering.shape(node.inputs[0]).count / features
    let matrix = UnsafePointer(lowering.pointer(node.inputs[0]))
    let sums = lowering.pointer(node.outputs[0])
    let kernel = lowering.kernels.pointee.sum_rows!
    let chunks = Chunks(of: features)
    lowering.step(units: chunks.count) { unit, _ in
      let range = chunks[unit]
      kernel(matrix + range.lowerBound, rows, features, range.count, sums + range.lowerBound)
    }
  }
}

extension Graph {
  /// Adds a fully connected layer with parameters `name.weight` and, where wanted, `name.bias`, initialised as
  /// PyTorch's Linear.
  ///
  /// - Throws: `invalidArgument` with the value and the expectation.
  @inline(never)
  package mutating func linear(
    _ input: Value, name: String, outputFeatures: Int, bias: Bool = true
  ) throws(SasukaError) -> Value {
    let inputShape = shape(input)
    guard inputShape.rank >= 2 else {
      throw SasukaError(
        .invalidArgument, "linear \"\(name)\": input has shape \(inputShape); at least rank 2 is expected")
    }
    let features = inputShape[inputShape.rank - 1]
    let weightShape = try Shape(checking: [outputFeatures, features], of: "weight of linear \"\(name)\"")
    let inputs = try [input] + weights(name, weightShape, biasCount: bias ? outputFeatures : nil, fanIn: features)
    return try append(Linear(), name: name, inputs: inputs)[0]
  }
}
