/* Sasuka: trains and runs convolutional networks inside another program.
 *
 * One shared library, libsasuka.so, needing libc and libm only; this header is its whole interface. In order:
 *
 *   1. The library       version, status codes, the last error, the log
 *   2. Tensors           the host's memory, where it lies
 *   3. Callbacks         progress, cancelling, the host's own threads
 *   4. Shape questions   sizes, paddings and receptive fields, without a network
 *   5. sasuka_graph      a network of one's own, operator by operator
 *   6. sasuka_model      a network with its parameters: create, load, forward, train step, save
 *   7. sasuka_session    a model compiled for one input shape: one per thread
 *   8. sasuka_trainer    training, step by step
 *
 * The simple way is section 6 alone:
 *
 *     sasuka_model *model = NULL;
 *     sasuka_status status = sasuka_model_create("resnet18", NULL, &model);
 *     if (status == SASUKA_OK) status = sasuka_model_load_weights(model, "resnet18.safetensors", NULL);
 *     if (status == SASUKA_OK) status = sasuka_model_forward(model, &pictures, &logits);
 *     if (status != SASUKA_OK) complain(sasuka_last_error());
 *     sasuka_model_destroy(model);
 *
 * Rules that hold everywhere, and are not repeated at each declaration:
 *
 * Errors. What can fail returns a sasuka_status and gives its results through pointers. After a failure
 * sasuka_last_error() says what was wrong, with which value, where, and what was expected. A call that fails changes
 * nothing, neither in the library's objects nor in the caller's memory, unless its declaration says otherwise. Any call
 * that allocates may return SASUKA_OUT_OF_MEMORY. No call aborts, exits, prints or installs handlers.
 *
 * Arguments. A pointer may be NULL only where it says so; elsewhere NULL gives SASUKA_INVALID_ARGUMENT, as do values
 * outside the ranges given here. Text is UTF-8 that ends with a zero byte. What a caller passes is borrowed until the
 * call returns, unless its declaration says otherwise: nothing is kept.
 *
 * Handles. *_create makes an object that the caller owns and frees with *_destroy, which accepts NULL. On failure the
 * handle is set to NULL. Objects keep alive what they need of each other: they may be destroyed in any order.
 *
 * Threads. Different objects may be used by different threads at the same time. One object is used by one call at a
 * time; calls on a `const sasuka_model *` may also overlap each other. Calls that overlap where they may not: the later
 * one returns SASUKA_BUSY and does nothing. No object may be destroyed while a call uses it. Functions without an
 * object may be called from any thread at any time. After fork(), the child may go on using objects that no call was
 * using.
 *
 * Options. A struct that begins with struct_size is filled with defaults by its *_init function, which gets sizeof the
 * struct as this header declares it; then the caller changes what should differ. NULL for options means all defaults.
 * Later versions append fields and change none, so programs and libraries of different versions fit each other. A
 * struct_size that no version had gives SASUKA_INVALID_ARGUMENT. Yes-or-no fields are int32_t: 0 is no, 1 is yes.
 *
 * Buffers. A function with (buffer, capacity, needed) copies its result into the caller's buffer and sets *needed to
 * the result's size: bytes with the final zero for text, bytes for data, elements for shapes. With a NULL buffer and
 * capacity 0 it only sets *needed and returns SASUKA_OK. With too small a buffer it sets *needed, writes nothing else
 * and returns SASUKA_BUFFER_TOO_SMALL. `needed` may be NULL where the caller does not care.
 *
 * Sizes are counted in elements unless it says bytes. No size, stride, padding or dilation exceeds 2^30. Pairs are
 * {height, width}; paddings are {top, bottom, left, right}; maps have the shape [batch, channels, height, width]. Axes
 * count from 0, the batch; negative ones count from the end. Names and defaults are PyTorch's where PyTorch has them.
 *
 * Results do not depend on the thread count: the same seed, inputs and instruction set give the same bits.
 */
#ifndef SASUKA_H
#define SASUKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------------------
 * 1. The library
 * ------------------------------------------------------------------------------------------------------------------ */

/* The version of the interface in this header. It changes only if an existing declaration changes its meaning. */
#define SASUKA_ABI_VERSION 1

/* The library's version, such as "0.1.0". Lives as long as the library is loaded. */
const char *sasuka_version(void);

/* The interface version that the loaded library implements: to be compared with SASUKA_ABI_VERSION. */
uint32_t sasuka_abi_version(void);

/* How a call ended. */
typedef int32_t sasuka_status;
enum {
  SASUKA_OK = 0,
  /* An argument is NULL, out of range, or of the wrong shape or type. */
  SASUKA_INVALID_ARGUMENT = 1,
  /* Memory for a buffer could not be had. */
  SASUKA_OUT_OF_MEMORY = 2,
  /* The operating system refused to open, read, write or rename a file. */
  SASUKA_IO = 3,
  /* A file's bytes are not what its format requires. */
  SASUKA_FORMAT = 4,
  /* Names or shapes in a file do not fit the model. */
  SASUKA_MISMATCH = 5,
  /* A valid request for something that the library does not do. */
  SASUKA_UNSUPPORTED = 6,
  /* A name or an index is not known. */
  SASUKA_NOT_FOUND = 7,
  /* Calls came in an order that makes no sense. */
  SASUKA_WRONG_STATE = 8,
  /* The object is in use by another call. */
  SASUKA_BUSY = 9,
  /* The caller's progress callback asked to stop. */
  SASUKA_CANCELLED = 10,
  /* The caller's buffer is too small; `needed` says how much is needed. */
  SASUKA_BUFFER_TOO_SMALL = 11
};

/* A status as text: the enumerator's name, such as "SASUKA_FORMAT", or "unknown status". Lives as long as the
 * library. */
const char *sasuka_status_name(sasuka_status status);

/* What went wrong in the calling thread's last call that failed, uncut. Never NULL; "" if nothing failed yet. Calls
 * that succeed leave it as it is. Lives until the thread's next failing call or its end. */
const char *sasuka_last_error(void);

/* How urgent a message of the log is. */
typedef int32_t sasuka_log_level;
enum { SASUKA_LOG_DEBUG = 0, SASUKA_LOG_INFO = 1, SASUKA_LOG_WARNING = 2 };

/* Receives a message, without a line end; it lives until the callback returns. May come from any thread, also at the
 * same time from several, and must not call the library. */
typedef void (*sasuka_log_callback)(sasuka_log_level level, const char *message, void *user_data);

/* Sends messages to `callback` from now on, for the whole process; NULL (as at the start) sends them nowhere. Returns
 * when no call of the former callback is running, so that its user_data may be freed then. */
void sasuka_set_log_callback(sasuka_log_callback callback, void *user_data);

/* The processor's instructions that kernels are written for. Each includes those before it. */
typedef int32_t sasuka_instruction_set;
enum {
  /* The best that this machine has, or what the environment variable SASUKA_ISA=baseline|avx2|avx512 allows. */
  SASUKA_INSTRUCTION_SET_AUTO = 0,
  SASUKA_INSTRUCTION_SET_BASELINE = 1,
  SASUKA_INSTRUCTION_SET_AVX2 = 2,
  SASUKA_INSTRUCTION_SET_AVX512 = 3
};

/* "baseline", "avx2" or "avx512"; for AUTO, the one that is chosen on this machine; NULL for a value that is none of
 * these and for a set that this machine does not have. Lives as long as the library. */
const char *sasuka_instruction_set_name(sasuka_instruction_set instruction_set);

/* The threads that are used where an option says 0: the processors this process may run on, 1 to 256. */
int32_t sasuka_default_thread_count(void);

/* ------------------------------------------------------------------------------------------------------------------
 * 2. Tensors
 * ------------------------------------------------------------------------------------------------------------------ */

/* The type of a tensor's elements. */
typedef int32_t sasuka_dtype;
enum {
  SASUKA_FLOAT32 = 0,
  SASUKA_FLOAT64 = 1,
  SASUKA_UINT8 = 2,
  SASUKA_INT32 = 3,
  SASUKA_INT64 = 4
};

/* The host's memory, described where it lies; sasuka owns none of it and forgets it when the call returns.
 *
 * Element (i, j, ...) lies at data + (i * strides[0] + j * strides[1] + ...) elements. The shape of pictures is always
 * [batch, channels, height, width]; strides say how they lie. For pictures stored row by row with the channels of a
 * pixel together (NHWC) they are {height * width * channels, 1, width * channels, channels}. Strides are at least 0;
 * those of a tensor that is written to must give every element a place of its own.
 *
 * Inputs and outputs are computed in float32: other types are converted element by element (uint8 to 0 ... 255,
 * unscaled; float64 rounds to the nearest). Outputs are float32 or float64: a call writes to their data, never to the
 * struct. The struct never grows. */
typedef struct sasuka_tensor {
  /* Aligned to the element's size. Input tensors are read only. */
  void *data;
  /* `rank` sizes of at least 1. NULL only for rank 0: one element. */
  const int64_t *shape;
  /* `rank` distances in elements, or NULL for row-major: the last axis contiguous. */
  const int64_t *strides;
  sasuka_dtype dtype;
  /* 0 to 8. */
  int32_t rank;
} sasuka_tensor;

/* ------------------------------------------------------------------------------------------------------------------
 * 3. Callbacks
 * ------------------------------------------------------------------------------------------------------------------ */

/* Where a long call stands. */
typedef struct sasuka_progress {
  /* Bytes of this struct that are filled. */
  size_t struct_size;
  /* What is being done, such as "forward" or "load weights". Lives until the callback returns. */
  const char *stage;
  /* Parts of the stage that are done, and all of them; total is 0 where it is not known. */
  int64_t done;
  int64_t total;
} sasuka_progress;

/* Called on the thread that made the call, at least every 50 ms while it works. Returning false cancels: the call ends
 * within 100 ms with SASUKA_CANCELLED, and parameters are as they were before it. Must not use the objects of the call.
 * To cancel from another thread, let the callback return a flag of the host's. */
typedef bool (*sasuka_progress_callback)(const sasuka_progress *progress, void *user_data);

/* A host's own threads: calls body(context, 0) ... body(context, count - 1), each once, on any threads, in any order,
 * at the same time or in turn, and returns when all have returned. `count` is the thread count of the call. */
typedef void (*sasuka_parallel_for)(size_t count, void (*body)(void *context, size_t index), void *context,
                                    void *user_data);

/* ------------------------------------------------------------------------------------------------------------------
 * 4. Shape questions, answered without a network
 * ------------------------------------------------------------------------------------------------------------------ */

/* How the padding of a convolution is given. */
typedef int32_t sasuka_padding_mode;
enum {
  /* The four numbers of `padding`. */
  SASUKA_PADDING_EXPLICIT = 0,
  /* None. */
  SASUKA_PADDING_VALID = 1,
  /* PyTorch's "same": the output has the input's size. Stride 1 only. An odd pixel goes to the bottom and the right. */
  SASUKA_PADDING_SAME = 2,
  /* ONNX's SAME_UPPER: ceil(input / stride) outputs. An odd pixel goes to the bottom and the right. */
  SASUKA_PADDING_SAME_UPPER = 3,
  /* ONNX's SAME_LOWER: the same number of outputs. An odd pixel goes to the top and the left. */
  SASUKA_PADDING_SAME_LOWER = 4
};

/* Options of a convolution. Padding is with zeros. */
typedef struct sasuka_convolution_options {
  size_t struct_size;
  /* At least 1. Default {1, 1}. */
  int64_t kernel_size[2];
  /* At least 1. Default {1, 1}. */
  int64_t stride[2];
  /* Distance between neighbouring kernel elements, at least 1. Default {1, 1}. */
  int64_t dilation[2];
  /* At least 0; used with SASUKA_PADDING_EXPLICIT only. Default {0, 0, 0, 0}. */
  int64_t padding[4];
  /* Divides the input's and the output's channels. Default 1. */
  int64_t groups;
  /* Default SASUKA_PADDING_EXPLICIT. */
  sasuka_padding_mode padding_mode;
  /* Whether a learnt number is added to each output channel. Default 1. */
  int32_t bias;
} sasuka_convolution_options;

void sasuka_convolution_options_init(sasuka_convolution_options *options, size_t struct_size);

/* Options of a transposed convolution. */
typedef struct sasuka_transposed_convolution_options {
  size_t struct_size;
  /* At least 1. Default {1, 1}. */
  int64_t kernel_size[2];
  /* At least 1. Default {1, 1}. */
  int64_t stride[2];
  /* At least 1. Default {1, 1}. */
  int64_t dilation[2];
  /* Rows and columns cut off the output's sides, at least 0. Default {0, 0, 0, 0}. */
  int64_t padding[4];
  /* Rows and columns added at the bottom and the right, at least 0, less than the stride or the dilation. Default {0,
   * 0}. */
  int64_t output_padding[2];
  /* Divides the input's and the output's channels. Default 1. */
  int64_t groups;
  /* Default 1. */
  int32_t bias;
  /* 0. */
  int32_t reserved;
} sasuka_transposed_convolution_options;

void sasuka_transposed_convolution_options_init(sasuka_transposed_convolution_options *options, size_t struct_size);

/* Options of max and average pooling. */
typedef struct sasuka_pooling_options {
  size_t struct_size;
  /* At least 1. Default {2, 2}. */
  int64_t kernel_size[2];
  /* At least 1, or {0, 0} for the kernel's size. Default {0, 0}. */
  int64_t stride[2];
  /* At least 1; other than {1, 1} for max pooling only. Default {1, 1}. */
  int64_t dilation[2];
  /* At least 0; every window must see a pixel of the input. Default {0, 0, 0, 0}. */
  int64_t padding[4];
  /* Whether a last window that reaches past the padded input counts, if it begins inside the input or the padding
   * before it. Default 0. */
  int32_t ceil_mode;
  /* Average pooling: whether padding counts as zeros in the mean. Default 1. */
  int32_t count_include_pad;
} sasuka_pooling_options;

void sasuka_pooling_options_init(sasuka_pooling_options *options, size_t struct_size);

/* Rows and columns of a convolution's output for an input of `input_size`. SASUKA_INVALID_ARGUMENT if no window
 * fits. */
sasuka_status sasuka_convolution_output_size(const int64_t input_size[2], const sasuka_convolution_options *options,
                                             int64_t output_size[2]);

/* The same for a transposed convolution. SASUKA_INVALID_ARGUMENT if nothing is left. */
sasuka_status sasuka_transposed_convolution_output_size(const int64_t input_size[2],
                                                        const sasuka_transposed_convolution_options *options,
                                                        int64_t output_size[2]);

/* The same for max and average pooling. SASUKA_INVALID_ARGUMENT if no window fits. */
sasuka_status sasuka_pooling_output_size(const int64_t input_size[2], const sasuka_pooling_options *options,
                                         int64_t output_size[2]);

/* Pixels that `mode` (not SASUKA_PADDING_EXPLICIT) adds before and after the input, along one axis. */
sasuka_status sasuka_same_padding(sasuka_padding_mode mode, int64_t input_size, int64_t kernel_size, int64_t stride,
                                  int64_t dilation, int64_t *before, int64_t *after);

/* One convolution or pooling on the way from the input, along one axis. The struct never grows. */
typedef struct sasuka_window {
  /* At least 1. */
  int64_t kernel_size;
  /* At least 1. */
  int64_t stride;
  /* At least 1. */
  int64_t dilation;
  /* Pixels added before the map, at least 0. */
  int64_t padding_before;
} sasuka_window;

/* What one value of a deep layer sees of the network's input, along one axis. The struct never grows. */
typedef struct sasuka_field {
  /* Pixels that the value depends on. */
  int64_t size;
  /* Pixels between the fields of neighbouring values. */
  int64_t step;
  /* First pixel of the first value's field; negative where it reaches into the padding. */
  int64_t start;
} sasuka_field;

/* The field after `count` windows, the one nearest to the input first. `windows` may be NULL if count is 0: one
 * pixel. */
sasuka_status sasuka_receptive_field(const sasuka_window *windows, size_t count, sasuka_field *field);

/* ------------------------------------------------------------------------------------------------------------------
 * 5. Graphs: a network of one's own
 *
 * A graph has one input and one output. Each operator's function takes values, appends one node and gives its output as
 * a new value; shapes are checked as the graph grows. `name` becomes the node's name and the beginning of its
 * parameters' names, as modules are in PyTorch: "layer1.0.conv1" has the parameter "layer1.0.conv1.weight". Names are
 * unique in a graph; NULL makes one up ("relu_3"). A graph holds no numbers: sasuka_model_create_from_graph gives it
 * parameters.
 *
 * Every function returns SASUKA_INVALID_ARGUMENT, and leaves the graph as it was, for a value that is not of this
 * graph, for shapes that do not fit and for a name that is taken.
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct sasuka_graph sasuka_graph;

/* A tensor in a graph: the input or a node's output. Means something in its own graph only. */
typedef int32_t sasuka_value;

/* Makes a graph whose input has this shape, without the batch: [channels, height, width] for pictures, or rank 1 to 7
 * of any meaning. The size is nominal: a finished model takes any batch, and any other size that its operators can work
 * with. */
sasuka_status sasuka_graph_create(const int64_t *input_shape, size_t rank, sasuka_graph **graph, sasuka_value *input);

void sasuka_graph_destroy(sasuka_graph *graph);

/* Convolution over a map to `out_channels` channels. Parameters: weight [out_channels, channels / groups, kernel
 * height, kernel width] and bias [out_channels]. */
sasuka_status sasuka_graph_convolution(sasuka_graph *graph, sasuka_value input, const char *name, int64_t out_channels,
                                       const sasuka_convolution_options *options, sasuka_value *output);

/* Transposed convolution. Parameters: weight [channels, out_channels / groups, kernel height, kernel width] and
 * bias. */
sasuka_status sasuka_graph_transposed_convolution(sasuka_graph *graph, sasuka_value input, const char *name,
                                                  int64_t out_channels,
                                                  const sasuka_transposed_convolution_options *options,
                                                  sasuka_value *output);

/* Fully connected layer over the last axis: [batch, ..., features] to [batch, ..., out_features]. Parameters: weight
 * [out_features, features] and, if `bias`, bias [out_features]. */
sasuka_status sasuka_graph_linear(sasuka_graph *graph, sasuka_value input, const char *name, int64_t out_features,
                                  bool bias, sasuka_value *output);

/* The largest value of each window. Padding never wins. */
sasuka_status sasuka_graph_max_pool(sasuka_graph *graph, sasuka_value input, const char *name,
                                    const sasuka_pooling_options *options, sasuka_value *output);

/* The mean of each window. */
sasuka_status sasuka_graph_average_pool(sasuka_graph *graph, sasuka_value input, const char *name,
                                        const sasuka_pooling_options *options, sasuka_value *output);

/* Means over windows that divide the map evenly into `height` x `width`, each at least 1, as PyTorch's
 * AdaptiveAvgPool2d. */
sasuka_status sasuka_graph_adaptive_average_pool(sasuka_graph *graph, sasuka_value input, const char *name,
                                                 int64_t height, int64_t width, sasuka_value *output);

/* The mean of each whole map: [batch, channels, 1, 1]. */
sasuka_status sasuka_graph_global_average_pool(sasuka_graph *graph, sasuka_value input, const char *name,
                                               sasuka_value *output);

/* Options of batch normalisation. */
typedef struct sasuka_batch_norm_options {
  size_t struct_size;
  /* Added to the variance, at least 0. Default 1e-5. */
  double eps;
  /* The new batch's share in the running statistics, 0 to 1; negative for the average over all batches, which is
   * PyTorch's momentum None. Default 0.1. */
  double momentum;
  /* Whether there are weight and bias. Default 1. */
  int32_t affine;
  /* Whether evaluation uses running statistics; without them it uses the batch's own, as training does. Default 1. */
  int32_t track_running_stats;
} sasuka_batch_norm_options;

void sasuka_batch_norm_options_init(sasuka_batch_norm_options *options, size_t struct_size);

/* Batch normalisation of a map, per channel. Parameters, each [channels]: weight, bias; running_mean, running_var; and
 * num_batches_tracked, one int64. */
sasuka_status sasuka_graph_batch_norm(sasuka_graph *graph, sasuka_value input, const char *name,
                                      const sasuka_batch_norm_options *options, sasuka_value *output);

/* What a dropout drops. */
typedef int32_t sasuka_dropout_kind;
enum {
  /* Single elements, which become 0; the others are scaled by 1 / (1 - probability). */
  SASUKA_DROPOUT_ELEMENTS = 0,
  /* Whole feature maps: PyTorch's Dropout2d. */
  SASUKA_DROPOUT_MAPS = 1,
  /* Elements, in the way that keeps mean and variance behind SELU: PyTorch's AlphaDropout. */
  SASUKA_DROPOUT_ALPHA = 2
};

/* Dropout with a probability from 0 to 1 (alpha: below 1) of dropping. Does nothing outside training. */
sasuka_status sasuka_graph_dropout(sasuka_graph *graph, sasuka_value input, const char *name, sasuka_dropout_kind kind,
                                   double probability, sasuka_value *output);

/* Options of local response normalisation. */
typedef struct sasuka_local_response_norm_options {
  size_t struct_size;
  /* Channels that are summed over, at least 1. Default 5. */
  int64_t size;
  /* Default 1e-4. */
  double alpha;
  /* Default 0.75. */
  double beta;
  /* Above 0. Default 1. */
  double k;
} sasuka_local_response_norm_options;

void sasuka_local_response_norm_options_init(sasuka_local_response_norm_options *options, size_t struct_size);

/* x / (k + alpha * mean of squares over neighbouring channels) ^ beta. */
sasuka_status sasuka_graph_local_response_norm(sasuka_graph *graph, sasuka_value input, const char *name,
                                               const sasuka_local_response_norm_options *options,
                                               sasuka_value *output);

/* A function of each element. */
typedef int32_t sasuka_activation;
enum {
  SASUKA_ACTIVATION_RELU = 0,
  SASUKA_ACTIVATION_RELU6 = 1,
  SASUKA_ACTIVATION_LEAKY_RELU = 2,
  SASUKA_ACTIVATION_SIGMOID = 3,
  SASUKA_ACTIVATION_TANH = 4,
  /* x * relu6(x + 3) / 6 */
  SASUKA_ACTIVATION_HARD_SWISH = 5,
  /* x * sigmoid(x) */
  SASUKA_ACTIVATION_SILU = 6,
  /* relu6(x + 3) / 6 */
  SASUKA_ACTIVATION_HARD_SIGMOID = 7
};

/* Options of an activation. */
typedef struct sasuka_activation_options {
  size_t struct_size;
  /* SASUKA_ACTIVATION_LEAKY_RELU: the slope below 0, finite. Default 0.01. */
  double negative_slope;
} sasuka_activation_options;

void sasuka_activation_options_init(sasuka_activation_options *options, size_t struct_size);

sasuka_status sasuka_graph_activation(sasuka_graph *graph, sasuka_value input, const char *name, sasuka_activation kind,
                                      const sasuka_activation_options *options, sasuka_value *output);

/* Probabilities along an axis other than the batch. (Losses take logits: a classifier being trained ends without
 * it.) */
sasuka_status sasuka_graph_softmax(sasuka_graph *graph, sasuka_value input, const char *name, int32_t axis,
                                   sasuka_value *output);

/* The logarithms of the probabilities. */
sasuka_status sasuka_graph_log_softmax(sasuka_graph *graph, sasuka_value input, const char *name, int32_t axis,
                                       sasuka_value *output);

/* The sum, element by element. Shapes broadcast as in NumPy: axes of size 1 are repeated. */
sasuka_status sasuka_graph_add(sasuka_graph *graph, sasuka_value left, sasuka_value right, const char *name,
                               sasuka_value *output);

/* The product, element by element, with broadcasting: a gate [batch, channels, 1, 1] scales whole maps. */
sasuka_status sasuka_graph_multiply(sasuka_graph *graph, sasuka_value left, sasuka_value right, const char *name,
                                    sasuka_value *output);

/* `count` values, at least 1, behind each other along an axis other than the batch. */
sasuka_status sasuka_graph_concatenate(sasuka_graph *graph, const sasuka_value *inputs, size_t count, const char *name,
                                       int32_t axis, sasuka_value *output);

/* Joins the axes from `start_axis` (not the batch; 1 for [batch, features]) to the last into one. */
sasuka_status sasuka_graph_flatten(sasuka_graph *graph, sasuka_value input, const char *name, int32_t start_axis,
                                   sasuka_value *output);

/* The same elements in another shape: `dims`, 1 to 7 of them, follow the batch. One of them may be -1: what is left. */
sasuka_status sasuka_graph_reshape(sasuka_graph *graph, sasuka_value input, const char *name, const int64_t *dims,
                                   size_t count, sasuka_value *output);

/* Axis i of the output is axis axes[i] of the input. `count` is the rank; axes[0] is 0, the batch. */
sasuka_status sasuka_graph_permute(sasuka_graph *graph, sasuka_value input, const char *name, const int32_t *axes,
                                   size_t count, sasuka_value *output);

/* Deals the channels out anew: channel g * (channels / groups) + i goes to i * groups + g. `groups` divides the
 * channels. */
sasuka_status sasuka_graph_channel_shuffle(sasuka_graph *graph, sasuka_value input, const char *name, int64_t groups,
                                           sasuka_value *output);

/* Places start, start + step, ... below `end` along an axis other than the batch. Negative places count from the end,
 * places past it mean it (INT64_MAX: to the end). `step` is at least 1. At least one place must remain. */
sasuka_status sasuka_graph_slice(sasuka_graph *graph, sasuka_value input, const char *name, int32_t axis, int64_t start,
                                 int64_t end, int64_t step, sasuka_value *output);

/* What a pad is filled with. */
typedef int32_t sasuka_pad_mode;
enum {
  /* One number. */
  SASUKA_PAD_CONSTANT = 0,
  /* The map mirrored at its edge pixels, which are not repeated. Less than the map's size at each side. */
  SASUKA_PAD_REFLECT = 1,
  /* The nearest edge pixel. */
  SASUKA_PAD_REPLICATE = 2
};

/* Adds rows and columns around a map; negative numbers cut off (SASUKA_PAD_CONSTANT only). `value` is the constant, 0
 * in the other modes. */
sasuka_status sasuka_graph_pad(sasuka_graph *graph, sasuka_value input, const char *name, const int64_t padding[4],
                               sasuka_pad_mode mode, double value, sasuka_value *output);

/* How a resized pixel is made. */
typedef int32_t sasuka_resize_mode;
enum { SASUKA_RESIZE_NEAREST = 0, SASUKA_RESIZE_BILINEAR = 1 };

/* Options of a resize. Either size or scale is set. */
typedef struct sasuka_resize_options {
  size_t struct_size;
  /* Rows and columns of the output, at least 1, or {0, 0} to use `scale`. Default {0, 0}. */
  int64_t size[2];
  /* Factors, above 0; the output is floor(input * scale). Default {1, 1}. */
  double scale[2];
  /* Default SASUKA_RESIZE_NEAREST. */
  sasuka_resize_mode mode;
  /* Bilinear: whether the corner pixels' centres lie upon each other, instead of the corners. Default 0. */
  int32_t align_corners;
} sasuka_resize_options;

void sasuka_resize_options_init(sasuka_resize_options *options, size_t struct_size);

/* Resizes maps, as PyTorch's interpolate. */
sasuka_status sasuka_graph_resize(sasuka_graph *graph, sasuka_value input, const char *name,
                                  const sasuka_resize_options *options, sasuka_value *output);

/* The mean over `count` axes, at least 1, none of them the batch. With `keep_dims` they stay, of size 1. */
sasuka_status sasuka_graph_mean(sasuka_graph *graph, sasuka_value input, const char *name, const int32_t *axes,
                                size_t count, bool keep_dims, sasuka_value *output);

/* Says which value the network gives. A second call replaces the first. */
sasuka_status sasuka_graph_set_output(sasuka_graph *graph, sasuka_value value);

/* The shape of a value, its batch first, given as 1. `rank` is as `needed`. */
sasuka_status sasuka_graph_value_shape(const sasuka_graph *graph, sasuka_value value, int64_t *shape, size_t capacity,
                                       size_t *rank);

/* A table for people: node by node its name, operator, output shape, parameters and multiply-adds for a batch of
 * one. */
sasuka_status sasuka_graph_summary(const sasuka_graph *graph, char *buffer, size_t capacity, size_t *needed);

/* ------------------------------------------------------------------------------------------------------------------
 * 6. Models: a network and its parameters
 *
 * Functions that take a `const sasuka_model *` only read it and may overlap each other. Those that take a plain
 * pointer, and the calls of a trainer on it, need it alone: SASUKA_BUSY otherwise, also while a session of it runs.
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct sasuka_model sasuka_model;

/* Options of a model. Everything from `threads` on also holds for its sessions and trainers, as far as theirs do not
 * say otherwise. */
typedef struct sasuka_model_options {
  size_t struct_size;
  /* Outputs of the classifier, at least 1; not used with graphs. Default 1000. */
  int64_t num_classes;
  /* Channels of the pictures, at least 1; not used with graphs. Default 3. */
  int64_t in_channels;
  /* Where the random numbers of the initial parameters begin. Default 0. */
  uint64_t seed;
  /* 1 to 256, or 0 for sasuka_default_thread_count(). Default 0. */
  int32_t threads;
  /* SASUKA_UNSUPPORTED if this machine does not have it. Default SASUKA_INSTRUCTION_SET_AUTO. */
  sasuka_instruction_set instruction_set;
  /* Whether to keep to algorithms that round like plain sums (never Winograd's). Default 0. */
  int32_t exact;
  /* 0. */
  int32_t reserved;
  /* The host's threads in place of the library's; NULL for the library's. Both are kept as long as the model and what
   * was made from it. Default NULL. */
  sasuka_parallel_for parallel_for;
  void *parallel_for_data;
  /* Asked during forward and train step; NULL for nobody. Both are kept as long as the model. Default NULL. */
  sasuka_progress_callback progress;
  void *progress_data;
} sasuka_model_options;

void sasuka_model_options_init(sasuka_model_options *options, size_t struct_size);

/* The architectures that sasuka_model_create knows, by their torchvision names, in alphabetical order. The name lives
 * as long as the library; NULL for an index that is not below the count. */
size_t sasuka_architecture_count(void);
const char *sasuka_architecture_name(size_t index);

/* Makes a network of a known architecture, such as "resnet18", with initial parameters. SASUKA_NOT_FOUND if not
 * known. */
sasuka_status sasuka_model_create(const char *architecture, const sasuka_model_options *options, sasuka_model **model);

/* Makes a model of a copy of the graph, with initial parameters. SASUKA_WRONG_STATE if the graph's output is not
 * set. */
sasuka_status sasuka_model_create_from_graph(const sasuka_graph *graph, const sasuka_model_options *options,
                                             sasuka_model **model);

void sasuka_model_destroy(sasuka_model *model);

/* A table for people: node by node its name, operator, output shape, parameters and multiply-adds for a batch of
 * one. */
sasuka_status sasuka_model_summary(const sasuka_model *model, char *buffer, size_t capacity, size_t *needed);

/* The shape of the output for an input of this shape, the batch first in both. `output_rank` is as `needed`.
 * SASUKA_INVALID_ARGUMENT if the network cannot take such an input. */
sasuka_status sasuka_model_output_shape(const sasuka_model *model, const int64_t *input_shape, size_t rank,
                                        int64_t *output_shape, size_t capacity, size_t *output_rank);

/* Runs the network in evaluation mode: input [batch, ...] to the caller's output, whose shape sasuka_model_output_shape
 * tells. The first call with a shape compiles it, later ones with that shape allocate nothing. If cancelled, the
 * output's contents are undefined. */
sasuka_status sasuka_model_forward(sasuka_model *model, const sasuka_tensor *input, sasuka_tensor *output);

/* Training in one call per batch; its options are those of a trainer, in section 8. */
typedef struct sasuka_train_options sasuka_train_options;

/* One step of training: forward, loss, gradients, update. Sets *loss, the loss before the update; `loss` may be NULL.
 * Targets are as in sasuka_trainer_forward_backward. The first call makes a trainer inside the model from the options;
 * later calls may change learning_rate only, and give SASUKA_WRONG_STATE for other changes. */
sasuka_status sasuka_model_train_step(sasuka_model *model, const sasuka_tensor *input, const sasuka_tensor *target,
                                      const sasuka_train_options *options, double *loss);

/* How weights are written down. */
typedef int32_t sasuka_weights_format;
enum {
  /* Reading: what the first bytes say. Writing: .npz if the path ends so, safetensors otherwise. */
  SASUKA_WEIGHTS_AUTO = 0,
  SASUKA_WEIGHTS_SAFETENSORS = 1,
  /* NumPy's archive of arrays, stored or deflated when read, stored when written. */
  SASUKA_WEIGHTS_NPZ = 2
};

/* What a load found. The caller gives the struct in the load's options, and reads it afterwards; it is also filled when
 * the load fails with SASUKA_MISMATCH. */
typedef struct sasuka_load_report {
  size_t struct_size;
  /* Parameters that got values. */
  int64_t loaded;
  /* Parameters of the model that the file does not have. */
  int64_t missing;
  /* Tensors of the file that the model does not have. */
  int64_t unexpected;
  /* The caller's buffer for one line per name, "missing fc.bias\n" or "unexpected head.bias\n", cut at a line if it is
   * too small, and its size in bytes with the final zero. NULL and 0 if not wanted, which is the default. */
  char *names;
  size_t names_capacity;
  /* Set to the bytes that all lines need, with the final zero. */
  size_t names_needed;
} sasuka_load_report;

void sasuka_load_report_init(sasuka_load_report *report, size_t struct_size);

/* Options of loading weights. */
typedef struct sasuka_load_options {
  size_t struct_size;
  /* Where to tell what was found; NULL for nowhere. Default NULL. */
  sasuka_load_report *report;
  /* Asked while loading; NULL for nobody. Default NULL. */
  sasuka_progress_callback progress;
  void *progress_data;
  /* Default SASUKA_WEIGHTS_AUTO. */
  sasuka_weights_format format;
  /* Whether missing and unexpected names are a SASUKA_MISMATCH. (Wrong shapes always are; num_batches_tracked may
   * always be missing.) Default 1. */
  int32_t strict;
} sasuka_load_options;

void sasuka_load_options_init(sasuka_load_options *options, size_t struct_size);

/* Reads parameters from a file, by name: all that fit, or, after any error, none. Nothing in the file is trusted:
 * SASUKA_FORMAT says what is wrong with it, and where. */
sasuka_status sasuka_model_load_weights(sasuka_model *model, const char *path, const sasuka_load_options *options);

/* The same from `length` bytes in memory, of any alignment. */
sasuka_status sasuka_model_load_weights_from_memory(sasuka_model *model, const void *bytes, size_t length,
                                                    const sasuka_load_options *options);

/* Writes all parameters to a file: .npz if the path ends so, safetensors otherwise. The file is complete or as it was:
 * it is written under another name beside it, synced and renamed. */
sasuka_status sasuka_model_save_weights(const sasuka_model *model, const char *path);

/* The same into memory; SASUKA_WEIGHTS_AUTO means safetensors. */
sasuka_status sasuka_model_save_weights_to_memory(const sasuka_model *model, sasuka_weights_format format, void *buffer,
                                                  size_t capacity, size_t *needed);

/* What a parameter is for. */
typedef int32_t sasuka_parameter_kind;
enum {
  /* Learnt by gradients. */
  SASUKA_PARAMETER_TRAINABLE = 0,
  /* Gathered during training: running_mean, running_var. */
  SASUKA_PARAMETER_STATISTIC = 1,
  /* Counted during training: num_batches_tracked. */
  SASUKA_PARAMETER_COUNTER = 2
};

/* A parameter: one tensor of the state dict. */
typedef struct sasuka_parameter_info {
  size_t struct_size;
  /* Such as "layer1.0.conv1.weight". Lives as long as the model. */
  const char *name;
  /* `rank` sizes, in PyTorch's order of axes; lives as long as the model. NULL for rank 0. */
  const int64_t *shape;
  /* Elements: the product of the shape. */
  int64_t count;
  int32_t rank;
  /* SASUKA_FLOAT32, or SASUKA_INT64 for counters. */
  sasuka_dtype dtype;
  sasuka_parameter_kind kind;
  /* 0. */
  int32_t reserved;
} sasuka_parameter_info;

void sasuka_parameter_info_init(sasuka_parameter_info *info, size_t struct_size);

/* The number of parameter tensors, in the order of PyTorch's state dict. */
sasuka_status sasuka_model_parameter_count(const sasuka_model *model, size_t *count);

/* Describes a parameter. SASUKA_NOT_FOUND for an index that is not below the count. */
sasuka_status sasuka_model_parameter(const sasuka_model *model, size_t index, sasuka_parameter_info *info);

/* Copies a parameter into the caller's tensor of the parameter's shape: float32 or float64, counters int64 or int32. */
sasuka_status sasuka_model_get_parameter(const sasuka_model *model, const char *name, sasuka_tensor *value);

/* Replaces a parameter by the caller's tensor of its shape, of any type. Sessions use it from their next run on. */
sasuka_status sasuka_model_set_parameter(sasuka_model *model, const char *name, const sasuka_tensor *value);

/* How parameters get their first numbers. fan_in counts the inputs of one output, fan_out the outputs of one input. */
typedef int32_t sasuka_initializer;
enum {
  /* What PyTorch does when it makes the layer. */
  SASUKA_INITIALIZER_DEFAULT = 0,
  /* The number `value`. */
  SASUKA_INITIALIZER_CONSTANT = 1,
  /* Normal with mean `value` and standard deviation `standard_deviation`. */
  SASUKA_INITIALIZER_NORMAL = 2,
  /* Kaiming, for ReLUs of slope `negative_slope` below 0: variance gain^2 / fan. */
  SASUKA_INITIALIZER_KAIMING_UNIFORM = 3,
  SASUKA_INITIALIZER_KAIMING_NORMAL = 4,
  /* Xavier: variance 2 * gain^2 / (fan_in + fan_out). */
  SASUKA_INITIALIZER_XAVIER_UNIFORM = 5,
  SASUKA_INITIALIZER_XAVIER_NORMAL = 6
};

/* Options of initialising. */
typedef struct sasuka_initialize_options {
  size_t struct_size;
  /* Default 0. */
  uint64_t seed;
  /* CONSTANT, NORMAL. Default 0. */
  double value;
  /* NORMAL: at least 0. Default 1. */
  double standard_deviation;
  /* KAIMING. Default 0. */
  double negative_slope;
  /* XAVIER: above 0. Default 1. */
  double gain;
  /* KAIMING: whether the fan is fan_out. Default 0: fan_in. */
  int32_t fan_out;
  /* 0. */
  int32_t reserved;
} sasuka_initialize_options;

void sasuka_initialize_options_init(sasuka_initialize_options *options, size_t struct_size);

/* Makes anew all parameters whose whole name matches the pattern, in which * stands for any characters and ? for one:
 * "*.weight", "layer4.*", "*". Kaiming and Xavier need rank 2 at least, and pass over matching parameters of less.
 * Statistics and counters take DEFAULT only and are passed over otherwise. SASUKA_NOT_FOUND if nothing is made. */
sasuka_status sasuka_model_initialize(sasuka_model *model, const char *pattern, sasuka_initializer initializer,
                                      const sasuka_initialize_options *options);

/* ------------------------------------------------------------------------------------------------------------------
 * 7. Sessions: a model compiled for one input shape
 *
 * Any number of sessions share a model and its packed weights; each thread makes its own. A run sees the parameters as
 * they are when it begins: after they changed, the next run packs them again.
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct sasuka_session sasuka_session;

typedef struct sasuka_session_options {
  size_t struct_size;
  /* 1 to 256, or 0 for the model's. Default 0. */
  int32_t threads;
  /* SASUKA_INSTRUCTION_SET_AUTO for the model's. Default SASUKA_INSTRUCTION_SET_AUTO. */
  sasuka_instruction_set instruction_set;
  /* Whether to keep to algorithms that round like plain sums; the model's 1 holds too. Default 0. */
  int32_t exact;
  /* Whether to measure the time of every step. Default 0. */
  int32_t profile;
  /* Asked during runs; NULL for nobody. Both are kept as long as the session. Default NULL. */
  sasuka_progress_callback progress;
  void *progress_data;
} sasuka_session_options;

void sasuka_session_options_init(sasuka_session_options *options, size_t struct_size);

/* Compiles the model for an input of this shape, [batch, ...], and packs its weights. */
sasuka_status sasuka_session_create(const sasuka_model *model, const int64_t *input_shape, size_t rank,
                                    const sasuka_session_options *options, sasuka_session **session);

void sasuka_session_destroy(sasuka_session *session);

/* Runs the network in evaluation mode and allocates nothing. Input and output have the session's shapes. If cancelled,
 * the output's contents are undefined. */
sasuka_status sasuka_session_run(sasuka_session *session, const sasuka_tensor *input, sasuka_tensor *output);

/* The shape of the output, the batch first. `rank` is as `needed`. */
sasuka_status sasuka_session_output_shape(const sasuka_session *session, int64_t *shape, size_t capacity, size_t *rank);

/* What a session costs. */
typedef struct sasuka_session_info {
  size_t struct_size;
  /* Steps of the compiled plan. */
  size_t step_count;
  /* Bytes of the session's own activations and scratch. */
  int64_t arena_bytes;
  /* Bytes of packed weights, shared with other sessions where they can be. */
  int64_t packed_bytes;
  /* Multiply-adds of a run. */
  int64_t multiply_adds;
  /* Seconds that compiling and packing took. */
  double compile_seconds;
  /* What was chosen. */
  int32_t threads;
  sasuka_instruction_set instruction_set;
} sasuka_session_info;

void sasuka_session_info_init(sasuka_session_info *info, size_t struct_size);

sasuka_status sasuka_session_get_info(const sasuka_session *session, sasuka_session_info *info);

/* The time one step of the plan took. */
typedef struct sasuka_profile_entry {
  size_t struct_size;
  /* The node's name and its operator's; live as long as the session. */
  const char *name;
  const char *operation;
  /* Runs since the session was made. */
  int64_t runs;
  /* Wall time of all of them together. */
  double seconds;
  /* Multiply-adds of one run; 0 for steps that have none. */
  int64_t multiply_adds;
} sasuka_profile_entry;

void sasuka_profile_entry_init(sasuka_profile_entry *entry, size_t struct_size);

/* The profile of step `index`, in the order in which steps run. SASUKA_NOT_FOUND for an index that is not below
 * step_count, SASUKA_WRONG_STATE if the session was made without `profile`. */
sasuka_status sasuka_session_profile(const sasuka_session *session, size_t index, sasuka_profile_entry *entry);

/* ------------------------------------------------------------------------------------------------------------------
 * 8. Trainers: training, step by step
 *
 * A trainer changes its model's parameters and owns their gradients and the optimiser's state. It uses the model alone
 * during each of its calls; in between, the model may be run, saved and looked at. Several trainers of one model take
 * turns.
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct sasuka_trainer sasuka_trainer;

typedef int32_t sasuka_optimizer;
enum {
  SASUKA_OPTIMIZER_SGD = 0,
  SASUKA_OPTIMIZER_ADAM = 1,
  /* Adam with weight decay apart from the gradient. */
  SASUKA_OPTIMIZER_ADAMW = 2,
  SASUKA_OPTIMIZER_RMSPROP = 3
};

typedef int32_t sasuka_loss;
enum {
  /* Logits [batch, classes, ...] against class numbers [batch, ...], any integer type. */
  SASUKA_LOSS_CROSS_ENTROPY = 0,
  /* Outputs against numbers of the same shape. */
  SASUKA_LOSS_MEAN_SQUARED_ERROR = 1,
  /* Logits against probabilities (0 to 1) of the same shape. */
  SASUKA_LOSS_BINARY_CROSS_ENTROPY = 2
};

/* How the losses of a batch become one number. */
typedef int32_t sasuka_reduction;
enum {
  /* Their mean; cross-entropy with class weights: the weighted mean, as in PyTorch. */
  SASUKA_REDUCTION_MEAN = 0,
  SASUKA_REDUCTION_SUM = 1
};

/* Options of training. Those of other optimisers and losses than the chosen ones are not looked at. */
struct sasuka_train_options {
  size_t struct_size;
  /* Default SASUKA_OPTIMIZER_SGD. */
  sasuka_optimizer optimizer;
  /* Default SASUKA_LOSS_CROSS_ENTROPY. */
  sasuka_loss loss;
  /* At least 0, or negative for PyTorch's default: 0.001, and 0.01 for RMSprop. Default -1. */
  double learning_rate;
  /* At least 0, or negative for PyTorch's default: 0, and 0.01 for AdamW. Default -1. */
  double weight_decay;
  /* SGD, RMSprop: at least 0. Default 0. */
  double momentum;
  /* SGD. Default 0. */
  double dampening;
  /* Adam, AdamW: 0 to below 1. Defaults 0.9 and 0.999. */
  double beta1;
  double beta2;
  /* RMSprop: 0 to below 1. Default 0.99. */
  double alpha;
  /* Adam, AdamW, RMSprop: at least 0. Default 1e-8. */
  double eps;
  /* SGD: whether momentum is Nesterov's, which needs momentum above 0 and dampening 0. Default 0. */
  int32_t nesterov;
  /* RMSprop: whether the gradient's mean is taken off. Default 0. */
  int32_t centered;

  /* Cross-entropy: the share of the target that is spread over all classes, 0 to 1. Default 0. */
  double label_smoothing;
  /* Cross-entropy: samples of this class count for nothing. Default -100. */
  int64_t ignore_index;
  /* Cross-entropy: one weight, at least 0, for each class, copied; NULL and 0 for all 1, which is the default. */
  const float *class_weights;
  size_t class_weight_count;
  /* Default SASUKA_REDUCTION_MEAN. */
  sasuka_reduction reduction;

  /* 1 to 256, or 0 for the model's. Default 0. */
  int32_t threads;
  /* Above 0: before an update the gradients are scaled so that their norm, over all parameters, is at most this.
   * Default 0. */
  double clip_norm;
  /* Above 0: before an update each gradient is cut to -clip_value ... clip_value (ahead of clip_norm). Default 0. */
  double clip_value;
  /* Where the random numbers of dropout begin. Default 0. */
  uint64_t seed;
  /* Asked while training, but not during an update; NULL for nobody. Both are kept as long as the trainer. Default
   * NULL. */
  sasuka_progress_callback progress;
  void *progress_data;
};

void sasuka_train_options_init(sasuka_train_options *options, size_t struct_size);

/* Makes a trainer. The optimiser's state begins at 0 and all gradients are 0. */
sasuka_status sasuka_trainer_create(sasuka_model *model, const sasuka_train_options *options, sasuka_trainer **trainer);

void sasuka_trainer_destroy(sasuka_trainer *trainer);

/* What differs in a group of parameters. */
typedef struct sasuka_parameter_group_options {
  size_t struct_size;
  /* At least 0, or negative for the trainer's. Default -1. */
  double learning_rate;
  /* At least 0, or negative for the trainer's. Default -1. */
  double weight_decay;
  /* Whether the parameters stay as they are. Batch normalisation whose running statistics are frozen uses them as in
   * evaluation. Default 0. */
  int32_t frozen;
  /* 0. */
  int32_t reserved;
} sasuka_parameter_group_options;

void sasuka_parameter_group_options_init(sasuka_parameter_group_options *options, size_t struct_size);

/* Puts all parameters whose whole name matches the pattern (as in sasuka_model_initialize) into a group, out of the one
 * they were in. SASUKA_NOT_FOUND if none matches; SASUKA_WRONG_STATE after the first forward_backward. */
sasuka_status sasuka_trainer_add_parameter_group(sasuka_trainer *trainer, const char *pattern,
                                                 const sasuka_parameter_group_options *options);

/* How the learning rate goes. */
typedef int32_t sasuka_schedule_kind;
enum {
  SASUKA_SCHEDULE_CONSTANT = 0,
  /* Times gamma every step_size updates. */
  SASUKA_SCHEDULE_STEP = 1,
  /* Times gamma at each milestone. */
  SASUKA_SCHEDULE_MULTI_STEP = 2,
  /* Half a cosine from the rate down to minimum_rate in total_steps updates. */
  SASUKA_SCHEDULE_COSINE = 3,
  /* Up to maximum_rate and down again, once, in total_steps updates; momentum (beta1) the other way. */
  SASUKA_SCHEDULE_ONE_CYCLE = 4
};

/* The shape of the one cycle's rise and fall. */
typedef int32_t sasuka_anneal;
enum { SASUKA_ANNEAL_COSINE = 0, SASUKA_ANNEAL_LINEAR = 1 };

/* Options of a schedule, counted in updates. Names and meanings are those of PyTorch's torch.optim.lr_scheduler. Each
 * group's own learning rate follows the schedule. */
typedef struct sasuka_schedule_options {
  size_t struct_size;
  /* Default SASUKA_SCHEDULE_CONSTANT. */
  sasuka_schedule_kind kind;
  /* ONE_CYCLE. Default SASUKA_ANNEAL_COSINE. */
  sasuka_anneal anneal;
  /* Before the schedule begins, the rate rises in so many updates from warm_up_start_factor times itself, linearly.
   * At least 0; 0 with ONE_CYCLE, which has its own. Default 0. */
  int64_t warm_up_steps;
  /* Above 0, at most 1. Default 1 / 3. */
  double warm_up_start_factor;
  /* STEP: at least 1. Default 1. */
  int64_t step_size;
  /* STEP, MULTI_STEP: at least 0. Default 0.1. */
  double gamma;
  /* MULTI_STEP: update counts in ascending order, at least 0, copied. Default NULL and 0. */
  const int64_t *milestones;
  size_t milestone_count;
  /* COSINE, ONE_CYCLE: at least 1; has no default, 0 is refused. ONE_CYCLE keeps its last rate beyond its end. */
  int64_t total_steps;
  /* COSINE: at least 0. Default 0. */
  double minimum_rate;
  /* ONE_CYCLE: above 0, or negative for the trainer's learning rate. Default -1. */
  double maximum_rate;
  /* ONE_CYCLE: the share of the steps that rise, 0 to 1. Default 0.3. */
  double percent_start;
  /* ONE_CYCLE: maximum / first rate and first / last rate, above 0. Defaults 25 and 10000. */
  double div_factor;
  double final_div_factor;
  /* ONE_CYCLE: the range of the momentum, or of beta1. Defaults 0.85 and 0.95. */
  double base_momentum;
  double max_momentum;
  /* ONE_CYCLE: whether momentum (SGD, RMSprop) or beta1 (Adam, AdamW) cycles. Default 1. */
  int32_t cycle_momentum;
  /* ONE_CYCLE: whether the fall to the first rate and the fall to the last one are phases of their own. Default 0. */
  int32_t three_phase;
} sasuka_schedule_options;

void sasuka_schedule_options_init(sasuka_schedule_options *options, size_t struct_size);

/* Gives the trainer a schedule, which begins at the next update. */
sasuka_status sasuka_trainer_set_schedule(sasuka_trainer *trainer, const sasuka_schedule_options *options);

/* The rate that the next update uses for parameters in no group. */
sasuka_status sasuka_trainer_get_learning_rate(const sasuka_trainer *trainer, double *learning_rate);

/* Sets the rate, at least 0, that the schedule starts from; groups with their own rate are scaled alike. */
sasuka_status sasuka_trainer_set_learning_rate(sasuka_trainer *trainer, double learning_rate);

/* Sets all gradients to 0. */
sasuka_status sasuka_trainer_zero_gradients(sasuka_trainer *trainer);

/* Runs the network in training mode, and adds the gradients of the loss to those there are. Sets *loss; `loss` may be
 * NULL. Targets are as sasuka_loss says. Running statistics move too. If cancelled, gradients and statistics are as
 * before. */
sasuka_status sasuka_trainer_forward_backward(sasuka_trainer *trainer, const sasuka_tensor *input,
                                              const sasuka_tensor *target, double *loss);

/* Clips the gradients, changes the parameters by them, and goes one step on in the schedule. Leaves the (clipped)
 * gradients for sasuka_trainer_gradients. */
sasuka_status sasuka_trainer_update(sasuka_trainer *trainer);

/* zero_gradients, forward_backward and update in one. */
sasuka_status sasuka_trainer_step(sasuka_trainer *trainer, const sasuka_tensor *input, const sasuka_tensor *target,
                                  double *loss);

/* Sums over the batches evaluated so far. */
typedef struct sasuka_evaluation {
  size_t struct_size;
  /* For top_k, at least 1. Set by the caller before the first batch. Default 5. */
  int64_t k;
  /* Samples that counted (pixels, where targets are maps); those of ignore_index are left out. */
  int64_t samples;
  /* Cross-entropy: samples whose class has the largest logit, and one of the k largest. The smaller class wins a
   * tie. */
  int64_t top_1;
  int64_t top_k;
  /* The loss so far is loss_sum / weight_sum. */
  double loss_sum;
  double weight_sum;
} sasuka_evaluation;

/* All sums 0. */
void sasuka_evaluation_init(sasuka_evaluation *evaluation, size_t struct_size);

/* Runs the network in evaluation mode and adds loss and accuracy to the sums. Changes nothing in model and trainer. */
sasuka_status sasuka_trainer_evaluate(sasuka_trainer *trainer, const sasuka_tensor *input, const sasuka_tensor *target,
                                      sasuka_evaluation *evaluation);

/* All gradients, in one piece of memory: those of the trainable parameters that are not frozen, in the order of
 * sasuka_model_parameter, row-major, without gaps. The host may read and write them between calls of the trainer, for
 * instance to average them over machines. The pointer lives as long as the trainer; groups must have been added before.
 * sasuka_trainer_add_parameter_group returns SASUKA_WRONG_STATE from then on. */
sasuka_status sasuka_trainer_gradients(sasuka_trainer *trainer, float **gradients, size_t *count);

/* Copies the gradient of a parameter into the caller's float32 or float64 tensor of its shape. SASUKA_NOT_FOUND for
 * names that are not known, frozen or not trainable. */
sasuka_status sasuka_trainer_get_gradient(const sasuka_trainer *trainer, const char *name, sasuka_tensor *gradient);

/* Updates made so far, those before a loaded checkpoint included. */
sasuka_status sasuka_trainer_step_count(const sasuka_trainer *trainer, int64_t *count);

/* Writes all that training needs to go on bit for bit: parameters, optimiser state, step, schedule and random state;
 * not the gradients. As complete or absent as the file of sasuka_model_save_weights. */
sasuka_status sasuka_trainer_save_checkpoint(const sasuka_trainer *trainer, const char *path);

/* The same into memory. */
sasuka_status sasuka_trainer_save_checkpoint_to_memory(const sasuka_trainer *trainer, void *buffer, size_t capacity,
                                                       size_t *needed);

/* Takes training up where a checkpoint left it; gradients become 0. The trainer must have been made with the same
 * network, optimiser and groups: SASUKA_MISMATCH otherwise. After an error, model and trainer are as before. */
sasuka_status sasuka_trainer_load_checkpoint(sasuka_trainer *trainer, const char *path);

/* The same from `length` bytes in memory, of any alignment. */
sasuka_status sasuka_trainer_load_checkpoint_from_memory(sasuka_trainer *trainer, const void *bytes, size_t length);

#ifdef __cplusplus
}
#endif

#endif /* SASUKA_H */
