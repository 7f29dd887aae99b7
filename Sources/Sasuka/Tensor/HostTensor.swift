import CSystem

/// Numbers in the host's memory, in any layout that strides can say, borrowed for the duration of a call.
package struct HostTensor {
  package let data: UnsafeMutableRawPointer
  package let dtype: DType
  package let shape: Shape
  /// Distance between neighbours along each axis, in elements; may be negative or 0.
  package let strides: [Int]

  /// - Parameter strides: nil for row-major.
  package init(_ data: UnsafeMutableRawPointer, _ dtype: DType, _ shape: Shape, strides: [Int]? = nil) {
    self.data = data
    self.dtype = dtype
    self.shape = shape
    self.strides = strides ?? shape.rowMajorStrides
  }

  /// - Throws: `invalidArgument` for another shape, and for numbers that are not float32 or float64.
  @inline(never)
  func expectFloats(_ expected: Shape, _ what: StaticString) throws(SasukaError) {
    guard shape == expected else {
      throw SasukaError(.invalidArgument, "\(what) has shape \(shape); \(expected) is expected")
    }
    guard dtype == .float32 || dtype == .float64 else {
      throw SasukaError(.invalidArgument, "\(what) has type \(dtype.name); float32 or float64 is expected")
    }
  }

  /// Some of its parts along the first axis, of `pictures` each: that of this number.
  func part(_ number: Int, pictures: Int) -> HostTensor {
    HostTensor(
      data + number * pictures * strides[0] * dtype.byteCount, dtype, shape.replacing(axis: 0, with: pictures),
      strides: strides)
  }

  /// Copies the numbers as float32, row-major.
  package func read(into target: UnsafeMutablePointer<Float>) throws(SasukaError) {
    switch dtype {
    case .float32:
      if isRowMajor {
        memcpy(target, data, shape.count * MemoryLayout<Float>.stride)
      } else {
        gather(Float.self, into: target) { $0 }
      }
    case .float64: gather(Double.self, into: target) { Float($0) }
    case .uint8: gather(UInt8.self, into: target) { Float($0) }
    case .int32: gather(Int32.self, into: target) { Float($0) }
    case .int64: gather(Int64.self, into: target) { Float($0) }
    default: throw unsupported()
    }
  }

  /// Copies integers, each in `range` or equal to `exception`, row-major; the exception becomes -1.
  ///
  /// - Throws: `invalidArgument` with the first number that is neither.
  package func readLabels(
    into target: UnsafeMutablePointer<Int32>, range: Range<Int>, exception: Int
  ) throws(SasukaError) {
    var wrong: (index: Int, label: Int)?
    var index = 0
    func check(_ label: Int) -> Int32 {
      defer { index += 1 }
      // The exception may be one of the classes.
      if label == exception { return -1 }
      if range.contains(label) { return Int32(truncatingIfNeeded: label) }
      if wrong == nil { wrong = (index, label) }
      return -1
    }
    switch dtype {
    case .uint8: gather(UInt8.self, into: target) { check(Int($0)) }
    case .int32: gather(Int32.self, into: target) { check(Int($0)) }
    case .int64: gather(Int64.self, into: target) { check(Int($0)) }
    default:
      throw SasukaError(.invalidArgument, "target has type \(dtype.name); integers are expected: uint8, int32 or int64")
    }
    if let wrong {
      throw SasukaError(
        .invalidArgument, "label \(wrong.label) of sample \(wrong.index); 0 to \(range.upperBound - 1) is expected")
    }
  }

  /// Copies row-major float32 numbers to where this tensor lies.
  package func write(from source: UnsafePointer<Float>) throws(SasukaError) {
    switch dtype {
    case .float32:
      if isRowMajor {
        memcpy(data, source, shape.count * MemoryLayout<Float>.stride)
      } else {
        scatter(Float.self, from: source) { $0 }
      }
    case .float64: scatter(Double.self, from: source) { Double($0) }
    default:
      throw SasukaError(.invalidArgument, "output has type \(dtype.name); float32 or float64 is expected")
    }
  }

  /// Its numbers, if they are what `read` would write.
  var rowMajorFloats: UnsafePointer<Float>? {
    let isAligned = Int(bitPattern: data) % MemoryLayout<Float>.alignment == 0
    return dtype == .float32 && isRowMajor && isAligned ? UnsafePointer(data.assumingMemoryBound(to: Float.self)) : nil
  }

  private var isRowMajor: Bool {
    var count = 1
    for axis in strides.indices.reversed() {
      if shape[axis] > 1, strides[axis] != count { return false }
      count *= shape[axis]
    }
    return true
  }

  private func unsupported() -> SasukaError {
    SasukaError(
      .invalidArgument, "tensor of type \(dtype.name); float32, float64, uint8, int32 or int64 is expected")
  }

  private func gather<Stored: BitwiseCopyable, Number>(
    _ type: Stored.Type, into target: UnsafeMutablePointer<Number>, _ convert: (Stored) -> Number
  ) {
    let source = data.assumingMemoryBound(to: Stored.self)
    var written = 0
    forEachRow { offset, count, stride in
      for index in 0..<count { target[written + index] = convert(source[offset + index * stride]) }
      written += count
    }
  }

  private func scatter<Stored: BitwiseCopyable>(
    _ type: Stored.Type, from source: UnsafePointer<Float>, _ convert: (Float) -> Stored
  ) {
    let target = data.assumingMemoryBound(to: Stored.self)
    var read = 0
    forEachRow { offset, count, stride in
      for index in 0..<count { target[offset + index * stride] = convert(source[read + index]) }
      read += count
    }
  }

  /// Visits the innermost rows in row-major order: offset of the first element, number of elements, distance.
  private func forEachRow(_ visit: (_ offset: Int, _ count: Int, _ stride: Int) -> Void) {
    guard !isRowMajor else {
      visit(0, shape.count, 1)
      return
    }
    let last = shape.rank - 1
    var place = [Int](repeating: 0, count: shape.rank)
    for _ in 0..<(shape.count / shape[last]) {
      var offset = 0
      for axis in 0..<last { offset += place[axis] * strides[axis] }
      visit(offset, shape[last], strides[last])
      var axis = last - 1
      while axis >= 0 {
        place[axis] += 1
        if place[axis] < shape[axis] { break }
        place[axis] = 0
        axis -= 1
      }
    }
  }
}
