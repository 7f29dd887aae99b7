// Padding and resizing against PyTorch, forward and backward.
import Sasuka
import Testing

@Suite struct ResampleTests {
  @Test(arguments: try Golden.cases(.operators, of: "pad"))
  func padMatchesPyTorch(golden: GoldenCase) throws {
    let mode: PadMode =
      switch try golden.string("mode") {
      case "reflect": .reflect
      case "replicate": .replicate
      default: .constant(Float(try golden.number("value")))
      }
    let padding = try golden.padding()
    try golden.expectMatch { (graph, inputs) throws(SasukaError) in
      try graph.pad(inputs[0], padding, mode: mode, name: "m")
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "resize"))
  func resizeMatchesPyTorch(golden: GoldenCase) throws {
    let filter: ResizeSampling.Filter =
      try golden.string("mode") == "nearest" ? .nearest : .bilinear(alignCorners: try golden.boolean("align_corners"))
    let target: ResizeTarget
    if golden.isNull("size") {
      let scale = try golden.numbers("scale_factor")
      target = .scale(height: scale[0], width: scale[1])
    } else {
      target = .size(try golden.extent("size"))
    }
    try golden.expectMatch { (graph, inputs) throws(SasukaError) in
      try graph.resize(inputs[0], to: target, filter: filter, name: "m")
    }
  }
}
