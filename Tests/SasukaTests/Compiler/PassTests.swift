// What each pass makes of a small graph: nodes before and after. Fusion and the moving of channels, whose cases are many, have
// files of their own, as has the memory plan.
import Sasuka
import Testing

@Suite struct PassTests {
  /// A classifier with a dropout and an auxiliary head.
  private static func classifier() throws -> Graph {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 16, 4, 4]))
    let conv = try graph.convolution(input, name: "conv", outputChannels: 16, kernel: Extent(1), bias: false)
    let relu = try graph.activation(graph.batchNorm(conv, name: "bn"), .relu, name: "relu")
    let head = try graph.convolution(relu, name: "aux", outputChannels: 3, kernel: Extent(4), bias: false)
    let kept = try graph.dropout(relu, name: "drop", probability: 0.5)
    let logits = try graph.convolution(kept, name: "fc", outputChannels: 3, kernel: Extent(4), bias: false)
    graph.outputs = [logits, head]
    graph.auxiliaryLossWeights = [0.3]
    return graph
  }

  private static let before = [
    "conv = convolution(input, conv.weight)",
    "bn = batch_norm(conv, bn.weight, bn.bias, bn.running_mean, bn.running_var, bn.num_batches_tracked)",
    "relu = relu(bn)", "aux = convolution(relu, aux.weight)", "drop = dropout(relu)",
    "fc = convolution(drop, fc.weight)",
  ]

  @Test func deadBranchesAreDropped() throws {
    let graph = try Self.classifier()
    #expect(graph.lines == Self.before && graph.results == ["fc", "aux"])
    let after = try DeadBranchPass.run(graph)
    #expect(after.lines == Self.before.filter { !$0.hasPrefix("aux") } && after.results == ["fc"])
    #expect(after.parameters.map(\.name) == graph.parameters.map(\.name))
    let conv = try graph.output(ofModule: "conv")
    let observing = try DeadBranchPass.run(graph, observing: [conv])
    #expect(observing.lines == after.lines && observing.results == ["fc", "conv"])
  }

  @Test func operatorsAreThoseOfTheMode() throws {
    let graph = try Self.classifier()
    let evaluation = try ModePass.run(graph, mode: .evaluation)
    let expected = Self.before.filter { !$0.hasPrefix("drop") }.map { $0.replacing("(drop, ", with: "(relu, ") }
    #expect(evaluation.lines == expected)
    let training = try ModePass.run(graph, mode: .training)
    #expect(
      training.lines[1]
        == "bn, bn#2, bn#3, bn#4 = batch_norm(conv, bn.weight, bn.bias, bn.running_mean, bn.running_var, bn.num_batches_tracked)"
    )
    #expect(training.lines[4].contains("= dropout(relu)"))
  }

  @Test func gradientsAreAppended() throws {
    var graph = Graph()
    let input = graph.addInput(name: "x", shape: Shape([2, 3, 4, 4]))
    let conv = try graph.convolution(input, name: "conv", outputChannels: 3, kernel: Extent(1))
    let relu = try graph.activation(conv, .relu, name: "relu")
    let sum = try graph.append(Add(), name: "add", inputs: [relu, input])[0]
    graph.outputs = [sum]
    let forward = ["conv = convolution(x, conv.weight, conv.bias)", "relu = relu(conv)", "add = add(relu, x)"]
    #expect(graph.lines == forward)
    let seed = graph.addInput(name: "seed", shape: graph.shape(sum))
    let weight = graph.parameters[0].value
    let (complete, gradients) = try GradientPass.run(graph, loss: sum, with: seed, wanted: [input, weight])
    var after = complete
    // The bias's gradient is not wanted and not computed. What goes around the convolution is added last.
    #expect(
      after.lines == forward + [
        "relu#2 = relu_gradient(relu, seed)", "conv#2 = convolution_input_gradient(relu#2, conv.weight)",
        "conv#3 = convolution_weight_gradient(x, relu#2)", "conv#4 = add(seed, conv#2)",
      ])
    after.outputs = try gradients.map { try #require($0) }
    #expect(after.results == ["conv#4", "conv#3"])
  }

  /// Two convolutions, an operator that takes any layout, one that takes the host's, and one that takes the kernels' again.
  private static func mixed() throws -> Graph {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 16, 4, 4]))
    let first = try graph.convolution(input, name: "conv1", outputChannels: 16, kernel: Extent(1), bias: false)
    let sigmoid = try graph.activation(first, .sigmoid, name: "sigmoid")
    let turned = try graph.permute(sigmoid, order: [0, 1, 3, 2], name: "permute")
    graph.outputs = [
      try graph.convolution(turned, name: "conv2", outputChannels: 16, kernel: Extent(1), bias: false)
    ]
    return graph
  }

  @Test func layoutsAreConvertedWhereTheyMeet() throws {
    let graph = try Self.mixed()
    #expect(
      graph.lines == [
        "conv1 = convolution(input, conv1.weight)", "sigmoid = sigmoid(conv1)", "permute = permute(sigmoid)",
        "conv2 = convolution(permute, conv2.weight)",
      ])
    let plan = try Plan(finishing: graph, mode: .evaluation, lanes: 8)
    #expect(
      plan.graph.lines == [
        "conv1 = convert_layout(input)", "conv1#2 = convolution(conv1, conv1.weight)", "sigmoid = sigmoid(conv1#2)",
        "permute = convert_layout(sigmoid)", "permute#2 = permute(permute)", "conv2 = convert_layout(permute#2)",
        "conv2#2 = convolution(conv2, conv2.weight)", "output = convert_layout(conv2#2)",
      ])
    #expect(plan.graph.results == ["output"])
    let blocked = zip(plan.graph.tensors, plan.layouts).filter { $1 != .plain }.map { $0.0.name }
    #expect(blocked == ["conv1", "conv1", "sigmoid", "conv2", "conv2"])
  }

  /// Of few channels blocks are padding for the most part, on which the last function before the host need not be computed; but
  /// where others read it too, it stays as they want it.
  @Test(arguments: [(4, false), (5, false), (4, true)])
  func fewChannelsAreConvertedBeforeTheLastFunction(channels: Int, isReadElse: Bool) throws {
    var graph = Graph()
    let input = graph.addInput(name: "input", shape: Shape([1, 16, 4, 4]))
    let conv = try graph.convolution(input, name: "conv", outputChannels: channels, kernel: Extent(1), bias: false)
    let sigmoid = try graph.activation(conv, .sigmoid, name: "sigmoid")
    graph.outputs = [sigmoid]
    if isReadElse {
      graph.outputs.append(
        try graph.convolution(sigmoid, name: "last", outputChannels: 16, kernel: Extent(1), bias: false))
    }
    let plan = try Plan(finishing: graph, mode: .evaluation, lanes: 8)
    let isFirst = channels == 4 && !isReadElse
    #expect(
      plan.graph.lines.prefix(4) == [
        "conv = convert_layout(input)", "conv#2 = convolution(conv, conv.weight)",
        isFirst ? "sigmoid = convert_layout(conv#2)" : "sigmoid = sigmoid(conv#2)",
        isFirst ? "sigmoid#2 = sigmoid(sigmoid)" : "output = convert_layout(sigmoid)",
      ])
  }

  @Test func withoutItsPassEveryLayoutIsThatOfTheHost() throws {
    let passes = try PassChoice(without: "layout")
    let plan = try Plan(finishing: Self.mixed(), mode: .evaluation, passes: passes, lanes: 8)
    #expect(
      plan.graph.lines == [
        "conv1 = convert_layout(input)", "conv1#2 = convolution(conv1, conv1.weight)",
        "conv1#3 = convert_layout(conv1#2)", "sigmoid = sigmoid(conv1#3)", "permute = permute(sigmoid)",
        "conv2 = convert_layout(permute)", "conv2#2 = convolution(conv2, conv2.weight)",
        "conv2#3 = convert_layout(conv2#2)",
      ])
  }
}
