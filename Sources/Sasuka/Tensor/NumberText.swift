import CSystem

/// A number as messages show it: six digits.
package func describe(_ number: Double) -> String {
  var text = [CChar](repeating: 0, count: 32)
  text.withUnsafeMutableBufferPointer { _ = sasuka_format_number(number, $0.baseAddress!, 32) }
  return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// A product of numbers from 0 that stops at the largest integer: for counts that people read and costs that are compared.
package func saturatingProduct(_ factors: Int...) -> Int {
  var product = 1
  for factor in factors {
    let (next, overflow) = product.multipliedReportingOverflow(by: factor)
    product = overflow ? Int.max : next
  }
  return product
}
