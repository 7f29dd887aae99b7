// From pictures to inputs.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import SasukaHeader

private func described(_ preprocessing: Preprocessing, size: Int) -> sasuka_preprocessing {
  sasuka_preprocessing(
    struct_size: size, channels: Int64(preprocessing.channels), resize_size: Int64(preprocessing.resize),
    crop_size: Int64(preprocessing.crop), interpolation: preprocessing.interpolation.rawValue, reserved: 0,
    mean: preprocessing.mean, std: preprocessing.deviation)
}

@_cdecl("sasuka_preprocessing_init") @implementation
public func sasuka_preprocessing_init(
  _ preprocessing: UnsafeMutablePointer<sasuka_preprocessing>?, _ struct_size: Int
) {
  fillOptions(preprocessing, struct_size, described(Preprocessing(), size: struct_size))
}

/// Fills the caller's struct as far as it reaches.
private func write(
  _ found: Preprocessing, _ preprocessing: UnsafeMutablePointer<sasuka_preprocessing>?
) throws(SasukaError) {
  let target = try required(preprocessing, "preprocessing")
  let size = try readOptions(target, defaults: described(found, size: 0), "preprocessing").struct_size
  fillOptions(target, size, described(found, size: size))
}

@_cdecl("sasuka_architecture_preprocessing") @implementation
public func sasuka_architecture_preprocessing(
  _ architecture: UnsafePointer<CChar>?, _ weights: UnsafePointer<CChar>?,
  _ preprocessing: UnsafeMutablePointer<sasuka_preprocessing>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let architecture = try Architecture.named(text(architecture, "architecture"))
    try write(architecture.preprocessing(weights: weights.map { String(cString: $0) }), preprocessing)
  }
}

@_cdecl("sasuka_model_preprocessing") @implementation
public func sasuka_model_preprocessing(
  _ model: OpaquePointer?, _ weights: UnsafePointer<CChar>?,
  _ preprocessing: UnsafeMutablePointer<sasuka_preprocessing>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let model = try unwrapModel(model)
    try write(model.preprocessing(weights: weights.map { String(cString: $0) }), preprocessing)
  }
}

/// The caller's pictures, checked as far as they can be.
private func read(_ pictures: UnsafePointer<sasuka_picture>?, _ count: Int) throws(SasukaError) -> [Picture] {
  guard count > 0, count <= Shape.maximumCount else {
    throw SasukaError(.invalidArgument, "count is \(count) as a signed number; at least 1 is expected")
  }
  let pictures = try required(pictures, "pictures")
  var found: [Picture] = []
  for place in 0..<count {
    let given = pictures[place]
    found.append(
      try Picture(
        required(given.pixels, "pixels"), height: Int(given.height), width: Int(given.width),
        channels: Int(given.channels), rowBytes: Int(given.row_bytes)))
  }
  return found
}

@_cdecl("sasuka_preprocess") @implementation
public func sasuka_preprocess(
  _ preprocessing: UnsafePointer<sasuka_preprocessing>?, _ pictures: UnsafePointer<sasuka_picture>?, _ count: Int,
  _ output: UnsafeMutablePointer<sasuka_tensor>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let defaults = described(Preprocessing(), size: 0)
    let given = try readOptions(preprocessing, defaults: defaults, "preprocessing")
    var wanted = Preprocessing()
    wanted.channels = Int(given.channels)
    (wanted.resize, wanted.crop) = (Int(given.resize_size), Int(given.crop_size))
    wanted.interpolation = try enumerator(
      given.interpolation, Preprocessing.Interpolation.self, "preprocessing->interpolation")
    (wanted.mean, wanted.deviation) = (given.mean, given.std)
    let output = try tensor(UnsafePointer(output), "output")
    guard output.shape.rank == 4, output.shape[0] == count else {
      throw SasukaError(
        .invalidArgument,
        "output has shape \(output.shape); [\(count), channels, height, width] is expected for \(count) pictures")
    }
    try wanted.run(read(pictures, count), to: output)
  }
}
