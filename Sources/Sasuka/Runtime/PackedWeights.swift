import CSystem
import Synchronization

/// Weights in the order in which a kernel reads them.
final class PackedWeights {
  fileprivate let key: [Int]
  let buffer: Buffer
  /// That of the parameters when it was packed; 0 before.
  var version = 0
  /// How many plans use it.
  fileprivate var users = 0

  fileprivate init(_ key: [Int], _ buffer: Buffer) {
    self.key = key
    self.buffer = buffer
  }
}

/// The packed weights of a model. Its plans in evaluation mode have those that they pack alike in common: they are packed
/// once, and lie in memory once, however many sessions there are.
final class PackedStore {
  private var all: [PackedWeights] = []
  private let isLocked = Atomic<Bool>(false)
  /// The thread that packs; 0 for none.
  private let packer = Atomic<UInt>(0)

  private func lock() {
    while isLocked.exchange(true, ordering: .acquiring) { sched_yield() }
  }

  private func unlock() { isLocked.store(false, ordering: .releasing) }

  fileprivate func take(_ key: [Int], floats: Int, purpose: String) throws(SasukaError) -> PackedWeights {
    lock()
    defer { unlock() }
    for packed in all where packed.key == key {
      packed.users += 1
      return packed
    }
    let packed = PackedWeights(key, try Buffer(floatCount: floats, purpose: purpose))
    packed.users = 1
    all.append(packed)
    return packed
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

  func take(_ key: [Int], floats: Int, purpose: String) throws(SasukaError) -> PackedWeights {
    let packed = try store.take(key, floats: floats, purpose: purpose)
    all.append(packed)
    return packed
  }

  var bytesOfOne: Int { store.bytesOfOne(all) }
}
