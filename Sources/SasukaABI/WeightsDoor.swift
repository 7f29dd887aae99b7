// Weights and checkpoints in files and memory.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CSystem
import SasukaHeader

private let loadDefaults = sasuka_load_options(struct_size: MemoryLayout<sasuka_load_options>.size, strict: true)

@_cdecl("sasuka_load_options_init") @implementation
public func sasuka_load_options_init(_ options: UnsafeMutablePointer<sasuka_load_options>?) {
  options?.pointee = loadDefaults
}

private func load(
  _ file: any WeightFile, into handle: OpaquePointer?, _ options: UnsafePointer<sasuka_load_options>?
) throws(SasukaError) {
  let options = try readOptions(options, defaults: loadDefaults, "options")
  let report = try unwrapModel(handle).loadWeights(file, strict: options.strict)
  if !report.message.isEmpty { Log.warn("weights loaded in part: \(report.message)") }
}

@_cdecl("sasuka_model_load_weights") @implementation
public func sasuka_model_load_weights(
  _ model: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<sasuka_load_options>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    _ = try unwrapModel(model)
    try load(openWeights(path: required(path, "path")), into: model, options)
  }
}

@_cdecl("sasuka_model_load_weights_from_memory") @implementation
public func sasuka_model_load_weights_from_memory(
  _ model: OpaquePointer?, _ bytes: UnsafeRawPointer?, _ length: Int, _ options: UnsafePointer<sasuka_load_options>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    _ = try unwrapModel(model)
    let start = try required(bytes, "bytes")
    guard length >= 0 else { throw SasukaError(.invalidArgument, "length is \(length) as a signed number") }
    try load(openWeights(bytes: UnsafeRawBufferPointer(start: start, count: length)), into: model, options)
  }
}

@_cdecl("sasuka_model_save_weights") @implementation
public func sasuka_model_save_weights(_ model: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> sasuka_status {
  guarded { () throws(SasukaError) in try unwrapModel(model).saveWeights(to: required(path, "path")) }
}

@_cdecl("sasuka_model_save_weights_to_memory") @implementation
public func sasuka_model_save_weights_to_memory(
  _ model: OpaquePointer?, _ bytes: UnsafeMutableRawPointer?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let needed = try required(needed, "needed")
    let saved = try unwrapModel(model).saveWeights().bytes
    needed.pointee = saved.count
    guard capacity >= saved.count, let bytes, let start = saved.baseAddress else {
      throw SasukaError(.bufferTooSmall, "room for \(capacity) bytes; \(saved.count) are needed")
    }
    memcpy(bytes, start, saved.count)
  }
}

@_cdecl("sasuka_trainer_save_checkpoint") @implementation
public func sasuka_trainer_save_checkpoint(_ trainer: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try object(trainer, Trainer.self, "trainer").saveCheckpoint(to: required(path, "path"))
  }
}

@_cdecl("sasuka_trainer_load_checkpoint") @implementation
public func sasuka_trainer_load_checkpoint(_ trainer: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let trainer = try object(trainer, Trainer.self, "trainer")
    try trainer.loadCheckpoint(openWeights(path: required(path, "path")))
  }
}
