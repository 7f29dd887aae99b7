// Sizes, paddings and receptive fields without a network.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import SasukaHeader

@_cdecl("sasuka_window_output_size") @implementation
public func sasuka_window_output_size(
  _ input: Int64, _ kernel: Int64, _ stride: Int64, _ dilation: Int64, _ before: Int64, _ after: Int64,
  _ ceil_mode: Bool, _ output: UnsafeMutablePointer<Int64>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let output = try required(output, "output")
    output.pointee = Int64(
      try Window.outputSize(
        input: Int(input), kernel: Int(kernel), stride: Int(stride), dilation: Int(dilation), before: Int(before),
        after: Int(after), ceil: ceil_mode))
  }
}

@_cdecl("sasuka_transposed_output_size") @implementation
public func sasuka_transposed_output_size(
  _ input: Int64, _ kernel: Int64, _ stride: Int64, _ dilation: Int64, _ before: Int64, _ after: Int64,
  _ output_padding: Int64, _ output: UnsafeMutablePointer<Int64>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let output = try required(output, "output")
    output.pointee = Int64(
      try Window.transposedOutputSize(
        input: Int(input), kernel: Int(kernel), stride: Int(stride), dilation: Int(dilation), before: Int(before),
        after: Int(after), outputPadding: Int(output_padding)))
  }
}

@_cdecl("sasuka_resolve_padding") @implementation
public func sasuka_resolve_padding(
  _ mode: sasuka_padding_mode, _ input: Int64, _ kernel: Int64, _ stride: Int64, _ dilation: Int64,
  _ before: UnsafeMutablePointer<Int64>?, _ after: UnsafeMutablePointer<Int64>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    let (before, after) = (try required(before, "before"), try required(after, "after"))
    guard mode != SASUKA_PADDING_EXPLICIT else {
      throw SasukaError(.invalidArgument, "mode is SASUKA_PADDING_EXPLICIT; one that computes the padding is expected")
    }
    let padding = try paddingMode(mode, Padding()).resolved(
      input: Extent(Int(input)), kernel: Extent(Int(kernel)), stride: Extent(Int(stride)),
      dilation: Extent(Int(dilation)))
    (before.pointee, after.pointee) = (Int64(padding.top), Int64(padding.bottom))
  }
}

@_cdecl("sasuka_receptive_field") @implementation
public func sasuka_receptive_field(
  _ layers: UnsafePointer<sasuka_window>?, _ count: Int, _ size: UnsafeMutablePointer<Int64>?,
  _ step: UnsafeMutablePointer<Int64>?, _ start: UnsafeMutablePointer<Int64>?
) -> sasuka_status {
  guarded { () throws(SasukaError) in
    var field = ReceptiveField()
    for place in 0..<max(count, 0) {
      let layer = try required(layers, "layers")[place]
      try field.append(
        kernel: Int(layer.kernel), stride: Int(layer.stride), dilation: Int(layer.dilation), before: Int(layer.before))
    }
    try required(size, "size").pointee = Int64(field.size)
    try required(step, "step").pointee = Int64(field.step)
    try required(start, "start").pointee = Int64(field.start)
  }
}

/// The padding mode that a constant of the header means.
func paddingMode(_ mode: sasuka_padding_mode, _ padding: Padding) throws(SasukaError) -> PaddingMode {
  switch Int(mode) {
  case SASUKA_PADDING_EXPLICIT: return .explicit(padding)
  case SASUKA_PADDING_VALID: return .valid
  case SASUKA_PADDING_SAME: return .same
  case SASUKA_PADDING_SAME_UPPER: return .sameUpper
  case SASUKA_PADDING_SAME_LOWER: return .sameLower
  case SASUKA_PADDING_FULL: return .full
  default: throw SasukaError(.invalidArgument, "padding mode is \(mode), which is none of its constants")
  }
}
