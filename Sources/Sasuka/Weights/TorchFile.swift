// PyTorch's state dicts (.pth, .pt): a pickle that says what there is, and the numbers as they lie in memory. Since
// PyTorch 1.6 they are entries of a zip archive, before that they stood one after the other.

/// A state dict of PyTorch. Opening it checks everything; contiguous tensors stay where they lie in the file.
package final class TorchFile: WeightFile {
  package let format = WeightFormat.torch
  package let tensors: [WeightTensor]
  package let metadata: [WeightMetadata] = []
  package let names: NameIndex

  /// - Returns: nil for what PyTorch has not written.
  /// - Throws: `unsupported` for what is no state dict, such as a whole pickled model.
  init?(recognising source: ByteSource, key: String?) throws(SasukaError) {
    let reader: TorchReader
    if isZip(source) {
      let entries = try readZipEntries(source)
      guard let root = entries.firstIndex(where: { TorchReader.isRoot($0.name) }) else { return nil }
      reader = try TorchReader(entries, root: root, of: source)
    } else if TorchReader.recognisesStream(source) {
      reader = try TorchReader(stream: source)
    } else if TorchReader.recognisesTar(source) {
      throw SasukaError(
        .unsupported,
        "\(source.name): a tar archive of PyTorch before 0.1.10; load it there and save it again with a later PyTorch")
    } else {
      return nil
    }
    tensors = try reader.readTensors(key: key)
    names = NameIndex(tensors.map { $0.name })
    if let duplicate = names.duplicate {
      throw SasukaError(.format, "\(source.name): two tensors are named \"\(duplicate)\"")
    }
  }
}

/// Numbers of one type, which tensors are views of.
private struct TorchStorage {
  let bytes: UnsafeRawBufferPointer
  let owner: (any BytesOwner)?
}

private final class TorchReader {
  private let name: String
  private let pickle: Pickle
  private let isBigEndian: Bool
  /// Storages by their keys.
  private let keys: NameIndex
  private let storages: [TorchStorage]
  /// Bytes that tensors which are not contiguous may still take: an expanded number must not fill the memory.
  private var rearrangedBytes: Int

  // MARK: Zip archives

  static func isRoot(_ name: String) -> Bool {
    name.utf8.elementsEqual("data.pkl".utf8) || name.utf8.ends(with: "/data.pkl".utf8)
  }

  init(_ entries: [ZipEntry], root: Int, of source: ByteSource) throws(SasukaError) {
    name = source.name
    rearrangedBytes = TorchReader.limit(source)
    var crc = CRC32(watch: source.watch)
    let folder = entries[root].name.utf8.firstBytes(entries[root].name.utf8.count - 8)
    var (keys, storages): ([String], [TorchStorage]) = ([], [])
    var isBigEndian = false
    for entry in entries where entry.name.utf8.starts(with: folder) {
      let path = entry.name.utf8.dropFirst(folder.count)
      if path.elementsEqual("byteorder".utf8) {
        isBigEndian = try unpack(entry, of: source, crc: &crc).bytes.elementsEqual("big".utf8)
      }
      guard path.starts(with: "data/".utf8), let key = String(validating: Array(path.dropFirst(5)), as: UTF8.self)
      else {
        continue
      }
      let unpacked = try unpack(entry, of: source, crc: &crc)
      keys.append(key)
      storages.append(TorchStorage(bytes: unpacked.bytes, owner: unpacked.owner))
    }
    self.isBigEndian = isBigEndian
    self.keys = NameIndex(keys)
    self.storages = storages
    let unpacked = try unpack(entries[root], of: source, crc: &crc)
    pickle = try Pickle(ByteSource(memory: unpacked.bytes, name: source.name), keeping: unpacked.owner)
  }

  // MARK: Streams of pickles

  /// A pickle of protocol 2 of the number 0x1950a86a20f9469cfc6c.
  private static let magic: [UInt8] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]

  static func recognisesStream(_ source: ByteSource) -> Bool {
    source.slice(at: 0, count: magic.count)?.elementsEqual(magic) ?? false
  }

  /// A tar archive whose first member PyTorch named so.
  static func recognisesTar(_ source: ByteSource) -> Bool {
    guard let mark = source.slice(at: 257, count: 5), mark.elementsEqual("ustar".utf8) else { return false }
    for member in ["sys_info", "pickle", "storages", "tensors"] where source.bytes.starts(with: member.utf8) {
      return true
    }
    return false
  }

  init(stream source: ByteSource) throws(SasukaError) {
    name = source.name
    rearrangedBytes = TorchReader.limit(source)
    var offset = 0
    func next() throws(SasukaError) -> Pickle {
      guard let rest = source.slice(at: offset, count: source.count - offset) else {
        throw SasukaError(.format, "\(source.name): cut off after \(source.count) bytes")
      }
      let pickle = try Pickle(ByteSource(memory: rest, name: source.name), keeping: source.owner)
      offset += pickle.byteCount
      return pickle
    }
    _ = try next()  // the magic number
    let version = try next().root
    guard version.integer == 1001 else {
      throw SasukaError(.unsupported, "\(source.name): PyTorch's protocol is not 1001, which is expected")
    }
    // What the machine was that wrote it; PyTorch has it write little-endian numbers whatever its own order.
    _ = try next()
    isBigEndian = false
    pickle = try next()
    let list = try next()
    var (keys, storages): ([String], [TorchStorage]) = ([], [])
    let widths = TorchReader.widths(in: pickle)
    for value in list.parts(list.root, .list) {
      guard let key = list.text(value), let place = widths.keys[key],
        let stored = source.integer(UInt64.self, at: offset), let count = Int(exactly: stored)
      else { throw SasukaError(.format, "\(source.name): the storages at byte \(offset) do not fit the pickle") }
      let (size, overflow) = count.multipliedReportingOverflow(by: widths.sizes[place])
      guard !overflow, let bytes = source.slice(at: offset + 8, count: size) else {
        throw SasukaError(
          .format, "\(source.name): storage \"\(key)\" of \(count) numbers at byte \(offset) does not fit into the file"
        )
      }
      keys.append(key)
      storages.append(TorchStorage(bytes: bytes, owner: source.owner))
      offset += 8 + size
    }
    self.keys = NameIndex(keys)
    self.storages = storages
  }

  /// Bytes of a number of each storage that the pickle mentions.
  private static func widths(in pickle: Pickle) -> (keys: NameIndex, sizes: [Int]) {
    var (keys, sizes): ([String], [Int]) = ([], [])
    for group in pickle.persistent {
      guard let storage = StorageReference(group, in: pickle) else { continue }
      keys.append(storage.key)
      sizes.append(storage.dtype?.byteCount ?? 1)
    }
    return (NameIndex(keys), sizes)
  }

  private static func limit(_ source: ByteSource) -> Int { source.count * 4 + 1 << 26 }

  // MARK: Tensors

  private func failure(_ tensor: String, _ what: Message) -> SasukaError {
    SasukaError(.format, "\(name): tensor \"\(tensor)\": " + what)
  }

  /// The tensors of a dictionary; what else it holds is of no use here.
  func readTensors(key: String?) throws(SasukaError) -> [WeightTensor] {
    let values = pickle.parts(try stateDict(key), .dictionary)
    var tensors: [WeightTensor] = []
    for place in stride(from: 0, to: values.count - 1, by: 2) where values[place + 1].kind == .call {
      guard let text = pickle.text(values[place]) else {
        throw SasukaError(.format, "\(name): a tensor's key is no text")
      }
      tensors.append(try read(values[place + 1], named: text))
    }
    return tensors
  }

  /// The dictionary that holds tensors: the outermost, or the one under a key of a checkpoint.
  private func stateDict(_ key: String?) throws(SasukaError) -> PickleValue {
    let root = pickle.root
    guard root.kind == .dictionary else {
      throw SasukaError(.unsupported, "\(name): no dictionary; the result of model.state_dict() is expected")
    }
    let values = pickle.parts(root, .dictionary)
    var (found, names): ([PickleValue], [String]) = ([], [])
    for place in stride(from: 0, to: values.count - 1, by: 2) where pickle.holdsTensors(values[place + 1]) {
      guard let text = pickle.text(values[place]) else { continue }
      if let key, text == key { return values[place + 1] }
      found.append(values[place + 1])
      names.append(text)
    }
    let choice = names.isEmpty ? "none" : names.joined(by: ", ")
    if let key {
      throw SasukaError(.notFound, "\(name): no state dict under the key \"\(key)\"; there are: \(choice)")
    }
    if pickle.holdsTensors(root) { return root }
    guard found.count < 2 else {
      throw SasukaError(.invalidArgument, "\(name): state dicts under the keys \(choice); say which by the option key")
    }
    return found.first ?? root
  }

  private func read(_ call: PickleValue, named tensor: String) throws(SasukaError) -> WeightTensor {
    guard let view = TensorView(call, in: pickle) else { throw failure(tensor, "its pickle makes no sense") }
    guard let dtype = view.dtype else { throw failure(tensor, "its type is not known") }
    guard let place = keys[view.storage.key] else {
      throw failure(tensor, "its storage \"\(view.storage.key)\" is missing")
    }
    let (width, storage) = (dtype.byteCount, storages[place])
    guard let size = dtype.byteCount(ofShape: view.shape), let span = view.span, view.offset >= 0,
      view.offset <= storage.bytes.count / width, span <= storage.bytes.count / width - view.offset
    else {
      throw failure(
        tensor,
        "\(dtype.name) of shape \(Shape(view.shape)) from number \(view.offset) does not fit into its storage of "
          + "\(storage.bytes.count) bytes")
    }
    let isSwapped = isBigEndian && width > 1
    if view.isContiguous && !isSwapped {
      let bytes = UnsafeRawBufferPointer(rebasing: storage.bytes[(view.offset * width)..<(view.offset * width + size)])
      return WeightTensor(
        name: currentName(tensor), dtype: dtype, shape: view.shape, bytes: bytes, owner: storage.owner)
    }
    guard size <= rearrangedBytes else {
      throw SasukaError(.unsupported, "\(name): tensor \"\(tensor)\": expanded to \(size) bytes, far beyond its file")
    }
    rearrangedBytes -= size
    let buffer = try Buffer(byteCount: size, purpose: "\(name): tensor \"\(tensor)\"")
    withExtendedLifetime(storage.owner) {
      rearrange(storage.bytes, at: view.offset, dtype, view.shape, view.strides, isSwapped, into: buffer.raw)
    }
    return WeightTensor(
      name: currentName(tensor), dtype: dtype, shape: view.shape,
      bytes: UnsafeRawBufferPointer(start: buffer.raw, count: size), owner: buffer)
  }

  /// DenseNet's layers were once called norm.1, relu.1, conv.1; torchvision translates them too.
  private func currentName(_ name: String) -> String {
    var bytes = Array(name.utf8)
    guard let layer = bytes.indices.first(where: { bytes[$0...].starts(with: "denselayer".utf8) }) else { return name }
    for place in layer..<bytes.count {
      let rest = bytes[place...]
      guard rest.starts(with: ".norm.".utf8) || rest.starts(with: ".conv.".utf8), rest.count > 6,
        rest[place + 6] == UInt8(ascii: "1") || rest[place + 6] == UInt8(ascii: "2")
      else { continue }
      bytes.remove(at: place + 5)
      return String(validating: bytes, as: UTF8.self) ?? name
    }
    return name
  }
}

/// What a pickle says about a storage: ("storage", type, key, device, count, view).
private struct StorageReference {
  let key: String
  /// nil for untyped bytes.
  let dtype: DType?

  init?(_ group: Int, in pickle: Pickle) {
    let parts = pickle.groups[group].values
    guard parts.count >= 5, pickle.text(parts[0]) == "storage", parts[1].kind == .global,
      let key = pickle.text(parts[2]), parts.count == 5 || parts[5].kind != .tuple
    else { return nil }
    switch pickle.globals[parts[1].number] {
    case .storage(let type): dtype = type
    case .untypedStorage: dtype = nil
    default: return nil
    }
    self.key = key
  }
}

/// What a pickle says about a tensor: where it lies in which storage.
private struct TensorView {
  let storage: StorageReference
  /// nil where neither the storage nor the tensor says so.
  let dtype: DType?
  let offset: Int
  let shape: [Int]
  let strides: [Int]

  init?(_ call: PickleValue, in pickle: Pickle) {
    let parts = pickle.parts(call, .call)
    guard parts.count == 2, parts[0].kind == .global else { return nil }
    let arguments = pickle.parts(parts[1], .tuple)
    guard arguments.count >= 4, arguments[0].kind == .persistent, let offset = arguments[1].integer,
      let storage = StorageReference(arguments[0].number, in: pickle),
      let shape = TensorView.integers(arguments[2], in: pickle),
      let strides = TensorView.integers(arguments[3], in: pickle), shape.count == strides.count,
      shape.count <= SafetensorsFile.maximumRank
    else { return nil }
    switch pickle.globals[parts[0].number] {
    case .tensor: dtype = storage.dtype
    case .tensorOfType:
      guard arguments.count >= 7, arguments[6].kind == .global,
        case .type(let type) = pickle.globals[arguments[6].number]
      else { return nil }
      dtype = type
    default: return nil
    }
    (self.storage, self.offset, self.shape, self.strides) = (storage, offset, shape, strides)
  }

  private static func integers(_ value: PickleValue, in pickle: Pickle) -> [Int]? {
    guard value.kind == .tuple else { return nil }
    var numbers: [Int] = []
    for part in pickle.parts(value, .tuple) {
      guard let number = part.integer else { return nil }
      numbers.append(number)
    }
    return numbers
  }

  /// Numbers from the first element to behind the last; nil where a size or stride is negative or the sum overflows.
  var span: Int? {
    var last = 0
    for (size, stride) in zip(shape, strides) {
      guard size >= 0, stride >= 0 else { return nil }
      let (way, tooFar) = max(size - 1, 0).multipliedReportingOverflow(by: stride)
      let (sum, overflow) = last.addingReportingOverflow(way)
      guard !tooFar, !overflow else { return nil }
      last = sum
    }
    return shape.contains(0) ? 0 : last == .max ? nil : last + 1
  }

  /// Only asked of shapes whose product has been checked.
  var isContiguous: Bool {
    var expected = 1
    for axis in shape.indices.reversed() where shape[axis] != 1 {
      guard strides[axis] == expected || shape[axis] == 0 else { return false }
      expected *= shape[axis]
    }
    return true
  }
}
