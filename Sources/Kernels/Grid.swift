// Copies, sums and products over nested loops with any steps: permutations, slices, broadcasts and reductions.
import CSystem

func fillGrid(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.grid_copy = { grid, left, result in
    forEachRow(grid!.pointee) { l, _, o in
      mapRow(grid!.pointee, left! + l, left! + l, 0, result! + o, { a, _ in a }, { a, _ in a })
    }
  }
  table.pointee.grid_add = { grid, left, right, result in
    combineGrid(grid!.pointee, left!, right!, result!, multiplies: false)
  }
  table.pointee.grid_multiply = { grid, left, right, result in
    combineGrid(grid!.pointee, left!, right!, result!, multiplies: true)
  }
  table.pointee.grid_sums = { grid, left, sums in gridSums(grid!.pointee, left!, sums!) }
}

@inline(__always)
private func forEachRow(_ grid: sasuka_grid, _ body: (_ left: Int, _ right: Int, _ result: Int) -> Void) {
  for plane in 0..<Int(grid.planes) {
    var left = plane * Int(grid.left_plane)
    var right = plane * Int(grid.right_plane)
    var result = plane * Int(grid.result_plane)
    for _ in 0..<Int(grid.rows) {
      body(left, right, result)
      left += Int(grid.left_row)
      right += Int(grid.right_row)
      result += Int(grid.result_row)
    }
  }
}

/// Sums or products. A row is often one vector, the channels of a pixel: for that the general row's questions take longer than
/// the work.
@inline(never)
private func combineGrid(
  _ grid: sasuka_grid, _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>,
  _ result: UnsafeMutablePointer<Float>, multiplies: Bool
) {
  if Int(grid.columns) == Vector.scalarCount, grid.left_column == 1, grid.right_column == 1, grid.result_column == 1 {
    forEachRow(grid) { l, r, o in
      let (a, b) = (loadVector(left + l), loadVector(right + r))
      storeVector(multiplies ? a * b : a + b, result + o)
    }
  } else {
    forEachRow(grid) { l, r, o in
      mapRow(
        grid, left + l, right + r, Int(grid.right_column), result + o, { multiplies ? $0 * $1 : $0 + $1 },
        { multiplies ? $0 * $1 : $0 + $1 })
    }
  }
}

/// One row. Vectors where the result's columns are neighbours and the operands' neighbours or one number.
@inline(__always)
private func mapRow(
  _ grid: sasuka_grid, _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, _ rightStep: Int,
  _ result: UnsafeMutablePointer<Float>, _ vectors: (Vector, Vector) -> Vector, _ scalars: (Float, Float) -> Float
) {
  let (columns, leftStep, resultStep) = (Int(grid.columns), Int(grid.left_column), Int(grid.result_column))
  var column = 0
  if resultStep == 1, leftStep == 1 || leftStep == 0, rightStep == 1 || rightStep == 0 {
    while column + Vector.scalarCount <= columns {
      let a = leftStep == 1 ? loadVector(left + column) : Vector(repeating: left[0])
      let b = rightStep == 1 ? loadVector(right + column) : Vector(repeating: right[0])
      storeVector(vectors(a, b), result + column)
      column += Vector.scalarCount
    }
  }
  while column < columns {
    result[column * resultStep] = scalars(left[column * leftStep], right[column * rightStep])
    column = sasuka_one_by_one(column + 1)
  }
}

private func gridSums(_ grid: sasuka_grid, _ left: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Double>) {
  let columns = Int(grid.columns)
  for plane in 0..<Int(grid.planes) {
    let start = left + plane * Int(grid.left_plane)
    if columns == 1, grid.left_row == 1 {
      sums[0] += sum(start, Int(grid.rows))
      continue
    }
    for row in 0..<Int(grid.rows) {
      let from = start + row * Int(grid.left_row)
      var column = 0
      if grid.left_column == 1 {
        while column + 8 <= columns {
          let wide = SIMD8<Double>(UnsafeRawPointer(from + column).loadUnaligned(as: SIMD8<Float>.self))
          let at = UnsafeMutableRawPointer(sums + column)
          at.storeBytes(of: at.loadUnaligned(as: SIMD8<Double>.self) + wide, as: SIMD8<Double>.self)
          column += 8
        }
      }
      while column < columns {
        sums[column] += Double(from[column * Int(grid.left_column)])
        column = sasuka_one_by_one(column + 1)
      }
    }
  }
}

/// The sum of neighbours, in float64.
func sum(_ numbers: UnsafePointer<Float>, _ count: Int) -> Double {
  var lanes = SIMD8<Double>(repeating: 0)
  var index = 0
  while index + 8 <= count {
    lanes += SIMD8<Double>(UnsafeRawPointer(numbers + index).loadUnaligned(as: SIMD8<Float>.self))
    index += 8
  }
  var total = 0.0
  for lane in 0..<8 { total += lanes[lane] }
  while index < count {
    total += Double(numbers[index])
    index += 1
  }
  return total
}
