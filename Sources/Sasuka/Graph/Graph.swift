/// A tensor of a graph, named by its place in `Graph.tensors`.
package struct Value: Equatable, Sendable {
  package let index: Int
  package init(index: Int) { self.index = index }
}

/// What values of one graph stand for in another.
struct ValueMap {
  private var images: [Value?] = []

  subscript(value: Value) -> Value? {
    get { value.index < images.count ? images[value.index] : nil }
    set {
      while images.count <= value.index { images.append(nil) }
      images[value.index] = newValue
    }
  }
}

/// What a graph knows of one tensor.
package struct TensorInfo: Sendable {
  /// Where a tensor's elements come from and go to.
  package enum Role: Equatable, Sendable {
    /// Written by the host before a run: the network's input, the loss's target.
    case input
    /// Lives in the model's `Parameters` at this place: a weight, or a statistic such as a running mean.
    case parameter(Int)
    /// Written by one node, read by others.
    case activation
  }

  /// Labels are integers; everything else is float32. Both take four bytes.
  package enum Element: Equatable, Sendable { case float32, int32 }

  package let name: String
  package let shape: Shape
  package let role: Role
  package let element: Element
}

/// One application of an operator. Not a struct: copies of its four references were one byte in 140 of the library.
package final class Node {
  /// The module's name as torchvision has it, such as `layer1.0.conv1`.
  package let name: String
  package let operation: any Operator
  package let inputs: [Value]
  package let outputs: [Value]

  init(name: String, operation: any Operator, inputs: [Value], outputs: [Value]) {
    (self.name, self.operation, self.inputs, self.outputs) = (name, operation, inputs, outputs)
  }
}

extension Node {
  /// Whether it is a module of that name, or one of its layers.
  @inline(never)
  func belongs(to module: String) -> Bool {
    let (own, module) = ([UInt8](name.utf8), [UInt8](module.utf8))
    guard own.count >= module.count else { return false }
    for place in module.indices where own[place] != module[place] { return false }
    return own.count == module.count || own[module.count] == UInt8(ascii: ".")
  }
}

/// What a graph knows of one parameter or buffer of its state dict.
package struct ParameterInfo: Sendable {
  package enum Kind: Equatable, Sendable {
    /// Learnt by gradient descent.
    case weight
    /// Gathered in training, such as BatchNorm's running mean; part of the state dict, without a gradient.
    case statistic
    /// A count kept as a 64-bit integer, such as BatchNorm's num_batches_tracked.
    case counter
  }

  package let name: String
  package let shape: Shape
  package let kind: Kind
  package fileprivate(set) var initializer: Initializer
  package let value: Value
}

/// A network: nodes in an order in which they can be computed, and the tensors between them.
///
/// A graph is built once, at a nominal input shape, with every parameter's shape fixed; `specialized(to:)` infers all
/// shapes again for the shape of a run.
package struct Graph {
  package private(set) var tensors: [TensorInfo] = []
  package private(set) var nodes: [Node] = []
  package private(set) var parameters: [ParameterInfo] = []
  package private(set) var inputs: [Value] = []
  /// The prediction, and behind it those of auxiliary heads, which only training looks at.
  package var outputs: [Value] = []
  /// What the loss of each auxiliary head counts beside the prediction's own.
  package var auxiliaryLossWeights: [Float] = []
  /// Of which architecture it was built, "" for a network of one's own.
  package var architecture = ""
  private var parameterNames = NameIndex()
  private var nodeNames = NameIndex()

  package init() {}

  package subscript(value: Value) -> TensorInfo { tensors[value.index] }
  package func shape(_ value: Value) -> Shape { tensors[value.index].shape }

  /// Whether a value that came from outside names a tensor of this graph.
  package func contains(_ value: Value) -> Bool { tensors.indices.contains(value.index) }

  /// Whether a value is a parameter: what no layer takes as its input.
  package func isParameter(_ value: Value) -> Bool { parameterPlace(value) != nil }

  /// The place in `parameters` of a value that is one.
  package func parameterPlace(_ value: Value) -> Int? {
    if case .parameter(let place) = self[value].role { return place }
    return nil
  }

  /// The places in `parameters` of those that some nodes read, in the nodes' order.
  @inline(never)
  func parameterPlaces(of some: Range<Int>) -> [Int] {
    var places: [Int] = []
    for node in nodes[some] {
      for input in node.inputs {
        if let place = parameterPlace(input) { places.append(place) }
      }
    }
    return places
  }

  /// Those that one node reads.
  func parameterPlaces(of node: Int) -> [Int] { parameterPlaces(of: node..<node + 1) }

  /// The place of the node that writes each tensor, by index; -1 for inputs and parameters.
  @inline(never)
  func producers() -> [Int] {
    var result = [Int](repeating: -1, count: tensors.count)
    for (place, node) in nodes.enumerated() {
      for output in node.outputs { result[output.index] = place }
    }
    return result
  }

  /// The place of a parameter in `parameters`, or nil.
  package func parameterIndex(_ name: String) -> Int? { parameterNames[name] }

  /// Lets `parameterIndex` find in little time those that another graph had.
  mutating func indexParameters() { parameterNames.index() }

  /// Adds an input that the host writes before each run.
  package mutating func addInput(name: String, shape: Shape, element: TensorInfo.Element = .float32) -> Value {
    let value = addTensor(TensorInfo(name: name, shape: shape, role: .input, element: element))
    inputs.append(value)
    return value
  }

  /// Adds a parameter of the state dict.
  ///
  /// - Throws: `invalidArgument` when the name is taken.
  package mutating func addParameter(
    _ name: String, shape: Shape, kind: ParameterInfo.Kind = .weight, initializer: Initializer
  ) throws(SasukaError) -> Value {
    parameterNames.index()
    guard parameterNames[name] == nil else {
      throw SasukaError(.invalidArgument, "parameter \"\(name)\" exists already; each module needs a name of its own")
    }
    let checked = try Shape(checking: shape.dimensions, of: "parameter \"\(name)\"")
    return adoptParameter(
      ParameterInfo(name: name, shape: checked, kind: kind, initializer: initializer, value: Value(index: -1)))
  }

  /// Adds a parameter of another graph, whose names are known to differ from each other.
  mutating func adoptParameter(_ parameter: ParameterInfo) -> Value {
    let place = parameters.count
    let value = addTensor(
      TensorInfo(name: parameter.name, shape: parameter.shape, role: .parameter(place), element: .float32))
    parameters.append(
      ParameterInfo(
        name: parameter.name, shape: parameter.shape, kind: parameter.kind, initializer: parameter.initializer,
        value: value))
    parameterNames.append(parameter.name)
    return value
  }

  /// Gives learnt parameters other first numbers, where `choose` names some.
  package mutating func reinitialize(_ choose: (ParameterInfo) -> Initializer?) {
    for place in parameters.indices where parameters[place].kind == .weight {
      if let initializer = choose(parameters[place]) { parameters[place].initializer = initializer }
    }
  }

  /// Applies an operator and returns its outputs, with shapes inferred.
  ///
  /// - Throws: what the operator's shape rule throws, with the node's name in front.
  package mutating func append(
    _ operation: any Operator, name: String, inputs: [Value]
  ) throws(SasukaError) -> [Value] {
    var shapes: [Shape] = []
    for input in inputs { shapes.append(shape(input)) }
    let outputShapes: [Shape]
    do {
      outputShapes = try operation.outputShapes(of: shapes)
    } catch {
      throw SasukaError(error.code, "\(operation.kind) \"\(name)\": \(error.message)")
    }
    var outputs: [Value] = []
    for shape in outputShapes {
      _ = try Shape(checking: shape.dimensions, of: "output of \(operation.kind) \"\(name)\"")
      outputs.append(addTensor(TensorInfo(name: name, shape: shape, role: .activation, element: .float32)))
    }
    nodeNames.append(name)
    nodes.append(Node(name: name, operation: operation, inputs: inputs, outputs: outputs))
    return outputs
  }

  /// A name for a node whose caller gave none: the kind and a number, as in `relu3`.
  package mutating func uniqueName(_ kind: String) -> String {
    nodeNames.index()
    var number = nodes.count
    while nodeNames["\(kind)\(number)"] != nil { number += 1 }
    return "\(kind)\(number)"
  }

  /// What a module computes: a layer by its name, or a group of layers by the part of their names before a dot, such as
  /// `layer1.0`, which computes what its last layer does; "input" is the network's input.
  ///
  /// - Throws: `notFound`, naming a few layers.
  package func output(ofModule name: String) throws(SasukaError) -> Value {
    for node in nodes.reversed() where node.belongs(to: name) { return node.outputs[0] }
    for input in inputs where self[input].name == name { return input }
    throw SasukaError(
      .notFound, "no layer or group of layers is called \"\(name)\"; the summary lists all \(nodes.count) layers")
  }

  /// The same network with all shapes inferred anew for these shapes of its inputs.
  ///
  /// - Throws: what a shape rule throws where the network cannot take such an input.
  package func specialized(to inputShapes: [Shape]) throws(SasukaError) -> Graph {
    var result = Graph()
    var places = ValueMap()
    for (value, shape) in zip(inputs, inputShapes) {
      places[value] = result.addInput(name: self[value].name, shape: shape, element: self[value].element)
    }
    for parameter in parameters { places[parameter.value] = result.adoptParameter(parameter) }
    for node in nodes {
      var mapped: [Value] = []
      for input in node.inputs { mapped.append(places[input]!) }
      let outputs = try result.append(node.operation, name: node.name, inputs: mapped)
      for (old, new) in zip(node.outputs, outputs) { places[old] = new }
    }
    for output in outputs { result.outputs.append(places[output]!) }
    return result
  }

  /// Leaves only some of its nodes; one of its tensors, which they read, becomes its input.
  mutating func replaceNodes(_ nodes: [Node], input: Value, name: String) {
    self.nodes = nodes
    inputs = [input]
    tensors[input.index] = TensorInfo(name: name, shape: shape(input), role: .input, element: .float32)
  }

  private mutating func addTensor(_ info: TensorInfo) -> Value {
    tensors.append(info)
    return Value(index: tensors.count - 1)
  }
}
