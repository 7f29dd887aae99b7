import CSystem

/// An instruction set that kernels exist for.
package enum InstructionSet: Int32, Sendable, CaseIterable {
  case baseline = 0
  case avx2 = 1
  case avx512 = 2

  /// The best that this machine has.
  package static var best: InstructionSet { InstructionSet(rawValue: sasuka_detect_instruction_set()) ?? .baseline }

  /// The best of this machine, or what the variable SASUKA_ISA names if the machine has that.
  package static var preferred: InstructionSet {
    guard let wish = getenv("SASUKA_ISA") else { return best }
    for candidate in allCases where strcmp(wish, candidate.name) == 0 {
      return candidate.rawValue <= best.rawValue ? candidate : best
    }
    return best
  }

  package var name: String {
    switch self {
    case .baseline: return "baseline"
    case .avx2: return "avx2"
    case .avx512: return "avx512"
    }
  }
}

/// The kernels of one instruction set.
package final class KernelTable {
  package let instructionSet: InstructionSet
  package let slots: UnsafeMutablePointer<sasuka_kernel_table>

  package convenience init(_ instructionSet: InstructionSet) {
    switch instructionSet {
    case .baseline: self.init(.baseline, fill: sasuka_kernels_baseline)
    case .avx2: self.init(.avx2, fill: sasuka_kernels_avx2)
    case .avx512:
      self.init(.avx512) { slots in
        sasuka_kernels_avx512(slots)
        takeNarrowKernels(slots)
      }
    }
  }

  /// The kernels that `fill` sets; the tests have a table of their own.
  package init(_ instructionSet: InstructionSet, fill: (UnsafeMutablePointer<sasuka_kernel_table>) -> Void) {
    self.instructionSet = instructionSet
    slots = .allocate(capacity: 1)
    memset(slots, 0, MemoryLayout<sasuka_kernel_table>.size)
    fill(slots)
    slots.pointee.wide_products = sasuka_detect_wide_products()
  }

  deinit { slots.deallocate() }

  /// Channels in a block of the blocked layout.
  package var lanes: Int { Int(slots.pointee.vector_width) }
}

/// Sets the slots of optimisers, softmax and losses to AVX2's kernels. They know nothing of blocks, compute the same bits with
/// vectors of any width, and their time is that of memory, or nothing beside the rest of a step.
private func takeNarrowKernels(_ slots: UnsafeMutablePointer<sasuka_kernel_table>) {
  var avx2 = sasuka_kernel_table()
  sasuka_kernels_avx2(&avx2)
  slots.pointee.update_sgd = avx2.update_sgd
  slots.pointee.update_adam = avx2.update_adam
  slots.pointee.update_rmsprop = avx2.update_rmsprop
  slots.pointee.scale_and_clamp = avx2.scale_and_clamp
  slots.pointee.sum_squares = avx2.sum_squares
  slots.pointee.softmax_forward = avx2.softmax_forward
  slots.pointee.softmax_backward = avx2.softmax_backward
  slots.pointee.cross_entropy_forward = avx2.cross_entropy_forward
  slots.pointee.cross_entropy_backward = avx2.cross_entropy_backward
  slots.pointee.squared_error_sum = avx2.squared_error_sum
  slots.pointee.squared_error_backward = avx2.squared_error_backward
  slots.pointee.binary_cross_entropy_sum = avx2.binary_cross_entropy_sum
  slots.pointee.binary_cross_entropy_backward = avx2.binary_cross_entropy_backward
}
