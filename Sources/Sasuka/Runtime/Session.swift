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
    /// Whether the weights are packed at once, and the model's own numbers of what is packed given up.
    package var releasesWeights = false
    package init() {}

    /// Whether a batch may be computed in parts: where all that is asked for is the prediction, and no times of layers that
    /// compute it at once.
    fileprivate var mayBeCut: Bool {
      passes.makes(.pictures) && features.isEmpty && !hasGradients && !profiles && !isTimed && tuning == nil
    }
  }

  package let inputShape: Shape
  package let outputShape: Shape
  private let features: [String]
  // What it needs of its model, not the model, which keeps sessions of its own.
  private let modelGate: AccessGate
  private let progress: ProgressFunction?
  /// What computes a few pictures at a time, if anything does, and what computes the batch.
  private let first: Executable?
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
    var graph = try model.graph.part(from: options.start, to: options.end)
    var observed: [Value] = []
    for name in options.features { observed.append(try graph.output(ofModule: name)) }
    let lanes = model.kernels.lanes
    var pool = model.makePool(threads: options.threads)
    let algorithms = options.algorithms ?? model.options.algorithms
    var shape = inputShape
    first = try options.mayBeCut ? Session.first(&graph, &shape, model, pool, options.passes, algorithms) : nil
    let plan = try graph.specializing(to: shape) { () throws(SasukaError) in
      options.hasGradients
        ? try Plan.gradients(
          of: graph, inputShapes: [shape], observing: observed, passes: options.passes, lanes: lanes)
        : try Plan.evaluation(
          of: graph, inputShapes: [shape], observing: observed, passes: options.passes, lanes: lanes)
    }
    if first == nil { pool = model.makePool(threads: options.threads, for: plan) }
    threads = pool.threadCount
    features = options.features
    modelGate = model.gate
    progress = model.options.progress
    self.inputShape = inputShape
    outputShape = plan.graph.shape(plan.graph.outputs[0])
    firstBackward = options.hasGradients ? plan.firstReader(ofInput: 1) : plan.graph.nodes.count
    kernels = model.kernels
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
    if options.releasesWeights { try releaseWeights() }
  }

  @inline(never)
  private func releaseWeights() throws(SasukaError) {
    try modelGate.beginWriting()
    defer { modelGate.endWriting() }
    for executable in [first, executable] {
      try executable?.run("pack", progress: progress, nodes: 0..<0, releasing: true)
    }
  }

  /// What computes a few pictures of a batch at a time, if it pays: the graph is then what is left for the whole batch, whose
  /// shape is given back too.
  @inline(never)
  private static func first(
    _ graph: inout Graph, _ shape: inout Shape, _ model: Model, _ pool: ThreadPool, _ passes: PassChoice,
    _ algorithms: AlgorithmChoice
  ) throws(SasukaError) -> Executable? {
    // A shape that the network cannot take is refused later.
    guard shape.rank == 4, graph.shape(graph.inputs[0]).rank == 4,
      var before = try? DeadBranchPass.run(graph).specialized(to: [shape]), let cut = PicturePass.cut(before)
    else { return nil }
    graph = try before.behind(cut, "input")
    before.outputs = [cut]
    let few = PicturePass.picturesAtOnce(of: shape[0])
    let plan = try Plan.evaluation(
      of: before, inputShapes: [shape.replacing(axis: 0, with: few)], passes: passes, lanes: model.kernels.lanes)
    shape = before.shape(cut)
    return try Executable(plan, of: model, on: pool, algorithms: algorithms)
  }

  package var memoryBytes: Int { executable.memoryBytes + (first?.memoryBytes ?? 0) }

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
    var numbers: UnsafePointer<Float>?
    if let first {
      try compute(input, by: first)
    } else {
      numbers = try executable.take(input)
    }
    profile?.lap(Profile.readInput)
    let place = executable.place(for: output, apartFrom: numbers)
    try runForward(numbers, to: place)
    if place == nil { try output.write(from: UnsafePointer(executable.outputPointer(0))) }
    if let profile { profile.lap(profile.writeOutput) }
  }

  /// The first part of the network, whose results are the second's input.
  private func compute(_ input: HostTensor, by first: Executable) throws(SasukaError) {
    let (pictures, floats) = (first.outputShape(0)[0], first.outputShape(0).count)
    for number in 0..<inputShape[0] / pictures {
      let numbers = try first.take(input.part(number, pictures: pictures))
      try first.run("forward", input: numbers, progress: progress(behind: number * first.steps.count))
      (executable.inputPointer(0) + number * floats).copy(from: first.outputPointer(0), count: floats)
    }
  }

  private func runForward(
    _ input: UnsafePointer<Float>? = nil, to output: UnsafeMutablePointer<Float>? = nil
  ) throws(SasukaError) {
    (hasRun, canRunBackward, hasGradients) = (false, false, false)
    try executable.run(
      "forward", input: input, output: output, progress: progress(behind: stepsOfParts), nodes: 0..<firstBackward,
      profile: profile)
    (hasRun, canRunBackward) = (true, true)
  }

  /// Steps of the first part of the network, for the whole batch.
  private var stepsOfParts: Int { first.map { inputShape[0] / $0.outputShape(0)[0] * $0.steps.count } ?? 0 }

  /// Tells of a part that comes behind so many steps of a batch's others as of one run.
  private func progress(behind before: Int) -> ProgressFunction? {
    guard first != nil, let progress else { return progress }
    let total = stepsOfParts + executable.steps.count
    return { progress(Progress(stage: $0.stage, done: before + $0.done, total: total)) }
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
