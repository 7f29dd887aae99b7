// What a session gives does not depend on what it ran before.
import Sasuka
import Testing

@Suite struct RepeatedRunTests {
  /// One of each family, but for those whose classifiers are most of their numbers.
  private static let names = [
    "resnet18", "resnext50_32x4d", "squeezenet1_1", "densenet121", "googlenet", "inception_v3", "shufflenet_v2_x1_0",
    "mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "efficientnet_b0", "regnet_y_400mf", "all_cnn_c",
    "cifar_resnet20",
  ]

  @Test(arguments: names)
  func firstAndHundredthRunGiveTheSameBits(name: String) throws {
    let model = try Model(Architecture.named(name).graph())
    // With first weights, pictures that differ may give the same: GoogLeNet's maps vanish.
    model.fillByName()
    let side = name == "inception_v3" ? 75 : 48
    let shape = [1, 3, side, side]
    let pictures = [TestTensor.noise(shape, "one"), TestTensor.noise(shape, "other")]
    var options = Session.Options()
    options.threads = 2
    let session = try Session(model, inputShape: Shape(shape), options: options)
    let logits = TestTensor(session.outputShape.dimensions)
    func run(_ picture: Int) throws -> [UInt32] {
      try withExtendedLifetime((pictures, logits)) { try session.run(pictures[picture].tensor, to: logits.tensor) }
      return logits.host.floats.map(\.bitPattern)
    }
    let first = try run(0)
    for _ in 2..<100 { _ = try run(1) }
    #expect(try run(1) != first)
    #expect(try run(0) == first)
  }
}
