// What a course says of dropout and batch normalisation, measured.
import Sasuka
import Testing

@Suite struct RegularisationTests {
  /// [64, 32, 8, 8]: within a map all pixels are equal, the extreme of what neighbours in a feature map are.
  private static let shape = [64, 32, 8, 8]
  private static let maps = 64 * 32

  private enum Kind { case elements, maps }

  /// The average of each map behind a dropout of one half, and of the gradient that reaches it.
  private func averages(_ kind: Kind) throws -> (output: [Float], gradient: [Float]) {
    let ones = HostTensor(Self.shape, [Float](repeating: 1, count: Self.maps * 64))
    let run = OperatorRun(inputs: [ones], upstream: ones) { (graph, values) throws(SasukaError) in
      switch kind {
      case .elements: try graph.dropout(values[0], name: "drop", probability: 0.5)
      case .maps: try graph.dropout2d(values[0], name: "drop", probability: 0.5)
      }
    }
    let result = try run.run(TestedKernels.baseline.table, threads: 2)
    func averaged(_ tensor: HostTensor) -> [Float] {
      (0..<Self.maps).map { map in tensor.floats[(64 * map)..<(64 * map + 64)].reduce(0, +) / 64 }
    }
    return (averaged(result.output), averaged(try #require(result.inputGradients[0])))
  }

  private func variance(_ numbers: [Float]) -> Float {
    let mean = numbers.reduce(0, +) / Float(numbers.count)
    return numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(numbers.count)
  }

  /// Where neighbours are correlated, dropping single pixels hardly disturbs what the next layer sees: the average of a map
  /// keeps a variance of p / (1 - p) / pixels. Dropping whole maps gives the noise that was asked for, p / (1 - p).
  @Test func dropoutOfPixelsAveragesOutWhereNeighboursAreCorrelated() throws {
    let (pixels, maps) = (try averages(.elements), try averages(.maps))
    // The variance of 2048 draws of about normal distribution is known to sqrt(2 / 2048) = 3 %; five of that.
    #expect(abs(variance(pixels.output) * 64 - 1) < 0.16)
    #expect(abs(variance(maps.output) - 1) < 0.16)
    // No map loses its whole gradient to single pixels (2^-64 each); half of them do to whole maps.
    #expect(pixels.gradient.allSatisfy { $0 > 0 })
    #expect(maps.gradient.allSatisfy { $0 == 0 || $0 == 2 })
    let dropped = Float(maps.gradient.count { $0 == 0 }) / Float(Self.maps)
    let deviation = 0.5 / Float(Self.maps).squareRoot()
    #expect(abs(dropped - 0.5) < 5 * deviation)
  }

  /// Statistics are one for each channel, over the batch, the rows and the columns: a channel's scale and shift vanish, the
  /// differences between its pictures and its pixels stay.
  @Test func batchNormIsPerChannelOverPicturesAndPixels() throws {
    let (batch, channels, area) = (3, 4, 30)
    var random = SmallRandom(seed: 8)
    let x = (0..<(batch * channels * area)).map { place in
      let channel = Float(place / area % channels)
      return 100 * channel + (1 + channel) * random.next() + Float(place / area / channels)
    }
    let run = OperatorRun(inputs: [HostTensor([batch, channels, 5, 6], x)]) { (graph, values) throws(SasukaError) in
      try graph.batchNorm(values[0], name: "bn", epsilon: 0)
    }
    let y = try run.run(TestedKernels.baseline.table, threads: 1).output.floats
    for channel in 0..<channels {
      let places = y.indices.filter { $0 / area % channels == channel }
      let own = places.map { y[$0] }
      // Numbers of size 1 from inputs up to 300 times as large, which are rounded a few times.
      let mean: Float = own.reduce(0, +) / 90
      let roundings: Float = 1200 * 0x1p-24
      #expect(abs(mean) < roundings, "channel \(channel)")
      #expect(abs(variance(own) - 1) < 1e-3, "channel \(channel)")
      let pictures = (0..<batch).map { picture -> Float in
        own[(area * picture)..<(area * picture + area)].reduce(0, +) / 30
      }
      #expect(pictures[2] > pictures[0] + 0.1, "the pictures of channel \(channel) still differ")
    }
  }

  /// In training a picture's result depends on its neighbours in the batch; in evaluation it does not.
  @Test func evaluationDoesNotDependOnTheBatch() throws {
    let pixels = (0..<24).map { Float(($0 * 7) % 11) }
    func first(_ mode: Mode, others: Float) throws -> [Float] {
      let x = HostTensor([2, 2, 3, 4], pixels + pixels.map { $0 * others })
      var run = OperatorRun(mode: mode, inputs: [x]) { (graph, values) throws(SasukaError) in
        try graph.batchNorm(values[0], name: "bn")
      }
      run.parameters = ["bn.running_mean": [5, 4], "bn.running_var": [9, 10]]
      return Array(try run.run(TestedKernels.baseline.table, threads: 1).output.floats[..<24])
    }
    #expect(try first(.evaluation, others: 1) == first(.evaluation, others: 5))
    #expect(try first(.training, others: 1) != first(.training, others: 5))
  }
}
