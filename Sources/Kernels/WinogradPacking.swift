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
  let rows = WeightTransform(points: Int(shape.point_rows), taps: Int(shape.kernel_height))
  let columns = WeightTransform(points: Int(shape.point_columns), taps: Int(shape.kernel_width))
  let inputs = Int(shape.input_channels)
  var index = Int(firstUnit)
  while index < Int(endUnit) {
    let unit = ConvolutionUnit(product, index)
    let width = unit.columns &* lanes
    let from = source + unit.firstOutput &* Int(strides.output)
    let to = packed + index &* shape.points &* product.unitFloats
    var input = 0
    while input < inputs {
      let count = min(inputsAtOnce, inputs &- input)
      gatherKernels(
        scratch, width, from + input &* Int(strides.input), shape, strides, scales.map { $0 + unit.firstOutput },
        outputs: unit.outputs, inputs: count)
      transformKernels(scratch, width, rows, columns, to + input &* width, inputs &* width, inputs: count)
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
          column &+= 1
        }
        row &+= 1
      }
      input &+= 1
    }
    output &+= 1
  }
}

/// Kernels at all points, `pointStride` floats apart, row of points by row of points.
@inline(__always)
private func transformKernels(
  _ kernels: UnsafePointer<Float>, _ width: Int, _ rows: WeightTransform, _ columns: WeightTransform,
  _ packed: UnsafeMutablePointer<Float>, _ pointStride: Int, inputs: Int
) {
  var buffer = zeroed() as InlineArray<8, Vector>
  withUnsafeMutablePointer(to: &buffer) { buffer in
    // One row of points of a vector of kernels, between the two transforms.
    let half = UnsafeMutableRawPointer(buffer).assumingMemoryBound(to: Float.self)
    let kernelFloats = rows.taps &* columns.taps &* width
    var row = 0
    while row < rows.points {
      let to = packed + row &* columns.points &* pointStride
      var place = 0
      while place < inputs &* width {
        let from = kernels + place / width &* kernelFloats + place % width
        var column = 0
        while column < columns.taps {
          storeVector(rows.apply(row: row, from + column &* width, step: columns.taps &* width), half + column &* lanes)
          column &+= 1
        }
        var point = 0
        while point < columns.points {
          stream(columns.apply(row: point, half, step: lanes), to + point &* pointStride + place)
          point &+= 1
        }
        place &+= lanes
      }
      row &+= 1
    }
  }
}

/// The matrix that transforms a line of `taps` weights: powers of each point, divided by its distances from the others.
struct WeightTransform {
  let points: Int
  let taps: Int
  private var matrix = zeroed() as InlineArray<80, Float>

  init(points: Int, taps: Int) {
    self.points = points
    self.taps = taps
    var row = 0
    while row &+ 1 < points {
      var value = 1.0
      var other = 0
      while other &+ 1 < points {
        if other != row { value /= winogradPoint(row, of: points) - winogradPoint(other, of: points) }
        other &+= 1
      }
      var tap = 0
      while tap < taps {
        matrix[row &* taps &+ tap] = Float(value)
        value *= winogradPoint(row, of: points)
        tap &+= 1
      }
      row &+= 1
    }
    matrix[points &* taps &- 1] = 1
  }

  /// One row times a line of vectors that lie `step` floats apart.
  @inline(__always)
  func apply(row: Int, _ line: UnsafePointer<Float>, step: Int) -> Vector {
    var sum = Vector()
    var tap = 0
    while tap < taps {
      sum = multiplyAdd(Vector(repeating: matrix[row &* taps &+ tap]), loadVector(line + tap &* step), sum)
      tap &+= 1
    }
    return sum
  }
}
