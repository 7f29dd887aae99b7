// Training.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CSystem
import SasukaHeader

private func trainDefaults(_ rule: Optimizer.Rule) -> sasuka_train_options {
  let optimizer = Optimizer(rule)
  var options = sasuka_train_options()
  options.struct_size = MemoryLayout<sasuka_train_options>.size
  options.optimizer = rule.rawValue
  options.learning_rate = optimizer.learningRate
  options.weight_decay = optimizer.weightDecay
  options.beta1 = optimizer.beta1
  options.beta2 = optimizer.beta2
  options.epsilon = optimizer.epsilon
  options.alpha = optimizer.alpha
  options.ignore_index = -100
  return options
}

@_cdecl("sasuka_train_options_init") @implementation
public func sasuka_train_options_init(
  _ options: UnsafeMutablePointer<sasuka_train_options>?, _ struct_size: Int, _ optimizer: sasuka_optimizer
) {
  var defaults = trainDefaults(Optimizer.Rule(rawValue: optimizer) ?? .sgd)
  // An optimiser that does not exist is found when the options are used.
  defaults.optimizer = optimizer
  fillOptions(options, struct_size, defaults)
}

/// The engine's options for the caller's.
private func engineOptions(_ given: sasuka_train_options) throws(SasukaError) -> Trainer.Options {
  var options = Trainer.Options()
  var optimizer = Optimizer(try enumerator(given.optimizer, Optimizer.Rule.self, "options->optimizer"))
  optimizer.learningRate = given.learning_rate
  optimizer.momentum = given.momentum
  optimizer.dampening = given.dampening
  optimizer.nesterov = given.nesterov != 0
  optimizer.weightDecay = given.weight_decay
  optimizer.beta1 = given.beta1
  optimizer.beta2 = given.beta2
  optimizer.epsilon = given.epsilon
  optimizer.alpha = given.alpha
  optimizer.centered = given.centered != 0
  options.optimizer = optimizer
  options.loss.kind = try enumerator(given.loss, LossOptions.Kind.self, "options->loss")
  options.loss.labelSmoothing = given.label_smoothing
  options.loss.ignoreIndex = Int(given.ignore_index)
  if let weights = given.class_weights {
    guard given.class_weight_count > 0, given.class_weight_count <= 1 << 24 else {
      throw SasukaError(
        .invalidArgument, "\(given.class_weight_count) class weights; 1 to \(1 << 24) are expected")
    }
    options.loss.classWeights = Array(UnsafeBufferPointer(start: weights, count: given.class_weight_count))
  }
  options.clipNorm = given.clip_norm
  options.clipValue = given.clip_value
  options.seed = given.seed
  if let start = given.from_module { options.start = String(cString: start) }
  try checkThreads(given.threads)
  options.threads = Int(given.threads)
  options.progress = progressFunction(given.progress, given.progress_user_data)
  return options
}

@_cdecl("sasuka_trainer_create") @implementation
public func sasuka_trainer_create(
  _ model: OpaquePointer?, _ options: UnsafePointer<sasuka_train_options>?,
  _ trainer: UnsafeMutablePointer<OpaquePointer?>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let trainer = try required(trainer, "trainer")
    let given = try readOptions(options, defaults: trainDefaults(.sgd), "options")
    trainer.pointee = handle(try Trainer(unwrapModel(model), options: engineOptions(given)))
  }
}

@_cdecl("sasuka_trainer_destroy") @implementation
public func sasuka_trainer_destroy(_ trainer: OpaquePointer?) { release(trainer, Trainer.self) }

private func unwrapTrainer(_ handle: OpaquePointer?) throws(SasukaError) -> Trainer {
  try object(handle, Trainer.self, "trainer")
}

@_cdecl("sasuka_trainer_add_group") @implementation
public func sasuka_trainer_add_group(
  _ trainer: OpaquePointer?, _ pattern: UnsafePointer<CChar>?, _ learning_rate_factor: Double,
  _ weight_decay: Double, _ frozen: Bool
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try unwrapTrainer(trainer).addGroup(
      text(pattern, "pattern"), learningRateFactor: learning_rate_factor,
      weightDecay: weight_decay == -1 ? nil : weight_decay, isFrozen: frozen)
  }
}

@_cdecl("sasuka_trainer_set_evaluation") @implementation
public func sasuka_trainer_set_evaluation(
  _ trainer: OpaquePointer?, _ pattern: UnsafePointer<CChar>?, _ evaluation: Bool
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try unwrapTrainer(trainer).setEvaluation(text(pattern, "pattern"), evaluation)
  }
}

private func scheduleDefaults(_ kind: sasuka_schedule_kind) -> sasuka_schedule_options {
  var options = sasuka_schedule_options()
  options.struct_size = MemoryLayout<sasuka_schedule_options>.size
  options.kind = kind
  options.warm_up_start = 1.0 / 3
  options.gamma = 0.1
  options.rise = 0.3
  options.initial_divisor = 25
  options.final_divisor = 1e4
  options.cycle_momentum = 1
  options.base_momentum = 0.85
  options.max_momentum = 0.95
  return options
}

@_cdecl("sasuka_schedule_options_init") @implementation
public func sasuka_schedule_options_init(
  _ options: UnsafeMutablePointer<sasuka_schedule_options>?, _ struct_size: Int, _ kind: sasuka_schedule_kind
) {
  fillOptions(options, struct_size, scheduleDefaults(kind))
}

private func positive(_ number: Int64, _ what: StaticString) throws(SasukaError) -> Int {
  guard number >= 1 else { throw SasukaError(.invalidArgument, "\(what) is \(number); at least 1 is expected") }
  return Int(number)
}

private func positive(_ number: Double, _ what: StaticString) throws(SasukaError) -> Double {
  guard number > 0, number < .infinity else {
    throw SasukaError(.invalidArgument, "\(what) is \(describe(number)); a number above 0 is expected")
  }
  return number
}

private func schedule(_ given: sasuka_schedule_options) throws(SasukaError) -> Schedule {
  var schedule = Schedule()
  switch Int(given.kind) {
  case SASUKA_SCHEDULE_CONSTANT: schedule.kind = .constant
  case SASUKA_SCHEDULE_STEP:
    schedule.kind = .step(
      size: try positive(given.step_size, "step_size"), gamma: try positive(given.gamma, "gamma"))
  case SASUKA_SCHEDULE_MULTI_STEP:
    var milestones: [Int] = []
    guard given.milestone_count <= 1 << 20 else {
      throw SasukaError(.invalidArgument, "\(given.milestone_count) milestones; at most \(1 << 20) are expected")
    }
    for place in 0..<given.milestone_count {
      milestones.append(Int(try required(given.milestones, "milestones")[place]))
    }
    schedule.kind = .multiStep(milestones: milestones, gamma: try positive(given.gamma, "gamma"))
  case SASUKA_SCHEDULE_COSINE:
    schedule.kind = .cosine(steps: try positive(given.total_steps, "total_steps"), minimum: given.minimum)
  case SASUKA_SCHEDULE_ONE_CYCLE: schedule.kind = .oneCycle(try oneCycle(given))
  default: throw SasukaError(.invalidArgument, "kind is \(given.kind), which is none of its constants")
  }
  guard given.warm_up_steps >= 0 else {
    throw SasukaError(.invalidArgument, "warm_up_steps is \(given.warm_up_steps); at least 0 is expected")
  }
  schedule.warmUpSteps = Int(given.warm_up_steps)
  schedule.warmUpStart = given.warm_up_start
  return schedule
}

private func oneCycle(_ given: sasuka_schedule_options) throws(SasukaError) -> Schedule.OneCycle {
  var cycle = Schedule.OneCycle(
    steps: try positive(given.total_steps, "total_steps"), maximum: try positive(given.maximum, "maximum"))
  guard given.rise >= 0, given.rise <= 1 else {
    throw SasukaError(.invalidArgument, "rise is \(describe(given.rise)); 0 to 1 is expected")
  }
  cycle.rise = given.rise
  cycle.initialDivisor = try positive(given.initial_divisor, "initial_divisor")
  cycle.finalDivisor = try positive(given.final_divisor, "final_divisor")
  cycle.isLinear = given.linear != 0
  cycle.isThreePhase = given.three_phase != 0
  cycle.momentum = given.cycle_momentum != 0 ? (given.base_momentum, given.max_momentum) : nil
  return cycle
}

@_cdecl("sasuka_trainer_set_schedule") @implementation
public func sasuka_trainer_set_schedule(
  _ trainer: OpaquePointer?, _ options: UnsafePointer<sasuka_schedule_options>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let given = try readOptions(options, defaults: scheduleDefaults(0), "options")
    try unwrapTrainer(trainer).schedule = schedule(given)
  }
}

@_cdecl("sasuka_trainer_learning_rate") @implementation
public func sasuka_trainer_learning_rate(_ trainer: OpaquePointer?) -> Double {
  (try? unwrapTrainer(trainer))?.learningRate ?? 0
}

@_cdecl("sasuka_trainer_set_learning_rate") @implementation
public func sasuka_trainer_set_learning_rate(_ trainer: OpaquePointer?, _ learning_rate: Double) -> sasuka_status {
  guarded { () throws(SasukaError) in try unwrapTrainer(trainer).setLearningRate(learning_rate) }
}

@_cdecl("sasuka_trainer_steps") @implementation
public func sasuka_trainer_steps(_ trainer: OpaquePointer?) -> Int64 {
  Int64((try? unwrapTrainer(trainer))?.steps ?? 0)
}

@_cdecl("sasuka_trainer_zero_gradients") @implementation
public func sasuka_trainer_zero_gradients(_ trainer: OpaquePointer?) -> sasuka_status {
  guarded { () throws(SasukaError) in try unwrapTrainer(trainer).zeroGradients() }
}

@_cdecl("sasuka_trainer_forward_backward") @implementation
public func sasuka_trainer_forward_backward(
  _ trainer: OpaquePointer?, _ input: UnsafePointer<sasuka_tensor>?, _ target: UnsafePointer<sasuka_tensor>?,
  _ loss: UnsafeMutablePointer<Double>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let trainer = try unwrapTrainer(trainer)
    let value = try trainer.forwardBackward(tensor(input, "input"), tensor(target, "target"))
    loss?.pointee = value
  }
}

@_cdecl("sasuka_trainer_update") @implementation
public func sasuka_trainer_update(_ trainer: OpaquePointer?) -> sasuka_status {
  guarded { () throws(SasukaError) in try unwrapTrainer(trainer).update() }
}

@_cdecl("sasuka_trainer_step") @implementation
public func sasuka_trainer_step(
  _ trainer: OpaquePointer?, _ input: UnsafePointer<sasuka_tensor>?, _ target: UnsafePointer<sasuka_tensor>?,
  _ loss: UnsafeMutablePointer<Double>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let trainer = try unwrapTrainer(trainer)
    let value = try trainer.step(tensor(input, "input"), tensor(target, "target"))
    loss?.pointee = value
  }
}

@_cdecl("sasuka_trainer_forward") @implementation
public func sasuka_trainer_forward(
  _ trainer: OpaquePointer?, _ input: UnsafePointer<sasuka_tensor>?, _ output: UnsafeMutablePointer<sasuka_tensor>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try unwrapTrainer(trainer).forward(tensor(input, "input"), to: tensor(UnsafePointer(output), "output"))
  }
}

@_cdecl("sasuka_trainer_watch") @implementation
public func sasuka_trainer_watch(
  _ trainer: OpaquePointer?, _ modules: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int
) -> sasuka_status {
  guarded { () throws(SasukaError) in try unwrapTrainer(trainer).watch(texts(modules, count, "modules")) }
}

@_cdecl("sasuka_trainer_feature_shape") @implementation
public func sasuka_trainer_feature_shape(
  _ trainer: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ shape: UnsafeMutablePointer<Int64>?,
  _ rank: UnsafeMutablePointer<Int32>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try write(unwrapTrainer(trainer).featureShape(text(name, "name")), shape, rank)
  }
}

@_cdecl("sasuka_trainer_feature") @implementation
public func sasuka_trainer_feature(
  _ trainer: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ value: UnsafeMutablePointer<sasuka_tensor>?
) -> sasuka_status { readFeature(trainer, name, isGradient: false, value) }

@_cdecl("sasuka_trainer_feature_gradient") @implementation
public func sasuka_trainer_feature_gradient(
  _ trainer: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ value: UnsafeMutablePointer<sasuka_tensor>?
) -> sasuka_status { readFeature(trainer, name, isGradient: true, value) }

private func readFeature(
  _ trainer: OpaquePointer?, _ name: UnsafePointer<CChar>?, isGradient: Bool,
  _ value: UnsafeMutablePointer<sasuka_tensor>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try unwrapTrainer(trainer).readFeature(
      text(name, "name"), isGradient: isGradient, to: tensor(UnsafePointer(value), "value"))
  }
}

@_cdecl("sasuka_trainer_evaluate") @implementation
public func sasuka_trainer_evaluate(
  _ trainer: OpaquePointer?, _ input: UnsafePointer<sasuka_tensor>?, _ target: UnsafePointer<sasuka_tensor>?,
  _ result: UnsafeMutablePointer<sasuka_evaluation>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let (trainer, result) = (try unwrapTrainer(trainer), try required(result, "result"))
    let found = try trainer.evaluate(tensor(input, "input"), tensor(target, "target"))
    result.pointee = sasuka_evaluation(
      loss_sum: found.lossSum, samples: Int64(found.samples), top1: Int64(found.top1), top5: Int64(found.top5))
  }
}

@_cdecl("sasuka_trainer_gradients") @implementation
public func sasuka_trainer_gradients(
  _ trainer: OpaquePointer?, _ gradients: UnsafeMutablePointer<UnsafeMutablePointer<Float>?>?,
  _ count: UnsafeMutablePointer<Int>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let trainer = try unwrapTrainer(trainer)
    try required(gradients, "gradients").pointee = trainer.gradients.buffer.floats
    try required(count, "count").pointee = trainer.gradients.floatCount
  }
}

@_cdecl("sasuka_trainer_gradient_norm") @implementation
public func sasuka_trainer_gradient_norm(
  _ trainer: OpaquePointer?, _ pattern: UnsafePointer<CChar>?, _ norm: UnsafeMutablePointer<Double>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let (trainer, norm) = (try unwrapTrainer(trainer), try required(norm, "norm"))
    norm.pointee = try trainer.gradientNorm(text(pattern, "pattern"))
  }
}

@_cdecl("sasuka_trainer_memory") @implementation
public func sasuka_trainer_memory(_ trainer: OpaquePointer?) -> Int { (try? unwrapTrainer(trainer))?.memoryBytes ?? 0 }

@_cdecl("sasuka_trainer_gradient_offset") @implementation
public func sasuka_trainer_gradient_offset(
  _ trainer: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ offset: UnsafeMutablePointer<Int>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let trainer = try unwrapTrainer(trainer)
    let name = try text(name, "name")
    guard let place = trainer.model.graph.parameterIndex(name), trainer.gradients.offsets[place] >= 0 else {
      throw SasukaError(.notFound, "no learnt parameter is called \"\(name)\"")
    }
    try required(offset, "offset").pointee = trainer.gradients.offsets[place]
  }
}

@_cdecl("sasuka_model_train_step") @implementation
public func sasuka_model_train_step(
  _ model: OpaquePointer?, _ input: UnsafePointer<sasuka_tensor>?, _ target: UnsafePointer<sasuka_tensor>?,
  _ options: UnsafePointer<sasuka_train_options>?, _ loss: UnsafeMutablePointer<Double>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let box = try object(model, ModelBox.self, "model")
    let loss = try required(loss, "loss")
    let input = try tensor(input, "input")
    let target = try tensor(target, "target")
    let given = try readOptions(options, defaults: trainDefaults(.sgd), "options")
    try box.trainGate.beginWriting()
    defer { box.trainGate.endWriting() }
    loss.pointee = try box.trainer(for: given).step(input, target)
  }
}

extension ModelBox {
  /// The trainer of the last step, or a fresh one where the options are not the last ones'.
  fileprivate func trainer(for given: sasuka_train_options) throws(SasukaError) -> Trainer {
    let options = try engineOptions(given)
    // The module's name may lie where another one lay.
    if let trainer, areEqual(trainer.options, given), trainer.trainer.options.start == options.start {
      return trainer.trainer
    }
    let fresh = try Trainer(model, options: options)
    trainer = (fresh, given)
    return fresh
  }
}

/// Options without padding are equal where their bytes are.
private func areEqual(_ left: sasuka_train_options, _ right: sasuka_train_options) -> Bool {
  withUnsafeBytes(of: left) { left in
    withUnsafeBytes(of: right) { right in memcmp(left.baseAddress!, right.baseAddress!, left.count) == 0 }
  }
}
