/// One wish of the caller, and whether the network's builder has asked for it.
struct Choice<Value> {
  private let wish: Value?
  private(set) var isIgnored: Bool

  init(_ wish: Value?) {
    self.wish = wish
    isIgnored = wish != nil
  }

  /// The caller's wish, or what was published.
  mutating func value(published: Value) -> Value {
    isIgnored = false
    return wish ?? published
  }
}

/// The caller's wishes as a network's builder takes them.
struct ArchitectureChoices {
  var dropout: Choice<Float>
  var auxiliaryDropout: Choice<Float>
  var stochasticDepth: Choice<Float>
  var widthMultiplier: Choice<Double>
  var hasAuxiliaryHeads: Choice<Bool>
  var transformsInput: Choice<Bool>
  var zeroInitializesResiduals: Choice<Bool>
  var dilatedStages: Choice<Int>
  var groups: Choice<Int>
  var widthPerGroup: Choice<Int>
  var normLayer: Choice<NormLayer>
  var reducesTail: Choice<Bool>
  var dilatesTail: Choice<Bool>

  /// - Throws: `invalidArgument` for numbers out of range.
  init(_ options: ArchitectureOptions) throws(SasukaError) {
    for (name, probability) in [
      ("dropout", options.dropout), ("aux_dropout", options.auxiliaryDropout),
      ("stochastic_depth", options.stochasticDepth),
    ] {
      guard let probability, !(probability >= 0 && probability <= 1) else { continue }
      throw SasukaError(.invalidArgument, "\(name) is \(describe(Double(probability))); 0 to 1 is expected")
    }
    if let width = options.widthMultiplier, !(width > 0 && width <= 64) {
      throw SasukaError(.invalidArgument, "width_mult is \(describe(width)); more than 0 to 64 is expected")
    }
    for (name, number) in [("groups", options.groups), ("width_per_group", options.widthPerGroup)] {
      guard let number, number < 1 || number > 1 << 16 else { continue }
      throw SasukaError(.invalidArgument, "\(name) is \(number); 1 to 65536 is expected")
    }
    dropout = Choice(options.dropout)
    auxiliaryDropout = Choice(options.auxiliaryDropout)
    stochasticDepth = Choice(options.stochasticDepth)
    widthMultiplier = Choice(options.widthMultiplier)
    hasAuxiliaryHeads = Choice(options.hasAuxiliaryHeads)
    transformsInput = Choice(options.transformsInput)
    zeroInitializesResiduals = Choice(options.zeroInitializesResiduals)
    dilatedStages = Choice(options.dilatedStages)
    groups = Choice(options.groups)
    widthPerGroup = Choice(options.widthPerGroup)
    normLayer = Choice(options.normLayer)
    reducesTail = Choice(options.reducesTail)
    dilatesTail = Choice(options.dilatesTail)
  }

  /// - Throws: `invalidArgument` for a wish that the builder did not ask for.
  func expectAllHeeded(by name: String) throws(SasukaError) {
    for (choice, isIgnored) in [
      ("dropout", dropout.isIgnored), ("aux_dropout", auxiliaryDropout.isIgnored),
      ("stochastic_depth", stochasticDepth.isIgnored), ("width_mult", widthMultiplier.isIgnored),
      ("aux_logits", hasAuxiliaryHeads.isIgnored), ("transform_input", transformsInput.isIgnored),
      ("zero_init_residual", zeroInitializesResiduals.isIgnored),
      ("replace_stride_with_dilation", dilatedStages.isIgnored), ("groups", groups.isIgnored),
      ("width_per_group", widthPerGroup.isIgnored), ("norm_layer", normLayer.isIgnored),
      ("reduced_tail", reducesTail.isIgnored), ("dilated", dilatesTail.isIgnored),
    ] where isIgnored {
      throw SasukaError(.invalidArgument, "\(name) has no option \(choice); leave it as _init set it")
    }
  }
}
