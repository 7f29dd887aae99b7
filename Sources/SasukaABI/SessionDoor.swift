// Sessions: a model compiled for one input shape.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import SasukaHeader

nonisolated(unsafe) private let sessionDefaults = sasuka_session_options(
  struct_size: MemoryLayout<sasuka_session_options>.size, threads: 0, profile: 0, features: nil, feature_count: 0,
  from_module: nil, to_module: nil, gradients: 0, exact: 0, without: nil,
  tuning: nil, tune: 0, release_weights: 0)

@_cdecl("sasuka_session_options_init") @implementation
public func sasuka_session_options_init(_ options: UnsafeMutablePointer<sasuka_session_options>?, _ struct_size: Int) {
  fillOptions(options, struct_size, sessionDefaults)
}

@_cdecl("sasuka_session_create") @implementation
public func sasuka_session_create(
  _ model: OpaquePointer?, _ input_shape: UnsafePointer<Int64>?, _ rank: Int32,
  _ options: UnsafePointer<sasuka_session_options>?, _ session: UnsafeMutablePointer<OpaquePointer?>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let session = try required(session, "session")
    let given = try readOptions(options, defaults: sessionDefaults, "options")
    try checkThreads(given.threads)
    let input = try readShape(input_shape, rank, "input_shape")
    var options = Session.Options()
    options.threads = Int(given.threads)
    options.features = try texts(given.features, given.feature_count, "features")
    options.hasGradients = given.gradients != 0
    options.profiles = given.profile != 0
    if given.exact != 0 { options.algorithms = .exact }
    if let without = given.without { options.passes = try PassChoice(without: String(cString: without)) }
    if let tuning = given.tuning { options.tuning = String(cString: tuning) }
    options.isTimed = given.tune != 0
    options.releasesWeights = given.release_weights != 0
    if let start = given.from_module { options.start = String(cString: start) }
    if let end = given.to_module { options.end = String(cString: end) }
    session.pointee = handle(try Session(unwrapModel(model), inputShape: input, options: options))
  }
}

@_cdecl("sasuka_session_feature_shape") @implementation
public func sasuka_session_feature_shape(
  _ session: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ shape: UnsafeMutablePointer<Int64>?,
  _ rank: UnsafeMutablePointer<Int32>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try write(object(session, Session.self, "session").featureShape(text(name, "name")), shape, rank)
  }
}

@_cdecl("sasuka_session_feature") @implementation
public func sasuka_session_feature(
  _ session: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ value: UnsafeMutablePointer<sasuka_tensor>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try object(session, Session.self, "session").readFeature(
      text(name, "name"), to: tensor(UnsafePointer(value), "value"))
  }
}

@_cdecl("sasuka_session_backward") @implementation
public func sasuka_session_backward(
  _ session: OpaquePointer?, _ seed: UnsafePointer<sasuka_tensor>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try object(session, Session.self, "session").backward(tensor(seed, "seed"))
  }
}

@_cdecl("sasuka_session_feature_gradient") @implementation
public func sasuka_session_feature_gradient(
  _ session: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ value: UnsafeMutablePointer<sasuka_tensor>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try object(session, Session.self, "session").readFeatureGradient(
      text(name, "name"), to: tensor(UnsafePointer(value), "value"))
  }
}

@_cdecl("sasuka_session_destroy") @implementation
public func sasuka_session_destroy(_ session: OpaquePointer?) { release(session, Session.self) }

@_cdecl("sasuka_session_run") @implementation
public func sasuka_session_run(
  _ session: OpaquePointer?, _ input: UnsafePointer<sasuka_tensor>?, _ output: UnsafeMutablePointer<sasuka_tensor>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let session = try object(session, Session.self, "session")
    try session.run(tensor(input, "input"), to: tensor(UnsafePointer(output), "output"))
  }
}

@_cdecl("sasuka_session_output_shape") @implementation
public func sasuka_session_output_shape(
  _ session: OpaquePointer?, _ shape: UnsafeMutablePointer<Int64>?, _ rank: UnsafeMutablePointer<Int32>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try write(object(session, Session.self, "session").outputShape, shape, rank)
  }
}

@_cdecl("sasuka_session_tuning") @implementation
public func sasuka_session_tuning(
  _ session: OpaquePointer?, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int,
  _ needed: UnsafeMutablePointer<Int>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try write(object(session, Session.self, "session").tuning, text, capacity, needed)
  }
}

@_cdecl("sasuka_session_memory") @implementation
public func sasuka_session_memory(_ session: OpaquePointer?) -> Int {
  (try? object(session, Session.self, "session"))?.memoryBytes ?? 0
}

@_cdecl("sasuka_session_profile_size") @implementation
public func sasuka_session_profile_size(_ session: OpaquePointer?) -> Int {
  (try? object(session, Session.self, "session"))?.profile?.rowCount ?? 0
}

@_cdecl("sasuka_session_profile") @implementation
public func sasuka_session_profile(
  _ session: OpaquePointer?, _ index: Int, _ row: UnsafeMutablePointer<sasuka_profile_row>?, _ struct_size: Int
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let session = try object(session, Session.self, "session")
    guard let profile = session.profile else {
      throw SasukaError(.wrongState, "the session was not made to profile: sasuka_session_options.profile")
    }
    guard index >= 0, index < profile.rowCount else {
      throw SasukaError(.invalidArgument, "index \(index); 0 to \(profile.rowCount - 1) is expected")
    }
    try session.gate.beginReading()
    defer { session.gate.endReading() }
    let (time, work) = (profile.nanoseconds(index), profile.work(index))
    var found = sasuka_profile_row()
    found.name = profile.name(index)
    found.kind = profile.kind(index)
    found.algorithm = staticText(profile.algorithm(index))
    found.node = Int64(profile.node(index))
    found.nanoseconds = Int64(bitPattern: time.total)
    found.waiting = Int64(bitPattern: time.waiting)
    found.multiply_adds = Int64(work.multiplyAdds)
    found.bytes = Int64(work.bytes)
    withUnsafeMutableBytes(of: &found.input_shape) { input in
      withUnsafeMutableBytes(of: &found.output_shape) { output in
        profile.writeShapes(
          index, input: input.baseAddress!.assumingMemoryBound(to: Int64.self),
          output: output.baseAddress!.assumingMemoryBound(to: Int64.self), capacity: Int(SASUKA_MAX_RANK))
      }
    }
    guard fillOptions(row, struct_size, found) else {
      throw SasukaError(.invalidArgument, "row is NULL, or struct_size \(struct_size) is not its size")
    }
  }
}
