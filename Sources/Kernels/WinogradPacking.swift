// The weights of Winograd's convolution, transformed and packed.
import CSystem

/// Input channels that are transformed together: long enough a run of memory to be read and written at its speed.
private let inputsAtOnce = 16

/// The slot `winograd_pack`.
///
/// What is written goes past the caches: as many lines as there are points, far apart, and reading them first would take
/// most of the time.
func winogradPack(
  _ shapePointer: UnsafePointer<sasuka_winograd>?, _ strides: UnsafePointer<sasuka_weight_strides>?,
  _ source: UnsafePointer<Float>?, _ scales: UnsafePointer<Float>?, _ packed: UnsafeMutablePointer<Float>?,
  _ scratch: UnsafeMutablePointer<Float>?, _ firstUnit: Int64, _ endUnit: Int64, _ lanes: Int64
) {
  guard let shape = shapePointer?.pointee, let strides = strides?.pointee else { return }
  guard let source, let packed, let scratch else { return }
  let lanes = Int(lanes)
  let product = shape.product(tiles: 1)
  let weightsOfPair = withUnsafePointer(to: shape) { Int(sasuka_winograd_weights($0)) }
  var rows = WeightTransform(points: Int(shape.point_rows), taps: Int(shape.taps(shape.kernel_height)))
  var columns = WeightTransform(points: Int(shape.point_columns), taps: Int(shape.taps(shape.kernel_width)))
  let inputs = Int(shape.input_channels)
  let taps = TapCopy(Int(shape.kernel_height), Int(shape.kernel_width), strides)
  var index = Int(firstUnit)
  while index < Int(endUnit) {
    let unit = ConvolutionUnit(product, index, lanes: lanes)
    let width = unit.columns &* lanes
    let tapFloats = inputsAtOnce &* width
    let to = packed + index &* weightsOfPair &* product.unitFloats(lanes: lanes)
    // [tap][input channel][output channel]; zeros behind the last output.
    if unit.outputs < width { clear(scratch, taps.count &* tapFloats) }
    var input = 0
    while input < inputs {
      let count = min(inputsAtOnce, inputs &- input)
      let from = source + unit.firstOutput &* Int(strides.output) + input &* Int(strides.input)
      var output = 0
      while output < unit.outputs {
        let scale = scales.map { $0[unit.firstOutput &+ output] } ?? 1
        taps.copy(
          from + output &* Int(strides.output), times: scale, to: scratch + output, inputs: count, inputStep: width,
          tapStep: tapFloats)
        output &+= 1
      }
      var phase = 0
      while phase < shape.phases {
        transformKernels(
          scratch, shape, phase, &rows, &columns, to + input &* width, inputs &* width, tapFloats: tapFloats,
          floats: count &* width)
        phase &+= 1
      }
      input &+= count
    }
    index &+= 1
  }
  sasuka_end_streams()
}

/// One phase of kernels at all its points, row of points by row of points; `phaseStride` floats lie from one phase at a point
/// to the next. Behind the kernels there is place for what is between the two transforms.
@inline(__always)
private func transformKernels(
  _ kernels: UnsafeMutablePointer<Float>, _ shape: sasuka_winograd, _ phase: Int,
  _ rows: inout WeightTransform, _ columns: inout WeightTransform, _ packed: UnsafeMutablePointer<Float>,
  _ phaseStride: Int, tapFloats: Int, floats: Int
) {
  let odd = shape.phase(phase)
  let fewer = shape.fewer(inPhase: odd)
  let (kernelRow, step) = (Int(shape.kernel_width) &* tapFloats, Int(shape.stride) &* tapFloats)
  let between = kernels + Int(shape.kernel_height) &* kernelRow
  let kernels = kernels + odd.row &* kernelRow + odd.column &* tapFloats
  var row = 0
  while row < rows.points &- fewer.row {
    let phases = PhasesOfRow(shape, row: row)
    let to = packed + (phases.before &+ phase &- phases.first) &* phaseStride
    var column = 0
    while column < columns.taps &- fewer.column {
      rows.apply(
        row: row, kernels + column &* step, step: Int(shape.kernel_width) &* step, taps: rows.taps &- fewer.row,
        floats: floats, to: between + column &* tapFloats, streams: false)
      column &+= 1
    }
    var point = 0
    while point < columns.points &- fewer.column {
      columns.apply(
        row: point, between, step: tapFloats, taps: columns.taps &- fewer.column, floats: floats,
        to: to + point &* phases.count &* phaseStride, streams: true)
      point &+= 1
    }
    row &+= 1
  }
}

/// The points where they are no constants.
@inline(never)
private func winogradPoint(_ index: Int, _ points: Int) -> Double { winogradPoint(index, of: points) }

/// The matrix that transforms a line of `taps` weights: powers of each point, divided by its distances from the others.
struct WeightTransform {
  let points: Int
  let taps: Int
  private var matrix = zeroed() as InlineArray<84, Float>

  @inline(never)
  init(points: Int, taps: Int) {
    self.points = points
    self.taps = taps
    var row = 0
    while row &+ 1 < points {
      let point = winogradPoint(row, points)
      var value = 1.0
      var other = 0
      while other &+ 1 < points {
        if other != row { value /= point - winogradPoint(other, points) }
        other &+= 1
      }
      var tap = 0
      while tap < taps {
        matrix[row &* taps &+ tap] = Float(value)
        value *= point
        tap &+= 1
      }
      row &+= 1
    }
    matrix[points &* taps &- 1] = 1
  }

  /// One row times lines of `floats` floats that lie `step` floats apart, of `count` taps: a finite point's row serves fewer
  /// too. Mutating only so that the matrix is read where it lies.
  @inline(never)
  mutating func apply(
    row: Int, _ lines: UnsafePointer<Float>, step: Int, taps count: Int, floats: Int, to: UnsafeMutablePointer<Float>,
    streams: Bool
  ) {
    let first = row &* taps
    withUnsafeMutablePointer(to: &matrix) {
      let coefficients = UnsafeMutableRawPointer($0).assumingMemoryBound(to: Float.self) + first
      var place = 0
      while place < floats {
        // Four vectors at a time; of the last ones some may be the same.
        let last = floats &- lanes &- place
        let (second, third, fourth) = (min(lanes, last), min(2 &* lanes, last), min(3 &* lanes, last))
        var (a, b, c, d) = (Vector(), Vector(), Vector(), Vector())
        var line = lines + place
        var tap = 0
        while tap < count {
          let coefficient = Vector(repeating: coefficients[tap])
          a = multiplyAdd(coefficient, loadVector(line), a)
          b = multiplyAdd(coefficient, loadVector(line + second), b)
          c = multiplyAdd(coefficient, loadVector(line + third), c)
          d = multiplyAdd(coefficient, loadVector(line + fourth), d)
          line += step
          tap = sasuka_one_by_one(tap &+ 1)
        }
        let result = to + place
        if streams {
          stream(a, result)
          stream(b, result + second)
          stream(c, result + third)
          stream(d, result + fourth)
        } else {
          storeVector(a, result)
          storeVector(b, result + second)
          storeVector(c, result + third)
          storeVector(d, result + fourth)
        }
        place &+= 4 &* lanes
      }
    }
  }
}
