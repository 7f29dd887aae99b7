// The table of a network's layers that a person reads.

extension Graph {
  /// One line to a layer: name, operator, output shape, parameters, multiply-adds at the nominal input; then the totals.
  package var summary: String {
    var rows = [["layer", "operator", "output", "parameters", "multiply-adds"]]
    var totalMultiplyAdds = 0
    for node in nodes {
      var inputShapes: [Shape] = []
      var parameterCount = 0
      for input in node.inputs {
        inputShapes.append(shape(input))
        if case .parameter(let place) = self[input].role, parameters[place].kind == .weight {
          parameterCount = saturatingSum(parameterCount, shape(input).count)
        }
      }
      var outputShapes: [Shape] = []
      for output in node.outputs { outputShapes.append(shape(output)) }
      let multiplyAdds = node.operation.multiplyAdds(inputs: inputShapes, outputs: outputShapes)
      totalMultiplyAdds = saturatingSum(totalMultiplyAdds, multiplyAdds)
      rows.append([
        node.name, node.operation.kind, outputShapes[0].description, grouped(parameterCount), grouped(multiplyAdds),
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
    return table(rows) + "\nparameters: \(grouped(total)), and \(grouped(rest)) statistics\n"
      + "multiply-adds: \(grouped(totalMultiplyAdds))\n"
  }
}

func saturatingSum(_ left: Int, _ right: Int) -> Int {
  let (sum, overflow) = left.addingReportingOverflow(right)
  return overflow ? Int.max : sum
}

/// 1234567 as "1,234,567".
private func grouped(_ number: Int) -> String {
  let digits = [UInt8](number.description.utf8)
  var result: [UInt8] = []
  for (place, digit) in digits.enumerated() {
    if place > 0, (digits.count - place) % 3 == 0 { result.append(UInt8(ascii: ",")) }
    result.append(digit)
  }
  return String(decoding: result, as: UTF8.self)
}

/// Columns two spaces apart, the numbers of the last two to the right.
private func table(_ rows: [[String]]) -> String {
  var widths = [Int](repeating: 0, count: rows[0].count)
  for row in rows {
    for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.utf8.count) }
  }
  var text = ""
  for row in rows {
    for (column, cell) in row.enumerated() {
      let space = String(repeating: " ", count: widths[column] - cell.utf8.count)
      let isNumber = column >= widths.count - 2
      if column > 0 { text += "  " }
      text += isNumber ? space + cell : cell + space
    }
    text += "\n"
  }
  return text
}
