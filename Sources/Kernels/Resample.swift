// Maps whose pixels lie between pixels of another map: resizing and padding, one channel block at a time.
import CSystem

func fillResample(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.resample_forward = { shape, input, output, firstRow, endRow in
    resampleForward(shape!.pointee, input!, output!, Int(firstRow), Int(endRow))
  }
  table.pointee.resample_backward = { shape, upstream, result in
    resampleBackward(shape!.pointee, upstream!, result!)
  }
}

/// a + weight (b - a), written so that b is not read into the result where it has no weight.
@inline(__always)
private func between(_ a: Vector, _ b: Vector, _ weight: Float) -> Vector {
  weight == 0 ? a : a * (1 - weight) + b * weight
}

private func resampleForward(
  _ shape: sasuka_resample, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, _ firstRow: Int,
  _ endRow: Int
) {
  let width = Vector.scalarCount
  let rowFloats = Int(shape.input_width) * width
  for y in firstRow..<endRow {
    let row = Int(shape.row[y])
    let upper = input + max(row, 0) * rowFloats
    let lower = input + max(Int(shape.next_row[y]), 0) * rowFloats
    for x in 0..<Int(shape.output_width) {
      let column = Int(shape.column[x])
      let to = output + (y * Int(shape.output_width) + x) * width
      guard row >= 0, column >= 0 else {
        storeVector(Vector(repeating: shape.constant), to)
        continue
      }
      let (left, right) = (column * width, Int(shape.next_column[x]) * width)
      let weight = shape.column_weight[x]
      let first = between(loadVector(upper + left), loadVector(upper + right), weight)
      let second = between(loadVector(lower + left), loadVector(lower + right), weight)
      storeVector(between(first, second, shape.row_weight[y]), to)
    }
  }
}

private func resampleBackward(
  _ shape: sasuka_resample, _ upstream: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>
) {
  let width = Vector.scalarCount
  let rowFloats = Int(shape.input_width) * width
  for pixel in 0..<Int(shape.input_height * shape.input_width) {
    storeVector(Vector(repeating: 0), result + pixel * width)
  }
  for y in 0..<Int(shape.output_height) where shape.row[y] >= 0 {
    let upper = result + Int(shape.row[y]) * rowFloats
    let lower = result + Int(shape.next_row[y]) * rowFloats
    let down = shape.row_weight[y]
    for x in 0..<Int(shape.output_width) where shape.column[x] >= 0 {
      let gradient = loadVector(upstream + (y * Int(shape.output_width) + x) * width)
      let (left, right) = (Int(shape.column[x]) * width, Int(shape.next_column[x]) * width)
      let across = shape.column_weight[x]
      spread(gradient, upper, left, right, across, 1 - down)
      if down != 0 { spread(gradient, lower, left, right, across, down) }
    }
  }
}

/// Adds a gradient to two neighbours of a row.
@inline(__always)
private func spread(
  _ gradient: Vector, _ row: UnsafeMutablePointer<Float>, _ left: Int, _ right: Int, _ across: Float, _ share: Float
) {
  storeVector(loadVector(UnsafePointer(row + left)) + gradient * (share * (1 - across)), row + left)
  if across != 0 { storeVector(loadVector(UnsafePointer(row + right)) + gradient * (share * across), row + right) }
}
