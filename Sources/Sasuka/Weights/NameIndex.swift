import CSystem

/// Finds names in a list by their UTF-8 bytes, in logarithmic time.
///
/// Swift's own comparison of strings takes differently composed letters for equal; files do not.
package struct NameIndex {
  private let names: [String]
  /// Places in `names`, in ascending order of the names' lengths, and of their bytes.
  private let order: [Int]

  package init(_ names: [String]) {
    self.names = names
    order = ascendingPlaces(names.count) { precedes(names[$0], names[$1]) }
  }

  /// A name that occurs twice, if there is one.
  package var duplicate: String? {
    for place in order.indices.dropFirst() where !precedes(names[order[place - 1]], names[order[place]]) {
      return names[order[place]]
    }
    return nil
  }

  /// The place of a name in the list.
  package subscript(name: String) -> Int? {
    var low = 0
    var high = order.count
    while low < high {
      let middle = low + (high - low) / 2
      if precedes(names[order[middle]], name) { low = middle + 1 } else { high = middle }
    }
    guard low < order.count, !precedes(name, names[order[low]]) else { return nil }
    return order[low]
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
