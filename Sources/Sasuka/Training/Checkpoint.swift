import CSystem

/// Checkpoints: safetensors files with the model's parameters ("model." + name), the optimiser's arrays ("state.0", ...)
/// and the counters of the trainer, from which training goes on bit for bit.
extension Trainer {
  private static let formatKey = "sasuka.checkpoint"
  private static let formatVersion = "1"

  package func saveCheckpoint(to path: UnsafePointer<CChar>) throws(SasukaError) {
    try beginReading()
    defer { endReading() }
    try writeWeights(
      checkpointTensors(), metadata: checkpointMetadata, format: .safetensors, to: path, watch: model.watch("save"))
  }

  /// The same, in memory.
  package func saveCheckpoint() throws(SasukaError) -> OwnedBytes {
    try beginReading()
    defer { endReading() }
    return try writeWeights(
      checkpointTensors(), metadata: checkpointMetadata, format: .safetensors, watch: model.watch("save"))
  }

  private func checkpointTensors() throws(SasukaError) -> [WeightTensor] {
    var tensors = try model.weightTensors(prefix: "model.")
    let count = gradients.floatCount
    for array in 0..<options.optimizer.stateCount {
      let start = UnsafeRawPointer(state.floats + array * count)
      let bytes = UnsafeRawBufferPointer(start: start, count: count * MemoryLayout<Float>.stride)
      tensors.append(WeightTensor(name: "state.\(array)", dtype: .float32, shape: [count], bytes: bytes))
    }
    return tensors
  }

  private var checkpointMetadata: [WeightMetadata] {
    [
      WeightMetadata(key: Trainer.formatKey, value: Trainer.formatVersion),
      WeightMetadata(key: "optimizer", value: "\(options.optimizer.rule.rawValue)"),
      WeightMetadata(key: "steps", value: "\(steps)"),
      WeightMetadata(key: "passes", value: "\(passes)"),
      WeightMetadata(key: "seed", value: "\(options.seed)"),
      WeightMetadata(key: "learning_rate_bits", value: "\(baseLearningRate.bitPattern)"),
    ]
  }

  /// Takes over a checkpoint; on failure nothing has changed.
  ///
  /// - Throws: `format` for a file that is no checkpoint; `mismatch` for one of another network or optimiser.
  package func loadCheckpoint(_ file: any WeightFile) throws(SasukaError) {
    guard text(Trainer.formatKey, in: file) == Trainer.formatVersion else {
      throw SasukaError(.format, "no checkpoint of this library, version \(Trainer.formatVersion), in the file")
    }
    let optimizer = try number("optimizer", in: file)
    guard optimizer == UInt64(options.optimizer.rule.rawValue) else {
      throw SasukaError(
        .mismatch,
        "the checkpoint is of optimizer \(optimizer); this trainer has optimizer \(options.optimizer.rule.rawValue)")
    }
    let (steps, passes) = (try number("steps", in: file), try number("passes", in: file))
    let rate = Double(bitPattern: try number("learning_rate_bits", in: file))
    let seed = try number("seed", in: file)
    guard seed == options.seed else {
      throw SasukaError(.mismatch, "the checkpoint was made with seed \(seed); this trainer has seed \(options.seed)")
    }
    guard max(steps, passes) < 1 << 53, rate >= 0, rate < .infinity else {
      throw SasukaError(
        .format, "the checkpoint has \(steps) steps, \(passes) passes and learning rate \(describe(rate))")
    }
    let report = model.compare(file, prefix: "model.")
    guard report.missing.isEmpty, report.mismatched.isEmpty else {
      throw SasukaError(.mismatch, "the checkpoint does not fit the network: \(report.message)")
    }
    let arrays = try stateArrays(of: file)
    try beginWriting()
    defer { endWriting() }
    model.copyWeights(from: file, prefix: "model.")
    for (place, array) in arrays.enumerated() { array.copyFloats(to: state.floats + place * gradients.floatCount) }
    resume(steps: Int(steps), passes: passes, learningRate: rate)
  }

  private func stateArrays(of file: any WeightFile) throws(SasukaError) -> [WeightTensor] {
    var arrays: [WeightTensor] = []
    for array in 0..<options.optimizer.stateCount {
      guard let tensor = file.tensor(named: "state.\(array)"), tensor.shape == [gradients.floatCount] else {
        throw SasukaError(
          .mismatch, "the checkpoint lacks \"state.\(array)\" of shape [\(gradients.floatCount)]")
      }
      arrays.append(tensor)
    }
    return arrays
  }

  private func text(_ key: String, in file: any WeightFile) -> String? {
    file.metadata.first { $0.key == key }?.value
  }

  private func number(_ key: String, in file: any WeightFile) throws(SasukaError) -> UInt64 {
    guard let text = text(key, in: file), let number = UInt64(text) else {
      throw SasukaError(.format, "the checkpoint's \"\(key)\" is missing or no number")
    }
    return number
  }
}
