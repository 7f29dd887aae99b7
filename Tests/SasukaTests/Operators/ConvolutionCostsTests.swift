// What the costs of a kind of core choose for layers of the zoo is what was measured to be the fastest on such a core.
import Testing

@testable import Sasuka

@Suite struct ConvolutionCostsTests {
  struct Layer: CustomStringConvertible, Sendable {
    let inputs, outputs, side: Int
    var kernel = 3
    var stride = 1
    /// On a core that multiplies one vector of 16 floats at a time, and on one that multiplies two.
    let one, two: ConvolutionAlgorithm

    var description: String { "\(inputs) to \(outputs), \(side) x \(side) by \(kernel) x \(kernel) / \(stride)" }
  }

  private static let layers = [
    // Where transforms cost twice as much, and where weights do, smaller tiles are the best.
    Layer(inputs: 64, outputs: 64, side: 56, one: .winograd7, two: .winograd4),
    Layer(inputs: 256, outputs: 256, side: 14, one: .winograd7x2, two: .winograd4x2),
    Layer(inputs: 512, outputs: 512, side: 7, one: .winograd4x2, two: .direct),
    Layer(inputs: 192, outputs: 192, side: 24, one: .winograd6, two: .winograd4),
    Layer(inputs: 256, outputs: 256, side: 28, stride: 2, one: .winograd2, two: .direct),
    // Sums of Strassen's products are hidden by the others where those are many.
    Layer(inputs: 256, outputs: 64, side: 56, kernel: 1, one: .strassen, two: .direct),
    Layer(inputs: 2048, outputs: 512, side: 7, kernel: 1, one: .strassen, two: .direct),
    Layer(inputs: 256, outputs: 1024, side: 14, kernel: 1, one: .strassen, two: .strassen),
    Layer(inputs: 1024, outputs: 2048, side: 14, kernel: 1, stride: 2, one: .strassen, two: .strassen),
    Layer(inputs: 64, outputs: 256, side: 56, kernel: 1, one: .direct, two: .direct),
  ]

  @Test(arguments: layers)
  func theFastestIsChosen(layer: Layer) throws {
    let border = layer.kernel / 2
    let attributes = ConvolutionAttributes(
      stride: Extent(layer.stride),
      padding: .explicit(Padding(top: border, bottom: border, left: border, right: border)))
    let geometry = try attributes.geometry(
      input: Shape([1, layer.inputs, layer.side, layer.side]),
      weight: Shape([layer.outputs, layer.inputs, layer.kernel, layer.kernel]))
    // Kernels of 16 floats that every machine has.
    let kernels = TestedKernels.portable16.table
    let pass = ConvolutionPass.forward(geometry, lanes: kernels.lanes)
    for (products, expected) in [(1, layer.one), (2, layer.two)] {
      kernels.slots.pointee.wide_products = Int32(products)
      let found = pass.algorithm(.fastest, images: 1, kernels: kernels.slots, packsEachRun: false)
      #expect(found == expected, "\(products) at once: \(found)")
    }
  }

  /// Sessions share packed weights where the kernel has the same pieces: not with those over maps of which one row of output is left,
  /// which have no stride, nor with those over planes.
  @Test func otherPiecesAreOtherWeights() throws {
    let lanes = TestedKernels.portable16.table.lanes
    func packing(rows: Int, readsPlanes: Bool = false, _ algorithm: ConvolutionAlgorithm = .winograd5) throws -> [Int] {
      let geometry = try ConvolutionAttributes(stride: Extent(height: 2, width: 1)).geometry(
        input: Shape([1, 16, rows, 30]), weight: Shape([16, 16, 9, 9]))
      var pass = ConvolutionPass.forward(geometry, lanes: lanes)
      pass.readsPlanes = readsPlanes
      return pass.packing(for: algorithm)
    }
    #expect(try packing(rows: 40) == packing(rows: 60))
    #expect(try packing(rows: 40) != packing(rows: 9))
    #expect(try packing(rows: 40) != packing(rows: 40, readsPlanes: true))
    #expect(try packing(rows: 40, .direct) == packing(rows: 9, .direct))
  }

  /// A kernel is cut where neither its transformed weights nor the copies of planes would take much memory.
  @Test(arguments: [
    (256, 256, 7, ConvolutionAlgorithm.winograd6, false, true), (512, 512, 7, .winograd6, false, false),
    (64, 64, 31, .winograd5, false, true), (1, 16, 9, .winograd5, true, true), (3, 64, 7, .winograd6, true, true),
    (1, 16, 50, .winograd5, true, false),
  ])
  func largeKernelsAreCutWithinLimits(
    _ inputs: Int, _ outputs: Int, _ kernel: Int, _ algorithm: ConvolutionAlgorithm, _ readsPlanes: Bool, _ isCut: Bool
  ) throws {
    let geometry = try ConvolutionAttributes().geometry(
      input: Shape([1, inputs, 64, 64]), weight: Shape([outputs, inputs, kernel, kernel]))
    let kernels = TestedKernels.portable16.table
    var pass = ConvolutionPass.forward(geometry, lanes: kernels.lanes)
    pass.readsPlanes = readsPlanes
    let found = pass.algorithm(.forced(algorithm), images: 1, kernels: kernels.slots, packsEachRun: false)
    #expect(found == (isCut ? algorithm : .direct))
  }
}
