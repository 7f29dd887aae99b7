import CSystem

/// How a convolution is computed. Where tiles are filtered with a stride of 2, it is in the four phases of the kernel, which have
/// half its taps along each side: of 4 x 4 taps as many products are left as of 2 x 2, of 5 x 5 about as many as of 3 x 3. Larger
/// kernels, and those of other strides, are cut into pieces of these sizes (`KernelPieces`).
package enum ConvolutionAlgorithm: Int, CaseIterable, Sendable {
  /// Product by product.
  case direct = 0
  /// One level of Strassen's matrix multiplication: 7/8 of the products of a 1 x 1 convolution.
  case strassen = 1
  /// Winograd's minimal filtering of tiles of 2 x 2 pixels: 4/9 of the products of a 3 x 3 convolution, 25/36 of one of
  /// stride 2. A kernel of one row or column has tiles of one row or column too.
  case winograd2 = 2
  /// Of tiles of 3 x 3 pixels: 49/81 of the products of a 3 x 3 convolution of stride 2, 4/9 of a 2 x 2, which is a phase of a
  /// transposed one of 4 x 4 and stride 2.
  case winograd3 = 3
  /// Of tiles of 4 x 4 pixels: 1/4 of the products of a 3 x 3 convolution, 9/16 of one of stride 2, 25/64 of a 2 x 2.
  case winograd4 = 4
  /// Of tiles of 5 x 5 pixels: 81/625 of the products of a 5 x 5 convolution. A side of 3 or 4 taps has 7 or 6 pixels.
  case winograd5 = 5
  /// Of tiles of 6 x 6 pixels: 16/81 of the products of a 3 x 3 convolution, 9/64 of a 4 x 4, 2/7 of a 1 x 7; of a first
  /// layer of 7 x 7 and stride 2, in its phases, 9/49.
  case winograd6 = 6
  /// Of tiles of 7 x 7 pixels: 9/49 of the products of a 3 x 3 convolution.
  case winograd7 = 7
  /// Of tiles of 4 rows of 2 pixels: 1/3 of the products of a 3 x 3 convolution, with two thirds of the weights of 4 x 4, which
  /// memory gives as fast as they are multiplied by the few tiles of 7 x 7 pixels.
  case winograd4x2 = 8
  /// Of tiles of 7 rows of 4 pixels: 3/14 of the products of a 3 x 3 convolution, with two thirds of the weights of 7 x 7.
  case winograd7x4 = 9
  /// Of tiles of 7 rows of 2 pixels: 2/7 of the products of a 3 x 3 convolution, with no more weights than 4 x 4: 14 x 14
  /// pixels.
  case winograd7x2 = 10

  /// Rows and columns of a tile.
  private var tile: (rows: Int64, columns: Int64) {
    switch self {
    case .winograd4x2: (4, 2)
    case .winograd7x4: (7, 4)
    case .winograd7x2: (7, 2)
    default: (Int64(rawValue), Int64(rawValue))
    }
  }

  private func side(_ pixels: Int64, taps: Int64) -> Int64 { taps == 1 ? 1 : self == .winograd5 ? 10 - taps : pixels }

  /// Rows of a tile where a column of the kernel has so many taps.
  package func tileRows(taps: Int64) -> Int64 { side(tile.rows, taps: taps) }

  /// Columns of a tile where a row of the kernel has so many taps.
  package func tileColumns(taps: Int64) -> Int64 { side(tile.columns, taps: taps) }

  /// Whether there are transforms for kernels of so many rows and columns of taps.
  @inline(never)
  package func filters(rows: Int64, columns: Int64) -> Bool {
    func filters(_ taps: Int64, _ tile: Int64) -> Bool {
      switch taps {
      case 1: true
      case 2: 2...4 ~= tile
      case 3: tile == 2 || tile == 4 || tile >= 6
      case 4: tile == 6
      case 5: tile == 5
      // Twelve points, in two dimensions, would cost float32 two digits.
      case 7: tile == 6 && rows * columns == 7
      default: false
      }
    }
    // A kernel of one row or column needs no tiles of other sides; tiles of 5 x 5 are those of 7 x 7 where there are 3 taps.
    return rows * columns > 1 && (tile.rows == tile.columns || rows == columns)
      && (self != .winograd5 || max(rows, columns) == 5)
      && filters(rows, tileRows(taps: rows)) && filters(columns, tileColumns(taps: columns))
  }

  /// A time as it counts beside those of others: large tiles round most and have the most weights.
  func handicapped(_ time: Double) -> Double { isLarge ? 1.02 * time : time }

  /// Whether what its tiles round counts where others would do for 3 x 3: twice as much and more than 4 x 4 and 7 x 2.
  var isLarge: Bool { self == .winograd6 || self == .winograd7 || self == .winograd7x4 }

  /// Where the profile has it; shapes tell how many dimensions are meant.
  var name: StaticString {
    switch self {
    case .direct: "direct"
    case .strassen: "strassen"
    case .winograd2: "winograd 2x2"
    case .winograd3: "winograd 3x3"
    case .winograd4: "winograd 4x4"
    case .winograd5: "winograd 5x5"
    case .winograd6: "winograd 6x6"
    case .winograd7: "winograd 7x7"
    case .winograd4x2: "winograd 4x2"
    case .winograd7x4: "winograd 7x4"
    case .winograd7x2: "winograd 7x2"
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
    case .fastest: if sumsAcrossLanes { return .direct }
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
    !isDepthwise && !takesTurns && (padding?.step_height ?? 1) == 1 && (padding?.step_width ?? 1) == 1
  }

  /// Whether there is what fills tiles with all kinds of products: both units of a pair, both halves of the channels, both tiles
  /// of a group.
  private func allowsStrassen(lanes: Int) -> Bool {
    let (width, pixels) = (Int64(lanes), shape.output_height * shape.output_width)
    return isOneByOne && shape.input_channels >= 2 * width && shape.output_channels >= 4 * width
      && pixels >= sasuka_strassen_fewest_pixels(width) && shape.output_block_stride == pixels * width
      && shape.output_pixel_stride == width
  }

  /// Whether there are transforms for the kernel's taps.
  @inline(never)
  private func allowsWinograd(_ algorithm: ConvolutionAlgorithm, lanes: Int) -> Bool {
    if let pieces { return allowsWinograd(algorithm, pieces, lanes: lanes) }
    let (height, width) = (shape.kernel_height, shape.kernel_width)
    let (down, across) = (shape.stride_height, shape.stride_width)
    let hasStride = down > 1 || across > 1
    if shape.groups > 1, readsPlanes || !groupsFillUnits(lanes: lanes) { return false }
    if hasStride {
      let hasPhases = down == 2 && across == 2 && Int(shape.input_channels) % lanes == 0
      // A phase without a tap has no products to save.
      if !hasPhases || maps.areDilated || height <= down || width <= across { return false }
    }
    return algorithm.filters(rows: height.dividedUp(by: down), columns: width.dividedUp(by: across))
  }

  /// The same of a kernel that is cut.
  private func allowsWinograd(_ algorithm: ConvolutionAlgorithm, _ pieces: KernelPieces, lanes: Int) -> Bool {
    guard algorithm.filters(rows: pieces.rows.taps, columns: pieces.columns.taps) else { return false }
    if readsPlanes {
      // They are copied for it: two taps along a side, or few in all, have too few products to save; and the copies are to be no
      // larger than a few times the output.
      let areMany = (shape.kernel_height == 1 || pieces.rows.taps > 2) && pieces.columns.taps > 2
      let copies = Int64(pieces.count) * shape.input_channels
      return areMany && shape.kernel_height * shape.kernel_width > 16 && !maps.areDilated
        && copies <= 4 * max(shape.output_channels, shape.block_lanes)
    }
    var tiled = sasuka_winograd(self, algorithm, lanes: lanes)
    let weights = saturatingProduct(
      Int(sasuka_winograd_weights(&tiled)), Int(tiled.input_channels), Int(tiled.output_channels))
    return weights <= KernelPieces.mostWeights
  }

  /// Whether those groups that are taken for one divide all groups and read whole blocks, and are not so many that their weights
  /// would be zeros for the most part.
  private func groupsFillUnits(lanes: Int) -> Bool {
    let (joined, lanes) = (Int64(groupsAtOnce(lanes: lanes)), Int64(lanes))
    return shape.groups % joined == 0 && joined * shape.input_channels % lanes == 0
      && (joined <= 2 || joined * shape.output_channels <= 8 * lanes)
  }
}
