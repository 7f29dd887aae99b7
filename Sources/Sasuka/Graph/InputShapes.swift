/// Which inputs a network takes.
extension Graph {
  /// The result's shape for an input's.
  package func outputShape(for input: Shape) throws(SasukaError) -> Shape {
    try specializing(to: input) { () throws(SasukaError) in
      let specialized = try DeadBranchPass.run(self).specialized(to: [input])
      return specialized.shape(specialized.outputs[0])
    }
  }

  /// Does what compiles the network for an input; where that fails for too small a picture, the error says the smallest.
  func specializing<Result>(
    to input: Shape, _ body: () throws(SasukaError) -> Result
  ) throws(SasukaError) -> Result {
    let expected = shape(inputs[0])
    guard input.rank == expected.rank else {
      throw SasukaError(
        .invalidArgument,
        "input has shape \(input); rank \(expected.rank) is expected, such as \(expected) for this network")
    }
    do { return try body() } catch { throw SasukaError(error.code, "\(error.message)\(advice(on: input))") }
  }

  /// The smallest square picture that the network takes, where the given one is smaller.
  private func advice(on input: Shape) -> String {
    guard let network = try? DeadBranchPass.run(self) else { return "" }
    guard input.rank == 4, input[1] == shape(inputs[0])[1] else { return "" }
    func takes(_ size: Int) -> Bool {
      (try? network.specialized(to: [Shape([input[0], input[1], size, size])])) != nil
    }
    // What takes a picture takes larger ones, where there is a smallest one at all.
    var (tooSmall, enough) = (min(input[2], input[3]), max(shape(inputs[0])[2], 1))
    guard tooSmall < enough, takes(enough), !takes(tooSmall) else { return "" }
    while enough - tooSmall > 1 {
      let middle = (tooSmall + enough) / 2
      if takes(middle) { enough = middle } else { tooSmall = middle }
    }
    return Message("; the smallest square picture that this network takes is \(enough) x \(enough)").text
  }
}
