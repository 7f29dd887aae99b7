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
    case .avx2, .avx512:
      // Wider vectors would be a second copy that gains nothing.
      var (baseline, avx2) = (sasuka_kernel_table(), sasuka_kernel_table())
      sasuka_kernels_baseline(&baseline)
      sasuka_kernels_avx2(&avx2)
      self.init(instructionSet) { slots in
        if instructionSet == .avx512 { sasuka_kernels_avx512(slots) } else { slots.pointee = avx2 }
        slots.pointee.narrow = avx2.narrow
        slots.pointee.packing = baseline.packing
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
