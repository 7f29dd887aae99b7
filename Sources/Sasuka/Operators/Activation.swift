import CSystem

/// A function of single elements, such as ReLU.
package final class Activation: Operator {
  package enum Function: Equatable, Sendable {
    case relu
    /// min(max(x, 0), 6).
    case relu6
    /// x where positive, slope · x elsewhere.
    case leakyRelu(slope: Float)
    case sigmoid
    case tanh
    /// x · relu6(x + 3) / 6 (Howard et al. 2019, Searching for MobileNetV3).
    case hardSwish
    /// x · sigmoid(x).
    case silu
    /// relu6(x + 3) / 6.
    case hardSigmoid
  }

  package let function: Function
  package let layoutRule = LayoutRule.alike
  package var kind: String { function.kind }

  package init(_ function: Function) { self.function = function }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    if case .leakyRelu(let slope) = function, !slope.isFinite {
      throw SasukaError(.invalidArgument, "the slope is not finite; a finite number is expected")
    }
    return [inputs[0]]
  }

  package var follower: Follower? { .function(function) }
  package func inputToOverwrite(_ node: Node) -> Int? { 0 }

  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    // From the output where that is enough: it is kept for the next operator anyway.
    let saved = function.gradientTakesOutput ? context.node.outputs[0] : context.node.inputs[0]
    let gradient = try context.append(ActivationGradient(function), [saved, context.outputGradient])[0]
    context.setGradient(ofInput: 0, gradient)
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    lowering.apply(ElementFunction(function, lowering.kernels), to: node.inputs[0], into: node.outputs[0])
  }
}

/// (what the forward node saved, gradient of its output) -> gradient of its input.
final class ActivationGradient: Operator {
  let layoutRule = LayoutRule.alike
  var kind: String { "\(function.kind)_gradient" }
  private let function: Activation.Function

  init(_ function: Activation.Function) { self.function = function }

  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] { [inputs[0]] }

  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let saved = UnsafePointer(lowering.pointer(node.inputs[0]))
    let upstream = UnsafePointer(lowering.pointer(node.inputs[1]))
    let result = lowering.pointer(node.outputs[0])
    let chunks = Chunks(of: lowering.storageCount(node.outputs[0]))
    let (slot, parameter) = (function.slot, function.parameter)
    let kernel = lowering.kernels.pointee.activation_backward
    lowering.step(units: chunks.count) { unit, _ in
      let range = chunks[unit]
      let start = range.lowerBound
      kernel!(slot, parameter, saved + start, upstream + start, result + start, range.count)
    }
  }
}

extension Activation.Function {
  package var kind: String {
    switch self {
    case .relu: return "relu"
    case .relu6: return "relu6"
    case .leakyRelu: return "leaky_relu"
    case .sigmoid: return "sigmoid"
    case .tanh: return "tanh"
    case .hardSwish: return "hard_swish"
    case .silu: return "silu"
    case .hardSigmoid: return "hard_sigmoid"
    }
  }

  /// Its number in the kernel table.
  var slot: Int32 {
    switch self {
    case .relu: return Int32(SASUKA_FUNCTION_RELU)
    case .relu6: return Int32(SASUKA_FUNCTION_RELU6)
    case .leakyRelu: return Int32(SASUKA_FUNCTION_LEAKY_RELU)
    case .sigmoid: return Int32(SASUKA_FUNCTION_SIGMOID)
    case .tanh: return Int32(SASUKA_FUNCTION_TANH)
    case .hardSwish: return Int32(SASUKA_FUNCTION_HARD_SWISH)
    case .silu: return Int32(SASUKA_FUNCTION_SILU)
    case .hardSigmoid: return Int32(SASUKA_FUNCTION_HARD_SIGMOID)
    }
  }

  /// What a convolution's kernel is told of it; 0 where that cannot apply it to its sums.
  var epilogueFlag: Int32 {
    switch self {
    case .relu: return Int32(SASUKA_EPILOGUE_RELU)
    case .relu6: return Int32(SASUKA_EPILOGUE_RELU6)
    default: return 0
    }
  }

  var parameter: Float {
    if case .leakyRelu(let slope) = self { return slope }
    return 0
  }

  var gradientTakesOutput: Bool {
    switch self {
    case .relu, .relu6, .sigmoid, .tanh: return true
    // The output of a negative slope does not tell the sign of the input.
    case .leakyRelu(let slope): return slope >= 0
    case .hardSwish, .silu, .hardSigmoid: return false
    }
  }
}

extension Graph {
  /// Applies a function to every element.
  @inline(never)
  package mutating func activation(
    _ input: Value, _ function: Activation.Function, name: String
  ) throws(SasukaError) -> Value {
    try append(Activation(function), name: name, inputs: [input])[0]
  }
}
