// The table of a network's layers that a person reads.

extension Graph {
  /// One line to a layer: name, operator, window, output shape, receptive field, parameters, multiply-adds and bytes of its
  /// result for an input of this shape; then the totals.
  ///
  /// - Throws: as `specialized(to:)`.
  package func summary(at input: Shape) throws(SasukaError) -> String {
    var rows = [
      ["layer", "operator", "window", "output", "field", "parameters", "multiply-adds", "activation bytes"]
    ]
    var (multiplyAdds, bytes) = (0, 0)
    try forEachLayer(at: input) { layer in
      multiplyAdds = saturatingSum(multiplyAdds, layer.multiplyAdds)
      bytes = saturatingSum(bytes, layer.activationBytes)
      rows.append([
        layer.node.name, layer.node.operation.kind, layer.window.map { describe($0) } ?? "", layer.output.description,
        layer.field.map { pair($0.rows.size, $0.columns.size) } ?? "", grouped(layer.parameters),
        grouped(layer.multiplyAdds), grouped(layer.activationBytes),
      ])
    }
    var total = 0
    var rest = 0
    for parameter in parameters {
      if parameter.kind == .weight {
        total = saturatingSum(total, parameter.shape.count)
      } else {
        rest = saturatingSum(rest, parameter.shape.count)
      }
    }
    let totals: Message =
      "\nparameters: \(grouped(total)), and \(grouped(rest)) statistics\nmultiply-adds: \(grouped(multiplyAdds))\n"
      + "activation bytes: \(grouped(bytes))\n"
    return table(rows) + totals.text
  }
}

/// A window as `3x3 s2 p1 d1`: kernel, stride, padding and dilation, each in both directions where these differ.
private func describe(_ window: Window) -> String {
  let (kernel, stride, padding, dilation) = (window.kernel, window.stride, window.padding, window.dilation)
  let isEven = stride.height == stride.width && padding == Padding(padding.top) && dilation.height == dilation.width
  let text: Message =
    isEven
    ? "\(kernel.height)x\(kernel.width) s\(stride.height) p\(padding.top) d\(dilation.height)"
    : "\(kernel.height)x\(kernel.width) s\(stride.height)x\(stride.width) p\(padding.top),\(padding.bottom),"
      + "\(padding.left),\(padding.right) d\(dilation.height)x\(dilation.width)"
  return text.text
}

@inline(never)
private func pair(_ height: Int, _ width: Int) -> String { height.description + "x" + width }

/// 1234567 as "1,234,567".
@inline(never)
private func grouped(_ number: Int) -> String {
  let digits = [UInt8](number.description.utf8)
  var result: [UInt8] = []
  for (place, digit) in digits.enumerated() {
    if place > 0, (digits.count - place) % 3 == 0 { result.append(UInt8(ascii: ",")) }
    result.append(digit)
  }
  return String(decoding: result, as: UTF8.self)
}

/// Columns two spaces apart, numbers to the right.
private func table(_ rows: [[String]]) -> String {
  var widths = [Int](repeating: 0, count: rows[0].count)
  for row in rows {
    for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.utf8.count) }
  }
  var text = ""
  for row in rows {
    for (column, cell) in row.enumerated() {
      var space = ""
      for _ in cell.utf8.count..<widths[column] { space += " " }
      let isNumber = column >= 4
      if column > 0 { text += "  " }
      text += isNumber ? space + cell : cell + space
    }
    text += "\n"
  }
  return text
}
