// Weights and checkpoints in files and memory.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CSystem
import SasukaHeader

private var loadDefaults: sasuka_load_options {
  sasuka_load_options(
    struct_size: MemoryLayout<sasuka_load_options>.size, strict: 1, reserved: 0, key: nil, prefix: nil, pattern: nil)
}

@_cdecl("sasuka_load_options_init") @implementation
public func sasuka_load_options_init(_ options: UnsafeMutablePointer<sasuka_load_options>?, _ struct_size: Int) {
  fillOptions(options, struct_size, loadDefaults)
}

private func load(
  into handle: OpaquePointer?, _ given: UnsafePointer<sasuka_load_options>?,
  _ open: (String?) throws(SasukaError) -> any WeightFile
) throws(SasukaError) {
  let model = try unwrapModel(handle)
  let given = try readOptions(given, defaults: loadDefaults, "options")
  var options = LoadOptions()
  options.strict = given.strict != 0
  options.prefix = given.prefix.map { String(cString: $0) }
  options.pattern = given.pattern.map { String(cString: $0) }
  let report = try model.loadWeights(open(given.key.map { String(cString: $0) }), options: options)
  if !report.message.isEmpty { Log.warn("weights loaded in part: \(report.message)") }
}

/// A file that lies in the caller's memory.
private func memory(_ bytes: UnsafeRawPointer?, _ length: Int) throws(SasukaError) -> UnsafeRawBufferPointer {
  let start = try required(bytes, "bytes")
  guard length >= 0 else { throw SasukaError(.invalidArgument, "length is \(length) as a signed number") }
  return UnsafeRawBufferPointer(start: start, count: length)
}

@_cdecl("sasuka_model_load_weights") @implementation
public func sasuka_model_load_weights(
  _ model: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<sasuka_load_options>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try load(into: model, options) { (key) throws(SasukaError) in
      try openWeights(path: required(path, "path"), key: key)
    }
  }
}

@_cdecl("sasuka_model_load_weights_from_memory") @implementation
public func sasuka_model_load_weights_from_memory(
  _ model: OpaquePointer?, _ bytes: UnsafeRawPointer?, _ length: Int, _ options: UnsafePointer<sasuka_load_options>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try load(into: model, options) { (key) throws(SasukaError) in
      try openWeights(bytes: memory(bytes, length), key: key)
    }
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
    _ = try required(needed, "needed")
    try write(unwrapModel(model).saveWeights(), bytes, capacity, needed)
  }
}

private func write(
  _ saved: OwnedBytes, _ bytes: UnsafeMutableRawPointer?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) throws(SasukaError) {
  defer { withExtendedLifetime(saved) {} }
  try write(saved.bytes, bytes, capacity, needed)
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

@_cdecl("sasuka_trainer_save_checkpoint_to_memory") @implementation
public func sasuka_trainer_save_checkpoint_to_memory(
  _ trainer: OpaquePointer?, _ bytes: UnsafeMutableRawPointer?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    _ = try required(needed, "needed")
    try write(object(trainer, Trainer.self, "trainer").saveCheckpoint(), bytes, capacity, needed)
  }
}

@_cdecl("sasuka_trainer_load_checkpoint_from_memory") @implementation
public func sasuka_trainer_load_checkpoint_from_memory(
  _ trainer: OpaquePointer?, _ bytes: UnsafeRawPointer?, _ length: Int
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let trainer = try object(trainer, Trainer.self, "trainer")
    try trainer.loadCheckpoint(openWeights(bytes: memory(bytes, length)))
  }
}
