// State dicts as PyTorch writes them, byte by byte: for files that no PyTorch at hand writes, such as those of big-endian
// machines or of versions long gone.
import Sasuka

/// Numbers of one type, stored one after the other.
struct WrittenStorage {
  /// PyTorch's name of the type, such as "FloatStorage".
  let type: String
  let width: Int
  /// Little-endian.
  let bytes: [UInt8]

  static func floats(_ numbers: [Float]) -> WrittenStorage {
    WrittenStorage(type: "FloatStorage", width: 4, bytes: numbers.flatMap { littleEndian($0.bitPattern) })
  }

  static func doubles(_ numbers: [Double]) -> WrittenStorage {
    WrittenStorage(type: "DoubleStorage", width: 8, bytes: numbers.flatMap { littleEndian($0.bitPattern) })
  }

  static func longs(_ numbers: [Int64]) -> WrittenStorage {
    WrittenStorage(type: "LongStorage", width: 8, bytes: numbers.flatMap { littleEndian($0) })
  }

  static func halves(_ patterns: [UInt16]) -> WrittenStorage {
    WrittenStorage(type: "HalfStorage", width: 2, bytes: patterns.flatMap { littleEndian($0) })
  }

  var count: Int { bytes.count / width }

  var bigEndian: [UInt8] {
    stride(from: 0, to: bytes.count, by: width).flatMap { bytes[$0..<($0 + width)].reversed() }
  }
}

func littleEndian(_ number: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: number.littleEndian) { [UInt8]($0) }
}

/// A view of a storage.
struct WrittenTensor {
  let name: String
  let storage: Int
  var offset = 0
  let shape: [Int]
  let strides: [Int]

  init(_ name: String, _ storage: Int, offset: Int = 0, _ shape: [Int], strides: [Int]? = nil) {
    (self.name, self.storage, self.offset, self.shape) = (name, storage, offset, shape)
    self.strides = strides ?? Shape(shape).rowMajorStrides
  }
}

/// An OrderedDict of tensors, as torch.save writes it.
struct TorchWriter {
  let storages: [WrittenStorage]
  let tensors: [WrittenTensor]

  /// One tensor to a storage.
  init(_ tensors: [(name: String, shape: [Int], storage: WrittenStorage)]) {
    storages = tensors.map(\.storage)
    self.tensors = tensors.enumerated().map { WrittenTensor($1.name, $0, $1.shape) }
  }

  init(storages: [WrittenStorage], tensors: [WrittenTensor]) {
    (self.storages, self.tensors) = (storages, tensors)
  }

  /// The archive of PyTorch 1.6 and later, as a machine of this byte order writes it.
  func zip(bigEndian: Bool) -> [UInt8] {
    var entries = [("archive/data.pkl", pickle(view: false))]
    entries.append(("archive/byteorder", Array((bigEndian ? "big" : "little").utf8)))
    for (key, storage) in storages.enumerated() {
      entries.append(("archive/data/\(key)", bigEndian ? storage.bigEndian : storage.bytes))
    }
    entries.append(("archive/version", Array("3\n".utf8)))
    return archive(entries)
  }

  /// The stream of PyTorch before 1.6. Its numbers are little-endian on machines of either order.
  func stream(littleEndianMachine: Bool = true) -> [UInt8] {
    let magic: [UInt8] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]
    var bytes = magic + [0x80, 2, 0x4d, 0xe9, 3, 0x2e]
    bytes += [0x80, 2] + Array("}(".utf8) + text("protocol_version") + [0x4d, 0xe9, 3]
    bytes += text("little_endian") + [littleEndianMachine ? 0x88 : 0x89] + Array("u.".utf8)
    bytes += pickle(view: true)
    bytes += [0x80, 2] + Array("](".utf8) + storages.indices.flatMap { text("\($0)") } + Array("e.".utf8)
    for storage in storages { bytes += littleEndian(Int64(storage.count)) + storage.bytes }
    return bytes
  }

  // MARK: Pickle

  /// - Parameter view: whether a storage's reference ends with its view, None, as in streams.
  private func pickle(view: Bool) -> [UInt8] {
    var bytes: [UInt8] = [0x80, 2] + Array("ccollections\nOrderedDict\n)R(".utf8)
    for tensor in tensors {
      let storage = storages[tensor.storage]
      bytes += text(tensor.name) + Array("ctorch._utils\n_rebuild_tensor_v2\n((".utf8)
      bytes += text("storage") + Array("ctorch\n\(storage.type)\n".utf8) + text("\(tensor.storage)") + text("cpu")
      bytes += integer(storage.count) + Array((view ? "NtQ" : "tQ").utf8) + integer(tensor.offset)
      bytes += tuple(tensor.shape) + tuple(tensor.strides)
      bytes += [0x89] + Array("ccollections\nOrderedDict\n)RtR".utf8)
    }
    return bytes + Array("u.".utf8)
  }

  private func text(_ text: String) -> [UInt8] { [0x58] + littleEndian(UInt32(text.utf8.count)) + Array(text.utf8) }
  private func integer(_ number: Int) -> [UInt8] { [0x4a] + littleEndian(Int32(number)) }
  private func tuple(_ numbers: [Int]) -> [UInt8] { [0x28] + numbers.flatMap { integer($0) } + [0x74] }

  // MARK: Archive

  /// Stored entries without checksums, which PyTorch can be told to leave out.
  private func archive(_ entries: [(name: String, bytes: [UInt8])]) -> [UInt8] {
    var (file, directory): ([UInt8], [UInt8]) = ([], [])
    for (name, bytes) in entries {
      let size = littleEndian(UInt32(bytes.count))
      // From the version needed to the length of the extra field, which both records have.
      let common: [UInt8] =
        [20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] + size + size + littleEndian(UInt16(name.utf8.count)) + [0, 0]
      directory += [0x50, 0x4b, 1, 2, 20, 0] + common + [UInt8](repeating: 0, count: 10)
      directory += littleEndian(UInt32(file.count)) + Array(name.utf8)
      file += [0x50, 0x4b, 3, 4] + common + Array(name.utf8) + bytes
    }
    let count = littleEndian(UInt16(entries.count))
    let end: [UInt8] = [0x50, 0x4b, 5, 6, 0, 0, 0, 0] + count + count
    return file + directory + end + littleEndian(UInt32(directory.count)) + littleEndian(UInt32(file.count)) + [0, 0]
  }
}
