// The door of this room: files of named tensors, whatever their format.

import CSystem

/// A tensor in a file, or one to be written.
package struct WeightTensor {
  package let name: String
  package let dtype: DType
  package let shape: [Int]
  /// The numbers: little-endian, row-major, at any alignment; as many as the shape has.
  ///
  /// They live as long as this value (`withExtendedLifetime` says so to the optimiser), and for files opened from memory
  /// only as long as that memory.
  package let bytes: UnsafeRawBufferPointer
  /// Frees or unmaps the bytes when the last tensor in them goes; nil for the caller's memory.
  private let owner: (any BytesOwner)?

  package init(name: String, dtype: DType, shape: [Int], bytes: UnsafeRawBufferPointer, owner: (any BytesOwner)? = nil)
  {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.bytes = bytes
    self.owner = owner
  }

  /// Number of elements; the shape has been checked against the bytes.
  package var count: Int { bytes.count / dtype.byteCount }

  /// Converts all numbers to float32; `target` has room for `count` of them.
  package func copyFloats(to target: UnsafeMutablePointer<Float>) {
    withExtendedLifetime(owner) {
      if let start = bytes.baseAddress { dtype.convert(start, count: count, to: target) }
    }
  }

  /// Numbers that are read at once: few enough that a large tensor is never in memory twice.
  private static let stretch = 1 << 20

  /// `copyFloats` of every so many stretches of numbers, for the last time: the file's pages need no memory afterwards.
  func takeFloats(to target: UnsafeMutablePointer<Float>, part: Int, of parts: Int) {
    guard let start = bytes.baseAddress else { return }
    var first = part * WeightTensor.stretch
    while first < count {
      let number = min(WeightTensor.stretch, count - first)
      let source = UnsafeRawBufferPointer(start: start + first * dtype.byteCount, count: number * dtype.byteCount)
      sasuka_populate(target + first, number * MemoryLayout<Float>.stride)
      withExtendedLifetime(owner) {
        dtype.convert(start + first * dtype.byteCount, count: number, to: target + first)
        owner?.forget(source)
      }
      first += parts * WeightTensor.stretch
    }
  }
}

/// A text that a file carries beside its tensors; in PyTorch's it is the version of the network's class, one digit.
package struct WeightMetadata: Equatable {
  package let key: String
  package let value: String

  package init(key: String, value: String) {
    self.key = key
    self.value = value
  }
}

/// The formats that are read and written.
package enum WeightFormat: Sendable {
  case safetensors, npz, torch

  /// What a path's extension asks for: .npz, PyTorch's .pth and .pt, and safetensors for every other.
  package init(savingTo path: String) {
    func ends(_ ending: StaticString) -> Bool {
      path.utf8.ends(with: ending.description.utf8)
    }
    self = ends(".npz") ? .npz : ends(".pth") || ends(".pt") ? .torch : .safetensors
  }
}

/// A file that has been opened and checked whole: names are unique, and each tensor's bytes fit its type and shape.
package protocol WeightFile: AnyObject {
  var format: WeightFormat { get }
  /// In the order of the file.
  var tensors: [WeightTensor] { get }
  var metadata: [WeightMetadata] { get }
  /// Finds tensors by name.
  var names: NameIndex { get }
}

extension WeightFile {
  package func tensor(named name: String) -> WeightTensor? {
    guard let place = names[name] else { return nil }
    return tensors[place]
  }
}

// MARK: - Reading

/// Opens the weights at a path; the format is told by the content.
///
/// - Parameter key: which of several state dicts of a PyTorch checkpoint; nil where there is one.
/// - Throws: `io`; `format` for a damaged file or one of no known kind; `unsupported` for a tensor's type or a packing
///   that the library does not read; `notFound` for a key that the file lacks; `outOfMemory`. Every message begins with
///   the path.
package func openWeights(
  path: UnsafePointer<CChar>, key: String? = nil, watch: Watch? = nil
) throws(SasukaError) -> any WeightFile {
  var source = try ByteSource(path: path)
  source.watch = watch
  return try openWeights(source, key: key)
}

/// Opens weights in memory, which must outlive the returned object. `name` begins every message.
package func openWeights(
  bytes: UnsafeRawBufferPointer, name: String = "weights in memory", key: String? = nil, watch: Watch? = nil
) throws(SasukaError) -> any WeightFile {
  var source = ByteSource(memory: bytes, name: name)
  source.watch = watch
  return try openWeights(source, key: key)
}

private func openWeights(_ source: ByteSource, key: String?) throws(SasukaError) -> any WeightFile {
  if let torch = try TorchFile(recognising: source, key: key) { return torch }
  if let key {
    throw SasukaError(.notFound, "\(source.name): no PyTorch checkpoint, which alone has a key such as \"\(key)\"")
  }
  if isZip(source) { return try NpzFile(readZipEntries(source), of: source) }
  if SafetensorsFile.recognises(source) { return try SafetensorsFile(source) }
  throw SasukaError(
    .format,
    "\(source.name): neither a safetensors nor an .npz file nor a state dict of PyTorch (\(source.count) bytes); one of "
      + "them is expected")
}

// MARK: - Writing

/// Writes weights to a path: all of them, or nothing if it fails.
///
/// - Throws: `invalidArgument` for tensors that no file can hold; `unsupported` for what this format cannot; `io`;
///   `outOfMemory`.
package func writeWeights(
  _ tensors: [WeightTensor], metadata: [WeightMetadata] = [], format: WeightFormat, to path: UnsafePointer<CChar>,
  watch: Watch? = nil
) throws(SasukaError) {
  let name = String(cString: path)
  try check(tensors, metadata, of: name)
  let file = try AtomicFile(path: path)
  try write(tensors, metadata, format, to: file, name: name, watch)
  try file.commit()
}

/// Writes weights to memory that the returned object owns.
package func writeWeights(
  _ tensors: [WeightTensor], metadata: [WeightMetadata] = [], format: WeightFormat, watch: Watch? = nil
) throws(SasukaError) -> OwnedBytes {
  let name = "weights in memory"
  try check(tensors, metadata, of: name)
  let memory = OwnedBytes()
  try write(tensors, metadata, format, to: memory, name: name, watch)
  return memory
}

private func write(
  _ tensors: [WeightTensor], _ metadata: [WeightMetadata], _ format: WeightFormat, to target: any ByteSink,
  name: String, _ watch: Watch?
) throws(SasukaError) {
  let sink = watch.map { WatchedSink(target, $0) } ?? target
  switch format {
  case .safetensors: try writeSafetensors(tensors, metadata, to: sink, name: name)
  case .npz:
    guard metadata.isEmpty else {
      throw SasukaError(.unsupported, "\(name): an .npz file has no room for metadata; safetensors has")
    }
    try writeNpz(tensors, to: sink, name: name)
  case .torch:
    let version = metadata.first?.value.utf8.first
    try writeTorch(tensors, version: version ?? UInt8(ascii: "1"), to: sink)
  }
}

private func check(_ tensors: [WeightTensor], _ metadata: [WeightMetadata], of name: String) throws(SasukaError) {
  for tensor in tensors {
    guard let expected = tensor.dtype.byteCount(ofShape: tensor.shape), expected == tensor.bytes.count else {
      throw SasukaError(
        .invalidArgument,
        "\(name): tensor \"\(tensor.name)\": \(tensor.bytes.count) bytes do not make \(tensor.dtype.name) of shape "
          + "\(Shape(tensor.shape))")
    }
  }
  if let duplicate = NameIndex(tensors.map { $0.name }).duplicate {
    throw SasukaError(.invalidArgument, "\(name): two tensors are named \"\(duplicate)\"")
  }
  if let duplicate = NameIndex(metadata.map { $0.key }).duplicate {
    throw SasukaError(.invalidArgument, "\(name): two metadata entries have the key \"\(duplicate)\"")
  }
}
