/// Decompresses deflate (RFC 1951) into memory of a known size.
struct Inflate {
  enum Outcome { case finished, outputFull, damaged }

  /// No stream of n bytes makes more than this many times n: the densest code takes 2 bits for 258 bytes.
  static let greatestExpansion = 1032

  private let input: UnsafeRawBufferPointer
  private let output: UnsafeMutableRawBufferPointer
  private var inputPlace = 0
  /// Number of bytes written so far.
  private(set) var outputCount = 0
  /// Bits that have been taken from the input but not used, the next one lowest.
  private var bits: UInt64 = 0
  private var bitCount = 0

  init(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) {
    self.input = input
    self.output = output
  }

  /// Runs to the end of the stream, or until the output is full and more would come.
  ///
  /// Bytes after the end of the stream count as damage: an archive says exactly how long a stream is.
  mutating func run() -> Outcome {
    while true {
      guard let isLast = take(1), let kind = take(2) else { return .damaged }
      let outcome: Outcome
      switch kind {
      case 0: outcome = copyStored()
      case 1: outcome = decode(fixedLiterals(), HuffmanCode([UInt8](repeating: 5, count: 30)))
      case 2:
        guard let (literals, distances) = readCodes() else { return .damaged }
        outcome = decode(literals, distances)
      default: return .damaged
      }
      guard outcome == .finished else { return outcome }
      if isLast == 1 { return inputPlace - bitCount / 8 == input.count ? .finished : .damaged }
    }
  }
}

// MARK: - Blocks

/// Base and number of extra bits of the length symbols 257 to 285 (RFC 1951, 3.2.5).
private let lengthTable: [(base: UInt16, extra: UInt8)] = [
  (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1), (13, 1), (15, 1), (17, 1), (19, 2), (23, 2),
  (27, 2), (31, 2), (35, 3), (43, 3), (51, 3), (59, 3), (67, 4), (83, 4), (99, 4), (115, 4), (131, 5), (163, 5),
  (195, 5), (227, 5), (258, 0),
]

/// Base and number of extra bits of the distance symbols 0 to 29.
private let distanceTable: [(base: UInt16, extra: UInt8)] = [
  (1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (9, 2), (13, 2), (17, 3), (25, 3), (33, 4), (49, 4), (65, 5), (97, 5),
  (129, 6), (193, 6), (257, 7), (385, 7), (513, 8), (769, 8), (1025, 9), (1537, 9), (2049, 10), (3073, 10), (4097, 11),
  (6145, 11), (8193, 12), (12289, 12), (16385, 13), (24577, 13),
]

/// The order in which the lengths of the code-length code are stored.
private let codeLengthOrder: [Int] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

extension Inflate {
  private mutating func copyStored() -> Outcome {
    guard take(bitCount % 8) != nil, let length = take(16), let complement = take(16), length ^ complement == 0xffff
    else { return .damaged }
    for _ in 0..<length {
      guard let byte = take(8) else { return .damaged }
      guard outputCount < output.count else { return .outputFull }
      output[outputCount] = UInt8(truncatingIfNeeded: byte)
      outputCount += 1
    }
    return .finished
  }

  private func fixedLiterals() -> HuffmanCode? {
    var lengths = [UInt8](repeating: 8, count: 288)
    for symbol in 144..<256 { lengths[symbol] = 9 }
    for symbol in 256..<280 { lengths[symbol] = 7 }
    return HuffmanCode(lengths)
  }

  private mutating func readCodes() -> (HuffmanCode, HuffmanCode)? {
    guard let literalExtra = take(5), let distanceExtra = take(5), let lengthExtra = take(4) else { return nil }
    let literalCount = literalExtra + 257
    let total = literalCount + distanceExtra + 1
    guard literalCount <= 286, distanceExtra < 30 else { return nil }
    var codeLengths = [UInt8](repeating: 0, count: 19)
    for place in 0..<lengthExtra + 4 {
      guard let length = take(3) else { return nil }
      codeLengths[codeLengthOrder[place]] = UInt8(length)
    }
    guard let code = HuffmanCode(codeLengths), !code.isIncomplete else { return nil }
    var lengths: [UInt8] = []
    while lengths.count < total {
      guard let symbol = decodeSymbol(code) else { return nil }
      guard let (length, count) = repetition(symbol, after: lengths.last), lengths.count + count <= total else {
        return nil
      }
      for _ in 0..<count { lengths.append(length) }
    }
    // A block that cannot end is damaged.
    guard lengths[256] > 0, let literals = HuffmanCode(Array(lengths[..<literalCount])),
      let distances = HuffmanCode(Array(lengths[literalCount...]))
    else { return nil }
    return (literals, distances)
  }

  /// The code length that a symbol of the code-length code stands for, and how often.
  private mutating func repetition(_ symbol: Int, after last: UInt8?) -> (length: UInt8, count: Int)? {
    switch symbol {
    case 0..<16: return (UInt8(symbol), 1)
    case 16:
      guard let last, let extra = take(2) else { return nil }
      return (last, 3 + extra)
    case 17:
      guard let extra = take(3) else { return nil }
      return (0, 3 + extra)
    default:
      guard let extra = take(7) else { return nil }
      return (0, 11 + extra)
    }
  }

  @_optimize(speed)  // Every symbol passes here; the rest of the engine is compiled for size.
  private mutating func decode(_ literals: HuffmanCode?, _ distances: HuffmanCode?) -> Outcome {
    guard let literals, let distances else { return .damaged }
    while let symbol = decodeSymbol(literals) {
      if symbol < 256 {
        guard outputCount < output.count else { return .outputFull }
        output[outputCount] = UInt8(symbol)
        outputCount += 1
        continue
      }
      if symbol == 256 { return .finished }
      guard symbol - 257 < lengthTable.count, let length = extend(lengthTable[symbol - 257]),
        let distanceSymbol = decodeSymbol(distances), distanceSymbol < distanceTable.count,
        let distance = extend(distanceTable[distanceSymbol]), distance <= outputCount
      else { return .damaged }
      guard copy(length, from: distance) else { return .outputFull }
    }
    return .damaged
  }

  private mutating func extend(_ entry: (base: UInt16, extra: UInt8)) -> Int? {
    guard let extra = take(Int(entry.extra)) else { return nil }
    return Int(entry.base) + extra
  }

  /// Repeats what was written `distance` bytes ago, byte by byte because source and target may overlap.
  private mutating func copy(_ length: Int, from distance: Int) -> Bool {
    let count = min(length, output.count - outputCount)
    for _ in 0..<count {
      output[outputCount] = output[outputCount - distance]
      outputCount += 1
    }
    return count == length
  }
}

// MARK: - Bits

extension Inflate {
  /// Takes bytes from the input while there are any and they fit: eight at once where so many are left. Those of them that do
  /// not fit are taken again next time; what is in `bits` above `bitCount` are their first bits.
  @inline(__always)
  private mutating func refill() {
    if input.count - inputPlace >= 8 {
      let word = UInt64(littleEndian: input.loadUnaligned(fromByteOffset: inputPlace, as: UInt64.self))
      bits |= word << UInt64(bitCount)
      let count = (63 - bitCount) / 8
      inputPlace += count
      bitCount += 8 * count
      return
    }
    while bitCount <= 56, inputPlace < input.count {
      bits |= UInt64(input[inputPlace]) << UInt64(bitCount)
      bitCount += 8
      inputPlace += 1
    }
  }

  /// The next `count` bits, at most 16; nil at the end of the input.
  @inline(__always)
  private mutating func take(_ count: Int) -> Int? {
    if bitCount < count { refill() }
    guard bitCount >= count else { return nil }
    let value = Int(bits & (1 << UInt64(count) - 1))
    bits >>= UInt64(count)
    bitCount -= count
    return value
  }

  @inline(__always)
  private mutating func decodeSymbol(_ code: HuffmanCode) -> Int? {
    if bitCount < HuffmanCode.longest { refill() }
    guard let (symbol, length) = code.lookUp(bits), length <= bitCount else { return nil }
    bits >>= UInt64(length)
    bitCount -= length
    return symbol
  }
}

/// A canonical prefix code (RFC 1951, 3.2.2).
private struct HuffmanCode {
  static let longest = 15
  /// Codes of up to this many bits are found in one step.
  private static let direct = 10

  /// For each pattern of the next `direct` bits: symbol * 16 + length, or 0 for a longer code or none.
  private var table: [UInt16]
  /// Number of codes of each length, and the symbols in the order of their codes.
  private var counts = [Int](repeating: 0, count: longest + 1)
  private var symbols: [UInt16] = []
  /// Some bit patterns stand for no symbol.
  private(set) var isIncomplete = false

  /// nil if the lengths ask for more codes than there are. Incomplete codes are allowed: a block without matches has a
  /// distance code of one symbol or none; patterns without a symbol are found when they occur.
  init?(_ lengths: [UInt8]) {
    table = [UInt16](repeating: 0, count: 1 << HuffmanCode.direct)
    for length in lengths { counts[Int(length & 15)] += 1 }
    counts[0] = 0
    var first = [Int](repeating: 0, count: HuffmanCode.longest + 2)
    var offsets = first
    var free = 1
    for length in 1...HuffmanCode.longest {
      free = free * 2 - counts[length]
      guard free >= 0 else { return nil }
      first[length + 1] = (first[length] + counts[length]) * 2
      offsets[length + 1] = offsets[length] + counts[length]
    }
    isIncomplete = free > 0
    symbols = [UInt16](repeating: 0, count: offsets[HuffmanCode.longest + 1])
    for (symbol, byte) in lengths.enumerated() where byte & 15 > 0 {
      let length = Int(byte & 15)
      let code = first[length]
      first[length] += 1
      symbols[offsets[length]] = UInt16(symbol)
      offsets[length] += 1
      if length <= HuffmanCode.direct { enter(symbol, code, length) }
    }
  }

  /// Codes are stored with their first bit lowest; every pattern that begins with the code leads to the symbol.
  private mutating func enter(_ symbol: Int, _ code: Int, _ length: Int) {
    var reversed = 0
    for bit in 0..<length where code >> bit & 1 == 1 { reversed |= 1 << (length - 1 - bit) }
    for pattern in stride(from: reversed, to: table.count, by: 1 << length) {
      table[pattern] = UInt16(symbol << 4 | length)
    }
  }

  /// The symbol whose code the lowest bits begin with, and the code's length.
  @inline(__always)
  func lookUp(_ bits: UInt64) -> (symbol: Int, length: Int)? {
    let entry = table[Int(bits & UInt64(1 << HuffmanCode.direct - 1))]
    if entry != 0 { return (Int(entry >> 4), Int(entry & 15)) }
    return lookUpLong(bits)
  }

  /// Bit by bit: within each length, codes are consecutive numbers.
  private func lookUpLong(_ bits: UInt64) -> (symbol: Int, length: Int)? {
    var code = 0
    var first = 0
    var place = 0
    for length in 1...HuffmanCode.longest {
      code = code << 1 | Int(bits >> UInt64(length - 1) & 1)
      if code - first < counts[length] { return (Int(symbols[place + code - first]), length) }
      place += counts[length]
      first = (first + counts[length]) << 1
    }
    return nil
  }
}
