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

  /// Kernels of another width would read and write blocks that are none.
  @Test(arguments: InstructionSet.available) func slotsAreOfTheTablesWidth(_ instructionSet: InstructionSet) {
    let table = KernelTable(instructionSet)
    let slots = table.slots.pointee
    #expect((slots.convolution_joined_forward != nil) == (table.lanes == 8))
    #expect((slots.strassen_product != nil) == (table.lanes >= 8))
    #expect(slots.update_adam != nil && slots.softmax_forward != nil && slots.squared_error_sum != nil)
  }
}
