// The tables of kernels that every machine can run.
import CSystem
import KernelsPortable16
import Sasuka
import Testing

@Suite struct KernelTableTests {
  @Test func baselineWidth() {
    var table = sasuka_kernel_table()
    sasuka_kernels_baseline(&table)
    #expect(table.vector_width == 4)
  }

  @Test func portableWidth() {
    var table = sasuka_kernel_table()
    KernelsPortable16.fill(&table)
    #expect(table.vector_width == 16)
  }

  /// Kernels of another width would read and write blocks that are none, and what AVX-512 takes from AVX2 must all be there.
  @Test(arguments: InstructionSet.available.filter { $0 != .baseline })
  func slotsAreOfTheTablesWidth(_ instructionSet: InstructionSet) {
    let table = KernelTable(instructionSet)
    #expect((table.slots.pointee.convolution_joined_forward != nil) == (table.lanes == 8))
    #expect(emptyWords(table) == emptyWords(KernelTable(.avx2)))
  }

  /// How many words of a table are 0, but for the slot that vectors of 8 alone have.
  private func emptyWords(_ table: KernelTable) -> Int {
    var slots = table.slots.pointee
    slots.convolution_joined_forward = nil
    return withUnsafeBytes(of: slots) { $0.bindMemory(to: UInt.self).count { $0 == 0 } }
  }
}
