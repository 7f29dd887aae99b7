// Max pooling of every table the machine has, with and without the places of the maxima, against plain loops.
import CSystem
import Sasuka
import Testing

@Suite struct PoolingKernelTests {
  /// Square windows over a map of `height` x `width`, padded by as much before as behind; `extra` columns and rows of the
  /// output see less than a whole window, as rounding up gives them.
  struct Case: CustomStringConvertible {
    let kernel, stride, padding, height, width: Int
    var dilation = 1
    var extra = 0

    private func output(_ size: Int) -> Int { (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1 + extra }

    var shape: sasuka_pooling {
      let (kernel, stride, dilation, padding) = (Int64(kernel), Int64(stride), Int64(dilation), Int64(padding))
      return sasuka_pooling(
        input_height: Int64(height), input_width: Int64(width), output_height: Int64(output(height)),
        output_width: Int64(output(width)), kernel_height: kernel, kernel_width: kernel, stride_height: stride,
        stride_width: stride, dilation_height: dilation, dilation_width: dilation, top: padding, left: padding)
    }

    var description: String {
      "kernel \(kernel), stride \(stride), padding \(padding), dilation \(dilation), \(height) x \(width), \(extra) extra"
    }
  }

  static let cases: [Case] = [
    Case(kernel: 3, stride: 2, padding: 1, height: 112, width: 112),
    Case(kernel: 3, stride: 2, padding: 0, height: 27, width: 35, extra: 1),
    Case(kernel: 3, stride: 1, padding: 1, height: 14, width: 7),
    Case(kernel: 3, stride: 1, padding: 1, height: 5, width: 6),
    Case(kernel: 3, stride: 1, padding: 0, height: 3, width: 9),
    Case(kernel: 2, stride: 2, padding: 0, height: 8, width: 224),
    Case(kernel: 2, stride: 2, padding: 1, height: 9, width: 13, extra: 1),
    Case(kernel: 2, stride: 1, padding: 0, height: 6, width: 12),
    Case(kernel: 3, stride: 3, padding: 1, height: 10, width: 29),
    Case(kernel: 3, stride: 1, padding: 1, height: 11, width: 15, dilation: 2),
    Case(kernel: 5, stride: 2, padding: 2, height: 12, width: 21),
    Case(kernel: 3, stride: 2, padding: 1, height: 1, width: 1),
  ]

  /// Numbers with many equal ones, some infinite, and in one of seven rows of `rowFloats` a few that are NaN, in the next one
  /// a few infinite ones of the other sign: kernels may compute rows without such in another way.
  private static func pixels(_ count: Int, rowFloats: Int) -> [Float] {
    let noise = NamedUniform("max_pool", -4, 4)
    return (0..<count).map { index in
      switch (index % 97, index / rowFloats % 7) {
      case (3..<11, 5): .nan
      case (3..<11, 6): .infinity
      case (40..<48, _): -.infinity
      default: noise[index].rounded()
      }
    }
  }

  @Test(arguments: cases)
  func givesTheLargestOfEachWindow(_ each: Case) {
    var shape = each.shape
    for kernels in TestedKernels.available {
      let table = withExtendedLifetime(kernels.table) { $0.slots.pointee }
      let lanes = Int(table.vector_width)
      let input = Self.pixels(each.height * each.width * lanes, rowFloats: each.width * lanes)
      let outputs = Int(shape.output_height * shape.output_width)
      var (maxima, withPlaces) = (
        [Float](repeating: 7, count: outputs * lanes), [Float](repeating: 7, count: outputs * lanes)
      )
      var places = [Int32](repeating: 7, count: outputs * lanes)
      table.max_pool(&shape, input, &maxima, nil)
      table.max_pool(&shape, input, &withPlaces, &places)
      for index in maxima.indices {
        let (expected, place) = Self.largest(each, input, lanes, pixel: index / lanes, lane: index % lanes)
        let agrees = [maxima[index], withPlaces[index]].allSatisfy { $0 == expected || $0.isNaN && expected.isNaN }
        guard agrees, place == Int(places[index]) else {
          Issue.record(
            "\(kernels), \(each): at \(index) \(maxima[index]), \(withPlaces[index]) from \(places[index]), expected \(expected) from \(place)"
          )
          return
        }
      }
    }
  }

  private static func largest(
    _ each: Case, _ input: [Float], _ lanes: Int, pixel: Int, lane: Int
  ) -> (value: Float, place: Int) {
    let width = Int(each.shape.output_width)
    let (top, left) = (pixel / width * each.stride - each.padding, pixel % width * each.stride - each.padding)
    var best: (value: Float, place: Int)?
    for row in 0..<each.kernel {
      for column in 0..<each.kernel {
        let (y, x) = (top + row * each.dilation, left + column * each.dilation)
        guard 0..<each.height ~= y, 0..<each.width ~= x else { continue }
        let (value, place) = (input[(y * each.width + x) * lanes + lane], y * each.width + x)
        // PyTorch takes a NaN whenever it sees one, so the last of them.
        if best == nil || value > best!.value || value.isNaN { best = (value, place) }
      }
    }
    return best ?? (-.infinity, -1)
  }
}
