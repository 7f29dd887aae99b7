// Files of PyTorch that are rare today: of big-endian machines, of versions long gone, of networks with old names.
import Sasuka
import Testing

@Suite struct TorchWriterTests {
  /// Every width; t is w transposed, row its second row, both in w's storage.
  private static let writer = TorchWriter(
    storages: [
      .floats([0.5, 1.5, 2.5, 3.5, 4.5, 5.5]), .doubles([0.25, -8]), .longs([7]), .halves([0x3e00, 0xc000]),
    ],
    tensors: [
      WrittenTensor("w", 0, [2, 3]), WrittenTensor("t", 0, [3, 2], strides: [1, 3]),
      WrittenTensor("row", 0, offset: 3, [3]), WrittenTensor("double", 1, [2]), WrittenTensor("n", 2, []),
      WrittenTensor("half", 3, [2]),
    ])

  private static let expected = [
    StoredTensor("w", .float32, [2, 3], WrittenStorage.floats([0.5, 1.5, 2.5, 3.5, 4.5, 5.5]).bytes),
    StoredTensor("t", .float32, [3, 2], WrittenStorage.floats([0.5, 3.5, 1.5, 4.5, 2.5, 5.5]).bytes),
    StoredTensor("row", .float32, [3], WrittenStorage.floats([3.5, 4.5, 5.5]).bytes),
    StoredTensor("double", .float64, [2], WrittenStorage.doubles([0.25, -8]).bytes),
    StoredTensor("n", .int64, [], WrittenStorage.longs([7]).bytes),
    StoredTensor("half", .float16, [2], WrittenStorage.halves([0x3e00, 0xc000]).bytes),
  ]

  @Test(arguments: [false, true])
  func archivesOfBothByteOrdersHoldTheSame(bigEndian: Bool) throws {
    #expect(try stored(in: Self.writer.zip(bigEndian: bigEndian)) == Self.expected)
  }

  @Test(arguments: [false, true])
  func streamsOfBothKindsOfMachineAreLittleEndian(littleEndianMachine: Bool) throws {
    #expect(try stored(in: Self.writer.stream(littleEndianMachine: littleEndianMachine)) == Self.expected)
  }

  @Test func storageThatIsCutOffIsAnError() throws {
    let stream = Self.writer.stream()
    for length in [stream.count - 1, stream.count - 5, stream.count - 40] {
      let error = try #require(refusal(of: Array(stream.prefix(length))))
      #expect(error.code == .format, "\(error.message)")
    }
    let beyond = TorchWriter(storages: [.floats([1, 2])], tensors: [WrittenTensor("w", 0, offset: 1, [2])])
    for file in [beyond.zip(bigEndian: true), beyond.stream()] {
      #expect(refusal(of: file)?.message.contains("does not fit into its storage") == true)
    }
  }
}

@Suite struct OldNamesTests {
  private static func load(_ writer: TorchWriter, into model: Model, _ change: (inout LoadOptions) -> Void = { _ in })
    throws -> WeightReport
  {
    var (options, report) = (LoadOptions(), WeightReport())
    change(&options)
    try writer.zip(bigEndian: false).withUnsafeBytes {
      try model.loadWeights(openWeights(bytes: $0), options: options, report: &report)
    }
    return report
  }

  /// A file with every parameter of a network under the name that `rename` gives it; numbers count from 1 in each.
  private static func file(of graph: Graph, rename: (String) -> String?) -> TorchWriter {
    TorchWriter(
      graph.parameters.compactMap { info in
        guard let name = rename(info.name) else { return nil }
        if info.kind == .counter { return (name, [], .longs([5])) }
        return (name, info.shape.dimensions, .floats((0..<info.shape.count).map { Float($0 + 1) }))
      })
  }

  /// torchvision's files of 2017 call DenseNet's layers norm.1, relu.1, conv.1, norm.2, relu.2, conv.2.
  @Test func oldNamesOfDenseNetLoad() throws {
    var options = ArchitectureOptions()
    options.classes = 2
    let model = try Model(Architecture.named("densenet121").graph(options))
    var renamed = 0
    let writer = Self.file(of: model.graph) { name in
      var parts = name.split(separator: ".").map(String.init)
      guard let place = parts.firstIndex(where: { $0.hasPrefix("denselayer") }), parts.count > place + 1 else {
        return name
      }
      let layer = parts[place + 1]
      guard layer.hasPrefix("norm") || layer.hasPrefix("conv") else { return name }
      renamed += 1
      parts[place + 1] = "\(layer.dropLast()).\(layer.suffix(1))"
      return parts.joined(separator: ".")
    }
    // 58 dense layers of two normalisations (5 entries each) and two convolutions.
    #expect(renamed == 58 * 12)
    let report = try Self.load(writer, into: model)
    #expect(report.missing.isEmpty && report.unexpected.isEmpty)
    for name in ["features.denseblock1.denselayer1.norm1.weight", "features.denseblock4.denselayer16.conv2.weight"] {
      #expect(model.numbers(name)?.floats.prefix(2).elementsEqual([1, 2]) == true, "\(name)")
    }
  }

  /// PyTorch counts batches since 0.4.1; it loads older files without counters, but not files that lack some.
  @Test func filesWithoutCountersLoad() throws {
    let model = try Model(Architecture.named("resnet18").graph())
    let without = Self.file(of: model.graph) { $0.hasSuffix("num_batches_tracked") ? nil : $0 }
    let report = try Self.load(without, into: model)
    #expect(report.missing.isEmpty)
    #expect(model.numbers("bn1.running_mean")?.floats.prefix(2).elementsEqual([1, 2]) == true)
    let some = Self.file(of: model.graph) { $0 == "bn1.num_batches_tracked" ? nil : $0 }
    let error = #expect(throws: SasukaError.self) { try Self.load(some, into: model) }
    #expect(error?.message.hasSuffix("missing: bn1.num_batches_tracked") == true, "\(error?.message ?? "")")
  }
}

@Suite struct LoadReportTests {
  /// A convolution of `channels` channels and a linear layer.
  private static func model(channels: Int = 2) throws -> Model {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, channels, 2, 2]))
    let x = try graph.convolution(
      input, name: "conv", outputChannels: 2, kernel: Extent(1), padding: .valid, bias: false)
    let flat = try graph.flatten(x, name: "flatten")
    graph.outputs = [try graph.linear(flat, name: "fc", outputFeatures: 2)]
    return try Model(graph)
  }

  /// conv.weight of the wrong shape, fc.bias missing, one tensor too many.
  private static let unfit = TorchWriter([
    ("conv.weight", [2, 3, 1, 1], .floats([1, 2, 6, 4, 5, 9])),
    ("fc.weight", [2, 8], .floats([Float](repeating: 3, count: 16))), ("extra", [1], .floats([0])),
  ])

  private static func load(
    _ writer: TorchWriter, into model: Model, _ report: inout WeightReport,
    _ change: (inout LoadOptions) -> Void = { _ in }
  ) throws {
    var options = LoadOptions()
    change(&options)
    try writer.zip(bigEndian: false).withUnsafeBytes {
      try model.loadWeights(openWeights(bytes: $0), options: options, report: &report)
    }
  }

  private static func state(_ model: Model) -> [[Float]] {
    model.parameters.infos.map { model.numbers($0.name)!.floats }
  }

  @Test func reportNamesWhatDoesNotFitAndNothingChanges() throws {
    let model = try Self.model()
    let (before, version) = (Self.state(model), model.parameters.version)
    for strict in [true, false] {
      var report = WeightReport()
      let error = #expect(throws: SasukaError.self) {
        try Self.load(Self.unfit, into: model, &report) { $0.strict = strict }
      }
      #expect(error?.code == .mismatch)
      #expect(report.missing == ["fc.bias"] && report.unexpected == ["extra"] && report.mismatched == ["conv.weight"])
      #expect(
        report.message
          == "missing: fc.bias; unexpected: extra; \"conv.weight\" has shape [2, 3, 1, 1], [2, 2, 1, 1] is expected")
    }
    #expect(Self.state(model) == before && model.parameters.version == version)
  }

  @Test func mismatchedParametersMayBeSkipped() throws {
    let model = try Self.model()
    let before = Self.state(model)
    var report = WeightReport()
    try Self.load(Self.unfit, into: model, &report) { ($0.strict, $0.skipsMismatched) = (false, true) }
    #expect(report.mismatched == ["conv.weight"] && report.missing == ["fc.bias"])
    #expect(model.numbers("conv.weight")!.floats == before[0] && model.numbers("fc.bias")!.floats == before[2])
    #expect(model.numbers("fc.weight")!.floats.allSatisfy { $0 == 3 })
  }

  /// What each channel of the model's kernel becomes, for both of its outputs, of a file's [1, 2, 6] and [4, 5, 9].
  private static let adaptations: [(ChannelAdaptation, channels: Int, [Float])] = [
    (.average, 1, [9, 18]), (.average, 2, [4.5, 4.5, 9, 9]),
    (.average, 4, [2.25, 2.25, 2.25, 2.25, 4.5, 4.5, 4.5, 4.5]),
    (.repeated, 1, [3, 12]), (.repeated, 2, [1.5, 3, 6, 7.5]),
    (.repeated, 6, [0.5, 1, 3, 0.5, 1, 3, 2, 2.5, 4.5, 2, 2.5, 4.5]),
    (.average, 3, [1, 2, 6, 4, 5, 9]),
  ]

  @Test(arguments: adaptations.indices)
  func channelsOfTheFirstLayerAreAdapted(place: Int) throws {
    let (adaptation, channels, expected) = Self.adaptations[place]
    let model = try Self.model(channels: channels)
    var report = WeightReport()
    try Self.load(Self.unfit, into: model, &report) { ($0.strict, $0.channels) = (false, adaptation) }
    #expect(report.mismatched.isEmpty)
    #expect(model.numbers("conv.weight")!.floats == expected)
  }

  @Test func adaptationThatMakesNoSenseIsRefused() throws {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 4]))
    graph.outputs = [try graph.linear(input, name: "fc", outputFeatures: 2)]
    var report = WeightReport()
    let linear = #expect(throws: SasukaError.self) {
      try Self.load(Self.unfit, into: Model(graph), &report) { $0.channels = .average }
    }
    #expect(linear?.code == .invalidArgument && linear?.message.contains("ungrouped convolution") == true)
    // Another kernel is no matter of channels.
    let other = TorchWriter([("conv.weight", [2, 3, 3, 3], .floats([Float](repeating: 0, count: 54)))])
    let error = #expect(throws: SasukaError.self) {
      try Self.load(other, into: Self.model(), &report) { ($0.strict, $0.channels) = (false, .repeated) }
    }
    #expect(error?.code == .mismatch && report.mismatched == ["conv.weight"])
  }
}
