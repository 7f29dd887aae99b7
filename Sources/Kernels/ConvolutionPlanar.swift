// The first layer: an image of a few channels is read as it came, plane by plane. In blocks it would be padded to a whole
// vector of channels, and copying it there would take longer than the convolution.
import CSystem

/// `count` tiles of `rows` neighbouring pixels of an output row each, one behind the other, and `columns` vectors of the unit's
/// channels from vector `first` on, 0 for half a vector.
@inline(never)
private func planarTiles<let rows: Int, let columns: Int>(
  _: Count<rows>, _: Count<columns>, _ count: Int, from first: Int, _ pass: UnsafePointer<ConvolutionPass>,
  _ firstInput: UnsafePointer<Float>, _ firstOutput: UnsafeMutablePointer<Float>
) {
  let run = Run(
    rows: EvenRows(stride: pass.pointee.pixel), rowStep: pass.pointee.inputBlock, columnStride: lanes,
    columnStep: columns == 2 ? 2 &* lanes : pass.pointee.weightStep)
  let channels = pass.pointee.endInput
  let isUsual =
    lanes == 8 && columns > 0 && rows > 1 && channels == 3 && pass.pointee.kernelWidth == 3
    && pass.pointee.kernelColumn == 1
  var (input, output) = (firstInput, firstOutput + first &* pass.pointee.outputBlock)
  var left = count
  while left > 0 {
    var tile = zeroed() as ConvolutionTile<rows, columns>
    tile.start(first, pass, held: output, EvenRows(stride: pass.pointee.outputPixel))
    var weights = pass.pointee.packed + first &* lanes
    var pixels = input
    var kernelRows = pass.pointee.kernelHeight
    while kernelRows > 0 {
      // Many networks begin with a kernel of 3 x 3 on a picture. Without loops over so few products they take 0.97 of the time,
      // where another program has the core's other half 0.86.
      if isUsual {
        for column in 0..<3 { tile.addProducts(pixels + column, &weights, run, count: 3) }
        pixels += 3
      } else {
        tile.addColumns(&pixels, &weights, run, pass, channels: channels)
      }
      pixels += pass.pointee.kernelRowEnd
      kernelRows = sasuka_one_by_one(kernelRows &- 1)
    }
    tile.finish(pass, output, EvenRows(stride: pass.pointee.outputPixel))
    input += rows &* pass.pointee.pixel
    output += rows &* pass.pointee.outputPixel
    left &-= 1
  }
}

extension ConvolutionTile {
  /// The products of a kernel's row. `pixels` and `weights` go on behind them.
  @inline(__always)
  fileprivate mutating func addColumns(
    _ pixels: inout UnsafePointer<Float>, _ weights: inout UnsafePointer<Float>, _ run: Run<EvenRows>,
    _ pass: UnsafePointer<ConvolutionPass>, channels: Int
  ) {
    var kernelColumns = pass.pointee.kernelWidth
    if channels == 1, pass.pointee.kernelColumn == 1 {
      // Neighbours are what channels are elsewhere.
      let neighbours = Run(rows: run.rows, rowStep: 1, columnStride: run.columnStride, columnStep: run.columnStep)
      addProducts(pixels, &weights, neighbours, count: kernelColumns)
      pixels += kernelColumns
      return
    }
    while kernelColumns > 0 {
      // Pictures have three: a loop over so few takes as long as a tenth of their products. Other numbers are rare, and come one
      // by one: several at once would be a second copy of the same code.
      if lanes == 8, channels == 3 {
        addProducts(pixels, &weights, run, count: 3)
      } else if lanes == 8 {
        var (plane, left) = (pixels, channels)
        while left > 0 {
          addProducts(plane, &weights, run, count: 1)
          plane += run.rowStep
          left = sasuka_one_by_one(left &- 1)
        }
      } else {
        addProducts(pixels, &weights, run, count: channels)
      }
      pixels += pass.pointee.kernelColumn
      kernelColumns &-= 1
    }
  }
}

/// One row of the output, `columns` vectors of its channels from vector `first` on, 0 for half a vector.
@inline(__always)
private func planarRow<let columns: Int>(
  _ columnCount: Count<columns>, from first: Int = 0, _ pass: UnsafePointer<ConvolutionPass>,
  _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>,
  width: Int
) {
  // One vector's sums are as many as the FMA units have under way.
  let tall = lanes == 16 ? 7 : lanes == 8 ? (columns == 2 ? 6 : 8) : 4
  func tallTiles(_ count: Int, at pixel: Int) {
    let (from, to) = (input + pixel &* pass.pointee.pixel, output + pixel &* pass.pointee.outputPixel)
    if lanes == 16 {
      planarTiles(Count<7>(), columnCount, count, from: first, pass, from, to)
    } else if lanes == 8, columns == 2 {
      planarTiles(Count<6>(), columnCount, count, from: first, pass, from, to)
    } else if lanes == 8 {
      planarTiles(Count<8>(), columnCount, count, from: first, pass, from, to)
    } else {
      planarTiles(Count<4>(), columnCount, count, from: first, pass, from, to)
    }
  }
  let done = width / tall &* tall
  tallTiles(width / tall, at: 0)
  // From half a tile on, what is left is a tile that begins earlier: what it has in common with the one before is computed
  // alike. SqueezeNet's rows of 111 pixels: 0.97 of the time.
  if done > 0, width &- done > tall / 2, !pass.pointee.epilogue.adds {
    tallTiles(1, at: width &- tall)
  } else {
    let (from, to) = (input + done &* pass.pointee.pixel, output + done &* pass.pointee.outputPixel)
    planarTiles(Count<1>(), columnCount, width &- done, from: first, pass, from, to)
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
  var pass = ConvolutionPass(
    shape, work, pixelFloats: 1, packed: packed + Int(unit) &* shape.unitFloats, bias: bias, epilogue: epilogue)
  var (source, target) = (
    input + Int(firstRow &* shape.stride_height &* shape.input_width),
    output + work.firstOutput / lanes &* Int(shape.output_block_stride) + Int(firstRow &* shape.output_row_stride)
  )
  var (rowStep, outputStep) = (Int(shape.stride_height &* shape.input_width), Int(shape.output_row_stride))
  var (width, rows) = (Int(shape.output_width), Int(endRow &- firstRow))
  // Of a map narrower than a tile, columns are its rows.
  if width < 6, rows > width {
    swap(&width, &rows)
    swap(&pass.pixel, &rowStep)
    swap(&pass.outputPixel, &outputStep)
  }
  withUnsafePointer(to: pass) { pass in
    while rows > 0 {
      if hasHalves, work.endsInHalf {
        if work.columns == 2 { planarRow(Count<1>(), pass, source, target, width: width) }
        planarRow(Count<0>(), from: work.columns &- 1, pass, source, target, width: width)
      } else if work.columns == 2, tileColumns == 2 {
        planarRow(Count<2>(), pass, source, target, width: width)
      } else {
        planarRow(Count<1>(), pass, source, target, width: width)
      }
      source += rowStep
      target += outputStep
      rows &-= 1
    }
  }
}
