// Round trips, files of other programs, and how files come and go on disk.
import Foundation
import Sasuka
import Testing

/// w of the fixtures, row-major: -0.5 to 4.5.
private let wBytes: [UInt8] = (0..<6).flatMap { number in
  withUnsafeBytes(of: (Float(number) - 0.5).bitPattern.littleEndian) { [UInt8]($0) }
}
private let w = StoredTensor("w", .float32, [2, 3], wBytes)
private let n = StoredTensor("n", .int64, [], [7, 0, 0, 0, 0, 0, 0, 0])

@Suite struct WeightFileTests {
  @Test(arguments: [
    WeightFixture.safetensors, WeightFixture.npz, WeightFixture.npzCompressed,
  ])
  func filesOfPythonAreRead(bytes: [UInt8]) throws {
    #expect(try stored(in: bytes).sorted { $0.name < $1.name } == [n, w])
  }

  @Test func columnMajorBigEndianArraysAreTurned() throws {
    #expect(try stored(in: WeightFixture.npzColumnMajorBigEndian) == [w])
  }

  @Test func metadataAreRead() throws {
    let metadata = try WeightFixture.safetensors.withUnsafeBytes { try openWeights(bytes: $0).metadata }
    #expect(metadata == [WeightMetadata(key: "form\"at", value: "é\n")])
  }

  @Test func bfloat16OfPyTorchBecomesFloats() throws {
    var floats = [Float](repeating: 0, count: 3)
    try WeightFixture.safetensorsBfloat16.withUnsafeBytes { bytes in
      let file = try openWeights(bytes: bytes)
      try #require(file.tensor(named: "b")).copyFloats(to: &floats)
    }
    #expect(floats[..<2] == [1, -2.5])
    #expect(abs(floats[2] / 3e38 - 1) <= 0x1p-8)  // half a unit of bfloat16's eighth digit
  }

  @Test func everyTypeOfNumPyIsRead() throws {
    let tensors = try stored(in: WeightFixture.npzEveryType)
    #expect(Set(tensors.map { $0.dtype }) == Set(DType.allCases).subtracting([.bfloat16]))
    for tensor in tensors {
      #expect(tensor.name == tensor.dtype.name)
      #expect(
        (0..<3).map { index in tensor.bytes.withUnsafeBytes { tensor.dtype.integer(at: index, of: $0.baseAddress!) } }
          == [0, 1, 1], "\(tensor)")
    }
  }

  @Test(arguments: [WeightFixture.deflateStored, WeightFixture.deflateFixed])
  func everyKindOfDeflateBlockIsUnpacked(bytes: [UInt8]) throws {
    let expected = (0..<5).flatMap { [$0, 0, 0, 0] as [UInt8] }
    #expect(try stored(in: bytes) == [StoredTensor("x", .int32, [5], expected)])
  }

  static let several: [StoredTensor] = DType.allCases.filter { $0 != .bfloat16 }.flatMap { dtype in
    [[], [3], [2, 0, 4], [2, 1, 3]].map { shape in
      let count = dtype.byteCount(ofShape: shape) ?? 0
      return StoredTensor("\(dtype.name).\"ö\"\\\(shape)", dtype, shape, (0..<count).map { UInt8($0 & 1) })
    }
  }

  @Test(arguments: [WeightFormat.safetensors, .npz, .torch])
  func whatIsWrittenIsReadAgain(format: WeightFormat) throws {
    // Without a tensor nothing tells a state dict from any other pickle.
    for tensors in (format == .torch ? [] : [[]]) + [[w], Self.several] {
      let again = try stored(in: written(tensors, format))
      #expect(again.sorted { $0.name < $1.name } == tensors.sorted { $0.name < $1.name })
      #expect(try written(tensors, format) == written(tensors, format), "equal weights make equal files")
    }
  }

  @Test func bfloat16AndMetadataGoThroughSafetensors() throws {
    let b = StoredTensor("b", .bfloat16, [1], [0x80, 0x3f])
    let metadata = [WeightMetadata(key: "a\u{1}", value: "\"\\\t"), WeightMetadata(key: "", value: "é")]
    let bytes = try written([b, w], metadata: metadata, .safetensors)
    #expect(try bytes.withUnsafeBytes { try openWeights(bytes: $0).metadata } == metadata)
    #expect(try stored(in: bytes) == [w, b], "the widest type comes first")
  }

  @Test(
    arguments: [
      ("a.npz", .npz), ("a.safetensors", .safetensors), ("npz", .safetensors), (".npz", .npz), ("a.pth", .torch),
      ("a.pt", .torch),
    ]
      as [(String, WeightFormat)])
  func theExtensionChoosesTheFormat(path: String, format: WeightFormat) {
    #expect(WeightFormat(savingTo: path) == format)
  }
}

@Suite struct WeightFilesOnDiskTests {
  @Test(arguments: ["w.npz", "w.safetensors", "w.pth"]) func filesAreReplacedWhole(name: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.path(name)
    for tensors in [[n], [n, w]] {
      try withTensors(tensors) { try writeWeights($0, format: WeightFormat(savingTo: path), to: path) }
      let file = try openWeights(path: path)
      #expect(file.tensors.map { StoredTensor($0) } == tensors)
    }
    #expect(try folder.names() == [name])
  }

  @Test func aMappedFileOutlivesItsName() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("w.safetensors")
    try withTensors([w]) { try writeWeights($0, format: .safetensors, to: path) }
    let file = try openWeights(path: path)
    try withTensors([n]) { try writeWeights($0, format: .safetensors, to: path) }
    #expect(file.tensors.map { StoredTensor($0) } == [w])
  }

  @Test func aLinkStaysALinkAndPermissionsStay() throws {
    let folder = try TemporaryFolder()
    let (path, link) = (folder.path("w.npz"), folder.path("link.npz"))
    try withTensors([w]) { try writeWeights($0, format: .npz, to: path) }
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "w.npz")
    try withTensors([n]) { try writeWeights($0, format: .npz, to: link) }
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "w.npz")
    #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o640)
    #expect(try openWeights(path: path).tensors.map { StoredTensor($0) } == [n])
  }

  @Test func aFileThatIsNotCommittedLeavesNothing() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("w.npz")
    try Data([1, 2, 3]).write(to: folder.url.appendingPathComponent("w.npz"))
    do {
      let file = try AtomicFile(path: path)
      try file.write([4, 5])
      #expect(try folder.names().count == 2)
    }
    #expect(try folder.names() == ["w.npz"])
    #expect(try [UInt8](Data(contentsOf: folder.url.appendingPathComponent("w.npz"))) == [1, 2, 3])
  }

  @Test func errorsNameThePathAndTheReason() throws {
    let folder = try TemporaryFolder()
    let missing = folder.path("none")
    #expect(throws: SasukaError(.io, "\(missing): cannot open: No such file or directory")) {
      _ = try openWeights(path: missing)
    }
    let directory = folder.url.path
    #expect(throws: SasukaError(.io, "\(directory): is a directory; a regular file is expected")) {
      _ = try openWeights(path: directory)
    }
    #expect(throws: SasukaError(.io, "/dev/null: is not a regular file; a regular file is expected")) {
      try withTensors([w]) { try writeWeights($0, format: .npz, to: "/dev/null") }
    }
    let deep = folder.path("none/w.npz")
    #expect(throws: SasukaError(.io, "\(deep): cannot create a file beside it: No such file or directory")) {
      try withTensors([w]) { try writeWeights($0, format: .npz, to: deep) }
    }
    let empty = folder.path("empty")
    #expect(FileManager.default.createFile(atPath: empty, contents: nil))
    #expect(
      throws: SasukaError(
        .format,
        "\(empty): neither a safetensors nor an .npz file nor a state dict of PyTorch (0 bytes); one of them is expected"
      )
    ) { _ = try openWeights(path: empty) }
  }
}

@Suite struct WeightWritingErrorTests {
  @Test func whatNoFileCanHoldIsRefused() {
    let cases: [([StoredTensor], WeightFormat, SasukaError)] = [
      (
        [StoredTensor("a", .float32, [2], [0])], .npz,
        SasukaError(.invalidArgument, "weights in memory: tensor \"a\": 1 bytes do not make float32 of shape [2]")
      ),
      ([w, w], .npz, SasukaError(.invalidArgument, "weights in memory: two tensors are named \"w\"")),
      (
        [StoredTensor("b", .bfloat16, [], [0, 0])], .npz,
        SasukaError(.unsupported, "weights in memory: tensor \"b\": NumPy has no bfloat16; safetensors has")
      ),
      (
        [StoredTensor("__metadata__", .bool, [], [0])], .safetensors,
        SasukaError(.invalidArgument, "weights in memory: safetensors keeps the name \"__metadata__\" for itself")
      ),
    ]
    for (tensors, format, error) in cases {
      #expect(throws: error) { _ = try written(tensors, format) }
    }
  }
}
