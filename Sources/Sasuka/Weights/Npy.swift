// .npy: one array of NumPy's. Magic, version, the length of a header, the header as a Python dictionary, the numbers.

/// What the header of an .npy file says.
struct NpyHeader {
  /// Number of bytes before the numbers.
  let byteCount: Int
  let dtype: DType
  let isBigEndian: Bool
  /// The first axis varies fastest, as in Fortran, instead of the last.
  let isColumnMajor: Bool
  let shape: [Int]

  /// The longest header that NumPy reads by default.
  static let maximumLength = 10_000
  /// No header that is read, with what stands before it, is longer.
  static let maximumByteCount = 12 + maximumLength

  /// - Parameter place: Begins every message: which file and entry this is.
  init(_ bytes: UnsafeRawBufferPointer, _ place: String) throws(SasukaError) {
    let source = ByteSource(memory: bytes, name: place)
    guard let magic = source.slice(at: 0, count: 6), magic.elementsEqual(npyMagic),
      let version = source.integer(UInt8.self, at: 6)
    else { throw SasukaError(.format, "\(place): not an .npy array") }
    guard version >= 1, version <= 3 else {
      throw SasukaError(.unsupported, "\(place): version \(version) of .npy; 1, 2 or 3 is expected")
    }
    let start = version == 1 ? 10 : 12
    let short = source.integer(UInt16.self, at: 8).map { Int($0) }
    let long = source.integer(UInt32.self, at: 8).map { Int($0) }
    guard let length = version == 1 ? short : long, length <= NpyHeader.maximumLength,
      let text = source.slice(at: start, count: length)
    else {
      throw SasukaError(
        .format, "\(place): the .npy header is cut off or longer than \(NpyHeader.maximumLength) bytes")
    }
    byteCount = start + length
    var reader = PythonReader(text, what: "\(place): .npy header")
    let fields = try reader.readHeader()
    guard let (dtype, isBigEndian) = dtypeOf(fields.descr) else {
      throw SasukaError(.unsupported, "\(place): dtype \"\(fields.descr)\" is not supported")
    }
    self.dtype = dtype
    self.isBigEndian = isBigEndian
    isColumnMajor = fields.isColumnMajor
    shape = fields.shape
  }
}

private let npyMagic: [UInt8] = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]

/// Type and byte order of NumPy's array-protocol string, such as "<f4".
private func dtypeOf(_ descr: String) -> (DType, isBigEndian: Bool)? {
  let bytes = Array(descr.utf8)
  guard bytes.count == 3, let order = bytes.first else { return nil }
  // '=' is the writer's own order, which NumPy never writes; little-endian is what every supported machine has.
  guard [UInt8]("<>|=".utf8).contains(order) else { return nil }
  for dtype in DType.allCases {
    guard let name = dtype.npyName, bytes[1...].elementsEqual(name.utf8) else { continue }
    guard order != UInt8(ascii: "|") || dtype.byteCount == 1 else { return nil }
    return (dtype, order == UInt8(ascii: ">"))
  }
  return nil
}

extension DType {
  /// Kind and size in NumPy's array-protocol string; nil for bfloat16, which NumPy has not.
  fileprivate var npyName: String? {
    switch self {
    case .float16: "f2"
    case .bfloat16: nil
    case .float32: "f4"
    case .float64: "f8"
    case .bool: "b1"
    case .uint8: "u1"
    case .int8: "i1"
    case .int16: "i2"
    case .int32: "i4"
    case .int64: "i8"
    }
  }
}

/// The bytes before the numbers of an .npy file, padded to a multiple of 64; nil for a type that NumPy has not.
func npyHeader(_ dtype: DType, _ shape: [Int]) -> [UInt8]? {
  guard let name = dtype.npyName else { return nil }
  var sizes = ""
  for size in shape { sizes += "\(size), " }
  let order = dtype.byteCount == 1 ? "|" : "<"
  var text = Array("{'descr': '\(order)\(name)', 'fortran_order': False, 'shape': (\(sizes)), }".utf8)
  while (10 + text.count + 1) % 64 != 0 { text.append(0x20) }
  text.append(0x0a)
  var header = npyMagic + [1, 0]
  header.append(littleEndian: UInt16(truncatingIfNeeded: text.count))
  return header + text
}

// MARK: - The dictionary

/// Reads the one Python literal that .npy headers hold.
private struct PythonReader {
  private let bytes: UnsafeRawBufferPointer
  private let what: String
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer, what: String) {
    self.bytes = bytes
    self.what = what
  }

  mutating func readHeader() throws(SasukaError) -> (descr: String, isColumnMajor: Bool, shape: [Int]) {
    var descr: String?
    var isColumnMajor: Bool?
    var shape: [Int]?
    try expect(UInt8(ascii: "{"))
    while !accept(UInt8(ascii: "}")) {
      let key = try readString()
      try expect(UInt8(ascii: ":"))
      if key == "descr", descr == nil {
        descr = try readDescr()
      } else if key == "fortran_order", isColumnMajor == nil {
        isColumnMajor = try readBool()
      } else if key == "shape", shape == nil {
        shape = try readTuple()
      } else {
        throw SasukaError(.format, "\(what): the key \"\(key)\" is unknown or occurs twice")
      }
      if accept(UInt8(ascii: ",")) { continue }
      try expect(UInt8(ascii: "}"))
      break
    }
    skipSpace()
    guard position == bytes.count else { throw failure("the end") }
    guard let descr, let isColumnMajor, let shape else {
      throw SasukaError(.format, "\(what): descr, fortran_order and shape are expected")
    }
    return (descr, isColumnMajor, shape)
  }

  private mutating func readDescr() throws(SasukaError) -> String {
    skipSpace()
    guard peek() != UInt8(ascii: "[") else {
      throw SasukaError(.unsupported, "\(what): structured types are not supported")
    }
    return try readString()
  }

  private mutating func readString() throws(SasukaError) -> String {
    skipSpace()
    guard let quote = peek(), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
      throw failure("a string")
    }
    position += 1
    var text: [UInt8] = []
    while let byte = peek() {
      position += 1
      if byte == quote, let string = String(validating: text, as: UTF8.self) { return string }
      guard byte != quote, byte >= 0x20, byte != UInt8(ascii: "\\") else { throw failure("plain text") }
      text.append(byte)
    }
    throw failure("the end of a string")
  }

  private mutating func readBool() throws(SasukaError) -> Bool {
    skipSpace()
    for (text, value) in [("True", true), ("False", false)] where accept(word: text) { return value }
    throw failure("True or False")
  }

  private mutating func readTuple() throws(SasukaError) -> [Int] {
    var sizes: [Int] = []
    try expect(UInt8(ascii: "("))
    while !accept(UInt8(ascii: ")")) {
      guard sizes.count < SafetensorsFile.maximumRank else {
        throw failure("a shape of at most \(SafetensorsFile.maximumRank) axes")
      }
      sizes.append(try readSize())
      if accept(UInt8(ascii: ",")) { continue }
      // A tuple of one element has a comma, or else it would be a number in brackets.
      guard sizes.count != 1 else { throw failure("','") }
      try expect(UInt8(ascii: ")"))
      break
    }
    return sizes
  }

  private mutating func readSize() throws(SasukaError) -> Int {
    skipSpace()
    let start = position
    var value = 0
    while let byte = peek(), byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
      let (product, first) = value.multipliedReportingOverflow(by: 10)
      let (sum, second) = product.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
      guard !first, !second else { throw failure("a size of at most 64 bits") }
      value = sum
      position += 1
    }
    guard position > start else { throw failure("a size") }
    // Python 2 wrote long integers with an L.
    if peek() == UInt8(ascii: "L") { position += 1 }
    return value
  }

  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = peek(), byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
  }

  private mutating func accept(_ byte: UInt8) -> Bool {
    skipSpace()
    guard peek() == byte else { return false }
    position += 1
    return true
  }

  private mutating func accept(word: String) -> Bool {
    let length = word.utf8.count
    guard length <= bytes.count - position, bytes[position..<position + length].elementsEqual(word.utf8) else {
      return false
    }
    position += length
    return true
  }

  private mutating func expect(_ byte: UInt8) throws(SasukaError) {
    guard accept(byte) else { throw failure("'\(Unicode.Scalar(byte))'") }
  }

  private func failure(_ expected: String) -> SasukaError {
    SasukaError(.format, "\(what): \(expected) is expected at byte \(position) of \(bytes.count)")
  }
}
