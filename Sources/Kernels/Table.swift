// Fills the table of kernels, the only door between the engine and this target.
import CSystem

/// Sets every slot of `table`. Each family of kernels fills its own slots in a function of its own.
func fillTable(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  fillWide(table)
  fillNarrow(table)
}

/// Sets the width of blocks, and those slots whose kernels depend on it or gain by wide vectors.
func fillWide(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.vector_width = Int32(Vector.scalarCount)
  fillLayout(table)
  fillElementwise(table)
  fillActivation(table)
  fillGrid(table)
  fillResample(table)
  fillConvolution(table)
  fillBatchNorm(table)
  fillPooling(table)
}

/// Sets the narrow kernels.
func fillNarrow(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  fillConversion(table)
  if lanes > 4 { table.pointee.narrow.winograd_pack = winogradPack }
  if lanes == 8 {
    table.pointee.narrow.convolution_few_forward = fewForward
    table.pointee.narrow.convolution_tap_sums = tapSums
  }
  fillOptimizer(table)
  fillPower(table)
  fillSoftmax(table)
  fillLosses(table)
}
