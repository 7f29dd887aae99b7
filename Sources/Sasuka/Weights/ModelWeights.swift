import CSystem

/// How names and shapes of a file fit a model.
package struct WeightReport {
  /// Parameters that the file lacks.
  package var missing: [String] = []
  /// Tensors that the model has no parameter for.
  package var unexpected: [String] = []
  /// Sentences about tensors whose shape is not the parameter's.
  package var mismatched: [String] = []

  var isPerfect: Bool { missing.isEmpty && unexpected.isEmpty && mismatched.isEmpty }

  /// All of it in one sentence.
  package var message: String {
    var parts: [String] = []
    if !missing.isEmpty { parts.append("missing: \(missing.joined(separator: ", "))") }
    if !unexpected.isEmpty { parts.append("unexpected: \(unexpected.joined(separator: ", "))") }
    if !mismatched.isEmpty { parts.append(mismatched.joined(separator: "; ")) }
    return parts.joined(separator: "; ")
  }
}

extension Model {
  /// Copies a file's tensors to the parameters of their names; on failure nothing has changed.
  ///
  /// - Parameter strict: refuse missing and unexpected names. Shapes must fit in any case.
  /// - Throws: `mismatch`, naming every tensor that does not fit.
  @discardableResult
  package func loadWeights(_ file: any WeightFile, strict: Bool) throws(SasukaError) -> WeightReport {
    let report = compare(file, prefix: "")
    guard report.mismatched.isEmpty, !strict || report.isPerfect else {
      throw SasukaError(.mismatch, "the weights do not fit the network: \(report.message)")
    }
    try gate.beginWriting()
    defer { gate.endWriting() }
    copyWeights(from: file, prefix: "")
    return report
  }

  /// Which parameters and tensors named `prefix` + parameter fit each other.
  func compare(_ file: any WeightFile, prefix: String) -> WeightReport {
    var report = WeightReport()
    for info in parameters.infos {
      guard let tensor = file.tensor(named: prefix + info.name) else {
        report.missing.append(info.name)
        continue
      }
      if tensor.shape != info.shape.dimensions {
        report.mismatched.append(
          "\"\(info.name)\" has shape \(Shape(tensor.shape)), \(info.shape) is expected")
      } else if info.kind == .counter, tensor.bytes.baseAddress.flatMap({ tensor.dtype.integer(at: 0, of: $0) }) == nil
      {
        report.mismatched.append("\"\(info.name)\" is no integer")
      }
    }
    for tensor in file.tensors where prefix.isEmpty && graph.parameterIndex(tensor.name) == nil {
      report.unexpected.append(tensor.name)
    }
    return report
  }

  /// Copies what fits; the comparison has been made.
  func copyWeights(from file: any WeightFile, prefix: String) {
    for (place, info) in parameters.infos.enumerated() {
      guard let tensor = file.tensor(named: prefix + info.name) else { continue }
      if info.kind == .counter {
        guard let start = tensor.bytes.baseAddress, let count = tensor.dtype.integer(at: 0, of: start) else { continue }
        parameters.counter(place).pointee = count
      } else {
        tensor.copyFloats(to: parameters.buffers[place].floats)
      }
    }
    parameters.markChanged()
  }

  /// The parameters as tensors to be written; they lie in the model.
  func weightTensors(prefix: String) -> [WeightTensor] {
    var tensors: [WeightTensor] = []
    for (place, info) in parameters.infos.enumerated() {
      let dtype: DType = info.kind == .counter ? .int64 : .float32
      let bytes = UnsafeRawBufferPointer(
        start: parameters.buffers[place].raw, count: info.shape.count * dtype.byteCount)
      tensors.append(WeightTensor(name: prefix + info.name, dtype: dtype, shape: info.shape.dimensions, bytes: bytes))
    }
    return tensors
  }

  /// Saves in the format that the path's extension asks for.
  package func saveWeights(to path: UnsafePointer<CChar>) throws(SasukaError) {
    try gate.beginReading()
    defer { gate.endReading() }
    try writeWeights(weightTensors(prefix: ""), format: WeightFormat(savingTo: String(cString: path)), to: path)
  }

  /// Saves as safetensors to memory.
  package func saveWeights() throws(SasukaError) -> OwnedBytes {
    try gate.beginReading()
    defer { gate.endReading() }
    return try writeWeights(weightTensors(prefix: ""), format: .safetensors)
  }
}
