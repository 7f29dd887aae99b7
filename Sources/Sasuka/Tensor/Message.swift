/// The text of an error, written as an interpolated string.
///
/// Swift's own interpolation is inlined wherever it stands: some hundred bytes of code for each value. There are hundreds
/// of messages in a library that is to stay under a megabyte, so theirs is a few calls instead, and their literals are
/// addresses, which take less code than the words of a String.
package struct Message: ExpressibleByStringInterpolation {
  package struct StringInterpolation: StringInterpolationProtocol {
    var text: String

    @inline(never)
    package init(literalCapacity: Int, interpolationCount: Int) { text = "" }

    @inline(never)
    package mutating func appendLiteral(_ literal: StaticString) { text.append(literal.description) }

    @inline(never)
    package mutating func appendInterpolation(_ value: String) { text.append(value) }

    @inline(never)
    package mutating func appendInterpolation(_ value: StaticString) { text.append(value.description) }

    @inline(never)
    package mutating func appendInterpolation(_ value: Int) { text.append(value.description) }

    @inline(never)
    package mutating func appendInterpolation(_ value: Shape) { text.append(value.description) }

    /// Any other integer, bytes and sizes of a file among them.
    package mutating func appendInterpolation(_ value: some BinaryInteger) {
      if let small = Int(exactly: value) {
        appendInterpolation(small)
      } else {
        appendInterpolation(UInt64(value).description)
      }
    }

    package mutating func appendInterpolation(_ value: some CustomStringConvertible) {
      appendInterpolation(value.description)
    }
  }

  let text: String

  @inline(never)
  package init(stringLiteral value: StaticString) { text = value.description }

  @inline(never)
  package init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

  /// A long message, written over several lines.
  private init(text: String) { self.text = text }

  @inline(never)
  package static func + (left: Message, right: Message) -> Message { Message(text: left.text + right.text) }
}
