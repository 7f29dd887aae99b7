// ZIP archives (PKWARE's APPNOTE 6.3), as far as containers of tensors use them: stored and deflated entries, Zip64.

/// Signatures of an archive's records.
enum ZipSignature {
  static let localHeader: UInt32 = 0x0403_4b50
  static let directoryEntry: UInt32 = 0x0201_4b50
  static let end: UInt32 = 0x0605_4b50
  static let zip64End: UInt32 = 0x0606_4b50
  static let zip64Locator: UInt32 = 0x0706_4b50
}

/// An entry of an archive; its bytes have been found to lie within the file, apart from all others.
struct ZipEntry {
  enum Method { case stored, deflated }

  let name: String
  let method: Method
  let checksum: UInt32
  /// Number of bytes after decompression, as the directory says.
  let size: Int
  /// As stored in the file.
  let packed: UnsafeRawBufferPointer
}

/// Whether the bytes begin as an archive, an empty one included.
func isZip(_ source: ByteSource) -> Bool {
  let signature = source.integer(UInt32.self, at: 0)
  return signature == ZipSignature.localHeader || signature == ZipSignature.end
}

/// Reads the directory of an archive and finds the bytes of every entry, in the order in which they lie in the file.
func readZipEntries(_ source: ByteSource) throws(SasukaError) -> [ZipEntry] {
  let directory = try findDirectory(source)
  let records = try readDirectory(directory, of: source)
  var entries: [ZipEntry] = []
  var previousEnd = 0
  for index in ascendingPlaces(records.count, { records[$0].localHeader < records[$1].localHeader }) {
    let record = records[index]
    let place = "\(source.name): entry \"\(record.name)\""
    guard record.localHeader >= previousEnd else {
      throw SasukaError(.format, "\(place): its header at byte \(record.localHeader) lies within the entry before")
    }
    let offset = try findData(of: record, in: source, place)
    guard offset <= directory.offset, record.packedSize <= directory.offset - offset,
      let packed = source.slice(at: offset, count: record.packedSize)
    else {
      throw SasukaError(
        .format,
        "\(place): \(record.packedSize) bytes from byte \(offset) are expected before the directory at byte "
          + "\(directory.offset)")
    }
    entries.append(
      ZipEntry(
        name: record.name, method: record.method, checksum: record.checksum, size: record.size, packed: packed))
    previousEnd = offset + record.packedSize
  }
  return entries
}

/// The bytes of a whole entry and who keeps them: the file, or, for a deflated one, a buffer.
func unpack(
  _ entry: ZipEntry, of source: ByteSource, crc: inout CRC32
) throws(SasukaError) -> (bytes: UnsafeRawBufferPointer, owner: (any BytesOwner)?) {
  let place = "\(source.name): entry \"\(entry.name)\""
  var bytes = entry.packed
  var owner: (any BytesOwner)? = source.owner
  if entry.method == .deflated {
    let buffer = try Buffer(byteCount: entry.size, purpose: place)
    var inflate = Inflate(entry.packed, into: UnsafeMutableRawBufferPointer(start: buffer.raw, count: entry.size))
    guard inflate.run() == .finished, inflate.outputCount == entry.size else {
      throw SasukaError(
        .format,
        "\(place): the compressed data are damaged after \(inflate.outputCount) of \(entry.size) bytes")
    }
    bytes = UnsafeRawBufferPointer(start: buffer.raw, count: entry.size)
    owner = buffer
  }
  crc.reset()
  try crc.add(bytes)
  // PyTorch can be told to write none.
  guard crc.value == entry.checksum || entry.checksum == 0 else {
    throw SasukaError(.format, "\(place): the CRC-32 is \(crc.value); \(entry.checksum) is expected")
  }
  return (bytes, owner)
}

// MARK: - Directory

private struct Directory {
  let offset: Int
  let size: Int
  let count: Int
}

/// What the directory says about an entry.
private struct Record {
  let name: String
  let nameBytes: UnsafeRawBufferPointer
  let method: ZipEntry.Method
  let checksum: UInt32
  let packedSize: Int
  let size: Int
  let localHeader: Int
}

private func damaged(_ source: ByteSource, _ what: String) -> SasukaError {
  SasukaError(.format, "\(source.name): the archive is damaged or cut off: \(what)")
}

/// The end record stands last, before a comment of at most 65535 bytes whose length it tells.
private func findEnd(_ source: ByteSource) -> Int? {
  var place = source.count - 22
  let lowest = max(0, place - 65535)
  while place >= lowest {
    if source.integer(UInt32.self, at: place) == ZipSignature.end,
      let comment = source.integer(UInt16.self, at: place + 20), place + 22 + Int(comment) == source.count
    {
      return place
    }
    place -= 1
  }
  return nil
}

private func findDirectory(_ source: ByteSource) throws(SasukaError) -> Directory {
  guard let end = findEnd(source), let disk = source.integer(UInt16.self, at: end + 4),
    let directoryDisk = source.integer(UInt16.self, at: end + 6),
    let countHere = source.integer(UInt16.self, at: end + 8),
    let count = source.integer(UInt16.self, at: end + 10), let size = source.integer(UInt32.self, at: end + 12),
    let offset = source.integer(UInt32.self, at: end + 16)
  else { throw damaged(source, "no end record") }
  if count == .max || size == .max || offset == .max {
    return try findZip64Directory(source, end: end)
  }
  guard disk == 0, directoryDisk == 0, countHere == count else {
    throw SasukaError(.unsupported, "\(source.name): archives in several parts are not supported")
  }
  return try checked(UInt64(offset), UInt64(size), UInt64(count), before: end, source)
}

private func findZip64Directory(_ source: ByteSource, end: Int) throws(SasukaError) -> Directory {
  let locator = end - 20
  guard source.integer(UInt32.self, at: locator) == ZipSignature.zip64Locator,
    let stored = source.integer(UInt64.self, at: locator + 8), let record = Int(exactly: stored), record < locator,
    source.integer(UInt32.self, at: record) == ZipSignature.zip64End,
    let count = source.integer(UInt64.self, at: record + 32), let size = source.integer(UInt64.self, at: record + 40),
    let offset = source.integer(UInt64.self, at: record + 48)
  else { throw damaged(source, "no Zip64 end record") }
  guard source.integer(UInt32.self, at: record + 16) == 0, source.integer(UInt32.self, at: record + 20) == 0,
    source.integer(UInt64.self, at: record + 24) == count
  else { throw SasukaError(.unsupported, "\(source.name): archives in several parts are not supported") }
  return try checked(offset, size, count, before: record, source)
}

private func checked(
  _ offset: UInt64, _ size: UInt64, _ count: UInt64, before end: Int, _ source: ByteSource
) throws(SasukaError) -> Directory {
  // A directory entry has at least 46 bytes.
  guard let place = Int(exactly: offset), let length = Int(exactly: size), place <= end, length <= end - place,
    count <= size / 46
  else {
    throw damaged(
      source, "a directory of \(count) entries, \(size) bytes, at byte \(offset); the end is at byte \(end)")
  }
  return Directory(offset: place, size: length, count: Int(count))
}

private func readDirectory(_ directory: Directory, of source: ByteSource) throws(SasukaError) -> [Record] {
  var records: [Record] = []
  var place = directory.offset
  let end = directory.offset + directory.size
  for number in 0..<directory.count {
    guard source.integer(UInt32.self, at: place) == ZipSignature.directoryEntry,
      let nameLength = source.integer(UInt16.self, at: place + 28),
      let extraLength = source.integer(UInt16.self, at: place + 30),
      let commentLength = source.integer(UInt16.self, at: place + 32)
    else { throw damaged(source, "directory entry \(number)") }
    let next = place + 46 + Int(nameLength) + Int(extraLength) + Int(commentLength)
    guard next <= end, let name = source.slice(at: place + 46, count: Int(nameLength)),
      let extra = source.slice(at: place + 46 + Int(nameLength), count: Int(extraLength))
    else { throw damaged(source, "directory entry \(number)") }
    guard let text = String(validating: name, as: UTF8.self) else {
      throw damaged(source, "directory entry \(number): a name in UTF-8 is expected")
    }
    records.append(try readRecord(at: place, name: text, nameBytes: name, extra: extra, of: source))
    place = next
  }
  guard place == end else { throw damaged(source, "\(end - place) bytes after the last directory entry") }
  return records
}

private func readRecord(
  at place: Int, name: String, nameBytes: UnsafeRawBufferPointer, extra: UnsafeRawBufferPointer, of source: ByteSource
) throws(SasukaError) -> Record {
  let what = "entry \"\(name)\""
  guard let flags = source.integer(UInt16.self, at: place + 8),
    let code = source.integer(UInt16.self, at: place + 10),
    let checksum = source.integer(UInt32.self, at: place + 16),
    let packed = source.integer(UInt32.self, at: place + 20),
    let size = source.integer(UInt32.self, at: place + 24), let disk = source.integer(UInt16.self, at: place + 34),
    let header = source.integer(UInt32.self, at: place + 42)
  else { throw damaged(source, what) }
  guard flags & 1 == 0 else { throw SasukaError(.unsupported, "\(source.name): \(what) is encrypted") }
  guard code == 0 || code == 8 else {
    throw SasukaError(
      .unsupported, "\(source.name): \(what): compression method \(code); stored (0) or deflated (8) is expected")
  }
  var wide = Zip64Extra(extra)
  guard let exactSize = wide.resolve(size), let exactPacked = wide.resolve(packed),
    let exactHeader = wide.resolve(header), disk == 0
  else { throw damaged(source, "\(what): its sizes or its place") }
  // A stored entry is as long as it says; a deflated one cannot grow more than deflate allows.
  let (limit, overflow) = exactPacked.multipliedReportingOverflow(by: code == 0 ? 1 : Inflate.greatestExpansion)
  guard !overflow, exactSize <= limit, code != 0 || exactSize == exactPacked else {
    throw damaged(source, "\(what): \(exactPacked) bytes cannot unpack to \(exactSize)")
  }
  return Record(
    name: name, nameBytes: nameBytes, method: code == 0 ? .stored : .deflated, checksum: checksum,
    packedSize: exactPacked, size: exactSize, localHeader: exactHeader)
}

/// The extra field that holds, in order, those numbers that are too large for their 32 bits.
private struct Zip64Extra {
  private let numbers: ByteSource
  private var place = 0

  init(_ extra: UnsafeRawBufferPointer) {
    let fields = ByteSource(memory: extra, name: "")
    var found = UnsafeRawBufferPointer(start: nil, count: 0)
    var place = 0
    while let kind = fields.integer(UInt16.self, at: place), let length = fields.integer(UInt16.self, at: place + 2) {
      if kind == 1, let field = fields.slice(at: place + 4, count: Int(length)) {
        found = field
        break
      }
      place += 4 + Int(length)
    }
    numbers = ByteSource(memory: found, name: "")
  }

  /// The number itself, or the next one of the field for the mark that says it is there.
  mutating func resolve(_ number: UInt32) -> Int? {
    guard number == .max else { return Int(number) }
    guard let wide = numbers.integer(UInt64.self, at: place) else { return nil }
    place += 8
    return Int(exactly: wide)
  }
}

/// An entry's bytes follow its local header, which must name it as the directory does.
private func findData(of record: Record, in source: ByteSource, _ place: String) throws(SasukaError) -> Int {
  let start = record.localHeader
  guard start <= source.count, source.integer(UInt32.self, at: start) == ZipSignature.localHeader,
    let nameLength = source.integer(UInt16.self, at: start + 26),
    let extraLength = source.integer(UInt16.self, at: start + 28),
    let name = source.slice(at: start + 30, count: Int(nameLength)), name.elementsEqual(record.nameBytes)
  else { throw SasukaError(.format, "\(place): no header with this name at byte \(start)") }
  return start + 30 + Int(nameLength) + Int(extraLength)
}
