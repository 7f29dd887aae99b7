/// Copies an array whose element 0 is number `offset` of the source, with the given strides, to row-major order, turning
/// the bytes of each number around if asked to. The caller has checked that every element lies in the source.
func rearrange(
  _ source: UnsafeRawBufferPointer, at offset: Int, _ dtype: DType, _ shape: [Int], _ strides: [Int],
  _ isSwapped: Bool, into target: UnsafeMutableRawPointer
) {
  let width = dtype.byteCount
  var index = [Int](repeating: 0, count: shape.count)
  var place = offset
  for element in 0..<shape.reduce(1, *) {
    for byte in 0..<width {
      let from = place * width + (isSwapped ? width - 1 - byte : byte)
      target.storeBytes(of: source[from], toByteOffset: element * width + byte, as: UInt8.self)
    }
    var axis = shape.count - 1
    while axis >= 0 {
      index[axis] += 1
      place += strides[axis]
      if index[axis] < shape[axis] { break }
      place -= strides[axis] * shape[axis]
      index[axis] = 0
      axis -= 1
    }
  }
}
