// Fills the table of kernels, the only door between the engine and this target.
import CSystem

/// Sets every slot of `table`. Each family of kernels fills its own slots in a function of its own.
func fillTable(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.vector_width = Int32(Vector.scalarCount)
  fillLayout(table)
  fillElementwise(table)
  fillOptimizer(table)
  fillActivation(table)
  fillGrid(table)
  fillSoftmax(table)
  fillLosses(table)
  fillResample(table)
  fillConvolution(table)
  fillBatchNorm(table)
  fillPooling(table)
}
