// Bytes to read weights from: a file mapped into memory, or memory that the caller keeps.
import CSystem

/// Keeps bytes alive.
package protocol BytesOwner: AnyObject {
  /// Says that some of the bytes will hardly be read again, so that they need no memory meanwhile.
  func forget(_ read: UnsafeRawBufferPointer)
}

extension BytesOwner {
  package func forget(_ read: UnsafeRawBufferPointer) {}
}

extension Buffer: BytesOwner {}

/// A regular file mapped read-only until the object goes.
///
/// Another process that shortens the file meanwhile makes later reads fault: replace files by renaming, as `AtomicFile`
/// does, instead of writing over them.
package final class MappedFile: BytesOwner {
  package let bytes: UnsafeRawBufferPointer

  /// - Throws: `io` with the path and the system's reason, also for what is not a regular file.
  package init(path: UnsafePointer<CChar>) throws(SasukaError) {
    let descriptor = sasuka_open_for_reading(path)
    guard descriptor >= 0 else { throw systemError("cannot open", path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw systemError("cannot examine", path) }
    try requireRegularFile(status, path)
    guard status.st_size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let size = Int(status.st_size)
    // mmap reports failure by the address whose bits are all ones.
    guard let memory = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), UInt(bitPattern: memory) != .max else {
      throw systemError("cannot map", path)
    }
    bytes = UnsafeRawBufferPointer(start: memory, count: size)
  }

  package func forget(_ read: UnsafeRawBufferPointer) {
    guard let start = read.baseAddress, let own = bytes.baseAddress else { return }
    if start >= own, start - own <= bytes.count - read.count { sasuka_forget(start, read.count) }
  }

  deinit {
    if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
  }
}

/// Bytes with a name for messages and with reads that are checked against their end.
package struct ByteSource {
  /// The path, or what the caller calls the memory.
  package let name: String
  package let bytes: UnsafeRawBufferPointer
  /// Keeps the mapping alive; nil for the caller's memory, which must outlive whatever is read from it.
  let owner: MappedFile?
  /// Is asked, where there is one, whether to go on with reading.
  var watch: Watch?

  package init(path: UnsafePointer<CChar>) throws(SasukaError) {
    let file = try MappedFile(path: path)
    name = String(cString: path)
    bytes = file.bytes
    owner = file
  }

  package init(memory: UnsafeRawBufferPointer, name: String) {
    self.name = name
    bytes = memory
    owner = nil
  }

  package var count: Int { bytes.count }

  /// `count` bytes from `offset`; nil unless all of them exist.
  package func slice(at offset: Int, count: Int) -> UnsafeRawBufferPointer? {
    guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else { return nil }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }

  /// A little-endian integer; nil unless all of its bytes exist.
  package func integer<Integer: FixedWidthInteger & BitwiseCopyable>(_ type: Integer.Type, at offset: Int) -> Integer? {
    guard let place = slice(at: offset, count: MemoryLayout<Integer>.size) else { return nil }
    return Integer(littleEndian: place.loadUnaligned(as: Integer.self))
  }
}

/// An `io` error with the system's reason for the last call that failed.
func systemError(_ what: String, _ path: UnsafePointer<CChar>) -> SasukaError {
  let number = sasuka_errno()
  var reason = "error \(number)"
  if let text = strerror(number) { reason = String(cString: text) }
  return SasukaError(.io, "\(String(cString: path)): \(what): \(reason)")
}

/// - Throws: `io` for directories, pipes and devices.
func requireRegularFile(_ status: stat, _ path: UnsafePointer<CChar>) throws(SasukaError) {
  // The file kinds of POSIX's st_mode; the macros are not imported by Swift.
  let kind = status.st_mode & 0o170000
  guard kind == 0o100000 else {
    let found = kind == 0o040000 ? "a directory" : "not a regular file"
    throw SasukaError(.io, "\(String(cString: path)): is \(found); a regular file is expected")
  }
}
