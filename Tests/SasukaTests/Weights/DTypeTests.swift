// Numbers as files hold them, to float32 and back.
import Sasuka
import Testing

@Suite struct DTypeTests {
  @Test func halvesAreExactForEveryBitPattern() {
    for bits in UInt16.min...UInt16.max {
      let exact = Float(halfByDefinition(bits))
      let got = Float(halfBits: bits)
      #expect(got.isNaN ? exact.isNaN : got.bitPattern == exact.bitPattern, "half \(bits)")
    }
  }

  /// IEEE 754 binary16 by its definition, in float64.
  private func halfByDefinition(_ bits: UInt16) -> Double {
    let sign = bits & 0x8000 == 0 ? 1.0 : -1.0
    let exponent = Int(bits >> 10 & 31)
    let fraction = Double(bits & 1023) / 1024
    if exponent == 31 { return fraction == 0 ? sign * .infinity : .nan }
    let power = Double(sign: .plus, exponent: max(exponent, 1) - 15, significand: 1)
    return sign * power * (exponent == 0 ? fraction : 1 + fraction)
  }

  @Test(arguments: [(0x3f80, 1), (0xc020, -2.5), (0x0000, 0), (0x7f80, .infinity)] as [(UInt16, Float)])
  func bfloat16IsTheUpperHalfOfAFloat(bits: UInt16, number: Float) {
    #expect(Float(bfloat16Bits: bits) == number)
  }

  @Test(arguments: DType.allCases) func zeroAndOneSurviveAtAnyAlignment(dtype: DType) {
    // The bytes of 0 and 1, after one byte that spoils the alignment.
    var one = [UInt8](repeating: 0, count: dtype.byteCount)
    switch dtype {
    case .float16: one = [0x00, 0x3c]
    case .bfloat16: one = [0x80, 0x3f]
    case .float32: one = [0, 0, 0x80, 0x3f]
    case .float64: one = [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]
    default: one[0] = 1
    }
    let bytes = [0xff] + [UInt8](repeating: 0, count: dtype.byteCount) + one
    var floats: [Float] = [-1, -1]
    let integers = bytes.withUnsafeBytes { raw in
      dtype.convert(raw.baseAddress! + 1, count: 2, to: &floats)
      return (0..<2).map { dtype.integer(at: $0, of: raw.baseAddress! + 1) }
    }
    #expect(floats == [0, 1], "\(dtype.name)")
    #expect(integers == [0, 1], "\(dtype.name)")
  }

  @Test(arguments: [0.5, .infinity, .nan, 1e30]) func whatIsNoIntegerIsNil(number: Float) {
    let bits = number.bitPattern
    #expect(withUnsafeBytes(of: bits) { DType.float32.integer(at: 0, of: $0.baseAddress!) } == nil)
  }

  @Test func floatsAndIntegersAreStoredLittleEndian() {
    var bytes = [UInt8](repeating: 9, count: 13)
    bytes.withUnsafeMutableBytes {
      storeFloat32([1], count: 1, to: $0.baseAddress! + 1)
      storeInt64([-2], count: 1, to: $0.baseAddress! + 5)
    }
    #expect(bytes == [9, 0, 0, 0x80, 0x3f, 0xfe, 255, 255, 255, 255, 255, 255, 255])
  }

  @Test(
    arguments: [
      ([], 4), ([3, 2], 24), ([0, 5], 0), ([-1], nil), ([0, -1], nil), ([1 << 62], nil), ([0, 1 << 40, 1 << 40], nil),
    ] as [([Int], Int?)])
  func sizesAreCheckedAgainstOverflow(shape: [Int], expected: Int?) {
    #expect(DType.float32.byteCount(ofShape: shape) == expected)
  }
}
