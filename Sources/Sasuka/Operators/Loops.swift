// Nested loops over tensors in memory: what copies, broadcasts and reductions share.
import CSystem

/// A tensor's axes as they lie in memory, outermost first: those of its shape, or the five of a blocked map,
/// [batch, channel block, height, width, lane].
struct MemoryAxes {
  private(set) var counts: [Int]
  /// Distance in floats between neighbours along each axis.
  private(set) var steps: [Int]

  init(_ shape: Shape, _ layout: Layout) {
    switch layout {
    case .plain:
      counts = shape.dimensions
      steps = shape.rowMajorStrides
    case .blocked(let lanes):
      let blocks = Layout.blocks(of: shape[1], lanes: lanes)
      counts = [shape[0], blocks, shape[2], shape[3], lanes]
      steps = Shape(counts).rowMajorStrides
    }
  }

  /// Steps for walking over a larger tensor of the same layout, axes aligned at the end as in NumPy: an axis of size 1
  /// stands still where the larger tensor's is longer.
  ///
  /// The one channel of a blocked map is lane 0; it stands still over blocks and lanes.
  static func broadcastSteps(_ shape: Shape, over larger: Shape, _ layout: Layout) -> [Int] {
    let missing = larger.rank - shape.rank
    let padded = Shape([Int](repeating: 1, count: missing) + shape.dimensions)
    var steps = MemoryAxes(padded, layout).steps
    for axis in 0..<larger.rank where padded[axis] == 1 && larger[axis] > 1 {
      steps[axis] = 0
      if axis == 1, layout != .plain { steps[4] = 0 }
    }
    return steps
  }
}

/// Loops over a left operand, a right one and a result, cut into units of work. The cut depends on the sizes only.
struct Loops {
  struct Axis {
    let count: Int
    let left: Int
    var right = 0
    let result: Int
  }

  /// One unit: a grid for the kernels and where the operands begin.
  struct Piece {
    var grid: sasuka_grid
    var left: Int
    var right: Int
    var result: Int
  }

  private var outer: [Axis] = []
  private var planes = Axis(count: 1, left: 0, result: 0)
  private var rows = Axis(count: 1, left: 0, result: 0)
  private var columns = Axis(count: 1, left: 0, result: 0)
  /// The most planes, rows and columns of a unit.
  private let pieceSize: (planes: Int, rows: Int, columns: Int)
  let units: Int

  /// - Parameters:
  ///   - axes: outermost first; those of one element are dropped and those that continue each other are joined.
  ///   - unitSize: the most elements of a unit.
  init(_ axes: [Axis], unitSize: Int = Chunks.size) {
    for axis in axes where axis.count != 1 {
      if let last = outer.last, last.left == axis.count * axis.left, last.right == axis.count * axis.right,
        last.result == axis.count * axis.result
      {
        outer[outer.count - 1] = Axis(
          count: last.count * axis.count, left: axis.left, right: axis.right, result: axis.result)
      } else {
        outer.append(axis)
      }
    }
    if let last = outer.popLast() { columns = last }
    if let last = outer.popLast() { rows = last }
    if let last = outer.popLast() { planes = last }
    let perColumn = min(columns.count, unitSize)
    let perRow = min(rows.count, max(unitSize / perColumn, 1))
    pieceSize = (min(planes.count, max(unitSize / (perColumn * perRow), 1)), perRow, perColumn)
    var units = planes.count.dividedUp(by: pieceSize.planes) * rows.count.dividedUp(by: pieceSize.rows)
    units *= columns.count.dividedUp(by: pieceSize.columns)
    for axis in outer { units *= axis.count }
    self.units = units
  }

  func piece(_ unit: Int) -> Piece {
    var grid = sasuka_grid()
    (grid.left_plane, grid.left_row, grid.left_column) = (Int64(planes.left), Int64(rows.left), Int64(columns.left))
    (grid.right_plane, grid.right_row) = (Int64(planes.right), Int64(rows.right))
    grid.right_column = Int64(columns.right)
    (grid.result_plane, grid.result_row) = (Int64(planes.result), Int64(rows.result))
    grid.result_column = Int64(columns.result)
    var piece = Piece(grid: grid, left: 0, right: 0, result: 0)
    var rest = unit
    piece.grid.columns = piece.cut(columns, size: pieceSize.columns, &rest)
    piece.grid.rows = piece.cut(rows, size: pieceSize.rows, &rest)
    piece.grid.planes = piece.cut(planes, size: pieceSize.planes, &rest)
    var place = outer.count
    while place > 0 {
      place -= 1
      _ = piece.cut(outer[place], size: 1, &rest)
    }
    return piece
  }
}

extension Loops.Piece {
  /// Moves to the stretch of an axis that the unit's number asks for and takes that part off the number; returns the
  /// stretch's length.
  fileprivate mutating func cut(_ axis: Loops.Axis, size: Int, _ rest: inout Int) -> Int64 {
    let stretches = axis.count.dividedUp(by: size)
    let first = rest % stretches * size
    rest /= stretches
    left += first * axis.left
    right += first * axis.right
    result += first * axis.result
    return Int64(min(size, axis.count - first))
  }
}

extension Lowering {
  func axes(_ value: Value) -> MemoryAxes { MemoryAxes(shape(value), layout(value)) }

  /// Adds a step that copies along loops.
  mutating func copy(_ loops: Loops, from source: UnsafePointer<Float>, to destination: UnsafeMutablePointer<Float>) {
    let kernel = kernels.pointee.grid_copy!
    step(units: loops.units) { unit, _ in
      var piece = loops.piece(unit)
      kernel(&piece.grid, source + piece.left, destination + piece.result)
    }
  }

  /// Adds a step that writes zeros over a whole tensor.
  mutating func clear(_ value: Value) {
    let destination = pointer(value)
    let chunks = Chunks(of: storageCount(value))
    step(units: chunks.count) { unit, _ in
      let range = chunks[unit]
      (destination + range.lowerBound).clear(count: range.count)
    }
  }
}

extension Loops {
  /// Loops over all of the left tensor, whose elements go to a result with axes of its own steps.
  init(_ left: MemoryAxes, _ result: MemoryAxes) {
    var nest: [Axis] = []
    for place in left.counts.indices {
      nest.append(Axis(count: left.counts[place], left: left.steps[place], result: result.steps[place]))
    }
    self.init(nest)
  }
}
