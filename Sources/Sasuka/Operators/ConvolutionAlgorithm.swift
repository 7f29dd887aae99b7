import CSystem

/// How a convolution is computed.
package enum ConvolutionAlgorithm: Int, CaseIterable, Sendable {
  /// Product by product.
  case direct = 0
  /// One level of Strassen's matrix multiplication: 7/8 of the products of a 1 x 1 convolution.
  case strassen = 1
  /// Winograd's minimal filtering of tiles of 2 x 2 pixels: 4/9 of the products of a 3 x 3 convolution, 25/36 of one of
  /// stride 2. A kernel of one row or column has tiles of one row or column too.
  case winograd2 = 2
  /// Of tiles of 3 x 3 pixels: 49/81 of the products of a 3 x 3 convolution of stride 2.
  case winograd3 = 3
  /// Of tiles of 4 x 4 pixels: 1/4 of the products of a 3 x 3 convolution, 9/16 of one of stride 2, 49/256 of a
  /// 4 x 4, 4/25 of a 5 x 5, 5/14 of a 1 x 7; of a first layer of 7 x 7 and stride 2, in its phases, 1/4.
  case winograd4 = 4
  /// Of tiles of 6 x 6 pixels: 16/81 of the products of a 3 x 3 convolution.
  case winograd6 = 6

  /// Pixels of a tile along a side where the kernel has so many taps.
  func tile(taps: Int64) -> Int64 { taps == 1 ? 1 : Int64(rawValue) }

  /// Points along a side of a tile. A stride of 2 takes a kernel of 3 taps apart into one of 2 and one of 1.
  func points(taps: Int64, stride: Int64) -> Int64 { tile(taps: taps) + sasuka_divide_up(taps, stride) - 1 }

  /// A time as it counts beside those of others: tiles of 6 x 6 round most and have the most weights.
  func handicapped(_ time: Double) -> Double { self == .winograd6 ? 1.02 * time : time }

  /// Where the profile has it; shapes tell how many dimensions are meant.
  var name: StaticString {
    switch self {
    case .direct: "direct"
    case .strassen: "strassen"
    case .winograd2: "winograd 2x2"
    case .winograd3: "winograd 3x3"
    case .winograd4: "winograd 4x4"
    case .winograd6: "winograd 6x6"
    }
  }
}

/// Which algorithms a plan may use.
package enum AlgorithmChoice: Sendable {
  /// The fastest for each layer.
  case fastest
  /// Those that round as plain sums do: never Winograd's or Strassen's.
  case exact
  /// One algorithm wherever it is possible, the direct one elsewhere; for tests and measurements.
  case forced(ConvolutionAlgorithm)
}

extension ConvolutionPass {
  /// The algorithm for this pass over a batch.
  ///
  /// - Parameter packsEachRun: whether the weights change from run to run.
  func algorithm(
    _ choice: AlgorithmChoice, images: Int, kernels: UnsafeMutablePointer<sasuka_kernel_table>, packsEachRun: Bool
  ) -> ConvolutionAlgorithm {
    guard kernels.pointee.winograd_input != nil, allowsFaster else { return .direct }
    let (lanes, costs) = (Int(kernels.pointee.vector_width), ConvolutionCosts.of(kernels))
    func allows(_ algorithm: ConvolutionAlgorithm) -> Bool {
      algorithm == .strassen
        ? allowsStrassen(lanes: lanes) && !packsEachRun : allowsWinograd(algorithm, lanes: lanes)
    }
    switch choice {
    case .exact: return .direct
    case .forced(let algorithm): return allows(algorithm) ? algorithm : .direct
    case .fastest: break
    }
    var best = ConvolutionAlgorithm.direct
    var least = cost(.direct, images: images, lanes: lanes, costs, packsEachRun: packsEachRun)
    for algorithm in ConvolutionAlgorithm.allCases where algorithm != .direct && allows(algorithm) {
      let cost = cost(algorithm, images: images, lanes: lanes, costs, packsEachRun: packsEachRun)
      if cost < least { (best, least) = (algorithm, cost) }
    }
    return best
  }

  static let sizeCount = 12

  /// What tells it from others by the time that it takes.
  func sizes(images: Int) -> String {
    var text = ""
    for size in [
      Int64(images), shape.groups, shape.input_channels, shape.output_channels, shape.kernel_height,
      shape.kernel_width, shape.stride_height, shape.stride_width, shape.input_height, shape.input_width,
      shape.output_height, shape.output_width,
    ] {
      text += Int(size).description + " "
    }
    return text
  }

  private var allowsFaster: Bool {
    !isDepthwise && shape.groups == 1 && shape.dilation_height == 1 && shape.dilation_width == 1
      && (padding?.step_height ?? 1) == 1 && (padding?.step_width ?? 1) == 1
  }

  /// Whether all kinds of products fill tiles: both units of a pair, both halves of the channels, both tiles of a group.
  private func allowsStrassen(lanes: Int) -> Bool {
    let (width, pixels) = (Int64(lanes), shape.output_height * shape.output_width)
    return !readsPlanes && shape.kernel_height == 1 && shape.kernel_width == 1 && padding == nil
      && shape.input_channels % (2 * width) == 0 && shape.output_channels >= 4 * width
      && pixels >= sasuka_strassen_fewest_pixels(width) && shape.output_block_stride == pixels * width
      && shape.output_pixel_stride == width
  }

  /// Whether there are transforms for the kernel's taps; ten points, in two dimensions, would cost float32 two digits.
  private func allowsWinograd(_ algorithm: ConvolutionAlgorithm, lanes: Int) -> Bool {
    if readsPlanes {
      // Two taps would have few products to save, and phases without a tap none.
      func fits(_ taps: Int64, _ stride: Int64) -> Bool { stride > 1 && taps > 2 * stride && taps <= 4 * stride }
      return algorithm == .winograd4 && fits(shape.kernel_height, shape.stride_height)
        && fits(shape.kernel_width, shape.stride_width)
    }
    let sides = [shape.kernel_height, shape.kernel_width]
    if shape.stride_height == 2, shape.stride_width == 2 {
      return sides == [3, 3] && Int(shape.input_channels) % lanes == 0 && algorithm != .winograd6
    }
    if algorithm == .winograd3 { return false }
    let filtered = sides.filter { $0 != 1 }
    let most: Int64 = filtered.count == 1 ? Int64(SASUKA_WINOGRAD_POINTS) : 8
    return !filtered.isEmpty && shape.stride_height == 1 && shape.stride_width == 1
      && filtered.allSatisfy { taps in
        let isKnown =
          taps == 3 || (taps == 4 || taps == 5 || taps == 7) && algorithm == .winograd4
        return isKnown && algorithm.points(taps: taps, stride: 1) <= most
      }
  }
}
