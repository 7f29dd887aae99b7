// The first layer: an image of a few channels is read as it came, plane by plane. In blocks it would be padded to a whole
// vector of channels, and copying it there would take longer than the convolution.
import CSystem

/// `rows` neighbouring pixels of an output row, all channels of the unit.
@inline(never)
private func planarTile<let rows: Int, let columns: Int>(
  _: Count<rows>, _: Count<columns>, from first: Int = 0, _ pass: UnsafePointer<ConvolutionPass>,
  _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>
) {
  var tile = zeroed() as ConvolutionTile<rows, columns>
  let output = output + first &* pass.pointee.outputBlock
  tile.start(first, pass, held: output, EvenRows(stride: pass.pointee.outputPixel))
  let run = Run(
    rows: EvenRows(stride: pass.pointee.pixel), rowStep: pass.pointee.inputBlock, columnStride: lanes,
    columnStep: columns == 2 ? 2 &* lanes : pass.pointee.weightStep)
  let channels = pass.pointee.endInput
  var weights = pass.pointee.packed + first &* lanes
  var pixels = input
  var kernelRows = pass.pointee.kernelHeight
  while kernelRows > 0 {
    var kernelColumns = pass.pointee.kernelWidth
    while kernelColumns > 0 {
      // Pictures have three: a loop over so few takes as long as a tenth of their products. Other numbers are rare, and come one
      // by one: several at once would be a second copy of the same code.
      if lanes == 8, channels == 3 {
        tile.addProducts(pixels, &weights, run, count: 3)
      } else if lanes == 8 {
        var (plane, left) = (pixels, channels)
        while left > 0 {
          tile.addProducts(plane, &weights, run, count: 1)
          plane += run.rowStep
          left = sasuka_one_by_one(left &- 1)
        }
      } else {
        tile.addProducts(pixels, &weights, run, count: channels)
      }
      pixels += pass.pointee.kernelColumn
      kernelColumns &-= 1
    }
    pixels += pass.pointee.kernelRowEnd
    kernelRows &-= 1
  }
  tile.finish(pass, output, EvenRows(stride: pass.pointee.outputPixel))
}

/// One row of the output, `columns` vectors of its channels from vector `first` on, 0 for half a vector.
@inline(__always)
private func planarRow<let columns: Int>(
  _ columnCount: Count<columns>, from first: Int = 0, _ pass: UnsafePointer<ConvolutionPass>,
  _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>,
  width: Int
) {
  let tall = lanes == 16 ? 7 : lanes == 8 ? 6 : 4
  // From half a tile on, what is left is a tile that begins earlier: what it has in common with the one before is computed
  // alike. SqueezeNet's rows of 111 pixels: 0.97 of the time.
  let fewest = width >= tall && !pass.pointee.epilogue.adds ? tall / 2 &+ 1 : tall
  var pixel = 0
  while pixel < width {
    let isTall = width &- pixel >= fewest
    if isTall { pixel = min(pixel, width &- tall) }
    let (from, to) = (input + pixel &* pass.pointee.pixel, output + pixel &* pass.pointee.outputPixel)
    if !isTall {
      planarTile(Count<1>(), columnCount, from: first, pass, from, to)
    } else if lanes == 16 {
      planarTile(Count<7>(), columnCount, from: first, pass, from, to)
    } else if lanes == 8 {
      planarTile(Count<6>(), columnCount, from: first, pass, from, to)
    } else {
      planarTile(Count<4>(), columnCount, from: first, pass, from, to)
    }
    pixel &+= isTall ? tall : 1
  }
}

/// The slot `convolution_planar_forward`.
func planarForward(
  _ shapePointer: UnsafePointer<sasuka_convolution>?, _ input: UnsafePointer<Float>?, _ packed: UnsafePointer<Float>?,
  _ bias: UnsafePointer<Float>?, _ output: UnsafeMutablePointer<Float>?, _ unit: Int64, _ firstRow: Int64,
  _ endRow: Int64, _ epilogue: Int32
) {
  guard let shape = shapePointer?.pointee, let input, let packed, let output else { return }
  let work = ConvolutionUnit(shape, Int(unit))
  let pass = ConvolutionPass(
    shape, work, pixelFloats: 1, packed: packed + Int(unit) &* shape.unitFloats, bias: bias, epilogue: epilogue)
  let to = output + work.firstOutput / lanes &* Int(shape.output_block_stride)
  let width = Int(shape.output_width)
  withUnsafePointer(to: pass) { pass in
    var row = Int(firstRow)
    while row < Int(endRow) {
      let source = input + row &* Int(shape.stride_height &* shape.input_width)
      let target = to + row &* Int(shape.output_row_stride)
      if hasHalves, work.endsInHalf {
        if work.columns == 2 { planarRow(Count<1>(), pass, source, target, width: width) }
        planarRow(Count<0>(), from: work.columns &- 1, pass, source, target, width: width)
      } else if work.columns == 2, tileColumns == 2 {
        planarRow(Count<2>(), pass, source, target, width: width)
      } else {
        planarRow(Count<1>(), pass, source, target, width: width)
      }
      row &+= 1
    }
  }
}
