// The register tile that convolution and matrix product share: rows × columns vectors of sums that stay in registers.
import CSystem

/// Sums of `rows` broadcast operands times `columns` vector operands. Loops over it unroll wholly, so it never touches memory.
typealias RegisterTile<let rows: Int, let columns: Int> = InlineArray<rows, InlineArray<columns, Vector>>

/// Passes a number to a generic function at compile time.
struct Count<let value: Int> {}

/// Floats in one vector: the channel block.
@inline(__always) var lanes: Int { Vector.scalarCount }

/// Output-channel blocks of one tile. One for vectors of 4: there, small code comes before fast code.
@inline(__always) var tileColumns: Int { unitColumns(lanes: lanes) }

/// The same where blocks have so many floats.
@inline(__always)
func unitColumns(lanes: Int) -> Int { lanes > 4 ? 2 : 1 }

@inline(__always)
func loadVector(_ pointer: UnsafePointer<Float>) -> Vector {
  UnsafeRawPointer(pointer).loadUnaligned(as: Vector.self)
}

/// A vector's first half.
@inline(__always)
func lowHalf(_ vector: Vector) -> HalfVector {
  withUnsafePointer(to: vector) { UnsafeRawPointer($0).load(as: HalfVector.self) }
}

/// A half, and zeros behind it.
@inline(__always)
func widened(_ half: HalfVector) -> Vector {
  var vector = Vector()
  withUnsafeMutablePointer(to: &vector) { UnsafeMutableRawPointer($0).storeBytes(of: half, as: HalfVector.self) }
  return vector
}

@inline(__always)
func storeVector(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: Vector.self)
}

@inline(__always)
func loadHalf(_ pointer: UnsafePointer<Float>) -> HalfVector {
  UnsafeRawPointer(pointer).loadUnaligned(as: HalfVector.self)
}

/// The first `count` lanes from `pointer` on, `step` floats apart, and zeros. A call, as is `storeLanes`: inlined into every
/// loop's end they would be a third of the code.
@inline(never)
func loadLanes(_ pointer: UnsafePointer<Float>, _ count: Int, step: Int = 1) -> Vector {
  if step == 1, count >= lanes { return loadVector(pointer) }
  var vector = Vector()
  for lane in 0..<lanes where lane < count { vector[lane] = pointer[lane &* step] }
  return vector
}

/// Stores the first `count` lanes, `step` floats apart.
@inline(never)
func storeLanes(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>, _ count: Int, step: Int = 1) {
  if step == 1, count >= lanes { return storeVector(vector, pointer) }
  for lane in 0..<lanes where lane < count { pointer[lane &* step] = vector[lane] }
}

/// A vector's fours of lanes, one behind the other from `pointer` on, together.
@inline(__always)
func sumOfFours(_ pointer: UnsafePointer<Float>) -> SIMD4<Float> {
  let fours = UnsafeRawPointer(pointer)
  var sum = fours.loadUnaligned(as: SIMD4<Float>.self)
  for four in 1..<(lanes / 4) { sum += fours.loadUnaligned(fromByteOffset: 16 &* four, as: SIMD4<Float>.self) }
  return sum
}

/// Where the rows' operands lie, in floats from the first one's.
protocol RowPlaces {
  subscript(row: Int) -> Int { get }
}

/// Rows one behind the other, `stride` floats apart.
struct EvenRows: RowPlaces {
  let stride: Int

  @inline(__always)
  subscript(row: Int) -> Int { row &* stride }
}

/// Where the operands of a run of multiplications lie, in floats.
struct Run<Rows: RowPlaces> {
  let rows: Rows
  /// From one row's multiplication to its next.
  let rowStep: Int
  /// From one column's vector operand to the next column's, and from one multiplication to the next.
  let columnStride: Int
  let columnStep: Int
}

/// Steps of a run that one turn of its loop takes, at most. With vectors of 8 a step has few products beside what counts and
/// goes on: the core would take in instructions as fast as it can, and still compute less (1x1, before whole blocks had none of
/// it: 84 % of the peak of AVX2 against 92 %).
@inline(__always)
private func stepsAtOnce(rows: Int, columns: Int) -> Int { lanes == 8 && columns == 2 && rows > 3 ? 2 : 1 }

/// sums[row][column] += Σ over `count` steps of rowOperand[row] · columnOperand[column]. `columnOperand` goes on behind them.
@inline(__always)
func accumulate<let rows: Int, let columns: Int>(
  _ sums: inout RegisterTile<rows, columns>, _ rowOperand: UnsafePointer<Float>,
  _ columnOperand: inout UnsafePointer<Float>, _ run: Run<some RowPlaces>, count: Int
) {
  var scalar = rowOperand
  var remaining = count
  let atOnce = stepsAtOnce(rows: rows, columns: columns)
  while atOnce > 1 && remaining >= atOnce {
    for step in 0..<atOnce {
      accumulate(&sums, scalar + step &* run.rowStep, columnOperand + step &* run.columnStep, run)
    }
    scalar += atOnce &* run.rowStep
    columnOperand += atOnce &* run.columnStep
    remaining &-= atOnce
  }
  while remaining > 0 {
    accumulate(&sums, scalar, columnOperand, run)
    scalar += run.rowStep
    columnOperand += run.columnStep
    remaining &-= 1
  }
}

/// The same for a whole block of channels, without a loop. Where another program has the core's other half, a core takes in
/// instructions at half its speed: those that count and go on cost 1x1 layers, which are most of ResNet-50, 10 % there.
@inline(__always)
func accumulateBlock<let rows: Int, let columns: Int>(
  _ sums: inout RegisterTile<rows, columns>, _ rowOperand: UnsafePointer<Float>,
  _ columnOperand: inout UnsafePointer<Float>, _ run: Run<some RowPlaces>
) {
  for step in 0..<lanes {
    accumulate(&sums, rowOperand + step &* run.rowStep, columnOperand + step &* run.columnStep, run)
  }
  columnOperand += lanes &* run.columnStep
}

/// One step of it.
@inline(__always)
func accumulate<let rows: Int, let columns: Int>(
  _ sums: inout RegisterTile<rows, columns>, _ scalar: UnsafePointer<Float>, _ vector: UnsafePointer<Float>,
  _ run: Run<some RowPlaces>
) {
  var factors = zeroed() as InlineArray<columns, Vector>
  for column in 0..<columns { factors[column] = loadVector(vector + column &* run.columnStride) }
  accumulate(&sums, scalar, run.rows, factors)
}

/// The same, with the vector operands in registers.
///
/// Products stay in their order where registers are few, and broadcasts with them: the compiler would take all rows of a column
/// first, with all their broadcasts in registers, and 6 x 2 sums would go through memory (53 % of the peak of AVX2 against 97 %).
@inline(__always)
func accumulate<let rows: Int, let columns: Int>(
  _ sums: inout RegisterTile<rows, columns>, _ scalar: UnsafePointer<Float>, _ places: some RowPlaces,
  _ factors: InlineArray<columns, Vector>
) {
  for row in 0..<rows {
    let broadcast = Vector(repeating: scalar[places[row]])
    for column in 0..<columns {
      sums[row][column] = pinnedMultiplyAdd(broadcast, factors[column], sums[row][column])
    }
  }
}

/// The same for one half vector.
@inline(__always)
func accumulate<let rows: Int>(
  _ sums: inout InlineArray<rows, HalfVector>, _ rowOperand: UnsafePointer<Float>,
  _ columnOperand: inout UnsafePointer<Float>, _ run: Run<some RowPlaces>, count: Int
) {
  var scalar = rowOperand
  var remaining = count
  while remaining > 0 {
    let factor = loadHalf(columnOperand)
    for row in 0..<rows {
      sums[row] = multiplyAdd(HalfVector(repeating: scalar[run.rows[row]]), factor, sums[row])
    }
    scalar += run.rowStep
    columnOperand += run.columnStep
    remaining &-= 1
  }
}

/// What happens to a sum on its way to memory.
struct Epilogue {
  var adds: Bool
  /// What the result is kept between; infinite where it is not clamped.
  var floor: Float
  var ceiling: Float

  init(_ flags: Int32) {
    adds = flags & Int32(SASUKA_EPILOGUE_ADD) != 0
    let isRelu6 = flags & Int32(SASUKA_EPILOGUE_RELU6) != 0
    floor = isRelu6 || flags & Int32(SASUKA_EPILOGUE_RELU) != 0 ? 0 : -.infinity
    ceiling = isRelu6 ? 6 : .infinity
  }

  /// Whether sums go to memory as they are.
  var isPlain: Bool { !adds && floor == -.infinity && ceiling == .infinity }

  /// `sum`, after adding `held`'s vector where asked, clamped.
  @inline(__always)
  func apply(_ sum: Vector, held: UnsafePointer<Float>) -> Vector {
    clamp(adds ? sum + loadVector(held) : sum)
  }

  /// `value` between floor and ceiling. What is not a number stays it.
  @inline(__always)
  func clamp(_ value: Vector) -> Vector {
    let (floor, ceiling) = (Vector(repeating: floor), Vector(repeating: ceiling))
    let raised = select(less(value, floor), floor, value)
    return select(less(ceiling, raised), ceiling, raised)
  }
}

/// Which heights of tiles are compiled. Each is up to two kilobytes of code, so they are few.
///
/// The sums of the tallest, with its vector operands and one broadcast, fit the registers: 32 of AVX-512, 16 of AVX2.
@inline(__always)
func hasTile(height: Int, columns: Int) -> Bool {
  switch (lanes, columns) {
  case (16, 2): height == 14 || height == 8 || height == 7 || height == 4 || height <= 2
  case (16, 0): height == 14 || height == 7 || height == 4 || height == 1
  case (16, _): height == 14 || height == 7 || height == 4 || height <= 2
  case (8, 1): height == 12 || height == 7 || height == 4 || height <= 2
  case (8, _): height <= 6
  default: height == 4 || height == 1
  }
}

/// Splits the pixels of a row into tiles.
struct TileHeights {
  private let columns: Int
  /// The fewest parts of at most 6 pixels, as equal as can be: the first, `larger` of them, have one pixel more than `size`,
  /// the others, `equal`, have `size`.
  let size: Int
  let larger: Int
  let equal: Int

  @inline(__always)
  init(width: Int, columns: Int) {
    self.columns = columns
    let count = (width &+ 5) / 6
    size = count == 0 ? 0 : width / count
    larger = count == 0 ? 0 : width % count
    equal = count &- larger
  }

  /// The height of the next tile where `left` pixels remain.
  @inline(__always)
  func next(left: Int) -> Int {
    // Sums of 4 x 2 are as many as the FMA units have under way: equal parts waste least.
    if lanes == 8, columns == 2 { return left > equal &* size ? size &+ 1 : size }
    if lanes == 16, fits(14, left) { return 14 }
    if lanes == 16, columns == 2, fits(8, left) { return 8 }
    if lanes == 8, fits(12, left) { return 12 }
    if lanes >= 8, fits(7, left) { return 7 }
    if fits(4, left) { return 4 }
    if lanes >= 8, columns > 0, fits(2, left) { return 2 }
    return 1
  }

  /// Whether what remains after a tile needs no tile of one or two pixels, whose few sums wait for each other.
  @inline(__always)
  private func fits(_ height: Int, _ left: Int) -> Bool {
    let rest = left &- height
    return rest == 0 || rest == 4 || rest > 5
  }
}
