import CSystem
import Synchronization

/// Work in units that may be done at the same time, some by each worker.
package final class DividedWork {
  /// Does some of the units, as the worker of a number.
  package typealias Body = (_ units: Range<Int>, _ worker: Int) -> Void

  fileprivate let perform: Body

  package init(_ perform: @escaping Body) { self.perform = perform }
}

/// Runs the units of a piece of work on a fixed number of threads.
///
/// Units are handed out in equal contiguous shares, one to a thread, so that nothing is decided at run time. An idle
/// worker spins for some microseconds, then sleeps.
package final class ThreadPool {
  /// A host's own way to run `body(context, 0)` to `body(context, count - 1)`, in any order and at any time before it
  /// returns.
  package typealias HostParallelFor =
    @convention(c) (
      _ count: Int64, _ body: (@convention(c) (UnsafeMutableRawPointer?, Int64) -> Void)?,
      _ context: UnsafeMutableRawPointer?, _ userData: UnsafeMutableRawPointer?
    ) -> Void

  package static let maximumThreads = 256

  package let threadCount: Int
  private let host: (function: HostParallelFor, userData: UnsafeMutableRawPointer?)?
  /// Whether units run on the host's threads.
  package var usesHost: Bool { host != nil && threadCount > 1 }
  private var crew: Crew?
  /// Whether `nanosecondsWaited` is to go on: reading the clock takes as long as a short wait.
  var timesWaiting = false

  /// A pool of `threads` threads, the calling one included.
  package init(threads: Int, host: (function: HostParallelFor, userData: UnsafeMutableRawPointer?)? = nil) {
    threadCount = min(max(threads, 1), ThreadPool.maximumThreads)
    self.host = host
  }

  deinit {
    // A forked child has no threads to join.
    if let crew, crew.isHere { crew.dismiss() }
  }

  /// Makes the threads where there are none, which a fork leaves behind. To be called before a number of runs: a question to the
  /// system takes as long as a small piece of work.
  package func assemble() {
    if threadCount == 1 || host != nil { return }
    if let crew {
      if crew.isHere { return }
      // In a forked child the old crew's threads do not exist; its locks may be held forever. Let it go unjoined.
      _ = Unmanaged.passRetained(crew)
    }
    crew = Crew(workers: threadCount - 1)
  }

  /// Has all units of a piece of work done; the calling thread takes the first share, and all of them if no others are assembled.
  package func run(units: Int, _ work: DividedWork) {
    let division = Division(work: Unmanaged.passUnretained(work), units: units, workers: threadCount)
    if threadCount == 1 || units <= 1 {
      division.runAll()
    } else if let host {
      runOnHost(host.function, host.userData, division)
    } else if let crew {
      crew.run(division, timesWaiting: timesWaiting)
    } else {
      division.runAll()
    }
  }

  /// How long the calling thread has waited for the others, in all.
  var nanosecondsWaited: UInt64 { crew?.nanosecondsWaited ?? 0 }

  private func runOnHost(_ function: HostParallelFor, _ userData: UnsafeMutableRawPointer?, _ division: Division) {
    var division = division
    withUnsafeMutablePointer(to: &division) { division in
      function(
        Int64(threadCount),
        { division, worker in
          guard let division else { return }
          let mode = sasuka_flush_denormals()
          defer { sasuka_restore_denormals(mode) }
          division.assumingMemoryBound(to: Division.self).pointee.run(Int(worker))
        }, division, userData)
    }
  }
}

/// Work divided among a number of workers.
private struct Division {
  /// Not counted as it is handed on: threads would take the count from each other, and what lies beside it.
  let work: Unmanaged<DividedWork>
  let units: Int
  let workers: Int

  /// The share of one worker.
  func run(_ worker: Int) {
    guard worker >= 0, worker < workers else { return }
    perform((units * worker / workers)..<(units * (worker + 1) / workers), worker)
  }

  /// All of it, by the calling thread.
  func runAll() { perform(0..<max(units, 0), 0) }

  private func perform(_ share: Range<Int>, _ worker: Int) {
    work._withUnsafeGuaranteedRef { $0.perform(share, worker) }
  }
}

/// The worker threads and what they wait on.
private final class Crew {
  private static let spins = 2000

  // What passes between threads for each piece of work lies together, in a line or two of their caches.
  private let generation = Atomic<Int>(0)
  private let unfinished = Atomic<Int>(0)
  private var division: Division?
  private let dismissed = Atomic<Bool>(false)
  /// Whether a worker may sleep, or not have begun yet.
  private let mustWake = Atomic<Bool>(true)
  /// Processor of the thread that started the workers or woke them last.
  private let waker = Atomic<Int32>(sasuka_processor())
  private let workers: Int
  /// The one that the workers are in.
  private let process = getpid()
  private(set) var nanosecondsWaited: UInt64 = 0
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let wake: UnsafeMutablePointer<pthread_cond_t>
  private var threads: [pthread_t] = []

  /// Whether the workers are in this process, as they are not in a forked child.
  var isHere: Bool { process == getpid() }

  /// Starts the threads; nil when the system gives none.
  init?(workers: Int) {
    self.workers = workers
    mutex = .allocate(capacity: 1)
    wake = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(wake, nil)
    for worker in 1...workers {
      var thread = pthread_t()
      let start = Unmanaged.passRetained(Start(crew: self, worker: worker)).toOpaque()
      let status = sasuka_start_thread(
        &thread,
        { argument in
          let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
          start.crew.work(as: start.worker)
          return nil
        }, start)
      guard status == 0 else {
        Unmanaged<Start>.fromOpaque(start).release()
        dismiss()
        return nil
      }
      threads.append(thread)
    }
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(wake)
    mutex.deallocate()
    wake.deallocate()
  }

  private final class Start {
    let crew: Crew
    let worker: Int
    init(crew: Crew, worker: Int) {
      self.crew = crew
      self.worker = worker
    }
  }

  func run(_ division: Division, timesWaiting: Bool) {
    self.division = division
    unfinished.store(workers, ordering: .relaxed)
    // A worker that goes to sleep says so before it looks for work a last time.
    generation.wrappingAdd(1, ordering: .sequentiallyConsistent)
    if mustWake.load(ordering: .sequentiallyConsistent) { wakeAll() }
    division.run(0)
    if unfinished.load(ordering: .acquiring) == 0 { return }
    let start = timesWaiting ? sasuka_nanoseconds() : 0
    waitForOthers(division)
    if timesWaiting { nanosecondsWaited &+= sasuka_nanoseconds() &- start }
  }

  private func wakeAll() {
    if !isHere { return }
    pthread_mutex_lock(mutex)
    mustWake.store(false, ordering: .relaxed)
    waker.store(sasuka_processor(), ordering: .relaxed)
    pthread_cond_broadcast(wake)
    pthread_mutex_unlock(mutex)
    // Workers that wait for this processor are to leave it now, not when this thread's time is up.
    sched_yield()
  }

  private func waitForOthers(_ division: Division) {
    var waited = 0
    while unfinished.load(ordering: .acquiring) > 0 {
      waited += 1
      if waited < Crew.spins {
        sasuka_pause()
      } else if isHere {
        sched_yield()
      } else {
        // A callback has forked since the crew was assembled; nobody else will do their shares.
        for worker in 1...workers { division.run(worker) }
        return
      }
    }
  }

  func dismiss() {
    dismissed.store(true, ordering: .relaxed)
    pthread_mutex_lock(mutex)
    generation.wrappingAdd(1, ordering: .releasing)
    pthread_cond_broadcast(wake)
    pthread_mutex_unlock(mutex)
    for thread in threads { pthread_join(thread, nil) }
    threads = []
  }

  private func work(as worker: Int) {
    sasuka_flush_denormals()
    leaveWaker()
    var seen = 0
    while true {
      seen = waitForWork(after: seen)
      if dismissed.load(ordering: .relaxed) { return }
      division?.run(worker)
      unfinished.wrappingSubtract(1, ordering: .releasing)
    }
  }

  /// Returns the generation of the work that has come.
  private func waitForWork(after seen: Int) -> Int {
    for _ in 0..<Crew.spins {
      let now = generation.load(ordering: .acquiring)
      if now != seen { return now }
      sasuka_pause()
    }
    pthread_mutex_lock(mutex)
    while true {
      // Whoever was woken for work that it has done already is to be woken again.
      mustWake.store(true, ordering: .sequentiallyConsistent)
      if generation.load(ordering: .sequentiallyConsistent) != seen { break }
      pthread_cond_wait(wake, mutex)
    }
    let now = generation.load(ordering: .acquiring)
    pthread_mutex_unlock(mutex)
    leaveWaker()
    return now
  }

  private func leaveWaker() { sasuka_leave_processor(waker.load(ordering: .relaxed), Int32(workers)) }
}
