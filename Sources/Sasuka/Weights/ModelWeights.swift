import CSystem

/// How names and shapes of a file fit a model.
package struct WeightReport {
  /// Parameters that the file lacks.
  package var missing: [String] = []
  /// Tensors that the model has no parameter for.
  package var unexpected: [String] = []
  /// Parameters whose tensor has another shape or kind of number.
  package var mismatched: [String] = []
  /// Sentences about each of these.
  private var reasons: [String] = []

  package init() {}

  var isPerfect: Bool { missing.isEmpty && unexpected.isEmpty && mismatched.isEmpty }

  fileprivate mutating func addMismatch(_ name: String, _ reason: Message) {
    mismatched.append(name)
    reasons.append(reason.text)
  }

  /// All of it in one sentence.
  package var message: String {
    var parts: [String] = []
    if !missing.isEmpty { parts.append("missing: \(missing.joined(by: ", "))") }
    if !unexpected.isEmpty { parts.append("unexpected: \(unexpected.joined(by: ", "))") }
    parts += reasons
    return parts.joined(by: "; ")
  }
}

/// How a file's tensors become parameters.
package struct LoadOptions {
  /// Refuse missing and unexpected names.
  package var strict = true
  /// What stands before each parameter's name in the file; nil is "module." if every name begins so, and nothing otherwise.
  package var prefix: String?
  /// Only parameters whose names match are loaded.
  package var pattern: String?
  /// What becomes of the first layer's weights for another number of channels.
  package var channels = ChannelAdaptation.none
  /// Leave parameters whose tensor does not fit as they are, as missing ones are where loading is not strict.
  package var skipsMismatched = false

  package init() {}
}

extension Model {
  /// Copies a file's tensors to the parameters of their names; on failure nothing has changed.
  ///
  /// - Parameter report: becomes what did not fit, also where that is the error.
  /// - Throws: `mismatch`, naming every tensor that does not fit; `notFound` where no parameter matches the pattern;
  ///   `invalidArgument` where there is no first layer whose channels could be adapted.
  package func loadWeights(
    _ file: any WeightFile, options: LoadOptions = LoadOptions(), report: inout WeightReport
  ) throws(SasukaError) {
    let prefix = options.prefix ?? (file.isOfParallelModel ? "module." : "")
    let pattern = options.pattern.map { NamePattern($0) }
    if let pattern, !parameters.infos.contains(where: { pattern.matches($0.name) }) {
      throw SasukaError(.notFound, "no parameter's name matches \"\(options.pattern ?? "")\"")
    }
    let first = try firstKernel(adapting: options.channels, file, prefix: prefix)
    report = compare(file, prefix: prefix, pattern: pattern, adapting: first?.place)
    guard report.mismatched.isEmpty || options.skipsMismatched,
      !options.strict || report.missing.isEmpty && report.unexpected.isEmpty
    else {
      throw SasukaError(.mismatch, "the weights do not fit the network: \(report.message)")
    }
    try gate.beginWriting()
    defer { gate.endWriting() }
    copyWeights(from: file, prefix: prefix, pattern: pattern)
    if let first, pattern?.matches(parameters.infos[first.place].name) ?? true {
      parameters.overwriting(first.place).copy(first.numbers)
    }
  }

  /// Which parameters and tensors named `prefix` + parameter fit each other.
  ///
  /// - Parameter adapted: a parameter for which numbers of its shape have been made.
  func compare(
    _ file: any WeightFile, prefix: String, pattern: NamePattern? = nil, adapting adapted: Int? = nil
  ) -> WeightReport {
    var report = WeightReport()
    // PyTorch before 0.4.1 did not count batches, and later versions do without in such files.
    let countsBatches = parameters.infos.contains { $0.kind == .counter && file.names[prefix + $0.name] != nil }
    for (place, info) in parameters.infos.enumerated() where pattern?.matches(info.name) ?? true {
      guard let tensor = file.tensor(named: prefix + info.name) else {
        if info.kind != .counter || countsBatches { report.missing.append(info.name) }
        continue
      }
      if tensor.shape != info.shape.dimensions {
        guard place != adapted else { continue }
        report.addMismatch(info.name, "\"\(info.name)\" has shape \(Shape(tensor.shape)), \(info.shape) is expected")
      } else if info.kind == .counter, tensor.bytes.baseAddress.flatMap({ tensor.dtype.integer(at: 0, of: $0) }) == nil
      {
        report.addMismatch(info.name, "\"\(info.name)\" is no integer")
      }
    }
    for tensor in file.tensors {
      guard let name = tensor.name(behind: prefix) else {
        report.unexpected.append(tensor.name)
        continue
      }
      if pattern?.matches(name) ?? true, graph.parameterIndex(name) == nil { report.unexpected.append(tensor.name) }
    }
    return report
  }

  /// Copies what has the parameter's shape; the comparison has been made.
  func copyWeights(from file: any WeightFile, prefix: String, pattern: NamePattern? = nil) {
    let pool = makePool()
    pool.run(units: pool.threadCount) { part in
      var turn = part
      for (place, info) in self.parameters.infos.enumerated() where pattern?.matches(info.name) ?? true {
        guard let tensor = file.tensor(named: prefix + info.name), tensor.shape == info.shape.dimensions else {
          continue
        }
        if info.kind != .counter {
          // Kernels and matrices of one stretch are for each part in turn.
          if info.shape.rank > 1 { turn = (turn + 1) % pool.threadCount }
          tensor.takeFloats(to: self.parameters.overwriting(place).floats, part: turn, of: pool.threadCount)
        } else if part == 0, let start = tensor.bytes.baseAddress {
          self.parameters.counter(place).pointee = tensor.dtype.integer(at: 0, of: start) ?? 0
        }
      }
    }
    parameters.markChanged()
  }

  /// The parameters as tensors to be written; they lie in the model.
  ///
  /// - Throws: `cancelled` while they are drawn.
  func weightTensors(prefix: String) throws(SasukaError) -> [WeightTensor] {
    try drawPending([Int](parameters.infos.indices))
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
    let format = WeightFormat(savingTo: String(cString: path))
    var metadata: [WeightMetadata] = []
    if format == .torch, let architecture = try? Architecture.named(graph.architecture) {
      metadata.append(WeightMetadata(key: "version", value: architecture.version))
    }
    try writeWeights(weightTensors(prefix: ""), metadata: metadata, format: format, to: path, watch: watch("save"))
  }

  /// Saves as safetensors to memory.
  package func saveWeights() throws(SasukaError) -> OwnedBytes {
    try gate.beginReading()
    defer { gate.endReading() }
    return try writeWeights(weightTensors(prefix: ""), format: .safetensors, watch: watch("save"))
  }
}

extension WeightTensor {
  /// The name without what stands before it; nil if it does not begin so.
  fileprivate func name(behind prefix: String) -> String? {
    guard name.utf8.starts(with: prefix.utf8) else { return nil }
    return String(validating: Array(name.utf8.dropFirst(prefix.utf8.count)), as: UTF8.self)
  }
}

extension WeightFile {
  /// Whether all names begin as DataParallel's do.
  fileprivate var isOfParallelModel: Bool {
    !tensors.isEmpty && !tensors.contains { $0.name(behind: "module.") == nil }
  }
}
