import CSystem

extension UnsafeMutablePointer where Pointee == Float {
  /// Sets numbers to 0. The standard library's own loop is compiled number by number here, at a tenth of memory's speed.
  @inline(__always)
  func clear(count: Int) { memset(self, 0, count * MemoryLayout<Float>.stride) }

  /// Copies numbers from where they do not overlap these.
  @inline(__always)
  func copy(from source: UnsafePointer<Float>, count: Int) { memcpy(self, source, count * MemoryLayout<Float>.stride) }
}
