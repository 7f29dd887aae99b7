import CSystem
import Synchronization

/// Where long work stands.
package struct Progress {
  /// What is being done, such as "forward".
  package let stage: StaticString
  /// Steps done, and all of them.
  package let done: Int
  package let total: Int
}

/// Is told how work goes on; returns false to stop it.
package typealias ProgressFunction = (Progress) -> Bool

/// Tells a progress function about one run, not more often than it wants to know, and remembers that it said stop.
package final class Watch {
  private static let interval: UInt64 = 20_000_000
  /// How often the clock is read, which takes as long as a small unit's wrapping: one or two milliseconds.
  private static let ticks: UInt64 = 1 << 22

  private let tell: ProgressFunction
  private let stage: StaticString
  private let total: Int
  private let stopped = Atomic<Bool>(false)
  private var last: UInt64
  private var lastTick = sasuka_ticks()
  /// Steps done.
  var done = 0

  init(_ tell: @escaping ProgressFunction, stage: StaticString, total: Int) {
    self.tell = tell
    self.stage = stage
    self.total = total
    last = sasuka_nanoseconds()
    askNow()
  }

  var isStopped: Bool { stopped.load(ordering: .relaxed) }

  /// Only on the thread that made the call.
  func ask() {
    let tick = sasuka_ticks()
    guard tick &- lastTick >= Watch.ticks else { return }
    lastTick = tick
    let now = sasuka_nanoseconds()
    guard now &- last >= Watch.interval, !isStopped else { return }
    last = now
    askNow()
  }

  /// Called by every worker before each unit, and in the middle of long ones.
  func goesOn(asks: Bool) -> Bool {
    if asks { ask() }
    return !isStopped
  }

  private func askNow() {
    if !tell(Progress(stage: stage, done: done, total: total)) { stopped.store(true, ordering: .relaxed) }
  }

  /// - Throws: `cancelled`, if the caller wants to stop.
  func check() throws(SasukaError) {
    guard !isStopped else {
      throw SasukaError(
        .cancelled, "\(stage): the caller's callback asked to stop; weights and statistics are unchanged")
    }
  }
}

/// Does something to bytes piece by piece; between two pieces the watch, where there is one, asks whether to go on.
func inPieces(
  _ bytes: UnsafeRawBufferPointer, _ watch: Watch?, _ body: (UnsafeRawBufferPointer) throws(SasukaError) -> Void
) throws(SasukaError) {
  var first = 0
  while first < bytes.count {
    let end = min(first + 1 << 20, bytes.count)
    try body(UnsafeRawBufferPointer(rebasing: bytes[first..<end]))
    first = end
    watch?.ask()
    try watch?.check()
  }
}

extension ThreadPool {
  /// Runs `body` for every unit, on any thread; those that have not begun when the watch is told to stop are left out.
  func run(units: Int, watch: Watch? = nil, _ body: @escaping (_ unit: Int) -> Void) {
    assemble()
    let work = DividedWork { units, worker in
      for unit in units where watch?.goesOn(asks: self.asks(worker)) ?? true { body(unit) }
    }
    run(units: units, work)
  }

  /// Whether a worker may call back: a host's first may be any thread, and callbacks belong on the caller's.
  func asks(_ worker: Int) -> Bool { worker == 0 && !usesHost }
}
