/* The table of kernels: the only door between the engine and the instruction-set targets. */
#ifndef SASUKA_KERNELS_H
#define SASUKA_KERNELS_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

/** 4096 bytes of zero, aligned to a cache line: what a kernel's accumulators start from. */
static inline const void *sasuka_zeros(void) {
  static const _Alignas(64) unsigned char zeros[4096];
  return zeros;
}

/* ---- Convolution ----------------------------------------------------------------------------------------------------

   Every convolution runs as a "valid" one over an image that `pad` has copied into a scratch with its border (when there
   is no border, the image itself serves). The same kernel computes the forward result, the gradient of the input (flipped,
   transposed weights: see `convolution_pack`) and transposed convolution. Groups need no care of the caller: output
   channels of one vector that belong to different groups get zero weights for each other's inputs. Only depthwise
   convolution (one input and one output channel per group) has kernels of its own, which `convolution_depthwise_*` names;
   the general ones are right for it too, but waste a factor of V.

   V = vector_width; lanes beyond the last channel ("padding lanes") are written as 0 when the bias is NULL or given, so
   that they are finite; they are never read as inputs of a sum. */

/** What `pad` does: destination [channel_blocks][padded_height][padded_width][V] <- source [channel_blocks][height][width][V].
    Source pixel (y, x) lands on (top + y * step_height, left + x * step_width) if that lies inside the destination; all
    other pixels become 0. Negative top or left crops. A step > 1 inserts zeros between the pixels. */
typedef struct sasuka_padding {
  int64_t height, width;
  int64_t padded_height, padded_width;
  int64_t top, left;
  int64_t step_height, step_width;
} sasuka_padding;

/** One convolution of one image. Input [ceil(groups * input_channels / V)][input_height][input_width][V], padded already.
    Output pixel (y, x), y < output_height, x < output_width, reads input row y * stride_height + i * dilation_height for the
    kernel's row i, and columns alike; all of them must lie inside the input. Kernel sizes of 0 are allowed: the result is
    the bias. */
typedef struct sasuka_convolution {
  int64_t groups;
  /** Channels of one group: real ones, no padding. */
  int64_t input_channels, output_channels;
  int64_t kernel_height, kernel_width;
  int64_t stride_height, stride_width;
  int64_t dilation_height, dilation_width;
  int64_t input_height, input_width;
  int64_t output_height, output_width;
  /** Where output pixel (y, x) of channel block b lies, in floats from the output's start:
      b * output_block_stride + y * output_row_stride + x * output_pixel_stride.
      Dense: height * width * V, width * V, V. Larger strides write one phase of a strided convolution's input gradient; with
      blocks V apart, neighbouring pixels of it. */
  int64_t output_block_stride, output_row_stride, output_pixel_stride;
  /** For kernels that take the image without its border (convolution_depthwise_forward, convolution_few_forward): rows and
      columns of zeros before it, negative where it is cropped. What lies past the input counts as zeros too. 0 for all others. */
  int64_t top, left;
  /** Input channels before the first that is read, which may lie within a block. For convolution_pack and convolution_forward
      in one group; for those of few output channels whole blocks; 0 for all others. */
  int64_t first_channel;
  /** How many of the kernel's first and last rows and columns are left out, as all pixels of the output that are asked for would
      read zeros by them. For convolution_forward; 0 for all others. */
  int64_t skipped_top, skipped_bottom, skipped_left, skipped_right;
  /** V, for convolution_few_forward, whose vectors have 8 floats whatever the blocks have. */
  int64_t block_lanes;
} sasuka_convolution;

/** Whether convolution_depthwise_forward has runs of pixels for a kernel, of which each vector of an input's row is loaded once for
    all taps that meet it: of three or five along a row, with a stride or a dilation of two at most. */
static inline bool sasuka_has_depthwise_runs(const sasuka_convolution *shape) {
  return (shape->kernel_width == 3 || shape->kernel_width == 5) && shape->stride_width * shape->dilation_width <= 2;
}

/** Output channels up to which a convolution has few: lanes may then be input channels, whose products are summed at the end. */
enum { SASUKA_FEW_OUTPUTS = 3 };

/** How many sums each pixel of such a convolution has. */
static inline int64_t sasuka_few_sums(const sasuka_convolution *shape) {
  return shape->output_channels == 1 ? 1 : SASUKA_FEW_OUTPUTS;
}

static inline int64_t sasuka_few_packed_floats(const sasuka_convolution *shape) {
  return shape->input_channels * shape->kernel_height * shape->kernel_width * sasuka_few_sums(shape);
}

/** A line of pixels of a transposed convolution's output, of which each is the sum of as many products: those of `rows` by `columns`
    taps. Steps in floats: from a tap's products to those of the next one in a row and in a column, which belong to another
    pixel of the input, and from pixel to pixel, where products are read and where sums are written. */
typedef struct sasuka_tap_sums {
  int64_t pixels, rows, columns;
  int64_t row_step, column_step, pixel_step, output_step;
  /** Output channels, whose products with a tap lie beside each other, and lanes of their block. */
  int64_t channels, block_lanes;
} sasuka_tap_sums;

/** Where the weights lie that `convolution_pack` reads, in floats: the weight of group g, output channel o and input channel i
    of that group, kernel row y, column x is source[g * group + o * output + i * input + y * row + x * column].
    Plain weights W[groups * O][I][KH][KW] (PyTorch's Conv2d):
      forward         group = O*I*KH*KW, output = I*KH*KW, input = KH*KW, row = KW, column = 1, source = W.
      input gradient  (output_channels = I, input_channels = O) group = O*I*KH*KW, output = KH*KW, input = I*KH*KW,
                      row = -KW, column = -1, source = W + KH*KW - 1: transposed and flipped.
   The input gradient of a convolution of stride s, padding p, dilation d (rows; columns alike): either one stride-1
   convolution over dy with step s in `pad`, top = d*(KH-1) - p, padded_height = height + d*(KH-1); or, without multiplying
   zeros, one convolution per phase r = 0..<s, which writes rows r, r+s, ... of dx (output = dx + r * row, output_row_stride
   = s * row): it uses the kernel rows k with (r + p - k*d) % s == 0, an arithmetic sequence of step t = s / gcd(s, d) from
   its greatest member k1 downwards (so row = -t*KW, source at k1); dilation d*t/s; dy unspread, padded so that output
   row q reads dy row q + (r + p - k1*d) / s first: top = -(r + p - k1*d) / s. If no k fits, kernel_height = 0. */
typedef struct sasuka_weight_strides {
  int64_t group, output, input, row, column;
} sasuka_weight_strides;

/** A convolution of dilation 1, in one group, by Winograd's minimal filtering. The output is cut into tiles; tile t of the
    batch is tile t % (tiles_down * tiles_across) of its image, in row-major order. A block of tiles goes through three
    kernels:
      transformed[point * input_point_stride + (channel block * tile_stride + tile) * V + lane]   from winograd_input,
      products   [point * output_point_stride + (channel block * tile_stride + tile) * V + lane]  from winograd_product,
    and the output from winograd_output. Output pixel (y, x) reads input pixels from (y - top, x - left) on; what lies
    outside the input is 0.
    Of stride 1, tiles have (point_rows - kernel_height + 1) x (point_columns - kernel_width + 1) pixels; a direction has 4,
    6, 8 or 9 points, or 12 if it is the only one: F(2, 3), F(4, 3), F(6, 3), F(7, 3), F(6, 4), F(5, 5), F(6, 7) in it.
    A kernel of one row is filtered along rows alone, with one row of points, and one of one column alike.
    Of stride 2, with 3 taps or more in each direction and a multiple of V input channels, the input's four phases (even or
    odd rows, even or odd columns, counted from the tile's first) are convolved with the kernel's four phases, of 2 x 2,
    2 x 1, 1 x 2 and 1 x 1 taps if it has 3 x 3, at the same points, and summed there: tiles have as many pixels fewer than
    points as the first phase has taps, less 1. Each phase has channel blocks of its own at a point, in the order (odd, even),
    (even, even), (even, odd), (odd, odd). In a direction of an odd number of taps, what is odd has no value at the last
    point, infinity: the taps of an odd phase are one fewer, so that the finite points are enough. */
typedef struct sasuka_winograd {
  /** Real ones, no padding; where there are groups, of one of them. */
  int64_t input_channels, output_channels;
  int64_t kernel_height, kernel_width;
  /** 1 or 2, in both directions. */
  int64_t stride;
  int64_t point_rows, point_columns;
  int64_t input_height, input_width;
  int64_t top, left;
  int64_t output_height, output_width;
  int64_t tiles_down, tiles_across;
  /** In floats; the output's are those of sasuka_convolution, and so are the input's. */
  int64_t input_image_stride, output_image_stride;
  int64_t input_block_stride, input_row_stride, input_pixel_stride;
  int64_t output_block_stride, output_row_stride, output_pixel_stride;
  int64_t tile_stride, input_point_stride, output_point_stride;
} sasuka_winograd;

/** Columns of pixels that a run of tiles side by side covers, at most, points along a line, at most, and constants that a line's
    transform takes from the scratch, at most. */
enum { SASUKA_WINOGRAD_COLUMNS = 32, SASUKA_WINOGRAD_POINTS = 12, SASUKA_WINOGRAD_CONSTANTS = 24 };

/** Floats of scratch that the transforms of a run of tiles need. */
static inline int64_t sasuka_winograd_scratch_floats(int64_t width) {
  return (2 * SASUKA_WINOGRAD_COLUMNS * SASUKA_WINOGRAD_POINTS + SASUKA_WINOGRAD_CONSTANTS) * width;
}

/** How many weights each pair of an input and an output channel has at all points together. */
static inline int64_t sasuka_winograd_weights(const sasuka_winograd *shape) {
  return shape->stride == 1 ? shape->point_rows * shape->point_columns
                            : (2 * shape->point_rows - shape->kernel_height % 2) *
                                  (2 * shape->point_columns - shape->kernel_width % 2);
}

/** C = A B (+ bias): A [rows][depth] at a[row * a_row_stride + k * a_depth_stride], B packed by `matrix_pack`,
    C at c[row * c_row_stride + column]. */
typedef struct sasuka_matrix_product {
  int64_t rows, columns, depth;
  int64_t a_row_stride, a_depth_stride;
  int64_t c_row_stride;
} sasuka_matrix_product;

/** Windows that slide over a map: output pixel (y, x) sees input rows y * stride_height - top + i * dilation_height for the
    kernel's row i, and columns alike, as far as they lie inside the input. */
typedef struct sasuka_pooling {
  int64_t input_height, input_width;
  int64_t output_height, output_width;
  int64_t kernel_height, kernel_width;
  int64_t stride_height, stride_width;
  int64_t dilation_height, dilation_width;
  int64_t top, left;
} sasuka_pooling;

/** The input rows (or columns) [first, end) that an output row averages, and what their sum is divided by. */
typedef struct sasuka_pool_range {
  int32_t first, end;
  float divisor;
} sasuka_pool_range;

/** Flags of an epilogue, or 0. */
enum {
  /** max(x, 0) after the bias. */
  SASUKA_EPILOGUE_RELU = 1,
  /** Add to what the destination holds instead of overwriting it. */
  SASUKA_EPILOGUE_ADD = 2,
  /** min(max(x, 0), 6) after the bias; for convolutions and matrix products. */
  SASUKA_EPILOGUE_RELU6 = 4
};

/** The numbers of one optimiser step; each optimiser looks at its own. */
typedef struct sasuka_update {
  float learning_rate, weight_decay;
  float momentum, dampening;
  /** Adam: learning rate / (1 - beta1^step), and sqrt(1 - beta2^step). */
  float step_size, square_correction;
  float beta1, beta2, epsilon;
  float alpha;
  int32_t nesterov, is_first, decoupled, centered;
} sasuka_update;

/** The factors of scale_by_power. */
typedef struct sasuka_power {
  float factor, constant, slope, exponent;
} sasuka_power;

/* ---- Elements, grids and classes -------------------------------------------------------------------------------- */

/** The functions of activation_forward and activation_backward. */
enum {
  SASUKA_FUNCTION_RELU = 0,
  SASUKA_FUNCTION_RELU6 = 1,
  /** The parameter is the slope of the negative side. */
  SASUKA_FUNCTION_LEAKY_RELU = 2,
  SASUKA_FUNCTION_SIGMOID = 3,
  SASUKA_FUNCTION_TANH = 4,
  SASUKA_FUNCTION_HARD_SWISH = 5,
  SASUKA_FUNCTION_SILU = 6,
  SASUKA_FUNCTION_HARD_SIGMOID = 7
};

/** Three nested loops; element (plane, row, column) of each operand lies at plane * x_plane + row * x_row + column * x_column.
    A step of 0 repeats an operand along that loop. */
typedef struct sasuka_grid {
  int64_t planes, rows, columns;
  int64_t left_plane, left_row, left_column;
  int64_t right_plane, right_row, right_column;
  int64_t result_plane, result_row, result_column;
} sasuka_grid;

/** Numbers of `classes` classes at `positions` places: x[class * class_stride + position * position_stride]. */
typedef struct sasuka_classes {
  int64_t classes, class_stride;
  int64_t positions, position_stride;
} sasuka_classes;

/** What a cross entropy is made of besides logits and labels. Labels out of range count as ignored. */
typedef struct sasuka_cross_entropy {
  /** [classes], or NULL for weights of 1. */
  const float *weights;
  /** Sum of the weights. */
  float weight_sum;
  float smoothing;
  int64_t ignored_label;
} sasuka_cross_entropy;

/** Output pixel (y, x) is between four input pixels: rows row[y] and next_row[y], the latter with weight row_weight[y], and
    columns alike. A row or column of -1 stands for the constant. */
typedef struct sasuka_resample {
  int64_t input_height, input_width, output_height, output_width;
  const int32_t *row, *next_row, *column, *next_column;
  const float *row_weight, *column_weight;
  float constant;
} sasuka_resample;

/* Every slot is a C function over pointers and sizes. Sizes are counts of elements unless a name says bytes.
   Activations are blocked: [batch][channel block][height][width][V], V = vector_width. */

/* What packs weights of convolutions and matrix products, and unpacks their gradients, number by number, for blocks of `v` floats,
   vector_width. */
typedef struct sasuka_packing_kernels {
  /** Packs weights for convolution_forward: sasuka_convolution_packed_floats floats, of which units [first_unit, end_unit)
      (sasuka_convolution_units of them, independent) are written, each a stretch of its own. Each output channel's weights
      are multiplied by its scale, unless `scales` is NULL. */
  void (*convolution_pack)(const sasuka_convolution *shape, const sasuka_weight_strides *strides, const float *source,
                           const float *scales, float *packed, int64_t first_unit, int64_t end_unit, int64_t v);

  /** gradient (= or += with SASUKA_EPILOGUE_ADD) the sum, in order, of `count` buffers of sums, `sums_stride` floats apart,
      written at the strides of the weights. Unit: one of sasuka_convolution_units. */
  void (*convolution_gradient_unpack)(const sasuka_convolution *shape, const sasuka_weight_strides *strides,
                                      const float *sums, int64_t sums_stride, int64_t count, float *gradient,
                                      int64_t first_unit, int64_t end_unit, int32_t epilogue, int64_t v);

  /** As convolution_gradient_unpack, depthwise. Unit: one channel block. strides.output and .input are not used. */
  void (*convolution_depthwise_gradient_unpack)(const sasuka_convolution *shape, const sasuka_weight_strides *strides,
                                                const float *sums, int64_t sums_stride, int64_t count, float *gradient,
                                                int64_t first_block, int64_t end_block, int32_t epilogue, int64_t v);

  /** For convolution_grouped_forward and, in groups of one channel, convolution_depthwise_forward: weights packed as
      [channel blocks][kernel_height][kernel_width][input channels of a group][V]. Unit: one channel block. */
  void (*convolution_grouped_pack)(const sasuka_convolution *shape, const sasuka_weight_strides *strides,
                                   const float *source, float *packed, int64_t first_block, int64_t end_block,
                                   int64_t v);

  /** For convolution_few_forward: weights packed as [input channels / 8][kernel_height][kernel_width][sasuka_few_sums][8], with
      zeros for a sum without a channel. Each output channel's weights are multiplied by its scale, unless `scales` is NULL. */
  void (*convolution_few_pack)(const sasuka_convolution *shape, const sasuka_weight_strides *strides, const float *source,
                               const float *scales, float *packed);

  /** Packs columns of B [depth][columns], whose element (k, column) is source[k * depth_stride + column * column_stride],
      into sasuka_matrix_packed_floats floats. Unit: one of sasuka_matrix_units groups of columns. */
  void (*matrix_pack)(int64_t columns, int64_t depth, int64_t depth_stride, int64_t column_stride, const float *source,
                      float *packed, int64_t first_unit, int64_t end_unit, int64_t v);
} sasuka_packing_kernels;

/* Slots whose kernels do not depend on the width of blocks, or are told it: they compute the same bits with vectors of any width,
   but for softmax's sums of rows, and their time is that of memory, or nothing beside the rest of a step. */
typedef struct sasuka_narrow_kernels {
  /** Gathers `channels` rows of `area` floats into one channel block [area][width], of a multiple of 4 channels; lanes without
      a channel become 0. */
  void (*layout_block)(const float *plain, float *blocked, ptrdiff_t channels, ptrdiff_t area, ptrdiff_t width);
  /** The inverse: scatters one channel block [area][width] into `channels` rows of `area` floats. */
  void (*layout_unblock)(const float *blocked, float *plain, ptrdiff_t channels, ptrdiff_t area, ptrdiff_t width);

  /** Packs transformed weights as [unit][point][phase][input channel][columns * V]: sasuka_winograd_weights times
      sasuka_convolution_packed_floats of a 1 x 1 convolution between these channels. Each output channel's weights are
      multiplied by its scale, unless `scales` is NULL. `packed` is aligned to a vector; `scratch` has
      16 * (kernel_height + 1) * kernel_width * columns * V floats. Unit: one of that convolution's units. `v` is the
      width of blocks, vector_width. */
  void (*winograd_pack)(const sasuka_winograd *shape, const sasuka_weight_strides *strides, const float *source,
                        const float *scales, float *packed, float *scratch, int64_t first_unit, int64_t end_unit,
                        int64_t v);

  /** Optimiser steps over `count` elements; weights and state change in place. State that an option does not use may be
      NULL. */
  void (*update_sgd)(const sasuka_update *update, float *weights, const float *gradients, float *momentum,
                     ptrdiff_t count);
  void (*update_adam)(const sasuka_update *update, float *weights, const float *gradients, float *mean, float *square,
                      ptrdiff_t count);
  void (*update_rmsprop)(const sasuka_update *update, float *weights, const float *gradients, float *square, float *mean,
                         float *momentum, ptrdiff_t count);
  /** values[i] = min(max(values[i] * scale, -limit), limit). */
  void (*scale_and_clamp)(float *values, ptrdiff_t count, float scale, float limit);
  /** Sum of values[i]^2, gathered in float64. */
  double (*sum_squares)(const float *values, ptrdiff_t count);

  /** result[i] = factor * x[i] / (constant + slope * sums[i])^exponent; takes no more than square roots where the exponent is a
      multiple of a quarter, from 0 to 2. */
  void (*scale_by_power)(const sasuka_power *power, const float *x, const float *sums, float *result, ptrdiff_t count);

  /** Softmax over the classes of each position, or its logarithm. */
  void (*softmax_forward)(const sasuka_classes *shape, int32_t logarithm, const float *input, float *output);
  /** Gradient of the input from the forward output and the gradient that arrives at it. */
  void (*softmax_backward)(const sasuka_classes *shape, int32_t logarithm, const float *output, const float *upstream,
                           float *result);

  /** sums[0] += the loss of each position times the weight of its label, smoothed; sums[1] += the weights. */
  void (*cross_entropy_forward)(const sasuka_classes *shape, const sasuka_cross_entropy *loss, const float *logits,
                                const int32_t *labels, double *sums);
  /** gradient = scale times the gradient of sums[0]; 0 at ignored positions. */
  void (*cross_entropy_backward)(const sasuka_classes *shape, const sasuka_cross_entropy *loss, const float *logits,
                                 const int32_t *labels, float scale, float *gradient);

  /** The sum of (prediction - target)^2 in float64. */
  double (*squared_error_sum)(const float *prediction, const float *target, ptrdiff_t count);
  /** gradient = scale * (prediction - target). */
  void (*squared_error_backward)(const float *prediction, const float *target, float scale, float *gradient,
                                 ptrdiff_t count);
  /** The sum of the binary cross entropies of logits and targets in [0, 1], in float64. */
  double (*binary_cross_entropy_sum)(const float *logits, const float *target, ptrdiff_t count);
  /** gradient = scale * (sigmoid(logits) - target). */
  void (*binary_cross_entropy_backward)(const float *logits, const float *target, float scale, float *gradient,
                                        ptrdiff_t count);

  /** One image of few output channels (see SASUKA_FEW_OUTPUTS), without its border (see sasuka_convolution.top), of whose input
      channels there is a multiple of 8 in one group, rows [first_row, end_row) of the output; NULL where there is no such
      kernel. `unit` is 0. */
  void (*convolution_few_forward)(const sasuka_convolution *shape, const float *input, const float *packed,
                                  const float *bias, float *output, int64_t unit, int64_t first_row, int64_t end_row,
                                  int32_t epilogue);

  /** Sums the products of taps that fall on the pixels of a line, from those of the first one on, 8 channels at most; `bias` may be
      NULL. Read, but not used, are what six pixels behind the last would have and a vector behind that. NULL where there is no
      such kernel. */
  void (*convolution_tap_sums)(const sasuka_tap_sums *line, const float *products, const float *bias, float *output,
                               int32_t epilogue);
} sasuka_narrow_kernels;

typedef struct sasuka_kernel_table {
  /** Floats in one vector, and channels in one block of the blocked layout. */
  int32_t vector_width;
  /** Vectors of 16 floats that the core multiplies at once, 1 or 2: set by the engine, for what is fastest depends on it. */
  int32_t wide_products;

  /** Of AVX-512's table the engine fills it, with AVX2's. */
  sasuka_narrow_kernels narrow;

  /** Of all tables but the baseline's the engine fills it, with those. */
  sasuka_packing_kernels packing;

  /* Convolution: see sasuka_convolution. A unit of work never writes what another unit writes. */

  /** Output-channel blocks that one unit computes together, at most; see sasuka_convolution_columns. */
  int32_t convolution_columns;

  /** Copies channel blocks [first_block, end_block) of one image into its padded form. Unit: one channel block. */
  void (*pad)(const sasuka_padding *padding, const float *source, float *destination, int64_t first_block,
              int64_t end_block);

  /** One image, rows [first_row, end_row) of the output, output channels of unit `unit` of sasuka_convolution_units.
      `packed` and `output` point at their starts, whatever the unit. `bias` [groups * output_channels] or NULL. */
  void (*convolution_forward)(const sasuka_convolution *shape, const float *input, const float *packed, const float *bias,
                              float *output, int64_t unit, int64_t first_row, int64_t end_row, int32_t epilogue);

  /** 1 x 1 convolutions of stride 1 in one group, without a border: the same for `unit` and the last one behind it, which has one
      block. NULL where the two take no longer one after the other. */
  void (*convolution_joined_forward)(const sasuka_convolution *shape, const float *input, const float *packed,
                                     const float *bias, float *output, int64_t unit, int64_t first_row, int64_t end_row,
                                     int32_t epilogue);

  /** The same as convolution_forward (packed alike) over an image of at most V channels in one group that lies in planes
      [input_channels][input_height][input_width], padded already. */
  void (*convolution_planar_forward)(const sasuka_convolution *shape, const float *input, const float *packed,
                                     const float *bias, float *output, int64_t unit, int64_t first_row, int64_t end_row,
                                     int32_t epilogue);

  /** 1 x 1 convolutions of stride 1 in one group, without a border, by one level of Strassen's multiplication, where a table
      has it; NULL in those that have not. The image has one row, as any dense one may be taken. Of the input's channels those of
      whole pairs of blocks are summed, of which there is one at least.

      The output of pixels [first_pixel, end_pixel), a multiple of sasuka_strassen_fewest_pixels, in the channels of
      convolution_forward's units 2 * pair and 2 * pair + 1, whole ones. `packed`, `bias` and `epilogue` are those of
      convolution_forward; `panels` has as many floats as these pixels of the input: those of pixels before `unsummed` are
      filled, others are as another pair filled them. `scratch` has sasuka_strassen_scratch_floats. */
  void (*strassen_product)(const sasuka_convolution *shape, const float *input, float *panels, const float *packed,
                           const float *bias, float *output, float *scratch, int64_t pair, int64_t first_pixel,
                           int64_t end_pixel, int64_t unsummed, int32_t epilogue);

  /* Winograd, where a table has it; NULL in those that have not. */

  /** Tiles [first_tile, end_tile), of which the first becomes tile 0 of `transformed`, of some channel blocks of the
      input. `scratch` has sasuka_winograd_scratch_floats floats, for winograd_output too. */
  void (*winograd_input)(const sasuka_winograd *shape, const float *input, float *transformed, float *scratch,
                         int64_t first_tile, int64_t end_tile, int64_t first_block, int64_t end_block);

  /** The first `tiles` tiles, all points, the channels of units [first_unit, end_unit), of which the first begins
      `products`. */
  void (*winograd_product)(const sasuka_winograd *shape, const float *transformed, const float *packed, float *products,
                           int64_t tiles, int64_t first_unit, int64_t end_unit);

  /** Tiles [first_tile, end_tile) of channel blocks [first_block, end_block); `products` begins with the first of both.
      `output` and `bias` (or NULL) point at their starts. */
  void (*winograd_output)(const sasuka_winograd *shape, const float *products, const float *bias, float *output,
                          float *scratch, int64_t first_tile, int64_t end_tile, int64_t first_block,
                          int64_t end_block, int32_t epilogue);

  /** Adds one image's share of the weight gradient, from output rows [first_row, end_row), to `sums`
      (sasuka_convolution_gradient_floats floats, zeroed by the caller first; blocked, see convolution_gradient_unpack).
      `input` is padded as for the forward convolution; `output_gradient` is dense, [blocks][output_height][output_width][V]
      (the shape's output strides are not used). Unit: `unit` of sasuka_convolution_units and `input_block` of
      sasuka_convolution_gradient_blocks. */
  void (*convolution_weight_gradient)(const sasuka_convolution *shape, const float *input, const float *output_gradient,
                                      float *sums, int64_t unit, int64_t input_block, int64_t first_row,
                                      int64_t end_row);

  /** One image (without its border: see sasuka_convolution.top), one channel block, a range of output rows. */
  void (*convolution_depthwise_forward)(const sasuka_convolution *shape, const float *input, const float *packed,
                                        const float *bias, float *output, int64_t block, int64_t first_row,
                                        int64_t end_row, int32_t epilogue);

  /** Groups of 4 or 8 input and as many output channels, fewer than V; NULL where there is no such kernel. One image, padded, one
      channel block, a range of output rows. */
  void (*convolution_grouped_forward)(const sasuka_convolution *shape, const float *input, const float *packed,
                                      const float *bias, float *output, int64_t block, int64_t first_row,
                                      int64_t end_row, int32_t epilogue);

  /** Adds one image's share to sums [channel blocks][kernel_height][kernel_width][V]. Unit: one channel block. */
  void (*convolution_depthwise_weight_gradient)(const sasuka_convolution *shape, const float *input,
                                                const float *output_gradient, float *sums, int64_t block,
                                                int64_t first_row, int64_t end_row);

  /** sums[lane] (= or +=), lane < lanes <= V, the sum over `images` and `pixels` of one channel block of a blocked map:
      map[image * image_stride + pixel * V + lane]. Accumulated in float64. The bias gradient. Unit: one channel block;
      `map` and `sums` point at that block. */
  void (*channel_sums)(const float *map, int64_t images, int64_t image_stride, int64_t pixels, int64_t lanes, float *sums,
                       int32_t epilogue);

  /** Rows [first_row, end_row) of the columns of unit `unit`. `bias` [columns] or NULL. Linear with W [out][in]:
      forward  y = x W^T + b: pack W with depth_stride 1, column_stride in (columns = out, depth = in).
      dx = dy W: pack W with depth_stride in, column_stride 1 (columns = in, depth = out).
      dW = dy^T x: pack x with depth_stride in, column_stride 1 (columns = in, depth = batch);
                   A = dy with a_row_stride 1, a_depth_stride out (rows = out). */
  void (*matrix_multiply)(const sasuka_matrix_product *product, const float *a, const float *packed, const float *bias,
                          float *c, int64_t unit, int64_t first_row, int64_t end_row, int32_t epilogue);

  /** C = A B^T (+ bias) with B [columns][depth] as it lies, columns [first_column, end_column), all rows: for a few rows,
      where reading B is the work and a packed copy would double it. */
  void (*matrix_dot)(const sasuka_matrix_product *product, const float *a, const float *b, const float *bias, float *c,
                     int64_t first_column, int64_t end_column);

  /** result[i] = left[i] + right[i]; the arrays may be the same. */
  void (*add)(const float *left, const float *right, float *result, ptrdiff_t count);

  /** sums[column] = the sum over `rows` of matrix[row * row_stride + column], column < columns, gathered in float64. */
  void (*sum_rows)(const float *matrix, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, float *sums);

  /* Batch normalisation: one channel block of a blocked map, `images` maps of `pixels` pixels, `image_stride` floats apart.
     `epilogue` is 0 or SASUKA_EPILOGUE_RELU: the normalised value then went through max(x, 0). Lanes are independent.
     `coefficients` are vectors of V floats one after another: mean, scale, shift, and for the gradient's map three more. */

  /** moments[lane] = the mean, moments[V + lane] = the sum of squared deviations from it. */
  void (*channel_moments)(const float *map, int64_t images, int64_t image_stride, int64_t pixels, double *moments);

  /** result = (map - mean) * scale + shift, of one map. */
  void (*channel_affine)(const float *map, const float *coefficients, float *result, int64_t pixels, int32_t epilogue);

  /** sums[lane] = sum of the gradient g, sums[V + lane] = sum of g * (map - mean). With the ReLU, g counts where
      (map - mean) * scale + shift is not <= 0. */
  void (*channel_gradient_sums)(const float *map, const float *gradient, const float *coefficients, int64_t images,
                                int64_t image_stride, int64_t pixels, double *sums, int32_t epilogue);

  /** result = g * coefficient 3 + (map - mean) * coefficient 4 + coefficient 5, of one map; g as above. */
  void (*channel_gradient_affine)(const float *map, const float *gradient, const float *coefficients, float *result,
                                  int64_t pixels, int32_t epilogue);

  /* Pooling: one channel block of one image. */

  /** The largest value of each window; the first of equal ones, a NaN before all, as in PyTorch. `indices` may be NULL: for
      each output the place y * input_width + x of that value, -1 where a window has no pixel inside the input. */
  void (*max_pool)(const sasuka_pooling *shape, const float *input, float *output, int32_t *indices);

  /** input_gradient = each output's gradient added at its index. */
  void (*max_pool_gradient)(const sasuka_pooling *shape, const float *gradient, const int32_t *indices,
                            float *input_gradient);

  /** The sum over rows[y] x columns[x] divided by the product of their divisors. Of the shape, only the sizes of input and
      output are used. */
  void (*average_pool)(const sasuka_pooling *shape, const sasuka_pool_range *rows, const sasuka_pool_range *columns,
                       const float *input, float *output);

  void (*average_pool_gradient)(const sasuka_pooling *shape, const sasuka_pool_range *rows,
                                const sasuka_pool_range *columns, const float *gradient, float *input_gradient);
  /** result[i] = left[i] * right[i]; the arrays may be the same. */
  void (*multiply)(const float *left, const float *right, float *result, ptrdiff_t count);

  /** output[i] = function(input[i]); the arrays may be the same. `function` is one of SASUKA_FUNCTION_RELU ... */
  void (*activation_forward)(int32_t function, float parameter, const float *input, float *output, ptrdiff_t count);
  /** result[i] = upstream[i] * function'. `saved` is the forward output for ReLU, ReLU6, leaky ReLU with a slope >= 0,
      sigmoid and tanh, and the input for the others; leaky ReLU takes the input too. */
  void (*activation_backward)(int32_t function, float parameter, const float *saved, const float *upstream,
                              float *result, ptrdiff_t count);

  /** result[pixel][lane] = first[pixel][lanes[lane]] where lanes[V + lane] is -1, second[pixel][lanes[lane]] where
      lanes[2 V + lane] is; elsewhere, where both are 0, what is there if `keeps`, else 0. */
  void (*channel_gather)(const float *first, const float *second, const int32_t *lanes, float *result, int64_t pixels,
                         int32_t keeps);

  /** result = left; the right operand is not used. */
  void (*grid_copy)(const sasuka_grid *grid, const float *left, float *result);
  void (*grid_add)(const sasuka_grid *grid, const float *left, const float *right, float *result);
  void (*grid_multiply)(const sasuka_grid *grid, const float *left, const float *right, float *result);
  /** sums[column] += the sum of left over planes and rows, in float64. */
  void (*grid_sums)(const sasuka_grid *grid, const float *left, double *sums);

  /** Output rows [first_row, end_row) of one channel block. */
  void (*resample_forward)(const sasuka_resample *shape, const float *input, float *output, int64_t first_row,
                           int64_t end_row);
  /** The gradient of one channel block of the input, written whole. */
  void (*resample_backward)(const sasuka_resample *shape, const float *upstream, float *result);
} sasuka_kernel_table;

/* Sizes that both sides of the door must agree on. `v` is vector_width, `columns` convolution_columns. */

static inline int64_t sasuka_divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/** Output-channel blocks per unit: all `columns` unless a unit would then mix groups for nothing. */
static inline int64_t sasuka_convolution_columns(const sasuka_convolution *shape, int64_t v, int64_t columns) {
  return shape->groups == 1 || shape->output_channels % (v * columns) == 0 ? columns : 1;
}

/** Units of work over the output channels: units of sasuka_convolution_columns blocks, the last may have fewer. */
static inline int64_t sasuka_convolution_units(const sasuka_convolution *shape, int64_t v, int64_t columns) {
  return sasuka_divide_up(shape->groups * shape->output_channels, v * sasuka_convolution_columns(shape, v, columns));
}

/** Groups that the output channels of one unit belong to, at most. */
static inline int64_t sasuka_convolution_unit_groups(const sasuka_convolution *shape, int64_t v, int64_t columns) {
  int64_t width = v * sasuka_convolution_columns(shape, v, columns);
  int64_t spanned = shape->output_channels % width == 0   ? 1
                    : width % shape->output_channels == 0 ? width / shape->output_channels
                                                          : (width - 2) / shape->output_channels + 2;
  return spanned < shape->groups ? spanned : shape->groups;
}

/** Floats of one unit's packed weights: [input channel block][kernel row][kernel column][input channel][columns * V]. */
static inline int64_t sasuka_convolution_unit_floats(const sasuka_convolution *shape, int64_t v, int64_t columns) {
  return sasuka_convolution_unit_groups(shape, v, columns) * shape->input_channels * shape->kernel_height *
         shape->kernel_width * v * sasuka_convolution_columns(shape, v, columns);
}

static inline int64_t sasuka_convolution_packed_floats(const sasuka_convolution *shape, int64_t v, int64_t columns) {
  return sasuka_convolution_units(shape, v, columns) * sasuka_convolution_unit_floats(shape, v, columns);
}

/** Pixels of the tallest register tile of strassen_product, two of which are multiplied together. */
static inline int64_t sasuka_strassen_pixels(int64_t v) { return v == 16 ? 14 : 6; }

/** Pixels that strassen_product multiplies together at least. */
static inline int64_t sasuka_strassen_fewest_pixels(int64_t v) { return v == 16 ? 14 : 12; }

/** Floats of strassen_product's scratch: four sums of weights [half the input channels][2 V], 80 floats apart, and six
    tiles. */
static inline int64_t sasuka_strassen_scratch_floats(const sasuka_convolution *shape, int64_t v) {
  return 4 * (shape->input_channels * v + 80) + 6 * 2 * v * sasuka_strassen_pixels(v);
}

/** Input-channel blocks that the weight gradient of one unit spans, at most; a unit that has fewer ignores the rest. */
static inline int64_t sasuka_convolution_gradient_blocks(const sasuka_convolution *shape, int64_t v, int64_t columns) {
  int64_t channels = sasuka_convolution_unit_groups(shape, v, columns) * shape->input_channels;
  int64_t all = sasuka_divide_up(shape->groups * shape->input_channels, v);
  int64_t spanned = shape->input_channels % v == 0 ? channels / v : (channels + v - 2) / v + 1;
  return spanned < all ? spanned : all;
}

/** Floats of the sums of the weight gradient:
    [unit][input block][kernel row][kernel column][V input channels][columns * V output channels]. */
static inline int64_t sasuka_convolution_gradient_floats(const sasuka_convolution *shape, int64_t v, int64_t columns) {
  return sasuka_convolution_units(shape, v, columns) * sasuka_convolution_gradient_blocks(shape, v, columns) *
         shape->kernel_height * shape->kernel_width * v * v * sasuka_convolution_columns(shape, v, columns);
}

static inline int64_t sasuka_matrix_units(int64_t columns_of_b, int64_t v, int64_t columns) {
  return sasuka_divide_up(columns_of_b, v * columns);
}

static inline int64_t sasuka_matrix_packed_floats(int64_t columns_of_b, int64_t depth, int64_t v, int64_t columns) {
  return sasuka_matrix_units(columns_of_b, v, columns) * depth * v * columns;
}

/* What fills a table with the kernels of an instruction set; AVX-512's leaves the narrow ones alone. */
void sasuka_kernels_avx512(sasuka_kernel_table *table);
void sasuka_kernels_avx2(sasuka_kernel_table *table);
void sasuka_kernels_baseline(sasuka_kernel_table *table);

#endif
