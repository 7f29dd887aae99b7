import CSystem

/// A number as messages show it: six digits.
package func describe(_ number: Double) -> String {
  var text = [CChar](repeating: 0, count: 32)
  text.withUnsafeMutableBufferPointer { _ = sasuka_format_number(number, $0.baseAddress!, 32) }
  return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
