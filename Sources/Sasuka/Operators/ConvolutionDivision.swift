/// An image's output divided into parts that may be computed at the same time: units of output channels by stretches of
/// rows, or of pixels where there is but one row.
///
/// Parts are counted so that equal contiguous shares of them, as the thread pool hands out, are equal amounts of work.
/// Each share reads either half of the picture and all weights (of two threads), or half of the weights and all of the
/// picture: the larger of the two is the one to divide. The numbers do not depend on the division.
package struct ConvolutionDivision: Equatable {
  /// One unit of output channels in some rows and columns.
  package struct Part: Equatable {
    package let unit: Int
    package let rows, columns: Range<Int>
  }

  private static let fewestRows = 4
  /// Pixels of a stretch of a row: fewer make no tile.
  private static let fewestColumns = 16

  private let units: Int
  /// What is cut: rows, or the pixels of the only one.
  private let lines: Int
  /// Pixels of a row; nil where they are the lines.
  private let columns: Int?
  /// Stretches of lines, which differ by one line at most.
  private let stretches: Int
  /// Groups of units, one after the other: each of them passes over all lines.
  private let groups: Int

  /// A share that is so much larger than the mean is as good as an equal one.
  private static let tolerableExcess = 0.05

  /// - Parameters:
  ///   - units: how many units the output channels make; the last may be narrower than the others.
  ///   - evenUnits: how many units of full width would be the same work.
  ///   - rows: of the output.
  ///   - columns: pixels of a row.
  ///   - rowFloats: floats of the input that one row of the output moves on by, in all channels.
  ///   - columnFloats: floats that one pixel moves on by; nil where the only row must not be cut.
  ///   - weights: how many weights the units have together.
  ///   - floatsAtOnce: of the input, which a part reads: as many as stay in the second cache while the units pass over them.
  package init(
    units: Int, evenUnits: Double, rows: Int, columns: Int, rowFloats: Int, columnFloats: Int?, weights: Int,
    floatsAtOnce: Int, threads: Int
  ) {
    self.units = units
    var (lines, lineFloats, fewestLines) = (rows, rowFloats, ConvolutionDivision.fewestRows)
    var isCut = false
    if rows == 1, let columnFloats, columns >= ConvolutionDivision.fewestColumns * threads {
      (lines, lineFloats, fewestLines, isCut) = (columns, columnFloats, ConvolutionDivision.fewestColumns, true)
    }
    (self.lines, self.columns) = (lines, isCut ? nil : columns)
    let linesAtOnce = max(fewestLines, floatsAtOnce / max(lineFloats, 1))
    let fewest = lines.dividedUp(by: linesAtOnce)
    let forThreads = min(fewest.dividedUp(by: threads) * threads, lines)
    // By how much the largest share exceeds the mean.
    let byLines = Double(lines.dividedUp(by: threads) * threads) / Double(lines) - 1
    let byUnits = Double(units) / evenUnits - 1
    let mayDivideEither = max(byLines, byUnits) <= ConvolutionDivision.tolerableExcess
    let dividesUnits = units % threads == 0 && (mayDivideEither ? weights > lines * lineFloats : byUnits < byLines)
    groups = dividesUnits ? threads : 1
    stretches = dividesUnits ? fewest : forThreads
  }

  package var parts: Int { units * stretches }

  /// Rows and columns of the largest part.
  package var mostRows: Int { columns == nil ? 1 : lines.dividedUp(by: stretches) }
  package var mostColumns: Int { columns ?? lines.dividedUp(by: stretches) }

  package subscript(part: Int) -> Part {
    let unitsAtOnce = units / groups
    let (group, rest) = (part / (unitsAtOnce * stretches), part % (unitsAtOnce * stretches))
    let (stretch, unit) = (rest / unitsAtOnce, rest % unitsAtOnce)
    let own = (stretch * lines / stretches)..<((stretch + 1) * lines / stretches)
    return Part(
      unit: group * unitsAtOnce + unit, rows: columns == nil ? 0..<1 : own, columns: columns.map { 0..<$0 } ?? own)
  }
}
