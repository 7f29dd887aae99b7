// The slots of convolution and matrix product.
import CSystem

/// Fills the slots that sasuka_kernels.h lists under convolution and matrix product.
func fillConvolution(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.convolution_columns = Int32(tileColumns)
  table.pointee.pad = padBlocks
  table.pointee.convolution_forward = convolutionForward
  table.pointee.convolution_planar_forward = planarForward
  if lanes == 8 { table.pointee.convolution_joined_forward = joinedForward }
  if lanes >= 8 {
    table.pointee.strassen_product = strassenProduct
    table.pointee.winograd_input = winogradInput
    table.pointee.winograd_product = winogradProduct
    table.pointee.winograd_output = winogradOutput
  }
  table.pointee.convolution_weight_gradient = convolutionWeightGradient
  table.pointee.convolution_depthwise_forward = depthwiseForward
  table.pointee.convolution_depthwise_weight_gradient = depthwiseWeightGradient
  if lanes > 4 {
    table.pointee.convolution_grouped_forward = groupedForward
  }
  table.pointee.channel_sums = channelSums
  table.pointee.matrix_multiply = matrixMultiply
  table.pointee.matrix_dot = matrixDot
}

/// Fills the slots of what packs weights for these, and unpacks their gradients. For blocks of any width, and no faster with wider
/// vectors: one instruction set's will do.
func fillPacking(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.packing.convolution_pack = convolutionPack
  table.pointee.packing.convolution_gradient_unpack = convolutionGradientUnpack
  table.pointee.packing.convolution_depthwise_gradient_unpack = depthwiseGradientUnpack
  table.pointee.packing.convolution_grouped_pack = groupedPack
  table.pointee.packing.convolution_few_pack = fewPack
  table.pointee.packing.matrix_pack = matrixPack
}
