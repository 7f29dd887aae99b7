// Weights and checkpoints in files and memory.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CSystem
import SasukaHeader

private var loadDefaults: sasuka_load_options {
  sasuka_load_options(
    struct_size: MemoryLayout<sasuka_load_options>.size, strict: 1, reserved: 0, key: nil, prefix: nil, pattern: nil,
    report: nil, channels: 0, skip_mismatched: 0)
}

@_cdecl("sasuka_load_options_init") @implementation
public func sasuka_load_options_init(_ options: UnsafeMutablePointer<sasuka_load_options>?, _ struct_size: Int) {
  fillOptions(options, struct_size, loadDefaults)
}

private func load(
  into handle: OpaquePointer?, _ given: UnsafePointer<sasuka_load_options>?,
  _ open: (String?, Watch?) throws(SasukaError) -> any WeightFile
) throws(SasukaError) {
  let model = try unwrapModel(handle)
  let given = try readOptions(given, defaults: loadDefaults, "options")
  var options = LoadOptions()
  options.strict = given.strict != 0
  options.prefix = given.prefix.map { String(cString: $0) }
  options.pattern = given.pattern.map { String(cString: $0) }
  options.channels = try enumerator(given.channels, ChannelAdaptation.self, "options->channels")
  options.skipsMismatched = given.skip_mismatched != 0
  let told = try given.report.map { (report) throws(SasukaError) in
    try object(report, LoadReport.self, "options->report")
  }
  try told?.gate.beginWriting()
  var report = WeightReport()
  defer {
    told?.fill(report)
    told?.gate.endWriting()
  }
  let file = try open(given.key.map { String(cString: $0) }, model.watch("load"))
  try model.loadWeights(file, options: options, report: &report)
  if !report.message.isEmpty { Log.warn("weights loaded in part: \(report.message)") }
}

/// What a sasuka_load_report handle stands for: the names that did not fit, as C sees them.
private final class LoadReport {
  let gate = AccessGate("load report")
  private var names: [[UnsafeMutablePointer<CChar>?]] = []

  /// Takes over a report; the names of the last one go.
  func fill(_ report: WeightReport) {
    clear()
    for list in [report.missing, report.unexpected, report.mismatched] {
      names.append(list.map { name in name.withCString { strdup($0) } })
    }
  }

  /// The names of a kind; none of a kind that does not exist.
  func list(_ kind: sasuka_load_problem) -> [UnsafeMutablePointer<CChar>?] {
    names.indices.contains(Int(kind)) ? names[Int(kind)] : []
  }

  private func clear() {
    for list in names { for name in list { free(name) } }
    names = []
  }

  deinit { clear() }
}

@_cdecl("sasuka_load_report_create") @implementation
public func sasuka_load_report_create(_ report: UnsafeMutablePointer<OpaquePointer?>?) -> sasuka_status {
  guarded { () throws(SasukaError) in try required(report, "report").pointee = handle(LoadReport()) }
}

@_cdecl("sasuka_load_report_destroy") @implementation
public func sasuka_load_report_destroy(_ report: OpaquePointer?) { release(report, LoadReport.self) }

@_cdecl("sasuka_load_report_count") @implementation
public func sasuka_load_report_count(_ report: OpaquePointer?, _ kind: sasuka_load_problem) -> Int {
  (try? object(report, LoadReport.self, "report"))?.list(kind).count ?? 0
}

@_cdecl("sasuka_load_report_name") @implementation
public func sasuka_load_report_name(
  _ report: OpaquePointer?, _ kind: sasuka_load_problem, _ index: Int
) -> UnsafePointer<CChar>? {
  guard let list = (try? object(report, LoadReport.self, "report"))?.list(kind), list.indices.contains(index) else {
    return nil
  }
  return list[index].map { UnsafePointer($0) }
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
    try load(into: model, options) { (key, watch) throws(SasukaError) in
      try openWeights(path: required(path, "path"), key: key, watch: watch)
    }
  }
}

@_cdecl("sasuka_model_load_weights_from_memory") @implementation
public func sasuka_model_load_weights_from_memory(
  _ model: OpaquePointer?, _ bytes: UnsafeRawPointer?, _ length: Int, _ options: UnsafePointer<sasuka_load_options>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try load(into: model, options) { (key, watch) throws(SasukaError) in
      try openWeights(bytes: memory(bytes, length), key: key, watch: watch)
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
