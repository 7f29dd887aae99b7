// Layers that make no sense: an error that names the layer and the value, and a graph that is as it was.
import Sasuka
import Testing

/// A builder's call on an input of shape [1, 6, 4, 5] and another of [1, 6], and a part of the message it answers with.
struct RefusedLayer: CustomTestStringConvertible, Sendable {
  let message: String
  let build: @Sendable (inout Graph, Value, Value) throws(SasukaError) -> Value

  init(_ message: String, _ build: @escaping @Sendable (inout Graph, Value, Value) throws(SasukaError) -> Value) {
    self.message = message
    self.build = build
  }

  var testDescription: String { message }

  static let all: [RefusedLayer] = [
    RefusedLayer("axis 4 of shape [1, 6, 4, 5]; -4 to 3") { (g, x, _) throws(SasukaError) in
      try g.softmax(x, axis: 4, name: "m")
    },
    RefusedLayer("axis -9223372036854775808") { (g, x, _) throws(SasukaError) in
      try g.softmax(x, axis: .min, name: "m")
    },
    RefusedLayer("shapes [1, 6, 4, 5] and [1, 6] do not go together") { (g, x, y) throws(SasukaError) in
      try g.add(x, y, name: "m")
    },
    RefusedLayer("not 6 and 5") { (g, x, y) throws(SasukaError) in try g.multiply(y, x, name: "m") },
    RefusedLayer("nothing to join") { (g, _, _) throws(SasukaError) in try g.concatenate([], name: "m") },
    RefusedLayer("input 1 has shape [1, 6]") { (g, x, y) throws(SasukaError) in try g.concatenate([x, y], name: "m") },
    RefusedLayer("is the batch") { (g, x, _) throws(SasukaError) in try g.concatenate([x, x], axis: -4, name: "m") },
    RefusedLayer("is the batch") { (g, x, _) throws(SasukaError) in try g.mean(x, axes: [0, 1], name: "m") },
    RefusedLayer("no axis is named") { (g, x, _) throws(SasukaError) in try g.mean(x, axes: [], name: "m") },
    RefusedLayer("axis -1 of shape [1, 6, 4, 5] is named twice") { (g, x, _) throws(SasukaError) in
      try g.mean(x, axes: [3, -1], name: "m")
    },
    RefusedLayer("3 axes for shape") { (g, x, _) throws(SasukaError) in try g.permute(x, order: [0, 1, 2], name: "m") },
    RefusedLayer("0 axes for shape") { (g, x, _) throws(SasukaError) in try g.permute(x, order: [], name: "m") },
    RefusedLayer("named twice") { (g, x, _) throws(SasukaError) in try g.permute(x, order: [0, 1, 1, 2], name: "m") },
    RefusedLayer("axis 1 comes first") { (g, x, _) throws(SasukaError) in
      try g.permute(x, order: [1, 0, 2, 3], name: "m")
    },
    RefusedLayer("4 groups") { (g, x, _) throws(SasukaError) in try g.channelShuffle(x, groups: 4, name: "m") },
    RefusedLayer("0 groups") { (g, x, _) throws(SasukaError) in try g.channelShuffle(x, groups: 0, name: "m") },
    RefusedLayer("step 0") { (g, x, _) throws(SasukaError) in
      try g.slice(x, axis: 1, start: 0, end: 2, step: 0, name: "m")
    },
    RefusedLayer("leave nothing of axis 1") { (g, x, _) throws(SasukaError) in
      try g.slice(x, axis: 1, start: 4, end: -2, name: "m")
    },
    RefusedLayer("leave nothing of axis 2") { (g, x, _) throws(SasukaError) in
      try g.slice(x, axis: 2, start: .max, end: .max, step: .max, name: "m")
    },
    RefusedLayer("height: padding 4 cannot reflect 4 pixels") { (g, x, _) throws(SasukaError) in
      try g.pad(x, Padding(top: 4), mode: .reflect, name: "m")
    },
    RefusedLayer("width: padding -3 and -2 leaves nothing of 5 pixels") { (g, x, _) throws(SasukaError) in
      try g.pad(x, Padding(left: -3, right: -2), name: "m")
    },
    RefusedLayer("padding 9223372036854775807") { (g, x, _) throws(SasukaError) in
      try g.pad(x, Padding(.max), mode: .replicate, name: "m")
    },
    RefusedLayer("padding -9223372036854775808") { (g, x, _) throws(SasukaError) in
      try g.pad(x, Padding(.min), name: "m")
    },
    RefusedLayer("elements") { (g, x, _) throws(SasukaError) in try g.pad(x, Padding(1 << 28), name: "m") },
    RefusedLayer("not finite") { (g, x, _) throws(SasukaError) in
      try g.pad(x, Padding(1), mode: .constant(.nan), name: "m")
    },
    RefusedLayer("input of shape [1, 6]") { (g, _, y) throws(SasukaError) in try g.pad(y, Padding(1), name: "m") },
    RefusedLayer("gives 0 x 3") { (g, x, _) throws(SasukaError) in
      try g.resize(x, to: .size(Extent(height: 0, width: 3)), name: "m")
    },
    RefusedLayer("expected") { (g, x, _) throws(SasukaError) in try g.resize(x, to: .size(Extent(.max)), name: "m") },
    RefusedLayer("height: the scale") { (g, x, _) throws(SasukaError) in
      try g.resize(x, to: .scale(height: .nan, width: 1), name: "m")
    },
    RefusedLayer("width: the scale") { (g, x, _) throws(SasukaError) in
      try g.resize(x, to: .scale(height: 1, width: .infinity), name: "m")
    },
    RefusedLayer("height: the scale") { (g, x, _) throws(SasukaError) in
      try g.resize(x, to: .scale(height: 0.1, width: 1), name: "m")
    },
    RefusedLayer("height: the scale") { (g, x, _) throws(SasukaError) in
      try g.resize(x, to: .scale(height: -2, width: -2), name: "m")
    },
  ]
}

@Suite struct RefusedLayerTests {
  @Test(arguments: RefusedLayer.all)
  func isAnErrorAndChangesNothing(refused: RefusedLayer) throws {
    var graph = Graph()
    let map = graph.addInput(name: "map", shape: Shape([1, 6, 4, 5]))
    let vector = graph.addInput(name: "vector", shape: Shape([1, 6]))
    do {
      _ = try refused.build(&graph, map, vector)
      Issue.record("no error: \(refused.message)")
    } catch {
      #expect(error.code == .invalidArgument)
      #expect(error.message.contains("\"m\"") && error.message.contains(refused.message), "\(error.message)")
    }
    #expect(graph.nodes.isEmpty && graph.tensors.count == 2)
  }
}
