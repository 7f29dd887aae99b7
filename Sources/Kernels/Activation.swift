// Activation functions and their gradients, element by element. NaN stays NaN.
import CSystem

func fillActivation(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.activation_forward = { function, parameter, input, output, count in
    withWholeVectors(input!, input!, output!, count) { input, _, output, count in
      activationForward(Int(function), parameter, input, output, count)
    }
  }
  table.pointee.activation_backward = { function, parameter, saved, upstream, result, count in
    withWholeVectors(saved!, upstream!, result!, count) { saved, upstream, result, count in
      activationBackward(Int(function), parameter, saved, upstream, result, count)
    }
  }
}

@inline(never)
private func activationForward(
  _ function: Int, _ parameter: Float, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>,
  _ count: Int
) {
  switch function {
  case Int(SASUKA_FUNCTION_RELU): mapEach(input, output, count) { atLeast(0, $0) }
  case Int(SASUKA_FUNCTION_RELU6): mapEach(input, output, count) { atMost(6, atLeast(0, $0)) }
  case Int(SASUKA_FUNCTION_LEAKY_RELU):
    mapEach(input, output, count) { select(less($0, Vector(repeating: 0)), $0 * parameter, $0) }
  case Int(SASUKA_FUNCTION_SIGMOID): mapEach(input, output, count) { sigmoid($0) }
  case Int(SASUKA_FUNCTION_TANH): mapEach(input, output, count) { hyperbolicTangent($0) }
  case Int(SASUKA_FUNCTION_HARD_SWISH): mapEach(input, output, count) { $0 * hardSigmoid($0) }
  case Int(SASUKA_FUNCTION_SILU): mapEach(input, output, count) { sigmoid($0, times: $0) }
  default: mapEach(input, output, count) { hardSigmoid($0) }
  }
}

@inline(never)
private func activationBackward(
  _ function: Int, _ parameter: Float, _ saved: UnsafePointer<Float>, _ upstream: UnsafePointer<Float>,
  _ result: UnsafeMutablePointer<Float>, _ count: Int
) {
  let zero = Vector(repeating: 0)
  switch function {
  case Int(SASUKA_FUNCTION_RELU):
    mapWholePairs(saved, upstream, result, count) { select(atMost($0, zero), zero, $1) }
  case Int(SASUKA_FUNCTION_RELU6):
    mapWholePairs(saved, upstream, result, count) {
      select(atMost(Vector(repeating: 6), $0), zero, select(atMost($0, zero), zero, $1))
    }
  case Int(SASUKA_FUNCTION_LEAKY_RELU):
    mapWholePairs(saved, upstream, result, count) { select(less(zero, $0), $1, $1 * parameter) }
  case Int(SASUKA_FUNCTION_SIGMOID): mapWholePairs(saved, upstream, result, count) { sigmoidGradient($0, $1) }
  case Int(SASUKA_FUNCTION_TANH): mapWholePairs(saved, upstream, result, count) { tanhGradient($0, $1) }
  case Int(SASUKA_FUNCTION_HARD_SWISH): mapWholePairs(saved, upstream, result, count) { hardSwishGradient($0, $1) }
  case Int(SASUKA_FUNCTION_SILU): mapWholePairs(saved, upstream, result, count) { siluGradient($0, $1) }
  default: mapWholePairs(saved, upstream, result, count) { hardSigmoidGradient($0, $1) }
  }
}

/// output[i] = operation(input[i]) for whole vectors.
@inline(__always)
private func mapEach(
  _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, _ count: Int, _ operation: (Vector) -> Vector
) {
  mapWholePairs(input, input, output, count) { value, _ in operation(value) }
}

// Functions, for a closure of more than a few operations would be called for each vector.

@inline(__always)
private func hardSigmoid(_ x: Vector) -> Vector { atMost(6, atLeast(0, x + 3)) * (1 / 6) }

@inline(__always)
private func sigmoidGradient(_ output: Vector, _ upstream: Vector) -> Vector { upstream * ((1 - output) * output) }

@inline(__always)
private func tanhGradient(_ output: Vector, _ upstream: Vector) -> Vector { upstream * (1 - output * output) }

@inline(__always)
private func hardSwishGradient(_ x: Vector, _ upstream: Vector) -> Vector {
  byPieces(x, inside: upstream * (x / 3 + 0.5), above: upstream)
}

@inline(__always)
private func siluGradient(_ x: Vector, _ upstream: Vector) -> Vector {
  let s = sigmoid(x)
  return upstream * (s * (1 + x * (1 - s)))
}

@inline(__always)
private func hardSigmoidGradient(_ x: Vector, _ upstream: Vector) -> Vector {
  byPieces(x, inside: upstream / 6, above: Vector())
}

/// 0 up to -3, `above` from 3 on, `inside` between.
@inline(__always)
private func byPieces(_ x: Vector, inside: Vector, above: Vector) -> Vector {
  select(atMost(x, Vector(repeating: -3)), Vector(), select(atMost(Vector(repeating: 3), x), above, inside))
}

@inline(__always)
private func atLeast(_ bound: Float, _ x: Vector) -> Vector {
  let limit = Vector(repeating: bound)
  return select(less(x, limit), limit, x)
}

@inline(__always)
private func atMost(_ bound: Float, _ x: Vector) -> Vector {
  let limit = Vector(repeating: bound)
  return select(less(limit, x), limit, x)
}
