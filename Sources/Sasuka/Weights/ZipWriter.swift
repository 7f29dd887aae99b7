/// Writes an archive without compression: weights hardly shrink, and plain bytes can be used where they lie.
struct ZipWriter {
  private let sink: any ByteSink
  private var directory: [UInt8] = []
  private var count = 0
  private var offset = 0
  private var crc: CRC32

  init(_ sink: any ByteSink) {
    self.sink = sink
    crc = CRC32(watch: sink.watch)
  }

  /// Adds an entry whose content is `header` and then `bytes`.
  mutating func add(
    _ name: String, _ header: [UInt8], _ bytes: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
  ) throws(SasukaError) {
    crc.reset()
    crc.add(header)
    try crc.add(bytes)
    let record = ZipRecord(
      name: Array(name.utf8), checksum: crc.value, size: header.count + bytes.count, offset: offset)
    let local = record.localHeader
    try sink.write(local)
    try sink.write(header)
    try sink.write(bytes)
    directory += record.directoryEntry
    count += 1
    offset += local.count + record.size
  }

  /// Writes what stands behind the entries.
  func finish() throws(SasukaError) {
    try sink.write(directory)
    try sink.write(zipEnd(count: count, directorySize: directory.count, directoryOffset: offset))
  }
}

/// An uncompressed entry of an archive that is being written, and the records that describe it.
private struct ZipRecord {
  let name: [UInt8]
  let checksum: UInt32
  let size: Int
  /// Where the local header begins in the file.
  let offset: Int

  /// From this number on, Zip64's fields are used.
  static let limit = 0xffff_ffff
  /// 1 January 1980, the first date there is: equal weights make equal files.
  private static let date: UInt16 = 0x0021
  /// Bit 11: the name is UTF-8.
  private static let flags: UInt16 = 1 << 11

  private var sizeIsWide: Bool { size >= ZipRecord.limit }
  private var offsetIsWide: Bool { offset >= ZipRecord.limit }

  /// What stands before the entry's bytes.
  var localHeader: [UInt8] {
    var extra: [UInt8] = []
    if sizeIsWide { appendZip64(withOffset: false, to: &extra) }
    // PyTorch's field that nobody reads, so that the content begins at a multiple of 64 bytes.
    let start = offset + 30 + name.count + extra.count + 4
    let padding = (64 - start % 64) % 64
    extra += Array("FB".utf8)
    extra.append(littleEndian: UInt16(truncatingIfNeeded: padding))
    extra += [UInt8](repeating: UInt8(ascii: "Z"), count: padding)
    var bytes: [UInt8] = []
    bytes.append(littleEndian: ZipSignature.localHeader)
    appendCommon(extra.count, isWide: sizeIsWide, to: &bytes)
    return bytes + name + extra
  }

  /// What stands in the directory.
  var directoryEntry: [UInt8] {
    var extra: [UInt8] = []
    if sizeIsWide || offsetIsWide { appendZip64(withOffset: true, to: &extra) }
    var bytes: [UInt8] = []
    bytes.append(littleEndian: ZipSignature.directoryEntry)
    // Made by version 4.5 on Unix, whose file mode rw-r--r-- stands in the upper half of the external attributes.
    bytes.append(littleEndian: UInt16(3 << 8 | 45))
    appendCommon(extra.count, isWide: sizeIsWide || offsetIsWide, to: &bytes)
    bytes += [0, 0, 0, 0, 0, 0]
    bytes.append(littleEndian: UInt32(0o100644) << 16)
    bytes.append(littleEndian: offsetIsWide ? UInt32.max : UInt32(truncatingIfNeeded: offset))
    return bytes + name + extra
  }

  /// From the version needed to the length of the extra field, the same in both records.
  private func appendCommon(_ extraCount: Int, isWide: Bool, to bytes: inout [UInt8]) {
    bytes.append(littleEndian: UInt16(isWide ? 45 : 20))
    bytes.append(littleEndian: ZipRecord.flags)
    bytes.append(littleEndian: UInt16(0))
    bytes.append(littleEndian: UInt16(0))
    bytes.append(littleEndian: ZipRecord.date)
    bytes.append(littleEndian: checksum)
    for _ in 0..<2 { bytes.append(littleEndian: sizeIsWide ? UInt32.max : UInt32(truncatingIfNeeded: size)) }
    bytes.append(littleEndian: UInt16(truncatingIfNeeded: name.count))
    bytes.append(littleEndian: UInt16(truncatingIfNeeded: extraCount))
  }

  private func appendZip64(withOffset: Bool, to extra: inout [UInt8]) {
    var numbers: [UInt8] = []
    if sizeIsWide {
      for _ in 0..<2 { numbers.append(littleEndian: UInt64(size)) }
    }
    if withOffset && offsetIsWide { numbers.append(littleEndian: UInt64(offset)) }
    extra.append(littleEndian: UInt16(1))
    extra.append(littleEndian: UInt16(truncatingIfNeeded: numbers.count))
    extra += numbers
  }
}

/// What stands after the directory.
private func zipEnd(count: Int, directorySize: Int, directoryOffset: Int) -> [UInt8] {
  var bytes: [UInt8] = []
  let isWide = count >= 0xffff || directorySize >= ZipRecord.limit || directoryOffset >= ZipRecord.limit
  if isWide { appendZip64End(count, directorySize, directoryOffset, to: &bytes) }
  bytes.append(littleEndian: ZipSignature.end)
  bytes += [0, 0, 0, 0]
  for _ in 0..<2 { bytes.append(littleEndian: UInt16(truncatingIfNeeded: isWide ? 0xffff : count)) }
  bytes.append(littleEndian: UInt32(truncatingIfNeeded: isWide ? ZipRecord.limit : directorySize))
  bytes.append(littleEndian: UInt32(truncatingIfNeeded: isWide ? ZipRecord.limit : directoryOffset))
  return bytes + [0, 0]
}

private func appendZip64End(_ count: Int, _ size: Int, _ offset: Int, to bytes: inout [UInt8]) {
  bytes.append(littleEndian: ZipSignature.zip64End)
  bytes.append(littleEndian: UInt64(44))
  bytes.append(littleEndian: UInt16(3 << 8 | 45))
  bytes.append(littleEndian: UInt16(45))
  bytes += [UInt8](repeating: 0, count: 8)
  for _ in 0..<2 { bytes.append(littleEndian: UInt64(count)) }
  bytes.append(littleEndian: UInt64(size))
  bytes.append(littleEndian: UInt64(offset))
  bytes.append(littleEndian: ZipSignature.zip64Locator)
  bytes += [0, 0, 0, 0]
  bytes.append(littleEndian: UInt64(offset + size))
  bytes.append(littleEndian: UInt32(1))
}
