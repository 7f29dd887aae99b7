import CSystem

/// What the work beside products costs on a kind of core, in multiply-adds of vectors: from it follows which algorithm is
/// the fastest for a layer.
struct ConvolutionCosts {
  /// The time in which a vector of weights comes from memory, and the share of it that products do not hide: with stride 1,
  /// and 2.
  let streaming, exposed, exposedStrided: Double
  /// Winograd's transforms of one tile of one channel block, for each point of the input and of the output; and how much
  /// longer than by these numbers tiles of a stride of 2 take, and tiles of 6 x 6 and 7 x 7.
  let inputPoint, outputPoint, stridedTile, largeTile: Double
  /// A vector of pixels that lie apart, beside one of neighbours, where there is but one tap.
  let stridedPixel: Double
  /// Output channels from which on a copy of such pixels takes less time than products of them as they lie do.
  let thinnedOutputs: Int
  /// Of Strassen's products: a sum of weights; one of inputs, and where more than a megabyte of them comes from the third
  /// cache; what tiles of sums wait for each other, for each vector; the sums of a group, unless they wait for that cache;
  /// and for each channel that the first sums go to memory that other layers have driven out of the second one.
  let weightSum, inputSum, farInputSum, wait, group, farGroup, first: Double
  /// Strassen's time as it counts beside the direct one: what is hardly won is not worth the rounding.
  let strassen: Double
  /// Floats of the input that stay in the second cache while all units of output channels pass over them.
  let inputAtOnce: Int

  /// Measured on a Zen 4 core with vectors of 16, which it multiplies one at a time: products run at nine tenths of the peak
  /// whatever the shape, as long as memory delivers the weights: to one thread in the time of 8, to each of two in that of 11.
  /// Choices are the same for all numbers of threads, for the bits are.
  private static let oneAtOnce = ConvolutionCosts(
    streaming: 9, exposed: 0.2, exposedStrided: 0.7, inputPoint: 18, outputPoint: 9, stridedTile: 1,
    largeTile: 1, stridedPixel: 1, thinnedOutputs: .max, weightSum: 1.5, inputSum: 3, farInputSum: 4.5, wait: 24,
    group: 24, farGroup: 0, first: 50, strassen: 1.01, inputAtOnce: 65_536)

  /// The same core with vectors of 8, fitted to 158 layers: what goes point by point hides nothing of memory's time. The direct
  /// product reaches nine tenths and a half of the peak, from the first cache; those of Strassen's, whose weights come from the
  /// second, stay behind it: half of what they save.
  private static let halves = ConvolutionCosts(
    streaming: 9, exposed: 0.2, exposedStrided: 0.3, inputPoint: 14, outputPoint: 11, stridedTile: 1, largeTile: 1,
    stridedPixel: 1, thinnedOutputs: 96, weightSum: 3.5, inputSum: 1.5, farInputSum: 1.5, wait: 36, group: 75,
    farGroup: 110, first: 2, strassen: 1.05, inputAtOnce: 65_536)

  /// Fitted to 252 layers on an Emerald Rapids core. It multiplies two vectors of 16 at a time, but stores no more, and waits
  /// longer for its third cache and for memory: beside products all else costs twice as much, and more.
  private static let twoAtOnce = ConvolutionCosts(
    streaming: 28, exposed: 0.5, exposedStrided: 0.5, inputPoint: 24, outputPoint: 12, stridedTile: 1.4,
    largeTile: 1.27, stridedPixel: 1.15, thinnedOutputs: .max, weightSum: 5, inputSum: 14, farInputSum: 14, wait: 12,
    group: 50, farGroup: 0, first: 250, strassen: 1.03, inputAtOnce: 131_072)

  static func of(_ kernels: UnsafeMutablePointer<sasuka_kernel_table>) -> ConvolutionCosts {
    kernels.pointee.vector_width < 16 ? halves : kernels.pointee.wide_products == 2 ? twoAtOnce : oneAtOnce
  }
}

extension ConvolutionPass {
  /// About how long an algorithm takes, in multiply-adds of vectors.
  func cost(
    _ algorithm: ConvolutionAlgorithm, images: Int, lanes: Int, _ costs: ConvolutionCosts, packsEachRun: Bool
  ) -> Double {
    if algorithm == .strassen { return strassenCost(images: images, lanes: lanes, costs) }
    let pieces = algorithm == .direct ? nil : pieces
    if readsPlanes, let pieces {
      // Each pixel of the pieces is copied by itself.
      let copies = PlanePieces(pieces, of: self, lanes: lanes).floats
      return overBlocks.cost(algorithm, images: images, lanes: lanes, costs, packsEachRun: packsEachRun)
        + Double(images * copies)
    }
    let groups = Int(shape.groups)
    let outputBlocks = Double(Layout.blocks(of: groups * Int(shape.output_channels), lanes: lanes))
    let groupsMet = algorithm == .direct ? groupsOfUnit(lanes: lanes) : Double(groupsAtOnce(lanes: lanes))
    let weightVectors = Double(shape.input_channels) * groupsMet * outputBlocks
    let taps = shape.kernel_height * shape.kernel_width
    let isStrided = shape.stride_width == 2 && pieces == nil
    let pieceCount = Double(pieces?.count ?? 1)
    var (places, weights, transforms) = (Double(shape.output_height * shape.output_width), Double(taps), 0.0)
    if algorithm != .direct {
      var tiled = sasuka_winograd(self, algorithm, lanes: lanes)
      places = Double(tiled.tiles_down * tiled.tiles_across * Int64(maps.count))
      weights = Double(sasuka_winograd_weights(&tiled)) * pieceCount
      let points = Double(tiled.point_rows * tiled.point_columns)
      let inputPoints = weights * Double(Layout.blocks(of: groups * Int(shape.input_channels), lanes: lanes))
      transforms = places * (inputPoints * costs.inputPoint + points * outputBlocks * costs.outputPoint)
      // Each piece reads each block of the input by itself: a call for some tiles.
      if pieces != nil {
        let calls = pieceCount * Double(Layout.blocks(of: Int(shape.input_channels), lanes: lanes))
        transforms += calls * (1 + places / 56) * 1000
      }
      // Groups have few products, so that it matters what the transforms take: for each point as long as a line has points.
      if groups > 1 { transforms *= Double(tiled.point_rows + tiled.point_columns) / 12 }
    }
    if algorithm == .direct, shape.groups == 1 { places *= TapCuts(self, costs).share }
    // Sums of few products wait for each other where they begin and end (AVX2: 4 x 4 to 9 x 9 taps over planes).
    let depth = Double(shape.input_channels) * pieceCount
    let begun = algorithm != .direct && groups == 1 && depth < 16 ? 1 + 8 / depth : 1
    let arithmetic = Double(images) * places * weights * weightVectors * begun
    let streaming = weights * weightVectors * costs.streaming
    let packing = packsEachRun ? weights * weightVectors * 20 : 0
    var exposed = taps == 1 ? 0 : isStrided ? costs.exposedStrided : costs.exposed
    // A group's few tiles read each weight but once or twice (32 groups of 16 and 32 channels, 7 x 7 to 28 x 28, on AVX2).
    if groups > 1, algorithm != .direct { exposed *= 3 }
    let time = max(arithmetic, streaming) + exposed * streaming + Double(images) * transforms + packing
    if algorithm == .direct {
      // What puts channels in their groups' lanes takes as long as two fifths of the products.
      return isStrided && taps == 1 ? costs.stridedPixel * time : isGrouped ? 1.4 * time : time
    }
    let tiled = isStrided ? costs.stridedTile * time : time
    guard algorithm.isLarge else { return tiled }
    // In a small layer large tiles are not worth their rounding.
    let isWorthIt = arithmetic > 200_000 * Double(images)
    return algorithm.handicapped(costs.largeTile * (isWorthIt ? tiled : 1.13 * tiled))
  }

  /// Whether a kernel whose lanes are input channels takes less time than one whose lanes are the few output channels (AVX2: 8 to 64
  /// and 1 or 3 channels, 1x1 to 5x5; from 32 or 64 channels on where there is but one tap). Winograd's transforms of the input,
  /// for so few products, take twice as long as either.
  var gainsAcrossLanes: Bool {
    var shape = shape
    let (products, sums) = (Double(sasuka_few_packed_floats(&shape)) / 8, sasuka_few_sums(&shape))
    // What each pixel waits for where its lanes are summed, and for loads where each has but one product.
    return 36 + (sums == 1 ? 2.6 : 1.5) * products < 1.5 * 8 * products / Double(sums)
  }

  /// The same of Strassen's products.
  private func strassenCost(images: Int, lanes: Int, _ costs: ConvolutionCosts) -> Double {
    let run = StrassenGroups(shape, lanes: lanes)
    let inputs = Double(run.inputChannels - run.restChannels)
    let outputBlocks = Double(Layout.blocks(of: Int(shape.output_channels), lanes: lanes))
    let pixels = Double(run.pixels)
    let (pairs, grouped) = (Double(run.pairs), Double(run.grouped))
    let isFar = pixels * inputs > 262_144
    let (inputSum, group) = isFar ? (costs.farInputSum, costs.farGroup) : (costs.inputSum, costs.group)
    let direct = pixels * Double(run.inputChannels) * outputBlocks
    // The rest is added to results that come from the second cache, and go back.
    let rest = run.restChannels > 0 ? pairs * grouped * 4 * 3 : 0
    let saved = pairs * grouped * (inputs / 2 - costs.wait) - grouped * group
    let sums =
      grouped * inputs / Double(lanes) * inputSum + pairs * Double(run.stretches) * inputs * 4 * costs.weightSum
      + inputs * costs.first
    return costs.strassen * Double(images) * (direct - saved + sums + rest)
  }
}
