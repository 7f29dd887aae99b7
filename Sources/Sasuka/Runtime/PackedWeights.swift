import CSystem
import Synchronization

/// Weights in the order in which a kernel reads them, or what else a plan makes of parameters.
final class PackedWeights {
  /// Empty for what one plan has for itself.
  fileprivate let key: [Int]
  let buffer: Buffer
  fileprivate let chunk: PackedChunk
  /// Where it ends in its chunk, in bytes.
  fileprivate let end: Int
  /// That of the parameters when it was packed; 0 before.
  var version = 0
  /// How many plans use it.
  fileprivate var users = 0

  fileprivate init(_ key: [Int], _ chunk: PackedChunk, from start: Int, bytes: Int) {
    self.key = key
    self.chunk = chunk
    end = start + bytes
    buffer = Buffer(part: start, byteCount: bytes, of: chunk.memory)
    // Somebody may have written there who is gone.
    let old = min(chunk.usedBytes, end) - start
    if old > 0 { memset(buffer.raw, 0, old) }
    chunk.usedBytes = max(chunk.usedBytes, end)
  }
}

/// Memory for packed weights, in large pages: it lives as long as anything in it.
private final class PackedChunk {
  let memory: Buffer
  /// How much of it has ever been given out; what is behind has not been touched and costs nothing.
  var usedBytes = 0

  init(_ memory: Buffer) { self.memory = memory }
}

/// The packed weights of a model. Its plans in evaluation mode have those that they pack alike in common: they are packed
/// once, and lie in memory once, however many sessions there are.
///
/// They lie one behind the other, as a plan's nodes ask for them: each layer reads on where the one before it has ended, so
/// that the processor's prefetching goes on too, and small ones are in large pages (DenseNet-121's layers of 14 x 14 pixels:
/// 1.2 times as fast).
final class PackedStore {
  /// Bytes of address space for weights that follow one another; memory is what is written.
  private let chunkBytes: Int
  /// In the order of their making.
  private var all: [PackedWeights] = []
  private let isLocked = Atomic<Bool>(false)
  /// The thread that packs; 0 for none.
  private let packer = Atomic<UInt>(0)

  /// - Parameter chunkBytes: about what a plan needs; less makes no difference but that not all is in one piece.
  init(chunkBytes: Int) { self.chunkBytes = chunkBytes }

  private func lock() {
    while isLocked.exchange(true, ordering: .acquiring) { sched_yield() }
  }

  private func unlock() { isLocked.store(false, ordering: .releasing) }

  fileprivate func take(_ key: [Int], floats: Int, purpose: String) throws(SasukaError) -> PackedWeights {
    lock()
    defer { unlock() }
    for packed in all where !key.isEmpty && packed.key == key {
      packed.users += 1
      return packed
    }
    let packed = try place(key, floats: floats, purpose: purpose)
    packed.users = 1
    all.append(packed)
    return packed
  }

  /// Behind the last of all, or in a new chunk if they do not fit there.
  private func place(_ key: [Int], floats: Int, purpose: String) throws(SasukaError) -> PackedWeights {
    let (bytes, overflow) = floats.multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
    if let last = all.last {
      let start = (last.end + 63) / 64 * 64
      if !overflow, bytes <= last.chunk.memory.byteCount - start {
        return PackedWeights(key, last.chunk, from: start, bytes: bytes)
      }
    }
    if !overflow, let memory = try? Buffer(byteCount: max(bytes, chunkBytes), purpose: purpose) {
      return PackedWeights(key, PackedChunk(memory), from: 0, bytes: bytes)
    }
    // Where address space is limited, each has its own.
    let memory = try Buffer(byteCount: overflow ? -1 : bytes, purpose: purpose)
    return PackedWeights(key, PackedChunk(memory), from: 0, bytes: bytes)
  }

  fileprivate func giveBack(_ some: [PackedWeights]) {
    lock()
    defer { unlock() }
    for packed in some { packed.users -= 1 }
    var used: [PackedWeights] = []
    for packed in all where packed.users > 0 { used.append(packed) }
    all = used
  }

  /// Bytes that only one plan uses.
  fileprivate func bytesOfOne(_ some: [PackedWeights]) -> Int {
    lock()
    defer { unlock() }
    var total = 0
    for packed in some where packed.users == 1 { total += packed.buffer.byteCount }
    return total
  }

  /// Waits until nobody else packs.
  ///
  /// - Throws: `cancelled`; `busy` where a callback of this thread's own packing runs another plan of the model.
  func beginPacking(_ watch: Watch?) throws(SasukaError) {
    let own = UInt(pthread_self())
    while true {
      let (began, other) = packer.compareExchange(expected: 0, desired: own, ordering: .acquiringAndReleasing)
      if began { return }
      guard other != own else {
        throw SasukaError(.busy, "the model's weights are being packed by the run whose callback makes this call")
      }
      watch?.ask()
      try watch?.check()
      usleep(500)
    }
  }

  func endPacking() { packer.store(0, ordering: .releasing) }
}

/// What one plan uses of a store, for as long as this object lives.
final class PackedUse {
  private let store: PackedStore
  private(set) var all: [PackedWeights] = []

  init(_ store: PackedStore) { self.store = store }
  deinit { store.giveBack(all) }

  /// - Parameter key: who asks with the same one gets the same weights; empty for what is this plan's own.
  func take(_ key: [Int], floats: Int, purpose: String) throws(SasukaError) -> PackedWeights {
    let packed = try store.take(key, floats: floats, purpose: purpose)
    all.append(packed)
    return packed
  }

  var bytesOfOne: Int { store.bytesOfOne(all) }
}
