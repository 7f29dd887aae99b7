// Building a network: padding and resizing of maps.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import SasukaHeader

@_cdecl("sasuka_graph_pad") @implementation
public func sasuka_graph_pad(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?, _ padding: UnsafePointer<Int64>?,
  _ mode: sasuka_pad_mode, _ value: Double, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "pad", output) { (graph, inputs, text) throws(SasukaError) in
    let sides = try required(padding, "padding")
    let padMode: PadMode
    switch Int(mode) {
    case SASUKA_PAD_CONSTANT: padMode = .constant(Float(value))
    case SASUKA_PAD_REFLECT: padMode = .reflect
    case SASUKA_PAD_REPLICATE: padMode = .replicate
    default: throw SasukaError(.invalidArgument, "pad \"\(text)\": mode is \(mode), which is none of its constants")
    }
    let padding = Padding(top: Int(sides[0]), bottom: Int(sides[1]), left: Int(sides[2]), right: Int(sides[3]))
    return try graph.pad(inputs[0], padding, mode: padMode, name: text)
  }
}

private let resizeDefaults = sasuka_resize_options(
  struct_size: MemoryLayout<sasuka_resize_options>.size, nearest: 0, align_corners: 0, size: (0, 0), scale: (0, 0))

@_cdecl("sasuka_resize_options_init") @implementation
public func sasuka_resize_options_init(_ options: UnsafeMutablePointer<sasuka_resize_options>?, _ struct_size: Int) {
  fillOptions(options, struct_size, resizeDefaults)
}

@_cdecl("sasuka_graph_resize") @implementation
public func sasuka_graph_resize(
  _ graph: OpaquePointer?, _ input: sasuka_value, _ name: UnsafePointer<CChar>?,
  _ options: UnsafePointer<sasuka_resize_options>?, _ output: UnsafeMutablePointer<sasuka_value>?
) -> sasuka_status {
  addLayer(graph, [input], name, "resize", output) { (graph, inputs, text) throws(SasukaError) in
    let options = try readOptions(options, defaults: resizeDefaults, "options")
    guard options.nearest == 0 || options.align_corners == 0 else {
      throw SasukaError(
        .invalidArgument, "resize \"\(text)\": nearest with align_corners; at most one of both is expected")
    }
    let isScaled = options.size.0 == 0 && options.size.1 == 0
    return try graph.resize(
      inputs[0],
      to: isScaled ? .scale(height: options.scale.0, width: options.scale.1) : .size(extent(options.size)),
      filter: options.nearest != 0 ? .nearest : .bilinear(alignCorners: options.align_corners != 0), name: text)
  }
}
