// Reads the golden files of Tests/Golden: reference numbers from PyTorch, which generate.py there writes.
//
//   @Test(arguments: try Golden.cases(.operators, of: "convolution"))
//   func convolutionMatchesPyTorch(golden: GoldenCase) throws {
//     let stride = try golden.integers("stride")
//     let input = try golden.tensor("input")  // .shape, .floats
//     …
//   }

import Foundation
import Testing

/// The golden files by name.
enum Golden: String, CaseIterable, Sendable {
  case operators, losses, optimizers, schedules, network, zoo

  /// Every case of a file, in the file's order.
  static func cases(_ file: Golden) throws -> [GoldenCase] {
    try loaded[file, default: .failure(GoldenError("\(file.rawValue) is not loaded"))].get()
  }

  /// The cases of some operators, for instance `of: "add", "multiply"`. None at all is an error: a name was mistyped.
  static func cases(_ file: Golden, of operators: String...) throws -> [GoldenCase] {
    for name in operators where try !cases(file).contains(where: { $0.operatorName == name }) {
      throw GoldenError("\(file.rawValue).json holds no case of \(name)")
    }
    return try cases(file).filter { operators.contains($0.operatorName) }
  }

  /// Each file is read once, by whoever asks first.
  private static let loaded = Dictionary(
    uniqueKeysWithValues: allCases.map { file in (file, Result { try file.load() }) })

  private func load() throws -> [GoldenCase] {
    // Tests/SasukaTests/Support/Golden.swift -> Tests/Golden
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
    let stem = tests.appendingPathComponent("Golden").appendingPathComponent(rawValue).standardizedFileURL
    let descriptions = try JSONDecoder().decode(
      [CaseDescription].self, from: try Data(contentsOf: stem.appendingPathExtension("json")))
    let needsBlob = descriptions.contains { !$0.tensors.isEmpty }
    let blob = needsBlob ? [UInt8](try Data(contentsOf: stem.appendingPathExtension("bin"))) : []
    var reader = BlobReader(blob: blob)
    let cases = try descriptions.map { try GoldenCase($0, from: &reader) }
    guard reader.offset == blob.count else {
      throw GoldenError("\(rawValue).bin is longer than \(rawValue).json says: run Tests/Golden/generate.py again")
    }
    return cases
  }
}

/// One case: what was computed, from what, and what came out.
struct GoldenCase: Sendable, CustomTestStringConvertible {
  /// Unique in its file, for instance `convolution/same_upper_even_kernel`.
  let name: String
  /// For instance `convolution`.
  let operatorName: String
  let attributes: [String: GoldenValue]
  /// In the file's order: inputs and parameters, `output`, `grad_output`, gradients, what was updated.
  let tensors: [GoldenTensor]

  var testDescription: String { name }

  /// nil where the case has no such tensor, as a convolution without bias has no `bias`.
  subscript(_ tensorName: String) -> GoldenTensor? { tensors.first { $0.name == tensorName } }

  func tensor(_ tensorName: String) throws -> GoldenTensor {
    guard let tensor = self[tensorName] else { throw GoldenError("\(name) has no tensor \(tensorName)") }
    return tensor
  }

  /// `input`, `input2`, … in order.
  var inputs: [GoldenTensor] {
    tensors.filter { $0.name.hasPrefix("input") && $0.name.dropFirst(5).allSatisfy(\.isNumber) }
  }

  /// Whether the attribute is null (`momentum` of a cumulative average, `size` where a scale is given) or absent.
  func isNull(_ attribute: String) -> Bool { attributes[attribute, default: .null] == .null }

  func integer(_ attribute: String) throws -> Int { try value(attribute).integer ?? mistyped(attribute, "an integer") }
  func number(_ attribute: String) throws -> Double { try value(attribute).number ?? mistyped(attribute, "a number") }
  func boolean(_ attribute: String) throws -> Bool { try value(attribute).boolean ?? mistyped(attribute, "a boolean") }
  func string(_ attribute: String) throws -> String { try value(attribute).string ?? mistyped(attribute, "a string") }

  func integers(_ attribute: String) throws -> [Int] {
    let list = try value(attribute).list ?? mistyped(attribute, "a list")
    return try list.map { try $0.integer ?? mistyped(attribute, "a list of integers") }
  }

  func numbers(_ attribute: String) throws -> [Double] {
    let list = try value(attribute).list ?? mistyped(attribute, "a list")
    return try list.map { try $0.number ?? mistyped(attribute, "a list of numbers") }
  }

  private func value(_ attribute: String) throws -> GoldenValue {
    guard let value = attributes[attribute] else { throw GoldenError("\(name) has no attribute \(attribute)") }
    return value
  }

  private func mistyped<T>(_ attribute: String, _ expected: String) throws -> T {
    throw GoldenError("attribute \(attribute) of \(name) is not \(expected)")
  }
}

/// A tensor, row-major. One of `floats` and `integers` is empty.
struct GoldenTensor: Sendable {
  let name: String
  /// Empty for a single number, such as a loss.
  let shape: [Int]
  let floats: [Float]
  /// Labels, masks, counters.
  let integers: [Int32]
}

/// An attribute as JSON holds it.
enum GoldenValue: Sendable, Equatable {
  case null
  case boolean(Bool)
  case number(Double)
  case string(String)
  case list([GoldenValue])
  case object([String: GoldenValue])

  var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }
  var number: Double? { if case .number(let value) = self { value } else { nil } }
  var integer: Int? { number.flatMap { Int(exactly: $0) } }
  var string: String? { if case .string(let value) = self { value } else { nil } }
  var list: [GoldenValue]? { if case .list(let value) = self { value } else { nil } }
}

/// A golden file is missing or does not hold what a test asks for.
struct GoldenError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

// MARK: - Reading

/// A case as the JSON file describes it.
private struct CaseDescription: Decodable {
  let name: String
  let `operator`: String
  let attributes: [String: GoldenValue]
  let tensors: [TensorDescription]
}

/// `["input", 2, 3, 7, 5]`: a name and a shape; `["mask", "int32", 2, 3]` where the elements are integers.
private struct TensorDescription: Decodable {
  let name: String
  let holdsIntegers: Bool
  let shape: [Int]

  init(from decoder: any Decoder) throws {
    var list = try decoder.unkeyedContainer()
    name = try list.decode(String.self)
    let type = try? list.decode(String.self)
    guard type == nil || type == "int32" else {
      throw DecodingError.dataCorruptedError(in: list, debugDescription: "\(name) has elements of type \(type ?? "")")
    }
    holdsIntegers = type != nil
    var sizes: [Int] = []
    while !list.isAtEnd { sizes.append(try list.decode(Int.self)) }
    shape = sizes
  }
}

/// Hands out the blob's words one after another: the tensors lie there in the order in which the cases list them.
private struct BlobReader {
  let blob: [UInt8]
  /// In bytes.
  private(set) var offset = 0

  init(blob: [UInt8]) { self.blob = blob }

  mutating func words(_ count: Int, of name: String) throws -> [UInt32] {
    guard offset + 4 * count <= blob.count else {
      throw GoldenError("\(name) reaches past the end of the blob: run Tests/Golden/generate.py again")
    }
    defer { offset += 4 * count }
    return blob.withUnsafeBytes { bytes in
      (0..<count).map { index in
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4 * index, as: UInt32.self))
      }
    }
  }
}

extension GoldenCase {
  fileprivate init(_ description: CaseDescription, from reader: inout BlobReader) throws {
    name = description.name
    operatorName = description.operator
    attributes = description.attributes
    var tensors: [GoldenTensor] = []
    for tensor in description.tensors { tensors.append(try GoldenTensor(tensor, from: &reader)) }
    self.tensors = tensors
  }
}

extension GoldenTensor {
  fileprivate init(_ description: TensorDescription, from reader: inout BlobReader) throws {
    name = description.name
    shape = description.shape
    let words = try reader.words(shape.reduce(1, *), of: name)
    floats = description.holdsIntegers ? [] : words.map { Float(bitPattern: $0) }
    integers = description.holdsIntegers ? words.map { Int32(bitPattern: $0) } : []
  }
}

extension GoldenValue: Decodable {
  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .boolean(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([GoldenValue].self) {
      self = .list(value)
    } else {
      self = .object(try container.decode([String: GoldenValue].self))
    }
  }
}
