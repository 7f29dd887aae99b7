/// The algorithm of each convolution by its sizes: as found by timing, to be saved and used again.
package final class Tuning: Sendable {
  /// What the times of layers depend on, for a machine and a number of threads.
  private let layers: NameIndex
  /// The algorithm of each; nil for what has not been timed.
  private let algorithms: [ConvolutionAlgorithm?]

  init(_ layers: NameIndex, _ algorithms: [ConvolutionAlgorithm?]) {
    self.layers = layers
    self.algorithms = algorithms
  }

  subscript(layer: TunableLayer) -> ConvolutionAlgorithm? { layers[layer.sizes].flatMap { algorithms[$0] } }

  /// The first line of a saved one: a timing says nothing about other kernels or other numbers of threads.
  @inline(never)
  private static func title(_ kernels: KernelTable, threads: Int) -> String {
    let title: Message = "sasuka tuning 1, \(kernels.instructionSet.name), threads \(threads)"
    return title.text
  }

  /// What some layers are computed by: a line for each, its sizes and its algorithm.
  static func text(_ layers: [TunableLayer], _ kernels: KernelTable, threads: Int) -> String {
    var text = title(kernels, threads: threads) + "\n"
    var known = NameIndex()
    for layer in layers where known[layer.sizes] == nil {
      known.append(layer.sizes)
      known.index()
      let line: Message = "\(layer.sizes)\(layer.algorithm.name)\n"
      text += line.text
    }
    return text
  }

  /// - Throws: `format` for what `text` did not write, naming the line; `mismatch` for a timing of other kernels or another
  ///   number of threads.
  package init(_ text: String, _ kernels: KernelTable, threads: Int) throws(SasukaError) {
    var lines = pieces(of: text, between: UInt8(ascii: "\n"))
    guard lines.removeLast().isEmpty, !lines.isEmpty else {
      throw SasukaError(.format, "tuning: its line \(lines.count + 1) does not end")
    }
    let title = Tuning.title(kernels, threads: threads)
    guard lines[0] == title else {
      throw SasukaError(.mismatch, "tuning, line 1: \"\(lines[0])\"; \"\(title)\" is expected")
    }
    var (layers, algorithms) = ([String](), [ConvolutionAlgorithm?]())
    for (place, line) in lines.enumerated() where place > 0 {
      guard let (sizes, algorithm) = Tuning.read(line) else {
        throw SasukaError(
          .format, "tuning, line \(place + 1): \"\(line)\"; a layer's sizes and the name of an algorithm are expected")
      }
      layers.append(sizes)
      algorithms.append(algorithm)
    }
    self.layers = NameIndex(layers)
    self.algorithms = algorithms
  }

  private static func read(_ line: String) -> (sizes: String, algorithm: ConvolutionAlgorithm)? {
    let words = pieces(of: line, between: UInt8(ascii: " "))
    guard words.count > ConvolutionPass.sizeCount else { return nil }
    var (sizes, name) = ("", "")
    for (place, word) in words.enumerated() {
      if place < ConvolutionPass.sizeCount {
        for byte in word.utf8 where byte < UInt8(ascii: "0") || byte > UInt8(ascii: "9") { return nil }
        sizes += word + " "
      } else {
        name += name.isEmpty ? word : " " + word
      }
    }
    for algorithm in ConvolutionAlgorithm.allCases where algorithm.name.description == name {
      return (sizes, algorithm)
    }
    return nil
  }
}

/// A convolution of a plan for which there are several algorithms.
struct TunableLayer {
  let node: Int
  /// What its time depends on; `ConvolutionPass.sizes` says in which order.
  let sizes: String
  /// The one that the plan uses.
  var algorithm: ConvolutionAlgorithm
}

extension Tuning {
  /// Runs of each algorithm after one that is not timed.
  private static let runs = 5

  /// Finds the fastest algorithm of each layer within a network that runs on a pool.
  ///
  /// - Parameter nodes: those that are run.
  /// - Throws: `cancelled`.
  convenience init(
    of plan: Plan, nodes: Range<Int>, _ model: Model, on pool: ThreadPool
  ) throws(SasukaError) {
    var places = NameIndex()
    var (found, least) = ([ConvolutionAlgorithm?](), [UInt64]())
    for algorithm in ConvolutionAlgorithm.allCases {
      let executable = try Executable(plan, of: model, on: pool, algorithms: .forced(algorithm))
      let layers = executable.layers
      // By the first, the direct one, all can be computed.
      for layer in layers where algorithm == .direct && places[layer.sizes] == nil {
        places.append(layer.sizes)
        places.index()
        found.append(nil)
        least.append(.max)
      }
      guard layers.contains(where: { $0.algorithm == algorithm }) else { continue }
      let times = try executable.leastTimes(nodes, runs: Tuning.runs, progress: model.options.progress)
      var totals = [UInt64](repeating: 0, count: least.count)
      for layer in layers where layer.algorithm == algorithm {
        if let place = places[layer.sizes] { totals[place] += UInt64(algorithm.handicapped(Double(times[layer.node]))) }
      }
      for layer in layers where layer.algorithm == algorithm {
        guard let place = places[layer.sizes], totals[place] > 0, totals[place] < least[place] else { continue }
        least[place] = totals[place]
        found[place] = algorithm
      }
    }
    self.init(places, found)
  }
}

extension Executable {
  /// The least time of each node in nanoseconds over some runs, 0 for those that are not run.
  fileprivate func leastTimes(
    _ nodes: Range<Int>, runs: Int, progress: ProgressFunction?
  ) throws(SasukaError) -> [UInt64] {
    let profile = try Profile(steps, of: plan)
    var least = [UInt64](repeating: .max, count: steps.count)
    for run in 0...runs {
      profile.start()
      try self.run("tune", progress: progress, nodes: nodes, profile: profile)
      for place in least.indices where run > 0 {
        least[place] = min(least[place], profile.nanoseconds(Profile.firstStep + place).total)
      }
    }
    var times = [UInt64](repeating: 0, count: plan.graph.nodes.count)
    for (place, step) in steps.enumerated() where nodes.contains(step.node) { times[step.node] += least[place] }
    return times
  }
}
