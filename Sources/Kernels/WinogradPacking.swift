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
  _ scratch: UnsafeMutablePointer<Float>?, _ firstUnit: Int64, _ endUnit: Int64
) {
  guard let shape = shapePointer?.pointee, let strides = strides?.pointee else { return }
  guard let source, let packed, let scratch else { return }
  let product = shape.product(tiles: 1)
  let weightsOfPair = withUnsafePointer(to: shape) { Int(sasuka_winograd_weights($0)) }
  let rows = WeightTransform(points: Int(shape.point_rows), taps: Int(shape.taps(shape.kernel_height)))
  let columns = WeightTransform(points: Int(shape.point_columns), taps: Int(shape.taps(shape.kernel_width)))
  let inputs = Int(shape.input_channels)
  var index = Int(firstUnit)
  while index < Int(endUnit) {
    let unit = ConvolutionUnit(product, index)
    let width = unit.columns &* lanes
    let from = source + unit.firstOutput &* Int(strides.output)
    let to = packed + index &* weightsOfPair &* product.unitFloats
    var input = 0
    while input < inputs {
      let count = min(inputsAtOnce, inputs &- input)
      gatherKernels(
        scratch, width, from + input &* Int(strides.input), shape, strides, scales.map { $0 + unit.firstOutput },
        outputs: unit.outputs, inputs: count)
      var phase = 0
      while phase < shape.phases {
        transformKernels(
          scratch, width, shape, phase, rows, columns, to + input &* width, inputs &* width, inputs: count)
        phase &+= 1
      }
      input &+= count
    }
    index &+= 1
  }
  sasuka_end_streams()
}

/// Kernels, times the scales of their output channels, as [input channel][tap][output channel]; zeros behind the last.
@inline(__always)
private func gatherKernels(
  _ kernels: UnsafeMutablePointer<Float>, _ width: Int, _ source: UnsafePointer<Float>, _ shape: sasuka_winograd,
  _ strides: sasuka_weight_strides, _ scales: UnsafePointer<Float>?, outputs: Int, inputs: Int
) {
  var output = 0
  while output < width {
    let isReal = output < outputs
    let scale = isReal ? scales.map { $0[output] } ?? 1 : 0
    var to = kernels + output
    var input = 0
    while input < inputs {
      let from = source + (isReal ? output &* Int(strides.output) : 0) + input &* Int(strides.input)
      var row = 0
      while row < Int(shape.kernel_height) {
        var column = 0
        while column < Int(shape.kernel_width) {
          to.pointee = isReal ? from[row &* Int(strides.row) &+ column &* Int(strides.column)] * scale : 0
          to += width
          column = sasuka_one_by_one(column &+ 1)
        }
        row &+= 1
      }
      input &+= 1
    }
    output &+= 1
  }
}

/// One phase of kernels at all its points, row of points by row of points; `phaseStride` floats lie from one phase at a point
/// to the next.
@inline(__always)
private func transformKernels(
  _ kernels: UnsafePointer<Float>, _ width: Int, _ shape: sasuka_winograd, _ phase: Int, _ rows: WeightTransform,
  _ columns: WeightTransform, _ packed: UnsafeMutablePointer<Float>, _ phaseStride: Int, inputs: Int
) {
  let odd = shape.phase(phase)
  let stride = Int(shape.stride)
  let kernelRow = Int(shape.kernel_width) &* width
  let kernelFloats = Int(shape.kernel_height) &* kernelRow
  let kernels = kernels + odd.row &* kernelRow + odd.column &* width
  var buffer = zeroed() as InlineArray<8, Vector>
  withUnsafeMutablePointer(to: &buffer) { buffer in
    // One row of points of a vector of kernels, between the two transforms.
    let half = UnsafeMutableRawPointer(buffer).assumingMemoryBound(to: Float.self)
    var row = 0
    while row < rows.points &- odd.row {
      let phases = PhasesOfRow(shape, row: row)
      let to = packed + (phases.before &+ phase &- phases.first) &* phaseStride
      var place = 0
      while place < inputs &* width {
        let from = kernels + place / width &* kernelFloats + place % width
        var column = 0
        while column < columns.taps &- odd.column {
          let line = from + column &* stride &* width
          storeVector(
            rows.apply(row: row, line, step: stride &* kernelRow, taps: rows.taps &- odd.row), half + column &* lanes)
          column &+= 1
        }
        var point = 0
        while point < columns.points &- odd.column {
          let sum = columns.apply(row: point, half, step: lanes, taps: columns.taps &- odd.column)
          stream(sum, to + point &* phases.count &* phaseStride + place)
          point &+= 1
        }
        place &+= lanes
      }
      row &+= 1
    }
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

  /// One row times a line of vectors that lie `step` floats apart, of `count` taps: a finite point's row serves fewer too.
  @inline(__always)
  func apply(row: Int, _ line: UnsafePointer<Float>, step: Int, taps count: Int) -> Vector {
    var sum = Vector()
    var tap = 0
    while tap < count {
      sum = multiplyAdd(Vector(repeating: matrix[row &* taps &+ tap]), loadVector(line + tap &* step), sum)
      tap = sasuka_one_by_one(tap &+ 1)
    }
    return sum
  }
}
