/// What the caller may choose of an architecture, in torchvision's words; nil, and 0 classes or channels, are as
/// published. A choice that the network does not offer is refused.
package struct ArchitectureOptions: Sendable {
  package var classes = 0
  package var inputChannels = 0
  /// Probability of the dropout before the classifier; in a DenseNet, behind each layer; in a Wide ResNet, in each block.
  package var dropout: Float?
  /// The same in GoogLeNet's auxiliary heads.
  package var auxiliaryDropout: Float?
  /// Probability that the last block is skipped in training; the others in proportion to their depth.
  package var stochasticDepth: Float?
  /// Factor of all numbers of channels.
  package var widthMultiplier: Double?
  package var hasAuxiliaryHeads: Bool?
  /// From pictures normalised as torchvision does to those normalised by mean and deviation 0.5.
  package var transformsInput: Bool?
  /// Residual blocks begin as the identity (Goyal et al. 2017, Accurate, Large Minibatch SGD).
  package var zeroInitializesResiduals: Bool?
  /// Which of the last three stages dilate instead of striding, the second stage being bit 0.
  package var dilatedStages: Int?
  package var groups: Int?
  package var widthPerGroup: Int?
  package var normLayer: NormLayer?
  package var reducesTail: Bool?
  package var dilatesTail: Bool?
  package init() {}
}

/// What normalises behind convolutions.
package enum NormLayer: Sendable {
  case none, batch
  case group(Int)
}

/// A network by the name that torchvision gives it.
package struct Architecture: Sendable {
  typealias Body = @Sendable (inout NetworkBuilder, Value) -> Value

  package let name: String
  /// Channels, height and width of the input that it was published for.
  let input: (channels: Int, height: Int, width: Int)
  let classes: Int
  /// How its published weights want pictures.
  let recipes: Recipes
  /// Of torchvision's class, as its state dicts say.
  let version: String
  let body: Body

  /// An architecture for ImageNet's pictures and classes unless told otherwise.
  init(
    _ name: String, channels: Int = 3, size: Int = 224, classes: Int = 1000, recipes: Recipes = Recipes(),
    version: String = "1", _ body: @escaping Body
  ) {
    self.name = name
    input = (channels, size, size)
    self.classes = classes
    self.recipes = recipes
    self.version = version
    self.body = body
  }

  /// Most classes and input channels; above, parameters of any network would not fit a machine.
  static let mostChannels = 1 << 20

  /// The network, with torchvision's names and order of parameters.
  ///
  /// - Throws: `invalidArgument` for options out of range.
  package func graph(_ options: ArchitectureOptions = ArchitectureOptions()) throws(SasukaError) -> Graph {
    for (what, number) in [("num_classes", options.classes), ("in_channels", options.inputChannels)] {
      guard number >= 0, number <= Architecture.mostChannels else {
        throw SasukaError(
          .invalidArgument, "\(what) is \(number); 0 (as published) to \(Architecture.mostChannels) are expected")
      }
    }
    var builder = NetworkBuilder(
      classes: options.classes > 0 ? options.classes : classes, choices: try ArchitectureChoices(options))
    let channels = options.inputChannels > 0 ? options.inputChannels : input.channels
    builder.graph.architecture = name
    let value = builder.graph.addInput(name: "input", shape: Shape([1, channels, input.height, input.width]))
    let prediction = body(&builder, value)
    if let failure = builder.failure { throw failure }
    try builder.choices.expectAllHeeded(by: name)
    builder.graph.outputs = [prediction]
    for auxiliary in builder.auxiliaries {
      builder.graph.outputs.append(auxiliary.value)
      builder.graph.auxiliaryLossWeights.append(auxiliary.lossWeight)
    }
    return builder.graph
  }

  /// The families, one file each; every network of the library in the order in which it is listed.
  package static let all: [Architecture] = [
    AlexNet.architectures, VGG.architectures, ResNet.architectures, SqueezeNet.architectures, DenseNet.architectures,
    GoogLeNet.architectures, InceptionV3.architectures,
    ShuffleNetV2.architectures, MobileNetV2.architectures, MobileNetV3.architectures, MNASNet.architectures,
    EfficientNet.architectures, RegNet.architectures, LeNet.architectures, CIFARResNet.architectures,
    WideResNet.architectures, AllConvolutional.architectures,
  ].flatMap { $0 }

  /// - Throws: `notFound`, naming what begins alike.
  package static func named(_ name: String) throws(SasukaError) -> Architecture {
    for architecture in all where architecture.name == name { return architecture }
    var alike = ""
    for architecture in all where architecture.name.utf8.prefix(3).elementsEqual(name.utf8.prefix(3)) {
      alike += (alike.isEmpty ? "; there are " : ", ") + architecture.name
    }
    throw SasukaError(
      .notFound, "no architecture is called \"\(name)\"\(alike); sasuka_architecture_name lists all \(all.count)")
  }
}
