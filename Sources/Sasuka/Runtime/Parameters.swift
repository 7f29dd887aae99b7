import CSystem
import Synchronization

/// The numbers of a model: one buffer to a parameter, in PyTorch's layout and order, all in one memory.
package final class Parameters {
  package let infos: [ParameterInfo]
  private let storage: [Buffer]
  /// Grows whenever numbers change, so that whoever derived something from them knows to do it again.
  package private(set) var version = 1
  /// The version in which each parameter changed last.
  private var changes: [Int]
  /// Drawing takes longer than loading, which comes first more often than not: numbers are drawn when they are looked at.
  private var isPending: [Bool]
  /// Given up until somebody writes them anew.
  private var isReleased: [Bool]
  private var pendingSeed: UInt64 = 0
  /// How many are not present.
  private let absentCount = Atomic<Int>(0)
  private let isLocked = Atomic<Bool>(false)
  /// What the model's plans have made of them.
  let packed: PackedStore

  /// Parameters of a graph, all zero.
  package init(of graph: Graph) throws(SasukaError) {
    infos = graph.parameters
    var (starts, total, kernels) = ([Int](), 0, 0)
    for info in infos {
      starts.append(total)
      let (sum, overflow) = total.addingReportingOverflow((info.byteCount + 63) / 64 * 64)
      total = overflow ? .max / 64 : sum
      if info.shape.rank > 2 { kernels += info.byteCount }
    }
    let memory = try Buffer(byteCount: total, purpose: "the model's parameters", inLargePages: false)
    // Winograd's weights are twice to four times as many.
    packed = PackedStore(chunkBytes: 2 * kernels)
    var buffers: [Buffer] = []
    for (info, start) in zip(infos, starts) {
      let buffer = Buffer(part: start, byteCount: info.byteCount, of: memory)
      // Plans read matrices in place; of kernels they read what they have packed.
      if info.shape.rank == 2 { buffer.preferLargePages() }
      buffers.append(buffer)
    }
    changes = [Int](repeating: version, count: infos.count)
    storage = buffers
    isPending = [Bool](repeating: false, count: buffers.count)
    isReleased = isPending
  }

  /// The parameters' memory, by their places.
  package var buffers: ParameterBuffers { ParameterBuffers(parameters: self) }

  /// A parameter's memory, whose numbers are about to be replaced.
  package func overwriting(_ place: Int) -> Buffer {
    settle(place, drawing: false)
    return storage[place]
  }

  fileprivate func settled(_ place: Int) -> Buffer {
    settle(place, drawing: true)
    return storage[place]
  }

  /// Whether all numbers are there: none is to be drawn, none has been released.
  var isComplete: Bool { absentCount.load(ordering: .acquiring) == 0 }

  private func settle(_ place: Int, drawing: Bool) {
    if isComplete { return }
    lock()
    if isPending[place] || isReleased[place] && !drawing {
      (isPending[place], isReleased[place]) = (false, false)
      if drawing { draw(place, infos[place].initializer, seed: pendingSeed) }
      absentCount.wrappingSubtract(1, ordering: .releasing)
    }
    unlock()
  }

  /// Gives up the numbers of a parameter, which nobody else may use meanwhile, and their memory.
  func release(_ place: Int) {
    lock()
    if !isPending[place], !isReleased[place] {
      isReleased[place] = true
      absentCount.wrappingAdd(1, ordering: .releasing)
      storage[place].forget()
    }
    unlock()
    // Whoever reads them has to ask again whether they are there.
    version += 1
  }

  /// - Throws: `wrongState`, naming the first parameter whose numbers have been released.
  func requireNumbers(_ places: [Int]) throws(SasukaError) {
    if isComplete { return }
    lock()
    defer { unlock() }
    for place in places where isReleased[place] {
      throw SasukaError(
        .wrongState,
        "the numbers of \"\(infos[place].name)\" were released when a session had packed them; load the weights again")
    }
  }

  /// Draws those of some parameters that are still to be drawn, on all threads.
  ///
  /// - Throws: `cancelled`, if `progress` asks to stop; what has not been drawn then is drawn when it is looked at.
  func drawPending(_ places: [Int], on pool: @autoclosure () -> ThreadPool, progress: ProgressFunction?)
    throws(SasukaError)
  {
    if isComplete { return }
    lock()
    let places = places.filter { isPending[$0] && infos[$0].kind != .counter }
    unlock()
    if places.isEmpty { return }
    let pool = pool()
    let watch = progress.map { Watch($0, stage: "draw", total: places.count) }
    for (done, place) in places.enumerated() {
      watch?.done = done
      lock()
      if isPending[place] {
        draw(place, on: pool, watch)
        if watch?.isStopped != true {
          isPending[place] = false
          absentCount.wrappingSubtract(1, ordering: .releasing)
        }
      }
      unlock()
      try watch?.check()
    }
  }

  private func draw(_ place: Int, on pool: ThreadPool, _ watch: Watch?) {
    let (initializer, seed) = (infos[place].initializer, pendingSeed)
    let chunks = Chunks(of: infos[place].shape.count)
    pool.run(units: chunks.count, watch: watch) { unit in
      self.fill(place, chunks[unit], initializer, seed: seed)
    }
  }

  private func lock() {
    while isLocked.exchange(true, ordering: .acquiring) { sched_yield() }
  }

  private func unlock() { isLocked.store(false, ordering: .releasing) }

  /// Draws all parameters anew. Each depends on the seed and its place only.
  package func initialize(seed: UInt64) {
    lock()
    pendingSeed = seed
    for place in isPending.indices { (isPending[place], isReleased[place]) = (true, false) }
    absentCount.store(isPending.count, ordering: .releasing)
    unlock()
    markChanged()
  }

  /// Draws one parameter anew.
  package func initialize(_ place: Int, _ initializer: Initializer, seed: UInt64) {
    settle(place, drawing: false)
    draw(place, initializer, seed: seed)
  }

  private func draw(_ place: Int, _ initializer: Initializer, seed: UInt64) {
    guard infos[place].kind != .counter else {
      storage[place].raw.assumingMemoryBound(to: Int64.self).pointee = 0
      return
    }
    fill(place, 0..<infos[place].shape.count, initializer, seed: seed)
  }

  /// Draws some of a parameter's numbers.
  private func fill(_ place: Int, _ range: Range<Int>, _ initializer: Initializer, seed: UInt64) {
    initializer.fill(
      storage[place].floats, range, random: RandomState(seed: seed, iteration: 0),
      stream: UInt32(truncatingIfNeeded: place))
  }

  /// Says that numbers have changed: those at these places, or all.
  package func markChanged(_ places: [Int]? = nil) {
    version += 1
    for place in places ?? [Int](infos.indices) { changes[place] = version }
  }

  func hasChanged(_ place: Int, since version: Int) -> Bool { changes[place] > version }

  /// The count held by a parameter of kind `counter`.
  package func counter(_ place: Int) -> UnsafeMutablePointer<Int64> {
    buffers[place].raw.assumingMemoryBound(to: Int64.self)
  }
}

extension ParameterInfo {
  fileprivate var byteCount: Int {
    shape.count * (kind == .counter ? MemoryLayout<Int64>.stride : MemoryLayout<Float>.stride)
  }
}

/// What `Parameters.buffers` gives.
package struct ParameterBuffers {
  fileprivate let parameters: Parameters

  package subscript(place: Int) -> Buffer { parameters.settled(place) }
}

/// The gradients of a model's parameters, in one contiguous buffer in the parameters' order.
///
/// Statistics and counters have no place in it.
package final class GradientStore {
  package let buffer: Buffer
  /// Place of each parameter's gradient in the buffer, in floats; -1 for those without.
  package let offsets: [Int]
  package let floatCount: Int

  package init(for parameters: Parameters) throws(SasukaError) {
    var offsets: [Int] = []
    var total = 0
    for info in parameters.infos {
      offsets.append(info.kind == .weight ? total : -1)
      if info.kind == .weight { total += info.shape.count }
    }
    self.offsets = offsets
    floatCount = total
    buffer = try Buffer(floatCount: total, purpose: "gradients")
  }

  package func pointer(toParameter place: Int) -> UnsafeMutablePointer<Float>? {
    offsets[place] < 0 ? nil : buffer.floats + offsets[place]
  }
}
