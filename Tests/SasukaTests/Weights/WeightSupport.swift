// What the tests of weight files share.
import Foundation
import Sasuka
import Testing

/// A tensor with bytes of its own, to be compared.
struct StoredTensor: Equatable, CustomStringConvertible {
  let name: String
  let dtype: DType
  let shape: [Int]
  let bytes: [UInt8]

  init(_ name: String, _ dtype: DType, _ shape: [Int], _ bytes: [UInt8]) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.bytes = bytes
  }

  init(_ tensor: WeightTensor) {
    let bytes = withExtendedLifetime(tensor) { [UInt8](tensor.bytes) }
    self.init(tensor.name, tensor.dtype, tensor.shape, bytes)
  }

  var description: String { "\(name): \(dtype.name) \(shape) \(bytes)" }
}

/// Opens bytes and copies everything out of them.
func stored(in bytes: [UInt8]) throws -> [StoredTensor] {
  try bytes.withUnsafeBytes { try openWeights(bytes: $0, name: "f").tensors.map { StoredTensor($0) } }
}

/// The tensors as a writer takes them; the memory lives as long as the call of `body`.
func withTensors<Result>(_ tensors: [StoredTensor], _ body: ([WeightTensor]) throws -> Result) rethrows -> Result {
  let memory = tensors.map { tensor in
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: tensor.bytes.count, alignment: 1)
    copy.copyBytes(from: tensor.bytes)
    return copy
  }
  defer { for copy in memory { copy.deallocate() } }
  return try body(
    zip(tensors, memory).map { tensor, copy in
      WeightTensor(name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: UnsafeRawBufferPointer(copy))
    })
}

func written(_ tensors: [StoredTensor], metadata: [WeightMetadata] = [], _ format: WeightFormat) throws -> [UInt8] {
  let memory = try withTensors(tensors) { try writeWeights($0, metadata: metadata, format: format) }
  return withExtendedLifetime(memory) { [UInt8](memory.bytes) }
}

/// The error that opening these bytes under the name "f" gives.
func refusal(of bytes: [UInt8]) -> SasukaError? {
  #expect(throws: SasukaError.self) { _ = try stored(in: bytes) } as SasukaError?
}

/// A safetensors file of a header and a number of data bytes, all zero.
func safetensors(_ header: String, dataCount: Int = 0) -> [UInt8] {
  let text = Array(header.utf8)
  let length = withUnsafeBytes(of: UInt64(text.count).littleEndian) { [UInt8]($0) }
  return length + text + [UInt8](repeating: 0, count: dataCount)
}

/// A folder that goes with the object.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("sasuka-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }
  func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: url.path).sorted() }
}
