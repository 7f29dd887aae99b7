// Runs one operator, or a small graph of them, forward and backward through the whole compiler and executable.
import CSystem
import KernelsPortable16
import Sasuka
import Testing

/// Numbers with a shape, row-major.
struct HostTensor: Sendable, Equatable {
  let shape: [Int]
  let floats: [Float]

  init(_ shape: [Int], _ floats: [Float]) {
    self.shape = shape
    self.floats = floats
  }

  init(_ golden: GoldenTensor) { self.init(golden.shape, golden.floats) }

  /// Numbers of a range that depend on a name.
  static func noise(_ shape: [Int], _ name: String, _ range: ClosedRange<Double> = -1...1) -> HostTensor {
    let noise = NamedUniform(name, range.lowerBound, range.upperBound)
    return HostTensor(shape, (0..<shape.reduce(1, *)).map { noise[$0] })
  }
}

/// What a run is made of. `build` gets the inputs' values and returns the output.
struct OperatorRun {
  var mode = Mode.training
  var inputs: [HostTensor]
  /// Numbers of the parameters that `build` makes, by name; the others keep their initial constants.
  var parameters: [String: [Float]] = [:]
  /// Counts of the parameters of kind `counter`.
  var counters: [String: Int] = [:]
  /// Gradient that arrives at the output; nil computes no gradients.
  var upstream: HostTensor?
  var random = RandomState(seed: 1, iteration: 0)
  /// Whether operators may do the work of those behind them, and channels be taken from where they come from.
  var fuses = false
  /// Which of the fusions are made then.
  var passes = PassChoice()
  var algorithms = AlgorithmChoice.fastest
  let build: (inout Graph, [Value]) throws(SasukaError) -> Value
}

/// What came out of a run.
struct OperatorResult: Equatable {
  var output: HostTensor
  /// Gradient of each input; nil where the output does not depend on it.
  var inputGradients: [HostTensor?] = []
  /// Gradients of the learnt parameters by name.
  var parameterGradients: [String: HostTensor] = [:]
  /// All parameters after the run (in training mode statistics are updated), by name.
  var parametersAfter: [String: [Float]] = [:]
  var countersAfter: [String: Int] = [:]

  /// Every bit of it, for comparing runs.
  var bits: [UInt32] {
    var all = output.floats
    for gradient in inputGradients { all += gradient?.floats ?? [] }
    for name in parameterGradients.keys.sorted() { all += parameterGradients[name]!.floats }
    for name in parametersAfter.keys.sorted() { all += parametersAfter[name]! }
    return all.map(\.bitPattern)
  }
}

extension InstructionSet {
  /// Those that this machine can run.
  static var available: [InstructionSet] { allCases.filter { $0.rawValue <= best.rawValue } }
}

/// The tables of kernels that this machine can run, and the 16-wide kernels compiled without AVX-512.
enum TestedKernels: CaseIterable, CustomStringConvertible {
  case baseline, avx2, avx512, portable16

  static var available: [TestedKernels] {
    allCases.filter { $0 == .portable16 || InstructionSet.available.contains($0.instructionSet) }
  }

  private var instructionSet: InstructionSet {
    switch self {
    case .baseline, .portable16: .baseline
    case .avx2: .avx2
    case .avx512: .avx512
    }
  }

  var table: KernelTable {
    guard self == .portable16 else { return KernelTable(instructionSet) }
    return KernelTable(.baseline) { slots in
      KernelsPortable16.fill(slots)
      withExtendedLifetime(KernelTable(.baseline)) { slots.pointee.packing = $0.slots.pointee.packing }
      // As AVX-512's table has them, where they can be run: packed for blocks of 16 by vectors of 8.
      if InstructionSet.available.contains(.avx2) {
        withExtendedLifetime(KernelTable(.avx2)) { slots.pointee.narrow = $0.slots.pointee.narrow }
      }
    }
  }

  var description: String { self == .portable16 ? "portable16" : instructionSet.name }
}

extension OperatorRun {
  /// Runs on every table of kernels; on each, 1, 2, 3 and 7 threads must give the same bits.
  func everywhere() throws -> [(kernels: TestedKernels, result: OperatorResult)] {
    try TestedKernels.available.map { kernels in
      let result = try run(kernels.table, threads: 1)
      for threads in [2, 3, 7] {
        let other = try run(kernels.table, threads: threads)
        #expect(other.bits == result.bits, "\(kernels) with \(threads) threads differs from 1 thread")
      }
      return (kernels, result)
    }
  }

  func run(_ kernels: KernelTable, threads: Int) throws -> OperatorResult {
    var (graph, wanted, gradients) = try buildGraph()
    for gradient in gradients { if let gradient { graph.outputs.append(gradient) } }
    let parameters = try makeParameters(of: graph)
    let plan = try Plan(finishing: graph, mode: mode, lanes: kernels.lanes)
    let executable = try Executable(
      plan, parameters: parameters, kernels: kernels, pool: ThreadPool(threads: threads),
      algorithms: algorithms)
    for (place, input) in (inputs + [upstream].compactMap { $0 }).enumerated() {
      _ = input.floats.withUnsafeBufferPointer {
        memcpy(executable.inputPointer(place), $0.baseAddress!, 4 * input.floats.count)
      }
    }
    try executable.run("test", random: random)
    return read(executable, graph, wanted, gradients, parameters)
  }

  /// The graph for `mode`, with gradients of all inputs and learnt parameters if an upstream gradient is given.
  private func buildGraph() throws -> (Graph, wanted: [Value], gradients: [Value?]) {
    var original = Graph()
    let values = inputs.enumerated().map { original.addInput(name: "input\($0)", shape: Shape($1.shape)) }
    original.outputs = [try build(&original, values)]
    var graph = try ModePass.run(original, mode: mode)
    if fuses {
      graph = try FusionPass.run(
        graph, wanted: upstream == nil ? [] : graph.inputs + graph.learnt, passes: passes)
    }
    if fuses, mode == .evaluation, upstream == nil { graph = try ChannelPass.run(graph) }
    let forward = graph.nodes
    var (wanted, gradients): ([Value], [Value?]) = ([], [])
    if let upstream {
      wanted = graph.inputs + graph.learnt
      let seed = graph.addInput(name: "upstream", shape: Shape(upstream.shape))
      (graph, gradients) = try GradientPass.run(graph, loss: graph.outputs[0], with: seed, wanted: wanted)
    }
    if mode == .training { for node in forward { try node.operation.appendUpdates(of: node, to: &graph) } }
    return (graph, wanted, gradients)
  }

  private func makeParameters(of graph: Graph) throws -> Parameters {
    let result = try Parameters(of: graph)
    for (place, info) in graph.parameters.enumerated() {
      if info.kind == .counter {
        result.counter(place).pointee = Int64(counters[info.name] ?? 0)
      } else if let numbers = parameters[info.name] {
        try #require(numbers.count == info.shape.count, "\(info.name) has \(info.shape.count) elements")
        for (index, number) in numbers.enumerated() { result.buffers[place].floats[index] = number }
      } else if case .constant(let value) = info.initializer {
        result.buffers[place].floats.update(repeating: value, count: info.shape.count)
      }
    }
    return result
  }

  private func read(
    _ executable: Executable, _ graph: Graph, _ wanted: [Value], _ gradients: [Value?], _ parameters: Parameters
  ) -> OperatorResult {
    func tensor(_ place: Int) -> HostTensor {
      let shape = graph.shape(graph.outputs[place])
      let numbers = UnsafeBufferPointer(start: executable.outputPointer(place), count: shape.count)
      return HostTensor(shape.dimensions, Array(numbers))
    }
    var result = OperatorResult(output: tensor(0))
    var place = 1
    for (value, gradient) in zip(wanted, gradients) {
      var found: HostTensor?
      if gradient != nil {
        found = tensor(place)
        place += 1
      }
      if case .parameter = graph[value].role {
        result.parameterGradients[graph[value].name] = found
      } else {
        result.inputGradients.append(found)
      }
    }
    for (place, info) in parameters.infos.enumerated() {
      if info.kind == .counter {
        result.countersAfter[info.name] = Int(parameters.counter(place).pointee)
      } else {
        let numbers = UnsafeBufferPointer(start: parameters.buffers[place].floats, count: info.shape.count)
        result.parametersAfter[info.name] = Array(numbers)
      }
    }
    return result
  }
}

/// Expects what a golden case holds; both may be missing.
func expectClose(
  _ actual: HostTensor?, _ expected: GoldenTensor?, tolerance: Float, floor: Float = 0, _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  expectClose(
    actual, expected.map(HostTensor.init), tolerance: tolerance, floor: floor, what, sourceLocation: sourceLocation)
}

/// Expects numbers within `tolerance` times the largest magnitude of what is expected (at least `floor`).
///
/// - Parameter tolerance: relative; several float32 roundings of 2^-24 each, as many as the longest sum has terms at most.
func expectClose(
  _ actual: HostTensor?, _ expected: HostTensor?, tolerance: Float, floor: Float = 0, _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard let actual, let expected else {
    #expect(actual == expected, "\(what): only one of both exists", sourceLocation: sourceLocation)
    return
  }
  #expect(actual.shape == expected.shape, "\(what): shapes", sourceLocation: sourceLocation)
  guard actual.floats.count == expected.floats.count else { return }
  let bound = tolerance * max(floor, expected.floats.reduce(0) { max($0, abs($1)) })
  var worst = (place: 0, error: Float(-1))
  for (place, (a, b)) in zip(actual.floats, expected.floats).enumerated() {
    let error = a == b || (a.isNaN && b.isNaN) ? 0 : (a - b).magnitude
    if error > worst.error || error.isNaN { worst = (place, error.isNaN ? .infinity : error) }
  }
  guard worst.error > bound else { return }
  let (got, wanted) = (actual.floats[worst.place], expected.floats[worst.place])
  Issue.record(
    "\(what): element \(worst.place) of \(expected.shape) is \(got), expected \(wanted) within \(bound)",
    sourceLocation: sourceLocation)
}

extension Graph {
  /// Its learnt parameters.
  var learnt: [Value] { parameters.filter { $0.kind == .weight }.map(\.value) }
}
