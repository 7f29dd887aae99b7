/// One kind of computation: its attributes, shape rule, layouts, gradient and lowering, all in one file of Operators/.
///
/// An operator is immutable once made, so graphs may share it. Adding one never edits a list elsewhere.
package protocol Operator: AnyObject {
  /// The word used in messages and summaries, such as `convolution`.
  var kind: String { get }

  /// Shapes of the outputs for these shapes of the inputs.
  ///
  /// - Throws: `invalidArgument` with the value and the expectation; the caller adds the node's name.
  func outputShapes(of inputs: [Shape]) throws(SasukaError) -> [Shape]

  /// Which memory layouts the lowering can take.
  var layoutRule: LayoutRule { get }

  /// Appends the nodes that compute the gradients of the inputs from the gradients of the outputs.
  ///
  /// - Throws: `unsupported` where no gradient exists.
  func appendGradient(_ context: inout GradientContext) throws(SasukaError)

  /// Appends the kernel calls that compute the outputs.
  func lower(_ node: Node, _ lowering: inout Lowering) throws(SasukaError)

  /// The operator that stands in its place for a run in this mode: dropout disappears when evaluating.
  /// Nil means that the node passes its first input through and is dropped.
  func specialized(for mode: Mode) -> (any Operator)?

  /// What it is to an operator before it that could do its work as well.
  var follower: Follower? { get }

  /// This operator doing a follower's work too, or nil where it cannot. Its inputs are its own and then the follower's
  /// others, its outputs its own with the follower's in place of the first.
  func absorbing(_ follower: Follower, mode: Mode) -> (any Operator)?

  /// The input whose memory the first output may take over where nobody reads that input afterwards.
  func inputToOverwrite(_ node: Node) -> Int?

  /// Where in the memory of the first output, in this layout, each input may lie from the start so that it need not be
  /// copied there, in floats; negative for those that cannot. Nil for operators that do not join their inputs.
  func partOffsets(_ node: Node, _ graph: Graph, layout: Layout) -> [Int]?

  /// For an operator that only moves whole channels: where each channel of its output comes from, among its inputs. Nil for all
  /// others. Asked only where the output has rank 4.
  func channelSources(_ node: Node, _ graph: Graph) -> [ChannelSource]?

  /// Whether it changes the model's statistics; such nodes run after everything else.
  var changesModel: Bool { get }

  /// Appends the nodes that change parameters which are not learnt, as BatchNorm does its running statistics. They
  /// run last in a training step, so that a step that is cancelled has changed nothing.
  func appendUpdates(of node: Node, to graph: inout Graph) throws(SasukaError)

  /// Multiply-adds of one application.
  func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int

  /// The window that it slides over a map of these shapes of its inputs, for tables; nil where there is none.
  func window(inputs: [Shape]) -> Window?
}

extension Operator {
  package func appendGradient(_ context: inout GradientContext) throws(SasukaError) {
    throw SasukaError(.unsupported, "\(kind) \"\(context.node.name)\" has no gradient rule")
  }
  package var follower: Follower? { nil }
  package func absorbing(_ follower: Follower, mode: Mode) -> (any Operator)? { nil }
  package func inputToOverwrite(_ node: Node) -> Int? { nil }
  package func partOffsets(_ node: Node, _ graph: Graph, layout: Layout) -> [Int]? { nil }
  package func channelSources(_ node: Node, _ graph: Graph) -> [ChannelSource]? { nil }
  package var changesModel: Bool { false }
  package func appendUpdates(of node: Node, to graph: inout Graph) throws(SasukaError) {}
  package func multiplyAdds(inputs: [Shape], outputs: [Shape]) -> Int { 0 }
  package func window(inputs: [Shape]) -> Window? { nil }
  package func specialized(for mode: Mode) -> (any Operator)? { self }
}

/// Cheap work on a tensor that its producer can do while it has the numbers at hand.
package enum Follower: Equatable, Sendable {
  /// Batch normalisation by running statistics; inputs as BatchNormAttributes says.
  case normalization(epsilon: Float, affine: Bool)
  /// The sum with another tensor of the same shape.
  case addition
  /// A function of single elements.
  case function(Activation.Function)
  /// What slides a window over each channel by itself, where the map before it is large.
  case window(ChannelWindow)
}

/// What slides a window over each channel by itself.
package enum ChannelWindow: Equatable, Sendable {
  case depthwise(Convolution)
  case maxima(MaxPool)
}

/// What a plan is compiled for.
package enum Mode: Equatable, Sendable {
  case evaluation
  case training
}

/// The layouts that an operator's lowering takes for its tensors of rank 4. Other ranks and parameters are plain.
package enum LayoutRule: Sendable {
  /// All plain.
  case plain
  /// All activations of rank 4, inputs and outputs, are blocked.
  case blocked
  /// Whatever the activations come in, all alike: for arithmetic on single elements. Blocked if any input of rank 4 is.
  case alike
  /// Each input and output of rank 4 as listed: true means blocked.
  case mixed(inputs: [Bool], outputs: [Bool])
}
