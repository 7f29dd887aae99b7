import CSystem

/// The maps of which a dilated convolution of stride 1 is as many without dilation: pixels of the output that lie the dilation
/// apart are made of such pixels of the input, and of no others (Holschneider et al. 1989, A Real-Time Algorithm for Signal
/// Analysis with the Help of the Wavelet Transform). Where there is no dilation, the images themselves.
struct DilatedMaps {
  /// One direction of all maps together.
  fileprivate struct Axis {
    /// Pixels of the output from one of a map to its next, and those of the input: as many, or a stride where there is no dilation.
    let dilation, step: Int64
    /// Zeros before the input; negative where its beginning is cropped.
    let before: Int64
    let input, output: Int64

    /// Maps side by side.
    var count: Int { Int(max(min(dilation, output), 1)) }
  }

  fileprivate let rows, columns: Axis

  /// Where the convolution's kernel is cut, how.
  let pieces: KernelPieces?

  var areDilated: Bool { rows.dilation > 1 || columns.dilation > 1 }

  /// Maps of an image.
  var count: Int { rows.count &* columns.count }

  /// Calls `body` for tiles of one map after the other: with the map's sizes, its tiles, how many tiles came before them, and
  /// where the map begins in the input and in the output. Tiles count on from map to map.
  ///
  /// - Parameters:
  ///   - piece: of the kernel, by which the input is read.
  ///   - shape: the tiles and steps of a map; of which of them it has the sizes does not matter.
  func forEach(
    of tiles: Range<Int>, by piece: Int = 0, _ shape: inout sasuka_winograd,
    _ body: (inout sasuka_winograd, _ tiles: Range<Int>, _ before: Int, _ input: Int, _ output: Int) -> Void
  ) {
    if !areDilated, pieces == nil { return body(&shape, tiles, 0, 0, 0) }
    let start = pieces?.start(piece) ?? (row: 0, column: 0)
    let perMap = Int(shape.tiles_down &* shape.tiles_across)
    var first = tiles.lowerBound
    while first < tiles.upperBound {
      let map = first / perMap
      let end = min((map &+ 1) &* perMap, tiles.upperBound)
      let (image, number) = (Int64(map / count), map % count)
      var input = image &* shape.input_image_stride
      var output = image &* shape.output_image_stride
      (shape.top, shape.input_height, shape.output_height) = rows.map(
        number / columns.count, start.row, steps: (shape.input_row_stride, shape.output_row_stride), &input, &output)
      (shape.left, shape.input_width, shape.output_width) = columns.map(
        number % columns.count, start.column, steps: (shape.input_pixel_stride, shape.output_pixel_stride), &input,
        &output)
      let own = (first &- map &* perMap)..<(end &- map &* perMap)
      body(&shape, own, first &- tiles.lowerBound, Int(input), Int(output))
      first = end
    }
  }
}

extension DilatedMaps.Axis {
  /// Zeros before one map's input, and its pixels in the input and in the output; where these begin is added.
  ///
  /// - Parameters:
  ///   - tap: of the kernel, the first that meets the input.
  ///   - steps: floats from one pixel of a map to the next.
  @inline(never)
  fileprivate func map(
    _ number: Int, _ tap: Int64, steps: (input: Int64, output: Int64), _ inputPlace: inout Int64,
    _ outputPlace: inout Int64
  ) -> (before: Int64, input: Int64, output: Int64) {
    let phase = Int64(number)
    let start = phase &+ tap &* dilation &- before
    // The first of its pixels that the input has.
    let first = (start % step &+ step) % step
    inputPlace &+= steps.input / step &* first
    outputPlace &+= steps.output / dilation &* phase
    return (
      (first &- start) / step, max(input &- first, 0).dividedUp(by: step),
      (output &- phase).dividedUp(by: dilation)
    )
  }
}

extension ConvolutionPass {
  /// Its maps, where it has no stride, or is cut into pieces that have none. One tap has no distance to others.
  var maps: DilatedMaps {
    let pieces = pieces
    let down = shape.kernel_height > 1 ? shape.dilation_height : 1
    let across = shape.kernel_width > 1 ? shape.dilation_width : 1
    return DilatedMaps(
      rows: DilatedMaps.Axis(
        dilation: down, step: down * (pieces?.rows.stride ?? 1), before: padding?.top ?? 0,
        input: padding?.height ?? shape.input_height, output: shape.output_height),
      columns: DilatedMaps.Axis(
        dilation: across, step: across * (pieces?.columns.stride ?? 1), before: padding?.left ?? 0,
        input: padding?.width ?? shape.input_width, output: shape.output_width),
      pieces: pieces)
  }
}

extension sasuka_winograd {
  /// Tiles, and steps over the input and the output, of one of a pass's maps; the sizes are those of all together, and image
  /// strides and the scratch's are left at 0.
  init(_ pass: ConvolutionPass, _ algorithm: ConvolutionAlgorithm, lanes: Int) {
    self.init()
    let (shape, maps) = (pass.shape, pass.maps)
    let (rows, columns) = (maps.rows, maps.columns)
    let groups = Int64(pass.groupsAtOnce(lanes: lanes))
    (input_channels, output_channels) = (groups * shape.input_channels, groups * shape.output_channels)
    (kernel_height, kernel_width, stride) = (shape.kernel_height, shape.kernel_width, shape.stride_width)
    if let pieces = maps.pieces {
      input_channels *= Int64(pieces.count)
      (kernel_height, kernel_width, stride) = (pieces.rows.taps, pieces.columns.taps, 1)
    }
    // A stride of 2 takes a kernel of 3 taps apart into one of 2 and one of 1.
    let (down, across) = (kernel_height.dividedUp(by: stride), kernel_width.dividedUp(by: stride))
    let tile = (rows: algorithm.tileRows(taps: down), columns: algorithm.tileColumns(taps: across))
    (point_rows, point_columns) = (tile.rows + down - 1, tile.columns + across - 1)
    (top, input_height, output_height) = (rows.before, rows.input, rows.output)
    (left, input_width, output_width) = (columns.before, columns.input, columns.output)
    tiles_down = rows.output.dividedUp(by: rows.dilation).dividedUp(by: tile.rows)
    tiles_across = columns.output.dividedUp(by: columns.dilation).dividedUp(by: tile.columns)
    let pixel = Int64(lanes)
    input_block_stride = rows.input * columns.input * pixel
    input_row_stride = rows.step * columns.input * pixel
    input_pixel_stride = columns.step * pixel
    output_block_stride = shape.output_block_stride
    output_row_stride = rows.dilation * shape.output_row_stride
    output_pixel_stride = columns.dilation * shape.output_pixel_stride
  }
}
