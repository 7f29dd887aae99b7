/// Which tensors lie in the memory of others: the parts of a concatenation in its result, so that nothing is copied, and a
/// result in place of an operand that nobody reads afterwards.
///
/// Tensors in the same memory either hold the same numbers where they overlap or do not live at the same time.
struct MemorySharing {
  private let graph: Graph
  private let layouts: [Layout]
  /// The tensor in whose memory a tensor lies, by index: itself for most.
  private var owners: [Int]
  /// Where it lies there, in floats.
  private var starts: [Int]
  /// The next tensor in the same memory; around they form a ring.
  private var neighbours: [Int]
  /// The node that writes a tensor: -1 for the host, and for parameters, which do not lie in the arena.
  private var firstUses: [Int]
  /// The last node that reads it; the number of nodes for what the host reads or writes.
  private var lastUses: [Int]

  /// - Parameter inPlace: whether anything shares; else each tensor has memory of its own.
  init(_ graph: Graph, layouts: [Layout], inPlace: Bool) {
    self.graph = graph
    self.layouts = layouts
    let count = graph.tensors.count
    owners = [Int](0..<count)
    neighbours = owners
    starts = [Int](repeating: 0, count: count)
    firstUses = [Int](repeating: -1, count: count)
    lastUses = firstUses
    for (place, node) in graph.nodes.enumerated() {
      for input in node.inputs { lastUses[input.index] = place }
      for output in node.outputs { (firstUses[output.index], lastUses[output.index]) = (place, place) }
    }
    // What the host writes and reads stays in place from one run to the next.
    for value in graph.inputs + graph.outputs { lastUses[value.index] = graph.nodes.count }
    guard inPlace else { return }
    for node in graph.nodes.reversed() { placeParts(of: node) }
    for (place, node) in graph.nodes.enumerated() { overwrite(node, place) }
  }

  /// Whether a tensor has memory of its own in the arena.
  func isOwner(_ index: Int) -> Bool {
    if case .parameter = graph.tensors[index].role { return false }
    return owners[index] == index
  }

  func owner(of index: Int) -> Int { owners[index] }
  func start(of index: Int) -> Int { starts[index] }

  /// Floats of a tensor, up to whole cache lines.
  func size(_ index: Int) -> Int { (layouts[index].storageCount(of: graph.tensors[index].shape) + 15) / 16 * 16 }

  /// The nodes between which anything lies in an owner's memory.
  func life(ofOwner index: Int) -> (first: Int, last: Int) {
    var life = (first: firstUses[index], last: lastUses[index])
    var other = neighbours[index]
    while other != index {
      life = (min(life.first, firstUses[other]), max(life.last, lastUses[other]))
      other = neighbours[other]
    }
    return life
  }

  /// Puts a tensor that owns its memory, with all that lies there, into the memory of another owner.
  private mutating func move(_ index: Int, to owner: Int, at start: Int) {
    var member = index
    repeat {
      owners[member] = owner
      starts[member] += start
      member = neighbours[member]
    } while member != index
    neighbours.swapAt(index, owner)
  }

  /// Lets what a node joins lie in its result from the start. Where all of it lies one behind the other already, as the
  /// beginning of a longer row, the result is that stretch.
  private mutating func placeParts(of node: Node) {
    guard let output = node.outputs.first?.index,
      let offsets = node.operation.partOffsets(node, graph, layout: layouts[output])
    else { return }
    let (first, base) = (node.inputs[0].index, starts[node.inputs[0].index])
    let isStretch = zip(node.inputs, offsets).allSatisfy {
      owners[$0.index] == owners[first] && starts[$0.index] == base + $1 && $1 >= 0
    }
    if isStretch, owners[first] != first, owners[output] == output {
      return move(output, to: owners[first], at: base)
    }
    for (input, offset) in zip(node.inputs, offsets) where offset >= 0 {
      guard graph[input].role == .activation, owners[input.index] == input.index else { continue }
      move(input.index, to: owners[output], at: starts[output] + offset)
    }
  }

  private mutating func overwrite(_ node: Node, _ place: Int) {
    guard let position = node.operation.inputToOverwrite(node), let output = node.outputs.first?.index else { return }
    let input = node.inputs[position].index
    guard graph.tensors[input].role == .activation, lastUses[input] == place,
      graph.tensors[input].shape == graph.tensors[output].shape, size(input) == size(output),
      node.inputs.count(where: { $0.index == input }) == 1
    else { return }
    if isAlone(output), canBeOverwritten(input, place) {
      move(output, to: owners[input], at: starts[input])
    } else if isAlone(input), isFree(before: output, place) {
      move(input, to: owners[output], at: starts[output])
    }
  }

  private func isAlone(_ index: Int) -> Bool { neighbours[index] == index }

  /// Whether nobody but node `place` reads anything where a tensor lies from that node on.
  private func canBeOverwritten(_ index: Int, _ place: Int) -> Bool {
    allOverlapping(index) { lastUses[$0] < place }
  }

  /// Whether nothing else is written where a tensor lies up to node `place`, which writes it.
  private func isFree(before index: Int, _ place: Int) -> Bool {
    allOverlapping(index) { firstUses[$0] > place }
  }

  private func allOverlapping(_ index: Int, _ isFine: (Int) -> Bool) -> Bool {
    let end = starts[index] + size(index)
    var other = neighbours[index]
    while other != index {
      if starts[other] < end, starts[index] < starts[other] + size(other), !isFine(other) { return false }
      other = neighbours[other]
    }
    return true
  }
}
