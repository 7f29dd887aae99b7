// The tables of kernels that every machine can run.
import CSystem
import KernelsPortable16
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
}
