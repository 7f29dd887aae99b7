import Testing

@testable import Sasuka

@Suite struct ConvolutionDivisionTests {
  private struct Case {
    let units, rows, rowFloats, weights, threads: Int
    var division: ConvolutionDivision {
      ConvolutionDivision(
        units: units, evenUnits: Double(units), rows: rows, rowFloats: rowFloats, weights: weights,
        floatsAtOnce: 65_536, threads: threads)
    }
  }

  private static var cases: [Case] {
    var cases: [Case] = []
    for units in [1, 2, 3, 7, 16, 64] {
      for rows in [1, 3, 7, 14, 56, 112] {
        for rowFloats in [1, 3584, 14336, 1 << 20] {
          for threads in [1, 2, 3, 16] {
            for weights in [9, 1 << 22] {
              cases.append(Case(units: units, rows: rows, rowFloats: rowFloats, weights: weights, threads: threads))
            }
          }
        }
      }
    }
    return cases
  }

  @Test func everyRowOfEveryUnitIsInOnePart() {
    for each in Self.cases {
      var seen = [Int](repeating: 0, count: each.units * each.rows)
      for part in 0..<each.division.parts {
        for row in each.division[part].rows { seen[each.division[part].unit * each.rows + row] += 1 }
      }
      #expect(seen.allSatisfy { $0 == 1 }, "\(each)")
      let most = (0..<each.division.parts).map { each.division[$0].rows.count }.max()
      #expect(each.division.mostRows == most, "\(each)")
    }
  }

  /// Rows of all units that each of two threads computes.
  private func shares(_ each: Case) -> [Int] {
    let parts = each.division.parts
    return (0..<2).map { worker in
      (parts * worker / 2..<parts * (worker + 1) / 2).reduce(0) { $0 + each.division[$1].rows.count }
    }
  }

  @Test func twoThreadsDoTheSameWhereThatCanBe() {
    for each in Self.cases where each.threads == 2 && (each.units % 2 == 0 || each.rows % 2 == 0) {
      let shares = shares(each)
      let difference = abs(shares[0] - shares[1])
      // An odd number of units leaves the stretches of rows, each of which may have a row more than another.
      #expect(each.units % 2 == 0 ? difference == 0 : difference <= each.units * 2, "\(each): \(shares)")
    }
  }

  @Test func theLargerOfWeightsAndPictureIsDivided() {
    let late = Case(units: 64, rows: 14, rowFloats: 14 * 256, weights: 1 << 20, threads: 2).division
    #expect((0..<late.parts / 2).allSatisfy { late[$0].unit < 32 })
    let early = Case(units: 2, rows: 56, rowFloats: 56 * 64, weights: 4096, threads: 2).division
    #expect((0..<early.parts / 2).allSatisfy { early[$0].rows.upperBound <= 28 })
  }

  @Test func aNarrowLastUnitIsNotAThreadsWholeShare() {
    // 48 channels: a unit of 32 and one of 16.
    let narrow = ConvolutionDivision(
      units: 2, evenUnits: 1.5, rows: 35, rowFloats: 35 * 256, weights: 1 << 20, floatsAtOnce: 65_536, threads: 2)
    #expect(Set((0..<narrow.parts / 2).map { narrow[$0].unit }) == [0, 1])
  }
}
