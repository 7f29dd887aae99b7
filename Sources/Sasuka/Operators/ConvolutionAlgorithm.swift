import CSystem

/// How a convolution is computed.
package enum ConvolutionAlgorithm: Int, Sendable {
  /// Product by product.
  case direct = 0
  /// Winograd's minimal filtering of tiles of 2 x 2 pixels: 4/9 of the products of a 3 x 3 convolution, 9/25 of a 5 x 5.
  case winograd2 = 2
  /// Of tiles of 4 x 4 pixels: 1/4 of the products.
  case winograd4 = 4

  /// Pixels along a side of a tile.
  var tile: Int { rawValue }
}

/// Which algorithms a plan may use.
package enum AlgorithmChoice: Sendable {
  /// The fastest for each layer.
  case fastest
  /// Those that round as plain sums do: never Winograd's.
  case exact
  /// One algorithm wherever it is possible; for tests and measurements.
  case forced(ConvolutionAlgorithm)
}

extension ConvolutionPass {
  /// The algorithm for this pass over a batch.
  ///
  /// - Parameter packsEachRun: whether the weights change from run to run.
  func algorithm(
    _ choice: AlgorithmChoice, images: Int, kernels: UnsafeMutablePointer<sasuka_kernel_table>, packsEachRun: Bool
  ) -> ConvolutionAlgorithm {
    guard kernels.pointee.winograd_input != nil, allowsWinograd else { return .direct }
    switch choice {
    case .exact: return .direct
    case .forced(let algorithm): return possible.contains(algorithm) ? algorithm : .winograd2
    case .fastest: break
    }
    let lanes = Int(kernels.pointee.vector_width)
    var (best, least) = (ConvolutionAlgorithm.direct, Double.infinity)
    for algorithm in possible {
      let cost = cost(algorithm, images: images, lanes: lanes, packsEachRun: packsEachRun)
      if cost < least { (best, least) = (algorithm, cost) }
    }
    return best
  }

  /// 5 x 5 kernels have 6 x 6 points in tiles of 2 x 2; for larger tiles float32 would lose too much.
  private var possible: [ConvolutionAlgorithm] {
    shape.kernel_height == 3 ? [.direct, .winograd2, .winograd4] : [.direct, .winograd2]
  }

  private var allowsWinograd: Bool {
    !isDepthwise && shape.groups == 1 && (shape.kernel_height == 3 || shape.kernel_height == 5)
      && shape.kernel_width == shape.kernel_height && shape.stride_height == 1 && shape.stride_width == 1
      && shape.dilation_height == 1 && shape.dilation_width == 1
      && (padding?.step_height ?? 1) == 1 && (padding?.step_width ?? 1) == 1
  }

  /// About how long an algorithm takes, in multiply-adds of vectors.
  ///
  /// Measured on a Zen 4 core: products run at nine tenths of the peak whatever the shape, as long as memory delivers the
  /// weights; the transforms of one tile of one channel block take as long as `input` and `output` multiply-adds.
  private func cost(_ algorithm: ConvolutionAlgorithm, images: Int, lanes: Int, packsEachRun: Bool) -> Double {
    let (inputs, outputs) = (Int(shape.input_channels), Int(shape.output_channels))
    let outputBlocks = Double(Layout.blocks(of: outputs, lanes: lanes))
    let weightVectors = Double(inputs) * outputBlocks
    let taps = shape.kernel_height * shape.kernel_width
    var (places, points, transforms) = (Double(shape.output_height * shape.output_width), Double(taps), 0.0)
    if algorithm != .direct {
      let tile = Int64(algorithm.tile)
      places = Double(sasuka_divide_up(shape.output_height, tile) * sasuka_divide_up(shape.output_width, tile))
      let side = tile + shape.kernel_height - 1
      points = Double(side * side)
      let (input, output) = side == 4 ? (100.0, 70.0) : (360.0, 260.0)
      transforms = places * (Double(Layout.blocks(of: inputs, lanes: lanes)) * input + outputBlocks * output)
    }
    let arithmetic = Double(images) * places * points * weightVectors
    // Four bytes arrive from memory in the time of two multiply-adds of 8 floats or one of 16.
    let streaming = points * weightVectors * 16
    let packing = packsEachRun ? points * weightVectors * 20 : 0
    return max(arithmetic, streaming) + Double(images) * transforms + packing
  }
}
