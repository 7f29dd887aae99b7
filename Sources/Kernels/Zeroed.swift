// Accumulators that start at zero, without the standard library's initialisers.
import CSystem

/// A value whose bytes are all zero: for tiles of floats, of at most 4096 bytes. The compiler folds the load away.
///
/// `InlineArray(repeating:)` is not always inlined; then its specialisation is a weak symbol that two instruction-set
/// targets with vectors of one width share, and the linker may keep the AVX-512 copy for both.
@inline(__always)
func zeroed<Value: BitwiseCopyable>() -> Value {
  sasuka_zeros().load(as: Value.self)
}

/// Sets numbers to zero; for the same reason without `update(repeating:count:)`.
@inline(__always)
func clear<Number: BinaryFloatingPoint>(_ numbers: UnsafeMutablePointer<Number>, _ count: Int) {
  memset(numbers, 0, count * MemoryLayout<Number>.stride)
}
