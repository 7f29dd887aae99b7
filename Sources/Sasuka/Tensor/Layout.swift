/// How a tensor's elements lie in memory.
package enum Layout: Equatable, Sendable {
  /// Row-major.
  case plain
  /// [batch][channel block][height][width][lane], `lanes` channels to a block; rank 4 only.
  ///
  /// The lanes past the last channel hold finite values of no meaning.
  case blocked(lanes: Int)

  /// Number of floats that a tensor of this shape occupies, padding lanes included.
  package func storageCount(of shape: Shape) -> Int {
    switch self {
    case .plain:
      return shape.count
    case .blocked(let lanes):
      return shape[0] * Layout.blocks(of: shape[1], lanes: lanes) * shape[2] * shape[3] * lanes
    }
  }

  /// Number of channel blocks of `lanes` channels that hold `channels` channels.
  package static func blocks(of channels: Int, lanes: Int) -> Int {
    channels.dividedUp(by: lanes)
  }
}
