import CSystem

/// Zeroed memory for numbers, aligned to 64 bytes, freed with the object that owns it.
///
/// Swift's own arrays trap when memory is out; sizes that come from a caller or a file go through here instead.
package final class Buffer {
  package let raw: UnsafeMutableRawPointer
  package let byteCount: Int
  /// Whose memory this is a part of; nil for memory of its own.
  private let owner: Buffer?

  /// - Parameter inLargePages: asks the system for large pages. Memory that is read again and again is read faster in
  ///   them; what is read once is had sooner in small ones, above all from a host that lends its guests their memory.
  /// - Throws: `outOfMemory`, naming `purpose` and the number of bytes.
  package init(byteCount: Int, purpose: String, inLargePages: Bool = true) throws(SasukaError) {
    guard byteCount >= 0, let memory = sasuka_allocate_zeroed(byteCount) else {
      throw SasukaError(.outOfMemory, "\(purpose): \(byteCount) bytes of memory could not be had")
    }
    raw = memory
    self.byteCount = byteCount
    owner = nil
    if inLargePages { preferLargePages() }
  }

  package convenience init(floatCount: Int, purpose: String) throws(SasukaError) {
    let (bytes, overflow) = floatCount.multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
    try self.init(byteCount: overflow ? -1 : bytes, purpose: purpose)
  }

  /// Part of another's memory, within its bounds, which stays for as long as the part does.
  package init(part first: Int, byteCount: Int, of owner: Buffer) {
    raw = owner.raw + first
    self.byteCount = byteCount
    self.owner = owner
  }

  package var floats: UnsafeMutablePointer<Float> { raw.assumingMemoryBound(to: Float.self) }
  package var floatCount: Int { byteCount / MemoryLayout<Float>.stride }

  /// Asks for large pages where nothing has been read or written yet.
  package func preferLargePages() { sasuka_prefer_large_pages(raw, byteCount) }

  /// Gives back the whole pages of memory in it, and leaves its numbers undefined.
  package func forget() { sasuka_forget(raw, byteCount) }

  /// Takes over the bytes of a buffer of the same size.
  package func copy(_ other: Buffer) { memcpy(raw, other.raw, min(byteCount, other.byteCount)) }

  deinit { if owner == nil { sasuka_free_zeroed(raw, byteCount) } }
}
