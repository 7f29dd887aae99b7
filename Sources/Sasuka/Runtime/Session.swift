/// A model's network, or a part of it, compiled for one input shape, with memory of its own. One run at a time.
package final class Session {
  package struct Options {
    /// Modules whose results are kept beside the prediction.
    package var features: [String] = []
    /// Whether `backward` may be called.
    package var hasGradients = false
    /// Whether runs take the times of `profile`.
    package var profiles = false
    /// The modules between which the part of the network lies; nil is the network's own input and output.
    package var start, end: String?
    /// 0: as the model.
    package var threads = 0
    /// nil: as the model.
    package var algorithms: AlgorithmChoice?
    /// For measuring, and for finding faults.
    package var passes = PassChoice()
    /// A saved choice of algorithms, as `tuning` gives it.
    package var tuning: String?
    /// Whether the algorithms are chosen by timing them.
    package var isTimed = false
    package init() {}
  }

  package let inputShape: Shape
  package let outputShape: Shape
  private let features: [String]
  // What it needs of its model, not the model, which keeps sessions of its own.
  private let modelGate: AccessGate
  private let progress: ProgressFunction?
  private let executable: Executable
  private let kernels: KernelTable
  private let threads: Int
  /// The first node of the backward pass; the number of nodes in a session without one.
  private let firstBackward: Int
  package let gate = AccessGate("session")
  /// Where it was asked for.
  package let profile: Profile?
  /// What lies in the arena: results of the forward nodes, what the backward nodes need of them, gradients.
  private var (hasRun, canRunBackward, hasGradients) = (false, false, false)

  /// - Throws: `invalidArgument` for a shape that the network cannot take, or a module that does not split it.
  ///   `notFound` for a module that it has not.
  package init(_ model: Model, inputShape: Shape, options: Options = Options()) throws(SasukaError) {
    let graph = try model.graph.part(from: options.start, to: options.end)
    var observed: [Value] = []
    for name in options.features { observed.append(try graph.output(ofModule: name)) }
    let lanes = model.kernels.lanes
    let plan = try graph.specializing(to: inputShape) { () throws(SasukaError) in
      options.hasGradients
        ? try Plan.gradients(
          of: graph, inputShapes: [inputShape], observing: observed, passes: options.passes, lanes: lanes)
        : try Plan.evaluation(
          of: graph, inputShapes: [inputShape], observing: observed, passes: options.passes, lanes: lanes)
    }
    features = options.features
    modelGate = model.gate
    progress = model.options.progress
    self.inputShape = inputShape
    outputShape = plan.graph.shape(plan.graph.outputs[0])
    firstBackward = options.hasGradients ? plan.firstReader(ofInput: 1) : plan.graph.nodes.count
    kernels = model.kernels
    let pool = model.makePool(threads: options.threads)
    threads = pool.threadCount
    let algorithms = options.algorithms ?? model.options.algorithms
    var tuning: Tuning?
    if let text = options.tuning { tuning = try Tuning(text, kernels, threads: threads) }
    if case .exact = algorithms {
      tuning = nil
    } else if options.isTimed {
      try model.gate.beginReading()
      defer { model.gate.endReading() }
      tuning = try Tuning(of: plan, nodes: 0..<firstBackward, model, on: pool)
    }
    executable = try Executable(plan, of: model, on: pool, algorithms: algorithms, tuning: tuning)
    profile = options.profiles ? try Profile(executable.steps, of: plan) : nil
  }

  package var memoryBytes: Int { executable.memoryBytes }

  /// The algorithms of its convolutions as text, for other sessions.
  package var tuning: String {
    Tuning.text(executable.layers, kernels, threads: threads)
  }

  /// Shape of what a module computes, one of the features.
  package func featureShape(_ name: String) throws(SasukaError) -> Shape {
    executable.outputShape(try place(ofFeature: name))
  }

  /// Copies what a module computed in the last run.
  package func readFeature(_ name: String, to value: HostTensor) throws(SasukaError) {
    try read(name, hasRun, "the session has not run yet", behind: 0, to: value)
  }

  /// Copies the gradient with respect to what a module computed, of the last `backward`.
  package func readFeatureGradient(_ name: String, to value: HostTensor) throws(SasukaError) {
    try read(
      name, hasGradients, "the session has not run backward since its last run", behind: features.count, to: value)
  }

  private func read(
    _ name: String, _ exists: Bool, _ otherwise: Message, behind others: Int, to value: HostTensor
  ) throws(SasukaError) {
    let place = try place(ofFeature: name)
    try gate.beginReading()
    defer { gate.endReading() }
    guard exists else { throw SasukaError(.wrongState, otherwise) }
    try executable.read(output: place + others, to: value)
  }

  private func place(ofFeature name: String) throws(SasukaError) -> Int {
    try Sasuka.place(of: name, among: features) + 1
  }

  package func run(_ input: HostTensor, to output: HostTensor) throws(SasukaError) {
    guard input.shape == inputShape else {
      throw SasukaError(.invalidArgument, "input has shape \(input.shape); \(inputShape) is expected")
    }
    try output.expectFloats(outputShape, "output")
    try gate.beginWriting()
    defer { gate.endWriting() }
    try modelGate.beginReading()
    defer { modelGate.endReading() }
    profile?.start()
    try input.read(into: executable.inputPointer(0))
    profile?.lap(Profile.readInput)
    try runForward()
    try output.write(from: UnsafePointer(executable.outputPointer(0)))
    if let profile { profile.lap(profile.writeOutput) }
  }

  private func runForward() throws(SasukaError) {
    (hasRun, canRunBackward, hasGradients) = (false, false, false)
    try executable.run("forward", progress: progress, nodes: 0..<firstBackward, profile: profile)
    (hasRun, canRunBackward) = (true, true)
  }

  /// Computes the gradients of the sum of the last run's results, each counted as `seed` says, with respect to all features.
  package func backward(_ seed: HostTensor) throws(SasukaError) {
    guard executable.plan.graph.inputs.count > 1 else {
      throw SasukaError(.wrongState, "the session was made without gradients; its options ask for them")
    }
    try seed.expectFloats(outputShape, "seed")
    try gate.beginWriting()
    defer { gate.endWriting() }
    guard hasRun else { throw SasukaError(.wrongState, "the session has not run yet") }
    try modelGate.beginReading()
    defer { modelGate.endReading() }
    try seed.read(into: executable.inputPointer(1))
    // The backward pass writes where activations lay; the input is still there.
    if !canRunBackward { try runForward() }
    (canRunBackward, hasGradients) = (false, false)
    try executable.run("backward", progress: progress, nodes: firstBackward..<executable.plan.graph.nodes.count)
    hasGradients = true
  }
}

/// The place of a module among those whose results were asked for.
func place(of module: String, among features: [String]) throws(SasukaError) -> Int {
  for (place, feature) in features.enumerated() where feature == module { return place }
  throw SasukaError(.notFound, "\"\(module)\" is none of the \(features.count) features that were asked for")
}
