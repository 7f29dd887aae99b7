// Looking into networks and changing them.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CSystem
import SasukaHeader

/// The shape that a table is for: the caller's, or the nominal one.
@inline(never)
private func tableShape(
  _ model: Model, _ sizes: UnsafePointer<Int64>?, _ rank: Int32
) throws(SasukaError) -> Shape {
  if sizes == nil, rank == 0 { return model.graph.shape(model.graph.inputs[0]) }
  let shape = try readShape(sizes, rank, "input_shape")
  _ = try model.outputShape(for: shape)
  return shape
}

private func pair(_ extent: Extent?) -> (Int64, Int64) { (Int64(extent?.height ?? 0), Int64(extent?.width ?? 0)) }

private func describe(_ layer: LayerInfo) -> sasuka_layer_info {
  var info = sasuka_layer_info()
  withUnsafeMutablePointer(to: &info.shape) { tuple in
    tuple.withMemoryRebound(to: Int64.self, capacity: Int(SASUKA_MAX_RANK)) { sizes in
      for axis in 0..<min(layer.output.rank, Int(SASUKA_MAX_RANK)) { sizes[axis] = Int64(layer.output[axis]) }
    }
  }
  info.rank = Int32(layer.output.rank)
  let window = layer.window
  (info.kernel, info.stride, info.dilation) = (pair(window?.kernel), pair(window?.stride), pair(window?.dilation))
  let padding = window?.padding ?? Padding()
  info.padding = (Int64(padding.top), Int64(padding.bottom), Int64(padding.left), Int64(padding.right))
  if let field = layer.field {
    info.field_size = (Int64(field.rows.size), Int64(field.columns.size))
    info.field_step = (Int64(field.rows.step), Int64(field.columns.step))
    info.field_start = (Int64(field.rows.start), Int64(field.columns.start))
  }
  info.parameters = Int64(layer.parameters)
  info.multiply_adds = Int64(layer.multiplyAdds)
  info.activation_bytes = Int64(layer.activationBytes)
  return info
}

@_cdecl("sasuka_model_layers") @implementation
public func sasuka_model_layers(
  _ model: OpaquePointer?, _ input_shape: UnsafePointer<Int64>?, _ rank: Int32,
  _ layers: UnsafeMutablePointer<sasuka_layer_info>?, _ layer_size: Int, _ capacity: Int,
  _ needed: UnsafeMutablePointer<Int>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let box = try object(model, ModelBox.self, "model")
    let needed = try required(needed, "needed")
    let smallest = MemoryLayout<sasuka_layer_info>.size
    guard layer_size >= smallest, layer_size <= 1 << 16, layer_size % 8 == 0 else {
      throw SasukaError(
        .invalidArgument,
        "layer_size is \(layer_size); the size of sasuka_layer_info, at least \(smallest), is expected")
    }
    let model = box.model
    let shape = try tableShape(model, input_shape, rank)
    let count = model.graph.nodes.count
    needed.pointee = count
    if layers == nil, capacity == 0 { return }
    guard capacity >= count else {
      throw SasukaError(.bufferTooSmall, "room for \(capacity) layers; \(count) are needed")
    }
    var next = UnsafeMutableRawPointer(try required(layers, "layers"))
    var text = model.parameters.infos.count
    try model.graph.forEachLayer(at: shape) { layer in
      var info = describe(layer)
      info.name = UnsafePointer(box.names[text])
      info.kind = UnsafePointer(box.names[text + 1])
      memcpy(next, &info, smallest)
      text += 2
      next += layer_size
    }
  }
}

@_cdecl("sasuka_model_summary") @implementation
public func sasuka_model_summary(
  _ model: OpaquePointer?, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) -> sasuka_status {
  sasuka_model_summary_at(model, nil, 0, text, capacity, needed)
}

@_cdecl("sasuka_model_summary_at") @implementation
public func sasuka_model_summary_at(
  _ model: OpaquePointer?, _ input_shape: UnsafePointer<Int64>?, _ rank: Int32, _ text: UnsafeMutablePointer<CChar>?,
  _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let model = try unwrapModel(model)
    try write(model.graph.summary(at: tableShape(model, input_shape, rank)), text, capacity, needed)
  }
}

/// Makes a new model of what `change` makes of a model's network.
@inline(never)
private func transform(
  _ model: OpaquePointer?, _ changed: UnsafeMutablePointer<OpaquePointer?>?, seed: UInt64 = 0,
  _ change: (Graph) throws(SasukaError) -> Transformation
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let model = try unwrapModel(model)
    let changed = try required(changed, "changed")
    changed.pointee = handle(ModelBox(try model.changed(change(model.graph), seed: seed)))
  }
}

@_cdecl("sasuka_model_replace_head") @implementation
public func sasuka_model_replace_head(
  _ model: OpaquePointer?, _ num_classes: Int64, _ seed: UInt64, _ changed: UnsafeMutablePointer<OpaquePointer?>?
) -> sasuka_status {
  transform(model, changed, seed: seed) { (graph) throws(SasukaError) in
    try graph.replacingHead(classes: Int(num_classes))
  }
}

@_cdecl("sasuka_model_make_convolutional") @implementation
public func sasuka_model_make_convolutional(
  _ model: OpaquePointer?, _ changed: UnsafeMutablePointer<OpaquePointer?>?
) -> sasuka_status {
  transform(model, changed) { (graph) throws(SasukaError) in try graph.fullyConvolutional() }
}

@_cdecl("sasuka_model_ablate") @implementation
public func sasuka_model_ablate(
  _ model: OpaquePointer?, _ modules: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int, _ ablation: sasuka_ablation,
  _ changed: UnsafeMutablePointer<OpaquePointer?>?
) -> sasuka_status {
  transform(model, changed) { (graph) throws(SasukaError) in
    let names = try texts(modules, count, "modules")
    return try graph.ablating(names, enumerator(ablation, Ablation.self, "ablation"))
  }
}

@_cdecl("sasuka_model_replace_max_pool") @implementation
public func sasuka_model_replace_max_pool(
  _ model: OpaquePointer?, _ pattern: UnsafePointer<CChar>?, _ replacement: sasuka_pool_replacement,
  _ changed: UnsafeMutablePointer<OpaquePointer?>?
) -> sasuka_status {
  transform(model, changed) { (graph) throws(SasukaError) in
    try graph.replacingMaxPools(
      text(pattern, "pattern"), with: enumerator(replacement, PoolReplacement.self, "replacement"))
  }
}

@_cdecl("sasuka_model_pool_globally") @implementation
public func sasuka_model_pool_globally(
  _ model: OpaquePointer?, _ seed: UInt64, _ changed: UnsafeMutablePointer<OpaquePointer?>?
) -> sasuka_status {
  transform(model, changed, seed: seed) { (graph) throws(SasukaError) in try graph.poolingGlobally() }
}
