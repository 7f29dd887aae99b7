// Strings joined, arrays grown and bytes compared by a call. The standard library's own functions are inlined wherever they
// stand, at some hundred bytes each, and that is in hundreds of places.

extension String {
  @inline(never)
  static func + (left: String, right: String) -> String {
    var result = left
    result.append(contentsOf: right)
    return result
  }

  @inline(never)
  static func += (left: inout String, right: String) { left.append(contentsOf: right) }

  @inline(never)
  mutating func append(_ other: String) { append(contentsOf: other) }
}

extension DefaultStringInterpolation {
  @inline(never)
  mutating func appendLiteral(_ literal: String) { literal.write(to: &self) }

  @inline(never)
  mutating func appendInterpolation(_ value: String) { value.write(to: &self) }

  @inline(never)
  mutating func appendInterpolation(_ value: Int) { value.description.write(to: &self) }
}

extension Array {
  @inline(never)
  mutating func append(_ element: __owned Element) { appendInline(element, to: &self) }
}

/// The standard library's `append`, which the one above hides.
@inline(__always)
private func appendInline<Elements: RangeReplaceableCollection>(
  _ element: __owned Elements.Element, to elements: inout Elements
) { elements.append(element) }

extension [String] {
  /// All of them, with a separator between them.
  func joined(by separator: StaticString) -> String {
    var text = Message.StringInterpolation(literalCapacity: 0, interpolationCount: 0)
    for (place, part) in enumerated() {
      if place > 0 { text.appendLiteral(separator) }
      text.appendInterpolation(part)
    }
    return text.text
  }
}

extension Sequence where Element == UInt8 {
  /// Whether the bytes are those of another, short sequence. The standard library's function is compiled anew for each
  /// pair of types, at a kilobyte each.
  func elementsEqual(_ other: some Sequence<UInt8>) -> Bool {
    let bytes = other.firstBytes(.max)
    return firstBytes(bytes.count + 1) == bytes
  }

  /// Whether the first bytes are those of another, short sequence.
  func starts(with other: some Sequence<UInt8>) -> Bool {
    let bytes = other.firstBytes(.max)
    return firstBytes(bytes.count) == bytes
  }

  /// Whether the last bytes are those of another, short sequence.
  func ends(with other: some Sequence<UInt8>) -> Bool {
    let (bytes, ending) = (firstBytes(.max), other.firstBytes(.max))
    return bytes.count >= ending.count && bytes[(bytes.count - ending.count)...].elementsEqual(ending)
  }

  /// At most `limit` bytes.
  @inline(never)
  func firstBytes(_ limit: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    for byte in self {
      if bytes.count == limit { break }
      bytes.append(byte)
    }
    return bytes
  }
}
