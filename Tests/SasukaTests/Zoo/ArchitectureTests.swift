// The networks' sizes are those their authors and torchvision publish; options change the first and the last layer.
import Sasuka
import Testing

@Suite struct ArchitectureTests {
  /// Learnt parameters for 1000 classes, from torchvision's documentation.
  private static let published = [
    "alexnet": 61_100_840, "vgg11": 132_863_336, "vgg11_bn": 132_868_840, "vgg13": 133_047_848, "vgg13_bn": 133_053_736,
    "vgg16": 138_357_544, "vgg16_bn": 138_365_992, "vgg19": 143_667_240, "vgg19_bn": 143_678_248,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672, "resnet50": 25_557_032, "resnet101": 44_549_160, "resnet152": 60_192_808,
    "resnext50_32x4d": 25_028_904, "resnext101_32x8d": 88_791_336, "resnext101_64x4d": 83_455_272,
    "wide_resnet50_2": 68_883_240, "wide_resnet101_2": 126_886_696, "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496, "densenet121": 7_978_856, "densenet161": 28_681_000, "densenet169": 14_149_480,
    "densenet201": 20_013_928, "shufflenet_v2_x0_5": 1_366_792, "shufflenet_v2_x1_0": 2_278_604,
    "shufflenet_v2_x1_5": 3_503_624, "shufflenet_v2_x2_0": 7_393_996, "mobilenet_v2": 3_504_872,
    // With their auxiliary classifiers, which torchvision's table leaves out of GoogLeNet's 6,624,904.
    "googlenet": 13_004_888, "inception_v3": 27_161_264,
    "mnasnet0_5": 2_218_512, "mnasnet0_75": 3_170_208, "mnasnet1_0": 4_383_312, "mnasnet1_3": 6_282_256,
  ]

  private static func learnt(_ graph: Graph) -> Int {
    graph.parameters.filter { $0.kind == .weight }.reduce(0) { $0 + $1.shape.count }
  }

  @Test(arguments: published.keys.sorted())
  func sizesAreThePublishedOnes(name: String) throws {
    let graph = try Architecture.named(name).graph()
    #expect(Self.learnt(graph) == Self.published[name])
    #expect(graph.shape(graph.outputs[0]) == Shape([1, 1000]))
  }

  @Test func everyNameIsListedOnceAndBuilds() throws {
    let names = Architecture.all.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(Set(names).isSuperset(of: Self.published.keys))
    for architecture in Architecture.all {
      let graph = try architecture.graph()
      let parameters = graph.parameters.map(\.name)
      #expect(Set(parameters).count == parameters.count, "\(architecture.name)")
    }
  }

  @Test(arguments: [20, 32, 44, 56, 110])
  func depthOfACIFARResNetCountsItsLayersWithoutProjections(depth: Int) throws {
    let graph = try Architecture.named("cifar_resnet\(depth)").graph()
    let layers = graph.parameters.filter { $0.shape.rank > 1 && !$0.name.contains("downsample") }
    #expect(layers.count == depth)
    #expect(graph.shape(graph.outputs[0]) == Shape([1, 10]))
  }

  @Test func optionsChangeTheFirstAndTheLastLayer() throws {
    var options = ArchitectureOptions()
    (options.classes, options.inputChannels) = (7, 1)
    for architecture in Architecture.all {
      let graph = try architecture.graph(options)
      #expect(graph.shape(graph.outputs[0]) == Shape([1, 7]), "\(architecture.name)")
      #expect(graph.shape(graph.inputs[0])[1] == 1, "\(architecture.name)")
    }
    options.classes = -1
    #expect(throws: SasukaError(.invalidArgument, "num_classes is -1; 0 (as published) to 1048576 are expected")) {
      try Architecture.named("resnet18").graph(options)
    }
  }

  @Test func unknownNamesSayWhatThereIs() {
    let error = #expect(throws: SasukaError.self) { try Architecture.named("resnet19") }
    #expect(error?.code == .notFound)
    #expect(error?.message.contains("resnet18, resnet34") == true)
  }
}
