// Plans without one of the compiler's passes: another plan, the same numbers within the bound of the project.
import Sasuka
import Testing

@Suite struct PassSwitchTests {
  /// Residual sums, depthwise convolutions, channels that are shuffled, concatenations, an auxiliary head.
  private static let names = ["resnet18", "mobilenet_v2", "shufflenet_v2_x0_5", "densenet121", "googlenet"]
  /// One picture: concatenations of more are not written in place.
  private static let shape = Shape([1, 3, 64, 64])
  private static let passes = CompilerPass.names.description.split(separator: " ").map(String.init)

  private static func plan(_ model: Model, _ passes: PassChoice) throws -> Plan {
    // Large enough for bands.
    let shape = Shape([1, 3, 96, 96])
    return try Plan.evaluation(of: model.graph, inputShapes: [shape], passes: passes, lanes: model.kernels.lanes)
  }

  private static func logits(_ model: Model, _ input: TestTensor, _ passes: PassChoice) throws -> HostTensor {
    var options = Session.Options()
    options.passes = passes
    let session = try Session(model, inputShape: shape, options: options)
    let logits = TestTensor(session.outputShape.dimensions)
    try withExtendedLifetime((input, logits)) { try session.run(input.tensor, to: logits.tensor) }
    return logits.host
  }

  @Test(arguments: names, [false, true])
  func numbersStay(name: String, exact: Bool) throws {
    var options = Model.Options()
    (options.threads, options.algorithms) = (2, exact ? .exact : .fastest)
    let model = try Model(Architecture.named(name).graph(), options: options)
    model.fillByName()
    let input = TestTensor.noise(Self.shape.dimensions, "pictures")
    let expected = try Self.logits(model, input, PassChoice())
    for list in Self.passes + [Self.passes.joined(separator: ",")] {
      let actual = try Self.logits(model, input, PassChoice(without: list))
      expectClose(actual, expected, tolerance: 1e-4, "\(name) without \(list)")
    }
  }

  /// Concatenations whose first part lies at their beginning.
  private static func joinedInPlace(_ plan: Plan) -> Int {
    plan.graph.nodes.count {
      $0.operation.kind == "concatenate" && plan.offset(of: $0.inputs[0]) == plan.offset(of: $0.outputs[0])
    }
  }

  /// All but that of batches, which makes two plans of one.
  @Test(arguments: CompilerPass.allCases.filter { $0 != .pictures })
  func everySwitchChangesThePlan(pass: CompilerPass) throws {
    let name =
      switch pass {
      case .deadBranches: "googlenet"
      case .channels: "shufflenet_v2_x0_5"
      case .bands: "mobilenet_v2"
      case .inPlace: "densenet121"
      case .folding, .fusion, .pictures, .layout, .reuse: "resnet18"
      }
    let model = try Model(Architecture.named(name).graph())
    let (all, some) = (
      try Self.plan(model, PassChoice()), try Self.plan(model, PassChoice(without: Self.passes[pass.rawValue]))
    )
    switch pass {
    case .deadBranches, .folding, .fusion, .channels, .bands, .pictures, .layout:
      #expect(some.graph.nodes.count > all.graph.nodes.count)
    case .inPlace: #expect(Self.joinedInPlace(some) == 0 && Self.joinedInPlace(all) > 40)
    case .reuse: #expect(some.arenaFloatCount > all.arenaFloatCount)
    }
  }

  @Test func unknownNamesAreToldWhatThereIs() {
    let known = "dead_branches folding fusion channels bands pictures layout in_place reuse"
    #expect(Self.passes.count == CompilerPass.allCases.count)
    for (list, wrong) in [("folding,fuse", "fuse"), ("", ""), ("layout,", ""), ("Layout", "Layout")] {
      #expect(throws: SasukaError(.notFound, "\"\(wrong)\" is none of the compiler's passes: \(known)")) {
        try PassChoice(without: list)
      }
    }
  }
}
