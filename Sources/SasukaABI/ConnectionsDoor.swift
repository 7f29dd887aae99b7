// How the layers of a network hang together, and what it is made for.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CSystem
import SasukaHeader

@_cdecl("sasuka_model_input_shape") @implementation
public func sasuka_model_input_shape(
  _ model: OpaquePointer?, _ shape: UnsafeMutablePointer<Int64>?, _ rank: UnsafeMutablePointer<Int32>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let graph = try unwrapModel(model).graph
    try write(graph.shape(graph.inputs[0]), shape, rank)
  }
}

@_cdecl("sasuka_model_connections") @implementation
public func sasuka_model_connections(
  _ model: OpaquePointer?, _ layers: UnsafeMutablePointer<Int32>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let graph = try unwrapModel(model).graph
    let needed = try required(needed, "needed")
    // The layer that makes each tensor; the input is made by none.
    var makers = [Int32](repeating: -1, count: graph.tensors.count)
    var found: [Int32] = []
    var place: Int32 = 0
    for node in graph.nodes {
      for input in node.inputs where !graph.isParameter(input) {
        found.append(makers[input.index])
        found.append(place)
      }
      for output in node.outputs { makers[output.index] = place }
      place += 1
    }
    needed.pointee = found.count
    if layers == nil, capacity == 0 { return }
    guard capacity >= found.count else {
      throw SasukaError(.bufferTooSmall, "room for \(capacity) numbers; \(found.count) are needed")
    }
    let layers = try required(layers, "layers")
    for index in found.indices { layers[index] = found[index] }
  }
}
