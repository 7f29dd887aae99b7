// .npz: a ZIP archive with one .npy file to an array, named after it.

/// An .npz file. Opening it checks and unpacks everything; arrays stored plainly stay where they lie in the file.
package final class NpzFile: WeightFile {
  package let format = WeightFormat.npz
  package let tensors: [WeightTensor]
  package let metadata: [WeightMetadata] = []
  package let names: NameIndex

  init(_ entries: [ZipEntry], of source: ByteSource) throws(SasukaError) {
    var tensors: [WeightTensor] = []
    var crc = CRC32(watch: source.watch)
    for entry in entries {
      tensors.append(try readArray(entry, of: source, crc: &crc))
    }
    names = NameIndex(tensors.map { $0.name })
    if let duplicate = names.duplicate {
      throw SasukaError(.format, "\(source.name): two arrays are named \"\(duplicate)\"")
    }
    self.tensors = tensors
  }
}

private func readArray(
  _ entry: ZipEntry, of source: ByteSource, crc: inout CRC32
) throws(SasukaError) -> WeightTensor {
  let place = "\(source.name): entry \"\(entry.name)\""
  guard entry.name.utf8.ends(with: ".npy".utf8),
    let name = String(validating: entry.name.utf8.firstBytes(entry.name.utf8.count - 4), as: UTF8.self)
  else { throw SasukaError(.format, "\(place): a name ending in .npy is expected") }
  let header = try readHeader(entry, place)
  guard let length = header.dtype.byteCount(ofShape: header.shape), length == entry.size - header.byteCount else {
    throw SasukaError(
      .format,
      "\(place): \(entry.size - header.byteCount) bytes of data do not make \(header.dtype.name) of shape "
        + "\(Shape(header.shape))")
  }
  let unpacked = try unpack(entry, of: source, crc: &crc)
  var bytes = UnsafeRawBufferPointer(rebasing: unpacked.bytes[header.byteCount...])
  var owner = unpacked.owner
  let isSwapped = header.isBigEndian && header.dtype.byteCount > 1
  let isReordered = header.isColumnMajor && header.shape.count > 1
  if isSwapped || isReordered {
    let buffer = try Buffer(byteCount: length, purpose: place)
    let strides = isReordered ? columnMajorStrides(header.shape) : Shape(header.shape).rowMajorStrides
    withExtendedLifetime(owner) {
      rearrange(bytes, at: 0, header.dtype, header.shape, strides, isSwapped, into: buffer.raw)
    }
    bytes = UnsafeRawBufferPointer(start: buffer.raw, count: length)
    owner = buffer
  }
  return WeightTensor(name: name, dtype: header.dtype, shape: header.shape, bytes: bytes, owner: owner)
}

/// The header alone, before memory for the whole entry is asked for.
private func readHeader(_ entry: ZipEntry, _ place: String) throws(SasukaError) -> NpyHeader {
  guard entry.method == .deflated else { return try NpyHeader(entry.packed, place) }
  let prefix = try Buffer(byteCount: min(entry.size, NpyHeader.maximumByteCount), purpose: place)
  defer { withExtendedLifetime(prefix) {} }
  var inflate = Inflate(entry.packed, into: UnsafeMutableRawBufferPointer(start: prefix.raw, count: prefix.byteCount))
  // Damage is reported when the whole entry is unpacked, or by the header that is cut off.
  _ = inflate.run()
  return try NpyHeader(UnsafeRawBufferPointer(start: prefix.raw, count: inflate.outputCount), place)
}

// MARK: - Order

/// Distance in elements between neighbours along each axis where the first axis varies fastest.
private func columnMajorStrides(_ shape: [Int]) -> [Int] {
  var strides: [Int] = []
  var stride = 1
  for size in shape {
    strides.append(stride)
    stride *= max(size, 1)
  }
  return strides
}

// MARK: - Writing

func writeNpz(_ tensors: [WeightTensor], to sink: any ByteSink, name: String) throws(SasukaError) {
  var archive = ZipWriter(sink)
  for tensor in tensors {
    let place = "\(name): tensor \"\(tensor.name)\""
    // Readers of archives take a NUL for the end of a name.
    let bytes = Array(tensor.name.utf8)
    guard bytes.count <= 65531, !bytes.contains(0) else {
      throw SasukaError(.invalidArgument, "\(place): a name of at most 65531 bytes without NUL is expected")
    }
    guard let header = npyHeader(tensor.dtype, tensor.shape) else {
      throw SasukaError(.unsupported, "\(place): NumPy has no \(tensor.dtype.name); safetensors has")
    }
    guard tensor.shape.count <= SafetensorsFile.maximumRank, header.count <= NpyHeader.maximumByteCount else {
      throw SasukaError(
        .invalidArgument, "\(place): a shape of at most \(SafetensorsFile.maximumRank) axes is expected")
    }
    try archive.add(tensor.name + ".npy", header, tensor.bytes)
  }
  try archive.finish()
}
