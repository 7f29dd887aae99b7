// What moves, cuts and joins elements against PyTorch, forward and backward: the results are copies, bit for bit.
import Sasuka
import Testing

@Suite struct RearrangingTests {
  @Test(arguments: try Golden.cases(.operators, of: "concatenate"))
  func concatenateMatchesPyTorch(golden: GoldenCase) throws {
    let axis = try golden.integer("dim")
    try expectCopies(golden) { (graph, inputs) throws(SasukaError) in
      // Without the builder, which refuses the batch; so below.
      try graph.append(Concatenate(axis: axis), name: "m", inputs: inputs)[0]
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "flatten"))
  func flattenMatchesPyTorch(golden: GoldenCase) throws {
    let operation = Flatten(startAxis: try golden.integer("start_dim"), endAxis: try golden.integer("end_dim"))
    try expectCopies(golden) { (graph, inputs) throws(SasukaError) in
      try graph.append(operation, name: "m", inputs: inputs)[0]
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "reshape"))
  func reshapeMatchesPyTorch(golden: GoldenCase) throws {
    let operation = Reshape(dimensions: try golden.integers("shape"))
    try expectCopies(golden) { (graph, inputs) throws(SasukaError) in
      try graph.append(operation, name: "m", inputs: inputs)[0]
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "permute"))
  func permuteMatchesPyTorch(golden: GoldenCase) throws {
    let operation = Permute(order: try golden.integers("dims"))
    try expectCopies(golden) { (graph, inputs) throws(SasukaError) in
      try graph.append(operation, name: "m", inputs: inputs)[0]
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "channel_shuffle"))
  func channelShuffleMatchesPyTorch(golden: GoldenCase) throws {
    let groups = try golden.integer("groups")
    try expectCopies(golden) { (graph, inputs) throws(SasukaError) in
      try graph.channelShuffle(inputs[0], groups: groups, name: "m")
    }
  }

  @Test(arguments: try Golden.cases(.operators, of: "slice"))
  func sliceMatchesPyTorch(golden: GoldenCase) throws {
    let operation = Slice(
      axis: try golden.integer("axis"), start: try golden.integer("start"), end: try golden.integer("end"),
      step: try golden.integer("step"))
    try expectCopies(golden) { (graph, inputs) throws(SasukaError) in
      try graph.append(operation, name: "m", inputs: inputs)[0]
    }
  }

  @Test func sliceMovesWhatLiesOutsideToTheEdge() throws {
    let run = OperatorRun(inputs: [HostTensor([1, 4], [1, 2, 3, 4])]) { (graph, values) throws(SasukaError) in
      try graph.slice(values[0], axis: 1, start: .min, end: .max, step: 3, name: "m")
    }
    for (_, result) in try run.everywhere() { #expect(result.output == HostTensor([1, 2], [1, 4])) }
  }

  /// In the row-major and, where there is one, in the blocked layout.
  private func expectCopies(
    _ golden: GoldenCase, _ build: @escaping (inout Graph, [Value]) throws(SasukaError) -> Value
  ) throws {
    for isBlocked in [false, true] { try golden.expectMatch(tolerance: 0, isBlocked: isBlocked, build) }
  }
}
