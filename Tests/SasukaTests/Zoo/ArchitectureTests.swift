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
    "efficientnet_b0": 5_288_548, "efficientnet_b1": 7_794_184, "efficientnet_b2": 9_109_994,
    "efficientnet_b3": 12_233_232, "efficientnet_b4": 19_341_616, "efficientnet_b5": 30_389_784,
    "efficientnet_b6": 43_040_704, "efficientnet_b7": 66_347_960, "mobilenet_v3_large": 5_483_032,
    "mobilenet_v3_small": 2_542_856, "regnet_x_16gf": 54_278_536, "regnet_x_1_6gf": 9_190_136,
    "regnet_x_32gf": 107_811_560, "regnet_x_3_2gf": 15_296_552, "regnet_x_400mf": 5_495_976,
    "regnet_x_800mf": 7_259_656, "regnet_x_8gf": 39_572_648, "regnet_y_128gf": 644_812_894, "regnet_y_16gf": 83_590_140,
    "regnet_y_1_6gf": 11_202_430, "regnet_y_32gf": 145_046_770, "regnet_y_3_2gf": 19_436_338,
    "regnet_y_400mf": 4_344_144, "regnet_y_800mf": 6_432_512, "regnet_y_8gf": 39_381_472,
  ]

  /// Nets for digits and CIFAR-10: counted from the tables of their papers; the Wide ResNet's has 36.5 million.
  private static let publishedForTenClasses = [
    "lenet5": 61_706, "cifar_wide_resnet28_10": 36_479_194, "all_cnn_a": 1_254_250, "all_cnn_c": 1_369_738,
  ]

  @Test(arguments: publishedForTenClasses.keys.sorted())
  func sizesOfSmallNetworksAreThePublishedOnes(name: String) throws {
    let graph = try Architecture.named(name).graph()
    #expect(Self.learnt(graph) == Self.publishedForTenClasses[name])
    #expect(graph.shape(graph.outputs[0]) == Shape([1, 10]))
  }

  @Test func choicesThatANetworkDoesNotOfferAreRefused() throws {
    var options = ArchitectureOptions()
    options.hasAuxiliaryHeads = false
    #expect(throws: SasukaError(.invalidArgument, "resnet18 has no option aux_logits; leave it as _init set it")) {
      try Architecture.named("resnet18").graph(options)
    }
    let heads = try Architecture.named("googlenet").graph(options)
    #expect(heads.outputs.count == 1)
    #expect(!heads.parameters.contains { $0.name.hasPrefix("aux") })
    options = ArchitectureOptions()
    options.dropout = 1.5
    #expect(throws: SasukaError(.invalidArgument, "dropout is 1.5; 0 to 1 is expected")) {
      try Architecture.named("vgg16").graph(options)
    }
  }

  @Test func residualsThatBeginAtZeroAreTheIdentity() throws {
    var options = ArchitectureOptions()
    options.zeroInitializesResiduals = true
    for (name, last) in [("resnet18", "bn2"), ("resnet50", "bn3"), ("cifar_resnet20", "bn2")] {
      let graph = try Architecture.named(name).graph(options)
      for parameter in graph.parameters where parameter.name.hasPrefix("layer") && parameter.name.hasSuffix("weight") {
        let isLast = parameter.name.hasSuffix(".\(last).weight")
        #expect((parameter.initializer == .constant(0)) == isLast, "\(name) \(parameter.name)")
      }
    }
  }

  @Test func stochasticDepthGrowsWithTheBlocksDepth() throws {
    var options = ArchitectureOptions()
    options.stochasticDepth = 0.5
    let graph = try Architecture.named("resnet18").graph(options)
    let nodes = graph.nodes.filter { $0.operation.kind == "stochastic_depth" }
    #expect(nodes.map(\.name).first == "layer1.0.stochastic_depth")
    #expect(nodes.count == 8)
  }

  @Test(arguments: [("alexnet", 63), ("inception_v3", 75), ("vgg16", 32), ("lenet5", 32)])
  func pictureThatIsTooSmallIsToldTheSmallest(name: String, smallest: Int) throws {
    let model = try Model(Architecture.named(name).graph())
    let channels = model.graph.shape(model.graph.inputs[0])[1]
    let error = #expect(throws: SasukaError.self) {
      try model.outputShape(for: Shape([1, channels, smallest - 1, smallest - 1]))
    }
    #expect(error?.message.hasSuffix("network takes is \(smallest) x \(smallest)") == true, "\(error?.message ?? "")")
    #expect(try model.outputShape(for: Shape([1, channels, smallest, smallest]))[0] == 1)
  }

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
