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
    return try descriptions.map { try GoldenCase($0, blob: blob) }
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

/// Where a tensor lies in the blob. `offset` is in bytes.
private struct TensorDescription: Decodable {
  let name: String
  let dtype: String
  let shape: [Int]
  let offset: Int
}

extension GoldenCase {
  fileprivate init(_ description: CaseDescription, blob: [UInt8]) throws {
    name = description.name
    operatorName = description.operator
    attributes = description.attributes
    tensors = try description.tensors.map { try GoldenTensor($0, blob: blob) }
  }
}

extension GoldenTensor {
  fileprivate init(_ description: TensorDescription, blob: [UInt8]) throws {
    name = description.name
    shape = description.shape
    let count = description.shape.reduce(1, *)
    guard description.offset >= 0, description.offset + 4 * count <= blob.count else {
      throw GoldenError("\(description.name) reaches past the end of the blob: run Tests/Golden/generate.py again")
    }
    let words = blob.withUnsafeBytes { bytes in
      (0..<count).map { index in
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: description.offset + 4 * index, as: UInt32.self))
      }
    }
    floats = description.dtype == "float32" ? words.map { Float(bitPattern: $0) } : []
    integers = description.dtype == "int32" ? words.map { Int32(bitPattern: $0) } : []
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
