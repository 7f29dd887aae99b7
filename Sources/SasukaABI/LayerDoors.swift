// Building a network: the layers without parameters.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import SasukaHeader

private let poolDefaults = sasuka_pool_options(
  struct_size: MemoryLayout<sasuka_pool_options>.size, stride: (0, 0), dilation: (1, 1),
  padding: (0, 0, 0, 0), padding_mode: 0, ceil_mode: 0, count_include_pad: 1, reserved: 0)

@_cdecl("sasuka_pool_options_init") @implementation
public func sasuka_pool_options_init(_ options: UnsafeMutablePointer<sasuka_pool_options>?, _ struct_size: Int) {
  fillOptions(options, struct_size, poolDefaults)
}

/// The stride of a pooling: 0 in both directions means the kernel's size.
private func stride(_ given: (Int64, Int64), kernel: Extent) -> Extent {
  given.0 == 0 && given.1 == 0 ? kernel : extent(given)
}

@_cdecl("sasuka_graph_max_pool") @implementation
public func sasuka_graph_max_pool(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ kernel_height: Int64,
  _ kernel_width: Int64, _ options: UnsafePointer<sasuka_pool_options>?, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "max_pool", output) { (graph, inputs, text) throws(SasukaError) in
    let options = try readOptions(options, defaults: poolDefaults, "options")
    let kernel = extent((kernel_height, kernel_width))
    return try graph.maxPool(
      inputs[0], name: text, kernel: kernel, stride: stride(options.stride, kernel: kernel),
      padding: paddingMode(options.padding_mode, padding(options.padding)), dilation: extent(options.dilation),
      ceil: options.ceil_mode != 0)
  }
}

@_cdecl("sasuka_graph_average_pool") @implementation
public func sasuka_graph_average_pool(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ kernel_height: Int64,
  _ kernel_width: Int64, _ options: UnsafePointer<sasuka_pool_options>?, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "average_pool", output) { (graph, inputs, text) throws(SasukaError) in
    let options = try readOptions(options, defaults: poolDefaults, "options")
    let kernel = extent((kernel_height, kernel_width))
    guard options.dilation.0 == 1, options.dilation.1 == 1 else {
      throw SasukaError(
        .invalidArgument,
        "average_pool \"\(text)\": dilation \(options.dilation.0) x \(options.dilation.1); 1 x 1 is expected")
    }
    return try graph.averagePool(
      inputs[0], name: text, kernel: kernel, stride: stride(options.stride, kernel: kernel),
      padding: paddingMode(options.padding_mode, padding(options.padding)), ceil: options.ceil_mode != 0,
      countIncludesPadding: options.count_include_pad != 0)
  }
}

@_cdecl("sasuka_graph_adaptive_average_pool") @implementation
public func sasuka_graph_adaptive_average_pool(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ height: Int64, _ width: Int64,
  _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "adaptive_average_pool", output) { (graph, inputs, text) throws(SasukaError) in
    try graph.adaptiveAveragePool(inputs[0], name: text, output: extent((height, width)))
  }
}

@_cdecl("sasuka_graph_dropout") @implementation
public func sasuka_graph_dropout(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ probability: Double,
  _ kind: sasuka_dropout_kind, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "dropout", output) { (graph, inputs, text) throws(SasukaError) in
    switch Int(kind) {
    case SASUKA_DROPOUT_ELEMENTS:
      return try graph.dropout(inputs[0], name: text, probability: Float(probability))
    case SASUKA_DROPOUT_FEATURE_MAPS:
      return try graph.dropout2d(inputs[0], name: text, probability: Float(probability))
    case SASUKA_DROPOUT_SAMPLES:
      return try graph.stochasticDepth(inputs[0], name: text, probability: Float(probability))
    case SASUKA_DROPOUT_ALPHA:
      return try graph.alphaDropout(inputs[0], name: text, probability: Float(probability))
    default:
      throw SasukaError(.invalidArgument, "dropout \"\(text)\": kind is \(kind), which is none of its constants")
    }
  }
}

@_cdecl("sasuka_graph_local_response_norm") @implementation
public func sasuka_graph_local_response_norm(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ size: Int64, _ alpha: Double,
  _ beta: Double, _ k: Double, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "local_response_norm", output) { (graph, inputs, text) throws(SasukaError) in
    try graph.localResponseNorm(
      inputs[0], name: text, size: Int(size), alpha: Float(alpha), beta: Float(beta), k: Float(k))
  }
}

@_cdecl("sasuka_graph_activation") @implementation
public func sasuka_graph_activation(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ kind: sasuka_activation,
  _ parameter: Double, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "activation", output) { (graph, inputs, text) throws(SasukaError) in
    let function: Activation.Function
    switch Int(kind) {
    case SASUKA_RELU: function = .relu
    case SASUKA_RELU6: function = .relu6
    case SASUKA_LEAKY_RELU: function = .leakyRelu(slope: Float(parameter))
    case SASUKA_SIGMOID: function = .sigmoid
    case SASUKA_TANH: function = .tanh
    case SASUKA_HARD_SWISH: function = .hardSwish
    case SASUKA_SILU: function = .silu
    case SASUKA_HARD_SIGMOID: function = .hardSigmoid
    default:
      throw SasukaError(.invalidArgument, "activation \"\(text)\": kind is \(kind), which is none of its constants")
    }
    return try graph.activation(inputs[0], function, name: text)
  }
}
