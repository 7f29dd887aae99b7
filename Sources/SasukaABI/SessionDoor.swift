// Sessions: a model compiled for one input shape.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import SasukaHeader

nonisolated(unsafe) private let sessionDefaults = sasuka_session_options(
  struct_size: MemoryLayout<sasuka_session_options>.size, threads: 0, reserved: 0, features: nil, feature_count: 0)

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
    let options = try readOptions(options, defaults: sessionDefaults, "options")
    try checkThreads(options.threads)
    let input = try readShape(input_shape, rank, "input_shape")
    session.pointee = handle(
      try Session(
        unwrapModel(model), inputShape: input, features: features(options), threads: Int(options.threads)))
  }
}

/// Most features of a session: no network has more layers.
private let mostFeatures = 1 << 16

private func features(_ options: sasuka_session_options) throws(SasukaError) -> [String] {
  guard options.feature_count <= mostFeatures else {
    throw SasukaError(.invalidArgument, "feature_count is \(options.feature_count); 0 to \(mostFeatures) are expected")
  }
  var names: [String] = []
  guard options.feature_count > 0 else { return names }
  let given = try required(options.features, "features")
  for place in 0..<options.feature_count { names.append(try text(given[place], "a name of features")) }
  return names
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

@_cdecl("sasuka_session_memory") @implementation
public func sasuka_session_memory(_ session: OpaquePointer?) -> Int {
  (try? object(session, Session.self, "session"))?.memoryBytes ?? 0
}
