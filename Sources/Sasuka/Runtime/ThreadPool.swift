import CSystem
import Synchronization

/// Runs the units of a piece of work on a fixed number of threads.
///
/// Units are handed out in equal contiguous shares, one to a thread, so that nothing is decided at run time. An idle
/// worker spins for some microseconds, then sleeps. After a fork the child makes the threads again.
package final class ThreadPool {
  /// One unit of work: its number, and the number of the worker that does it.
  package typealias Body = (_ unit: Int, _ worker: Int) -> Void

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
  private var crewProcess: pid_t = 0

  /// A pool of `threads` threads, the calling one included.
  package init(threads: Int, host: (function: HostParallelFor, userData: UnsafeMutableRawPointer?)? = nil) {
    threadCount = min(max(threads, 1), ThreadPool.maximumThreads)
    self.host = host
  }

  deinit {
    // A forked child has no threads to join.
    if crewProcess == getpid() { crew?.dismiss() }
  }

  /// Runs `body` for every unit and returns when all are done. The calling thread takes the first share.
  package func run(units: Int, _ body: @escaping Body) {
    if threadCount == 1 || units <= 1 {
      for unit in 0..<max(units, 0) { body(unit, 0) }
      return
    }
    if let host {
      runOnHost(host.function, host.userData, Share(units: units, of: threadCount, body))
      return
    }
    guard let crew = currentCrew() else {
      Share(units: units, of: 1, body).run(worker: 0)
      return
    }
    crew.run(Share(units: units, of: threadCount, body))
  }

  /// How long the calling thread has waited for the others, in all.
  var nanosecondsWaited: UInt64 { crew?.nanosecondsWaited ?? 0 }

  private func currentCrew() -> Crew? {
    let process = getpid()
    if crewProcess != process {
      // In a forked child the old crew's threads do not exist; its locks may be held forever. Let it go unjoined.
      if let crew { _ = Unmanaged.passRetained(crew) }
      crew = Crew(workers: threadCount - 1)
      crewProcess = process
    }
    return crew
  }

  private func runOnHost(_ function: HostParallelFor, _ userData: UnsafeMutableRawPointer?, _ share: Share) {
    let context = Unmanaged.passUnretained(share).toOpaque()
    function(
      Int64(threadCount),
      { context, worker in
        guard let context else { return }
        let mode = sasuka_flush_denormals()
        defer { sasuka_restore_denormals(mode) }
        Unmanaged<Share>.fromOpaque(context).takeUnretainedValue().run(worker: Int(worker))
      }, context, userData)
  }
}

/// Work divided among a number of workers.
private final class Share {
  let units: Int
  let workers: Int
  let body: ThreadPool.Body

  init(units: Int, of workers: Int, _ body: @escaping ThreadPool.Body) {
    self.units = units
    self.workers = workers
    self.body = body
  }

  func run(worker: Int) {
    guard worker >= 0, worker < workers else { return }
    for unit in (units * worker / workers)..<(units * (worker + 1) / workers) { body(unit, worker) }
  }
}

/// The worker threads and what they wait on.
private final class Crew {
  private static let spins = 2000

  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let wake: UnsafeMutablePointer<pthread_cond_t>
  private var threads: [pthread_t] = []
  private let generation = Atomic<Int>(0)
  private let unfinished = Atomic<Int>(0)
  private let dismissed = Atomic<Bool>(false)
  private var share: Share?
  private(set) var nanosecondsWaited: UInt64 = 0
  private let workers: Int32
  /// Processor of the thread that started the workers or woke them last.
  private let waker = Atomic<Int32>(sasuka_processor())
  /// Whether a worker may sleep, or not have begun yet.
  private var mustWake = true

  /// Starts the threads; nil when the system gives none.
  init?(workers: Int) {
    self.workers = Int32(workers)
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

  func run(_ share: Share) {
    self.share = share
    unfinished.store(threads.count, ordering: .relaxed)
    pthread_mutex_lock(mutex)
    let wakes = mustWake
    if wakes {
      mustWake = false
      waker.store(sasuka_processor(), ordering: .relaxed)
    }
    generation.wrappingAdd(1, ordering: .releasing)
    pthread_cond_broadcast(wake)
    pthread_mutex_unlock(mutex)
    // Workers that wait for this processor are to leave it now, not when this thread's time is up.
    if wakes { sched_yield() }
    share.run(worker: 0)
    if unfinished.load(ordering: .acquiring) > 0 { waitForOthers() }
    self.share = nil
  }

  private func waitForOthers() {
    let start = sasuka_nanoseconds()
    var waited = 0
    while unfinished.load(ordering: .acquiring) > 0 {
      waited += 1
      if waited < Crew.spins { sasuka_pause() } else { sched_yield() }
    }
    nanosecondsWaited &+= sasuka_nanoseconds() &- start
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
      share?.run(worker: worker)
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
    mustWake = true
    while generation.load(ordering: .acquiring) == seen { pthread_cond_wait(wake, mutex) }
    let now = generation.load(ordering: .acquiring)
    pthread_mutex_unlock(mutex)
    leaveWaker()
    return now
  }

  private func leaveWaker() { sasuka_leave_processor(waker.load(ordering: .relaxed), workers) }
}
