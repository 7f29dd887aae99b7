import Synchronization

/// Lets many calls read an object or one change it, and refuses what would overlap instead of waiting.
package final class AccessGate {
  /// Number of readers, or -1 while there is a writer.
  private let users = Atomic<Int>(0)
  private let what: StaticString

  /// - Parameter what: the object's name in messages.
  package init(_ what: StaticString) { self.what = what }

  package func beginReading() throws(SasukaError) {
    var now = users.load(ordering: .relaxed)
    while true {
      guard now >= 0 else { throw busy() }
      let (exchanged, original) = users.compareExchange(
        expected: now, desired: now + 1, ordering: .acquiringAndReleasing)
      if exchanged { return }
      now = original
    }
  }

  package func endReading() { users.wrappingSubtract(1, ordering: .releasing) }

  package func beginWriting() throws(SasukaError) {
    let (exchanged, _) = users.compareExchange(expected: 0, desired: -1, ordering: .acquiringAndReleasing)
    guard exchanged else { throw busy() }
  }

  package func endWriting() { users.store(0, ordering: .releasing) }

  private func busy() -> SasukaError {
    SasukaError(.busy, "the \(what) is in use by another call; one call at a time may change it")
  }
}
