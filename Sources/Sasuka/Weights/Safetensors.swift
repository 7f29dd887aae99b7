// safetensors: eight bytes with the header's length, a JSON header, then the tensors' bytes without a gap.

/// A safetensors file, checked whole when it is opened.
package final class SafetensorsFile: WeightFile {
  /// The longest header that the format's reference implementation reads.
  static let maximumHeader = 100_000_000
  /// NumPy's limit on the number of axes.
  static let maximumRank = 64

  package let format = WeightFormat.safetensors
  package let tensors: [WeightTensor]
  package let metadata: [WeightMetadata]
  package let names: NameIndex

  /// Whether the bytes begin as the format does: a length and an opening brace.
  static func recognises(_ source: ByteSource) -> Bool {
    source.integer(UInt8.self, at: 8) == UInt8(ascii: "{")
  }

  init(_ source: ByteSource) throws(SasukaError) {
    let length = try headerLength(of: source)
    guard let header = source.slice(at: 8, count: length) else {
      throw SasukaError(.format, "\(source.name): the header is cut off")
    }
    let parsed = try parseHeader(header, of: source.name)
    metadata = parsed.metadata
    tensors = try placeTensors(parsed.entries, in: source, from: 8 + length)
    names = NameIndex(tensors.map { $0.name })
  }
}

/// A tensor as the header describes it; nothing is checked yet but the number of offsets.
private struct Entry {
  let name: String
  let dtype: DType
  let shape: [Int]
  let begin: Int
  let end: Int
}

private func headerLength(of source: ByteSource) throws(SasukaError) -> Int {
  guard let stored = source.integer(UInt64.self, at: 0) else {
    throw SasukaError(.format, "\(source.name): \(source.count) bytes are too few for a safetensors file")
  }
  let limit = min(source.count - 8, SafetensorsFile.maximumHeader)
  guard stored <= UInt64(limit) else {
    throw SasukaError(
      .format, "\(source.name): the header's length is given as \(stored) bytes; at most \(limit) are expected")
  }
  return Int(stored)
}

private func parseHeader(
  _ header: UnsafeRawBufferPointer, of name: String
) throws(SasukaError) -> (entries: [Entry], metadata: [WeightMetadata]) {
  var entries: [Entry] = []
  var metadata: [WeightMetadata] = []
  var reader = JSONReader(header, what: "\(name): header")
  try reader.readObject { (reader, key) throws(SasukaError) in
    if key == "__metadata__" {
      try reader.readObject { (reader, key) throws(SasukaError) in
        metadata.append(WeightMetadata(key: key, value: try reader.readString()))
      }
    } else {
      entries.append(try readEntry(key, from: &reader, of: name))
    }
  }
  try reader.finish()
  return (entries, metadata)
}

@inline(never)
private func readEntry(_ tensor: String, from reader: inout JSONReader, of file: String) throws(SasukaError) -> Entry {
  let place = "\(file): tensor \"\(tensor)\""
  var type: String?
  var shape: [Int]?
  var offsets: [Int]?
  try reader.readObject { (reader, key) throws(SasukaError) in
    switch key {
    case "dtype": type = try reader.readString()
    case "shape": shape = try reader.readIntegers(limit: SafetensorsFile.maximumRank)
    case "data_offsets": offsets = try reader.readIntegers(limit: 2)
    default:
      throw SasukaError(.format, "\(place): unknown key \"\(key)\"; dtype, shape and data_offsets are expected")
    }
  }
  guard let type, let shape, let offsets, offsets.count == 2 else {
    throw SasukaError(.format, "\(place): a dtype, a shape and two data_offsets are expected")
  }
  guard let dtype = DType(safetensors: type) else {
    throw SasukaError(.unsupported, "\(place): dtype \"\(type)\" is not supported")
  }
  return Entry(name: tensor, dtype: dtype, shape: shape, begin: offsets[0], end: offsets[1])
}

/// Checks that the entries fill the file from `start` to its end, one after another, each as long as its shape says.
private func placeTensors(
  _ entries: [Entry], in source: ByteSource, from start: Int
) throws(SasukaError) -> [WeightTensor] {
  let available = source.count - start
  var tensors: [WeightTensor] = []
  var expected = 0
  let order = ascendingPlaces(entries.count) {
    (entries[$0].begin, entries[$0].end) < (entries[$1].begin, entries[$1].end)
  }
  for index in order {
    let entry = entries[index]
    let place = "\(source.name): tensor \"\(entry.name)\""
    let offsets = "data_offsets [\(entry.begin), \(entry.end)]"
    guard entry.begin >= 0, entry.end >= entry.begin, entry.end <= available else {
      throw SasukaError(.format, "\(place): \(offsets) lie outside the \(available) bytes of data")
    }
    guard entry.begin == expected else {
      let kind = entry.begin < expected ? "overlap the tensor before" : "leave a hole"
      throw SasukaError(.format, "\(place): \(offsets) \(kind); a beginning at \(expected) is expected")
    }
    guard let length = entry.dtype.byteCount(ofShape: entry.shape), length == entry.end - entry.begin,
      let bytes = source.slice(at: start + entry.begin, count: length)
    else {
      throw SasukaError(
        .format,
        "\(place): \(offsets) do not hold \(entry.dtype.name) of shape \(Shape(entry.shape))")
    }
    tensors.append(
      WeightTensor(name: entry.name, dtype: entry.dtype, shape: entry.shape, bytes: bytes, owner: source.owner))
    expected = entry.end
  }
  guard expected == available else {
    throw SasukaError(
      .format, "\(source.name): the tensors end after \(expected) bytes of data; the file has \(available)")
  }
  return tensors
}

// MARK: - Writing

/// Writes the widest types first, so that every tensor is aligned to its type, and keeps the given order otherwise.
func writeSafetensors(
  _ tensors: [WeightTensor], _ metadata: [WeightMetadata], to sink: any ByteSink, name: String
) throws(SasukaError) {
  var order: [Int] = []
  for width in [8, 4, 2, 1] { order += tensors.indices.filter { tensors[$0].dtype.byteCount == width } }
  var header: [UInt8] = Array("{".utf8)
  if !metadata.isEmpty { appendMetadata(metadata, to: &header) }
  var offset = 0
  for place in order {
    let tensor = tensors[place]
    guard tensor.name != "__metadata__" else {
      throw SasukaError(.invalidArgument, "\(name): safetensors keeps the name \"__metadata__\" for itself")
    }
    let (end, overflow) = offset.addingReportingOverflow(tensor.bytes.count)
    guard !overflow, tensor.shape.count <= SafetensorsFile.maximumRank else {
      throw SasukaError(.invalidArgument, "\(name): tensor \"\(tensor.name)\" is too large for a file")
    }
    if header.count > 1 { header.append(UInt8(ascii: ",")) }
    appendJSON(tensor.name, to: &header)
    header += Array(":{\"dtype\":\"\(tensor.dtype.safetensorsName)\",\"shape\":[".utf8)
    for (axis, size) in tensor.shape.enumerated() { header += Array((axis > 0 ? ",\(size)" : "\(size)").utf8) }
    header += Array("],\"data_offsets\":[\(offset),\(end)]}".utf8)
    offset = end
  }
  header.append(UInt8(ascii: "}"))
  while header.count % 8 != 0 { header.append(0x20) }
  guard header.count <= SafetensorsFile.maximumHeader else {
    throw SasukaError(
      .unsupported,
      "\(name): the names make a header of \(header.count) bytes; at most \(SafetensorsFile.maximumHeader) are allowed"
    )
  }
  var length: [UInt8] = []
  length.append(littleEndian: UInt64(header.count))
  try sink.write(length)
  try sink.write(header)
  for place in order { try sink.write(tensors[place].bytes) }
}

private func appendMetadata(_ metadata: [WeightMetadata], to header: inout [UInt8]) {
  header += Array("\"__metadata__\":{".utf8)
  for (place, entry) in metadata.enumerated() {
    if place > 0 { header.append(UInt8(ascii: ",")) }
    appendJSON(entry.key, to: &header)
    header.append(UInt8(ascii: ":"))
    appendJSON(entry.value, to: &header)
  }
  header.append(UInt8(ascii: "}"))
}

extension DType {
  fileprivate init?(safetensors name: String) {
    for dtype in DType.allCases where dtype.safetensorsName == name {
      self = dtype
      return
    }
    return nil
  }

  fileprivate var safetensorsName: String {
    switch self {
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .float32: "F32"
    case .float64: "F64"
    case .bool: "BOOL"
    case .uint8: "U8"
    case .int8: "I8"
    case .int16: "I16"
    case .int32: "I32"
    case .int64: "I64"
    }
  }
}
