// Status names, the last message, the instruction set and the log.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import SasukaHeader

@_cdecl("sasuka_status_name") @implementation
public func sasuka_status_name(_ status: sasuka_status) -> UnsafePointer<CChar>? {
  switch SasukaError.Code(rawValue: status) {
  case .invalidArgument: return staticText("SASUKA_INVALID_ARGUMENT")
  case .outOfMemory: return staticText("SASUKA_OUT_OF_MEMORY")
  case .io: return staticText("SASUKA_IO")
  case .format: return staticText("SASUKA_FORMAT")
  case .mismatch: return staticText("SASUKA_MISMATCH")
  case .unsupported: return staticText("SASUKA_UNSUPPORTED")
  case .notFound: return staticText("SASUKA_NOT_FOUND")
  case .wrongState: return staticText("SASUKA_WRONG_STATE")
  case .busy: return staticText("SASUKA_BUSY")
  case .cancelled: return staticText("SASUKA_CANCELLED")
  case .bufferTooSmall: return staticText("SASUKA_BUFFER_TOO_SMALL")
  case nil: return status == 0 ? staticText("SASUKA_OK") : staticText("unknown status")
  }
}

@_cdecl("sasuka_last_error") @implementation
public func sasuka_last_error() -> UnsafePointer<CChar>? { LastError.text }

@_cdecl("sasuka_instruction_set") @implementation
public func sasuka_instruction_set() -> UnsafePointer<CChar>? {
  switch InstructionSet.preferred {
  case .avx512: return staticText("avx512")
  case .avx2: return staticText("avx2")
  case .baseline: return staticText("baseline")
  }
}

/// Where messages for people go; the host sets it while nothing else runs.
enum Log {
  nonisolated(unsafe) static var receiver: (function: sasuka_log_function, userData: UnsafeMutableRawPointer?)?

  static func warn(_ message: String) {
    guard let receiver else { return }
    message.withCString { receiver.function(1, $0, receiver.userData) }
  }
}

@_cdecl("sasuka_set_log_function") @implementation
public func sasuka_set_log_function(_ function: sasuka_log_function?, _ userData: UnsafeMutableRawPointer?) {
  Log.receiver = function.map { ($0, userData) }
}

/// The caller's callback as the engine calls it.
func progressFunction(
  _ function: sasuka_progress_function?, _ userData: UnsafeMutableRawPointer?
) -> ProgressFunction? {
  guard let function else { return nil }
  return { progress in
    var told = sasuka_progress(
      struct_size: MemoryLayout<sasuka_progress>.size, stage: staticText(progress.stage), done: Int64(progress.done),
      total: Int64(progress.total))
    return function(&told, userData)
  }
}
