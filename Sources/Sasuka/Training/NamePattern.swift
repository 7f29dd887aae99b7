/// A pattern of parameter names: `*` stands for any text, `?` for any one letter.
package struct NamePattern: Sendable {
  private let pattern: [UInt8]

  package init(_ text: String) { pattern = [UInt8](text.utf8) }

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
