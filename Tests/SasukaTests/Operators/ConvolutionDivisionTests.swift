import Testing

@testable import Sasuka

@Suite struct ConvolutionDivisionTests {
  private struct Case {
    let units, rows: Int
    var columns = 56
    let rowFloats, weights, threads: Int
    var division: ConvolutionDivision {
      ConvolutionDivision(
        units: units, evenUnits: Double(units), rows: rows, columns: columns, rowFloats: rowFloats,
        columnFloats: rowFloats.dividedUp(by: columns), weights: weights, floatsAtOnce: 65_536, threads: threads)
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

  @Test func everyPixelOfEveryUnitIsInOnePart() {
    for each in Self.cases {
      var pixels = [Int](repeating: 0, count: each.units * each.rows * each.columns)
      for number in 0..<each.division.parts {
        let part = each.division[number]
        for row in part.rows {
          for column in part.columns { pixels[(part.unit * each.rows + row) * each.columns + column] += 1 }
        }
      }
      #expect(pixels.allSatisfy { $0 == 1 }, "\(each)")
      let parts = (0..<each.division.parts).map { each.division[$0] }
      #expect(each.division.mostRows == parts.map(\.rows.count).max(), "\(each)")
      #expect(each.division.mostColumns == parts.map(\.columns.count).max(), "\(each)")
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
      units: 2, evenUnits: 1.5, rows: 35, columns: 35, rowFloats: 35 * 256, columnFloats: 256, weights: 1 << 20,
      floatsAtOnce: 65_536, threads: 2)
    #expect(Set((0..<narrow.parts / 2).map { narrow[$0].unit }) == [0, 1])
  }

  @Test func theOnlyRowIsCutWhereItIsLong() {
    let long = Case(units: 1, rows: 1, columns: 1024, rowFloats: 1024 * 16, weights: 768, threads: 2).division
    #expect((0..<long.parts).map { long[$0].columns } == [0..<512, 512..<1024])
    let short = Case(units: 1, rows: 1, columns: 31, rowFloats: 31 * 16, weights: 768, threads: 2).division
    #expect((0..<short.parts).map { short[$0].columns } == [0..<31])
  }
}
