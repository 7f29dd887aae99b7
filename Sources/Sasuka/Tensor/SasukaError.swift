/// What went wrong: a code a program can act on, and a message a person can act on.
///
/// A message names the value that was wrong, where it stood (file, parameter, node, argument) and what was expected.
package struct SasukaError: Error, Equatable {
  /// The kinds of failure. Raw values equal the constants of `sasuka_status` in sasuka.h.
  package enum Code: Int32, Sendable {
    /// An argument is NULL, out of range, or of the wrong shape or type.
    case invalidArgument = 1
    /// Memory for a buffer whose size comes from the caller or a file could not be had.
    case outOfMemory = 2
    /// The operating system refused to open, read, write or rename a file.
    case io = 3
    /// A file's bytes are not what its format requires.
    case format = 4
    /// Names or shapes in a file do not fit the model.
    case mismatch = 5
    /// A valid request for something the library does not do.
    case unsupported = 6
    /// A name is not known.
    case notFound = 7
    /// Calls came in an order that makes no sense.
    case wrongState = 8
    /// The object is in use by another call.
    case busy = 9
    /// The caller's callback asked to stop.
    case cancelled = 10
    /// The caller's buffer is too small; the message and the length parameter say how much is needed.
    case bufferTooSmall = 11
  }

  package let code: Code
  package let message: String

  @inline(never)
  package init(_ code: Code, _ message: Message) {
    self.code = code
    self.message = message.text
  }
}
