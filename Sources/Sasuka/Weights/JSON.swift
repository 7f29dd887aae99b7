/// Reads JSON (RFC 8259) piece by piece, as the caller expects it: objects, arrays, strings and integers.
///
/// It builds no tree, so that nesting is bounded by what the caller asks for, and memory by the caller's own limits.
/// Duplicate keys, invalid UTF-8, lone surrogates, fractions and integers beyond Int are errors.
struct JSONReader {
  private let bytes: UnsafeRawBufferPointer
  /// Begins every message: which document this is.
  private let what: String
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer, what: String) {
    self.bytes = bytes
    self.what = what
  }

  /// Reads an object; `member` must read the value that follows its key.
  ///
  /// - Returns: The keys, in order.
  @discardableResult
  @inline(never)
  mutating func readObject(
    _ member: (inout JSONReader, String) throws(SasukaError) -> Void
  ) throws(SasukaError) -> [String] {
    var keys: [String] = []
    try expect(UInt8(ascii: "{"))
    if accept(UInt8(ascii: "}")) { return keys }
    repeat {
      let key = try readString()
      try expect(UInt8(ascii: ":"))
      try member(&self, key)
      keys.append(key)
    } while accept(UInt8(ascii: ","))
    try expect(UInt8(ascii: "}"))
    if let duplicate = NameIndex(keys).duplicate {
      throw SasukaError(.format, "\(what): the key \"\(duplicate)\" occurs twice")
    }
    return keys
  }

  /// Reads an array of integers that has at most `limit` elements.
  mutating func readIntegers(limit: Int) throws(SasukaError) -> [Int] {
    var integers: [Int] = []
    try expect(UInt8(ascii: "["))
    if accept(UInt8(ascii: "]")) { return integers }
    repeat {
      guard integers.count < limit else {
        throw SasukaError(.format, "\(what): an array of more than \(limit) integers at byte \(position)")
      }
      integers.append(try readInteger())
    } while accept(UInt8(ascii: ","))
    try expect(UInt8(ascii: "]"))
    return integers
  }

  mutating func readInteger() throws(SasukaError) -> Int {
    skipSpace()
    let isNegative = accept(UInt8(ascii: "-"))
    let start = position
    var value = 0
    while let byte = peek(), byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
      let (product, first) = value.multipliedReportingOverflow(by: 10)
      let (sum, second) = product.subtractingReportingOverflow(Int(byte - UInt8(ascii: "0")))
      guard !first, !second else { throw failure("an integer of at most 64 bits", at: start) }
      value = sum
      position += 1
    }
    // Gathered as a negative number, which reaches one further than a positive one.
    let hasLeadingZero = position > start + 1 && bytes[start] == UInt8(ascii: "0")
    guard position > start, !hasLeadingZero else { throw failure("an integer", at: start) }
    if let byte = peek(), byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e") {
      throw failure("an integer", at: start)
    }
    guard isNegative || value != .min else { throw failure("an integer of at most 64 bits", at: start) }
    return isNegative ? value : -value
  }

  @inline(never)
  mutating func readString() throws(SasukaError) -> String {
    try expect(UInt8(ascii: "\""))
    let start = position
    var text: [UInt8] = []
    while let byte = peek() {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else { throw failure("UTF-8 text", at: start) }
        return string
      case UInt8(ascii: "\\"): try readEscape(into: &text)
      case 0..<0x20: throw failure("an escape instead of a control character", at: position - 1)
      default: text.append(byte)
      }
    }
    throw failure("the end of the string that begins before", at: start)
  }

  /// Only spaces may follow.
  mutating func finish() throws(SasukaError) {
    skipSpace()
    guard position == bytes.count else { throw failure("the end", at: position) }
  }
}

// MARK: - Pieces

extension JSONReader {
  private mutating func readEscape(into text: inout [UInt8]) throws(SasukaError) {
    guard let byte = peek() else { throw failure("an escape", at: position) }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"): try readUnicodeEscape(into: &text)
    default: throw failure("an escape", at: position - 1)
    }
  }

  /// After \u: four hexadecimal digits; for the first half of a surrogate pair, the second half's escape as well.
  private mutating func readUnicodeEscape(into text: inout [UInt8]) throws(SasukaError) {
    let start = position
    var value = try readHexadecimal()
    if value >= 0xd800, value < 0xdc00, accept(next: UInt8(ascii: "\\")), accept(next: UInt8(ascii: "u")) {
      let second = try readHexadecimal()
      guard second >= 0xdc00, second < 0xe000 else { throw failure("a surrogate pair", at: start) }
      value = 0x10000 + (value - 0xd800) << 10 + (second - 0xdc00)
    }
    guard let scalar = Unicode.Scalar(value) else { throw failure("a surrogate pair", at: start) }
    text += Array(String(scalar).utf8)
  }

  private mutating func readHexadecimal() throws(SasukaError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek() else { throw failure("four hexadecimal digits", at: position) }
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: throw failure("four hexadecimal digits", at: position)
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = peek(), byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
  }

  private mutating func accept(next byte: UInt8) -> Bool {
    guard peek() == byte else { return false }
    position += 1
    return true
  }

  private mutating func accept(_ byte: UInt8) -> Bool {
    skipSpace()
    return accept(next: byte)
  }

  @inline(never)
  private mutating func expect(_ byte: UInt8) throws(SasukaError) {
    guard accept(byte) else { throw failure("'\(Unicode.Scalar(byte))'", at: position) }
  }

  private func failure(_ expected: String, at place: Int) -> SasukaError {
    SasukaError(.format, "\(what): \(expected) is expected at byte \(place) of \(bytes.count)")
  }
}

/// Appends a string as JSON.
func appendJSON(_ string: String, to text: inout [UInt8]) {
  let digits: [UInt8] = Array("0123456789abcdef".utf8)
  text.append(UInt8(ascii: "\""))
  for byte in string.utf8 {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
    case 0..<0x20: text += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    default: text.append(byte)
    }
  }
  text.append(UInt8(ascii: "\""))
}
