// Optimisers, clipping and schedules against PyTorch over ten steps and more.
import Sasuka
import Testing

@Suite struct OptimizerTests {
  private static let parameters = [("weight", [3, 5]), ("bias", [7])]

  /// A model with the goldens' two parameters, which a layer beside the prediction reads: a trainer leaves others alone.
  private static func trainer(_ options: Trainer.Options, kernels: InstructionSet) throws -> Trainer {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 2]))
    for (name, shape) in parameters {
      let value = try graph.addParameter(name, shape: Shape(shape), initializer: .constant(0))
      _ = try graph.activation(value, .relu, name: "reads \(name)")
    }
    graph.outputs = [try graph.activation(input, .relu, name: "relu")]
    return try Trainer(Model(graph, instructionSet: kernels), options: options)
  }

  private static func optimizer(of golden: GoldenCase) throws -> Optimizer {
    let rules: [String: Optimizer.Rule] = ["sgd": .sgd, "adam": .adam, "adamw": .adamW, "rmsprop": .rmsProp]
    var optimizer = Optimizer(try #require(rules[golden.operatorName]))
    optimizer.learningRate = try golden.number("lr")
    optimizer.weightDecay = try golden.number("weight_decay")
    if golden.attributes["betas"] != nil {
      let betas = try golden.numbers("betas")
      (optimizer.beta1, optimizer.beta2) = (betas[0], betas[1])
    }
    if golden.attributes["eps"] != nil { optimizer.epsilon = try golden.number("eps") }
    if golden.attributes["momentum"] != nil { optimizer.momentum = try golden.number("momentum") }
    if golden.attributes["dampening"] != nil { optimizer.dampening = try golden.number("dampening") }
    if golden.attributes["nesterov"] != nil { optimizer.nesterov = try golden.boolean("nesterov") }
    if golden.attributes["alpha"] != nil { optimizer.alpha = try golden.number("alpha") }
    if golden.attributes["centered"] != nil { optimizer.centered = try golden.boolean("centered") }
    return optimizer
  }

  private static func setGradient(_ trainer: Trainer, _ name: String, _ numbers: ArraySlice<Float>) throws {
    let place = try #require(trainer.model.graph.parameterIndex(name))
    let start = try #require(trainer.gradients.pointer(toParameter: place))
    for (index, number) in numbers.enumerated() { start[index] = number }
  }

  @Test(arguments: try Golden.cases(.optimizers, of: "sgd", "adam", "adamw", "rmsprop"))
  func tenStepsMatchPyTorch(golden: GoldenCase) throws {
    var options = Trainer.Options()
    options.optimizer = try Self.optimizer(of: golden)
    for kernels in InstructionSet.available {
      let trainer = try Self.trainer(options, kernels: kernels)
      for (name, _) in Self.parameters { trainer.model.set(name, try golden.tensor(name).floats) }
      for step in 0..<10 {
        for (name, shape) in Self.parameters {
          let count = shape.reduce(1, *)
          let gradients = try golden.tensor(name + "_gradients").floats
          try Self.setGradient(trainer, name, gradients[(step * count)..<((step + 1) * count)])
        }
        try trainer.update()
        for (name, shape) in Self.parameters {
          let count = shape.reduce(1, *)
          let values = try golden.tensor(name + "_values").floats[(step * count)..<((step + 1) * count)]
          expectClose(
            trainer.model.numbers(name), HostTensor(shape, Array(values)), tolerance: 2e-6,
            "\(kernels) \(name) after step \(step + 1)")
        }
      }
    }
  }

  @Test(arguments: try Golden.cases(.optimizers, of: "clip_norm", "clip_value"))
  func clippingMatchesPyTorch(golden: GoldenCase) throws {
    var options = Trainer.Options()
    if golden.operatorName == "clip_norm" {
      options.clipNorm = try golden.number("max_norm")
    } else {
      options.clipValue = try golden.number("clip_value")
    }
    let trainer = try Self.trainer(options, kernels: .best)
    for (name, _) in Self.parameters {
      try Self.setGradient(trainer, name, try golden.tensor(name + "_gradient").floats[...])
    }
    try trainer.update()
    for (name, _) in Self.parameters {
      expectClose(trainer.gradient(name), golden[name + "_gradient_after"], tolerance: 1e-6, name)
    }
  }

  private static func schedule(of golden: GoldenCase) throws -> Schedule {
    var schedule = Schedule()
    switch golden.operatorName {
    case "step":
      schedule.kind = .step(size: try golden.integer("step_size"), gamma: try golden.number("gamma"))
    case "multi_step":
      schedule.kind = .multiStep(milestones: try golden.integers("milestones"), gamma: try golden.number("gamma"))
    case "cosine", "warm_up_cosine":
      schedule.kind = .cosine(steps: try golden.integer("T_max"), minimum: try golden.number("eta_min"))
    case "one_cycle":
      var cycle = Schedule.OneCycle(
        steps: try golden.integer("total_steps"), maximum: try golden.number("max_lr"))
      cycle.rise = try golden.number("pct_start")
      cycle.initialDivisor = try golden.number("div_factor")
      cycle.finalDivisor = try golden.number("final_div_factor")
      cycle.isLinear = try golden.string("anneal_strategy") == "linear"
      cycle.isThreePhase = try golden.boolean("three_phase")
      cycle.momentum =
        try golden.boolean("cycle_momentum")
        ? (try golden.number("base_momentum"), try golden.number("max_momentum")) : nil
      schedule.kind = .oneCycle(cycle)
    default: break
    }
    if golden.attributes["start_factor"] != nil {
      schedule.warmUpSteps = try golden.integer("total_iters")
      schedule.warmUpStart = try golden.number("start_factor")
    }
    return schedule
  }

  @Test(arguments: try Golden.cases(.schedules))
  func schedulesMatchPyTorch(golden: GoldenCase) throws {
    let schedule = try Self.schedule(of: golden)
    let (base, momentum) = (try golden.number("lr"), try golden.number("momentum"))
    let rates = try golden.numbers("learning_rates")
    for (step, rate) in rates.enumerated() {
      let found = schedule.learningRate(at: step, base: base)
      #expect(abs(found - rate) <= 1e-12 + 1e-9 * rate, "step \(step): \(found), expected \(rate)")
    }
    for (step, expected) in try golden.numbers("momenta").enumerated() {
      let found = schedule.momentum(at: step) ?? momentum
      #expect(abs(found - expected) <= 1e-9, "step \(step): \(found), expected \(expected)")
    }
  }
}
