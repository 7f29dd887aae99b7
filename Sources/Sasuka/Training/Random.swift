/// Where the random numbers of a run begin. Every number is a function of (seed, iteration, stream, index), so it does
/// not depend on how work is divided among threads.
package struct RandomState: Equatable, Sendable {
  package var seed: UInt64
  /// Grows by one with every training step.
  package var iteration: UInt64

  package init(seed: UInt64, iteration: UInt64) {
    self.seed = seed
    self.iteration = iteration
  }

  /// Four words for a place of a stream: Philox4x32-10 (Salmon et al. 2011, Parallel Random Numbers: As Easy as 1, 2, 3).
  package func words(stream: UInt32, index: UInt64) -> SIMD4<UInt32> {
    var counter = SIMD4<UInt32>(
      UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32) ^ stream &* 0x9E37_79B9,
      UInt32(truncatingIfNeeded: iteration), UInt32(truncatingIfNeeded: iteration >> 32) ^ stream)
    var key0 = UInt32(truncatingIfNeeded: seed)
    var key1 = UInt32(truncatingIfNeeded: seed >> 32)
    for _ in 0..<10 {
      let product0 = UInt64(counter[0]) &* 0xD251_1F53
      let product1 = UInt64(counter[2]) &* 0xCD9E_8D57
      counter = SIMD4(
        UInt32(truncatingIfNeeded: product1 >> 32) ^ counter[1] ^ key0, UInt32(truncatingIfNeeded: product1),
        UInt32(truncatingIfNeeded: product0 >> 32) ^ counter[3] ^ key1, UInt32(truncatingIfNeeded: product0))
      key0 = key0 &+ 0x9E37_79B9
      key1 = key1 &+ 0xBB67_AE85
    }
    return counter
  }

  /// A number in [0, 1) with 24 bits.
  package static func unit(_ word: UInt32) -> Float { Float(word >> 8) * 0x1p-24 }
}
