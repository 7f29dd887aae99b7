// Denormal numbers, which are a hundred times as slow as others, are zeros on whatever thread computes, and the host's threads
// are left in the mode they had. Benchmarks/manners.py measures what that is good for.
import CSystem
import Foundation
import Sasuka
import Testing

@Suite struct DenormalTests {
  /// Whose threads compute.
  enum Threads: CaseIterable { case callers, pool, hosts }

  /// Whether a thread of the host was given back in another mode; its threads follow one another.
  nonisolated(unsafe) private static var hostsModeChanged = false

  /// The calling thread's mode, without the flags that say what has happened.
  private static var mode: UInt32 {
    let mode = sasuka_flush_denormals()
    sasuka_restore_denormals(mode)
    return mode & ~0x3F
  }

  private static func options(_ threads: Threads) -> Model.Options {
    var options = Model.Options()
    options.threads = threads == .callers ? 1 : 3
    guard threads == .hosts else { return options }
    let parallelFor: ThreadPool.HostParallelFor = { count, body, context, _ in
      for index in 0..<count {
        nonisolated(unsafe) let context = context
        let done = DispatchSemaphore(value: 0)
        Thread {
          // A thread begins in the mode of the one that makes it; the host's have existed before.
          sasuka_restore_denormals(0x1F80)
          let before = DenormalTests.mode
          body?(context, index)
          if DenormalTests.mode != before { DenormalTests.hostsModeChanged = true }
          done.signal()
        }.start()
        done.wait()
      }
    }
    options.host = (parallelFor, nil)
    return options
  }

  /// Direct, Winograd's, strided, grouped and depthwise convolutions, a normalisation, a sum, poolings, a linear layer.
  private static func model(_ threads: Threads, _ kernels: InstructionSet) throws -> Model {
    var graph = Graph()
    let same = PaddingMode.explicit(Padding(1))
    var x = graph.addInput(name: "input", shape: Shape([1, 3, 20, 20]))
    x = try graph.convolution(x, name: "first", outputChannels: 32, kernel: Extent(3), padding: same)
    let y = try graph.convolution(x, name: "winograd", outputChannels: 32, kernel: Extent(3), padding: same)
    x = try graph.add(graph.batchNorm(y, name: "bn"), x, name: "add")
    x = try graph.convolution(
      x, name: "strided", outputChannels: 32, kernel: Extent(3), stride: Extent(2), padding: same, groups: 8)
    x = try graph.convolution(x, name: "depthwise", outputChannels: 32, kernel: Extent(3), padding: same, groups: 32)
    x = try graph.convolution(x, name: "pointwise", outputChannels: 24, kernel: Extent(1))
    x = try graph.activation(graph.globalAveragePool(x, name: "mean"), .sigmoid, name: "sigmoid")
    graph.outputs = [try graph.linear(graph.flatten(x, name: "flatten"), name: "fc", outputFeatures: 5)]
    return try Model(graph, options: options(threads), instructionSet: kernels)
  }

  /// Every third number is denormal, or 0 in its place.
  private static func thinned(_ numbers: [Float], asZero: Bool) -> [Float] {
    numbers.enumerated().map { place, number in
      place % 3 == 1 ? (asZero ? 0 : Float(sign: number.sign, exponent: -130, significand: 1.5)) : number
    }
  }

  private static func logits(_ threads: Threads, _ kernels: InstructionSet, asZero: Bool) throws -> [UInt32] {
    let model = try model(threads, kernels)
    for info in model.parameters.infos where info.kind != .counter && info.name != "bn.running_var" {
      model.set(info.name, thinned(try #require(model.numbers(info.name)).floats, asZero: asZero))
    }
    let noise = TestTensor.noise([2, 3, 20, 20], "pictures").host
    let (input, output) = (TestTensor(noise.shape, thinned(noise.floats, asZero: asZero)), TestTensor([2, 5]))
    try model.forward(input, to: output)
    return output.host.floats.map(\.bitPattern)
  }

  @Test(arguments: Threads.allCases, InstructionSet.available)
  func denormalWeightsAndPicturesAreZeros(threads: Threads, kernels: InstructionSet) throws {
    let before = Self.mode
    let zeros = try Self.logits(threads, kernels, asZero: true)
    #expect(try Self.logits(threads, kernels, asZero: false) == zeros)
    #expect(zeros.contains { Float(bitPattern: $0) != 0 })
    #expect(Self.mode == before)
    #expect(!Self.hostsModeChanged)
  }

  /// A denormal number is what a momentum decays to where gradients have ceased.
  @Test(arguments: Threads.allCases)
  func momentaOfWhatRestsBecomeZero(threads: Threads) throws {
    let model = try Self.model(threads, .preferred)
    var options = Trainer.Options()
    options.optimizer.momentum = 0.5
    let trainer = try Trainer(model, options: options)
    let before = Self.mode
    let gradients = trainer.gradients
    for place in 0..<gradients.floatCount { gradients.buffer.floats[place] = Float(0x1p-100) }
    try trainer.update()
    try trainer.zeroGradients()
    for step in 1...40 {
      try trainer.update()
      let momenta = trainer.stateBits.map { Float(bitPattern: $0) }
      // 2^-126 is the smallest number that is not denormal.
      let expected: Float = step <= 26 ? Float(sign: .plus, exponent: -100 - step, significand: 1) : 0
      #expect(momenta.filter { $0 != 0 }.allSatisfy { $0 == expected } && (momenta.max() == expected), "step \(step)")
    }
    #expect(Self.mode == before)
    #expect(!Self.hostsModeChanged)
  }
}
