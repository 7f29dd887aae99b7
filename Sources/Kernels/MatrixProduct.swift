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
    let rows = lanes == 16 && left >= 12 ? 12 : lanes >= 8 && left >= 6 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1
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

/// Long columns that arrive side by side. A core that asks memory for less with each load has more from it in eight streams than
/// in four (AlexNet with AVX2: 3 % less time).
private var columnsAtOnce: Int { lanes == 8 ? 8 : 4 }

/// The slot `matrix_dot`.
func matrixDot(
  _ productPointer: UnsafePointer<sasuka_matrix_product>?, _ a: UnsafePointer<Float>?, _ b: UnsafePointer<Float>?,
  _ bias: UnsafePointer<Float>?, _ result: UnsafeMutablePointer<Float>?, _ firstColumn: Int64, _ endColumn: Int64
) {
  guard let product = productPointer?.pointee, let a, let b, let result else { return }
  let depth = Int(product.depth)
  var column = Int(firstColumn)
  while column < Int(endColumn) {
    // Short columns arrive one after the other, a fifth faster; of long ones, one alone would wait for the first factor too.
    let isMany = depth > 2048 && Int(endColumn) &- column >= columnsAtOnce
    for row in 0..<Int(product.rows) {
      let from = a + row &* Int(product.a_row_stride)
      let to = result + (row &* Int(product.c_row_stride) &+ column)
      let (vector, ownBias) = (b + column &* depth, bias.map { $0 + column })
      switch isMany ? columnsAtOnce : 1 {
      case 8: dotTile(Count<8>(), Count<1>(), from, vector, depth, ownBias, to)
      case 4: dotTile(Count<4>(), Count<2>(), from, vector, depth, ownBias, to)
      default: dotTile(Count<1>(), Count<2>(), from, vector, depth, ownBias, to)
      }
    }
    column &+= isMany ? columnsAtOnce : 1
  }
}

/// The products of one vector with `columns` vectors that lie one after the other. Few columns have several sums each, which hide
/// the latency.
@inline(never)
private func dotTile<let columns: Int, let sumsOfColumn: Int>(
  _: Count<columns>, _: Count<sumsOfColumn>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ depth: Int,
  _ bias: UnsafePointer<Float>?, _ result: UnsafeMutablePointer<Float>
) {
  var sums = zeroed() as RegisterTile<sumsOfColumn, columns>
  var k = 0
  while k &+ sumsOfColumn &* lanes <= depth {
    for part in 0..<sumsOfColumn {
      let place = k &+ part &* lanes
      let factor = loadVector(a + place)
      for column in 0..<columns {
        sums[part][column] = multiplyAdd(factor, loadVector(b + (column &* depth &+ place)), sums[part][column])
      }
    }
    k &+= sumsOfColumn &* lanes
  }
  for column in 0..<columns {
    var vector = sums[0][column]
    for part in 1..<sumsOfColumn { vector += sums[part][column] }
    result[column] = dotEnd(vector, a, b + column &* depth, k, depth) + (bias?[column] ?? 0)
  }
}

/// The sum of a vector's lanes and of the products from `first` on. A call: inlined into each column it would be most of the code.
@inline(never)
private func dotEnd(_ sums: Vector, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ first: Int, _ depth: Int)
  -> Float
{
  var (vector, k) = (sums, first)
  while k < depth {
    vector = multiplyAdd(loadLanes(a + k, depth &- k), loadLanes(b + k, depth &- k), vector)
    k &+= lanes
  }
  // Halves upon halves: lane after lane, each sum would wait for the one before.
  var half = lanes &>> 1
  repeat {
    for lane in 0..<half { vector[lane] += vector[lane &+ half] }
    half &>>= 1
  } while half > 0
  return vector[0]
}
