import CSystem

/// A piece of work of a plan, divided into units that may run at the same time.
package final class Step {
  package typealias Body = (_ unit: Int, _ context: StepContext) -> Void
  /// Place of the node in the plan's graph.
  let node: Int
  /// How it does its part, such as "padding" or "direct", as its lowering named it.
  let algorithm: StaticString
  let units: Int
  /// What a preparation fills, if other plans use it too.
  let packed: PackedWeights?
  let work: DividedWork

  init(
    node: Int, algorithm: StaticString, units: Int, packed: PackedWeights? = nil, run: RunState, body: @escaping Body
  ) {
    (self.node, self.algorithm, self.units, self.packed) = (node, algorithm, units, packed)
    work = DividedWork { units, worker in
      guard let context = run.context(of: worker) else { return }
      // The watch has been looked at before the step.
      for unit in units where unit == units.lowerBound || context.goesOn { body(unit, context) }
    }
  }
}

/// What a step of a plan sees when it runs.
package struct StepContext {
  /// Memory that the steps of one node share; nothing is kept in it from node to node.
  package let scratch: UnsafeMutableRawPointer
  /// Memory of the worker that runs the unit.
  package fileprivate(set) var workerScratch: UnsafeMutableRawPointer
  /// The first input's numbers, row-major: the host's own where the plan `lendsInput`.
  let input: UnsafePointer<Float>
  /// Where the first output's numbers go, row-major, if the host has lent the place and the plan `lendsOutput`.
  let output: UnsafeMutablePointer<Float>?
  /// Where random numbers of this run begin.
  package let random: RandomState
  /// Those who wait for the run, and whether this is the thread that asks them.
  fileprivate var watch: Unmanaged<Watch>?
  fileprivate var asks: Bool

  /// Whether to go on, for the middle of units that take tenths of a second: what they leave undone is not used.
  var goesOn: Bool {
    guard let watch else { return true }
    return watch._withUnsafeGuaranteedRef { $0.goesOn(asks: asks) }
  }
}

/// What the steps of a plan have in common: memory, and the run that goes on, of which there is one at a time.
final class RunState {
  private var scratch: Buffer?
  private var workerScratch: Buffer?
  private var workerScratchBytes = 0
  /// What the first worker sees; nil where no run goes on.
  private var context: StepContext?

  /// Bytes of the memory.
  var scratchBytes: Int { (scratch?.byteCount ?? 0) + (workerScratch?.byteCount ?? 0) }

  /// Makes the memory that the steps need, when all are known.
  func allocate(scratchBytes: Int, workerScratchBytes: Int, threads: Int) throws(SasukaError) {
    scratch = try Buffer(byteCount: scratchBytes, purpose: "scratch")
    workerScratch = try Buffer(byteCount: workerScratchBytes * threads, purpose: "scratch of the workers")
    self.workerScratchBytes = workerScratchBytes
  }

  /// Tells the steps about a run.
  ///
  /// - Parameters:
  ///   - input: where its first input's numbers are.
  ///   - output: where the host wants the first output's; nil where it takes them from the plan.
  ///   - watch: whom they ask whether to go on; the caller keeps it alive until `end`.
  ///   - asks: whether the first worker is on the caller's thread.
  func begin(
    input: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>?, random: RandomState, watch: Watch?, asks: Bool
  ) {
    guard let scratch, let workerScratch else { return }
    context = StepContext(
      scratch: scratch.raw, workerScratch: workerScratch.raw, input: input, output: output, random: random,
      watch: watch.map { Unmanaged.passUnretained($0) }, asks: asks)
  }

  /// Steps from now on are not to be stopped.
  func stopAsking() { context?.watch = nil }

  func end() { context = nil }

  /// What a worker sees.
  fileprivate func context(of worker: Int) -> StepContext? {
    guard var context else { return nil }
    context.workerScratch += worker * workerScratchBytes
    if worker > 0 { context.asks = false }
    return context
  }
}
