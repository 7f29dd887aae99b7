// Python's pickle format, read as data: nothing is called, and only what a PyTorch state dict consists of is known.

/// A value of a pickle, or a reference to one that has parts.
///
/// Parts lie in one table instead of in each other, so that no depth of nesting makes anything recurse, and a value that
/// is referred to a million times exists once.
struct PickleValue {
  enum Kind: UInt8 {
    /// What is of no use here: floats, None, bytes.
    case other
    case boolean, integer
    /// `number` bytes into the pickle, `length` bytes of UTF-8.
    case text
    /// An integer beyond 64 bits: where its bytes lie, as for text.
    case long
    /// `number` is the place in `Pickle.globals`.
    case global
    /// `number` is the place in `Pickle.groups`. A dictionary's keys and values alternate; a call is a global and a tuple.
    case list, tuple, dictionary, call, persistent
  }

  var kind = Kind.other
  var length: UInt32 = 0
  var number = 0

  var integer: Int? { kind == .integer ? number : nil }
}

/// The functions and types that a state dict refers to.
enum PickleGlobal {
  case orderedDictionary
  /// What is made of the first argument and means the same here: a parameter of its tensor, a torch.Size of its tuple.
  case transparent
  /// (storage, offset, shape, strides, ...)
  case tensor
  /// The same with the type as the seventh argument, over a storage of bytes.
  case tensorOfType
  case storage(DType)
  case untypedStorage
  case type(DType)

  /// - Parameter name: Module and name with a dot between them.
  init?(_ name: String) {
    switch name {
    case "collections.OrderedDict": self = .orderedDictionary
    case "torch._utils._rebuild_parameter", "torch.Size": self = .transparent
    case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2": self = .tensor
    case "torch._utils._rebuild_tensor_v3": self = .tensorOfType
    case "torch.storage.UntypedStorage", "torch.UntypedStorage": self = .untypedStorage
    default:
      for dtype in DType.allCases {
        if name == "torch.\(dtype.storageName)Storage" {
          self = .storage(dtype)
          return
        }
        if name == "torch.\(dtype.name)" {
          self = .type(dtype)
          return
        }
      }
      return nil
    }
  }
}

extension DType {
  /// As in the names of PyTorch's storages.
  var storageName: String {
    ["Half", "BFloat16", "Float", "Double", "Bool", "Byte", "Char", "Short", "Int", "Long"][Int(rawValue)]
  }
}

/// An interpreted pickle.
final class Pickle {
  /// The longest that is read: a hundred times what the largest networks need, and so little that what it can be made
  /// to allocate (a few dozen bytes for each of its own) stays bearable.
  static let maximumByteCount = 1 << 24
  /// The most values that may wait on the stack; picklers write collections in batches of 1000.
  private static let maximumStack = 1 << 18

  struct Group {
    var values: [PickleValue] = []
    /// A dictionary in which a value is a tensor.
    var holdsTensors = false
  }

  private(set) var globals: [PickleGlobal] = []
  private(set) var groups: [Group] = []
  /// The tuples that stand for storages.
  private(set) var persistent: [Int] = []
  private(set) var root = PickleValue()
  /// Bytes up to and including STOP.
  private(set) var byteCount = 0

  let source: ByteSource
  /// Keeps the source's bytes alive.
  private let owner: (any BytesOwner)?
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [PickleValue] = []
  private var opcodeAt = 0

  /// Interprets the pickle that begins with the source, which may go on behind it.
  init(_ source: ByteSource, keeping owner: (any BytesOwner)?) throws(SasukaError) {
    self.source = source
    self.owner = owner
    var isRunning = true
    while isRunning {
      opcodeAt = byteCount
      guard byteCount < Pickle.maximumByteCount else {
        throw SasukaError(
          .unsupported, "\(source.name): longer than the \(Pickle.maximumByteCount) bytes of pickle that are read")
      }
      isRunning = try run(try UInt8(readInteger(1)))
      guard stack.count <= Pickle.maximumStack, marks.count <= Pickle.maximumStack else {
        throw failure("at most \(Pickle.maximumStack) nested values are expected")
      }
    }
    stack = []
    memo = []
  }

  // MARK: What came out

  func text(_ value: PickleValue) -> String? {
    guard value.kind == .text, let bytes = source.slice(at: value.number, count: Int(value.length)) else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }

  /// The parts of a value of this kind; none for another.
  func parts(_ value: PickleValue, _ kind: PickleValue.Kind) -> [PickleValue] {
    value.kind == kind ? groups[value.number].values : []
  }

  func holdsTensors(_ value: PickleValue) -> Bool {
    value.kind == .dictionary && groups[value.number].holdsTensors
  }

  // MARK: Machine

  private func failure(_ expected: Message) -> SasukaError {
    SasukaError(.format, "\(source.name): pickle: " + expected + " at byte \(opcodeAt)")
  }

  /// A little-endian integer of at most 8 bytes.
  private func readInteger(_ size: Int) throws(SasukaError) -> Int {
    guard let bytes = source.slice(at: byteCount, count: size) else {
      throw SasukaError(.format, "\(source.name): pickle: cut off after \(source.count) bytes")
    }
    byteCount += size
    var number: UInt64 = 0
    for (place, byte) in bytes.enumerated() { number |= UInt64(byte) << UInt64(place * 8) }
    return Int(truncatingIfNeeded: number)
  }

  /// Bytes whose length stands before them in `size` bytes.
  private func readBytes(_ size: Int, _ kind: PickleValue.Kind) throws(SasukaError) {
    let length = try readInteger(size)
    guard length >= 0, length <= Pickle.maximumByteCount, source.slice(at: byteCount, count: length) != nil else {
      throw failure("\(length) bytes that exist are expected")
    }
    stack.append(PickleValue(kind: kind, length: UInt32(length), number: byteCount))
    byteCount += length
  }

  private func pop() throws(SasukaError) -> PickleValue {
    guard stack.count > (marks.last ?? 0), let value = stack.popLast() else {
      throw failure("a value on the stack is expected")
    }
    return value
  }

  /// The values above the last mark, which goes too.
  private func popMarked() throws(SasukaError) -> [PickleValue] {
    guard let mark = marks.popLast() else { throw failure("a mark is expected") }
    let values = Array(stack[mark...])
    stack.removeLast(stack.count - mark)
    return values
  }

  private func push(_ kind: PickleValue.Kind, _ number: Int = 0) {
    stack.append(PickleValue(kind: kind, number: number))
  }

  private func push(_ kind: PickleValue.Kind, of values: [PickleValue]) {
    push(kind, groups.count)
    groups.append(Group(values: values))
  }

  /// Adds to the collection on top of the stack.
  private func add(_ values: [PickleValue], to kind: PickleValue.Kind) throws(SasukaError) {
    guard stack.count > (marks.last ?? 0), let target = stack.last, target.kind == kind,
      kind == .list || values.count % 2 == 0
    else { throw failure("a collection to add to is expected") }
    groups[target.number].values += values
    for value in values where value.kind == .call { groups[target.number].holdsTensors = true }
  }

  private func pushTuple(_ count: Int) throws(SasukaError) {
    var values: [PickleValue] = []
    for _ in 0..<count { values.append(try pop()) }
    values.reverse()
    push(.tuple, of: values)
  }

  private func remember(_ place: Int) throws(SasukaError) {
    // Picklers number what they remember from 0 or 1, each at the cost of at least one byte.
    guard place >= 0, place <= byteCount, stack.count > (marks.last ?? 0), let value = stack.last else {
      throw failure("a value and a smaller number to remember it by are expected")
    }
    while memo.count <= place { memo.append(PickleValue()) }
    memo[place] = value
  }

  private func recall(_ place: Int) throws(SasukaError) {
    guard place >= 0, place < memo.count else { throw failure("a value remembered as \(place) is expected") }
    stack.append(memo[place])
  }

  /// The bytes up to a line's end.
  private func readLine() throws(SasukaError) -> String {
    let start = byteCount
    while try readInteger(1) != 0x0a {}
    guard let line = source.slice(at: start, count: byteCount - 1 - start), line.count < 1000,
      let text = String(validating: line, as: UTF8.self)
    else { throw failure("a name is expected") }
    return text
  }

  private func push(global name: String) throws(SasukaError) {
    guard let global = PickleGlobal(name) else {
      throw SasukaError(
        .unsupported,
        "\(source.name): pickle: the global \"\(name)\" at byte \(opcodeAt) is no part of a state dict; "
          + "save model.state_dict() alone")
    }
    push(.global, globals.count)
    globals.append(global)
  }

  /// What a call of a known function stands for.
  private func reduce() throws(SasukaError) {
    let arguments = try pop()
    let function = try pop()
    guard function.kind == .global, arguments.kind == .tuple else {
      throw failure("a function and a tuple of arguments are expected")
    }
    let values = groups[arguments.number].values
    switch globals[function.number] {
    case .orderedDictionary:
      // Python 2 wrote the entries as a list of pairs; Python 3 adds them later.
      var entries: [PickleValue] = []
      for pair in values.first.map({ parts($0, .list) }) ?? [] {
        let pair = parts(pair, .list) + parts(pair, .tuple)
        guard pair.count == 2 else { throw failure("pairs of keys and values are expected") }
        entries += pair
      }
      push(.dictionary, of: [])
      try add(entries, to: .dictionary)
    case .transparent:
      guard let value = values.first else { throw failure("an argument is expected") }
      stack.append(value)
    case .tensor, .tensorOfType: push(.call, of: [function, arguments])
    case .storage, .untypedStorage, .type: throw failure("a function is expected")
    }
  }

  /// Runs one opcode; false for STOP.
  private func run(_ opcode: UInt8) throws(SasukaError) -> Bool {
    switch opcode {
    case 0x80: _ = try readInteger(1)  // PROTO
    case 0x95: _ = try readInteger(8)  // FRAME
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "."):
      root = try pop()
      return false
    case UInt8(ascii: "0"): _ = try pop()
    case UInt8(ascii: "1"): _ = try popMarked()
    case UInt8(ascii: "N"): push(.other)
    case 0x88, 0x89: push(.boolean, opcode == 0x88 ? 1 : 0)  // NEWTRUE, NEWFALSE
    case UInt8(ascii: "K"): push(.integer, try readInteger(1))
    case UInt8(ascii: "M"): push(.integer, try readInteger(2))
    case UInt8(ascii: "J"): push(.integer, Int(Int32(truncatingIfNeeded: try readInteger(4))))
    case 0x8a: try pushLong()  // LONG1
    case UInt8(ascii: "G"):
      _ = try readInteger(8)
      push(.other)
    case UInt8(ascii: "X"), UInt8(ascii: "T"): try readBytes(4, .text)
    case UInt8(ascii: "U"), 0x8c: try readBytes(1, .text)  // SHORT_BINSTRING, SHORT_BINUNICODE
    case 0x8d: try readBytes(8, .text)  // BINUNICODE8
    case UInt8(ascii: "B"): try readBytes(4, .other)
    case UInt8(ascii: "C"): try readBytes(1, .other)
    default: return try runOnCollections(opcode)
    }
    return true
  }

  private func pushLong() throws(SasukaError) {
    try readBytes(1, .long)
    guard let value = stack.last, value.length <= 8 else { return }
    stack.removeLast()
    byteCount = value.number
    let unused = 64 - 8 * Int(value.length)
    let number = try readInteger(Int(value.length))
    // Shifted up and down again, the sign fills what the bytes leave; no bytes are zero.
    push(.integer, unused == 64 ? 0 : (number << unused) >> unused)
  }

  private func runOnCollections(_ opcode: UInt8) throws(SasukaError) -> Bool {
    switch opcode {
    case UInt8(ascii: "]"): push(.list, of: [])
    case UInt8(ascii: "}"): push(.dictionary, of: [])
    case UInt8(ascii: ")"): push(.tuple, of: [])
    case UInt8(ascii: "t"): push(.tuple, of: try popMarked())
    case 0x85...0x87: try pushTuple(Int(opcode) - 0x84)  // TUPLE1 to TUPLE3
    case UInt8(ascii: "a"): try add([try pop()], to: .list)
    case UInt8(ascii: "e"): try add(try popMarked(), to: .list)
    case UInt8(ascii: "s"):
      let value = try pop()
      try add([try pop(), value], to: .dictionary)
    case UInt8(ascii: "u"): try add(try popMarked(), to: .dictionary)
    case UInt8(ascii: "q"): try remember(try readInteger(1))
    case UInt8(ascii: "r"): try remember(try readInteger(4))
    case 0x94: try remember(memo.count)  // MEMOIZE
    case UInt8(ascii: "h"): try recall(try readInteger(1))
    case UInt8(ascii: "j"): try recall(try readInteger(4))
    case UInt8(ascii: "c"):
      let module = try readLine()
      try push(global: "\(module).\(try readLine())")
    case 0x93:  // STACK_GLOBAL
      let name = text(try pop())
      guard let module = text(try pop()), let name else { throw failure("two names are expected") }
      try push(global: "\(module).\(name)")
    case UInt8(ascii: "R"): try reduce()
    case UInt8(ascii: "b"):  // BUILD: attributes, such as a state dict's _metadata, which are not needed
      _ = try pop()
      guard stack.last?.kind == .dictionary else { throw failure("a dictionary is expected") }
    case UInt8(ascii: "Q"):
      let value = try pop()
      guard value.kind == .tuple else { throw failure("a tuple is expected") }
      persistent.append(value.number)
      push(.persistent, value.number)
    default:
      throw SasukaError(
        .unsupported,
        "\(source.name): pickle: the opcode \(opcode) at byte \(opcodeAt) is no part of a state dict")
    }
    return true
  }
}
