import CSystem

/// A network with its numbers.
package final class Model {
  /// How a model computes.
  package struct Options {
    /// Threads; 0 means one for each processor.
    package var threads = 0
    package var host: (function: ThreadPool.HostParallelFor, userData: UnsafeMutableRawPointer?)?
    package var seed: UInt64 = 0
    /// Told about the model's own runs and those of its sessions.
    package var progress: ProgressFunction?
    package init() {}
  }

  private static let cachedSessions = 4

  package let graph: Graph
  package let parameters: Parameters
  package let kernels: KernelTable
  package let options: Options
  /// Whoever runs the network reads; whoever changes numbers writes.
  package let gate = AccessGate("model")
  private let ownSessions = AccessGate("model's own plan")
  private var sessions: [Session] = []

  /// A model with fresh numbers.
  ///
  /// - Throws: `wrongState` for a graph without an output.
  package init(_ graph: Graph, options: Options = Options(), instructionSet: InstructionSet = .preferred)
    throws(SasukaError)
  {
    guard graph.outputs.count > 0 else {
      throw SasukaError(.wrongState, "the graph has no output; sasuka_graph_set_output says which value it is")
    }
    self.graph = graph
    self.options = options
    kernels = KernelTable(instructionSet)
    parameters = try Parameters(of: graph)
    parameters.initialize(seed: options.seed)
  }

  private init(_ graph: Graph, _ parameters: Parameters, like model: Model) {
    self.graph = graph
    self.parameters = parameters
    options = model.options
    kernels = model.kernels
  }

  /// A model of a changed network, with copies of the numbers that stay and with this one's threads and callbacks.
  ///
  /// - Parameter seed: from which the other numbers are drawn.
  package func changed(_ change: Transformation, seed: UInt64) throws(SasukaError) -> Model {
    let numbers = try Parameters(of: change.graph)
    try gate.beginReading()
    defer { gate.endReading() }
    for (place, origin) in change.origins.enumerated() {
      if origin >= 0 {
        numbers.buffers[place].raw.copyMemory(
          from: parameters.buffers[origin].raw, byteCount: numbers.buffers[place].byteCount)
      } else {
        numbers.initialize(place, numbers.infos[place].initializer, seed: seed)
      }
    }
    return Model(change.graph, numbers, like: self)
  }

  /// Draws the learnt parameters whose names match anew; each depends on the seed and its place only.
  ///
  /// - Parameter initializer: what a parameter of a shape is drawn from; nil is each layer's own.
  /// - Throws: `notFound` where no learnt parameter matches.
  package func initialize(
    _ pattern: String, with initializer: ((Shape) -> Initializer)?, seed: UInt64
  ) throws(SasukaError) {
    let names = NamePattern(pattern)
    var places: [Int] = []
    for (place, info) in parameters.infos.enumerated() where info.kind == .weight && names.matches(info.name) {
      places.append(place)
    }
    guard places.count > 0 else {
      throw SasukaError(.notFound, "no learnt parameter's name matches \"\(pattern)\"")
    }
    try gate.beginWriting()
    defer { gate.endWriting() }
    for place in places {
      let info = parameters.infos[place]
      parameters.initialize(place, initializer?(info.shape) ?? info.initializer, seed: seed)
    }
    parameters.markChanged()
  }

  /// Threads that a run takes where its caller asks for `wish`; 0 is no wish.
  package func threadCount(_ wish: Int) -> Int {
    if wish > 0 { return wish }
    return options.threads > 0 ? options.threads : max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  }

  package func makePool(threads wish: Int = 0) -> ThreadPool {
    ThreadPool(threads: threadCount(wish), host: options.host)
  }

  /// The result's shape for an input's.
  package func outputShape(for input: Shape) throws(SasukaError) -> Shape {
    try specializing(to: input) { () throws(SasukaError) in
      let specialized = try DeadBranchPass.run(graph).specialized(to: [input])
      return specialized.shape(specialized.outputs[0])
    }
  }

  /// Does what compiles the network for an input; where that fails for too small a picture, the error says the smallest.
  func specializing<Result>(
    to input: Shape, _ body: () throws(SasukaError) -> Result
  ) throws(SasukaError) -> Result {
    try checkRank(input)
    do { return try body() } catch { throw SasukaError(error.code, "\(error.message)\(advice(on: input))") }
  }

  /// The smallest square picture that the network takes, where the given one is smaller.
  private func advice(on input: Shape) -> String {
    guard let network = try? DeadBranchPass.run(graph) else { return "" }
    guard input.rank == 4, input[1] == graph.shape(graph.inputs[0])[1] else { return "" }
    func takes(_ size: Int) -> Bool {
      (try? network.specialized(to: [Shape([input[0], input[1], size, size])])) != nil
    }
    // What takes a picture takes larger ones, where there is a smallest one at all.
    var (tooSmall, enough) = (min(input[2], input[3]), max(graph.shape(graph.inputs[0])[2], 1))
    guard tooSmall < enough, takes(enough), !takes(tooSmall) else { return "" }
    while enough - tooSmall > 1 {
      let middle = (tooSmall + enough) / 2
      if takes(middle) { enough = middle } else { tooSmall = middle }
    }
    return Message("; the smallest square picture that this network takes is \(enough) x \(enough)").text
  }

  /// Evaluates the network; plans for the last few shapes are kept.
  package func forward(_ input: HostTensor, to output: HostTensor) throws(SasukaError) {
    try ownSessions.beginWriting()
    defer { ownSessions.endWriting() }
    try session(for: input.shape).run(input, to: output)
  }

  private func session(for shape: Shape) throws(SasukaError) -> Session {
    if let place = sessions.firstIndex(where: { $0.inputShape == shape }) {
      let session = sessions.remove(at: place)
      sessions.append(session)
      return session
    }
    let session = try Session(self, inputShape: shape)
    if sessions.count == Model.cachedSessions { sessions.removeFirst() }
    sessions.append(session)
    return session
  }

  private func checkRank(_ input: Shape) throws(SasukaError) {
    let expected = graph.shape(graph.inputs[0])
    guard input.rank == expected.rank else {
      throw SasukaError(
        .invalidArgument,
        "input has shape \(input); rank \(expected.rank) is expected, such as \(expected) for this network")
    }
  }
}

/// A model's network compiled for one input shape, with memory of its own. One run at a time.
package final class Session {
  package let inputShape: Shape
  package let outputShape: Shape
  /// Modules whose results are kept beside the prediction.
  package let features: [String]
  // What it needs of its model, not the model, which keeps sessions of its own.
  private let modelGate: AccessGate
  private let progress: ProgressFunction?
  private let executable: Executable
  package let gate = AccessGate("session")
  /// Where it was asked for.
  package let profile: Profile?
  private var hasRun = false

  /// - Throws: `invalidArgument` for a shape that the network cannot take.
  ///   `notFound` for a module that it has not.
  package init(
    _ model: Model, inputShape: Shape, features: [String] = [], threads: Int = 0, profiles: Bool = false
  ) throws(SasukaError) {
    var observed: [Value] = []
    for name in features { observed.append(try model.graph.output(ofModule: name)) }
    let plan = try model.specializing(to: inputShape) { () throws(SasukaError) in
      try Plan.evaluation(
        of: model.graph, inputShapes: [inputShape], observing: observed, lanes: model.kernels.lanes)
    }
    self.features = features
    modelGate = model.gate
    progress = model.options.progress
    self.inputShape = inputShape
    outputShape = plan.graph.shape(plan.graph.outputs[0])
    executable = try Executable(
      plan, parameters: model.parameters, kernels: model.kernels, pool: model.makePool(threads: threads))
    profile = profiles ? try Profile(executable.steps, of: plan) : nil
  }

  package var memoryBytes: Int { executable.memoryBytes }

  /// Shape of what a module computes, one of `features`.
  package func featureShape(_ name: String) throws(SasukaError) -> Shape {
    let graph = executable.plan.graph
    return graph.shape(graph.outputs[try place(ofFeature: name)])
  }

  /// Copies what a module computed in the last run.
  package func readFeature(_ name: String, to value: HostTensor) throws(SasukaError) {
    let place = try place(ofFeature: name)
    try gate.beginReading()
    defer { gate.endReading() }
    guard hasRun else { throw SasukaError(.wrongState, "the session has not run yet") }
    let expected = try featureShape(name)
    guard value.shape == expected else {
      throw SasukaError(.invalidArgument, "value for \"\(name)\" has shape \(value.shape); \(expected) is expected")
    }
    try expectFloats(value, "value")
    try value.write(from: UnsafePointer(executable.outputPointer(place)))
  }

  private func expectFloats(_ tensor: HostTensor, _ what: StaticString) throws(SasukaError) {
    guard tensor.dtype == .float32 || tensor.dtype == .float64 else {
      throw SasukaError(.invalidArgument, "\(what) has type \(tensor.dtype.name); float32 or float64 is expected")
    }
  }

  private func place(ofFeature name: String) throws(SasukaError) -> Int {
    for (place, feature) in features.enumerated() where feature == name { return place + 1 }
    throw SasukaError(.notFound, "\"\(name)\" is none of the session's \(features.count) features")
  }

  package func run(_ input: HostTensor, to output: HostTensor) throws(SasukaError) {
    guard input.shape == inputShape else {
      throw SasukaError(.invalidArgument, "input has shape \(input.shape); \(inputShape) is expected")
    }
    guard output.shape == outputShape else {
      throw SasukaError(.invalidArgument, "output has shape \(output.shape); \(outputShape) is expected")
    }
    try expectFloats(output, "output")
    try gate.beginWriting()
    defer { gate.endWriting() }
    try modelGate.beginReading()
    defer { modelGate.endReading() }
    profile?.start()
    try input.read(into: executable.inputPointer(0))
    profile?.lap(Profile.readInput)
    hasRun = false
    try executable.run("forward", progress: progress, profile: profile)
    hasRun = true
    try output.write(from: UnsafePointer(executable.outputPointer(0)))
    if let profile { profile.lap(profile.writeOutput) }
  }
}
