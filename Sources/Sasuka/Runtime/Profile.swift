import CSystem

/// Where the time of a session's last run went: a row for reading the input, one for preparing the weights, one for each
/// step of the plan, one for writing the output.
package final class Profile {
  static let readInput = 0
  static let prepareWeights = 1
  static let firstStep = 2

  private let plan: Plan
  private let steps: [Step]
  /// Of each row the node's name and its operator's, as C sees them.
  private var texts: [UnsafeMutablePointer<CChar>?] = []
  private let times: Buffer
  private var mark: UInt64 = 0
  private var waitedBefore: UInt64 = 0

  init(_ steps: [Step], of plan: Plan) throws(SasukaError) {
    self.plan = plan
    self.steps = steps
    times = try Buffer(byteCount: (steps.count + 3) * 2 * MemoryLayout<UInt64>.stride, purpose: "profile")
    add("", "read_input")
    add("", "prepare_weights")
    for step in steps { add(plan.graph.nodes[step.node].name, plan.graph.nodes[step.node].operation.kind) }
    add("", "write_output")
  }

  deinit { for text in texts { free(text) } }

  private func add(_ name: String, _ kind: String) {
    texts.append(name.withCString { strdup($0) })
    texts.append(kind.withCString { strdup($0) })
  }

  package var rowCount: Int { steps.count + 3 }
  var writeOutput: Int { rowCount - 1 }

  /// Name of a row's node, and of its operator; they live as long as the profile.
  package func name(_ row: Int) -> UnsafePointer<CChar>? { UnsafePointer(texts[2 * row]) }
  package func kind(_ row: Int) -> UnsafePointer<CChar>? { UnsafePointer(texts[2 * row + 1]) }

  /// Writes the shapes of a row's first input and first output, each followed by zeros.
  package func writeShapes(
    _ row: Int, input: UnsafeMutablePointer<Int64>, output: UnsafeMutablePointer<Int64>, capacity: Int
  ) {
    for place in 0..<capacity { (input[place], output[place]) = (0, 0) }
    guard let step = step(row) else { return }
    let node = plan.graph.nodes[step.node]
    if let value = node.inputs.first { write(plan.graph.shape(value), to: input, capacity) }
    if let value = node.outputs.first { write(plan.graph.shape(value), to: output, capacity) }
  }

  private func write(_ shape: Shape, to sizes: UnsafeMutablePointer<Int64>, _ capacity: Int) {
    for axis in 0..<min(shape.rank, capacity) { sizes[axis] = Int64(shape[axis]) }
  }

  /// The step behind a row, or nil for a row that belongs to none.
  private func step(_ row: Int) -> Step? {
    let place = row - Profile.firstStep
    return steps.indices.contains(place) ? steps[place] : nil
  }

  /// Place of a row's node in the plan, or -1.
  package func node(_ row: Int) -> Int { step(row)?.node ?? -1 }
  package func algorithm(_ row: Int) -> StaticString { step(row)?.algorithm ?? "" }

  /// Multiply-adds of a row's node, and the bytes of its inputs, parameters and outputs; the steps of one node share them.
  package func work(_ row: Int) -> (multiplyAdds: Int, bytes: Int) {
    step(row).map { plan.work(of: $0.node) } ?? (0, 0)
  }

  /// The last run's time of a row, and how much of it the calling thread waited for others.
  package func nanoseconds(_ row: Int) -> (total: UInt64, waiting: UInt64) { (numbers[2 * row], numbers[2 * row + 1]) }

  private var numbers: UnsafeMutablePointer<UInt64> { times.raw.assumingMemoryBound(to: UInt64.self) }

  func start() { mark = sasuka_nanoseconds() }

  /// Counts the time since the last call for a row.
  ///
  /// - Parameter waited: how long the calling thread has waited up to now, in all; nil is as long as before.
  func lap(_ row: Int, waited: UInt64? = nil) {
    let now = sasuka_nanoseconds()
    let waited = waited ?? waitedBefore
    numbers[2 * row] = now &- mark
    numbers[2 * row + 1] = waited &- waitedBefore
    mark = now
    waitedBefore = waited
  }
}
