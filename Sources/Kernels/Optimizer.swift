// The updates of the optimisers, element by element, in PyTorch's order of operations.
import CSystem

func fillOptimizer(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.narrow.update_sgd = { update, weights, gradients, momentum, count in
    let u = update!.pointee
    forEachVector(count) { at, lanes in
      let weight = lanes.load(weights! + at)
      var gradient = lanes.load(gradients! + at) + u.weight_decay * weight
      if u.momentum != 0 {
        let old = lanes.load(momentum! + at)
        let buffer = u.is_first != 0 ? gradient : u.momentum * old + (1 - u.dampening) * gradient
        lanes.store(buffer, momentum! + at)
        gradient = u.nesterov != 0 ? gradient + u.momentum * buffer : buffer
      }
      lanes.store(weight - u.learning_rate * gradient, weights! + at)
    }
  }
  table.pointee.narrow.update_adam = { update, weights, gradients, mean, square, count in
    let u = update!.pointee
    forEachVector(count) { at, lanes in
      var weight = lanes.load(weights! + at)
      var gradient = lanes.load(gradients! + at)
      if u.decoupled != 0 {
        weight = weight * (1 - u.learning_rate * u.weight_decay)
      } else {
        gradient = gradient + u.weight_decay * weight
      }
      let oldMean = lanes.load(mean! + at)
      let newMean = oldMean + (gradient - oldMean) * (1 - u.beta1)
      let newSquare = lanes.load(square! + at) * u.beta2 + (1 - u.beta2) * gradient * gradient
      lanes.store(newMean, mean! + at)
      lanes.store(newSquare, square! + at)
      let deviation = squareRoot(newSquare) / u.square_correction + u.epsilon
      lanes.store(weight - u.step_size * (newMean / deviation), weights! + at)
    }
  }
  table.pointee.narrow.update_rmsprop = { update, weights, gradients, square, mean, momentum, count in
    let u = update!.pointee
    forEachVector(count) { at, lanes in
      let weight = lanes.load(weights! + at)
      let gradient = lanes.load(gradients! + at) + u.weight_decay * weight
      let newSquare = lanes.load(square! + at) * u.alpha + (1 - u.alpha) * gradient * gradient
      lanes.store(newSquare, square! + at)
      var variance = newSquare
      if u.centered != 0 {
        let oldMean = lanes.load(mean! + at)
        let newMean = oldMean + (gradient - oldMean) * (1 - u.alpha)
        lanes.store(newMean, mean! + at)
        variance = variance - newMean * newMean
      }
      var step = gradient / (squareRoot(variance) + u.epsilon)
      if u.momentum != 0 {
        step = u.momentum * lanes.load(momentum! + at) + step
        lanes.store(step, momentum! + at)
      }
      lanes.store(weight - u.learning_rate * step, weights! + at)
    }
  }
  table.pointee.narrow.scale_and_clamp = { values, count, scale, limit in
    // Not a number stays what it is: both comparisons are false.
    for index in 0..<count {
      let value = values![index] * scale
      values![index] = value > limit ? limit : value < -limit ? -limit : value
    }
  }
  table.pointee.narrow.sum_squares = { values, count in
    var sum = 0.0
    for index in 0..<count { sum += Double(values![index]) * Double(values![index]) }
    return sum
  }
}

/// Which lanes of a vector hold elements: all, or at the end of an array the first few.
struct Lanes {
  let count: Int

  @inline(__always)
  func load(_ pointer: UnsafePointer<Float>) -> Vector {
    count == Vector.scalarCount ? loadVector(pointer) : loadLanes(pointer, count)
  }

  @inline(__always)
  func load(_ pointer: UnsafeMutablePointer<Float>) -> Vector { load(UnsafePointer(pointer)) }

  @inline(__always)
  func store(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>) {
    if count == Vector.scalarCount { return storeVector(vector, pointer) }
    storeLanes(vector, pointer, count)
  }
}

/// Visits an array of `count` elements a vector at a time. One loop for all of it: memory is what updates wait for.
@inline(__always)
func forEachVector(_ count: Int, _ body: (_ at: Int, _ lanes: Lanes) -> Void) {
  var at = 0
  while at < count {
    body(at, Lanes(count: min(Vector.scalarCount, count - at)))
    at += Vector.scalarCount
  }
}
