// Every instruction set's table must be whole, whatever this machine can run.
import CSystem
import KernelsPortable16
import Testing

@Suite struct KernelTableTests {
  @Test func vectorWidths() {
    var table = sasuka_kernel_table()
    sasuka_kernels_avx512(&table)
    #expect(table.vector_width == 16)
    sasuka_kernels_avx2(&table)
    #expect(table.vector_width == 8)
    sasuka_kernels_baseline(&table)
    #expect(table.vector_width == 4)
  }
}
