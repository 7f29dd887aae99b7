import CSystem

/// How convolutions become kernel calls; forward, gradient of the input and transposed convolution share it.
extension Lowering {
  /// Images from which on a unit of work is a whole image, padded in its worker's own cache.
  private static let imagesForWholeImageUnits = 4

  /// Convolves `input` (channels of all groups: `inputChannels`) by each of the passes, which together fill the node's
  /// first output.
  mutating func convolve(
    _ passes: [ConvolutionPass], input: Value, weight: Value, epilogue: ConvolutionEpilogue, _ node: Node
  ) throws(SasukaError) {
    let output = node.outputs[0]
    let channels = shape(output)[1]
    let (folded, bias) = try begin(epilogue, node, channels: channels)
    // Where no step applies it part by part, a last one does.
    var function = epilogue.elementFunction(kernels)
    defer { finish(output, function) }
    for var pass in passes {
      let fillsRows = passes.count == 1 && pass.fillsRows(lanes: lanes)
      pass.readsPlanes = layout(input) == .plain
      pass.turnColumn()
      let patches = pass.readsPatches ? pass.planes(lanes: lanes) : nil
      if patches != nil { pass = pass.overBlocks }
      pass.sumAcrossLanes(kernels)
      let algorithm = algorithm(
        of: pass, images: shape(input)[0], packsEachRun: learns(weight), isAlone: passes.count == 1)
      if algorithm != .direct, algorithm != .strassen {
        var own: ElementFunction?
        if fillsRows, !pass.overBlocks.maps.areDilated { swap(&own, &function) }
        try convolve(
          pass, by: algorithm, input: input, weight: weight, folded: folded, bias: bias, epilogue: epilogue.flags,
          function: own, output: output)
        continue
      }
      if algorithm == .direct, let taps = TapProducts(pass, isTransposed: false, kernels) {
        try convolve(
          taps, input: input, weight: weight, folded: folded, bias: bias, epilogue: epilogue.flags, output: output)
        continue
      }
      if algorithm == .direct, folded == nil,
        convolveAsDot(
          pass, input: input, weight: weight, bias: bias, epilogue: epilogue.flags, output: output)
      {
        continue
      }
      pass.takeGroupsApart(lanes: lanes)
      var bias = bias
      let packed =
        if let patch = pass.patch {
          try pack(pass, in: patch, weight: weight, folded: folded, channels: channels, bias: &bias)
        } else {
          try pack(pass, weight: weight, folded: folded, channels: channels)
        }
      var operands = operands(
        of: pass, input: input, packed: packed, bias: bias, epilogue: epilogue.flags, output: output)
      if fillsRows, pass.patch == nil { swap(&operands.function, &function) }
      if let patches { takeApart(patches, &operands, images: shape(input)[0]) }
      if pass.canBeThinned, algorithm == .strassen || channels >= ConvolutionCosts.of(kernels).thinnedOutputs {
        thin(&pass, &operands, images: shape(input)[0])
      }
      if algorithm == .strassen {
        convolveByStrassen(pass, operands, images: shape(input)[0])
        continue
      }
      let pass = pass.directKernel.findsBorder && !pass.hasCostlyBorder ? pass.withoutBorder : pass
      let run = ConvolutionRun(
        pass, kernels: kernels, operands, inputChannels: patches?.channels ?? shape(input)[1],
        outputChannels: channels, threads: threads(sharingOneOf: shape(input)[0]))
      convolve(run, pass, images: shape(input)[0])
    }
  }

  /// The gradient of a convolution's input from `input`, the output's gradient; as a layer, a transposed convolution.
  mutating func convolveBack(
    _ geometry: ConvolutionGeometry, input: Value, weight: Value, epilogue: ConvolutionEpilogue, _ node: Node
  ) throws(SasukaError) {
    guard let taps = TapProducts(.forward(geometry, lanes: lanes), isTransposed: true, kernels) else {
      return try convolve(
        ConvolutionPass.inputGradient(geometry, lanes: lanes), input: input, weight: weight, epilogue: epilogue, node)
    }
    let (folded, bias) = try begin(epilogue, node, channels: geometry.inputChannels)
    try convolve(
      taps, input: input, weight: weight, folded: folded, bias: bias, epilogue: epilogue.flags, output: node.outputs[0])
    finish(node.outputs[0], epilogue.elementFunction(kernels))
  }

  /// Where one pass reads and writes.
  func operands(
    of pass: ConvolutionPass, input: Value, packed: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
    epilogue: Int32, output: Value
  ) -> ConvolutionOperands {
    ConvolutionOperands(
      input: UnsafePointer(pointer(input)), place: isLent(input) ? .host : .values, packed: packed, bias: bias,
      output: pointer(output) + pass.outputOffset, inputImage: imageFloats(input), outputImage: imageFloats(output),
      epilogue: epilogue)
  }

  func imageFloats(_ value: Value) -> Int {
    layout(value).storageCount(of: shape(value).replacing(axis: 0, with: 1))
  }

  /// Among how many threads each image is divided.
  func threads(sharingOneOf images: Int) -> Int {
    images >= Lowering.imagesForWholeImageUnits ? 1 : threads
  }

  private mutating func convolve(_ run: ConvolutionRun, _ pass: ConvolutionPass, images: Int) {
    let areWhole = images >= Lowering.imagesForWholeImageUnits
    let ownFloats = areWhole && !run.padsByPart ? run.paddedFloats : run.partFloats
    needWorkerScratch(bytes: ownFloats * MemoryLayout<Float>.stride)
    if pass.padding != nil, !areWhole, !run.padsByPart { pad(run, images: images) }
    algorithm = pass.directKernel.name
    if areWhole {
      step(units: images) { image, context in run.wholeImage(image, context) }
    } else {
      step(units: images * run.division.parts) { part, context in run.part(part, context) }
    }
  }

  /// Copies images into the scratch, with their borders.
  mutating func pad(_ run: ConvolutionRun, images: Int) {
    needScratch(bytes: images * run.paddedFloats * MemoryLayout<Float>.stride)
    algorithm = "padding"
    step(units: images * run.inputBlocks) { unit, context in run.padBlock(unit, context) }
  }

  /// The weights as the pass's kernel reads them.
  mutating func pack(
    _ pass: ConvolutionPass, weight: Value, folded: FoldedNormalization?, channels: Int
  ) throws(SasukaError) -> UnsafePointer<Float> {
    let source = UnsafePointer(pointer(weight)) + pass.weightOffset
    let (groupFloats, groupUnits) = (pass.packedFloats(kernels), pass.packingUnits(kernels))
    let packed = try packedMemory(pass.packing(for: .direct), of: weight, floats: pass.ownGroups * groupFloats)
    let scales = folded.map { UnsafePointer($0.scales) }
    prepare(units: pass.ownGroups * groupUnits) { [kernels] number, _ in
      let (group, unit) = number.quotientAndRemainder(dividingBy: groupUnits)
      pass.pack(
        source + group * Int(pass.weightStrides.group), pass.weightStrides,
        scales: scales.map { $0 + group * Int(pass.shape.output_channels) }, to: packed + group * groupFloats,
        units: unit..<(unit + 1), kernels)
    }
    let kernel = pass.directKernel
    if let folded, kernel == .depthwise || kernel == .grouped {
      scale(
        packed, by: folded, units: pass.outputBlocks(kernels), unitFloats: lanes * pass.weightsOfOutput, width: lanes,
        channels: channels)
    }
    return UnsafePointer(packed)
  }
}

/// What a pass over a batch reads and writes, by whatever algorithm.
struct ConvolutionOperands {
  fileprivate enum Place {
    case values, host, scratch
  }

  let input: UnsafePointer<Float>
  /// Where the input lies.
  fileprivate var place: Place
  var packed: UnsafePointer<Float>
  var bias: UnsafePointer<Float>?
  var output: UnsafeMutablePointer<Float>
  /// Floats of one image of the input and of the output.
  fileprivate(set) var inputImage: Int
  let outputImage: Int
  /// Flags for the kernel, and what is to be done with a part's output behind it.
  let epilogue: Int32
  var function: ElementFunction?

  /// Where the input lies, if not with the host.
  var own: UnsafePointer<Float>? { place == .host ? nil : input }

  /// Where an image of the input begins.
  func image(_ number: Int, _ context: StepContext) -> UnsafePointer<Float> {
    let first =
      switch place {
      case .values: input
      case .host: context.input
      case .scratch: UnsafePointer(context.scratch.assumingMemoryBound(to: Float.self))
      }
    return first + number &* inputImage
  }

  /// Makes them those of one of the groups that are convolutions of their own, each of so many weights and output channels.
  mutating func moveTo(group: Int, packedFloats: Int, outputs: Int, outputFloats: Int) {
    packed += group &* packedFloats
    bias = bias.map { $0 + group &* outputs }
    output += group &* outputFloats
  }

  /// Makes the input images of `imageFloats` that lie in the scratch, from its beginning on.
  mutating func readScratch(imageFloats: Int) { (place, inputImage) = (.scratch, imageFloats) }
}

/// The kernels for products as they come.
enum DirectKernel {
  case general, planar, depthwise, grouped, few

  typealias Forward =
    @convention(c) (
      UnsafePointer<sasuka_convolution>?, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?,
      UnsafeMutablePointer<Float>?, Int64, Int64, Int64, Int32
    ) -> Void

  func forward(_ kernels: UnsafeMutablePointer<sasuka_kernel_table>) -> Forward {
    switch self {
    case .general: kernels.pointee.convolution_forward!
    case .planar: kernels.pointee.convolution_planar_forward!
    case .depthwise: kernels.pointee.convolution_depthwise_forward!
    case .grouped: kernels.pointee.convolution_grouped_forward!
    case .few: kernels.pointee.narrow.convolution_few_forward!
    }
  }

  /// Where the profile has it.
  var name: StaticString {
    switch self {
    case .general: "direct"
    case .planar: "planar"
    case .depthwise: "depthwise"
    case .grouped: "grouped"
    case .few: "few"
    }
  }

  /// Whether it computes several channel blocks at once, if there are so many: a unit, whose weights are packed together.
  var hasUnits: Bool { self == .general || self == .planar }

  /// Whether it takes the image without its border.
  var findsBorder: Bool { self == .depthwise || self == .few }
}

/// The pointers and sizes of one pass over a batch. Not a struct, of which each step would have a copy.
final class ConvolutionRun {
  private let pass: ConvolutionPass
  private let lanes: Int
  private let operands: ConvolutionOperands
  private let multiply: DirectKernel.Forward
  /// Where the last unit is computed with the one before it: what does so, and that one.
  private var joined: (multiply: DirectKernel.Forward, unit: Int)?
  private let padBlocks:
    @convention(c) (UnsafePointer<sasuka_padding>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int64, Int64)
      -> Void
  /// Channel blocks of the input, or planes.
  let inputBlocks: Int
  /// How an image's output is divided into units of work.
  let division: ConvolutionDivision
  /// Floats of one padded image.
  let paddedFloats: Int
  /// Output channels of a unit.
  private let unitChannels: Int
  /// Units of a part of a patch, or of a group of its own, and floats of their weights; all units where there are neither.
  private let ownUnits, ownWeights: Int
  /// Channel blocks of a group's input and output; all where none is of its own.
  private let groupInputs, groupOutputs: Int
  /// Whether a part pads by itself what it reads, into its worker's cache: none but its unit reads its groups. If not, parts
  /// share what is padded before.
  let padsByPart: Bool
  /// Floats of what the largest part pads.
  let partFloats: Int
  /// Floats of a pixel, and of a padded row, of a block or plane.
  private let pixelFloats, rowFloats: Int
  /// Input channels that a unit takes at once, adding to what it has of those before.
  private let channelsAtOnce: Int
  /// Where the kernel's taps are left out that would meet nothing but the border.
  private let cuts: TapCuts

  init(
    _ pass: ConvolutionPass, kernels: UnsafeMutablePointer<sasuka_kernel_table>, _ operands: ConvolutionOperands,
    inputChannels: Int, outputChannels: Int, threads: Int
  ) {
    self.pass = pass
    self.operands = operands
    padBlocks = kernels.pointee.pad!
    let readsPlanes = pass.readsPlanes
    let kernel = pass.directKernel
    let costs = ConvolutionCosts.of(kernels)
    cuts = TapCuts(pass, costs)
    lanes = Int(kernels.pointee.vector_width)
    var shape = pass.shape
    multiply = kernel.forward(kernels)
    let columns =
      kernel.hasUnits
      ? sasuka_convolution_columns(&shape, Int64(lanes), Int64(kernels.pointee.convolution_columns)) : 1
    unitChannels = Int(columns) * lanes
    inputBlocks = readsPlanes ? inputChannels : Layout.blocks(of: inputChannels, lanes: lanes)
    pixelFloats = readsPlanes ? 1 : lanes
    rowFloats = pixelFloats * Int(shape.input_width)
    paddedFloats = pass.padding == nil ? 0 : inputBlocks * rowFloats * Int(shape.input_height)
    groupInputs = inputBlocks / pass.ownGroups
    groupOutputs = Layout.blocks(of: outputChannels / pass.ownGroups, lanes: lanes)
    var blocksAtOnce = groupInputs
    padsByPart =
      pass.padding != nil && !readsPlanes && Int(shape.groups) * pass.ownGroups > 1
      && shape.output_channels <= unitChannels
    if padsByPart {
      let groups = Int(sasuka_convolution_unit_groups(&shape, Int64(lanes), columns))
      // A group may begin and end in the middle of a block.
      blocksAtOnce = min(Layout.blocks(of: groups * Int(shape.input_channels) + lanes - 1, lanes: lanes), groupInputs)
    }
    let weights = pass.weightsOfOutput * outputChannels
    let parts = pass.patch?.parts ?? pass.ownGroups
    let outputBlocks = pass.patch?.pixels ?? groupOutputs
    ownUnits = outputBlocks.dividedUp(by: Int(columns))
    ownWeights = pass.packedFloats(kernels)
    division = ConvolutionDivision(
      units: parts * ownUnits, evenUnits: Double(parts * outputBlocks) / Double(columns),
      rows: Int(shape.output_height), columns: Int(shape.output_width),
      rowFloats: blocksAtOnce * rowFloats * Int(shape.stride_height),
      columnFloats: padsByPart || kernel == .grouped ? nil : blocksAtOnce * pixelFloats * Int(shape.stride_width),
      weights: padsByPart ? .max : pass.patch == nil ? weights : parts * ownWeights, floatsAtOnce: costs.inputAtOnce,
      threads: threads)
    let most = (rows: division.mostRows, columns: shape.inputColumns(of: 0..<division.mostColumns).count)
    let rows = shape.inputRows(of: 0..<most.rows).count
    partFloats = padsByPart ? blocksAtOnce * rows * rowFloats : 0
    // Rows that the taps are far apart pass over are not read.
    let readFloats = min(rows, most.rows * Int(shape.kernel_height)) * most.columns * pixelFloats
    channelsAtOnce = pass.channelsAtOnce(
      blocks: groupInputs, blockFloats: readFloats, unit: unitChannels, lanes: lanes, floatsAtOnce: costs.inputAtOnce)
    if let joined = kernels.pointee.convolution_joined_forward, pass.isPointwise || pass.takesTurns, outputBlocks > 1,
      outputBlocks % 2 == 1
    {
      self.joined = (joined, outputBlocks / 2 - 1)
    }
  }

  func wholeImage(_ image: Int, _ context: StepContext) {
    var source = operands.image(image, context)
    if pass.padding != nil, !padsByPart {
      let padded = context.workerScratch.assumingMemoryBound(to: Float.self)
      pad(source, 0..<inputBlocks, rows: allRows, to: padded)
      source = UnsafePointer(padded)
    }
    for part in 0..<division.parts { compute(image, division[part], from: source, context) }
  }

  func padBlock(_ unit: Int, _ context: StepContext) {
    let (image, block) = (unit / inputBlocks, unit % inputBlocks)
    let padded = context.scratch.assumingMemoryBound(to: Float.self) + image &* paddedFloats
    pad(operands.image(image, context), block..<(block &+ 1), rows: allRows, to: padded)
  }

  private var allRows: Range<Int> { 0..<Int(pass.shape.input_height) }

  /// Copies some blocks or planes of an image into its padded form, of which `padded` has these rows.
  private func pad(
    _ source: UnsafePointer<Float>, _ blocks: Range<Int>, rows: Range<Int>, to padded: UnsafeMutablePointer<Float>
  ) {
    guard var padding = pass.padding else { return }
    padding.top -= Int64(rows.lowerBound)
    padding.padded_height = Int64(rows.count)
    if pass.readsPlanes {
      for plane in blocks { padding.copyPlane(plane, source, to: padded) }
    } else {
      padBlocks(&padding, source, padded, Int64(blocks.lowerBound), Int64(blocks.upperBound))
    }
  }

  /// Where an image is read, which has been padded if it needs to be.
  func source(_ image: Int, _ context: StepContext) -> UnsafePointer<Float> {
    let padded = UnsafePointer(context.scratch.assumingMemoryBound(to: Float.self)) + image &* paddedFloats
    return pass.padding == nil ? operands.image(image, context) : padded
  }

  /// Pads what some rows of the output read of an image's blocks or planes to `memory`, and has `shape` read there: where the
  /// first row of the image's first would be.
  private func padded(
    _ source: UnsafePointer<Float>, _ blocks: Range<Int>, for outputRows: Range<Int>,
    in memory: UnsafeMutablePointer<Float>, _ shape: inout sasuka_convolution
  ) -> UnsafePointer<Float> {
    let rows = shape.inputRows(of: outputRows)
    let padded = memory - blocks.lowerBound * rows.count * rowFloats
    pad(source, blocks, rows: rows, to: padded)
    shape.input_height = Int64(rows.count)
    if pass.directKernel.findsBorder {
      // Of the rows that are there.
      shape.top = Int64(rows.lowerBound)
      return UnsafePointer(padded)
    }
    return UnsafePointer(padded - rows.lowerBound * rowFloats)
  }

  /// Where a band reads an image for some rows of the output. Planes are padded to `memory` by each band, in its worker's cache:
  /// what another thread has written takes longer to read than to copy again.
  func source(
    _ image: Int, ofBand rows: Range<Int>, in memory: UnsafeMutablePointer<Float>, _ shape: inout sasuka_convolution,
    _ context: StepContext
  ) -> UnsafePointer<Float> {
    guard padsByBand else { return source(image, context) }
    return padded(operands.image(image, context), 0..<inputBlocks, for: rows, in: memory, &shape)
  }

  var padsByBand: Bool { pass.readsPlanes && pass.padding != nil }

  /// Floats that a band of so many rows takes for it.
  func bandFloats(rows: Int) -> Int {
    padsByBand ? inputBlocks * rowFloats * pass.shape.inputRows(of: 0..<rows).count : 0
  }

  func part(_ number: Int, _ context: StepContext) {
    let image = number / division.parts
    let source = padsByPart ? operands.image(image, context) : source(image, context)
    compute(image, division[number % division.parts], from: source, context)
  }

  private func compute(
    _ image: Int, _ part: ConvolutionDivision.Part, from source: UnsafePointer<Float>, _ context: StepContext
  ) {
    var (shape, source, multiply, operands) = (pass.shape, source, multiply, operands)
    var (group, unit) = part.unit.quotientAndRemainder(dividingBy: ownUnits)
    if let patch = pass.patch {
      operands = patch.operands(operands, ofPart: group, packedFloats: ownWeights)
      group = 0
    } else if group > 0 {
      operands.moveTo(
        group: group, packedFloats: ownWeights, outputs: groupOutputs &* lanes,
        outputFloats: groupOutputs &* Int(shape.output_block_stride))
    }
    if let joined, unit >= joined.unit {
      if unit > joined.unit { return }
      multiply = joined.multiply
    }
    if padsByPart {
      let memory = context.workerScratch.assumingMemoryBound(to: Float.self)
      source = padded(source, blocks(of: group, readBy: unit), for: part.rows, in: memory, &shape)
    }
    source += group &* groupInputs &* rowFloats &* Int(shape.input_height)
    let output = operands.output + image &* operands.outputImage
    let (all, first, taps) = (Int(shape.input_channels), shape.first_channel, shape.kernel_height * shape.kernel_width)
    let vectors = Layout.blocks(of: Int(shape.output_channels), lanes: lanes) * lanes
    let (before, own) = (unit * unitChannels, min(unitChannels, vectors - unit * unitChannels))
    let findsBorder = pass.directKernel.findsBorder
    let clamps = Int32(SASUKA_EPILOGUE_RELU) | Int32(SASUKA_EPILOGUE_RELU6)
    for channel in stride(from: 0, to: max(all, 1), by: channelsAtOnce) {
      let count = min(channelsAtOnce, all - channel)
      let (isFirst, isLast) = (channel == 0, channel + count == all)
      (shape.input_channels, shape.first_channel) = (Int64(count), first + Int64(channel))
      // The kernel believes that units before this one have weights for these channels only.
      let packed = operands.packed + Int(taps) * ((all - count) * before + channel * own)
      let epilogue = isFirst ? operands.epilogue : operands.epilogue | Int32(SASUKA_EPILOGUE_ADD)
      let final = isLast ? epilogue : epilogue & ~clamps
      cuts.forEach(part.rows, part.columns, &shape) { shape, column, rows in
        let passed = Int64(column) * shape.stride_width
        // What finds the border counts the pixels from it on.
        if findsBorder { shape.left = pass.shape.left - passed }
        let place = column * Int(shape.output_pixel_stride)
        multiply(
          &shape, findsBorder ? source : source + Int(passed) * pixelFloats, packed, isFirst ? operands.bias : nil,
          output + place, Int64(unit), Int64(rows.lowerBound), Int64(rows.upperBound), final)
      }
    }
    guard let function = operands.function else { return }
    let (row, pixel, columns) = (Int(shape.output_row_stride), Int(shape.output_pixel_stride), unitChannels / lanes)
    let end = joined?.unit == unit ? groupOutputs : min((unit + 1) * columns, groupOutputs)
    function.apply(
      to: output + (part.rows.lowerBound * row + part.columns.lowerBound * pixel),
      count: (part.rows.count - 1) * row + part.columns.count * pixel, blocks: (unit * columns)..<end,
      blockStride: Int(shape.output_block_stride))
  }

  /// Blocks with the input channels of all groups that a unit's output channels belong to.
  private func blocks(of group: Int, readBy unit: Int) -> Range<Int> {
    let (inputs, outputs) = (Int(pass.shape.input_channels), Int(pass.shape.output_channels))
    let last = min((unit + 1) * unitChannels, Int(pass.shape.groups) * outputs) - 1
    let end = (last / outputs + 1) * inputs
    let before = group * groupInputs
    return (before + unit * unitChannels / outputs * inputs / lanes)..<(before + Layout.blocks(of: end, lanes: lanes))
  }
}

extension sasuka_convolution {
  /// The rows of the padded input that some rows of the output are computed from.
  fileprivate func inputRows(of rows: Range<Int>) -> Range<Int> {
    // One even for a kernel without taps.
    rows.seen(span: Int(dilation_height * max(kernel_height - 1, 0) + 1), stride: Int(stride_height))
  }

  /// The columns, likewise; those of one map where two are taken by turns, of which either may lie before the other.
  fileprivate func inputColumns(of columns: Range<Int>) -> Range<Int> {
    columns.seen(span: Int(max(dilation_width * (kernel_width - 1), 0) + 1), stride: Int(stride_width))
  }
}

extension sasuka_padding {
  /// Copies one plane of an image that lies in planes; the steps are 1.
  fileprivate func copyPlane(_ plane: Int, _ source: UnsafePointer<Float>, to padded: UnsafeMutablePointer<Float>) {
    let (paddedWidth, rows) = (Int(padded_width), Int(padded_height))
    let (first, skipped) = (max(0, Int(left)), max(0, 0 &- Int(left)))
    let count = max(0, min(Int(width) &- skipped, paddedWidth &- first))
    for row in 0..<rows {
      let target = padded + (plane &* rows &+ row) &* paddedWidth
      let sourceRow = row &- Int(top)
      guard sourceRow >= 0, sourceRow < Int(height), count > 0 else {
        target.clear(count: paddedWidth)
        continue
      }
      target.clear(count: first)
      (target + first).copy(from: source + (plane &* Int(height) &+ sourceRow) &* Int(width) + skipped, count: count)
      (target + first + count).clear(count: paddedWidth &- first &- count)
    }
  }
}

extension ConvolutionPass {
  var directKernel: DirectKernel {
    isDepthwise ? .depthwise : isGrouped ? .grouped : readsPlanes ? .planar : sumsAcrossLanes ? .few : .general
  }

  /// Weights of an output channel.
  fileprivate var weightsOfOutput: Int { Int(shape.input_channels * shape.kernel_height * shape.kernel_width) }

  /// Floats of the weights as its kernel reads them.
  func packedFloats(_ kernels: UnsafeMutablePointer<sasuka_kernel_table>) -> Int {
    let (width, columns) = (Int64(kernels.pointee.vector_width), Int64(kernels.pointee.convolution_columns))
    var shape = shape
    return switch directKernel {
    case .depthwise, .grouped: outputBlocks(kernels) * Int(width) * weightsOfOutput
    case .few: Int(sasuka_few_packed_floats(&shape))
    case .general, .planar: Int(sasuka_convolution_packed_floats(&shape, width, columns))
    }
  }

  /// Units in which they may be packed.
  func packingUnits(_ kernels: UnsafeMutablePointer<sasuka_kernel_table>) -> Int {
    guard directKernel.hasUnits else { return 1 }
    let (width, columns) = (Int64(kernels.pointee.vector_width), Int64(kernels.pointee.convolution_columns))
    var shape = shape
    return Int(sasuka_convolution_units(&shape, width, columns))
  }

  /// Channel blocks of the output.
  fileprivate func outputBlocks(_ kernels: UnsafeMutablePointer<sasuka_kernel_table>) -> Int {
    Layout.blocks(of: Int(shape.groups * shape.output_channels), lanes: Int(kernels.pointee.vector_width))
  }

  /// Packs the weights of some units; depthwise and grouped ones without scales.
  func pack(
    _ source: UnsafePointer<Float>, _ strides: sasuka_weight_strides, scales: UnsafePointer<Float>?,
    to packed: UnsafeMutablePointer<Float>, units: Range<Int>, _ kernels: UnsafeMutablePointer<sasuka_kernel_table>
  ) {
    let (width, pack) = (Int64(kernels.pointee.vector_width), kernels.pointee.packing)
    var (shape, strides) = (shape, strides)
    switch directKernel {
    case .depthwise, .grouped:
      pack.convolution_grouped_pack(&shape, &strides, source, packed, 0, Int64(outputBlocks(kernels)), width)
    case .few: pack.convolution_few_pack(&shape, &strides, source, scales, packed)
    case .general, .planar:
      pack.convolution_pack(
        &shape, &strides, source, scales, packed, Int64(units.lowerBound), Int64(units.upperBound), width)
    }
  }

  /// With how many input channels the weights of a unit of output channels and what they meet stay in the second cache while its
  /// tiles pass over them (AVX2, 3x3 by stride 2 of 512 channels to 7 x 7 pixels: 0.90 of the time). Pointwise ones read each of
  /// them once in a tile, and are as fast from farther away.
  ///
  /// - Parameters:
  ///   - blocks: channel blocks of the input, of each of which `blockFloats` are read.
  ///   - floatsAtOnce: what stays in the second cache.
  fileprivate func channelsAtOnce(blocks: Int, blockFloats: Int, unit: Int, lanes: Int, floatsAtOnce: Int) -> Int {
    let (inputs, taps) = (Int(shape.input_channels), Int(shape.kernel_height * shape.kernel_width))
    // Weights lie by blocks of the input: where the first channel is in the middle of one, so would be where passes part.
    let mayPart =
      directKernel == .general && !takesTurns && shape.groups == 1 && taps > 1 && Int(shape.first_channel) % lanes == 0
    let passes = (blocks * blockFloats + inputs * taps * unit).dividedUp(by: floatsAtOnce)
    return mayPart ? blocks.dividedUp(by: passes) * lanes : max(inputs, 1)
  }
}
