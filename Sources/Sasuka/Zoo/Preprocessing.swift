/// What a network's authors did to pictures before they showed them to it.
package struct Preprocessing: Sendable {
  /// Of red, green and blue between 0 and 1, over the pictures of ImageNet.
  static let imageNetMean: [Float] = [0.485, 0.456, 0.406]
  static let imageNetDeviation: [Float] = [0.229, 0.224, 0.225]
}
