import CSystem

/// Trains a model: owns gradients, optimiser state, schedule and random state.
package final class Trainer {
  package struct Options {
    package var optimizer = Optimizer(.sgd)
    package var loss = LossOptions()
    /// Most that the norm of all gradients may be; 0 is no limit.
    package var clipNorm = 0.0
    /// Most that one gradient may be; 0 is no limit.
    package var clipValue = 0.0
    package var seed: UInt64 = 0
    /// 0: as the model.
    package var threads = 0
    /// The module whose results are the trainer's input, in place of the network's own input; nil is that.
    package var start: String?
    package var progress: ProgressFunction?
    package init() {}
  }

  /// What a name pattern's parameters have of their own.
  package struct Group {
    let pattern: NamePattern
    let learningRateFactor: Double
    /// Nil is the trainer's.
    let weightDecay: Double?
    let isFrozen: Bool
  }

  private static let cachedPlans = 4

  package let model: Model
  /// The model's network, or what lies behind `Options.start`.
  private let graph: Graph
  package let options: Options
  package let gradients: GradientStore
  /// `Optimizer.stateCount` arrays, each as long as the gradients.
  package let state: Buffer
  package var schedule = Schedule()
  package private(set) var baseLearningRate: Double
  /// Updates made.
  package private(set) var steps = 0
  /// Forward-backward passes made: where random numbers stand.
  package private(set) var passes: UInt64 = 0
  private let gate = AccessGate("trainer")
  private let pool: ThreadPool
  private var groups: [Group] = []
  private var evaluated = ModuleChoice()
  /// Places of the parameters that are learnt and not frozen, ascending.
  private var trainable: [Int] = []
  private var pieces: [Piece] = []
  private var plans: [CompiledStep] = []
  /// Modules whose results, and the loss's gradients with respect to these, can be read after a pass.
  private var watched: [String] = []
  /// The last pass in training mode: what was watched lies in its memory.
  private var lastPass: (executable: Executable, hasGradients: Bool)?

  /// A stretch of one parameter that is updated as a unit.
  private struct Piece {
    let place: Int
    let range: Range<Int>
    let weightDecay: Double
    let learningRateFactor: Double
  }

  private struct CompiledStep {
    let mode: Mode
    let input: Shape
    /// Nil where no loss is computed.
    let target: Shape?
    let executable: Executable
  }

  package init(_ model: Model, options: Options) throws(SasukaError) {
    try options.optimizer.check()
    try options.loss.check()
    for (name, limit) in [("clip_norm", options.clipNorm), ("clip_value", options.clipValue)] {
      guard limit >= 0 else {
        throw SasukaError(.invalidArgument, "\(name) \(describe(limit)); a number from 0 is expected, 0 for no limit")
      }
    }
    self.model = model
    graph = try model.graph.part(from: options.start)
    self.options = options
    baseLearningRate = options.optimizer.learningRate
    gradients = try GradientStore(for: model.parameters)
    state = try Buffer(
      floatCount: gradients.floatCount * options.optimizer.stateCount, purpose: "state of the optimiser")
    pool = model.makePool(threads: options.threads)
    divide()
  }

  /// Gives the parameters whose names match a learning rate (a factor of the trainer's) and weight decay (nil is the
  /// trainer's) of their own, or freezes them: they have no gradient, and stay as they are. Later groups win.
  ///
  /// - Throws: `notFound` where no learnt parameter matches.
  package func addGroup(
    _ pattern: String, learningRateFactor: Double, weightDecay: Double? = nil, isFrozen: Bool
  ) throws(SasukaError) {
    let names = NamePattern(pattern)
    guard model.parameters.infos.contains(where: { $0.kind == .weight && names.matches($0.name) }) else {
      throw SasukaError(.notFound, "no learnt parameter's name matches \"\(pattern)\"")
    }
    let decay = weightDecay ?? 0
    guard learningRateFactor >= 0, learningRateFactor < .infinity, decay >= 0, decay < .infinity else {
      throw SasukaError(
        .invalidArgument,
        "group \"\(pattern)\": learning rate factor \(describe(learningRateFactor)), weight decay "
          + "\(describe(decay)); numbers from 0 are expected")
    }
    try gate.beginWriting()
    defer { gate.endWriting() }
    // Of what is trained so far: what is frozen has none.
    try clear(gradients.buffer.floats)
    groups.append(
      Group(
        pattern: names, learningRateFactor: learningRateFactor, weightDecay: weightDecay, isFrozen: isFrozen))
    plans = []
    lastPass = nil
    divide()
  }

  /// Lets the modules whose names match compute in training steps as in evaluation, or as in training again: BatchNorm by
  /// its running statistics, which stay as they are, without dropout. Later calls win.
  ///
  /// - Throws: `notFound` where no module matches.
  package func setEvaluation(_ pattern: String, _ isOn: Bool) throws(SasukaError) {
    let names = NamePattern(pattern)
    guard graph.nodes.contains(where: { names.matchesModule($0.name) }) else {
      throw SasukaError(.notFound, "no layer's name matches \"\(pattern)\"")
    }
    try gate.beginWriting()
    defer { gate.endWriting() }
    evaluated.set(names, isOn)
    plans = []
    lastPass = nil
  }

  private func group(of name: String) -> Group? { groups.last { $0.pattern.matches(name) } }

  private func divide() {
    trainable = graph.learntPlaces.filter { group(of: graph.parameters[$0].name)?.isFrozen != true }
    pieces = []
    for place in trainable {
      let info = model.parameters.infos[place]
      let group = group(of: info.name)
      let chunks = Chunks(of: info.shape.count)
      for chunk in 0..<chunks.count {
        pieces.append(
          Piece(
            place: place, range: chunks[chunk], weightDecay: group?.weightDecay ?? options.optimizer.weightDecay,
            learningRateFactor: group?.learningRateFactor ?? 1))
      }
    }
  }

  /// The rate of the next update.
  package var learningRate: Double { schedule.learningRate(at: steps, base: baseLearningRate) }

  package func setLearningRate(_ rate: Double) throws(SasukaError) {
    guard rate >= 0, rate < .infinity else {
      throw SasukaError(.invalidArgument, "learning rate \(describe(rate)); a number from 0 is expected")
    }
    baseLearningRate = rate
  }

  /// For calls that change the model and the trainer.
  func beginWriting() throws(SasukaError) {
    try gate.beginWriting()
    do {
      try model.gate.beginWriting()
    } catch {
      gate.endWriting()
      throw error
    }
  }

  func endWriting() {
    model.gate.endWriting()
    gate.endWriting()
  }

  /// For calls that look at both.
  func beginReading() throws(SasukaError) {
    try gate.beginReading()
    do {
      try model.gate.beginReading()
    } catch {
      gate.endReading()
      throw error
    }
  }

  func endReading() {
    model.gate.endReading()
    gate.endReading()
  }

  package func zeroGradients() throws(SasukaError) {
    try gate.beginWriting()
    defer { gate.endWriting() }
    try clear(gradients.buffer.floats)
  }

  /// Zeroes an array as long as the gradients where parameters are trained: elsewhere it is zero, and never touched. Memory
  /// that is touched for the first time is slow to come by, so the caller is asked.
  private func clear(_ numbers: UnsafeMutablePointer<Float>) throws(SasukaError) {
    let (pieces, offsets) = (pieces, gradients.offsets)
    let watch = options.progress.map { Watch($0, stage: "zero", total: pieces.count) }
    pool.run(units: pieces.count, watch: watch) { unit in
      let piece = pieces[unit]
      let start = numbers + offsets[piece.place] + piece.range.lowerBound
      memset(start, 0, piece.range.count * MemoryLayout<Float>.stride)
    }
    try watch?.check()
  }

  /// Bytes beside the model: plans, and gradients and the optimiser's state of what is trained.
  package var memoryBytes: Int {
    var total = 0
    for piece in pieces { total += piece.range.count }
    total *= (1 + options.optimizer.stateCount) * MemoryLayout<Float>.stride
    for plan in plans { total += plan.executable.memoryBytes }
    return total
  }

  /// Forward in training mode, loss, backward; adds to the gradients and updates running statistics.
  ///
  /// - Returns: the loss, as it is: not a number, if the network gives that.
  package func forwardBackward(_ input: HostTensor, _ target: HostTensor) throws(SasukaError) -> Double {
    try beginWriting()
    defer { endWriting() }
    let executable = try compiled(.training, input, target)
    lastPass = nil
    if passes == 0, steps == 0 {
      // Zero as it is. Touched for the first time in the update, which cannot be stopped, it would hold up who wants to.
      for array in 0..<options.optimizer.stateCount { try clear(state.floats + array * gradients.floatCount) }
    }
    try load(input, target, into: executable)
    try pass(executable, "forward and backward", hasGradients: true)
    return Double(executable.outputPointer(0).pointee)
  }

  /// The network's result as training computes it: by the batch's statistics, which the running ones are updated with,
  /// and with dropout.
  package func forward(_ input: HostTensor, to output: HostTensor) throws(SasukaError) {
    try beginWriting()
    defer { endWriting() }
    let executable = try compiled(.training, input, nil)
    try output.expectFloats(executable.outputShape(0), "output")
    lastPass = nil
    try input.read(into: executable.inputPointer(0))
    try pass(executable, "forward", hasGradients: false)
    try executable.read(output: 0, to: output)
  }

  private func pass(
    _ executable: Executable, _ stage: StaticString, hasGradients: Bool
  ) throws(SasukaError) {
    try executable.run(
      stage, random: RandomState(seed: options.seed, iteration: passes), progress: options.progress)
    passes += 1
    lastPass = (executable, hasGradients)
  }

  /// Says which modules' results and gradients can be read after passes in training mode, in place of those before.
  ///
  /// - Throws: `notFound` for a module that does not exist, or that lies before the trainer's input.
  package func watch(_ modules: [String]) throws(SasukaError) {
    for module in modules { _ = try graph.output(ofModule: module) }
    try gate.beginWriting()
    defer { gate.endWriting() }
    watched = modules
    plans = []
    lastPass = nil
  }

  /// Shape of what a watched module computed in the last pass; "output" is the network's result, watched or not.
  package func featureShape(_ name: String) throws(SasukaError) -> Shape {
    try gate.beginReading()
    defer { gate.endReading() }
    let (executable, place) = try feature(name, isGradient: false)
    return executable.outputShape(place)
  }

  /// Copies what a watched module computed in the last pass, or the gradient of the loss with respect to that.
  package func readFeature(_ name: String, isGradient: Bool, to value: HostTensor) throws(SasukaError) {
    try gate.beginReading()
    defer { gate.endReading() }
    let (executable, place) = try feature(name, isGradient: isGradient)
    try executable.read(output: place, to: value)
  }

  private func feature(_ name: String, isGradient: Bool) throws(SasukaError) -> (Executable, Int) {
    let isOutput = name == "output" && !isGradient && !watched.contains(name)
    let place = isOutput ? 0 : try Sasuka.place(of: name, among: watched)
    guard let (executable, hasGradients) = lastPass, hasGradients || !isGradient else {
      throw SasukaError(.wrongState, "no pass of the trainer has computed it since it was watched")
    }
    // Outputs: the loss where there is one, the network's own, features, gradients.
    if isOutput { return (executable, hasGradients ? 1 : 0) }
    let others = graph.outputs.count + (hasGradients ? 1 : 0) + (isGradient ? watched.count : 0)
    return (executable, others + place)
  }

  /// Clips the gradients and changes the weights.
  package func update() throws(SasukaError) {
    try beginWriting()
    defer { endWriting() }
    // Momenta of weights that rest decay to denormal numbers.
    let mode = sasuka_flush_denormals()
    defer { sasuka_restore_denormals(mode) }
    clip()
    let optimizer = options.optimizer
    let rate = learningRate
    let momentum = schedule.momentum(at: steps)
    // One-cycle moves Adam's first beta as it moves momentum, as in PyTorch.
    var moved = optimizer
    if let momentum, optimizer.rule == .adam || optimizer.rule == .adamW { moved.beta1 = momentum }
    let step = steps + 1
    let (pieces, gradients, parameters) = (pieces, gradients, model.parameters)
    let (state, stride) = (state.floats, gradients.floatCount)
    let kernels = model.kernels.slots.pointee.narrow
    pool.run(units: pieces.count) { unit in
      let piece = pieces[unit]
      let offset = gradients.offsets[piece.place] + piece.range.lowerBound
      let update = moved.update(
        step: step, learningRate: rate * piece.learningRateFactor, momentum: momentum ?? optimizer.momentum,
        weightDecay: piece.weightDecay)
      moved.apply(
        update, kernels: kernels, weights: parameters.buffers[piece.place].floats + piece.range.lowerBound,
        gradients: UnsafePointer(gradients.buffer.floats + offset), state: state + offset, stride: stride,
        count: piece.range.count)
    }
    steps = step
    parameters.markChanged(trainable)
  }

  /// One whole step: gradients from zero, forward, backward, update.
  package func step(_ input: HostTensor, _ target: HostTensor) throws(SasukaError) -> Double {
    try zeroGradients()
    let loss = try forwardBackward(input, target)
    try update()
    return loss
  }

  /// Norm of the gradients of the parameters whose names match; 0 for those that are not trained.
  ///
  /// - Throws: `notFound` where no learnt parameter matches.
  package func gradientNorm(_ pattern: String) throws(SasukaError) -> Double {
    let names = NamePattern(pattern)
    var isChosen = [Bool](repeating: false, count: model.parameters.infos.count)
    for (place, info) in model.parameters.infos.enumerated() where info.kind == .weight {
      isChosen[place] = names.matches(info.name)
    }
    guard isChosen.contains(true) else {
      throw SasukaError(.notFound, "no learnt parameter's name matches \"\(pattern)\"")
    }
    try gate.beginReading()
    defer { gate.endReading() }
    return gradientNorm(isChosen)
  }

  /// In a fixed order of summation.
  private func gradientNorm(_ isChosen: [Bool]? = nil) -> Double {
    let kernel = model.kernels.slots.pointee.narrow.sum_squares!
    var sum = 0.0
    for piece in pieces where isChosen?[piece.place] ?? true {
      sum += kernel(
        gradients.buffer.floats + gradients.offsets[piece.place] + piece.range.lowerBound, piece.range.count)
    }
    return sum.squareRoot()
  }

  private func clip() {
    guard options.clipNorm > 0 || options.clipValue > 0 else { return }
    // PyTorch's clip_grad_norm_ has this 1e-6 too.
    let scale = options.clipNorm > 0 ? min(options.clipNorm / (gradientNorm() + 1e-6), 1) : 1
    let limit = options.clipValue > 0 ? Float(options.clipValue) : .infinity
    let kernel = model.kernels.slots.pointee.narrow.scale_and_clamp!
    for piece in pieces {
      let offset = gradients.offsets[piece.place] + piece.range.lowerBound
      kernel(gradients.buffer.floats + offset, piece.range.count, Float(scale), limit)
    }
  }

  /// What an evaluation found: sums over the samples of a batch.
  package struct Evaluation {
    package var lossSum = 0.0
    package var samples = 0
    /// Samples whose class has the highest logit, and whose class is among the five highest.
    package var top1 = 0
    package var top5 = 0
  }

  /// Runs a batch in evaluation mode and compares it with its target.
  package func evaluate(_ input: HostTensor, _ target: HostTensor) throws(SasukaError) -> Evaluation {
    try gate.beginWriting()
    defer { gate.endWriting() }
    try model.gate.beginReading()
    defer { model.gate.endReading() }
    let executable = try compiled(.evaluation, input, target)
    try load(input, target, into: executable)
    try executable.run("evaluate", progress: options.progress)
    let graph = executable.plan.graph
    let shape = graph.shape(graph.outputs[1])
    var result = Evaluation()
    result.samples = shape[0]
    result.lossSum = Double(executable.outputPointer(0).pointee) * Double(shape[0])
    guard options.loss.kind == .crossEntropy else { return result }
    let isProbabilities = options.loss.isProbabilities(target.shape, rank: shape.rank)
    // As they are, neither smoothed nor weighted.
    if isProbabilities { try target.read(into: executable.inputPointer(1)) }
    let ranking = Ranking(
      logits: UnsafePointer(executable.outputPointer(1)), shape: shape,
      target: executable.inputPointer(1), isProbabilities: isProbabilities)
    ranking.count(into: &result)
    let counted = result.samples
    result.lossSum = Double(executable.outputPointer(0).pointee) * Double(counted)
    return result
  }

  private func load(_ input: HostTensor, _ target: HostTensor, into executable: Executable) throws(SasukaError) {
    try input.read(into: executable.inputPointer(0))
    guard options.loss.kind == .crossEntropy else {
      try target.read(into: executable.inputPointer(1))
      return
    }
    let prediction = graph.shape(graph.outputs[0])
    if options.loss.isProbabilities(target.shape, rank: prediction.rank) {
      return try options.loss.readProbabilities(target, into: executable.inputPointer(1))
    }
    let labels = UnsafeMutableRawPointer(executable.inputPointer(1)).assumingMemoryBound(to: Int32.self)
    try target.readLabels(into: labels, range: 0..<prediction[1], exception: options.loss.ignoreIndex)
  }

  /// The plan for these shapes; the last few are kept.
  private func compiled(
    _ mode: Mode, _ input: HostTensor, _ target: HostTensor?
  ) throws(SasukaError) -> Executable {
    if let place = plans.firstIndex(where: {
      $0.mode == mode && $0.input == input.shape && $0.target == target?.shape
    }) {
      let plan = plans.remove(at: place)
      plans.append(plan)
      return plan.executable
    }
    let executable = try Executable(
      plan(mode, input.shape, target?.shape), parameters: model.parameters, gradients: gradients,
      kernels: model.kernels, pool: pool, algorithms: model.options.algorithms, progress: options.progress)
    if plans.count == Trainer.cachedPlans { plans.removeFirst() }
    plans.append(CompiledStep(mode: mode, input: input.shape, target: target?.shape, executable: executable))
    return executable
  }

  private func plan(_ mode: Mode, _ input: Shape, _ target: Shape?) throws(SasukaError) -> Plan {
    let prediction = try graph.outputShape(for: input)
    if let target { try options.loss.checkTarget(target, prediction: prediction) }
    let loss = options.loss.make(target: target, prediction: prediction)
    if mode == .evaluation, let target {
      return try Plan.evaluation(
        of: graph, inputShapes: [input], loss: loss, targetShape: target, lanes: model.kernels.lanes)
    }
    var observed: [Value] = []
    for module in watched { observed.append(try graph.output(ofModule: module)) }
    return try Plan.training(
      of: graph, inputShapes: [input], loss: loss, targetShape: target, trainable: trainable, evaluated: evaluated,
      observing: observed, lanes: model.kernels.lanes)
  }

  /// Takes over counters from a checkpoint whose arrays have been copied already.
  func resume(steps: Int, passes: UInt64, learningRate: Double) {
    self.steps = steps
    self.passes = passes
    baseLearningRate = learningRate
  }
}

/// Counts how often the right class is among the highest.
private struct Ranking {
  let logits: UnsafePointer<Float>
  /// [batch, classes, ...]
  let shape: Shape
  /// Labels (Int32), or probabilities, whose highest is the right class.
  let target: UnsafeRawPointer
  let isProbabilities: Bool

  /// Samples with a label that does not count (negative) are left out.
  func count(into result: inout Trainer.Evaluation) {
    let classes = shape[1]
    let area = shape.count / (shape[0] * classes)
    result.samples = 0
    for image in 0..<shape[0] {
      for place in 0..<area {
        let offset = image * classes * area + place
        var label = 0
        if isProbabilities {
          let probabilities = target.assumingMemoryBound(to: Float.self) + offset
          for other in 1..<max(classes, 1) where probabilities[other * area] > probabilities[label * area] {
            label = other
          }
        } else {
          label = Int(target.assumingMemoryBound(to: Int32.self)[image * area + place])
        }
        guard label >= 0 else { continue }
        result.samples += 1
        let first = logits + offset
        let own = first[label * area]
        var higher = 0
        for other in 0..<classes {
          // Of equal logits the lower class counts as the higher one, as in NumPy's argmax.
          let value = first[other * area]
          if value > own || (value == own && other < label) || (own.isNaN && !value.isNaN) { higher += 1 }
        }
        if higher == 0, !own.isNaN { result.top1 += 1 }
        if higher < 5, !own.isNaN { result.top5 += 1 }
      }
    }
  }
}
