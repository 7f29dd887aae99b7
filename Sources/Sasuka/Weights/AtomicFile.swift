import CSystem

/// A file that appears under its name whole or not at all.
///
/// It is written beside its place under a temporary name; `commit` syncs and renames it. Without `commit` the temporary
/// file goes with the object, and what stood at the path stays as it was.
package final class AtomicFile: ByteSink {
  private let path: String
  /// The path with links resolved: renaming onto a link would replace the link.
  private let target: String
  private let temporary: String
  private var descriptor: Int32

  /// - Throws: `io` if the folder does not take a new file, or something other than a regular file is at the path.
  package init(path: UnsafePointer<CChar>) throws(SasukaError) {
    self.path = String(cString: path)
    var status = stat()
    let exists = stat(path, &status) == 0
    if exists { try requireRegularFile(status, path) }
    var target = String(cString: path)
    if exists, let resolved = realpath(path, nil) {
      target = String(cString: resolved)
      free(resolved)
    }
    self.target = target
    var attempt = 0
    var name = ""
    var opened: Int32 = -1
    repeat {
      name = "\(target).\(getpid())-\(sasuka_nanoseconds())-\(attempt).tmp"
      opened = sasuka_create_for_writing(name)
      attempt += 1
    } while opened < 0 && sasuka_errno() == EEXIST && attempt < 100
    temporary = name
    descriptor = opened
    guard opened >= 0 else { throw systemError("cannot create a file beside it", path) }
    // A replaced file keeps its permissions; where the system does not allow that, the new file has the usual ones.
    if exists { _ = fchmod(opened, status.st_mode & 0o777) }
  }

  package func write(_ bytes: UnsafeRawBufferPointer) throws(SasukaError) {
    guard var next = bytes.baseAddress else { return }
    var left = bytes.count
    while left > 0 {
      // Linux writes at most 2 GiB at once.
      let written = CSystem.write(descriptor, next, min(left, 1 << 30))
      if written < 0, sasuka_errno() == EINTR { continue }
      guard written > 0 else { throw systemError("cannot write", path) }
      next += written
      left -= written
    }
  }

  /// Makes the file appear under its name, after its content has reached the disk. Nothing can be written afterwards.
  ///
  /// - Throws: `io`; the file that stood there before still does, unless only the last step failed, the folder's sync.
  package func commit() throws(SasukaError) {
    guard descriptor >= 0 else { throw SasukaError(.wrongState, "\(path): the file has been committed already") }
    guard fsync(descriptor) == 0 else { throw systemError("cannot sync", path) }
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0 || sasuka_errno() == EINTR, rename(temporary, target) == 0 else {
      let error = systemError("cannot put the new file in its place", path)
      unlink(temporary)
      throw error
    }
    try syncFolder()
  }

  private func syncFolder() throws(SasukaError) {
    var bytes = Array(target.utf8)
    while let last = bytes.last, last != UInt8(ascii: "/") { bytes.removeLast() }
    // Behind the last slash is the name; the slash of the root stays.
    if bytes.count > 1 { bytes.removeLast() }
    let folder = bytes.isEmpty ? "." : String(decoding: bytes, as: UTF8.self)
    let handle = sasuka_open_for_reading(folder)
    // A folder that may be written but not read cannot be synced; the file is complete all the same.
    guard handle >= 0 else { return }
    defer { close(handle) }
    guard fsync(handle) == 0 || sasuka_errno() == EINVAL || sasuka_errno() == ENOTSUP else {
      throw systemError("cannot sync the folder of", path)
    }
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(temporary)
  }
}
