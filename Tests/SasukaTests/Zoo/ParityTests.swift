// Every network that torchvision has too, against it: logits, what its modules give, losses, gradients, and what three
// steps of training change. PyTorch computed in float64; both sides made the same weights.
import Foundation
import Sasuka
import Testing

@Suite(.serialized) struct ParityTests {
  private static func options(_ golden: GoldenCase) throws -> ArchitectureOptions {
    var options = ArchitectureOptions()
    options.classes = try golden.integer("classes")
    guard case .object(let choices) = golden.attributes["choices"] else { return options }
    options.dropout = choices["dropout"]?.number.map { Float($0) }
    options.auxiliaryDropout = choices["dropout_aux"]?.number.map { Float($0) }
    options.stochasticDepth = choices["stochastic_depth"]?.number.map { Float($0) }
    options.widthMultiplier = choices["width_mult"]?.number
    options.hasAuxiliaryHeads = choices["aux_logits"]?.boolean
    options.transformsInput = choices["transform_input"]?.boolean
    options.zeroInitializesResiduals = choices["zero_init_residual"]?.boolean
    return options
  }

  private static func pictures(_ name: String, _ size: Int, batch: Int, draw: Int) -> TestTensor {
    var numbers = [Float](repeating: 0, count: batch * 3 * size * size)
    numbers.withUnsafeMutableBufferPointer {
      NamedBits("\(name).input\(size).\(draw)").fill($0.baseAddress!, count: $0.count, -2, 2)
    }
    return TestTensor([batch, 3, size, size], numbers)
  }

  /// The largest error as a fraction of the largest logit, within the bounds of the project.
  @discardableResult
  private static func compare(
    _ logits: TestTensor, _ golden: GoldenTensor, float32Error: Double, _ what: String
  ) -> Double {
    let largest = golden.floats.map(abs).max() ?? 0
    let error = Double(zip(logits.host.floats, golden.floats).map { abs($0 - $1) }.max() ?? 0) / Double(largest)
    #expect(error <= 1e-4, "\(what)")
    // Of forty numbers the largest error is a matter of luck, in PyTorch too: below a few roundings it says nothing.
    #expect(error <= max(5 * float32Error, 3e-6), "\(what): PyTorch's float32 has \(float32Error)")
    return error
  }

  @Test(arguments: try Golden.cases(.zoo))
  func networkMatchesTorchvision(golden: GoldenCase) throws {
    let name = try golden.string("architecture")
    let (size, batch) = (try golden.integer("size"), try golden.integer("batch"))
    var settings = Model.Options()
    settings.threads = 2
    settings.algorithms = .exact
    let model = try Model(Architecture.named(name).graph(Self.options(golden)), options: settings)
    let weights = model.parameters.infos.filter { $0.kind == .weight }
    #expect(weights.reduce(0) { $0 + $1.shape.count } == (try golden.integer("parameters")))
    #expect(model.parameters.infos.count == (try golden.integer("state")))
    model.fillByName()

    let images = Self.pictures(name, size, batch: batch, draw: try golden.integer("draw"))
    let logits = TestTensor(try golden.tensor("logits").shape)
    try model.forward(images, to: logits)
    var report = [
      Self.compare(logits, try golden.tensor("logits"), float32Error: try golden.number("float32_error"), name)
    ]
    var fastest = Session.Options()
    fastest.algorithms = .fastest
    let fast = try Session(model, inputShape: Shape(images.shape), options: fastest)
    try withExtendedLifetime(logits) { try fast.run(images.tensor, to: logits.tensor) }
    Self.compare(logits, try golden.tensor("logits"), float32Error: .infinity, "\(name), fastest")
    if let native = golden["native_logits"] {
      let result = TestTensor(native.shape)
      try model.forward(Self.pictures(name, golden.integer("native_size"), batch: 1, draw: 0), to: result)
      Self.compare(result, native, float32Error: try golden.number("native_float32_error"), "\(name), native size")
    }
    if golden["modules"] != nil { try Self.compareModules(model, golden, images) }
    if golden["losses"] != nil { report += try Self.compareTraining(model, golden, images) }
    if ProcessInfo.processInfo.environment["SASUKA_PARITY"] != nil {
      let float32 = try golden.number("float32_error")
      let columns = (report + [float32]).map { String(format: "%.1e", $0) }.joined(separator: " | ")
      print("| \(name) | \(weights.reduce(0) { $0 + $1.shape.count }) | \(columns) |")
    }
  }

  private static func compareModules(_ model: Model, _ golden: GoldenCase, _ images: TestTensor) throws {
    guard case .list(let list) = golden.attributes["modules"] else { throw GoldenError("\(golden.name): no modules") }
    let names = list.compactMap(\.string)
    let expected = try golden.tensor("modules").floats
    var options = Session.Options()
    options.features = names
    let session = try Session(model, inputShape: Shape(images.shape), options: options)
    let logits = TestTensor(try golden.tensor("logits").shape)
    try withExtendedLifetime(logits) { try session.run(images.tensor, to: logits.tensor) }
    for (place, name) in names.enumerated() {
      let shape = try session.featureShape(name)
      let value = TestTensor(shape.dimensions)
      try session.readFeature(name, to: value.tensor)
      let floats = value.host.floats
      let digest = floats.withUnsafeBufferPointer { Digest(name, $0.baseAddress!, count: $0.count) }
      let row = expected[(place * Digest.count)..<((place + 1) * Digest.count)]
      #expect(digest.distance(to: row) <= 1e-5 * Double(row.first!), "\(golden.name): module \(name)")
    }
  }

  /// The worst relative errors of gradients and of changes after the last step.
  private static func compareTraining(_ model: Model, _ golden: GoldenCase, _ images: TestTensor) throws -> [Double] {
    var settings = Trainer.Options()
    settings.optimizer.learningRate = try golden.number("lr")
    settings.optimizer.momentum = try golden.number("momentum")
    settings.optimizer.weightDecay = try golden.number("weight_decay")
    let trainer = try Trainer(model, options: settings)
    let classes = try golden.integer("classes")
    let labels = TestTensor([images.shape[0]], integers: (0..<images.shape[0]).map { Int32($0 * 7 % classes) })
    let before = model.parameters.infos.map { model.numbers($0.name)?.floats ?? [] }
    let losses = try golden.tensor("losses").floats
    var worstGradient = 0.0
    for step in losses.indices {
      let loss = try trainer.step(images, labels)
      #expect(abs(loss - Double(losses[step])) <= 1e-3 * Double(losses[step]), "\(golden.name): loss of step \(step)")
      if step == 0 { worstGradient = try compareGradients(trainer, golden) }
    }
    let expected = try golden.tensor("changes").floats
    var (row, worstChange) = (0, 0.0)
    for (place, info) in model.parameters.infos.enumerated() where info.kind != .counter {
      let numbers = UnsafePointer(model.parameters.buffers[place].floats)
      let digest = Digest(info.name, numbers, count: info.shape.count, minus: before[place])
      let reference = expected[row..<(row + Digest.count)]
      row += Digest.count
      // A number that changes little keeps the rounding of the number itself.
      let size = before[place].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      let (error, change) = (digest.distance(to: reference), Double(reference.first!))
      #expect(error <= 1e-3 * change + 2e-7 * size, "\(golden.name): \(info.name) after \(losses.count) steps")
      worstChange = max(worstChange, max(error - 2e-7 * size, 0) / max(change, 1e-30))
    }
    return [worstGradient, worstChange]
  }

  private static func compareGradients(_ trainer: Trainer, _ golden: GoldenCase) throws -> Double {
    let expected = try golden.tensor("gradients").floats
    var (row, worst) = (0, 0.0)
    let all = stride(from: 0, to: expected.count, by: Digest.count).map { expected[$0] * expected[$0] }.reduce(0, +)
      .squareRoot()
    for (place, info) in trainer.model.parameters.infos.enumerated() where info.kind == .weight {
      let start = try #require(trainer.gradients.pointer(toParameter: place))
      let digest = Digest(info.name, UnsafePointer(start), count: info.shape.count)
      let reference = expected[row..<(row + Digest.count)]
      row += Digest.count
      // What a batch normalisation removes, a shift before it, has a gradient of roundings only.
      let norm = max(Double(reference.first!), 1e-4 * Double(all))
      let error = digest.distance(to: reference) / norm
      #expect(error <= 1e-3, "\(golden.name): gradient of \(info.name)")
      worst = max(worst, error)
    }
    #expect(row == expected.count)
    return worst
  }
}
