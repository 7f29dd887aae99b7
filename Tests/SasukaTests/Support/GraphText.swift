// A graph as text, for tests of what a pass makes of it.
import Sasuka

extension Graph {
  /// A line for each node: `conv1 = convolution(input, conv1.weight)`. Tensors are called as their nodes; where a node has
  /// several, or nodes have one name, as forward and backward nodes do, the second is `conv1#2`.
  var lines: [String] {
    let names = tensorNames
    return nodes.map { node in
      let inputs = node.inputs.map { names[$0.index] }.joined(separator: ", ")
      let outputs = node.outputs.map { names[$0.index] }.joined(separator: ", ")
      return "\(outputs.isEmpty ? "()" : outputs) = \(node.operation.kind)(\(inputs))"
    }
  }

  /// The names of the outputs.
  var results: [String] { outputs.map { tensorNames[$0.index] } }

  private var tensorNames: [String] {
    var counts: [String: Int] = [:]
    return tensors.map { tensor in
      counts[tensor.name, default: 0] += 1
      let count = counts[tensor.name]!
      return count == 1 ? tensor.name : "\(tensor.name)#\(count)"
    }
  }
}
