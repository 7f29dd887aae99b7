/// A row of numbers cut into pieces that are worth a unit of work each. The cut depends on the count only.
package struct Chunks {
  /// Floats in a piece: 32 KiB of each operand, half of a common L1 cache when there are two.
  package static let size = 8192

  private let total: Int
  package init(of total: Int) { self.total = total }

  package var count: Int { total.dividedUp(by: Chunks.size) }
  package subscript(unit: Int) -> Range<Int> {
    (unit * Chunks.size)..<min(total, (unit + 1) * Chunks.size)
  }
}
