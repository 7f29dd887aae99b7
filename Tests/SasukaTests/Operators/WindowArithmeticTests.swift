// Sizes and paddings against PyTorch's and ONNX's rules, and against hostile values.
import Sasuka
import Testing

@Suite struct WindowArithmeticTests {
  @Test func outputSizes() throws {
    #expect(try Window.outputSize(input: 224, kernel: 7, stride: 2, before: 3, after: 3) == 112)
    #expect(try Window.outputSize(input: 112, kernel: 3, stride: 2, before: 1, after: 1) == 56)
    #expect(try Window.outputSize(input: 7, kernel: 2, stride: 2) == 3)
    #expect(try Window.outputSize(input: 7, kernel: 2, stride: 2, ceil: true) == 4)
    // The last window would begin in the padding after the input: dropped.
    #expect(try Window.outputSize(input: 5, kernel: 2, stride: 3, before: 1, after: 1, ceil: true) == 2)
    // A window larger than the input has a place as long as it reaches past by less than a stride.
    #expect(try Window.outputSize(input: 2, kernel: 3, stride: 2, ceil: true) == 1)
    #expect(throws: SasukaError.self) { try Window.outputSize(input: 1, kernel: 3, stride: 2, ceil: true) }
    #expect(throws: SasukaError.self) { try Window.outputSize(input: 2, kernel: 3, stride: 2) }
    #expect(try Window.outputSize(input: 9, kernel: 3, stride: 1, dilation: 2) == 5)
    #expect(try Window.transposedOutputSize(input: 7, kernel: 4, stride: 2, before: 1, after: 1) == 14)
    let size = try Window.transposedOutputSize(input: 7, kernel: 3, stride: 2, before: 1, after: 1, outputPadding: 1)
    #expect(size == 14)
  }

  /// Every place that a window may take is counted, no other.
  @Test func outputSizesByCounting() throws {
    for input in 1...9 {
      for kernel in 1...4 {
        for (stride, dilation, padding) in [(1, 1, 0), (2, 1, 1), (3, 2, 1), (2, 3, 2)] {
          let extent = dilation * (kernel - 1) + 1
          let starts = placeCount(until: input + 2 * padding - extent, by: stride)
          guard starts > 0 else { continue }
          let size = try Window.outputSize(
            input: input, kernel: kernel, stride: stride, dilation: dilation, before: padding, after: padding)
          #expect(size == starts, "input \(input), kernel \(kernel), stride \(stride), dilation \(dilation)")
        }
      }
    }
  }

  private func placeCount(until last: Int, by step: Int) -> Int {
    last < 0 ? 0 : Array(stride(from: 0, through: last, by: step)).count
  }

  @Test(arguments: [
    (PaddingMode.same, 1, Padding(top: 1, bottom: 2, left: 1, right: 1)),
    (.sameUpper, 2, Padding(top: 1, bottom: 2, left: 0, right: 1)),
    (.sameLower, 2, Padding(top: 2, bottom: 1, left: 1, right: 0)),
    (.valid, 2, Padding()),
    (.explicit(Padding(top: 9)), 2, Padding(top: 9)),
  ])
  func paddings(mode: PaddingMode, stride: Int, expected: Padding) throws {
    let resolved = try mode.resolved(
      input: Extent(height: 7, width: 8), kernel: Extent(height: 4, width: 3), stride: Extent(stride))
    // 7 rows: 4 outputs of stride 2 span 3 * 2 + 4 = 10; 8 columns: 3 * 2 + 3 = 9.
    #expect(resolved == expected)
  }

  @Test func hostileValuesAreErrorsThatNameThem() {
    func message(_ body: () throws(SasukaError) -> Int) -> String {
      do { return "\(try body())" } catch { return error.message }
    }
    #expect(
      message { () throws(SasukaError) in try Window.outputSize(input: 5, kernel: 0, stride: 1) }
        == "kernel size 0; 1 to 1073741824 is expected")
    #expect(
      message { () throws(SasukaError) in try Window.outputSize(input: 5, kernel: 3, stride: .max) }
        == "stride 9223372036854775807; 1 to 1073741824 is expected")
    #expect(
      message { () throws(SasukaError) in try Window.outputSize(input: 5, kernel: 3, stride: 1, before: -1) }
        == "padding -1; 0 to 1073741824 is expected")
    #expect(
      message { () throws(SasukaError) in try Window.outputSize(input: 5, kernel: 4, stride: 1, dilation: 2, after: 1) }
        == "a kernel of 4 with dilation 2 spans 7, more than the padded input of 6 (0 + 5 + 1)")
    #expect(throws: SasukaError.self) {
      try PaddingMode.same.resolved(input: Extent(5), kernel: Extent(3), stride: Extent(2))
    }
  }

  @Test func receptiveFieldOfTheBeginningOfAResNet() throws {
    var field = ReceptiveField()
    try field.append(kernel: 7, stride: 2, before: 3)
    try field.append(kernel: 3, stride: 2, before: 1)
    try field.append(kernel: 3, stride: 1, before: 1)
    #expect(field.size == 19 && field.step == 4 && field.start == -9)
    #expect(throws: SasukaError.self) { for _ in 0..<9 { try field.append(kernel: 1 << 20, stride: 1 << 20) } }
  }
}
