import CSystem

/// A plan with its memory and its kernel calls: what a session or a trainer runs. One run at a time.
package final class Executable {
  package let plan: Plan
  private let parameters: Parameters
  private let gradients: GradientStore?
  private let kernels: KernelTable
  private let pool: ThreadPool
  private let arena: Buffer
  private let state = RunState()
  private let packedUse: PackedUse
  let steps: [Step]
  /// The convolutions for which there are several algorithms.
  let layers: [TunableLayer]
  private let preparations: [Step]
  private var preparedVersion = 0

  /// - Parameter progress: told on this thread while first weights are drawn; may stop that.
  package init(
    _ plan: Plan, parameters: Parameters, gradients: GradientStore? = nil, kernels: KernelTable, pool: ThreadPool,
    algorithms: AlgorithmChoice = .fastest, tuning: Tuning? = nil, progress: ProgressFunction? = nil
  ) throws(SasukaError) {
    let places = plan.graph.parameterPlaces(of: plan.graph.nodes.indices)
    try parameters.drawPending(places, on: pool, progress: progress)
    self.plan = plan
    self.parameters = parameters
    self.gradients = gradients
    self.kernels = kernels
    self.pool = pool
    arena = try Buffer(floatCount: plan.arenaFloatCount, purpose: "activations")
    var lowering = Lowering(
      plan, arena: arena.floats, parameters: parameters, gradients: gradients, kernels: kernels.slots,
      algorithms: algorithms, tuning: tuning, threads: pool.threadCount, run: state)
    try lowering.lowerAll()
    steps = lowering.steps
    layers = lowering.layers
    preparations = lowering.preparations
    packedUse = lowering.packedUse
    try state.allocate(
      scratchBytes: lowering.scratchBytes, workerScratchBytes: lowering.workerScratchBytes, threads: pool.threadCount)
  }

  /// For a model's own runs and those of its sessions.
  convenience init(
    _ plan: Plan, of model: Model, on pool: ThreadPool, algorithms: AlgorithmChoice, tuning: Tuning? = nil
  ) throws(SasukaError) {
    try self.init(
      plan, parameters: model.parameters, kernels: model.kernels, pool: pool, algorithms: algorithms, tuning: tuning,
      progress: model.options.progress)
  }

  /// Bytes that this executable alone holds, beside the parameters and what other plans use too.
  package var memoryBytes: Int {
    arena.byteCount + state.scratchBytes + packedUse.bytesOfOne
  }

  /// Where the host's data for input `place` goes, row-major.
  package func inputPointer(_ place: Int) -> UnsafeMutablePointer<Float> { pointer(plan.graph.inputs[place]) }

  /// Where the first input's numbers are for the next run: with the host, whose tensor must live as long, or copied.
  func take(_ input: HostTensor) throws(SasukaError) -> UnsafePointer<Float> {
    if plan.lendsInput, let numbers = input.rowMajorFloats { return numbers }
    try input.read(into: inputPointer(0))
    return UnsafePointer(inputPointer(0))
  }

  /// Where a run may write its first output for the host, which has read `input` from where `take` said: the tensor itself, if it
  /// is laid out so and apart from the input, which some steps may read later.
  func place(for output: HostTensor, apartFrom input: UnsafePointer<Float>?) -> UnsafeMutablePointer<Float>? {
    guard plan.lendsOutput, let numbers = output.rowMajorFloats else { return nil }
    if let input, input < numbers + outputShape(0).count,
      numbers < input + plan.graph.shape(plan.graph.inputs[0]).count
    {
      return nil
    }
    return UnsafeMutablePointer(mutating: numbers)
  }

  /// Where output `place` lies after a run, row-major.
  package func outputPointer(_ place: Int) -> UnsafeMutablePointer<Float> { pointer(plan.graph.outputs[place]) }

  func outputShape(_ place: Int) -> Shape { plan.graph.shape(plan.graph.outputs[place]) }

  /// Copies an output of the last run to the host, which has a tensor of its shape for it.
  func read(output place: Int, to value: HostTensor) throws(SasukaError) {
    try value.expectFloats(outputShape(place), "value")
    try value.write(from: UnsafePointer(outputPointer(place)))
  }

  private func pointer(_ value: Value) -> UnsafeMutablePointer<Float> {
    if case .parameter(let place) = plan.graph[value].role { return parameters.buffers[place].floats }
    return arena.floats + plan.offsets[value.index]
  }

  /// Runs the steps of the plan's nodes in a range, which is all of them unless said otherwise.
  ///
  /// - Parameters:
  ///   - stage: what the run is, for `progress`.
  ///   - input: what `take` returned; nil where the input was written to its place.
  ///   - output: what `place(for:apartFrom:)` returned.
  ///   - progress: told on this thread every 20 ms until the model begins to change; may stop the run.
  ///   - profile: where given, takes the time of each step.
  ///   - releasing: whether to let go of the parameters' own numbers of each kernel that is read packed only, as soon as it
  ///     is; nobody else may use the parameters meanwhile.
  /// - Throws: `cancelled`; the model is then as it was but for what has been released, gradients and outputs are not.
  ///   `wrongState` where numbers are needed that have been released.
  package func run(
    _ stage: StaticString, input: UnsafePointer<Float>? = nil, output: UnsafeMutablePointer<Float>? = nil,
    random: RandomState = RandomState(seed: 0, iteration: 0), progress: ProgressFunction? = nil,
    nodes: Range<Int>? = nil, profile: Profile? = nil, releasing: Bool = false
  ) throws(SasukaError) {
    let mode = sasuka_flush_denormals()
    defer { sasuka_restore_denormals(mode) }
    let watch = progress.map { Watch($0, stage: stage, total: steps.count) }
    pool.timesWaiting = profile != nil
    pool.assemble()
    state.begin(
      input: input ?? UnsafePointer(inputPointer(0)), output: output, random: random, watch: watch, asks: pool.asks(0))
    defer { state.end() }
    try prepare(watch, releasing)
    profile?.lap(Profile.prepareWeights, waited: pool.nanosecondsWaited)
    let nodes = nodes ?? plan.graph.nodes.indices
    for (place, step) in steps.enumerated() where nodes.contains(step.node) {
      let mayStop = step.node < plan.firstUpdate
      if !mayStop { state.stopAsking() }
      watch?.done = place
      try perform(step, mayStop ? watch : nil)
      profile?.lap(Profile.firstStep + place, waited: pool.nanosecondsWaited)
    }
    if plan.firstUpdate < nodes.upperBound { parameters.markChanged(plan.updated) }
  }

  /// Does again what was derived from parameters that have changed: weights that stay as they are stay packed. Where it is
  /// stopped, the next run does all of it.
  private func prepare(_ watch: Watch?, _ releasing: Bool) throws(SasukaError) {
    guard preparedVersion != parameters.version || releasing else { return }
    try parameters.packed.beginPacking(watch)
    defer { parameters.packed.endPacking() }
    if !parameters.isComplete {
      for node in plan.graph.nodes.indices where !isPacked(node) {
        try parameters.requireNumbers(plan.graph.parameterPlaces(of: node))
      }
    }
    for number in preparations.indices {
      let (step, next) = (preparations[number], number + 1)
      try prepare(step, watch)
      if releasing, next == preparations.count || preparations[next].node != step.node { release(step.node) }
    }
    preparedVersion = parameters.version
    for packed in packedUse.all { packed.version = preparedVersion }
  }

  private func prepare(_ step: Step, _ watch: Watch?) throws(SasukaError) {
    let (places, version) = (plan.graph.parameterPlaces(of: step.node), step.packed?.version ?? preparedVersion)
    guard places.contains(where: { parameters.hasChanged($0, since: version) }) else { return }
    if step.packed != nil { try parameters.requireNumbers(places) }
    try perform(step, watch)
  }

  /// Lets go of kernels that a node has packed and that nobody reads as they lie, or packs later.
  private func release(_ node: Int) {
    // Others who share what is packed run on, even if the rest is cancelled.
    for step in preparations where step.node == node { step.packed?.version = parameters.version }
    let nodes = plan.graph.nodes
    for value in nodes[node].inputs {
      guard let place = plan.graph.parameterPlace(value), plan.graph.shape(value).rank > 2 else { continue }
      let isReadElse = nodes.indices.contains { nodes[$0].inputs.contains(value) && ($0 > node || !isPacked($0)) }
      if !isReadElse { parameters.release(place) }
    }
  }

  /// Whether a node reads weights in the order in which they have been packed for whoever needs them so.
  private func isPacked(_ node: Int) -> Bool { preparations.contains { $0.node == node && $0.packed != nil } }

  /// Has a step done, if the caller does not want to stop before it or meanwhile.
  @inline(never)
  private func perform(_ step: Step, _ watch: Watch?) throws(SasukaError) {
    guard let watch else { return pool.run(units: step.units, step.work) }
    watch.ask()
    try watch.check()
    pool.run(units: step.units, step.work)
    try watch.check()
  }
}
