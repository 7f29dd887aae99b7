// Files that are damaged or made to do harm: an error with a text that helps, never a trap.
import Sasuka
import Testing

@Suite struct HostileWeightTests {
  static let files = [
    WeightFixture.safetensors, WeightFixture.safetensorsBfloat16, WeightFixture.npz, WeightFixture.npzCompressed,
    WeightFixture.npzColumnMajorBigEndian, WeightFixture.deflateStored, WeightFixture.deflateFixed,
    TorchFixture.zip, TorchFixture.noChecksums, TorchFixture.stream, TorchFixture.checkpoint,
    TorchFixture.twoStateDicts, TorchFixture.wholeModelStream,
  ]

  @Test(arguments: files) func filesCutOffAnywhereAreRefused(file: [UInt8]) {
    for length in file.indices {
      let error = refusal(of: Array(file[..<length]))
      #expect(error?.message.hasPrefix("f: ") == true, "\(length) of \(file.count) bytes")
    }
  }

  /// Bytes of no meaning, neighbours of the right one, a digit, and opcodes of pickles.
  private static func substitutes(_ byte: UInt8) -> [UInt8] {
    [0, 0xff, byte ^ 1, byte ^ 0x80, byte &+ 1] + Array("9(tR".utf8)
  }

  /// A changed byte may be harmless, for instance in a date or in a number; what is read must then fit together.
  @Test(arguments: files) func changedBytesAreRefusedOrHarmless(file: [UInt8]) {
    for place in file.indices {
      for value in Self.substitutes(file[place]) {
        var changed = file
        changed[place] = value
        do {
          for tensor in try stored(in: changed) {
            #expect(tensor.dtype.byteCount(ofShape: tensor.shape) == tensor.bytes.count)
          }
        } catch {
          #expect((error as? SasukaError)?.message.hasPrefix("f: ") == true, "byte \(place) = \(value): \(error)")
        }
      }
    }
  }

  static let headers: [(header: String, dataCount: Int, message: String)] = [
    ("{\"a\":1}", 0, "f: header: '{' is expected at byte 5 of 7"),
    ("{\"a\":{}}", 0, "f: tensor \"a\": a dtype, a shape and two data_offsets are expected"),
    ("{\"a\":{\"color\":1}}", 0, "f: tensor \"a\": unknown key \"color\"; dtype, shape and data_offsets are expected"),
    (entry("F32", "[1]", "0,4") + "x", 4, "f: header: the end is expected at byte 54 of 55"),
    (entry("F32", "[-1]", "0,4"), 4, "f: tensor \"a\": data_offsets [0, 4] do not hold float32 of shape [-1]"),
    (entry("F32", "[2]", "0,4"), 4, "f: tensor \"a\": data_offsets [0, 4] do not hold float32 of shape [2]"),
    (entry("F32", "[1.0]", "0,4"), 4, "f: header: an integer is expected at byte 29 of 56"),
    (entry("F32", "[01]", "0,4"), 4, "f: header: an integer is expected at byte 29 of 55"),
    (
      entry("F32", "[9223372036854775808]", "0,4"), 4,
      "f: header: an integer of at most 64 bits is expected at byte 29 of 72"
    ),
    (
      entry("F32", "[4611686018427387904,4]", "0,0"), 0,
      "f: tensor \"a\": data_offsets [0, 0] do not hold float32 of shape [4611686018427387904, 4]"
    ),
    (entry("F32", "[1]", "4,8"), 8, "f: tensor \"a\": data_offsets [4, 8] leave a hole; a beginning at 0 is expected"),
    (entry("F32", "[1]", "0,4"), 3, "f: tensor \"a\": data_offsets [0, 4] lie outside the 3 bytes of data"),
    (entry("F32", "[1]", "-4,0"), 4, "f: tensor \"a\": data_offsets [-4, 0] lie outside the 4 bytes of data"),
    (entry("F32", "[1]", "4,0"), 4, "f: tensor \"a\": data_offsets [4, 0] lie outside the 4 bytes of data"),
    (entry("F32", "[1]", "0,4"), 5, "f: the tensors end after 4 bytes of data; the file has 5"),
    (
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
        + "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2,
      "f: tensor \"b\": data_offsets [1, 2] overlap the tensor before; a beginning at 2 is expected"
    ),
    (
      "{\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
        + "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0,
      "f: header: the key \"a\" occurs twice"
    ),
    ("{\"\\ud800\":{}}", 0, "f: header: a surrogate pair is expected at byte 4 of 13"),
    ("{\"\\x\":{}}", 0, "f: header: an escape is expected at byte 3 of 9"),
    ("{\"\t\":{}}", 0, "f: header: an escape instead of a control character is expected at byte 2 of 8"),
    ("{\"__metadata__\":{\"a\":1}}", 0, "f: header: '\"' is expected at byte 21 of 24"),
  ]

  @Test(arguments: headers)
  func safetensorsErrorsSayWhatAndWhere(header: String, dataCount: Int, message: String) {
    #expect(refusal(of: safetensors(header, dataCount: dataCount)) == SasukaError(.format, "\(message)"))
  }

  private static func entry(_ dtype: String, _ shape: String, _ offsets: String) -> String {
    "{\"a\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":[\(offsets)]}}"
  }

  @Test func aTypeThatIsNotReadIsNamedWithItsTensor() {
    let error = refusal(of: safetensors(Self.entry("F8_E4M3", "[1]", "0,1"), dataCount: 1))
    #expect(error == SasukaError(.unsupported, "f: tensor \"a\": dtype \"F8_E4M3\" is not supported"))
  }

  @Test func aHeaderLongerThanTheFileIsRefused() {
    let bytes = [UInt8](repeating: 0xff, count: 8) + Array("{}".utf8)
    let expected = "f: the header's length is given as 18446744073709551615 bytes; at most 2 are expected"
    #expect(refusal(of: bytes) == SasukaError(.format, "\(expected)"))
  }

  @Test func invalidUTF8IsRefused() {
    var bytes = safetensors("{\"?\":{}}")
    bytes[10] = 0xc0
    #expect(refusal(of: bytes) == SasukaError(.format, "f: header: UTF-8 text is expected at byte 2 of 8"))
  }
}

@Suite struct HostileArchiveTests {
  @Test func aChangedNumberFailsTheChecksum() throws {
    var bytes = WeightFixture.npz
    // The second byte of w's last number, 4.5, just before the next local header.
    let place = try #require(bytes.indices.first { Array(bytes[$0...].prefix(4)) == [0, 0, 0x90, 0x40] })
    bytes[place + 1] = 1
    let message = try #require(refusal(of: bytes)?.message)
    #expect(message.hasPrefix("f: entry \"w.npy\": the CRC-32 is "), "\(message)")
  }

  @Test(
    arguments: [
      ("'<f4'", "'<U4'", .unsupported, "f: entry \"w.npy\": dtype \"<U4\" is not supported"),
      ("'<f4'", "[<f4]", .unsupported, "f: entry \"w.npy\": .npy header: structured types are not supported"),
      ("(2, 3)", "(2, 4)", .format, "f: entry \"w.npy\": 24 bytes of data do not make float32 of shape [2, 4]"),
      ("'shape'", "'shapf'", .format, "f: entry \"w.npy\": .npy header: the key \"shapf\" is unknown or occurs twice"),
      ("NUMPY", "NUMPX", .format, "f: entry \"w.npy\": not an .npy array"),
    ] as [(String, String, SasukaError.Code, String)])
  func arrayErrorsSayWhatAndWhere(old: String, new: String, code: SasukaError.Code, message: String) throws {
    var bytes = WeightFixture.npz
    let place = try #require(bytes.indices.first { bytes[$0...].starts(with: old.utf8) })
    bytes.replaceSubrange(place..<place + old.utf8.count, with: Array(new.utf8))
    #expect(refusal(of: bytes) == SasukaError(code, "\(message)"))
  }

  /// A directory that claims more than deflate can make is refused before memory is asked for.
  @Test func aBombIsRefused() throws {
    var bytes = WeightFixture.deflateFixed
    let directory = try #require(bytes.indices.first { bytes[$0...].starts(with: [0x50, 0x4b, 1, 2]) })
    bytes.replaceSubrange(directory + 24..<directory + 28, with: [0, 0, 0, 0xf0])
    let message = try #require(refusal(of: bytes)?.message)
    #expect(message.hasPrefix("f: the archive is damaged or cut off: entry \"x.npy\": "), "\(message)")
    #expect(message.hasSuffix(" bytes cannot unpack to 4026531840"), "\(message)")
  }

  /// Two directory entries for the same bytes would let a small file unpack to a large one.
  @Test func entriesThatShareBytesAreRefused() throws {
    let one = WeightFixture.deflateFixed
    let directory = try #require(one.indices.first { one[$0...].starts(with: [0x50, 0x4b, 1, 2]) })
    let end = try #require(one.indices.first { one[$0...].starts(with: [0x50, 0x4b, 5, 6]) })
    var last = Array(one[end...])
    last[8] = 2
    last[10] = 2
    last[12] = UInt8(2 * (end - directory))
    let bytes = Array(one[..<end]) + one[directory..<end] + last
    #expect(
      refusal(of: bytes)
        == SasukaError(.format, "f: entry \"x.npy\": its header at byte 0 lies within the entry before"))
  }
}
