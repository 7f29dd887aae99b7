/// Modules chosen by patterns of their names, of which later ones win.
package struct ModuleChoice: Sendable {
  private var rules: [(pattern: NamePattern, isChosen: Bool)] = []

  package init() {}

  package mutating func set(_ pattern: NamePattern, _ isChosen: Bool) { rules.append((pattern, isChosen)) }

  func contains(_ name: String) -> Bool { rules.last { $0.pattern.matchesModule(name) }?.isChosen ?? false }
}

/// A pattern of parameter names: `*` stands for any text, `?` for any one letter.
package struct NamePattern: Sendable {
  private let pattern: [UInt8]

  package init(_ text: String) { pattern = [UInt8](text.utf8) }

  /// Whether it matches a module's name, or would match the names of all its parameters, as `bn1.*` does for `bn1`.
  func matchesModule(_ name: String) -> Bool { matches(name) || matches(name + ".") }

  package func matches(_ name: String) -> Bool {
    let name = [UInt8](name.utf8)
    var (at, place) = (0, 0)
    // Where the last star stood, and how much of the name it has taken; only that star ever needs to take more.
    var (star, taken) = (-1, 0)
    while at < name.count {
      if place < pattern.count, pattern[place] == UInt8(ascii: "?") || pattern[place] == name[at],
        pattern[place] != UInt8(ascii: "*")
      {
        at += 1
        place += 1
      } else if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
        star = place
        taken = at
        place += 1
      } else if star >= 0 {
        taken += 1
        at = taken
        place = star + 1
      } else {
        return false
      }
    }
    while place < pattern.count, pattern[place] == UInt8(ascii: "*") { place += 1 }
    return place == pattern.count
  }
}
