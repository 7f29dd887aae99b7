// Matrix product of row-major matrices of any strides with a packed second operand.
import CSystem

/// The slot `matrix_pack`.
func matrixPack(
  _ columns: Int64, _ depth: Int64, _ depthStride: Int64, _ columnStride: Int64, _ source: UnsafePointer<Float>?,
  _ packed: UnsafeMutablePointer<Float>?, _ firstUnit: Int64, _ endUnit: Int64, _ lanes: Int64
) {
  guard let source, let packed else { return }
  let lanes = Int(lanes)
  var unit = Int(firstUnit)
  while unit < Int(endUnit) {
    let part = MatrixUnit(columns: Int(columns), unit, lanes: lanes)
    let width = part.vectors &* lanes
    let from = source + part.first &* Int(columnStride)
    let to = packed + part.first &* Int(depth)
    // Stretches of the depth that stay in the L1 cache: the source's columns may lie far apart.
    var first = 0
    while first < Int(depth) {
      let end = min(first &+ 64, Int(depth))
      for column in 0..<width {
        let isReal = column < part.count
        let source = from + (isReal ? column : 0) &* Int(columnStride)
        var k = first
        while k < end {
          to[k &* width &+ column] = isReal ? source[k &* Int(depthStride)] : 0
          k = sasuka_one_by_one(k &+ 1)
        }
      }
      first = end
    }
    unit &+= 1
  }
}

/// The columns of one unit of work.
private struct MatrixUnit {
  let first: Int
  let count: Int
  let vectors: Int

  /// - Parameter lanes: columns of a vector.
  init(columns: Int, _ unit: Int, lanes: Int = Vector.scalarCount) {
    let width = unitColumns(lanes: lanes) &* lanes
    first = unit &* width
    count = min(width, columns &- first)
    vectors = (count &+ lanes &- 1) / lanes
  }
}

/// What all tiles of one unit share.
struct MatrixPass {
  let rowStride: Int
  let depthStride: Int
  let depth: Int
  let resultRow: Int
  /// Columns that are real.
  let columns: Int
  let packed: UnsafePointer<Float>
  let bias: InlineArray<2, Vector>
  let epilogue: Epilogue
  /// Where a tile leaves sums that do not go to the result as they are.
  let sums: UnsafeMutablePointer<Float>
}

/// The sums of `rows` rows of the result, the unit's columns, to memory with `stride` floats between the rows.
@inline(never)
private func matrixTile<let rows: Int, let columns: Int>(
  _: Count<rows>, _: Count<columns>, _ pass: UnsafePointer<MatrixPass>, _ a: UnsafePointer<Float>,
  _ memory: UnsafeMutablePointer<Float>, _ stride: Int
) {
  var sums = zeroed() as RegisterTile<rows, columns>
  for row in 0..<rows { for column in 0..<columns { sums[row][column] = pass.pointee.bias[column] } }
  let run = Run(
    rows: EvenRows(stride: pass.pointee.rowStride), rowStep: pass.pointee.depthStride, columnStride: lanes,
    columnStep: columns &* lanes)
  var packed = pass.pointee.packed
  accumulate(&sums, a, &packed, run, count: pass.pointee.depth)
  for row in 0..<rows {
    for column in 0..<columns { storeVector(sums[row][column], memory + row &* stride + column &* lanes) }
  }
}

/// Takes the sums of `rows` rows through the epilogue to the result. One loop for all tiles: written out in each, it would be most of their code.
@inline(never)
private func finishRows(
  _ rows: Int, columns: Int, _ pass: UnsafePointer<MatrixPass>, _ result: UnsafeMutablePointer<Float>
) {
  let epilogue = pass.pointee.epilogue
  var sums = UnsafePointer(pass.pointee.sums)
  var row = 0
  while row < rows {
    var column = 0
    while column < columns {
      let place = result + row &* pass.pointee.resultRow + column &* lanes
      let real = pass.pointee.columns &- column &* lanes
      if real >= lanes {
        storeVector(epilogue.apply(loadVector(sums), held: place), place)
      } else {
        finishLanes(loadVector(sums), place, real, epilogue)
      }
      sums += lanes
      column &+= 1
    }
    row &+= 1
  }
}

/// The epilogue for the first `count` lanes.
@inline(never)
private func finishLanes(
  _ sum: Vector, _ place: UnsafeMutablePointer<Float>, _ count: Int, _ epilogue: Epilogue
) {
  for lane in 0..<lanes where lane < count {
    var value = sum[lane]
    if epilogue.adds { value += place[lane] }
    place[lane] = value < epilogue.floor ? epilogue.floor : value > epilogue.ceiling ? epilogue.ceiling : value
  }
}

@inline(__always)
private func matrixRows<let columns: Int>(
  _ columnCount: Count<columns>, _ pass: UnsafePointer<MatrixPass>, _ a: UnsafePointer<Float>,
  _ result: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int
) {
  let isPlain = pass.pointee.epilogue.isPlain && pass.pointee.columns == columns &* lanes
  var row = first
  while row < end {
    let from = a + row &* pass.pointee.rowStride
    let left = end &- row
    let to = result + row &* pass.pointee.resultRow
    let (memory, stride) = isPlain ? (to, pass.pointee.resultRow) : (pass.pointee.sums, columns &* lanes)
    // Sums of one row or two wait for each other as long as those of four take.
    let isTwoFours = left == 8 || left == 9
    let rows =
      lanes == 16 && left >= 12 ? 12 : lanes >= 8 && left >= 6 && !isTwoFours ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1
    switch rows {
    case 12 where lanes == 16: matrixTile(Count<12>(), columnCount, pass, from, memory, stride)
    case 6 where lanes >= 8: matrixTile(Count<6>(), columnCount, pass, from, memory, stride)
    case 4: matrixTile(Count<4>(), columnCount, pass, from, memory, stride)
    case 2: matrixTile(Count<2>(), columnCount, pass, from, memory, stride)
    default: matrixTile(Count<1>(), columnCount, pass, from, memory, stride)
    }
    if !isPlain { finishRows(rows, columns: columns, pass, to) }
    row &+= rows
  }
}

/// The slot `matrix_multiply`.
func matrixMultiply(
  _ productPointer: UnsafePointer<sasuka_matrix_product>?, _ a: UnsafePointer<Float>?,
  _ packed: UnsafePointer<Float>?, _ bias: UnsafePointer<Float>?, _ result: UnsafeMutablePointer<Float>?,
  _ unit: Int64, _ firstRow: Int64, _ endRow: Int64, _ epilogue: Int32
) {
  guard let product = productPointer?.pointee, let a, let packed, let result else { return }
  let part = MatrixUnit(columns: Int(product.columns), Int(unit))
  var vectors = zeroed() as InlineArray<2, Vector>
  if let bias {
    for column in 0..<part.vectors {
      vectors[column] = loadLanes(bias + part.first + column &* lanes, part.count &- column &* lanes)
    }
  }
  var sums = zeroed() as InlineArray<24, Vector>
  withUnsafeMutablePointer(to: &sums) { sums in
    let pass = MatrixPass(
      rowStride: Int(product.a_row_stride), depthStride: Int(product.a_depth_stride), depth: Int(product.depth),
      resultRow: Int(product.c_row_stride), columns: part.count, packed: packed + part.first &* Int(product.depth),
      bias: vectors, epilogue: Epilogue(epilogue),
      sums: UnsafeMutableRawPointer(sums).assumingMemoryBound(to: Float.self))
    withUnsafePointer(to: pass) { pass in
      if tileColumns == 2, part.vectors == 2 {
        matrixRows(Count<2>(), pass, a, result + part.first, Int(firstRow), Int(endRow))
      } else {
        matrixRows(Count<1>(), pass, a, result + part.first, Int(firstRow), Int(endRow))
      }
    }
  }
}

/// Some rows that are multiplied by some columns as they lie.
private struct DotPass {
  var a: UnsafePointer<Float>
  var rows: Int
  let rowStride: Int
  var b: UnsafePointer<Float>
  var columns: Int
  let depth: Int
  var bias: UnsafePointer<Float>?
  var result: UnsafeMutablePointer<Float>
  let resultRow: Int
  /// Of up to twelve results, a vector of sums each.
  let sums: UnsafeMutablePointer<Float>
}

/// The slot `matrix_dot`.
func matrixDot(
  _ productPointer: UnsafePointer<sasuka_matrix_product>?, _ a: UnsafePointer<Float>?, _ b: UnsafePointer<Float>?,
  _ bias: UnsafePointer<Float>?, _ result: UnsafeMutablePointer<Float>?, _ firstColumn: Int64, _ endColumn: Int64
) {
  guard let product = productPointer?.pointee, let a, let b, let result else { return }
  let (rows, depth) = (Int(product.rows), Int(product.depth))
  // Columns of a few kilobytes arrive from memory one after the other, a fifth faster; of longer ones, one alone would wait for
  // the first factor too, and the sums of shorter ones for each other.
  let isApart = depth > 256 && depth <= 2048
  // A core that asks memory for less with each load has more from it in eight streams than in four (AlexNet with AVX2: 3 % less
  // time).
  let mostColumns = lanes == 8 && rows == 1 ? 8 : 4
  var memory = zeroed() as InlineArray<12, Vector>
  withUnsafeMutablePointer(to: &memory) { memory in
    var pass = DotPass(
      a: a, rows: 1, rowStride: Int(product.a_row_stride), b: b, columns: mostColumns, depth: depth, bias: bias,
      result: result, resultRow: Int(product.c_row_stride),
      sums: UnsafeMutableRawPointer(memory).assumingMemoryBound(to: Float.self))
    var column = Int(firstColumn)
    while column < Int(endColumn) {
      pass.columns = min(Int(endColumn) &- column, mostColumns)
      pass.b = b + column &* depth
      pass.bias = bias.map { $0 + column }
      var row = 0
      while row < rows {
        // Twos and threes. With vectors of 4, small code comes before fast code.
        let left = rows &- row
        pass.rows = lanes == 4 ? 1 : left == 4 ? 2 : min(left, 3)
        pass.a = a + row &* pass.rowStride
        pass.result = result + (row &* pass.resultRow &+ column)
        dots(&pass, isApart: pass.columns < mostColumns || rows == 1 && isApart)
        row &+= pass.rows
      }
      column &+= pass.columns
    }
  }
}

/// - Parameter isApart: whether each result is computed by itself.
private func dots(_ pass: UnsafePointer<DotPass>, isApart: Bool) {
  let (a, b, sums) = (pass.pointee.a, pass.pointee.b, pass.pointee.sums)
  var done = 0
  switch isApart ? 0 : pass.pointee.rows {
  case 1 where lanes == 8: done = dotTile(Count<1>(), Count<8>(), Count<1>(), pass, a, b, sums)
  case 1 where lanes > 8: done = dotTile(Count<1>(), Count<4>(), Count<2>(), pass, a, b, sums)
  case 2 where lanes > 4: done = dotTile(Count<2>(), Count<4>(), Count<1>(), pass, a, b, sums)
  case 3 where lanes > 4: done = dotTile(Count<3>(), Count<4>(), Count<1>(), pass, a, b, sums)
  default:
    var place = sums
    for row in 0..<pass.pointee.rows {
      for column in 0..<pass.pointee.columns {
        done = dotTile(
          Count<1>(), Count<1>(), Count<2>(), pass, a + row &* pass.pointee.rowStride,
          b + column &* pass.pointee.depth, place)
        place += lanes
      }
    }
  }
  finishDots(pass, from: done)
}

/// Sums of the products of `rows` rows with `columns` columns, in `parts` of each result where they are few, which hides the latency.
///
/// - Returns: how much of the depth they are of: whole turns.
@inline(never)
private func dotTile<let rows: Int, let columns: Int, let parts: Int>(
  _: Count<rows>, _: Count<columns>, _: Count<parts>, _ pass: UnsafePointer<DotPass>, _ a: UnsafePointer<Float>,
  _ b: UnsafePointer<Float>, _ memory: UnsafeMutablePointer<Float>
) -> Int {
  var sums = zeroed() as InlineArray<parts, RegisterTile<rows, columns>>
  let (depth, rowStride) = (pass.pointee.depth, pass.pointee.rowStride)
  var k = 0
  while k &+ parts &* lanes <= depth {
    for part in 0..<parts {
      let place = k &+ part &* lanes
      var factors = zeroed() as InlineArray<rows, Vector>
      for row in 0..<rows { factors[row] = loadVector(a + (row &* rowStride &+ place)) }
      for column in 0..<columns {
        let factor = loadVector(b + (column &* depth &+ place))
        for row in 0..<rows {
          sums[part][row][column] = multiplyAdd(factors[row], factor, sums[part][row][column])
        }
      }
    }
    k &+= parts &* lanes
  }
  for row in 0..<rows {
    for column in 0..<columns {
      var sum = sums[0][row][column]
      for part in 1..<parts { sum += sums[part][row][column] }
      storeVector(sum, memory + (row &* columns &+ column) &* lanes)
    }
  }
  return k
}

/// The sums' lanes together, with the products from `first` on and the bias: one loop for all tiles, whose code it would be most of.
@inline(never)
private func finishDots(_ pass: UnsafePointer<DotPass>, from first: Int) {
  let (depth, rows, columns, sums) = (
    pass.pointee.depth, pass.pointee.rows, pass.pointee.columns, pass.pointee.sums
  )
  var k = first
  while k < depth {
    var place = sums
    var row = 0
    while row < rows {
      let factor = nextLanes(k, of: pass.pointee.a + row &* pass.pointee.rowStride, depth)
      var column = 0
      while column < columns {
        let other = nextLanes(k, of: pass.pointee.b + column &* depth, depth)
        storeVector(multiplyAdd(factor, other, loadVector(place)), place)
        place += lanes
        column = sasuka_one_by_one(column &+ 1)
      }
      row = sasuka_one_by_one(row &+ 1)
    }
    k = sasuka_one_by_one(k &+ lanes)
  }
  var number = 0
  while number < rows &* columns {
    var four = zeroed() as Square
    for line in 0..<4 { four[line] = sumOfFours(sums + (number &+ line) &* lanes) }
    four = transposed(four)
    let results = (four[0] + four[2]) + (four[1] + four[3])
    // Over sums that have been taken.
    UnsafeMutableRawPointer(sums + number).storeBytes(of: results, as: SIMD4<Float>.self)
    number = sasuka_one_by_one(number &+ 4)
  }
  var sum = UnsafePointer(sums)
  var row = 0
  while row < rows {
    let result = pass.pointee.result + row &* pass.pointee.resultRow
    var column = 0
    while column < columns {
      result[column] = sum.pointee + (pass.pointee.bias?[column] ?? 0)
      sum += 1
      column = sasuka_one_by_one(column &+ 1)
    }
    row = sasuka_one_by_one(row &+ 1)
  }
}

/// The next lanes of a vector of `depth` numbers, each once, and zeros.
@inline(never)
private func nextLanes(_ place: Int, of vector: UnsafePointer<Float>, _ depth: Int) -> Vector {
  let missing = place &+ lanes &- depth
  if missing <= 0 { return loadVector(vector + place) }
  if depth < lanes { return loadLanes(vector + place, depth &- place) }
  return select(firstLanes(missing), Vector(), loadVector(vector + (depth &- lanes)))
}
