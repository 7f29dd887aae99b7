// Building a network: layers that join, combine, move and average elements.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import SasukaHeader

@_cdecl("sasuka_graph_softmax") @implementation
public func sasuka_graph_softmax(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ axis: Int32, _ logarithm: Bool,
  _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "softmax", output) { (graph, inputs, text) throws(SasukaError) in
    try graph.softmax(inputs[0], axis: Int(axis), isLogarithm: logarithm, name: text)
  }
}

@_cdecl("sasuka_graph_add") @implementation
public func sasuka_graph_add(
  _ graph: OpaquePointer?, _ left: sasuka_value, _ right: sasuka_value, _ name: UnsafePointer<CChar>?,
  _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [left, right], name, "add", output) { (graph, inputs, text) throws(SasukaError) in
    try graph.add(inputs[0], inputs[1], name: text)
  }
}

@_cdecl("sasuka_graph_multiply") @implementation
public func sasuka_graph_multiply(
  _ graph: OpaquePointer?, _ left: sasuka_value, _ right: sasuka_value, _ name: UnsafePointer<CChar>?,
  _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [left, right], name, "multiply", output) { (graph, inputs, text) throws(SasukaError) in
    try graph.multiply(inputs[0], inputs[1], name: text)
  }
}

/// More values are not joined at once.
private let mostInputs = 1 << 16

@_cdecl("sasuka_graph_concatenate") @implementation
public func sasuka_graph_concatenate(
  _ graph: OpaquePointer?, _ inputs: UnsafePointer<sasuka_value>?, _ count: Int, _ axis: Int32,
  _ name: UnsafePointer<CChar>?, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    guard count >= 1, count <= mostInputs else {
      throw SasukaError(.invalidArgument, "concatenate: count is \(count); 1 to \(mostInputs) is expected")
    }
    let given = try required(inputs, "inputs")
    var numbers: [sasuka_value] = []
    for place in 0..<count { numbers.append(given[place]) }
    try insertLayer(graph, numbers, name, "concatenate", output) { (graph, inputs, text) throws(SasukaError) in
      try graph.concatenate(inputs, axis: Int(axis), name: text)
    }
  }
}

@_cdecl("sasuka_graph_flatten") @implementation
public func sasuka_graph_flatten(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ start_axis: Int32,
  _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "flatten", output) { (graph, inputs, text) throws(SasukaError) in
    try graph.flatten(inputs[0], startAxis: Int(start_axis), name: text)
  }
}

@_cdecl("sasuka_graph_reshape") @implementation
public func sasuka_graph_reshape(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ sizes: UnsafePointer<Int64>?,
  _ count: Int32, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "reshape", output) { (graph, inputs, text) throws(SasukaError) in
    try graph.reshape(inputs[0], dimensions: list(sizes, count, "sizes"), name: text)
  }
}

@_cdecl("sasuka_graph_permute") @implementation
public func sasuka_graph_permute(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ order: UnsafePointer<Int32>?,
  _ count: Int32, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "permute", output) { (graph, inputs, text) throws(SasukaError) in
    try graph.permute(inputs[0], order: list(order, count, "order"), name: text)
  }
}

@_cdecl("sasuka_graph_channel_shuffle") @implementation
public func sasuka_graph_channel_shuffle(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ groups: Int64,
  _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "channel_shuffle", output) { (graph, inputs, text) throws(SasukaError) in
    try graph.channelShuffle(inputs[0], groups: Int(groups), name: text)
  }
}

@_cdecl("sasuka_graph_slice") @implementation
public func sasuka_graph_slice(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ axis: Int32, _ start: Int64,
  _ end: Int64, _ step: Int64, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "slice", output) { (graph, inputs, text) throws(SasukaError) in
    try graph.slice(
      inputs[0], axis: Int(axis), start: Int(start), end: Int(end), step: Int(step), name: text)
  }
}

@_cdecl("sasuka_graph_mean") @implementation
public func sasuka_graph_mean(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ axes: UnsafePointer<Int32>?,
  _ count: Int32, _ keep_axes: Bool, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "mean", output) { (graph, inputs, text) throws(SasukaError) in
    try graph.mean(inputs[0], axes: list(axes, count, "axes"), keepsAxes: keep_axes, name: text)
  }
}

/// A short list of numbers that came as an array.
private func list<Number: BinaryInteger>(
  _ numbers: UnsafePointer<Number>?, _ count: Int32, _ what: StaticString
) throws(SasukaError) -> [Int] {
  guard count >= 0, count <= SASUKA_MAX_RANK else {
    throw SasukaError(.invalidArgument, "\(what): \(count) numbers; 0 to \(SASUKA_MAX_RANK) are expected")
  }
  guard count > 0 else { return [] }
  let numbers = try required(numbers, what)
  var result: [Int] = []
  for place in 0..<Int(count) { result.append(Int(truncatingIfNeeded: numbers[place])) }
  return result
}
