// State dicts of PyTorch, in both of its formats, whole, wrapped, damaged and hostile.
import Sasuka
import Testing

@Suite struct TorchFileTests {
  private static func floats(_ numbers: [Float]) -> [UInt8] {
    numbers.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } }
  }

  /// What the fixture's dictionary holds, row-major.
  private static let expected: [StoredTensor] = [
    StoredTensor("w", .float32, [2, 3], floats([-0.5, 0.5, 1.5, 2.5, 3.5, 4.5])),
    StoredTensor("t", .float32, [4, 3], floats([-0.5, 3.5, 7.5, 0.5, 4.5, 8.5, 1.5, 5.5, 9.5, 2.5, 6.5, 10.5])),
    StoredTensor("row", .float32, [4], floats([3.5, 4.5, 5.5, 6.5])),
    StoredTensor("half", .float16, [2], [0, 0x3e, 0, 0xc0]),
    StoredTensor("bf", .bfloat16, [2], [0xc0, 0x3f, 0x20, 0xc0]),
    StoredTensor("double", .float64, [1], [0, 0, 0, 0, 0, 0, 0xd0, 0x3f]),
    StoredTensor("n", .int64, [], [7, 0, 0, 0, 0, 0, 0, 0]),
    StoredTensor("wide", .float32, [2, 2], floats([3, 3, 3, 3])),
    StoredTensor("param", .float32, [1], floats([9])),
    StoredTensor("empty", .float32, [0, 3], []),
  ]

  @Test(arguments: [TorchFixture.zip, TorchFixture.noChecksums, TorchFixture.stream])
  func everyKindOfTensorIsRead(file: [UInt8]) throws {
    #expect(try stored(in: file) == Self.expected)
  }

  @Test func theOnlyStateDictOfACheckpointIsFound() throws {
    let named = Self.expected.map { StoredTensor("module." + $0.name, $0.dtype, $0.shape, $0.bytes) }
    #expect(try stored(in: TorchFixture.checkpoint) == named)
    #expect(try Self.tensors(TorchFixture.checkpoint, key: "state_dict") == named)
  }

  private static func tensors(_ file: [UInt8], key: String) throws -> [StoredTensor] {
    try file.withUnsafeBytes { try openWeights(bytes: $0, name: "f", key: key).tensors.map { StoredTensor($0) } }
  }

  @Test func aKeyChoosesAmongSeveral() throws {
    let choice = try #require(refusal(of: TorchFixture.twoStateDicts))
    #expect(
      choice
        == SasukaError(.invalidArgument, "f: state dicts under the keys model, ema; say which by the option key"))
    let other = try Self.tensors(TorchFixture.twoStateDicts, key: "ema")
    #expect(other == [StoredTensor("w", .float32, [2, 3], Self.floats([0.5, 1.5, 2.5, 3.5, 4.5, 5.5]))])
    let wrong = #expect(throws: SasukaError.self) { try Self.tensors(TorchFixture.twoStateDicts, key: "best") }
    #expect(wrong == SasukaError(.notFound, "f: no state dict under the key \"best\"; there are: model, ema"))
    let foreign = #expect(throws: SasukaError.self) { try Self.tensors(WeightFixture.npz, key: "best") }
    #expect(foreign?.code == .notFound)
  }

  @Test(arguments: [TorchFixture.wholeModel, TorchFixture.wholeModelStream])
  func aPickledModelIsRefusedByTheNameOfItsClass(file: [UInt8]) throws {
    let error = try #require(refusal(of: file))
    #expect(error.code == .unsupported)
    #expect(error.message.contains("torch.nn.modules.linear.Linear"), "\(error.message)")
  }

  /// A stream whose main pickle is this one.
  private static func stream(_ pickle: [UInt8]) -> [UInt8] {
    let magic: [UInt8] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]
    return magic + [0x80, 2, 0x4d, 0xe9, 3, 0x2e, 0x80, 2, 0x7d, 0x2e] + pickle + [0x80, 2, 0x5d, 0x2e]
  }

  static let pickles: [(what: String, pickle: [UInt8], code: SasukaError.Code, message: String)] = [
    ("a call of the system", Array("cos\nsystem\n(U\u{2}lstR.".utf8), .unsupported, "os.system"),
    ("an unknown opcode", [0x80, 2, 0x7d, 0xf7, 0x2e], .unsupported, "opcode 247"),
    ("an instance", Array("(ios\nsystem\n.".utf8), .unsupported, "opcode 105"),
    ("an empty stack", [0x2e], .format, "stack"),
    ("a mark too few", [0x74, 0x2e], .format, "mark"),
    ("a memory that nothing is in", [0x68, 9, 0x2e], .format, "remembered as 9"),
    ("a memory far away", [0x4e, 0x72, 0xff, 0xff, 0xff, 0x7f, 0x2e], .format, "remember"),
    ("a text longer than the file", [0x58, 0xff, 0xff, 0xff, 0x7f], .format, "bytes"),
    ("a list in place of a dictionary", [0x5d, 0x2e], .unsupported, "no dictionary"),
  ]

  @Test(arguments: pickles.indices)
  func hostilePicklesAreErrors(place: Int) throws {
    let hostile = Self.pickles[place]
    let error = try #require(refusal(of: Self.stream(hostile.pickle)), "\(hostile.what)")
    #expect(error.code == hostile.code && error.message.contains(hostile.message), "\(hostile.what): \(error.message)")
  }

  /// Nesting costs no stack, and a value that contains itself is no endless loop.
  @Test func deepAndCyclicPicklesEnd() throws {
    let deep = [UInt8](repeating: 0x5d, count: 100_000) + [UInt8](repeating: 0x61, count: 99_999) + [0x2e]
    #expect(refusal(of: Self.stream(deep))?.code == .unsupported)
    let cyclic: [UInt8] = [0x7d, 0x71, 0, 0x55, 1, 0x61, 0x68, 0, 0x73, 0x2e]
    #expect(try stored(in: Self.stream(cyclic)).isEmpty)
  }

  @Test func tarArchivesAreRefusedWithAdvice() throws {
    var tar = [UInt8](repeating: 0, count: 1024)
    tar.replaceSubrange(0..<8, with: "storages".utf8)
    tar.replaceSubrange(257..<262, with: "ustar".utf8)
    let error = try #require(refusal(of: tar))
    #expect(error.code == .unsupported && error.message.contains("save it again"))
  }
}

@Suite struct LoadOptionsTests {
  private static func model() throws -> Model {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 3]))
    let hidden = try graph.linear(input, name: "a", outputFeatures: 2, bias: false)
    graph.outputs = [try graph.linear(hidden, name: "b", outputFeatures: 1, bias: false)]
    return try Model(graph)
  }

  private static func file(_ prefix: String, names: [String] = ["a.weight", "b.weight"]) throws -> [UInt8] {
    try written(
      names.enumerated().map { place, name in
        let shape = name.hasPrefix("a") ? [2, 3] : [1, 2]
        return StoredTensor(prefix + name, .float32, shape, [UInt8](repeating: 0, count: 4 * shape[0] * shape[1]))
      }, .safetensors)
  }

  private static func load(_ bytes: [UInt8], into model: Model, _ change: (inout LoadOptions) -> Void = { _ in }) throws
  {
    var options = LoadOptions()
    change(&options)
    var report = WeightReport()
    try bytes.withUnsafeBytes { try model.loadWeights(openWeights(bytes: $0), options: options, report: &report) }
  }

  private static func isZero(_ model: Model, _ name: String) -> Bool {
    model.numbers(name)!.floats.allSatisfy { $0 == 0 }
  }

  @Test func prefixesAreTakenAway() throws {
    for prefix in ["", "module."] {
      let model = try Self.model()
      try Self.load(Self.file(prefix), into: model)
      #expect(Self.isZero(model, "a.weight") && Self.isZero(model, "b.weight"))
    }
    let model = try Self.model()
    #expect(throws: SasukaError.self) { try Self.load(Self.file("net."), into: model) }
    #expect(!Self.isZero(model, "a.weight"))
    try Self.load(Self.file("net."), into: model) { $0.prefix = "net." }
    #expect(Self.isZero(model, "a.weight") && Self.isZero(model, "b.weight"))
  }

  @Test func aPatternLoadsAPart() throws {
    let model = try Self.model()
    try Self.load(Self.file(""), into: model) { $0.pattern = "a.*" }
    #expect(Self.isZero(model, "a.weight") && !Self.isZero(model, "b.weight"))
    try Self.load(Self.file("", names: ["a.weight"]), into: model) { $0.pattern = "a.*" }
    let missing = #expect(throws: SasukaError.self) {
      try Self.load(Self.file("", names: ["a.weight"]), into: model) { $0.pattern = "b.*" }
    }
    #expect(missing?.code == .mismatch && missing?.message.contains("b.weight") == true)
    let nothing = #expect(throws: SasukaError.self) { try Self.load(Self.file(""), into: model) { $0.pattern = "c" } }
    #expect(nothing?.code == .notFound)
  }
}
