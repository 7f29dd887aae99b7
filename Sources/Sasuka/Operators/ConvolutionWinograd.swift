import CSystem

/// Winograd's convolution as kernel calls.
extension Lowering {
  /// Tiles of a block: enough to stream the weights seldom, few enough for most blocks to stay in the L2 cache. Measured
  /// from 14 to 112, with 64 to 512 channels, on a Zen 4 core: for 36 points within 5 % from 42 on, slower below and above;
  /// for 64 points the same from 28 on; for 81, 21 are 3 % faster than 28, but in bands, which are whole rows, slower. A point
  /// of a phase counts as one: for 100 points, slower with 16 tiles and with 52. A kernel of many pieces has fewer tiles where their
  /// transformed input would take more than 8 MB.
  private static func tilesAtOnce(_ run: WinogradRun, inBands: Bool) -> Int {
    let points = run.points * run.phases * run.pieces
    let most = points == 81 && !inBands ? 21 : points > 49 ? 28 : 56
    return run.pieces == 1 ? most : min(most, max(8, (1 << 21) / run.tileFloats))
  }

  /// Images whose pieces lie in the scratch at the same time: few, as a first layer's are larger than its images.
  private static let imagesTakenApart = 4

  /// Convolves by one pass; over planes, which are taken apart, a few images after the other.
  ///
  /// - Parameter reader: what makes the output of what is computed, if that does not go there itself.
  mutating func convolve(
    _ pass: ConvolutionPass, by algorithm: ConvolutionAlgorithm, input: Value, weight: Value,
    folded: FoldedNormalization?, bias: UnsafePointer<Float>?, epilogue: Int32,
    function: ElementFunction?, output: Value, for reader: BandReader? = nil
  ) throws(SasukaError) {
    let overBlocks = pass.overBlocks
    let shape = sasuka_winograd(overBlocks, algorithm, lanes: lanes)
    let groups = Int(pass.shape.groups) / pass.groupsAtOnce(lanes: lanes)
    let images = self.shape(input)[0]
    let units = Layout.blocks(of: Int(shape.output_channels), lanes: lanes * Int(kernels.pointee.convolution_columns))
    let packed = try pack(shape, pass, algorithm, units: units, groups: groups, weight: weight, folded: folded)
    var operands = operands(of: pass, input: input, packed: packed, bias: bias, epilogue: epilogue, output: output)
    operands.function = function
    let apart = pass.planes(lanes: lanes)
    var left = images
    while left > 0 {
      let count = apart == nil ? left : min(left, Lowering.imagesTakenApart)
      if let apart { takeApart(apart, operands, first: images - left, images: count) }
      self.algorithm = algorithm.name
      let run = WinogradRun(
        shape, kernels: kernels, images: count, units: units, groups: groups, operands,
        apart: apart?.floats ?? 0, overBlocks.maps)
      if let reader {
        convolve(run, images: count, for: reader)
      } else {
        convolve(run)
      }
      operands.output += count * operands.outputImage
      left -= count
    }
  }

  /// Adds the steps of some images, whose scratch is not laid out yet.
  private mutating func convolve(_ run: WinogradRun) {
    let wish = Lowering.tilesAtOnce(run, inBands: false)
    run.divide(tilesAtOnce: wish, among: threads)
    let lines = Int(sasuka_winograd_scratch_floats(Int64(lanes)))
    if run.blocks >= threads || run.groups > 1 {
      run.allocate(units: run.units)
      needWorkerScratch(bytes: (lines + run.scratchFloats) * MemoryLayout<Float>.stride)
      step(units: run.blocks) { block, context in
        let scratch = floats(context.workerScratch)
        run.compute(block, apart: floats(context.scratch), scratch: scratch + lines, lines: scratch)
      }
      return
    }
    // Too few blocks for the threads: each takes some units of their output channels, when their input is transformed.
    run.shareUnits(among: threads)
    run.allocate(units: 1)
    needScratch(bytes: (run.apartFloats + run.blocks * run.transformedFloats) * MemoryLayout<Float>.stride)
    needWorkerScratch(bytes: (lines + run.productFloats) * MemoryLayout<Float>.stride)
    step(units: run.blocks * run.inputBlocks) { number, context in
      run.transformInput(number, scratch: floats(context.scratch), lines: floats(context.workerScratch))
    }
    step(units: run.blocks * run.units) { number, context in
      let scratch = floats(context.workerScratch)
      run.computeUnit(number, scratch: floats(context.scratch), products: scratch + lines, lines: scratch)
    }
  }

  /// The same by bands of rows, from which `reader` makes the output.
  private mutating func convolve(_ run: WinogradRun, images: Int, for reader: BandReader) {
    let lines = Int(sasuka_winograd_scratch_floats(Int64(lanes)))
    let tilesAtOnce = Lowering.tilesAtOnce(run, inBands: true)
    let parts = min(threads(sharingOneOf: images), run.tileRows)
    run.divide(into: parts, tilesAtOnce: tilesAtOnce, for: reader)
    needWorkerScratch(bytes: (lines + run.scratchFloats + run.mapFloats) * MemoryLayout<Float>.stride)
    step(units: images * parts) { number, context in
      run.compute(number / parts, part: number % parts, for: reader, context, lines: lines)
    }
  }

  private mutating func pack(
    _ shape: sasuka_winograd, _ pass: ConvolutionPass, _ algorithm: ConvolutionAlgorithm, units: Int, groups: Int,
    weight: Value, folded: FoldedNormalization?
  ) throws(SasukaError) -> UnsafePointer<Float> {
    let (width, columns) = (Int64(lanes), Int64(kernels.pointee.convolution_columns))
    let groupFloats = shape.packedFloats(kernels)
    let packed = try packedMemory(pass.packing(for: algorithm), of: weight, floats: groups * groupFloats)
    let (strides, kernel) = (pass.weightStrides, kernels.pointee.narrow.winograd_pack!)
    let (source, scales) = (UnsafePointer(pointer(weight)) + pass.weightOffset, folded.map { UnsafePointer($0.scales) })
    let scratchFloats = Int(16 * (shape.kernel_height + 1) * shape.kernel_width * columns * width)
    let joined = JoinedGroups(pass.shape, strides, count: pass.groupsAtOnce(lanes: lanes))
    let pieces = pass.pieces
    let pieceFloats = (pieces?.outputFloats(of: pass) ?? 0) * Int(columns * width)
    needWorkerScratch(bytes: (scratchFloats + joined.floats + pieceFloats) * MemoryLayout<Float>.stride)
    // A group's units share a copy of its weights.
    let unitsAtOnce = joined.floats == 0 ? 1 : units
    prepare(units: groups * units / unitsAtOnce) { [shape] number, context in
      var (shape, strides) = (shape, strides)
      let (group, unit) = (number * unitsAtOnce).quotientAndRemainder(dividingBy: units)
      let scratch = floats(context.workerScratch)
      var weights = joined.place(group, of: source)
      if joined.floats > 0 { weights = joined.copy(weights, to: scratch + scratchFloats, &strides) }
      if let pieces {
        let first = unit * Int(columns * width)
        let outputs = first..<min(first + Int(columns * width), Int(shape.output_channels))
        weights = pieces.copy(outputs, of: pass, weights, to: scratch + scratchFloats, &strides)
      }
      kernel(
        &shape, &strides, weights, scales.map { $0 + group * Int(shape.output_channels) },
        packed + group * groupFloats, scratch, Int64(unit), Int64(unit + unitsAtOnce), width)
    }
    return UnsafePointer(packed)
  }
}

extension sasuka_winograd {
  /// Floats of the weights, which are those of one group.
  fileprivate func packedFloats(_ kernels: UnsafeMutablePointer<sasuka_kernel_table>) -> Int {
    var shape = self
    let (width, columns) = (Int64(kernels.pointee.vector_width), Int64(kernels.pointee.convolution_columns))
    return Int(
      sasuka_winograd_weights(&shape) * sasuka_matrix_packed_floats(output_channels, input_channels, width, columns))
  }
}

/// Groups that are computed as one: between channels of different groups are zeros.
private struct JoinedGroups {
  private let shape: sasuka_convolution
  private let strides: sasuka_weight_strides
  private let count: Int

  init(_ shape: sasuka_convolution, _ strides: sasuka_weight_strides, count: Int) {
    (self.shape, self.strides, self.count) = (shape, strides, count)
  }

  /// Output channels of those that are one.
  private var outputs: Int { count * Int(shape.output_channels) }
  /// Weights of a channel within its group, and with the zeros.
  private var groupFloats: Int { Int(shape.input_channels * shape.kernel_height * shape.kernel_width) }
  private var outputFloats: Int { count * groupFloats }
  /// Floats of a copy of their weights; 0 where they are read as they lie.
  var floats: Int { count == 1 ? 0 : outputs * outputFloats }

  /// Where the weights of those of a number begin.
  func place(_ number: Int, of weights: UnsafePointer<Float>) -> UnsafePointer<Float> {
    weights + number * count * Int(strides.group)
  }

  /// Copies them from there.
  func copy(
    _ weights: UnsafePointer<Float>, to copy: UnsafeMutablePointer<Float>, _ strides: inout sasuka_weight_strides
  ) -> UnsafePointer<Float> {
    copy.clear(count: floats)
    let (taps, width) = (Int(shape.kernel_height * shape.kernel_width), Int(shape.kernel_width))
    for output in 0..<outputs {
      let (group, channel) = output.quotientAndRemainder(dividingBy: Int(shape.output_channels))
      let from = weights + (group * Int(strides.group) + channel * Int(strides.output))
      let to = copy + (output * outputFloats + group * groupFloats)
      for weight in 0..<groupFloats {
        let (input, tap) = (weight / taps, weight % taps)
        to[weight] =
          from[input * Int(strides.input) + tap / width * Int(strides.row) + tap % width * Int(strides.column)]
      }
    }
    strides = sasuka_weight_strides(
      group: 0, output: Int64(outputFloats), input: Int64(taps), row: Int64(width), column: 1)
    return UnsafePointer(copy)
  }
}

private func floats(_ memory: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Float> {
  memory.assumingMemoryBound(to: Float.self)
}

/// The pointers and sizes of a convolution by Winograd over a batch. Not a struct, of which each step would have a copy: a
/// kilobyte of code.
private final class WinogradRun {
  private var shape: sasuka_winograd
  private let kernels: sasuka_kernel_table
  private let operands: ConvolutionOperands
  private let maps: DilatedMaps
  /// Channel blocks of a group's input and output.
  let inputBlocks, outputBlocks: Int
  /// Output-channel blocks of a unit, and units of a group.
  let columns, units: Int
  /// Each of them is computed by itself, a few tiles after the others, from the blocks of its input to its units.
  let groups: Int
  /// Floats of a group's weights.
  private let groupFloats: Int
  /// Tiles of the batch.
  let tiles: Int
  /// Floats of the images taken apart, at the beginning of the shared scratch; 0 where the input is read as it lies.
  let apartFloats: Int
  private(set) var tilesAtOnce = 0
  private(set) var unitsAtOnce = 0
  private var stretches = 1
  private var unitsOfPart = 0
  /// Of a band: rows of tiles at most, and of the output with those that are kept from the band before.
  private var rowsAtOnce = 0
  private var mapRows = 0

  init(
    _ shape: sasuka_winograd, kernels: UnsafeMutablePointer<sasuka_kernel_table>, images: Int, units: Int,
    groups: Int, _ operands: ConvolutionOperands, apart imageApart: Int, _ maps: DilatedMaps
  ) {
    self.shape = shape
    self.maps = maps
    apartFloats = images * imageApart
    self.shape.input_image_stride = Int64(imageApart == 0 ? operands.inputImage : imageApart)
    self.shape.output_image_stride = Int64(operands.outputImage)
    self.kernels = kernels.pointee
    self.operands = operands
    self.groups = groups
    self.units = units
    groupFloats = shape.packedFloats(kernels)
    let lanes = Int(kernels.pointee.vector_width)
    columns = Int(kernels.pointee.convolution_columns)
    inputBlocks = Layout.blocks(of: Int(shape.input_channels), lanes: lanes)
    outputBlocks = Layout.blocks(of: Int(shape.output_channels), lanes: lanes)
    tiles = images * maps.count * Int(shape.tiles_down * shape.tiles_across)
  }

  var points: Int { Int(shape.point_rows * shape.point_columns) }
  var phases: Int { Int(shape.stride * shape.stride) }
  var pieces: Int { maps.pieces?.count ?? 1 }
  /// Floats of a tile's transformed input.
  var tileFloats: Int { points * phases * inputBlocks * lanes }
  private var lanes: Int { Int(kernels.vector_width) }

  /// Cuts the batch into equal blocks of about so many tiles, of which each thread gets as many as the others.
  func divide(tilesAtOnce wish: Int, among threads: Int) {
    var count = max(1, (tiles + wish / 2) / wish)
    if groups % threads != 0 {
      if count > threads { count = count.dividedUp(by: threads) * threads }
      while groups > 1, count < threads, wastes(groups * count, among: threads, or: tiles / (count + 1)) { count += 1 }
    }
    tilesAtOnce = tiles.dividedUp(by: min(count, tiles))
  }

  /// Whether the largest share of some blocks exceeds the mean by more than it takes longer to have but so many tiles at once (two
  /// threads, AVX2: 17 groups in blocks of 14 tiles 0.81 of the time of 34 in blocks of 7; 7 of 49 tiles 1.18 of 14 of 25).
  private func wastes(_ blocks: Int, among threads: Int, or tilesAtOnce: Int) -> Bool {
    let most = Double(blocks.dividedUp(by: threads) * threads) / Double(blocks)
    return most > (tilesAtOnce < 12 ? 1.2 : 1.06)
  }

  /// Cuts it into as few blocks more as it takes for threads to share the units of all blocks about evenly.
  func shareUnits(among threads: Int) {
    var count = blocks
    func rounds() -> Int { (count * units).dividedUp(by: threads) }
    while count < tiles, 5 * count * units < 4 * rounds() * threads { count += 1 }
    tilesAtOnce = tiles.dividedUp(by: count)
  }

  private var tileBlocks: Int { tiles.dividedUp(by: tilesAtOnce) }

  /// Blocks of tiles in one group after the other.
  var blocks: Int { groups * tileBlocks }

  private func tiles(of block: Int) -> Range<Int> {
    let first = block % tileBlocks * tilesAtOnce
    return first..<min(first + tilesAtOnce, tiles)
  }

  /// Lays out scratch for a block of tiles, and decides how many of so many units of output channels are computed at once.
  func allocate(units: Int) {
    // Tall tiles read each weight seldom, and few tiles read it but once: best is to read all of them in order. Others go
    // point by point, each of whose inputs stay in the cache: 20 % faster with 256 channels on AVX2.
    unitsAtOnce = lanes == 16 || tilesAtOnce < 32 ? 1 : units
    shape.tile_stride = Int64(tilesAtOnce)
    // A vector more, lest all points fall into one set of the cache.
    shape.input_point_stride = Int64((phases * inputBlocks * tilesAtOnce + 1) * lanes)
    shape.output_point_stride = Int64((unitsAtOnce * columns * tilesAtOnce + 1) * lanes)
  }

  /// Floats of a block's transformed input, and of its products.
  var transformedFloats: Int { points * Int(shape.input_point_stride) }
  var productFloats: Int { points * Int(shape.output_point_stride) }
  var scratchFloats: Int { transformedFloats + productFloats }

  /// What the transforms read.
  private func input(_ apart: UnsafeMutablePointer<Float>) -> UnsafePointer<Float> {
    apartFloats == 0 ? operands.input : UnsafePointer(apart)
  }

  /// One block of tiles from the input to the output.
  func compute(
    _ block: Int, apart: UnsafeMutablePointer<Float>, scratch transformed: UnsafeMutablePointer<Float>,
    lines: UnsafeMutablePointer<Float>
  ) {
    let group = block / tileBlocks
    var (shape, operands) = (shape, operands)
    operands.moveTo(
      group: group, packedFloats: groupFloats, outputs: Int(shape.output_channels),
      outputFloats: outputBlocks * Int(shape.output_block_stride))
    compute(
      &shape, tiles(of: block), group: group, 0..<units, input(apart), transformed, lines, operands
    ) { _, _ in }
  }

  /// Some tiles of a group, from the input to some units of the output; `then` is called when some blocks of those are there.
  ///
  /// - Parameter operands: the group's weights, bias and output.
  private func compute(
    _ shape: inout sasuka_winograd, _ tiles: Range<Int>, group: Int = 0, _ units: Range<Int>,
    _ input: UnsafePointer<Float>, _ transformed: UnsafeMutablePointer<Float>, _ lines: UnsafeMutablePointer<Float>,
    _ operands: ConvolutionOperands, then: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) {
    let firstBlock = group * inputBlocks
    transformInput(
      &shape, tiles, firstBlock..<(firstBlock + inputBlocks), input,
      transformed - firstBlock * tilesAtOnce * lanes, lines)
    for unit in stride(from: units.lowerBound, to: units.upperBound, by: unitsAtOnce) {
      let some = unit..<min(unit + unitsAtOnce, units.upperBound)
      multiply(&shape, tiles, some, transformed, products: transformed + transformedFloats, lines, operands)
      then(blocks(of: some), operands.output)
    }
  }

  private func blocks(of units: Range<Int>) -> Range<Int> {
    (units.lowerBound * columns)..<min(units.upperBound * columns, outputBlocks)
  }

  /// Some tiles and as many units as are computed at once, from the transformed input to the output.
  private func multiply(
    _ shape: inout sasuka_winograd, _ tiles: Range<Int>, _ units: Range<Int>, _ transformed: UnsafePointer<Float>,
    products: UnsafeMutablePointer<Float>, _ lines: UnsafeMutablePointer<Float>, _ operands: ConvolutionOperands
  ) {
    kernels.winograd_product!(
      &shape, transformed, operands.packed, products, Int64(tiles.count), Int64(units.lowerBound),
      Int64(units.upperBound))
    let blocks = blocks(of: units)
    maps.forEach(of: tiles, &shape) { [lanes] shape, tiles, before, _, place in
      kernels.winograd_output!(
        &shape, products + before * lanes, operands.bias, operands.output + place, lines, Int64(tiles.lowerBound),
        Int64(tiles.upperBound), Int64(blocks.lowerBound), Int64(blocks.upperBound), operands.epilogue)
    }
    if let function = operands.function { apply(function, shape, tiles, blocks, operands.output) }
  }

  /// Applies a function to some blocks of some tiles' output, whose rows follow one another.
  private func apply(
    _ function: ElementFunction, _ shape: sasuka_winograd, _ tiles: Range<Int>, _ blocks: Range<Int>,
    _ output: UnsafeMutablePointer<Float>
  ) {
    let width = tileWidth
    var first = tiles.lowerBound
    while first < tiles.upperBound {
      let (line, column) = first.quotientAndRemainder(dividingBy: tilesAcross)
      let (image, row) = line.quotientAndRemainder(dividingBy: tileRows)
      let count = min(tilesAcross - column, tiles.upperBound - first)
      let pixels = min((column + count) * width, Int(shape.output_width)) - column * width
      let rows = (row * tileHeight)..<min((row + 1) * tileHeight, Int(shape.output_height))
      let place = output + (image * Int(shape.output_image_stride) + column * width * lanes)
      for row in rows {
        function.apply(
          to: place + row * rowFloats, count: pixels * lanes, blocks: blocks,
          blockStride: Int(shape.output_block_stride))
      }
      first += count
    }
  }

  /// Some tiles of some channel blocks of the input.
  private func transformInput(
    _ shape: inout sasuka_winograd, _ tiles: Range<Int>, _ blocks: Range<Int>, _ input: UnsafePointer<Float>,
    _ transformed: UnsafeMutablePointer<Float>, _ lines: UnsafeMutablePointer<Float>
  ) {
    // Each piece of the kernel has the blocks of the input once.
    let blocksOfPiece = inputBlocks / pieces
    for piece in 0..<pieces {
      let first = piece * blocksOfPiece
      let own = blocks.clamped(to: pieces == 1 ? blocks : first..<(first + blocksOfPiece))
      if own.isEmpty { continue }
      maps.forEach(of: tiles, by: piece, &shape) { [lanes, tilesAtOnce] shape, tiles, before, place, _ in
        kernels.winograd_input!(
          &shape, input + place, transformed + (first * tilesAtOnce + before) * lanes, lines, Int64(tiles.lowerBound),
          Int64(tiles.upperBound), Int64(own.lowerBound - first), Int64(own.upperBound - first))
      }
    }
  }

  // By bands of rows of tiles: some rows of the output at a time, from which something else makes what goes to memory.

  var tileRows: Int { Int(shape.tiles_down) }
  private var tilesAcross: Int { Int(shape.tiles_across) }
  private var tileHeight: Int { Int(shape.point_rows - shape.kernel_height.dividedUp(by: shape.stride)) + 1 }
  private var tileWidth: Int { Int(shape.point_columns - shape.kernel_width.dividedUp(by: shape.stride)) + 1 }
  private var rowFloats: Int { Int(shape.output_width) * lanes }
  /// Floats of those rows that exist at the same time, in all channel blocks.
  var mapFloats: Int { outputBlocks * mapRows * rowFloats }

  /// Divides an image among so many threads, and lays out scratch for bands of about so many tiles.
  func divide(into parts: Int, tilesAtOnce wish: Int, for reader: BandReader) {
    // Rows of tiles that stretches compute again, against the input that all groups of units transform: that takes about a
    // quarter of what as much output takes.
    let again = reader.span > reader.stride ? parts - 1 : 0
    var rows = (tileRows + again).dividedUp(by: parts)
    (stretches, unitsOfPart) = (parts, units)
    if units % parts == 0, 4 * outputBlocks * (rows * parts - tileRows) > inputBlocks * (parts - 1) * tileRows {
      (stretches, unitsOfPart, rows) = (1, units / parts, tileRows)
    }
    rowsAtOnce = rows.dividedUp(by: max(1, min((rows * tilesAcross + wish / 2) / wish, rows)))
    tilesAtOnce = rowsAtOnce * tilesAcross
    mapRows = rowsAtOnce * tileHeight + reader.span
    allocate(units: unitsOfPart)
  }

  /// Rows of what is made of the output, as far as an equal share of the rows of tiles makes them. Where windows overlap, all
  /// stretches but the first compute a row of tiles again: so the first ones have the larger shares.
  private func rows(of stretch: Int, for reader: BandReader) -> Range<Int> {
    func end(_ stretch: Int) -> Int {
      reader.rowsDone(by: (tileRows * stretch).dividedUp(by: stretches) * tileHeight)
    }
    return end(stretch)..<end(stretch + 1)
  }

  /// A stretch of what is made of an image's output, or some units of its channels.
  ///
  /// - Parameter lines: floats at the beginning of the scratch that are the transforms' own.
  func compute(_ image: Int, part: Int, for reader: BandReader, _ context: StepContext, lines: Int) {
    let firstUnit = part * unitsOfPart % self.units
    let units = firstUnit..<(firstUnit + unitsOfPart)
    var rows = rows(of: part % stretches, for: reader)
    if rows.isEmpty { return }
    let scratch = floats(context.workerScratch)
    let transformed = scratch + lines
    var shape = shape
    (shape.output_image_stride, shape.output_block_stride) = (0, Int64(mapRows * rowFloats))
    let map = transformed + scratchFloats
    let output = operands.output + image * operands.outputImage
    let seen = reader.mapRows(for: rows)
    let tiles = (seen.lowerBound / tileHeight)..<seen.upperBound.dividedUp(by: tileHeight)
    let bands = tiles.count.dividedUp(by: rowsAtOnce)
    // Those rows that the map has.
    var held = tiles.lowerBound * tileHeight..<tiles.lowerBound * tileHeight
    for band in 0..<bands where context.goesOn {
      let first = tiles.lowerBound + tiles.count * band / bands
      let end = tiles.lowerBound + tiles.count * (band + 1) / bands
      let next = reader.mapRows(for: rows.lowerBound..<(rows.lowerBound + 1))
      let needed = min(next.lowerBound, held.upperBound)..<min(end * tileHeight, Int(shape.output_height))
      _ = keepRows(
        of: &held, for: needed, in: map, blocks: blocks(of: units), mapRows: mapRows, rowFloats: rowFloats)
      let done = max(rows.lowerBound, min(reader.rowsDone(by: held.upperBound), rows.upperBound))
      let firstTile = (image * tileRows + first) * tilesAcross
      let tiles = firstTile..<(firstTile + (end - first) * tilesAcross)
      var mapOperands = operands
      mapOperands.output = map - held.lowerBound * rowFloats
      compute(
        &shape, tiles, units, input(floats(context.scratch)), transformed, scratch, mapOperands
      ) { blocks, place in
        for block in blocks where done > rows.lowerBound {
          reader.read(place + block * mapRows * rowFloats, held, block, rows.lowerBound..<done, output)
        }
      }
      rows = done..<rows.upperBound
    }
  }

  // In two steps that threads share: all blocks' input first, one block's behind the other's; then units of their output.

  /// One channel block of the input of one block of tiles.
  func transformInput(
    _ number: Int, scratch: UnsafeMutablePointer<Float>, lines: UnsafeMutablePointer<Float>
  ) {
    var shape = shape
    let (block, channels) = (number / inputBlocks, number % inputBlocks)
    transformInput(
      &shape, tiles(of: block), channels..<(channels + 1), input(scratch),
      scratch + apartFloats + block * transformedFloats, lines)
  }

  /// One unit of the output of one block of tiles; in the order in which weights lie, for the next are called for.
  func computeUnit(
    _ number: Int, scratch: UnsafeMutablePointer<Float>, products: UnsafeMutablePointer<Float>,
    lines: UnsafeMutablePointer<Float>
  ) {
    var shape = shape
    let (unit, block) = (number / blocks, number % blocks)
    multiply(
      &shape, tiles(of: block), unit..<(unit + 1), scratch + apartFloats + block * transformedFloats,
      products: products, lines, operands)
  }
}
