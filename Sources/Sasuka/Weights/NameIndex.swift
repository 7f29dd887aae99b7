import CSystem

/// Finds names in a list by their UTF-8 bytes, in logarithmic time.
///
/// Swift's own comparison of strings takes differently composed letters for equal, where the library is not linked with another
/// (Sources/Embedded/strings.ld); files do not.
package struct NameIndex {
  private var names: [String]
  /// The places of those that are indexed, the first so many, in ascending order of their lengths, and of their bytes.
  private var order: [Int] = []

  package init(_ names: [String] = []) {
    self.names = names
    index()
  }

  /// Adds a name at the end of the list, where it is looked for one by one until `index` is called.
  package mutating func append(_ name: String) { names.append(name) }

  /// Indexes all names: many at once, or a last one in little time.
  @inline(never)
  package mutating func index() {
    if order.count + 1 == names.count {
      order.insert(order.count, at: rank(names[order.count]))
    } else if order.count < names.count {
      order = ascendingPlaces(names.count) { precedes(names[$0], names[$1]) }
    }
  }

  /// A name that occurs twice, if there is one.
  package var duplicate: String? {
    for place in order.indices.dropFirst() where !precedes(names[order[place - 1]], names[order[place]]) {
      return names[order[place]]
    }
    return nil
  }

  /// The place of a name in the list; that of one of several.
  @inline(never)
  package subscript(name: String) -> Int? {
    let low = rank(name)
    if low < order.count, !precedes(name, names[order[low]]) { return order[low] }
    for place in order.count..<names.count where !precedes(name, names[place]) && !precedes(names[place], name) {
      return place
    }
    return nil
  }

  /// How many names precede one.
  private func rank(_ name: String) -> Int {
    var low = 0
    var high = order.count
    while low < high {
      let middle = low + (high - low) / 2
      if precedes(names[order[middle]], name) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// Any order will do: short names first takes less code than letter by letter.
@inline(never)
private func precedes(_ left: String, _ right: String) -> Bool {
  var (left, right) = (left, right)
  return left.withUTF8 { left in
    right.withUTF8 { right in
      if left.count != right.count || left.isEmpty { return left.count < right.count }
      return memcmp(left.baseAddress!, right.baseAddress!, left.count) < 0
    }
  }
}
