// Building a network: the graph itself and the layers with parameters.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import SasukaHeader

/// What a sasuka_graph handle stands for.
final class GraphBox {
  var graph = Graph()
  /// Predictions of auxiliary heads, which may be added before the output is known.
  var auxiliaries: [Value] = []
  let gate = AccessGate("graph")
}

/// Adds one layer: checks the handles, runs `build` on the graph and writes the value; on failure the graph is as it was.
func addLayer(
  _ graph: OpaquePointer?, _ inputs: [sasuka_value], _ name: UnsafePointer<CChar>?, _ kind: StaticString,
  _ output: UnsafeMutablePointer<sasuka_value>?,
  _ build: (inout Graph, [Value], String) throws(SasukaError) -> Value
) -> sasuka_status {
  guarded { () throws(SasukaError) in try insertLayer(graph, inputs, name, kind, output, build) }
}

/// What `addLayer` does, for a caller that has something to check before.
func insertLayer(
  _ graph: OpaquePointer?, _ inputs: [sasuka_value], _ name: UnsafePointer<CChar>?, _ kind: StaticString,
  _ output: UnsafeMutablePointer<sasuka_value>?,
  _ build: (inout Graph, [Value], String) throws(SasukaError) -> Value
) throws(SasukaError) {
  let box = try object(graph, GraphBox.self, "graph")
  let output = try required(output, "output")
  try box.gate.beginWriting()
  defer { box.gate.endWriting() }
  var values: [Value] = []
  for input in inputs { values.append(try unwrapValue(input, of: box.graph)) }
  let name = name.map { String(cString: $0) } ?? box.graph.uniqueName("\(kind)")
  var changed = box.graph
  output.pointee = Int32(try build(&changed, values, name).index)
  box.graph = changed
}

func unwrapValue(_ number: sasuka_value, of graph: Graph) throws(SasukaError) -> Value {
  let value = Value(index: Int(number))
  // A parameter has a number too, but no layer wrote it.
  guard graph.contains(value), !graph.isParameter(value) else {
    throw SasukaError(.invalidArgument, "value \(number) is not of this graph; what a layer wrote is expected")
  }
  return value
}

/// The name of a layer that has parameters.
private func requireName(_ name: UnsafePointer<CChar>?, _ kind: StaticString) throws(SasukaError) {
  guard name != nil else {
    throw SasukaError(.invalidArgument, "\(kind): name is NULL; a layer with parameters needs one")
  }
}

@_cdecl("sasuka_graph_create") @implementation
public func sasuka_graph_create(
  _ shape: UnsafePointer<Int64>?, _ rank: Int32, _ graph: UnsafeMutablePointer<OpaquePointer?>?,
  _ input: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let (graph, input) = (try required(graph, "graph"), try required(input, "input"))
    let picture = try readShape(shape, rank, "shape")
    guard picture.rank >= 1, picture.rank < SASUKA_MAX_RANK else {
      throw SasukaError(
        .invalidArgument, "shape \(picture); 1 to \(SASUKA_MAX_RANK - 1) axes without the batch are expected")
    }
    let box = GraphBox()
    input.pointee = Int32(box.graph.addInput(name: "input", shape: Shape([1] + picture.dimensions)).index)
    graph.pointee = handle(box)
  }
}

@_cdecl("sasuka_graph_destroy") @implementation
public func sasuka_graph_destroy(_ graph: OpaquePointer?) { release(graph, GraphBox.self) }

@_cdecl("sasuka_graph_shape") @implementation
public func sasuka_graph_shape(
  _ graph: OpaquePointer?, _ value: sasuka_value, _ shape: UnsafeMutablePointer<Int64>?,
  _ rank: UnsafeMutablePointer<Int32>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let box = try object(graph, GraphBox.self, "graph")
    try box.gate.beginReading()
    defer { box.gate.endReading() }
    try write(box.graph.shape(unwrapValue(value, of: box.graph)), shape, rank)
  }
}

@_cdecl("sasuka_graph_set_output") @implementation
public func sasuka_graph_set_output(_ graph: OpaquePointer?, _ output: sasuka_value) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let box = try object(graph, GraphBox.self, "graph")
    try box.gate.beginWriting()
    defer { box.gate.endWriting() }
    box.graph.outputs = [try unwrapValue(output, of: box.graph)] + box.auxiliaries
  }
}

@_cdecl("sasuka_graph_add_auxiliary") @implementation
public func sasuka_graph_add_auxiliary(
  _ graph: OpaquePointer?, _ prediction: sasuka_value, _ loss_weight: Double
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let box = try object(graph, GraphBox.self, "graph")
    try box.gate.beginWriting()
    defer { box.gate.endWriting() }
    let value = try unwrapValue(prediction, of: box.graph)
    let weight = Float(loss_weight)
    guard weight > 0, weight.isFinite else {
      throw SasukaError(.invalidArgument, "loss_weight is \(describe(loss_weight)); a number above 0 is expected")
    }
    box.auxiliaries.append(value)
    box.graph.auxiliaryLossWeights.append(weight)
    if !box.graph.outputs.isEmpty { box.graph.outputs.append(value) }
  }
}

private let convolutionDefaults = sasuka_convolution_options(
  struct_size: MemoryLayout<sasuka_convolution_options>.size, stride: (1, 1), dilation: (1, 1),
  padding: (0, 0, 0, 0), output_padding: (0, 0), groups: 1, padding_mode: 0, bias: 1)

@_cdecl("sasuka_convolution_options_init") @implementation
public func sasuka_convolution_options_init(
  _ options: UnsafeMutablePointer<sasuka_convolution_options>?, _ struct_size: Int
) {
  fillOptions(options, struct_size, convolutionDefaults)
}

func extent(_ pair: (Int64, Int64)) -> Extent { Extent(height: Int(pair.0), width: Int(pair.1)) }

func padding(_ sides: (Int64, Int64, Int64, Int64)) -> Padding {
  Padding(top: Int(sides.0), bottom: Int(sides.1), left: Int(sides.2), right: Int(sides.3))
}

@_cdecl("sasuka_graph_convolution") @implementation
public func sasuka_graph_convolution(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ out_channels: Int64,
  _ kernel_height: Int64, _ kernel_width: Int64, _ options: UnsafePointer<sasuka_convolution_options>?,
  _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "convolution", output) { (graph, inputs, text) throws(SasukaError) in
    try requireName(name, "convolution")
    let options = try readOptions(options, defaults: convolutionDefaults, "options")
    return try graph.convolution(
      inputs[0], name: text, outputChannels: Int(out_channels), kernel: extent((kernel_height, kernel_width)),
      stride: extent(options.stride), padding: paddingMode(options.padding_mode, padding(options.padding)),
      dilation: extent(options.dilation), groups: Int(options.groups), bias: options.bias != 0)
  }
}

@_cdecl("sasuka_graph_transposed_convolution") @implementation
public func sasuka_graph_transposed_convolution(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ out_channels: Int64,
  _ kernel_height: Int64, _ kernel_width: Int64, _ options: UnsafePointer<sasuka_convolution_options>?,
  _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "transposed_convolution", output) { (graph, inputs, text) throws(SasukaError) in
    try requireName(name, "transposed_convolution")
    let options = try readOptions(options, defaults: convolutionDefaults, "options")
    guard options.padding_mode == SASUKA_PADDING_EXPLICIT || options.padding_mode == SASUKA_PADDING_VALID else {
      throw SasukaError(
        .invalidArgument,
        "transposed convolution \"\(text)\": padding mode \(options.padding_mode); explicit is expected")
    }
    let isValid = options.padding_mode == SASUKA_PADDING_VALID
    let attributes = TransposedConvolutionAttributes(
      stride: extent(options.stride), padding: isValid ? Padding() : padding(options.padding),
      outputPadding: extent(options.output_padding), dilation: extent(options.dilation), groups: Int(options.groups))
    return try graph.transposedConvolution(
      inputs[0], name: text, outputChannels: Int(out_channels), kernel: extent((kernel_height, kernel_width)),
      attributes: attributes, bias: options.bias != 0)
  }
}

@_cdecl("sasuka_graph_linear") @implementation
public func sasuka_graph_linear(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ out_features: Int64, _ bias: Bool,
  _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "linear", output) { (graph, inputs, text) throws(SasukaError) in
    try requireName(name, "linear")
    return try graph.linear(inputs[0], name: text, outputFeatures: Int(out_features), bias: bias)
  }
}

private let batchNormDefaults = sasuka_batch_norm_options(
  struct_size: MemoryLayout<sasuka_batch_norm_options>.size, epsilon: 1e-5, momentum: 0.1, affine: 1,
  track_running_statistics: 1)

@_cdecl("sasuka_batch_norm_options_init") @implementation
public func sasuka_batch_norm_options_init(
  _ options: UnsafeMutablePointer<sasuka_batch_norm_options>?, _ struct_size: Int
) {
  fillOptions(options, struct_size, batchNormDefaults)
}

@_cdecl("sasuka_graph_batch_norm") @implementation
public func sasuka_graph_batch_norm(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?,
  _ options: UnsafePointer<sasuka_batch_norm_options>?, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "batch_norm", output) { (graph, inputs, text) throws(SasukaError) in
    try requireName(name, "batch_norm")
    let options = try readOptions(options, defaults: batchNormDefaults, "options")
    return try graph.batchNorm(
      inputs[0], name: text, epsilon: Float(options.epsilon),
      momentum: options.momentum < 0 ? nil : Float(options.momentum), affine: options.affine != 0,
      trackRunningStatistics: options.track_running_statistics != 0)
  }
}

@_cdecl("sasuka_graph_group_norm") @implementation
public func sasuka_graph_group_norm(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ groups: Int64, _ epsilon: Double,
  _ affine: Bool, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "group_norm", output) { (graph, inputs, text) throws(SasukaError) in
    try requireName(name, "group_norm")
    return try graph.groupNorm(
      inputs[0], name: text, groups: Int(groups), epsilon: Float(epsilon), affine: affine)
  }
}
