/// The checksum of ZIP archives: CRC-32 with the reflected polynomial 0xEDB88320.
struct CRC32 {
  /// Eight tables of 256: table k holds the effect of a byte that k more bytes follow, so that eight bytes are taken at
  /// once (Kounavis and Berry, A Systematic Approach to Building High Performance Software-based CRC Generators, 2005).
  private let tables: [UInt32]
  private var state: UInt32 = 0xffff_ffff
  private let watch: Watch?

  init(watch: Watch? = nil) {
    self.watch = watch
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xedb8_8320 }
      tables[byte] = value
    }
    for place in 256..<8 * 256 {
      let before = tables[place - 256]
      tables[place] = before >> 8 ^ tables[Int(before & 255)]
    }
    self.tables = tables
  }

  /// The checksum of everything added since the beginning or the last `reset`.
  var value: UInt32 { ~state }

  mutating func reset() { state = 0xffff_ffff }

  /// - Throws: `cancelled`.
  mutating func add(_ bytes: UnsafeRawBufferPointer) throws(SasukaError) {
    try inPieces(bytes, watch) { addPiece($0) }
  }

  @_optimize(speed)  // Every byte of an archive passes here; the rest of the engine is compiled for size.
  private mutating func addPiece(_ bytes: UnsafeRawBufferPointer) {
    var crc = state
    var place = 0
    tables.withUnsafeBufferPointer { tables in
      while bytes.count - place >= 8 {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)) ^ UInt64(crc)
        crc = 0
        for index in 0..<8 {
          crc ^= tables[(7 - index) * 256 + Int(word >> (8 * UInt64(index)) & 255)]
        }
        place += 8
      }
      while place < bytes.count {
        crc = crc >> 8 ^ tables[Int((crc ^ UInt32(bytes[place])) & 255)]
        place += 1
      }
    }
    state = crc
  }

  mutating func add(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { addPiece($0) }
  }
}
