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
    package var algorithms = AlgorithmChoice.fastest
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
  /// - Throws: `cancelled`, while it copies.
  package func changed(_ change: Transformation, seed: UInt64) throws(SasukaError) -> Model {
    let numbers = try Parameters(of: change.graph)
    try gate.beginReading()
    defer { gate.endReading() }
    try drawPending(change.origins.filter { $0 >= 0 })
    let pool = makePool()
    let watch = watch("copy", total: change.origins.count)
    for (place, origin) in change.origins.enumerated() {
      watch?.done = place
      if origin >= 0 {
        let (old, new) = (parameters.buffers[origin], numbers.buffers[place])
        let chunks = Chunks(of: new.floatCount)
        pool.run(units: chunks.count, watch: watch) { unit in
          let range = chunks[unit]
          (new.floats + range.lowerBound).copy(from: old.floats + range.lowerBound, count: range.count)
        }
      } else {
        numbers.initialize(place, numbers.infos[place].initializer, seed: seed)
      }
      try watch?.check()
    }
    return Model(change.graph, numbers, like: self)
  }

  /// Who asks the caller whether to go on with long work; nil where the caller does not want to know.
  @inline(never)
  package func watch(_ stage: StaticString, total: Int = 1) -> Watch? {
    options.progress.map { Watch($0, stage: stage, total: total) }
  }

  /// Makes the numbers of some parameters ready to be read: draws those that are still to be drawn, as it does on all
  /// threads, and asks whether to go on.
  ///
  /// - Throws: `cancelled`; `wrongState` where numbers have been released.
  package func drawPending(_ places: [Int]) throws(SasukaError) {
    try parameters.requireNumbers(places)
    try parameters.drawPending(places, on: makePool(), progress: options.progress)
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

  /// Threads for runs whose caller asks for `wish`; 0 is no wish, and then as the model's host does. Where that has none either,
  /// there are as many as processors, but no more than a plan has work for.
  package func makePool(threads wish: Int = 0, for plan: Plan? = nil) -> ThreadPool {
    var count = wish > 0 ? wish : options.threads
    if count <= 0 { count = min(Int(sasuka_allowed_processor_count()), plan?.threadsWithWork ?? .max) }
    return ThreadPool(threads: count, host: options.host)
  }

  /// The result's shape for an input's.
  package func outputShape(for input: Shape) throws(SasukaError) -> Shape { try graph.outputShape(for: input) }

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
}
