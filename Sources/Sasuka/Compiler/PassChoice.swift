/// Passes that a plan can do without, in the order of their names. It is slower or larger then; its results differ in roundings
/// at most.
package enum CompilerPass: Int, CaseIterable, Sendable {
  /// What the prediction does not depend on is dropped.
  case deadBranches
  /// Normalisations become part of the convolutions before them.
  case folding
  /// Sums and ReLUs are done by the operators before them.
  case fusion
  /// Chains of concatenations, shuffles and slices move their channels once.
  case channels
  /// Convolutions and the depthwise ones or pooling behind them are computed together, by bands of rows.
  case bands
  /// Batches go through the first layers a few pictures at a time.
  case pictures
  /// Maps stay in the kernels' layout from one operator to the next.
  case layout
  /// Concatenations lie in place, and results where their operands lay.
  case inPlace
  /// Memory is used again where its tensor is not read any more.
  case reuse

  package static let names: StaticString = "dead_branches folding fusion channels bands pictures layout in_place reuse"
}

/// Which of them a plan makes: all, unless told otherwise.
package struct PassChoice: Sendable {
  private var omitted = 0

  package init() {}

  /// - Parameter list: names of passes to leave out, between commas.
  /// - Throws: `notFound` for an unknown name, listing those that there are.
  package init(without list: String) throws(SasukaError) {
    let names = pieces(of: CompilerPass.names.description, between: UInt8(ascii: " "))
    for name in pieces(of: list, between: UInt8(ascii: ",")) {
      var place = 0
      while place < names.count, names[place] != name { place += 1 }
      guard place < names.count else {
        throw SasukaError(.notFound, "\"\(name)\" is none of the compiler's passes: \(CompilerPass.names)")
      }
      omitted |= 1 << place
    }
  }

  package func makes(_ pass: CompilerPass) -> Bool { omitted & 1 << pass.rawValue == 0 }
}

/// The parts of a text between separators, of which there is one more than separators.
@inline(never)
func pieces(of text: String, between separator: UInt8) -> [String] {
  var (pieces, piece): ([String], [UInt8]) = ([], [])
  for byte in [UInt8](text.utf8) + [separator] {
    guard byte == separator else {
      piece.append(byte)
      continue
    }
    pieces.append(String(decoding: piece, as: UTF8.self))
    piece = []
  }
  return pieces
}
