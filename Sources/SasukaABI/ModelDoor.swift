// Models: making, running, parameters.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CSystem
import SasukaHeader

/// What a sasuka_model handle stands for.
final class ModelBox {
  let model: Model
  /// Names of the parameters as C sees them; then the name and the kind of each layer.
  let names: [UnsafeMutablePointer<CChar>?]
  let shapes: [UnsafeMutablePointer<Int64>]
  /// The trainer of sasuka_model_train_step and the options that it was made with.
  var trainer: (trainer: Trainer, options: sasuka_train_options)?
  let trainGate = AccessGate("model's own trainer")

  init(_ model: Model) {
    self.model = model
    var names: [UnsafeMutablePointer<CChar>?] = []
    var shapes: [UnsafeMutablePointer<Int64>] = []
    for info in model.parameters.infos {
      names.append(copyText(info.name))
      let sizes = UnsafeMutablePointer<Int64>.allocate(capacity: max(info.shape.rank, 1))
      for axis in 0..<info.shape.rank { sizes[axis] = Int64(info.shape[axis]) }
      shapes.append(sizes)
    }
    for node in model.graph.nodes {
      names.append(copyText(node.name))
      names.append(copyText(node.operation.kind))
    }
    self.names = names
    self.shapes = shapes
  }

  deinit {
    for name in names { free(name) }
    for shape in shapes { shape.deallocate() }
  }
}

@inline(never)
private func copyText(_ text: String) -> UnsafeMutablePointer<CChar>? { text.withCString { strdup($0) } }

func unwrapModel(_ handle: OpaquePointer?) throws(SasukaError) -> Model {
  try object(handle, ModelBox.self, "model").model
}

private var modelDefaults: sasuka_model_options {
  sasuka_model_options(
    struct_size: MemoryLayout<sasuka_model_options>.size, num_classes: 0, in_channels: 0, seed: 0, threads: 0,
    reserved: 0, parallel_for: nil, parallel_for_user_data: nil, progress: nil, progress_user_data: nil, dropout: -1,
    dropout_aux: -1, stochastic_depth: -1, width_mult: -1, aux_logits: -1, transform_input: -1, zero_init_residual: -1,
    exact: 0, replace_stride_with_dilation: (-1, -1, -1), norm_layer: -1, groups: -1, width_per_group: -1,
    reduced_tail: -1, dilated: -1, norm_groups: -1)
}

@_cdecl("sasuka_model_options_init") @implementation
public func sasuka_model_options_init(_ options: UnsafeMutablePointer<sasuka_model_options>?, _ struct_size: Int) {
  fillOptions(options, struct_size, modelDefaults)
}

func checkThreads(_ threads: Int32) throws(SasukaError) {
  guard threads >= 0, threads <= ThreadPool.maximumThreads else {
    throw SasukaError(
      .invalidArgument, "\(threads) threads; 0 (as many as processors) to \(ThreadPool.maximumThreads) are expected")
  }
}

private func make(_ graph: Graph, _ options: sasuka_model_options) throws(SasukaError) -> OpaquePointer {
  try checkThreads(options.threads)
  var engineOptions = Model.Options()
  engineOptions.threads = Int(options.threads)
  engineOptions.seed = options.seed
  if let function = options.parallel_for { engineOptions.host = (function, options.parallel_for_user_data) }
  engineOptions.algorithms = options.exact != 0 ? .exact : .fastest
  engineOptions.progress = progressFunction(options.progress, options.progress_user_data)
  return handle(ModelBox(try Model(graph, options: engineOptions)))
}

@_cdecl("sasuka_model_create_from_graph") @implementation
public func sasuka_model_create_from_graph(
  _ graph: OpaquePointer?, _ options: UnsafePointer<sasuka_model_options>?,
  _ model: UnsafeMutablePointer<OpaquePointer?>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let box = try object(graph, GraphBox.self, "graph")
    let model = try required(model, "model")
    try box.gate.beginReading()
    defer { box.gate.endReading() }
    model.pointee = try make(box.graph, readOptions(options, defaults: modelDefaults, "options"))
  }
}

private func architectureOptions(_ given: sasuka_model_options) throws(SasukaError) -> ArchitectureOptions {
  func wish(_ flag: Int32) -> Bool? { flag == -1 ? nil : flag != 0 }
  func wish(_ number: Double) -> Double? { number == -1 ? nil : number }
  var options = ArchitectureOptions()
  options.classes = Int(given.num_classes)
  options.inputChannels = Int(given.in_channels)
  options.dropout = wish(given.dropout).map { Float($0) }
  options.auxiliaryDropout = wish(given.dropout_aux).map { Float($0) }
  options.stochasticDepth = wish(given.stochastic_depth).map { Float($0) }
  options.widthMultiplier = wish(given.width_mult)
  options.hasAuxiliaryHeads = wish(given.aux_logits)
  options.transformsInput = wish(given.transform_input)
  options.zeroInitializesResiduals = wish(given.zero_init_residual)
  let stages = given.replace_stride_with_dilation
  if stages != (-1, -1, -1) {
    func bit(_ flag: Int32) -> Int { wish(flag) == true ? 1 : 0 }
    options.dilatedStages = bit(stages.0) | bit(stages.1) << 1 | bit(stages.2) << 2
  }
  options.groups = given.groups == -1 ? nil : Int(given.groups)
  options.widthPerGroup = given.width_per_group == -1 ? nil : Int(given.width_per_group)
  options.normLayer = try normLayer(given)
  options.reducesTail = wish(given.reduced_tail)
  options.dilatesTail = wish(given.dilated)
  return options
}

private func normLayer(_ given: sasuka_model_options) throws(SasukaError) -> NormLayer? {
  guard given.norm_groups == -1 || Int(given.norm_layer) == SASUKA_NORM_GROUP else {
    throw SasukaError(.invalidArgument, "norm_groups is \(given.norm_groups) without SASUKA_NORM_GROUP; -1 is expected")
  }
  switch Int(given.norm_layer) {
  case -1: return nil
  case SASUKA_NORM_NONE: return NormLayer.none
  case SASUKA_NORM_BATCH: return .batch
  case SASUKA_NORM_GROUP: return .group(given.norm_groups == -1 ? 32 : Int(given.norm_groups))
  default:
    throw SasukaError(.invalidArgument, "norm_layer is \(given.norm_layer), which is none of its constants")
  }
}

@_cdecl("sasuka_model_create") @implementation
public func sasuka_model_create(
  _ architecture: UnsafePointer<CChar>?, _ options: UnsafePointer<sasuka_model_options>?,
  _ model: UnsafeMutablePointer<OpaquePointer?>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let architecture = try Architecture.named(text(architecture, "architecture"))
    let model = try required(model, "model")
    let given = try readOptions(options, defaults: modelDefaults, "options")
    model.pointee = try make(architecture.graph(architectureOptions(given)), given)
  }
}

@_cdecl("sasuka_architecture_count") @implementation
public func sasuka_architecture_count() -> Int { Architecture.all.count }

/// The names as C sees them, made once.
nonisolated(unsafe) private let architectureNames: [UnsafeMutablePointer<CChar>?] = Architecture.all.map {
  architecture in copyText(architecture.name)
}

@_cdecl("sasuka_architecture_name") @implementation
public func sasuka_architecture_name(_ index: Int) -> UnsafePointer<CChar>? {
  architectureNames.indices.contains(index) ? architectureNames[index].map { UnsafePointer($0) } : nil
}

@_cdecl("sasuka_model_destroy") @implementation
public func sasuka_model_destroy(_ model: OpaquePointer?) { release(model, ModelBox.self) }

@_cdecl("sasuka_model_forward") @implementation
public func sasuka_model_forward(
  _ model: OpaquePointer?, _ input: UnsafePointer<sasuka_tensor>?, _ output: UnsafeMutablePointer<sasuka_tensor>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let model = try unwrapModel(model)
    try model.forward(tensor(input, "input"), to: tensor(UnsafePointer(output), "output"))
  }
}

@_cdecl("sasuka_model_output_shape") @implementation
public func sasuka_model_output_shape(
  _ model: OpaquePointer?, _ input_shape: UnsafePointer<Int64>?, _ input_rank: Int32,
  _ output_shape: UnsafeMutablePointer<Int64>?, _ output_rank: UnsafeMutablePointer<Int32>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let input = try readShape(input_shape, input_rank, "input_shape")
    try write(unwrapModel(model).outputShape(for: input), output_shape, output_rank)
  }
}

@_cdecl("sasuka_model_parameter_count") @implementation
public func sasuka_model_parameter_count(_ model: OpaquePointer?) -> Int {
  (try? unwrapModel(model))?.parameters.infos.count ?? 0
}

@_cdecl("sasuka_model_parameter_info") @implementation
public func sasuka_model_parameter_info(
  _ model: OpaquePointer?, _ index: Int, _ info: UnsafeMutablePointer<sasuka_parameter_info>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let box = try object(model, ModelBox.self, "model")
    let info = try required(info, "info")
    let parameters = box.model.parameters.infos
    guard parameters.indices.contains(index) else {
      throw SasukaError(.invalidArgument, "index \(index); 0 to \(parameters.count - 1) is expected")
    }
    let parameter = parameters[index]
    let kind: Int32
    switch parameter.kind {
    case .weight: kind = 0
    case .statistic: kind = 1
    case .counter: kind = 2
    }
    info.pointee = sasuka_parameter_info(
      name: box.names[index].map { UnsafePointer($0) }, shape: UnsafePointer(box.shapes[index]),
      rank: Int32(parameter.shape.rank), kind: kind,
      dtype: Int32(parameter.kind == .counter ? SASUKA_INT64 : SASUKA_FLOAT32))
  }
}

/// What is done with a parameter and the host's tensor for it.
private enum Exchange { case check, get, set }

/// Checks that a tensor fits the parameter of that name, and copies one to the other.
@inline(never)
private func exchange(
  _ name: UnsafePointer<CChar>?, _ value: UnsafePointer<sasuka_tensor>?, in model: Model, _ exchange: Exchange
) throws(SasukaError) {
  let name = try text(name, "name")
  guard let place = model.graph.parameterIndex(name) else {
    throw SasukaError(.notFound, "no parameter is called \"\(name)\"")
  }
  let parameters = model.parameters
  let (shape, isCounter) = (parameters.infos[place].shape, parameters.infos[place].kind == .counter)
  let value = try tensor(value, "value")
  guard value.shape == shape else {
    throw SasukaError(.invalidArgument, "value for \"\(name)\" has shape \(value.shape); \(shape) is expected")
  }
  guard !isCounter || value.dtype == .int64 else {
    throw SasukaError(
      .invalidArgument, "value for the counter \"\(name)\" has type \(value.dtype.name); int64 is expected")
  }
  let count = value.data.assumingMemoryBound(to: Int64.self)
  switch exchange {
  case .check: break
  case .get where isCounter: count.pointee = parameters.counter(place).pointee
  case .get:
    try model.drawPending([place])
    try value.write(from: UnsafePointer(parameters.buffers[place].floats))
  case .set:
    if isCounter {
      parameters.counter(place).pointee = count.pointee
    } else {
      try value.read(into: parameters.overwriting(place).floats)
    }
    parameters.markChanged([place])
  }
}

@_cdecl("sasuka_model_get_parameter") @implementation
public func sasuka_model_get_parameter(
  _ model: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ value: UnsafeMutablePointer<sasuka_tensor>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let model = try unwrapModel(model)
    try model.gate.beginReading()
    defer { model.gate.endReading() }
    try exchange(name, value.map { UnsafePointer($0) }, in: model, .get)
  }
}

/// All of the values or none: what is wrong with one is found before the first is written.
private func set(
  _ names: UnsafePointer<UnsafePointer<CChar>?>?, _ values: UnsafePointer<sasuka_tensor>?, _ count: Int, in model: Model
) throws(SasukaError) {
  let most = model.parameters.infos.count
  guard count >= 0, count <= most else {
    throw SasukaError(.invalidArgument, "\(count) parameters; 0 to \(most) are expected")
  }
  try model.gate.beginWriting()
  defer { model.gate.endWriting() }
  for step in [Exchange.check, .set] {
    for index in 0..<count { try exchange(names?[index], values.map { $0 + index }, in: model, step) }
  }
}

@_cdecl("sasuka_model_set_parameter") @implementation
public func sasuka_model_set_parameter(
  _ model: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ value: UnsafePointer<sasuka_tensor>?
) -> sasuka_status {
  withUnsafePointer(to: name) { sasuka_model_set_parameters(model, $0, value, 1) }
}

@_cdecl("sasuka_model_set_parameters") @implementation
public func sasuka_model_set_parameters(
  _ model: OpaquePointer?, _ names: UnsafePointer<UnsafePointer<CChar>?>?, _ values: UnsafePointer<sasuka_tensor>?,
  _ count: Int
) -> sasuka_status {
  guarded { () throws(SasukaError) in try set(names, values, count, in: unwrapModel(model)) }
}

/// What an initialiser of the header means for a weight of this shape; nil is the layer's own.
private func initializer(
  _ kind: sasuka_initializer, _ parameter: Double
) throws(SasukaError) -> ((Shape) -> Initializer)? {
  guard parameter > -.infinity, parameter < .infinity else {
    throw SasukaError(.invalidArgument, "parameter is \(describe(parameter)); a finite number is expected")
  }
  let number = Float(parameter)
  // A negative gain of Kaiming's says fan out.
  let (gain, fan) = (abs(number), number < 0 ? Initializer.Fan.output : .input)
  switch Int(kind) {
  case SASUKA_INIT_DEFAULT: return nil
  case SASUKA_INIT_CONSTANT: return { _ in .constant(number) }
  case SASUKA_INIT_UNIFORM: return { _ in .uniform(bound: number) }
  case SASUKA_INIT_NORMAL: return { _ in .normal(standardDeviation: number) }
  case SASUKA_INIT_KAIMING_UNIFORM: return { .kaimingUniform($0, fan, gain: gain) }
  case SASUKA_INIT_KAIMING_NORMAL: return { .kaimingNormal($0, fan, gain: gain) }
  case SASUKA_INIT_XAVIER_UNIFORM: return { .xavierUniform($0, gain: number) }
  case SASUKA_INIT_XAVIER_NORMAL: return { .xavierNormal($0, gain: number) }
  default: throw SasukaError(.invalidArgument, "kind is \(kind), which is none of the initialisers")
  }
}

@_cdecl("sasuka_model_initialize") @implementation
public func sasuka_model_initialize(
  _ model: OpaquePointer?, _ pattern: UnsafePointer<CChar>?, _ kind: sasuka_initializer, _ parameter: Double,
  _ seed: UInt64
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    try unwrapModel(model).initialize(
      text(pattern, "pattern"), with: initializer(kind, parameter), seed: seed)
  }
}
