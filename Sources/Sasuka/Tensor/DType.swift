/// The type of a stored number. The engine computes in float32; the others are what files hold.
package enum DType: UInt8, CaseIterable, Sendable {
  case float16, bfloat16, float32, float64, bool, uint8, int8, int16, int32, int64

  /// Size of one number in bytes.
  package var byteCount: Int {
    switch self {
    case .bool, .uint8, .int8: 1
    case .float16, .bfloat16, .int16: 2
    case .float32, .int32: 4
    case .float64, .int64: 8
    }
  }

  /// PyTorch's and NumPy's name of the type.
  package var name: String {
    switch self {
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    case .float32: "float32"
    case .float64: "float64"
    case .bool: "bool"
    case .uint8: "uint8"
    case .int8: "int8"
    case .int16: "int16"
    case .int32: "int32"
    case .int64: "int64"
    }
  }

  /// Bytes that numbers of this type in the given shape take; nil if a size is negative or the product overflows.
  ///
  /// A size of zero makes no bytes, but does not excuse the others: strides are products of them.
  package func byteCount(ofShape shape: [Int]) -> Int? {
    var total = byteCount
    for size in shape {
      let (product, overflow) = total.multipliedReportingOverflow(by: max(size, 1))
      guard size >= 0, !overflow else { return nil }
      total = product
    }
    return shape.contains(0) ? 0 : total
  }
}

// MARK: - From stored bytes

extension DType {
  /// Converts `count` little-endian numbers of this type, at any alignment, to float32, rounding to nearest.
  ///
  /// The caller has checked that `source` holds `count * byteCount` bytes and `target` has room for `count` floats.
  package func convert(_ source: UnsafeRawPointer, count: Int, to target: UnsafeMutablePointer<Float>) {
    switch self {
    case .float16: fill(target, count) { Float(halfBits: load(source, $0)) }
    case .bfloat16: fill(target, count) { Float(bfloat16Bits: load(source, $0)) }
    // The machine is little-endian, as the file.
    case .float32: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: max(count, 0) * byteCount)
    case .float64: fill(target, count) { Float(Double(bitPattern: load(source, $0))) }
    case .bool: fill(target, count) { (load(source, $0) as UInt8) == 0 ? 0 : 1 }
    case .uint8: fill(target, count) { Float(load(source, $0) as UInt8) }
    case .int8: fill(target, count) { Float(load(source, $0) as Int8) }
    case .int16: fill(target, count) { Float(load(source, $0) as Int16) }
    case .int32: fill(target, count) { Float(load(source, $0) as Int32) }
    case .int64: fill(target, count) { Float(load(source, $0) as Int64) }
    }
  }

  /// One little-endian number of this type as an integer; nil if it is not one, or is beyond Int64.
  package func integer(at index: Int, of source: UnsafeRawPointer) -> Int64? {
    switch self {
    case .float16: Int64(exactly: Float(halfBits: load(source, index)))
    case .bfloat16: Int64(exactly: Float(bfloat16Bits: load(source, index)))
    case .float32: Int64(exactly: Float(bitPattern: load(source, index)))
    case .float64: Int64(exactly: Double(bitPattern: load(source, index)))
    case .bool: (load(source, index) as UInt8) == 0 ? 0 : 1
    case .uint8: Int64(load(source, index) as UInt8)
    case .int8: Int64(load(source, index) as Int8)
    case .int16: Int64(load(source, index) as Int16)
    case .int32: Int64(load(source, index) as Int32)
    case .int64: load(source, index)
    }
  }
}

// MARK: - To stored bytes

/// Stores `count` floats as little-endian float32, at any alignment.
package func storeFloat32(_ source: UnsafePointer<Float>, count: Int, to target: UnsafeMutableRawPointer) {
  target.copyMemory(from: source, byteCount: max(count, 0) * MemoryLayout<Float>.stride)
}

/// Stores `count` integers as little-endian int64, at any alignment.
package func storeInt64(_ source: UnsafePointer<Int64>, count: Int, to target: UnsafeMutableRawPointer) {
  for index in 0..<max(count, 0) {
    target.storeBytes(of: source[index].littleEndian, toByteOffset: index * 8, as: Int64.self)
  }
}

// MARK: - Half precision

extension Float {
  /// IEEE 754 binary16, exactly: 1 sign bit, 5 of exponent with bias 15, 10 of fraction.
  package init(halfBits bits: UInt16) {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1f
    let fraction = UInt32(bits & 0x3ff)
    switch exponent {
    case 0: self = Float(bitPattern: sign | (Float(fraction) * 0x1p-24).bitPattern)
    case 0x1f: self = Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)
    default: self = Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }

  /// The upper half of a float32, exactly.
  package init(bfloat16Bits bits: UInt16) {
    self = Float(bitPattern: UInt32(bits) << 16)
  }
}

@inline(__always)
private func load<Integer: FixedWidthInteger & BitwiseCopyable>(_ source: UnsafeRawPointer, _ index: Int) -> Integer {
  Integer(
    littleEndian: source.loadUnaligned(fromByteOffset: index * MemoryLayout<Integer>.size, as: Integer.self))
}

@inline(__always)
private func fill(_ target: UnsafeMutablePointer<Float>, _ count: Int, with number: (Int) -> Float) {
  for index in 0..<max(count, 0) { target[index] = number(index) }
}
