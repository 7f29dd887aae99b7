// Where bytes are written to: a file (AtomicFile) or memory (OwnedBytes).
import CSystem

/// Takes bytes one after another.
package protocol ByteSink: AnyObject {
  /// Is asked, where there is one, whether to go on.
  var watch: Watch? { get }
  func write(_ bytes: UnsafeRawBufferPointer) throws(SasukaError)
}

extension ByteSink {
  package var watch: Watch? { nil }

  package func write(_ array: [UInt8]) throws(SasukaError) {
    var failure: SasukaError?
    array.withUnsafeBytes { bytes in
      do throws(SasukaError) { try write(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}

/// Passes bytes on piece by piece, and asks in between whether to go on.
final class WatchedSink: ByteSink {
  let watch: Watch?
  private let sink: any ByteSink

  init(_ sink: any ByteSink, _ watch: Watch) {
    self.sink = sink
    self.watch = watch
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(SasukaError) {
    try inPieces(bytes, watch) { (piece) throws(SasukaError) in try sink.write(piece) }
  }
}

/// Memory that grows as it is written to and goes with the object; unlike an array, it reports when there is no more.
package final class OwnedBytes: ByteSink {
  private var memory: UnsafeMutableRawPointer?
  private var capacity = 0
  private var count = 0

  package init() {}

  /// What has been written; valid until the next write and while the object lives, which `withExtendedLifetime` says to
  /// the optimiser.
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

  package func write(_ added: UnsafeRawBufferPointer) throws(SasukaError) {
    guard let start = added.baseAddress, added.count > 0 else { return }
    let (needed, overflow) = count.addingReportingOverflow(added.count)
    guard !overflow else { throw noMemory(for: .max) }
    if needed > capacity {
      // Doubling keeps the number of copies small; the last step takes exactly what is needed if that is more.
      let wanted = max(needed, capacity > Int.max / 2 ? needed : capacity * 2)
      guard let grown = realloc(memory, wanted) else { throw noMemory(for: wanted) }
      memory = grown
      capacity = wanted
    }
    if let memory { memcpy(memory + count, start, added.count) }
    count = needed
  }

  private func noMemory(for size: Int) -> SasukaError {
    SasukaError(.outOfMemory, "a file in memory: \(size) bytes of memory could not be had")
  }

  deinit { free(memory) }
}

/// Little-endian integers at the end of a header that is being put together.
extension [UInt8] {
  mutating func append<Integer: FixedWidthInteger>(littleEndian value: Integer) {
    var rest = value
    for _ in 0..<Integer.bitWidth / 8 {
      append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }
}
