// Names in lists, found by their bytes whether they are indexed or not.
import Sasuka
import Testing

@Suite struct NameIndexTests {
  /// Some equal for Swift's own comparison, being the same letters composed in two ways.
  private static let names = [
    "b", "\u{E9}", "a", "", "e\u{301}", "conv10", "conv9", "\u{D55C}", "\u{1112}\u{1161}\u{11AB}",
  ]

  @Test func findsEachByItsBytes() {
    let index = NameIndex(Self.names)
    for (place, name) in Self.names.enumerated() { #expect(index[name] == place) }
    #expect(index["c"] == nil)
    #expect(index["\u{1112}"] == nil)
    #expect(index.duplicate == nil)
    #expect(NameIndex(Self.names + ["a"]).duplicate == "a")
  }

  @Test func findsWhatIsAppended() {
    var (single, late) = (NameIndex(), NameIndex())
    for (place, name) in Self.names.enumerated() {
      #expect(single[name] == nil)
      single.append(name)
      late.append(name)
      if place % 3 > 0 { single.index() }
      for (place, name) in Self.names[...place].enumerated() { #expect(single[name] == place) }
    }
    late.index()
    for (place, name) in Self.names.enumerated() { #expect(late[name] == place) }
    #expect(late["c"] == nil)
  }
}
