// Matrix product of row-major matrices of any strides with a packed second operand.
import CSystem

/// The slot `matrix_pack`.
func matrixPack(
  _ columns: Int64, _ depth: Int64, _ depthStride: Int64, _ columnStride: Int64, _ source: UnsafePointer<Float>?,
  _ packed: UnsafeMutablePointer<Float>?, _ firstUnit: Int64, _ endUnit: Int64
) {
  guard let source, let packed else { return }
  var unit = Int(firstUnit)
  while unit < Int(endUnit) {
    let part = MatrixUnit(columns: Int(columns), unit)
    let width = part.vectors &* lanes
    let from = source + part.first &* Int(columnStride)
    var to = packed + part.first &* Int(depth)
    var k = 0
    while k < Int(depth) {
      var column = 0
      while column < width {
        to[column] = column < part.count ? from[k &* Int(depthStride) &+ column &* Int(columnStride)] : 0
        column &+= 1
      }
      to += width
      k &+= 1
    }
    unit &+= 1
  }
}

/// The columns of one unit of work.
private struct MatrixUnit {
  let first: Int
  let count: Int
  let vectors: Int

  init(columns: Int, _ unit: Int) {
    first = unit &* tileColumns &* lanes
    count = min(tileColumns &* lanes, columns &- first)
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
    rowStride: pass.pointee.rowStride, rowStep: pass.pointee.depthStride, columnStride: lanes,
    columnStep: columns &* lanes)
  accumulate(&sums, a, pass.pointee.packed, run, count: pass.pointee.depth)
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
    let rows = lanes == 16 && left >= 12 ? 12 : lanes >= 8 && left >= 5 ? 5 : left >= 4 ? 4 : left >= 2 ? 2 : 1
    switch rows {
    case 12 where lanes == 16: matrixTile(Count<12>(), columnCount, pass, from, memory, stride)
    case 5 where lanes >= 8: matrixTile(Count<5>(), columnCount, pass, from, memory, stride)
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
