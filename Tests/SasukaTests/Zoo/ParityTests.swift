// Every network that torchvision has too, against it: logits, what its modules give, losses, gradients, and what three
// steps of training change. PyTorch computed in float64; both sides made the same weights.
// With SASUKA_PARITY in the environment the test prints a table: ours, and in brackets PyTorch's own float32. Its value is
// 1 for all networks, or names between commas: only they are compared then.
import Foundation
import Sasuka
import Testing

@Suite(.serialized) struct ParityTests {
  /// Networks of papers that torchvision does not have.
  private static let elsewhere = ["lenet5", "cifar_", "all_cnn_"]

  /// A relative error that is more than a thousandth must be float32's own: PyTorch's is of that size too.
  private static func bound(_ golden: GoldenCase, _ attribute: String) throws -> Double {
    max(1e-3, 3 * (try golden.number(attribute)))
  }

  private static let asked = ProcessInfo.processInfo.environment["SASUKA_PARITY"]

  /// 645 million parameters, with gradients and momenta: minutes and gigabytes. Compared where the table is asked for.
  private static let large = "zoo/regnet_y_128gf"

  private static func chosen() throws -> [GoldenCase] {
    let all = try Golden.cases(.zoo)
    guard let asked else { return all.filter { $0.name != large } }
    guard asked != "1" else { return all }
    return try asked.split(separator: ",").map { name in
      guard let golden = all.first(where: { $0.name == "zoo/\(name)" }) else {
        throw GoldenError("SASUKA_PARITY is \(asked): no network is named \(name)")
      }
      return golden
    }
  }

  @Test func everyNetworkOfTorchvisionIsCompared() throws {
    let compared = Set(try Golden.cases(.zoo).map { try $0.string("architecture") })
    let registered = Set(
      Architecture.all.map(\.name).filter { name in !Self.elsewhere.contains { name.hasPrefix($0) } })
    #expect(compared == registered)
    for golden in try Golden.cases(.zoo) {
      for tensor in ["logits", "losses", "gradients", "changes"] { _ = try golden.tensor(tensor) }
    }
  }

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
    let stem = "\(name).input\(size).\(draw)"
    let (noise, colour) = (NamedUniform(stem, -1, 1), NamedUniform(stem + ".colour", -1, 1))
    let pixels = size * size
    return TestTensor(
      [batch, 3, size, size], (0..<(batch * 3 * pixels)).map { noise[$0] + colour[$0 / pixels] })
  }

  /// The largest error as a fraction of the largest logit, within the bounds of the project.
  private static func compare(
    _ logits: TestTensor, _ golden: GoldenTensor, float32Error: Double, _ what: String
  ) -> Double {
    let largest = golden.floats.map(abs).max() ?? 0
    let error = Double(zip(logits.host.floats, golden.floats).map { abs($0 - $1) }.max() ?? 0) / Double(largest)
    #expect(error <= 1e-4, "\(what)")
    #expect(error <= 5 * float32Error, "\(what): PyTorch's float32 has \(float32Error)")
    return error
  }

  @Test(arguments: try chosen())
  func networkMatchesTorchvision(golden: GoldenCase) throws {
    let name = try golden.string("architecture")
    let began = ContinuousClock.now
    let published = try Architecture.named(name).graph().parameters.filter { $0.kind == .weight }
    #expect(published.reduce(0) { $0 + $1.shape.count } == (try golden.integer("published_parameters")))
    let model = try Self.model(golden)
    let weights = model.parameters.infos.filter { $0.kind == .weight }
    #expect(weights.reduce(0) { $0 + $1.shape.count } == (try golden.integer("parameters")))
    #expect(model.parameters.infos.count == (try golden.integer("state")))
    let images = Self.pictures(
      name, try golden.integer("size"), batch: try golden.integer("batch"), draw: try golden.integer("draw"))
    model.fillByName()
    let training = try Self.compareTraining(model, golden, images)
    model.fillByName()
    let logits = TestTensor(try golden.tensor("logits").shape)
    try model.forward(images, to: logits)
    let error = Self.compare(
      logits, try golden.tensor("logits"), float32Error: try golden.number("float32_error"), name)
    let fast = try Self.fastest(model, images)
    _ = Self.compare(fast, try golden.tensor("logits"), float32Error: .infinity, "\(name), fastest")
    if golden["modules"] != nil { try Self.compareModules(model, golden, images) }
    let native = try Self.compareNative(model, golden)
    guard Self.asked != nil else { return }
    try Self.report(golden, [error, training.gradient, training.change, native], ContinuousClock.now - began)
  }

  /// The network as it is drawn, computed exactly.
  private static func model(_ golden: GoldenCase) throws -> Model {
    var settings = Model.Options()
    settings.threads = 2
    settings.algorithms = .exact
    return try Model(Architecture.named(golden.string("architecture")).graph(options(golden)), options: settings)
  }

  /// A row of the table: errors of logits, gradients, after training, of logits at the published size; the pictures'
  /// distance from kinks.
  private static func report(_ golden: GoldenCase, _ errors: [Double?], _ duration: Duration) throws {
    let theirs = ["float32_error", "float32_gradient_error", "float32_change_error", "native_float32_error"]
    let columns = try zip(errors, theirs).map { error, theirs in
      try error.map { String(format: "%.1e (%.1e)", $0, try golden.number(theirs)) } ?? "-"
    }
    let distance = String(format: "%.1f", try golden.number("kink_distance"))
    print(
      "| \(try golden.string("architecture")) | \(try golden.integer("published_parameters")) |",
      "\(columns.joined(separator: " | ")) | \(distance) | \(duration)")
  }

  /// The logits by the algorithms that are chosen where speed counts.
  private static func fastest(_ model: Model, _ images: TestTensor) throws -> TestTensor {
    var options = Session.Options()
    options.algorithms = .fastest
    let session = try Session(model, inputShape: Shape(images.shape), options: options)
    let logits = TestTensor(session.outputShape.dimensions)
    try withExtendedLifetime((images, logits)) { try session.run(images.tensor, to: logits.tensor) }
    return logits
  }

  /// At the size that the network was made for, whose layers are computed by other algorithms than those of smaller maps:
  /// against float64 where there are golden logits, else against the exact ones, which the smaller size has checked.
  private static func compareNative(_ model: Model, _ golden: GoldenCase) throws -> Double? {
    let name = try golden.string("architecture")
    let size = model.graph.shape(model.graph.inputs[0])[2]
    let images = pictures(name, size, batch: 1, draw: 0)
    let result = TestTensor([1, try golden.integer("classes")])
    guard let expected = golden["native_logits"] else {
      // With weights as they are drawn: those by name were made for the smaller size, and in the deepest networks roundings
      // grow to whole numbers at this one, of plain sums too.
      let drawn = try Self.model(golden)
      try drawn.forward(images, to: result)
      expectClose(try fastest(drawn, images).host, result.host, tolerance: 1e-4, "\(name), fastest, native size")
      return nil
    }
    try model.forward(images, to: result)
    let fast = try fastest(model, images)
    #expect(try golden.integer("native_size") == size)
    _ = compare(fast, expected, float32Error: .infinity, "\(name), fastest, native size")
    return compare(
      result, expected, float32Error: try golden.number("native_float32_error"), "\(name), native size")
  }

  private static func compareModules(_ model: Model, _ golden: GoldenCase, _ images: TestTensor) throws {
    guard case .list(let list) = golden.attributes["modules"] else { throw GoldenError("\(golden.name): no modules") }
    let names = list.compactMap(\.string)
    var options = Session.Options()
    options.features = names
    let session = try Session(model, inputShape: Shape(images.shape), options: options)
    let logits = TestTensor(try golden.tensor("logits").shape)
    try withExtendedLifetime(logits) { try session.run(images.tensor, to: logits.tensor) }
    for (name, expected) in zip(names, GoldenDigest.rows(of: try golden.tensor("modules"))) {
      let value = TestTensor(try session.featureShape(name).dimensions)
      try session.readFeature(name, to: value.tensor)
      let floats = value.host.floats
      let digest = floats.withUnsafeBufferPointer { Digest(name, $0.baseAddress!, count: $0.count, signs: 1) }
      #expect(digest.distance(to: expected) <= 1e-5 * expected.norm, "\(golden.name): module \(name)")
    }
  }

  /// The worst relative errors of gradients and of changes after the last step.
  private static func compareTraining(
    _ model: Model, _ golden: GoldenCase, _ images: TestTensor
  ) throws -> (gradient: Double, change: Double) {
    var settings = Trainer.Options()
    settings.optimizer.learningRate = try golden.number("lr")
    settings.optimizer.momentum = try golden.number("momentum")
    settings.optimizer.weightDecay = try golden.number("weight_decay")
    let trainer = try Trainer(model, options: settings)
    let classes = try golden.integer("classes")
    let labels = TestTensor([images.shape[0]], integers: (0..<images.shape[0]).map { Int32($0 * 7 % classes) })
    var worstGradient = 0.0
    for (step, expected) in try golden.tensor("losses").floats.enumerated() {
      let loss = try trainer.step(images, labels)
      #expect(abs(loss - Double(expected)) <= 1e-4 * max(Double(expected), 1), "\(golden.name): loss of step \(step)")
      if step == 0 { worstGradient = try compareGradients(trainer, golden) }
    }
    return (worstGradient, try compareChanges(model, golden))
  }

  private static func compareGradients(_ trainer: Trainer, _ golden: GoldenCase) throws -> Double {
    let expected = GoldenDigest.rows(of: try golden.tensor("gradients"))
    let all = expected.reduce(0) { $0 + $1.norm * $1.norm }.squareRoot()
    let least = 1e-4 * all
    let bound = try bound(golden, "float32_gradient_error")
    let weights = trainer.model.parameters.infos.enumerated().filter { $0.element.kind == .weight }
    try #require(weights.count == expected.count)
    var worst = 0.0
    for ((place, info), expected) in zip(weights, expected) {
      let start = try #require(trainer.gradients.pointer(toParameter: place))
      let digest = Digest(info.name, UnsafePointer(start), count: info.shape.count, signs: expected.sums.count)
      // What a batch normalisation removes, a shift before it, has a gradient of roundings only: of numbers as large as the
      // whole gradient, of which 3e-7 is two and a half times what float32 tells apart.
      let error = digest.distance(to: expected) / max(expected.norm, least)
      #expect(error <= (expected.norm < least ? max(bound, 3e-3) : bound), "\(golden.name): gradient of \(info.name)")
      worst = max(worst, error)
    }
    return worst
  }

  private static func compareChanges(_ model: Model, _ golden: GoldenCase) throws -> Double {
    let expected = GoldenDigest.rows(of: try golden.tensor("changes"))
    let bound = try bound(golden, "float32_change_error")
    let changing = model.parameters.infos.enumerated().filter { $0.element.kind != .counter }
    try #require(changing.count == expected.count)
    var worst = 0.0
    for ((place, info), expected) in zip(changing, expected) {
      let (numbers, before) = (UnsafePointer(model.parameters.buffers[place].floats), model.filling(info))
      var size = 0.0
      let digest = Digest(info.name, count: info.shape.count, signs: expected.sums.count) { index in
        let earlier = Double(before[index])
        size += earlier * earlier
        return Double(numbers[index]) - earlier
      }
      // A number that changes little keeps the rounding of the number itself.
      let error = max(digest.distance(to: expected) - 2e-7 * size.squareRoot(), 0) / max(expected.norm, 1e-30)
      #expect(error <= bound, "\(golden.name): \(info.name) after training")
      worst = max(worst, error)
    }
    return worst
  }
}
