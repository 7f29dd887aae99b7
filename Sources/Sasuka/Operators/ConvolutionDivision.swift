/// An image's output divided into parts that may be computed at the same time: units of output channels by stretches of
/// rows.
///
/// Parts are counted so that equal contiguous shares of them, as the thread pool hands out, are equal amounts of work.
/// Each share reads either half of the picture and all weights (of two threads), or half of the weights and all of the
/// picture: the larger of the two is the one to divide. The numbers do not depend on the division.
package struct ConvolutionDivision: Equatable {
  /// One unit of output channels in some rows.
  package struct Part: Equatable {
    package let unit: Int
    package let rows: Range<Int>
  }

  private static let fewestRows = 4

  private let units, rows: Int
  /// Stretches of rows, which differ by one row at most.
  private let stretches: Int
  /// Groups of units, one after the other: each of them passes over all rows.
  private let groups: Int

  /// A share that is so much larger than the mean is as good as an equal one.
  private static let tolerableExcess = 0.05

  /// - Parameters:
  ///   - units: how many units the output channels make; the last may be narrower than the others.
  ///   - evenUnits: how many units of full width would be the same work.
  ///   - rows: of the output.
  ///   - rowFloats: floats of the input that one row of the output moves on by, in all channels.
  ///   - weights: how many weights the units have together.
  ///   - floatsAtOnce: of the input, which a part reads: as many as stay in the second cache while the units pass over them.
  package init(
    units: Int, evenUnits: Double, rows: Int, rowFloats: Int, weights: Int, floatsAtOnce: Int, threads: Int
  ) {
    self.units = units
    self.rows = rows
    let rowsAtOnce = max(ConvolutionDivision.fewestRows, floatsAtOnce / max(rowFloats, 1))
    let fewest = rows.dividedUp(by: rowsAtOnce)
    let forThreads = min(fewest.dividedUp(by: threads) * threads, rows)
    // By how much the largest share exceeds the mean.
    let byRows = Double(rows.dividedUp(by: threads) * threads) / Double(rows) - 1
    let byUnits = Double(units) / evenUnits - 1
    let mayDivideEither = max(byRows, byUnits) <= ConvolutionDivision.tolerableExcess
    let dividesUnits = units % threads == 0 && (mayDivideEither ? weights > rows * rowFloats : byUnits < byRows)
    groups = dividesUnits ? threads : 1
    stretches = dividesUnits ? fewest : forThreads
  }

  package var parts: Int { units * stretches }

  /// Rows of the largest part.
  package var mostRows: Int { rows.dividedUp(by: stretches) }

  package subscript(part: Int) -> Part {
    let unitsAtOnce = units / groups
    let (group, rest) = (part / (unitsAtOnce * stretches), part % (unitsAtOnce * stretches))
    let (stretch, unit) = (rest / unitsAtOnce, rest % unitsAtOnce)
    return Part(
      unit: group * unitsAtOnce + unit, rows: (stretch * rows / stretches)..<((stretch + 1) * rows / stretches))
  }
}
