/// What a network's authors did to pictures before they showed them to it.
package struct Preprocessing: Equatable, Sendable {
  /// How a picture's pixels become those of another size: by Pillow's filters of these names, widened where the picture
  /// shrinks, which is torchvision's antialiasing.
  package enum Interpolation: Int32, Sendable {
    case bilinear = 0
    case bicubic = 1
  }

  /// Of red, green and blue between 0 and 1, over the pictures of ImageNet.
  static let imageNetMean: [Float] = [0.485, 0.456, 0.406]
  static let imageNetDeviation: [Float] = [0.229, 0.224, 0.225]

  /// 1 (grey) or 3 (red, green, blue).
  package var channels = 3
  /// What the shorter side becomes; 0: the picture keeps its size.
  package var resize = 256
  /// Side of the square that is cut from the middle, or padded with black; 0: all of the picture.
  package var crop = 224
  package var interpolation = Interpolation.bilinear
  /// Of each channel between 0 and 1; those of green and blue are not looked at where there is one channel.
  package var mean = (0.485, 0.456, 0.406)
  package var deviation = (0.229, 0.224, 0.225)

  package init() {}

  package static func == (left: Preprocessing, right: Preprocessing) -> Bool {
    left.channels == right.channels && left.resize == right.resize && left.crop == right.crop
      && left.interpolation == right.interpolation && left.mean == right.mean && left.deviation == right.deviation
  }

  /// The same for pictures of three channels: all with the one mean and deviation of grey.
  var ofColour: Preprocessing {
    var colour = self
    colour.channels = 3
    return colour
  }

  /// The same for grey pictures: means and deviations are the channels' averages.
  package var ofGrey: Preprocessing {
    guard channels == 3 else { return self }
    var grey = self
    grey.channels = 1
    let (mean, deviation) = ((mean.0 + mean.1 + mean.2) / 3, (deviation.0 + deviation.1 + deviation.2) / 3)
    (grey.mean, grey.deviation) = ((mean, mean, mean), (deviation, deviation, deviation))
    return grey
  }
}

/// The preprocessings that belong to an architecture's published weights, as torchvision names and defines these.
struct Recipes: Sendable {
  /// Of IMAGENET1K_V1: the shorter side; 0 where there are no such weights.
  var resize: Int16 = 256
  var crop: Int16 = 224
  var isBicubic = false
  /// Of IMAGENET1K_V2, bilinear; 0 where there are no such weights.
  var secondResize: Int16 = 0
  /// IMAGENET1K_SWAG_E2E_V1 (384, bicubic) and IMAGENET1K_SWAG_LINEAR_V1 (224, bicubic).
  var hasSWAG = false

  /// What ResNets and RegNets were trained with first, and again with torchvision's later recipe.
  static let twice = Recipes(secondResize: 232)
  /// Networks that were trained with the later recipe only.
  static let later = Recipes(resize: 232)

  /// - Parameter weights: nil is torchvision's DEFAULT.
  /// - Returns: nil where there are no such weights.
  func preprocessing(_ weights: String?) -> Preprocessing? {
    let first = resize > 0 ? "IMAGENET1K_V1" : "IMAGENET1K_SWAG_E2E_V1"
    let name = weights ?? (secondResize > 0 ? "IMAGENET1K_V2" : first)
    var made = Preprocessing()
    made.crop = Int(crop)
    if name == "IMAGENET1K_V1", resize > 0 {
      made.resize = Int(resize)
      made.interpolation = isBicubic ? .bicubic : .bilinear
    } else if name == "IMAGENET1K_V2", secondResize > 0 {
      made.resize = Int(secondResize)
    } else if hasSWAG, name == "IMAGENET1K_SWAG_E2E_V1" || name == "IMAGENET1K_SWAG_LINEAR_V1" {
      made.crop = name == "IMAGENET1K_SWAG_E2E_V1" ? 384 : 224
      made.resize = made.crop
      made.interpolation = .bicubic
    } else {
      return nil
    }
    return made
  }
}

extension Architecture {
  /// How pictures become inputs, for weights by torchvision's name of them (nil: its DEFAULT).
  ///
  /// Networks for digits and for CIFAR-10 have no weights of a name. LeNet-5's authors mapped white to -0.1 and black to
  /// 1.175, and put digits of 28 x 28 into 32 x 32. The others get CIFAR-10's mean and deviation of each channel, as Wide
  /// ResNet's authors did; those of ResNet subtracted a mean of each pixel, those of All-CNN whitened.
  ///
  /// - Throws: `notFound` for weights that do not exist.
  package func preprocessing(weights: String? = nil) throws(SasukaError) -> Preprocessing {
    if input.height == 32, weights == nil {
      var made = Preprocessing()
      (made.resize, made.crop) = (32, 32)
      (made.mean, made.deviation) = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
      guard input.channels == 1 else { return made }
      made.channels = 1
      made.resize = 28
      let (white, black) = (-0.1, 1.175)
      let (mean, deviation) = (-white / (black - white), 1 / (black - white))
      (made.mean, made.deviation) = ((mean, mean, mean), (deviation, deviation, deviation))
      return made
    }
    guard input.height != 32, let made = recipes.preprocessing(weights) else {
      throw SasukaError(
        .notFound,
        "\(name) has no weights called \"\(weights ?? "")\"; NULL, or a name that torchvision has for it is expected")
    }
    return made
  }
}

extension Model {
  /// How pictures become this network's inputs; grey ones where it has one channel.
  ///
  /// - Throws: `notFound` for a network that is none of the zoo's; `unsupported` for channels that no picture has.
  package func preprocessing(weights: String? = nil) throws(SasukaError) -> Preprocessing {
    guard graph.architecture != "" else {
      throw SasukaError(.notFound, "the model was made from a graph; only architectures have a preprocessing")
    }
    let published = try Architecture.named(graph.architecture).preprocessing(weights: weights)
    let channels = graph.shape(graph.inputs[0])[1]
    if channels == 1 { return published.ofGrey }
    guard channels == 3 else {
      throw SasukaError(.unsupported, "the model takes \(channels) channels; pictures have 1 or 3")
    }
    return published.ofColour
  }
}
