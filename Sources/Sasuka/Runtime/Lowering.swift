import CSystem

/// Collects the steps of a plan while its nodes are lowered, one after the other, to kernel calls.
///
/// Every pointer handed out stays valid for as long as the steps do. Not copied: a copy for each question asked of it
/// would be a tenth of the code of every `lower`.
package struct Lowering: ~Copyable {
  package let mode: Mode
  package let kernels: UnsafeMutablePointer<sasuka_kernel_table>
  package let algorithms: AlgorithmChoice
  private let tuning: Tuning?
  /// Threads that will run the steps. How work is divided may depend on it, results may not.
  package let threads: Int
  private let plan: Plan
  private let arena: UnsafeMutablePointer<Float>
  private let parameters: Parameters
  private let gradients: GradientStore?
  private let run: RunState
  private(set) var steps: [Step] = []
  private(set) var preparations: [Step] = []
  let packedUse: PackedUse
  private var packed: PackedWeights?
  private(set) var layers: [TunableLayer] = []
  private(set) var scratchBytes = 64
  private(set) var workerScratchBytes = 64
  private var node = 0
  /// What the steps that are added next are called in profiles; empty again at every node.
  package var algorithm: StaticString = ""

  init(
    _ plan: Plan, arena: UnsafeMutablePointer<Float>, parameters: Parameters, gradients: GradientStore?,
    kernels: UnsafeMutablePointer<sasuka_kernel_table>, algorithms: AlgorithmChoice, tuning: Tuning?, threads: Int,
    run: RunState
  ) {
    self.run = run
    self.tuning = tuning
    self.algorithms = algorithms
    self.threads = threads
    self.plan = plan
    self.arena = arena
    self.parameters = parameters
    self.gradients = gradients
    self.kernels = kernels
    mode = plan.mode
    packedUse = PackedUse(parameters.packed)
  }

  mutating func lowerAll() throws(SasukaError) {
    for (place, node) in plan.graph.nodes.enumerated() {
      self.node = place
      algorithm = ""
      packed = nil
      try node.operation.lower(node, &self)
    }
  }

  /// Channels in a block of the blocked layout.
  package var lanes: Int { Int(kernels.pointee.vector_width) }
  package var graph: Graph { plan.graph }
  @inline(never)
  package func shape(_ value: Value) -> Shape { plan.graph.shape(value) }
  package func layout(_ value: Value) -> Layout { plan.layouts[value.index] }
  /// Number of floats that a value occupies, padding lanes included.
  package func storageCount(_ value: Value) -> Int { layout(value).storageCount(of: shape(value)) }

  /// Where a value lies.
  package func pointer(_ value: Value) -> UnsafeMutablePointer<Float> {
    switch plan.graph[value].role {
    case .parameter(let place): return parameters.buffers[place].floats
    case .input, .activation: return arena + plan.offsets[value.index]
    }
  }

  /// Whether a value is to be read from `StepContext.input`.
  func isLent(_ value: Value) -> Bool { plan.lendsInput && value == plan.graph.inputs[0] }

  /// Whether a value is to be written to `StepContext.output`, if there is one.
  func isLentForOutput(_ value: Value) -> Bool { plan.lendsOutput && value == plan.graph.outputs[0] }

  /// Whether this plan computes a parameter's gradient, so that its numbers will be others at the next run.
  package func learns(_ parameter: Value) -> Bool {
    mode == .training
      && plan.graph.nodes.contains { $0.operation.kind == "store_gradient" && $0.name == plan.graph[parameter].name }
  }

  /// Where a parameter's gradient is gathered, in the parameter's own layout; nil outside training.
  package func gradientPointer(ofParameter place: Int) -> UnsafeMutablePointer<Float>? {
    gradients?.pointer(toParameter: place)
  }

  /// Adds a step of `units` pieces that may run at the same time, after all steps added before.
  @inline(never)
  package mutating func step(units: Int, _ body: @escaping Step.Body) {
    steps.append(Step(node: node, algorithm: algorithm, units: units, run: run, body: body))
  }

  /// Adds a step that depends on parameters only, such as packing weights: it runs before the first run and again
  /// when the parameters have changed.
  @inline(never)
  package mutating func prepare(units: Int, _ body: @escaping Step.Body) {
    preparations.append(Step(node: node, algorithm: algorithm, units: units, packed: packed, run: run, body: body))
  }

  /// Zeroed memory for packed weights; what is prepared for this node from now on fills it.
  ///
  /// - Parameters:
  ///   - key: tells it from what else is packed of this weight and the node's other parameters: whoever asks with the same key
  ///     shares it.
  ///   - weight: a node of two convolutions may have two of the same sizes.
  package mutating func packedMemory(
    _ key: [Int], of weight: Value, floats: Int
  ) throws(SasukaError) -> UnsafeMutablePointer<Float> {
    guard mode == .evaluation else { return try persistent(floats: floats) }
    let key = key + [plan.graph.parameterPlace(weight) ?? -1] + plan.graph.parameterPlaces(of: node)
    let packed = try packedUse.take(key, floats: floats, purpose: purpose)
    self.packed = packed
    return packed.buffer.floats
  }

  private var purpose: String { "packed weights of \"\(plan.graph.nodes[node].name)\"" }

  /// Zeroed memory of this node that lives as long as the steps; what is prepared next fills it.
  package mutating func persistent(floats: Int) throws(SasukaError) -> UnsafeMutablePointer<Float> {
    packed = nil
    return try packedUse.take([], floats: floats, purpose: purpose).buffer.floats
  }

  /// The algorithm for a pass; kept in mind if there are several and the node is computed by this pass alone.
  mutating func algorithm(
    of pass: ConvolutionPass, images: Int, packsEachRun: Bool, isAlone: Bool
  ) -> ConvolutionAlgorithm {
    func find(_ choice: AlgorithmChoice) -> ConvolutionAlgorithm {
      pass.algorithm(choice, images: images, kernels: kernels, packsEachRun: packsEachRun)
    }
    var layer = TunableLayer(node: node, sizes: pass.sizes(images: images), algorithm: find(algorithms))
    if let found = tuning?[layer], find(.forced(found)) == found { layer.algorithm = found }
    if isAlone, mode == .evaluation,
      ConvolutionAlgorithm.allCases.contains(where: { $0 != .direct && find(.forced($0)) == $0 })
    {
      layers.append(layer)
    }
    return layer.algorithm
  }

  /// Makes `StepContext.scratch` at least so large.
  package mutating func needScratch(bytes: Int) { scratchBytes = max(scratchBytes, bytes) }

  /// Makes `StepContext.workerScratch` at least so large.
  package mutating func needWorkerScratch(bytes: Int) {
    workerScratchBytes = max(workerScratchBytes, (bytes + 63) / 64 * 64)
  }
}
