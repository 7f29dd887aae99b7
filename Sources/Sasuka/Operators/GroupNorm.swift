extension Graph {
  /// Group normalisation of a map [batch, channels, height, width]: that of a batch, but with the statistics of a group of
  /// neighbouring channels of one picture (Wu and He 2018, Group Normalization). It has no running statistics, so that
  /// training and evaluation compute the same.
  ///
  /// Parameters: weight and bias [channels] if `affine`.
  @inline(never)
  package mutating func groupNorm(
    _ input: Value, name: String, groups: Int, epsilon: Float = 1e-5, affine: Bool = true
  ) throws(SasukaError) -> Value {
    let inputs = try normalized(input, "group_norm", name, epsilon: epsilon, affine: affine)
    var attributes = BatchNormAttributes(epsilon: epsilon, affine: affine, tracked: false)
    attributes.groups = groups
    guard groups > 0, shape(input)[1] % groups == 0 else {
      throw SasukaError(
        .invalidArgument,
        "group_norm \"\(name)\": \(shape(input)[1]) channels in \(groups) groups; a divisor of the channels is expected"
      )
    }
    return try append(BatchNormTraining(attributes), name: name, inputs: inputs)[0]
  }
}
