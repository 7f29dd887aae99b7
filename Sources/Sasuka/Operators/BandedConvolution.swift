import CSystem

/// A convolution and the maxima behind it, or a pointwise one or one of the host's planes and the depthwise one behind it,
/// computed by bands of rows: the map between them does not exist.
///
/// Inputs: those of the first, with what its epilogue needs, and then those of the second without the map.
package final class BandedConvolution: Operator {
  package let kind = "banded_convolution"
  package let layoutRule: LayoutRule
  private let first: Convolution
  private let second: ChannelWindow
  private let floatsAtOnce: Int

  /// Nil where one of them adds something to its sums, maxima are behind a dilated one, whose rows are not made in their order, or
  /// a depthwise one is behind one that reads blocks with a stride or a border.
  ///
  /// - Parameter floatsAtOnce: of the map, as many as stay in the second cache beside what is read and written.
  package init?(_ first: Convolution, _ second: ChannelWindow, floatsAtOnce: Int = 65_536) {
    guard first.attributes.groups == 1, !first.epilogue.adds else { return nil }
    switch second {
    case .depthwise(let convolution):
      let isPlain = first.attributes.stride == Extent(1) && first.attributes.hasNoBorder
      guard first.readsPlanes || isPlain, !convolution.epilogue.adds else { return nil }
    case .maxima:
      guard first.attributes.dilation == Extent(1) else { return nil }
    }
    layoutRule = first.layoutRule
    (self.first, self.second, self.floatsAtOnce) = (first, second, floatsAtOnce)
  }

  private var reader: any Operator {
    switch second {
    case .depthwise(let convolution): convolution
    case .maxima(let pool): pool
    }
  }

  package func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape] {
    try reader.outputShapes(of: first.outputShapes(of: inputs) + inputs[first.epilogue.inputCount...])
  }

  package func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int {
    guard let map = try? first.outputShapes(of: inputs) else { return 0 }
    let behind = reader.multiplyAdds(inputs: map + inputs[first.epilogue.inputCount...], outputs: outputs)
    return saturatingSum(first.multiplyAdds(inputs: inputs, outputs: map), behind)
  }

  package func absorbing(_ follower: Follower, mode: Mode) -> (any Operator)? {
    guard case .depthwise(let convolution) = second, let both = convolution.absorbing(follower) else { return nil }
    return BandedConvolution(first, .depthwise(both), floatsAtOnce: floatsAtOnce)
  }

  package func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError) {
    let input = node.inputs[0]
    let map = try first.outputShapes(of: [lowering.shape(input), lowering.shape(node.inputs[1])])[0]
    let pass = try lowering.pass(first, node, lowering.shape(input))
    let behind: BandReader
    switch second {
    case .depthwise(let convolution):
      let node = Node(
        name: "", operation: convolution, inputs: [input] + node.inputs[first.epilogue.inputCount...], outputs: [])
      let layer = try lowering.layer(convolution, try lowering.pass(convolution, node, map), node, channels: map[1])
      behind = lowering.depthwise(layer)
    case .maxima(let pool):
      let window = try pool.attributes.window(for: map)
      behind = lowering.maxima(sasuka_pooling(window.window, input: map, output: window.output))
      if try lowering.filter(first, pass, node, channels: map[1], for: behind) { return }
    }
    let before = try lowering.layer(first, pass, node, channels: map[1])
    let run = BandRun(before, behind, lowering.kernels, floatsAtOnce: floatsAtOnce)
    let operands = lowering.operands(
      of: before.pass, input: input, packed: before.packed, bias: before.bias, epilogue: before.epilogue,
      output: node.outputs[0])
    let reading = ConvolutionRun(
      before.pass, kernels: lowering.kernels, operands, inputChannels: lowering.shape(input)[1],
      outputChannels: map[1], threads: 1)
    lowering.compute(run, reading, input, node.outputs[0])
  }
}

extension Lowering {
  fileprivate func pass(_ convolution: Convolution, _ node: Node, _ input: Shape) throws(SasukaError) -> ConvolutionPass
  {
    let geometry = try convolution.attributes.geometry(input: input, weight: shape(node.inputs[1]))
    var pass = ConvolutionPass.forward(geometry, lanes: lanes)
    pass.readsPlanes = convolution.readsPlanes
    return pass.isDepthwise ? pass.withoutBorder : pass
  }

  /// The convolution by Winograd's products with the maxima behind it, if it has them.
  fileprivate mutating func filter(
    _ convolution: Convolution, _ pass: ConvolutionPass, _ node: Node, channels: Int, for reader: BandReader
  ) throws(SasukaError) -> Bool {
    let (input, weight, epilogue) = (node.inputs[0], node.inputs[1], convolution.epilogue)
    let algorithm = algorithm(of: pass, images: shape(input)[0], packsEachRun: false, isAlone: true)
    guard algorithm != .direct, algorithm != .strassen else { return false }
    let (folded, bias) = try begin(epilogue, node, channels: channels)
    try convolve(
      pass, by: algorithm, input: input, weight: weight, folded: folded, bias: bias,
      epilogue: epilogue.flags, function: epilogue.elementFunction(kernels), output: node.outputs[0],
      for: reader)
    return true
  }

  @inline(never)
  fileprivate mutating func layer(
    _ convolution: Convolution, _ pass: ConvolutionPass, _ node: Node, channels: Int
  ) throws(SasukaError) -> BandLayer {
    let (folded, bias) = try begin(convolution.epilogue, node, channels: channels)
    return BandLayer(
      pass: pass, packed: try pack(pass, weight: node.inputs[1], folded: folded, channels: channels),
      bias: bias, epilogue: convolution.epilogue.flags,
      function: convolution.epilogue.elementFunction(kernels))
  }

  fileprivate func depthwise(_ layer: BandLayer) -> BandReader {
    let (shape, kernel) = (layer.shape, kernels.pointee.convolution_depthwise_forward!)
    let blockFloats = Int(shape.input_height * shape.input_width) * lanes
    return BandReader(
      span: Int(shape.dilation_height * (shape.kernel_height - 1) + 1), stride: Int(shape.stride_height),
      top: Int(shape.top), rows: Int(shape.output_height), height: Int(shape.input_height)
    ) { map, _, block, rows, output in
      var shape = shape
      kernel(
        &shape, map - block * blockFloats, layer.packed, layer.bias, output, Int64(block), Int64(rows.lowerBound),
        Int64(rows.upperBound), layer.epilogue)
      let row = Int(shape.output_row_stride)
      layer.function?.apply(
        to: output + rows.lowerBound * row, count: rows.count * row, blocks: block..<(block + 1),
        blockStride: Int(shape.output_block_stride))
    }
  }

  /// - Parameter reading: the first convolution, as far as its input is concerned.
  fileprivate mutating func compute(_ run: BandRun, _ reading: ConvolutionRun, _ input: Value, _ output: Value) {
    let images = shape(input)[0]
    let threads = threads(sharingOneOf: images)
    // Each stretch of rows begins with rows of the map that the one before it has too: there are no more than threads need.
    let stretches = run.blocks % (run.columns * threads) == 0 ? 1 : min(threads, run.rows)
    let parts = stretches * run.units
    let (target, outputImage) = (pointer(output), imageFloats(output))
    if reading.paddedFloats > 0, !reading.padsByBand { pad(reading, images: images) }
    algorithm = "bands"
    needWorkerScratch(bytes: (run.scratchFloats + reading.bandFloats(rows: run.mapRows)) * MemoryLayout<Float>.stride)
    step(units: images * parts) { number, context in
      let (image, stretch, unit) = (number / parts, number % parts / run.units, number % run.units)
      run.compute(
        unit, (stretch * run.rows / stretches)..<((stretch + 1) * run.rows / stretches),
        of: reading, image, to: target + image * outputImage, context)
    }
  }
}

/// A convolution.
private struct BandLayer {
  let pass: ConvolutionPass
  let packed: UnsafePointer<Float>
  let bias: UnsafePointer<Float>?
  let epilogue: Int32
  let function: ElementFunction?

  var shape: sasuka_convolution { pass.shape }
}

private final class BandRun {
  private let first: BandLayer
  private let second: BandReader
  private let kernels: UnsafeMutablePointer<sasuka_kernel_table>
  /// Channel blocks of the map, of a unit of the first convolution, and how many such units there are.
  let blocks, columns, units: Int
  /// Floats of a row of the map in one channel block.
  private let rowFloats: Int
  /// Rows of the output in a band at most, and of the map in scratch.
  private let bandRows: Int
  let mapRows: Int

  init(
    _ first: BandLayer, _ second: BandReader, _ kernels: UnsafeMutablePointer<sasuka_kernel_table>, floatsAtOnce: Int
  ) {
    (self.first, self.second, self.kernels) = (first, second, kernels)
    let lanes = Int(kernels.pointee.vector_width)
    let map = first.shape
    blocks = Layout.blocks(of: Int(map.output_channels), lanes: lanes)
    columns = Int(kernels.pointee.convolution_columns)
    units = blocks.dividedUp(by: columns)
    rowFloats = Int(map.output_width) * lanes
    let most = (floatsAtOnce / (columns * rowFloats) - second.span) / second.stride + 1
    bandRows = min(max(most, 1), second.rows)
    mapRows = min((bandRows - 1) * second.stride + second.span, Int(map.output_height))
  }

  var rows: Int { second.rows }
  var scratchFloats: Int { columns * mapRows * rowFloats }

  /// Some rows of the output in the channels of one unit.
  func compute(
    _ unit: Int, _ rows: Range<Int>, of reading: ConvolutionRun, _ image: Int, to output: UnsafeMutablePointer<Float>,
    _ context: StepContext
  ) {
    let scratch = context.workerScratch.assumingMemoryBound(to: Float.self)
    var shape = first.shape
    shape.output_block_stride = Int64(mapRows * rowFloats)
    let (first, unitBlock) = (first, unit * columns)
    let (count, unitBlocks) = (rows.count, min(columns, blocks - unitBlock))
    let bands = count.dividedUp(by: bandRows)
    let multiply =
      first.pass.readsPlanes ? kernels.pointee.convolution_planar_forward! : kernels.pointee.convolution_forward!
    // Those rows of the map that scratch has.
    var held = 0..<0
    for band in 0..<bands where context.goesOn {
      let rows = (rows.lowerBound + band * count / bands)..<(rows.lowerBound + (band + 1) * count / bands)
      let needed = second.mapRows(for: rows)
      let added = keepRows(
        of: &held, for: needed, in: scratch, blocks: 0..<unitBlocks, mapRows: mapRows, rowFloats: rowFloats)
      // Where row 0 of the map would be.
      let map = scratch - needed.lowerBound * rowFloats
      if !added.isEmpty {
        let source = reading.source(image, ofBand: added, in: scratch + scratchFloats, &shape, context)
        multiply(
          &shape, source, first.packed, first.bias, map - unitBlock * mapRows * rowFloats, Int64(unit),
          Int64(added.lowerBound), Int64(added.upperBound), first.epilogue)
        first.function?.apply(
          to: map + added.lowerBound * rowFloats, count: added.count * rowFloats, blocks: 0..<unitBlocks,
          blockStride: mapRows * rowFloats)
      }
      for block in 0..<unitBlocks {
        second.read(map + block * mapRows * rowFloats, held, unitBlock + block, rows, output)
      }
    }
  }
}
