// Memory of a host that hands tensors to a model or a trainer.
import Sasuka

/// Owns what a tensor of the door points at.
final class TestTensor {
  let shape: [Int]
  private let floats: UnsafeMutablePointer<Float>
  private let integers: UnsafeMutablePointer<Int32>
  private let isInteger: Bool

  init(_ shape: [Int], _ numbers: [Float] = [], integers labels: [Int32]? = nil) {
    self.shape = shape
    let count = shape.reduce(1, *)
    floats = .allocate(capacity: max(count, 1))
    integers = .allocate(capacity: max(count, 1))
    isInteger = labels != nil
    for place in 0..<count {
      (floats + place).initialize(to: place < numbers.count ? numbers[place] : 0)
      (integers + place).initialize(to: labels?[place] ?? 0)
    }
  }

  /// Numbers from -1 to 1 that depend on a name.
  static func noise(_ shape: [Int], _ name: String) -> TestTensor {
    TestTensor(shape, HostTensor.noise(shape, name).floats)
  }

  convenience init(_ golden: GoldenTensor, isInteger: Bool = false) {
    self.init(golden.shape, isInteger ? [] : golden.floats, integers: isInteger ? golden.integers : nil)
  }

  deinit {
    floats.deallocate()
    integers.deallocate()
  }

  var tensor: Sasuka.HostTensor {
    let data = isInteger ? UnsafeMutableRawPointer(integers) : UnsafeMutableRawPointer(floats)
    return Sasuka.HostTensor(data, isInteger ? .int32 : .float32, Shape(shape))
  }

  /// A copy of what it holds.
  var host: HostTensor { HostTensor(shape, Array(UnsafeBufferPointer(start: floats, count: shape.reduce(1, *)))) }
}

extension Model {
  /// Sets a parameter, or reads it.
  func numbers(_ name: String) -> HostTensor? {
    guard let place = graph.parameterIndex(name) else { return nil }
    let shape = parameters.infos[place].shape
    return HostTensor(
      shape.dimensions, Array(UnsafeBufferPointer(start: parameters.buffers[place].floats, count: shape.count)))
  }

  func set(_ name: String, _ numbers: [Float]) {
    guard let place = graph.parameterIndex(name) else { return }
    for (index, number) in numbers.enumerated() { parameters.buffers[place].floats[index] = number }
    parameters.markChanged()
  }
}

extension Trainer {
  func gradient(_ name: String) -> HostTensor? {
    guard let place = model.graph.parameterIndex(name), let start = gradients.pointer(toParameter: place) else {
      return nil
    }
    let shape = model.parameters.infos[place].shape
    return HostTensor(shape.dimensions, Array(UnsafeBufferPointer(start: start, count: shape.count)))
  }
}

// The tensors' owners outlive the calls: a tensor is a pointer, and Swift frees what nobody mentions any more.
extension Trainer {
  func forwardBackward(_ input: TestTensor, _ target: TestTensor) throws -> Double {
    defer { withExtendedLifetime((input, target)) {} }
    return try forwardBackward(input.tensor, target.tensor)
  }

  func evaluate(_ input: TestTensor, _ target: TestTensor) throws -> Trainer.Evaluation {
    defer { withExtendedLifetime((input, target)) {} }
    return try evaluate(input.tensor, target.tensor)
  }

  func step(_ input: TestTensor, _ target: TestTensor) throws -> Double {
    defer { withExtendedLifetime((input, target)) {} }
    return try step(input.tensor, target.tensor)
  }
}

extension Model {
  func forward(_ input: TestTensor, to output: TestTensor) throws {
    defer { withExtendedLifetime((input, output)) {} }
    try forward(input.tensor, to: output.tensor)
  }
}
