/* sasuka.h: build, load, run, train and save convolutional networks inside your own program.

   The simplest use:

       sasuka_model *model = NULL;
       if (sasuka_model_create("resnet18", NULL, &model) != SASUKA_OK) puts(sasuka_last_error());
       sasuka_model_load_weights(model, "resnet18.safetensors", NULL);
       sasuka_model_forward(model, &input, &logits);
       sasuka_model_destroy(model);

   Conventions, which hold at every declaration that does not say otherwise:

   - Every function that can fail returns a sasuka_status; results go through pointers and are written on success only.
   - Objects are opaque. `*_create` makes one that the caller destroys; `*_destroy` accepts NULL.
   - Strings are UTF-8 and end with a zero. A `const char *` argument is copied before the function returns.
   - An options struct begins with struct_size. Fill it with its `_init` function, which takes sizeof the struct, then
     change what you want; NULL options are the defaults. A library newer than your header writes and reads only the part
     that your struct_size covers. Yes-or-no fields are int32_t: 0 is no, anything else is yes. Reserved fields are 0.
   - Text and bytes go into the caller's buffer: `*needed` becomes the number of bytes in any case, the final zero of text
     included. With a NULL buffer and capacity 0 that is all; with too small a capacity nothing else is written and
     SASUKA_BUFFER_TOO_SMALL is returned.
   - Any thread may call. Two calls on one object at the same time, of which one changes it, are refused with SASUKA_BUSY.
   - Nothing is printed, no signal is handled, no call exits or aborts the process. */
#ifndef SASUKA_H
#define SASUKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version and errors ------------------------------------------------------------------------------------------ */

/** Grows when a declaration of this header changes its meaning; additions leave it alone. */
#define SASUKA_ABI_VERSION 1

/** The library's version, such as "0.1.0". Lives as long as the library. */
const char *sasuka_version(void);

/** SASUKA_ABI_VERSION of the library that is loaded. Bindings compare it with their own. */
uint32_t sasuka_abi_version(void);

/** What became of a call. */
typedef int32_t sasuka_status;
enum {
  SASUKA_OK = 0,
  /** An argument is NULL, out of range, or of the wrong shape or type. */
  SASUKA_INVALID_ARGUMENT = 1,
  SASUKA_OUT_OF_MEMORY = 2,
  /** The operating system refused to open, read, write or rename a file. */
  SASUKA_IO = 3,
  /** A file's bytes are not what its format requires. */
  SASUKA_FORMAT = 4,
  /** Names or shapes in a file do not fit the model. */
  SASUKA_MISMATCH = 5,
  /** A valid request for something that the library does not do. */
  SASUKA_UNSUPPORTED = 6,
  /** A name is not known. */
  SASUKA_NOT_FOUND = 7,
  /** Calls came in an order that makes no sense. */
  SASUKA_WRONG_STATE = 8,
  /** The object is in use by another call. */
  SASUKA_BUSY = 9,
  /** A callback asked to stop. */
  SASUKA_CANCELLED = 10,
  /** The caller's buffer is too small. */
  SASUKA_BUFFER_TOO_SMALL = 11
};

/** The constant's name, such as "SASUKA_BUSY"; "unknown status" for other numbers. Lives as long as the library. */
const char *sasuka_status_name(sasuka_status status);

/** The message of the calling thread's last failed call: which value was wrong, where, and what was expected. "" if none
    failed. Lives until the thread's next failed call. */
const char *sasuka_last_error(void);

/** The instruction set that new objects of this process use: "avx512", "avx2" or "baseline": the machine's best, or a
    lesser one named by the environment variable SASUKA_ISA. Lives as long as the library. */
const char *sasuka_instruction_set(void);

/* ---- Tensors ----------------------------------------------------------------------------------------------------- */

typedef int32_t sasuka_dtype;
enum { SASUKA_FLOAT32 = 0, SASUKA_FLOAT64 = 1, SASUKA_UINT8 = 2, SASUKA_INT32 = 3, SASUKA_INT64 = 4 };

/** Most axes that a tensor can have. */
#define SASUKA_MAX_RANK 8

/** Numbers that lie in the caller's memory. The library borrows them for the duration of a call.

    A batch of pictures has shape [batch, channels, height, width]; strides say how it lies in memory: NULL means
    row-major, and a batch stored as [batch, height, width, channels] has strides [H*W*C, 1, W*C, C]. */
typedef struct sasuka_tensor {
  void *data;
  sasuka_dtype dtype;
  int32_t rank;
  /** `rank` sizes, each at least 1. */
  const int64_t *shape;
  /** `rank` distances between neighbours in elements (not bytes), or NULL for row-major. May be negative. */
  const int64_t *strides;
} sasuka_tensor;

/* ---- Callbacks --------------------------------------------------------------------------------------------------- */

/** Where a long call stands. */
typedef struct sasuka_progress {
  /** Bytes of this struct that the library filled. */
  size_t struct_size;
  /** What is being done: "draw" (first weights), "copy" (a model's numbers), "load", "save", "tune" (a run of it), "pack",
      "forward", "backward", "forward and backward" or "evaluate". Lives until the callback returns. */
  const char *stage;
  /** Steps done, and all steps of the call. */
  int64_t done, total;
} sasuka_progress;

/** Called on the thread that made a long call, at least every 50 ms while it computes. Returns false to stop: the call
    ends within 100 ms with SASUKA_CANCELLED, the weights and statistics as they were. To stop from another thread, return
    what a flag of yours says. It must not call the library with the object that is in use. */
typedef bool (*sasuka_progress_function)(const sasuka_progress *progress, void *user_data);

typedef int32_t sasuka_log_level;
enum { SASUKA_LOG_WARNING = 1, SASUKA_LOG_INFORMATION = 2 };

/** Receives messages that a person might want to see, from any thread. `message` lives until it returns. */
typedef void (*sasuka_log_function)(sasuka_log_level level, const char *message, void *user_data);

/** Sets the process-wide receiver of messages, or none with NULL. Not to be called while other calls run. */
void sasuka_set_log_function(sasuka_log_function function, void *user_data);

/* ---- Shape questions, answered without a network ------------------------------------------------------------------ */

/** How a window's padding is given. */
typedef int32_t sasuka_padding_mode;
enum {
  /** The four numbers given. */
  SASUKA_PADDING_EXPLICIT = 0,
  /** None. */
  SASUKA_PADDING_VALID = 1,
  /** PyTorch's "same": stride 1 only; the odd pixel goes to the bottom and the right. */
  SASUKA_PADDING_SAME = 2,
  /** ONNX's SAME_UPPER: ceil(input / stride) outputs; the odd pixel goes to the bottom and the right. */
  SASUKA_PADDING_SAME_UPPER = 3,
  /** ONNX's SAME_LOWER: the odd pixel goes to the top and the left. */
  SASUKA_PADDING_SAME_LOWER = 4,
  /** dilation * (kernel - 1) at every side: each place where window and map overlap. */
  SASUKA_PADDING_FULL = 5
};

/** floor((input + before + after - dilation * (kernel - 1) - 1) / stride) + 1, the size of a convolution's output along
    one axis; with `ceil_mode` rounded up as in PyTorch's pooling. */
sasuka_status sasuka_window_output_size(int64_t input, int64_t kernel, int64_t stride, int64_t dilation, int64_t before,
                                        int64_t after, bool ceil_mode, int64_t *output);

/** (input - 1) * stride - before - after + dilation * (kernel - 1) + output_padding + 1. */
sasuka_status sasuka_transposed_output_size(int64_t input, int64_t kernel, int64_t stride, int64_t dilation,
                                            int64_t before, int64_t after, int64_t output_padding, int64_t *output);

/** The padding before and after one axis that a padding mode other than SASUKA_PADDING_EXPLICIT gives. */
sasuka_status sasuka_resolve_padding(sasuka_padding_mode mode, int64_t input, int64_t kernel, int64_t stride,
                                     int64_t dilation, int64_t *before, int64_t *after);

/** One layer of a stack along one axis. */
typedef struct sasuka_window {
  int64_t kernel, stride, dilation, before;
} sasuka_window;

/** What one value behind `count` layers sees of the input: `size` pixels from pixel `start` (negative in the padding);
    neighbouring values' fields are `step` pixels apart. */
sasuka_status sasuka_receptive_field(const sasuka_window *layers, size_t count, int64_t *size, int64_t *step,
                                     int64_t *start);

/* ---- Graph: a network of your own ---------------------------------------------------------------------------------- */

/** A network under construction. Parameters are named after the layers: layer "conv1" has "conv1.weight". */
typedef struct sasuka_graph sasuka_graph;

/** A tensor of a graph: the input or a layer's output. Valid for its graph only. */
typedef int32_t sasuka_value;

/** Begins a network for inputs of `shape` without the batch: [channels, height, width] or [features]. Height and width
    are nominal: the finished network takes any size that its layers can take. */
sasuka_status sasuka_graph_create(const int64_t *shape, int32_t rank, sasuka_graph **graph, sasuka_value *input);
void sasuka_graph_destroy(sasuka_graph *graph);

/** The nominal shape of a value, batch (1) included. `rank` is the capacity of `shape` and becomes the value's rank. */
sasuka_status sasuka_graph_shape(const sasuka_graph *graph, sasuka_value value, int64_t *shape, int32_t *rank);

/** Says which value is the network's result. Before a model is made of the graph, this must have been called. */
sasuka_status sasuka_graph_set_output(sasuka_graph *graph, sasuka_value output);

/** Adds the prediction of an auxiliary head (Szegedy et al. 2014), of the output's shape: training adds its loss for the same
    target, times `loss_weight` (more than 0), to the output's; evaluation does not compute it. */
sasuka_status sasuka_graph_add_auxiliary(sasuka_graph *graph, sasuka_value prediction, double loss_weight);

/* Layers. `name` is the layer's name, unique in the graph and not NULL for layers with parameters; for the others NULL
   invents one. Each writes the value of its output. Errors: SASUKA_INVALID_ARGUMENT, naming the layer. */

typedef struct sasuka_convolution_options {
  size_t struct_size;
  /** [height, width]; default 1, 1. */
  int64_t stride[2], dilation[2];
  /** [top, bottom, left, right] for SASUKA_PADDING_EXPLICIT; default 0. */
  int64_t padding[4];
  /** Rows and columns added to a transposed convolution's output at the bottom and the right; default 0. */
  int64_t output_padding[2];
  /** Default 1. */
  int64_t groups;
  /** Default SASUKA_PADDING_EXPLICIT. */
  sasuka_padding_mode padding_mode;
  /** Default yes. */
  int32_t bias;
} sasuka_convolution_options;
void sasuka_convolution_options_init(sasuka_convolution_options *options, size_t struct_size);

/** Convolution of a feature map with kernels of kernel_height x kernel_width; parameters name.weight [out_channels,
    channels / groups, height, width] and name.bias [out_channels], initialised as PyTorch's Conv2d. */
sasuka_status sasuka_graph_convolution(sasuka_graph *graph, sasuka_value input, const char *name, int64_t out_channels,
                                       int64_t kernel_height, int64_t kernel_width,
                                       const sasuka_convolution_options *options, sasuka_value *output);

/** As PyTorch's ConvTranspose2d; name.weight is [channels, out_channels / groups, height, width]. Explicit padding only. */
sasuka_status sasuka_graph_transposed_convolution(sasuka_graph *graph, sasuka_value input, const char *name,
                                                  int64_t out_channels, int64_t kernel_height, int64_t kernel_width,
                                                  const sasuka_convolution_options *options, sasuka_value *output);

/** y = x W^T + b over the last axis; name.weight [out_features, features] and, if `bias`, name.bias. */
sasuka_status sasuka_graph_linear(sasuka_graph *graph, sasuka_value input, const char *name, int64_t out_features,
                                  bool bias, sasuka_value *output);

typedef struct sasuka_pool_options {
  size_t struct_size;
  /** [height, width]; 0 (the default) means the kernel's size. */
  int64_t stride[2];
  /** [height, width]; default 1, 1; maximum pooling only. */
  int64_t dilation[2];
  /** [top, bottom, left, right]; default 0. */
  int64_t padding[4];
  /** Default SASUKA_PADDING_EXPLICIT. */
  sasuka_padding_mode padding_mode;
  /** Round the output's size up; default no. */
  int32_t ceil_mode;
  /** Whether an average counts padding as zeros; default yes. */
  int32_t count_include_pad, reserved;
} sasuka_pool_options;
void sasuka_pool_options_init(sasuka_pool_options *options, size_t struct_size);

sasuka_status sasuka_graph_max_pool(sasuka_graph *graph, sasuka_value input, const char *name, int64_t kernel_height,
                                    int64_t kernel_width, const sasuka_pool_options *options, sasuka_value *output);
sasuka_status sasuka_graph_average_pool(sasuka_graph *graph, sasuka_value input, const char *name,
                                        int64_t kernel_height, int64_t kernel_width,
                                        const sasuka_pool_options *options, sasuka_value *output);

/** Averages over windows that divide the map into height x width parts, whatever its size; 1 x 1 is global average pooling. */
sasuka_status sasuka_graph_adaptive_average_pool(sasuka_graph *graph, sasuka_value input, const char *name,
                                                 int64_t height, int64_t width, sasuka_value *output);

typedef struct sasuka_batch_norm_options {
  size_t struct_size;
  /** Added to the variance; default 1e-5. */
  double epsilon;
  /** Share of a batch in the running statistics; default 0.1. Negative: the average of all batches (PyTorch's None). */
  double momentum;
  /** Learn name.weight and name.bias; default yes. */
  int32_t affine;
  /** Keep name.running_mean, name.running_var and name.num_batches_tracked; default yes. */
  int32_t track_running_statistics;
} sasuka_batch_norm_options;
void sasuka_batch_norm_options_init(sasuka_batch_norm_options *options, size_t struct_size);

/** Normalises each channel over batch, height and width (Ioffe and Szegedy 2015, Batch Normalization). */
sasuka_status sasuka_graph_batch_norm(sasuka_graph *graph, sasuka_value input, const char *name,
                                      const sasuka_batch_norm_options *options, sasuka_value *output);

/** Normalises each of `groups` groups of neighbouring channels of each picture over height and width (Wu and He 2018, Group
    Normalization), in training and evaluation alike. `epsilon` as PyTorch's: 1e-5. `affine`: learn name.weight and name.bias. */
sasuka_status sasuka_graph_group_norm(sasuka_graph *graph, sasuka_value input, const char *name, int64_t groups,
                                      double epsilon, bool affine, sasuka_value *output);

typedef int32_t sasuka_dropout_kind;
enum {
  /** Single elements. */
  SASUKA_DROPOUT_ELEMENTS = 0,
  /** Whole feature maps (Tompson et al. 2015): PyTorch's Dropout2d. */
  SASUKA_DROPOUT_FEATURE_MAPS = 1,
  /** Keeps mean and variance of SELU's output (Klambauer et al. 2017): PyTorch's AlphaDropout. */
  SASUKA_DROPOUT_ALPHA = 2,
  /** Whole samples: before the sum with a shortcut, it skips a block (Huang et al. 2016, Stochastic Depth). */
  SASUKA_DROPOUT_SAMPLES = 3
};

/** Drops with `probability` (0 to 1) in training; does nothing in evaluation. */
sasuka_status sasuka_graph_dropout(sasuka_graph *graph, sasuka_value input, const char *name, double probability,
                                   sasuka_dropout_kind kind, sasuka_value *output);

/** x / (k + alpha / size * sum of squares over `size` neighbouring channels)^beta (Krizhevsky et al. 2012). */
sasuka_status sasuka_graph_local_response_norm(sasuka_graph *graph, sasuka_value input, const char *name, int64_t size,
                                               double alpha, double beta, double k, sasuka_value *output);

typedef int32_t sasuka_activation;
enum {
  SASUKA_RELU = 0,
  SASUKA_RELU6 = 1,
  /** max(x, 0) + parameter * min(x, 0). */
  SASUKA_LEAKY_RELU = 2,
  SASUKA_SIGMOID = 3, SASUKA_TANH = 4, SASUKA_HARD_SWISH = 5, SASUKA_SILU = 6, SASUKA_HARD_SIGMOID = 7
};

/** `parameter`: the slope of SASUKA_LEAKY_RELU; not looked at by the others. */
sasuka_status sasuka_graph_activation(sasuka_graph *graph, sasuka_value input, const char *name,
                                      sasuka_activation kind, double parameter, sasuka_value *output);

/** Softmax along one axis, or its logarithm. A negative axis counts from the end. */
sasuka_status sasuka_graph_softmax(sasuka_graph *graph, sasuka_value input, const char *name, int32_t axis,
                                   bool logarithm, sasuka_value *output);

/** Sum and product, with NumPy's broadcasting. */
sasuka_status sasuka_graph_add(sasuka_graph *graph, sasuka_value left, sasuka_value right, const char *name,
                               sasuka_value *output);
sasuka_status sasuka_graph_multiply(sasuka_graph *graph, sasuka_value left, sasuka_value right, const char *name,
                                    sasuka_value *output);

/** Joins `count` values along an axis; the other sizes must be equal. */
sasuka_status sasuka_graph_concatenate(sasuka_graph *graph, const sasuka_value *inputs, size_t count, int32_t axis,
                                       const char *name, sasuka_value *output);

/** Joins all axes from `start_axis` on; 1 keeps the batch. */
sasuka_status sasuka_graph_flatten(sasuka_graph *graph, sasuka_value input, const char *name, int32_t start_axis,
                                   sasuka_value *output);

/** New sizes of the axes behind the batch; one of them may be -1. */
sasuka_status sasuka_graph_reshape(sasuka_graph *graph, sasuka_value input, const char *name, const int64_t *sizes,
                                   int32_t count, sasuka_value *output);

/** Reorders axes: axis i of the output is axis order[i] of the input. The batch stays first. */
sasuka_status sasuka_graph_permute(sasuka_graph *graph, sasuka_value input, const char *name, const int32_t *order,
                                   int32_t count, sasuka_value *output);

/** Interleaves the channels of `groups` groups (Zhang et al. 2018, ShuffleNet). */
sasuka_status sasuka_graph_channel_shuffle(sasuka_graph *graph, sasuka_value input, const char *name, int64_t groups,
                                           sasuka_value *output);

/** Elements start, start + step, ... below `end` of an axis; negative start and end count from the end; step at least 1. */
sasuka_status sasuka_graph_slice(sasuka_graph *graph, sasuka_value input, const char *name, int32_t axis, int64_t start,
                                 int64_t end, int64_t step, sasuka_value *output);

typedef int32_t sasuka_pad_mode;
enum { SASUKA_PAD_CONSTANT = 0, SASUKA_PAD_REFLECT = 1, SASUKA_PAD_REPLICATE = 2 };

/** Pads a feature map by [top, bottom, left, right]; `value` fills for SASUKA_PAD_CONSTANT. */
sasuka_status sasuka_graph_pad(sasuka_graph *graph, sasuka_value input, const char *name, const int64_t padding[4],
                               sasuka_pad_mode mode, double value, sasuka_value *output);

typedef struct sasuka_resize_options {
  size_t struct_size;
  /** Nearest instead of bilinear; default no. */
  int32_t nearest;
  /** As PyTorch's interpolate; default no. */
  int32_t align_corners;
  /** Size of the result [height, width], or 0, 0 to use `scale`. */
  int64_t size[2];
  /** Factors for [height, width]. */
  double scale[2];
} sasuka_resize_options;
void sasuka_resize_options_init(sasuka_resize_options *options, size_t struct_size);
sasuka_status sasuka_graph_resize(sasuka_graph *graph, sasuka_value input, const char *name,
                                  const sasuka_resize_options *options, sasuka_value *output);

/** Mean over axes (not the batch's). */
sasuka_status sasuka_graph_mean(sasuka_graph *graph, sasuka_value input, const char *name, const int32_t *axes,
                                int32_t count, bool keep_axes, sasuka_value *output);

/* ---- Model ------------------------------------------------------------------------------------------------------- */

/** A network with its weights. */
typedef struct sasuka_model sasuka_model;

/** Runs body(context, 0) ... body(context, count - 1), in any order and on any threads, and returns when all are done. */
typedef void (*sasuka_parallel_for)(int64_t count, void (*body)(void *context, int64_t index), void *context,
                                    void *user_data);

/** torchvision's norm_layer: nn.Identity, nn.BatchNorm2d, and functools.partial(nn.GroupNorm, norm_groups). */
enum { SASUKA_NORM_NONE = 0, SASUKA_NORM_BATCH = 1, SASUKA_NORM_GROUP = 2 };

typedef struct sasuka_model_options {
  size_t struct_size;
  /** Classes of an architecture; 0: as published (1000 for those of ImageNet). */
  int64_t num_classes;
  /** Channels of the input; 0: as published. */
  int64_t in_channels;
  /** From which the first weights are drawn; default 0. */
  uint64_t seed;
  /** Threads of forward, sessions and trainers of this model; 0 (the default): one for each processor that the thread which makes
      them may use, or fewer for forward and sessions of a network so small that waking them would take longer. */
  int32_t threads, reserved;
  /** The host's own threads, used instead of the library's; NULL for none. */
  sasuka_parallel_for parallel_for;
  void *parallel_for_user_data;
  /** Of forward, of the model's sessions, and of what reads, saves or copies weights while the first are being drawn; NULL (the
      default) for none. */
  sasuka_progress_function progress;
  void *progress_user_data;
  /* Choices that some architectures offer, in torchvision's words. -1 (the default) is as published; any other value is
     refused by an architecture that does not offer the choice. */
  /** Probability of the dropout before the classifier; of a DenseNet behind each layer (torchvision's drop_rate), of a
      Wide ResNet for CIFAR in each block. */
  double dropout;
  /** Probability of the dropout in GoogLeNet's auxiliary heads. */
  double dropout_aux;
  /** Probability that the last residual block is skipped in training, the others in proportion to their depth (Huang et
      al. 2016): ResNets of all kinds and EfficientNet. */
  double stochastic_depth;
  /** Factor of the numbers of channels: MobileNet v2 and v3. */
  double width_mult;
  /** 0: GoogLeNet and Inception v3 without their auxiliary heads. */
  int32_t aux_logits;
  /** 1: GoogLeNet and Inception v3 take pictures that are normalised with ImageNet's mean and deviation, where their first
      authors used 0.5 and 0.5, as their published weights want it. */
  int32_t transform_input;
  /** 1: a ResNet's blocks begin as the identity: the last normalisation's weight is 0 (Goyal et al. 2017). */
  int32_t zero_init_residual;
  /** Yes: forward, sessions and trainers use no algorithm that rounds more than plain sums do (Winograd's, which is up to
      five times as fast, and Strassen's; results stay within 1e-4 of the largest). Default no. */
  int32_t exact;
  /** Yes: the stage has dilated convolutions instead of its stride: layer2, layer3, layer4 of a ResNet with bottlenecks. */
  int32_t replace_stride_with_dilation[3];
  /** One of SASUKA_NORM_NONE and so on: ResNets, RegNet, MobileNet v2 and v3, EfficientNet. */
  int32_t norm_layer;
  /** Of a ResNet with bottlenecks: groups of the 3 x 3 convolutions, and channels of a group where a block has 64. */
  int64_t groups, width_per_group;
  /** MobileNet v3: half the channels in the last blocks; those blocks dilated instead of strided. */
  int32_t reduced_tail, dilated;
  /** With SASUKA_NORM_GROUP: groups of channels; -1 (the default): 32. */
  int64_t norm_groups;
} sasuka_model_options;
void sasuka_model_options_init(sasuka_model_options *options, size_t struct_size);

/** Number of architectures that sasuka_model_create knows, and the name of each (NULL past the end). */
size_t sasuka_architecture_count(void);
const char *sasuka_architecture_name(size_t index);

/** A network by its torchvision name, such as "resnet18", with fresh weights. Errors: SASUKA_NOT_FOUND. */
sasuka_status sasuka_model_create(const char *architecture, const sasuka_model_options *options, sasuka_model **model);

/** What a network's authors did to pictures before they showed them to it. */
typedef int32_t sasuka_interpolation;
enum { SASUKA_INTERPOLATION_BILINEAR = 0, SASUKA_INTERPOLATION_BICUBIC = 1 };

typedef struct sasuka_preprocessing {
  size_t struct_size;
  /** 1 (grey) or 3 (red, green, blue; the default). */
  int64_t channels;
  /** What the shorter side becomes, by a filter with antialiasing; default 256; 0: the picture keeps its size. */
  int64_t resize_size;
  /** Side of the square cut from the middle, or padded with black; default 224; 0: all of the picture. */
  int64_t crop_size;
  /** Default SASUKA_INTERPOLATION_BILINEAR. */
  sasuka_interpolation interpolation;
  int32_t reserved;
  /** Of each channel between 0 and 1: (x - mean) / std is what the network sees. Default: ImageNet's. */
  double mean[3], std[3];
} sasuka_preprocessing;
void sasuka_preprocessing_init(sasuka_preprocessing *preprocessing, size_t struct_size);

/** Fills an initialised `preprocessing` with what belongs to an architecture's published weights by their torchvision name,
    such as "IMAGENET1K_V1"; NULL: torchvision's DEFAULT. LeNet-5's is its authors' (digits of 28 x 28 in 32 x 32, -0.1 to
    1.175); other networks of 32 x 32 get CIFAR-10's means and deviations. Errors: SASUKA_NOT_FOUND. */
sasuka_status sasuka_architecture_preprocessing(const char *architecture, const char *weights,
                                                sasuka_preprocessing *preprocessing);

/** The same for a model made by sasuka_model_create. With one input channel where the authors have three, mean and
    deviation are averages. Errors: SASUKA_NOT_FOUND for a graph of your own; SASUKA_UNSUPPORTED for 2, 4 and more channels. */
sasuka_status sasuka_model_preprocessing(const sasuka_model *model, const char *weights,
                                         sasuka_preprocessing *preprocessing);

/** A picture of 8-bit levels in your memory, interleaved. */
typedef struct sasuka_picture {
  const uint8_t *pixels;
  int64_t height, width;
  /** 1 (grey) or 3 (red, green, blue). */
  int64_t channels;
  /** From one row to the next; 0: height rows without a gap. */
  int64_t row_bytes;
} sasuka_picture;

/** Turns pictures into `output` [count, channels, crop_size, crop_size], float32 or float64: resized as Pillow does, cut as
    torchvision does, scaled to 0 to 1, normalised. Grey is repeated for three channels; colours become ITU-R 601 grey for one. Where
    memory runs out, the batch may be written in part. */
sasuka_status sasuka_preprocess(const sasuka_preprocessing *preprocessing, const sasuka_picture *pictures, size_t count,
                                sasuka_tensor *output);

/** A model of the graph as it is now; the graph stays the caller's. */
sasuka_status sasuka_model_create_from_graph(const sasuka_graph *graph, const sasuka_model_options *options,
                                             sasuka_model **model);

/** Sessions and trainers keep what they need of their model; it may be destroyed before them. */
void sasuka_model_destroy(sasuka_model *model);

/** The names that did not fit when weights were loaded. Filled by the last load that was given the report, which two
    calls must not use at the same time. */
typedef struct sasuka_load_report sasuka_load_report;

typedef int32_t sasuka_load_problem;
enum {
  /** Parameters that the file lacks. */
  SASUKA_LOAD_MISSING = 0,
  /** Tensors of the file, by their names there, that the model has no parameter for. */
  SASUKA_LOAD_UNEXPECTED = 1,
  /** Parameters whose tensor has another shape, or is no integer where one is counted. */
  SASUKA_LOAD_MISMATCHED = 2
};

sasuka_status sasuka_load_report_create(sasuka_load_report **report);
void sasuka_load_report_destroy(sasuka_load_report *report);

/** How many names have this problem; 0 for an unknown problem. */
size_t sasuka_load_report_count(const sasuka_load_report *report, sasuka_load_problem problem);
/** One of them, NULL past the end. Lives until the report is filled again or destroyed. */
const char *sasuka_load_report_name(const sasuka_load_report *report, sasuka_load_problem problem, size_t index);

/** What becomes of a first convolution's weights for K input channels in a model of M channels. */
typedef int32_t sasuka_channel_adaptation;
enum {
  /** Nothing: they are mismatched. */
  SASUKA_CHANNELS_EXACT = 0,
  /** Each of the M channels gets the mean over the K, times K / M: equal channels give what they gave before. */
  SASUKA_CHANNELS_AVERAGE = 1,
  /** Channel c gets the weights of channel c mod K, times K / M. */
  SASUKA_CHANNELS_REPEAT = 2
};

typedef struct sasuka_load_options {
  size_t struct_size;
  /** Refuse a file that lacks a parameter or has one too many; default yes. Shapes must fit but for skip_mismatched. */
  int32_t strict, reserved;
  /** Which dictionary of a PyTorch checkpoint holds the weights, such as "state_dict"; NULL (the default) if it is the
      only one with tensors. */
  const char *key;
  /** What stands before each parameter's name in the file. NULL (the default): "module." where every name begins so, as
      DataParallel's do, and nothing otherwise. */
  const char *prefix;
  /** Loads only parameters whose names match, such as "features.*"; NULL (the default) for all. */
  const char *pattern;
  /** Receives the names that do not fit, also where that is the error (SASUKA_MISMATCH); NULL (the default) for none. */
  sasuka_load_report *report;
  /** Default SASUKA_CHANNELS_EXACT. The others need a network whose first convolution, ungrouped, takes its input. */
  sasuka_channel_adaptation channels;
  /** Leave parameters whose shape does not fit as they are; default no. */
  int32_t skip_mismatched;
} sasuka_load_options;
void sasuka_load_options_init(sasuka_load_options *options, size_t struct_size);

/** Loads a .safetensors file, an .npz file or a state dict of PyTorch (.pth, .pt), told apart by content. Pickles are
    read as data: nothing in them is called. Batch counters may be missing, as in files of PyTorch before 0.4.1. On failure
    the model is as it was. Errors: SASUKA_IO, SASUKA_FORMAT, SASUKA_UNSUPPORTED (a pickled model instead of its state
    dict, naming what is in it), SASUKA_NOT_FOUND (key, pattern), SASUKA_MISMATCH (naming all missing, unexpected and
    misshapen parameters). */
sasuka_status sasuka_model_load_weights(sasuka_model *model, const char *path, const sasuka_load_options *options);
sasuka_status sasuka_model_load_weights_from_memory(sasuka_model *model, const void *bytes, size_t length,
                                                    const sasuka_load_options *options);

/** Saves as .npz, or as torch.save does a state dict (.pth, .pt), where the path ends so, else as safetensors: a temporary file,
    synced and renamed. PyTorch loads the second with weights_only=True and strict=True. */
sasuka_status sasuka_model_save_weights(const sasuka_model *model, const char *path);

/** Saves as safetensors into the caller's `bytes`. */
sasuka_status sasuka_model_save_weights_to_memory(const sasuka_model *model, void *bytes, size_t capacity, size_t *needed);

/** Evaluates the network: dropout off, BatchNorm by running statistics. `input` [batch, ...]: any batch and any spatial size
    that the network can take; plans for the last few shapes are kept. `output` must have the result's shape. */
sasuka_status sasuka_model_forward(sasuka_model *model, const sasuka_tensor *input, sasuka_tensor *output);

/** The shape of the result for an input shape. `output_rank` is the capacity of `output_shape` and becomes the rank. */
sasuka_status sasuka_model_output_shape(const sasuka_model *model, const int64_t *input_shape, int32_t input_rank,
                                        int64_t *output_shape, int32_t *output_rank);

/** The nominal input's shape, with a batch of 1. `rank` is the capacity of `shape` and becomes the rank. */
sasuka_status sasuka_model_input_shape(const sasuka_model *model, int64_t *shape, int32_t *rank);

/** The table of layers at the nominal input as text: the columns of sasuka_model_layers, and the totals. */
sasuka_status sasuka_model_summary(const sasuka_model *model, char *text, size_t capacity, size_t *needed);

/** Learnt; gathered, such as running means; a 64-bit count. */
typedef int32_t sasuka_parameter_kind;
enum { SASUKA_PARAMETER_WEIGHT = 0, SASUKA_PARAMETER_STATISTIC = 1, SASUKA_PARAMETER_COUNTER = 2 };

/** One entry of the state dict. `name` and `shape` live as long as the model. */
typedef struct sasuka_parameter_info {
  const char *name;
  const int64_t *shape;
  int32_t rank;
  sasuka_parameter_kind kind;
  /** SASUKA_FLOAT32, or SASUKA_INT64 for a counter. */
  sasuka_dtype dtype;
} sasuka_parameter_info;

/** Entries of the state dict, in PyTorch's order. */
size_t sasuka_model_parameter_count(const sasuka_model *model);
sasuka_status sasuka_model_parameter_info(const sasuka_model *model, size_t index, sasuka_parameter_info *info);

/** Copies a parameter out to, or in from, a tensor of its shape. */
sasuka_status sasuka_model_get_parameter(const sasuka_model *model, const char *name, sasuka_tensor *value);
sasuka_status sasuka_model_set_parameter(sasuka_model *model, const char *name, const sasuka_tensor *value);
/** Takes over `count` parameters at once: all of them, or on failure, such as another thread's use of the model, none. */
sasuka_status sasuka_model_set_parameters(sasuka_model *model, const char *const *names, const sasuka_tensor *values,
                                          size_t count);

typedef int32_t sasuka_initializer;
enum { SASUKA_INIT_DEFAULT = 0, SASUKA_INIT_CONSTANT = 1, SASUKA_INIT_UNIFORM = 2, SASUKA_INIT_NORMAL = 3 };
enum { SASUKA_INIT_KAIMING_UNIFORM = 4, SASUKA_INIT_KAIMING_NORMAL = 5 };
enum { SASUKA_INIT_XAVIER_UNIFORM = 6, SASUKA_INIT_XAVIER_NORMAL = 7 };

/** Draws the weights whose names match `pattern` (`*` any text, `?` any letter) anew. `parameter`: the constant, the bound, the
    standard deviation, or the gain of Kaiming (fan out: negative gain) and Xavier; not looked at by SASUKA_INIT_DEFAULT.
    Errors: SASUKA_NOT_FOUND if nothing matches. */
sasuka_status sasuka_model_initialize(sasuka_model *model, const char *pattern, sasuka_initializer kind,
                                      double parameter, uint64_t seed);

/* ---- Inspecting and changing networks ------------------------------------------------------------------------------- */

/** One layer of a network at some input; pairs are [height, width]. Texts live as long as the model. */
typedef struct sasuka_layer_info {
  const char *name, *kind;
  int64_t shape[8];
  /** What slides over its map; kernel 0, 0 where nothing does. Padding is [top, bottom, left, right]. */
  int64_t kernel[2], stride[2], dilation[2], padding[4];
  /** What one of its values sees of the input, as sasuka_receptive_field says; field_size 0, 0 where values differ in it, as
      behind a transposed convolution. A vector sees what the pixels see that it is made of. */
  int64_t field_size[2], field_step[2], field_start[2];
  /** Learnt numbers, multiply-adds, and bytes of the result as float32. */
  int64_t parameters, multiply_adds, activation_bytes;
  /** Of `shape`. */
  int32_t rank, reserved;
} sasuka_layer_info;

/** All layers in the order of computation, auxiliary heads included, at an input shape, or with NULL at the nominal one.
    `*needed` becomes their number; with NULL and capacity 0 that is all. layer_size: sizeof(sasuka_layer_info). */
sasuka_status sasuka_model_layers(const sasuka_model *model, const int64_t *input_shape, int32_t rank,
                                  sasuka_layer_info *layers, size_t layer_size, size_t capacity, size_t *needed);

/** Who reads whose result: pairs of layers' numbers in sasuka_model_layers, the maker first; -1 is the network's input. `layers`
    has room for `capacity` numbers; `*needed` becomes how many there are. */
sasuka_status sasuka_model_connections(const sasuka_model *model, int32_t *layers, size_t capacity, size_t *needed);

/** sasuka_model_summary at another input shape. */
sasuka_status sasuka_model_summary_at(const sasuka_model *model, const int64_t *input_shape, int32_t rank, char *text,
                                      size_t capacity, size_t *needed);

/* A changed network is a new model: the old one, its sessions and trainers stay as they are; numbers that stay are copied,
   threads and callbacks are the old model's. Where the result would make no sense: SASUKA_UNSUPPORTED or
   SASUKA_INVALID_ARGUMENT, naming the layer. */

/** For another number of classes: draws the last layer, linear or a convolution of 1 x 1, and that of each auxiliary head
    anew from `seed`, as PyTorch's layers. */
sasuka_status sasuka_model_replace_head(const sasuka_model *model, int64_t num_classes, uint64_t seed,
                                        sasuka_model **changed);

/** Convolutions for the linear layers of the classifier, with their weights (Long et al. 2014): the first kernel is as large
    as the map that the layer was made for. The result is [batch, classes, 1, 1] for the nominal input and a map of scores for
    a larger one; each of its pixels is the classifier's answer to a part of the features, which an average over the whole
    map becomes an average of, too. Auxiliary heads are left out. */
sasuka_status sasuka_model_make_convolutional(const sasuka_model *model, sasuka_model **changed);

typedef int32_t sasuka_ablation;
enum {
  /** Residual blocks in the module keep their shortcuts (identity or projection) only; where there is none, the module's
      input is passed on, which must have the shape of its result. */
  SASUKA_ABLATE_BYPASS = 0,
  /** The module's results become 0: a branch of a concatenation is cut. */
  SASUKA_ABLATE_ZERO = 1,
  /** Residual blocks in the module lose their shortcuts; "" is the whole network, which becomes a plain one. */
  SASUKA_ABLATE_SHORTCUT = 2
};

/** Takes away what `count` modules, named as in sasuka_session_options, contribute; without any, a copy. Errors: SASUKA_NOT_FOUND. */
sasuka_status sasuka_model_ablate(const sasuka_model *model, const char *const *modules, size_t count,
                                  sasuka_ablation ablation, sasuka_model **changed);

typedef int32_t sasuka_pool_replacement;
enum {
  /** A convolution of all channels with the pooling's kernel, stride and padding, and a ReLU (Springenberg et al. 2014). It
      begins as the average of each window; parameters are the pooling's name with .weight and .bias. */
  SASUKA_POOL_CONVOLUTION = 0,
  /** The same for each channel alone. */
  SASUKA_POOL_DEPTHWISE = 1,
  /** Nothing: the convolution before takes over the stride. */
  SASUKA_POOL_STRIDE = 2
};

/** Replaces the maximum poolings whose names match a pattern. Errors: SASUKA_NOT_FOUND if none does. */
sasuka_status sasuka_model_replace_max_pool(const sasuka_model *model, const char *pattern,
                                            sasuka_pool_replacement replacement, sasuka_model **changed);

/** Global average pooling and one linear layer, drawn from `seed`, in place of a classifier of linear layers. */
sasuka_status sasuka_model_pool_globally(const sasuka_model *model, uint64_t seed, sasuka_model **changed);

/* ---- Session: the network compiled for one input shape, one for each thread ----------------------------------------- */

/** A compiled plan with its memory. The model's parameters are shared; after they change, the next run sees the new ones. */
typedef struct sasuka_session sasuka_session;

typedef struct sasuka_session_options {
  size_t struct_size;
  /** threads 0: as the model. profile yes: runs take the times that sasuka_session_profile gives, layer by layer of the whole batch,
      which others may compute picture by picture: results differ in roundings at most; default no. */
  int32_t threads, profile;
  /** Modules whose results sasuka_session_feature gives: layers by their names, such as "layer1.0.conv1", or groups of
      layers by what stands before a dot, such as "layer1" or "layer1.0"; "input" is the network's input. Copied. */
  const char *const *features;
  size_t feature_count;
  /** Only the part of the network that lies between two modules: the session's input is what `from_module` computes, its
      result what `to_module` computes. Every way from the network's input to the result must lead through `from_module`.
      NULL (the default): the network's own input and result. Copied. */
  const char *from_module, *to_module;
  /** 1: sasuka_session_backward may be called; default 0. */
  int32_t gradients;
  /** Yes: as the model's option; no (the default): as the model. */
  int32_t exact;
  /** Passes of the compiler to leave out, between commas, for measuring and for finding faults: dead_branches, folding (of
      BatchNorm), fusion (of sums and ReLUs), channels (moved once), bands (of rows, by two operators), pictures (of
      a batch, a few at a time), layout, in_place, reuse (of memory). Results differ in roundings at most. NULL (the default): none. */
  const char *without;
  /** Algorithms of convolutions as sasuka_session_tuning gives them: SASUKA_FORMAT for another text, SASUKA_MISMATCH for
      one of other kernels or another number of threads. NULL (the default), and layers that it lacks: a model of costs. */
  const char *tuning;
  /** Yes: time the algorithms of each layer on this machine and keep the fastest, in about a hundred times the time of a
      run; told to the model's progress function, which may cancel. Default no. Where `exact`, there is nothing to choose. */
  int32_t tune;
  /** Yes: for a process that only infers: the weights are packed at once, not in the first run, and as soon as a convolution's
      are, the model lets go of its own: memory at the peak is less by about the size of all kernels; linear layers are read
      where they lie. The model is changed, so nobody else may use it meanwhile (SASUKA_BUSY). Afterwards this session runs
      on, and others that pack alike; what needs the numbers themselves (saving, reading, training, a session of other
      algorithms, also once this one is destroyed or its creation was cancelled) gets SASUKA_WRONG_STATE until weights are
      loaded or set again. Default no. */
  int32_t release_weights;
} sasuka_session_options;
void sasuka_session_options_init(sasuka_session_options *options, size_t struct_size);

sasuka_status sasuka_session_create(sasuka_model *model, const int64_t *input_shape, int32_t rank,
                                    const sasuka_session_options *options, sasuka_session **session);
void sasuka_session_destroy(sasuka_session *session);

/** Runs the network; allocates nothing. Where it is cancelled, `output` may have been written to. */
sasuka_status sasuka_session_run(sasuka_session *session, const sasuka_tensor *input, sasuka_tensor *output);
sasuka_status sasuka_session_output_shape(const sasuka_session *session, int64_t *shape, int32_t *rank);

/** Which algorithms the session uses, as text for other sessions of the same machine and number of threads. */
sasuka_status sasuka_session_tuning(const sasuka_session *session, char *text, size_t capacity, size_t *needed);

/** What a module computed in the last run, one of the session's features: float32 or float64 of the shape that
    sasuka_session_feature_shape says. Errors: SASUKA_NOT_FOUND; SASUKA_WRONG_STATE before the first run. */
sasuka_status sasuka_session_feature(const sasuka_session *session, const char *name, sasuka_tensor *value);
sasuka_status sasuka_session_feature_shape(const sasuka_session *session, const char *name, int64_t *shape, int32_t *rank);

/** Gradients of the sum of seed * result, over all elements of the last run's result, with respect to what each of the
    session's features computed; in evaluation mode. With `seed`, of the result's shape, 1 at a class's logit and else 0,
    feature and gradient are what Grad-CAM needs (Selvaraju et al. 2017); for "input" it is the saliency map (Simonyan et
    al. 2014). The weights must not have changed since the run. May be called again with another seed: the forward pass is
    then repeated. Errors: SASUKA_WRONG_STATE before a run, or without sasuka_session_options.gradients. */
sasuka_status sasuka_session_backward(sasuka_session *session, const sasuka_tensor *seed);
/** The gradient with respect to a feature, of the last backward; its shape is the feature's. */
sasuka_status sasuka_session_feature_gradient(const sasuka_session *session, const char *name, sasuka_tensor *value);

/** Bytes that destroying the session would free: packed weights that other sessions of the model use too do not count. */
size_t sasuka_session_memory(const sasuka_session *session);

/** What one row of the profile did in the session's last run. A node of the network is one row or several that follow each
    other, such as padding and multiplying; three more rows are reading the input, preparing (packing) the weights, which
    happens where they have changed, and writing the output. Texts live as long as the session. */
typedef struct sasuka_profile_row {
  size_t struct_size;
  /** The node's name, its operator, and how the row did its part, such as "direct"; "" where there is nothing to say. */
  const char *name, *kind, *algorithm;
  /** Number of the node, the same in all its rows; -1 for a row without one. */
  int64_t node;
  /** Elapsed, and how much of it the calling thread waited for the session's other threads. */
  int64_t nanoseconds, waiting;
  /** Of the whole node: multiply-adds of its definition, and bytes of its inputs, parameters and outputs. */
  int64_t multiply_adds, bytes;
  /** Of the node's first input and first output; zeros behind the last axis. */
  int64_t input_shape[SASUKA_MAX_RANK], output_shape[SASUKA_MAX_RANK];
} sasuka_profile_row;

/** Rows of the profile; 0 for a session that was not made to profile. */
size_t sasuka_session_profile_size(const sasuka_session *session);
/** Fills `row`, whose size is struct_size. */
sasuka_status sasuka_session_profile(const sasuka_session *session, size_t index, sasuka_profile_row *row, size_t struct_size);

/* ---- Trainer ----------------------------------------------------------------------------------------------------- */

/** Trains a model: owns gradients, optimiser state, schedule and random state. */
typedef struct sasuka_trainer sasuka_trainer;

typedef int32_t sasuka_optimizer;
enum { SASUKA_SGD = 0, SASUKA_ADAM = 1, SASUKA_ADAMW = 2, SASUKA_RMSPROP = 3 };

typedef int32_t sasuka_loss;
enum {
  /** Logits [N, C, ...] against integer classes [N, ...], or floats [N, C, ...], from 0: probabilities (PyTorch's; mixup). */
  SASUKA_CROSS_ENTROPY = 0,
  /** Both of one shape. */
  SASUKA_MEAN_SQUARED_ERROR = 1,
  /** Logits and targets in 0 to 1, both of one shape. */
  SASUKA_BINARY_CROSS_ENTROPY_WITH_LOGITS = 2
};

/** Defaults are PyTorch's for the optimiser that is chosen. */
typedef struct sasuka_train_options {
  size_t struct_size;
  sasuka_optimizer optimizer;
  /** Default SASUKA_CROSS_ENTROPY. */
  sasuka_loss loss;
  /** Default: 0.001, for RMSprop 0.01. */
  double learning_rate;
  /** SGD's and RMSprop's; default 0. */
  double momentum;
  /** SGD's; default 0. */
  double dampening;
  /** Default 0, for AdamW 0.01. */
  double weight_decay;
  /** Adam's; default 0.9 and 0.999. */
  double beta1, beta2;
  /** Default 1e-8. */
  double epsilon;
  /** RMSprop's smoothing; default 0.99. */
  double alpha;
  /** RMSprop's division by the variance instead of the mean square; default no. */
  int32_t centered;
  /** SGD's; default no. */
  int32_t nesterov;
  /** Share of the target spread over all classes; default 0. */
  double label_smoothing;
  /** Label that does not count; default -100. Probabilities count all. */
  int64_t ignore_index;
  /** Weight of each class, or NULL; copied. */
  const float *class_weights;
  size_t class_weight_count;
  /** Most that the norm of all gradients may be; 0 (the default): no limit. */
  double clip_norm;
  /** Most that one gradient may be; 0 (the default): no limit. */
  double clip_value;
  /** Of dropout; default 0. */
  uint64_t seed;
  /** 0: as the model. */
  int32_t threads, reserved;
  /** NULL (the default) for none. */
  sasuka_progress_function progress;
  void *progress_user_data;
  /** Train only what lies behind this module: the trainer's input, in steps and evaluations, is what the module computes
      (a session with it as to_module gives that), computed once and used in every epoch. The parameters are the model's
      own; those before the module stay as they are. What is random before it (augmentation, dropout) is drawn once for
      all epochs: features are those of evaluation mode, one for each picture. Auxiliary heads before it do not count.
      NULL (the default): the whole network. Copied. */
  const char *from_module;
} sasuka_train_options;
/** Sets the defaults of an optimiser. */
void sasuka_train_options_init(sasuka_train_options *options, size_t struct_size, sasuka_optimizer optimizer);

sasuka_status sasuka_trainer_create(sasuka_model *model, const sasuka_train_options *options, sasuka_trainer **trainer);
void sasuka_trainer_destroy(sasuka_trainer *trainer);

/** Gives the parameters whose names match `pattern` their own learning rate (a factor of the trainer's) and weight decay (-1:
    the trainer's), or freezes them. Later groups win: to unfreeze, add a group that is not frozen. Layers before all that is
    trained cost what they cost in evaluation: no backward pass, no memory for activations or gradients. */
sasuka_status sasuka_trainer_add_group(sasuka_trainer *trainer, const char *pattern, double learning_rate_factor,
                                       double weight_decay, bool frozen);

/** Lets the layers whose names match `pattern` ("*"; "layer1.*"; "bn1" or "bn1.*") compute in training as in evaluation, as
    PyTorch's module.eval(): BatchNorm uses its running statistics and leaves them as they are, dropout does nothing. Where
    they are also before all that is trained, BatchNorm is folded into convolutions. 0 is training again; later calls win.
    Errors: SASUKA_NOT_FOUND. */
sasuka_status sasuka_trainer_set_evaluation(sasuka_trainer *trainer, const char *pattern, bool evaluation);

typedef int32_t sasuka_schedule_kind;
enum {
  SASUKA_SCHEDULE_CONSTANT = 0,
  /** Times gamma every step_size steps. */
  SASUKA_SCHEDULE_STEP = 1,
  /** Times gamma at each of the milestones. */
  SASUKA_SCHEDULE_MULTI_STEP = 2,
  /** From the learning rate to minimum along half a cosine over total_steps (Loshchilov and Hutter 2016, SGDR). */
  SASUKA_SCHEDULE_COSINE = 3,
  /** Up to maximum and down over total_steps (Smith 2018, Super-Convergence), as PyTorch's OneCycleLR. */
  SASUKA_SCHEDULE_ONE_CYCLE = 4
};

typedef struct sasuka_schedule_options {
  size_t struct_size;
  sasuka_schedule_kind kind;
  /** One-cycle: anneal linearly instead of by cosine; default no. */
  int32_t linear;
  /** One-cycle: a third phase mirrors the first before the last descent; default no. */
  int32_t three_phase;
  /** One-cycle: move momentum (Adam's beta1) between base_momentum and max_momentum, against the rate; default yes. */
  int32_t cycle_momentum;
  /** Steps over which the rate first rises linearly from warm_up_start times itself; default 0. */
  int64_t warm_up_steps;
  /** Default 1/3. */
  double warm_up_start;
  /** Of SASUKA_SCHEDULE_STEP, at least 1. */
  int64_t step_size;
  /** Default 0.1. */
  double gamma;
  /** Rising; copied. */
  const int64_t *milestones;
  size_t milestone_count;
  /** Steps of the cosine or the one-cycle. */
  int64_t total_steps;
  /** Lowest rate of the cosine; default 0. */
  double minimum;
  /** Highest rate of one-cycle. */
  double maximum;
  /** Share of one-cycle that rises; default 0.3. */
  double rise;
  /** First rate is maximum / initial_divisor (25); last is that / final_divisor (1e4). */
  double initial_divisor, final_divisor;
  /** Default 0.85 and 0.95. */
  double base_momentum, max_momentum;
} sasuka_schedule_options;
void sasuka_schedule_options_init(sasuka_schedule_options *options, size_t struct_size, sasuka_schedule_kind kind);

/** The learning rate as a function of the number of updates made. */
sasuka_status sasuka_trainer_set_schedule(sasuka_trainer *trainer, const sasuka_schedule_options *options);

/** The rate of the next update. Setting it replaces the base that a schedule starts from. */
double sasuka_trainer_learning_rate(const sasuka_trainer *trainer);
sasuka_status sasuka_trainer_set_learning_rate(sasuka_trainer *trainer, double learning_rate);

/** Updates made so far. */
int64_t sasuka_trainer_steps(const sasuka_trainer *trainer);

/* The primitives. A step is zero_gradients, forward_backward, update. Several forward_backward before an update add their
   gradients; divide them as you like through sasuka_trainer_gradients. */

sasuka_status sasuka_trainer_zero_gradients(sasuka_trainer *trainer);

/** Forward in training mode, loss, backward; adds to the gradients and updates running statistics. `target`: as
    sasuka_loss says. The loss includes that of auxiliary heads, with 0.3 each
    for GoogLeNet, 0.4 for Inception v3, and what sasuka_graph_add_auxiliary was told. */
sasuka_status sasuka_trainer_forward_backward(sasuka_trainer *trainer, const sasuka_tensor *input,
                                              const sasuka_tensor *target, double *loss);
/** The result as training computes it, without a loss: dropout is on, and BatchNorm uses the batch's statistics and updates its
    running ones. No gradient changes. `output` must have the result's shape. */
sasuka_status sasuka_trainer_forward(sasuka_trainer *trainer, const sasuka_tensor *input, sasuka_tensor *output);

/** Says of which modules, named as in sasuka_session_options, the results can be read after a forward or a forward_backward of
    this trainer, and after the latter the gradients of its loss with respect to them; `count` 0 ends it. Errors: SASUKA_NOT_FOUND. */
sasuka_status sasuka_trainer_watch(sasuka_trainer *trainer, const char *const *modules, size_t count);
/** As sasuka_session_feature and its kin; "output", watched or not, is the result. Errors: SASUKA_NOT_FOUND; SASUKA_WRONG_STATE. */
sasuka_status sasuka_trainer_feature_shape(const sasuka_trainer *trainer, const char *name, int64_t *shape, int32_t *rank);
sasuka_status sasuka_trainer_feature(const sasuka_trainer *trainer, const char *name, sasuka_tensor *value);
sasuka_status sasuka_trainer_feature_gradient(const sasuka_trainer *trainer, const char *name, sasuka_tensor *value);

/** Clips and updates the weights. */
sasuka_status sasuka_trainer_update(sasuka_trainer *trainer);
sasuka_status sasuka_trainer_step(sasuka_trainer *trainer, const sasuka_tensor *input, const sasuka_tensor *target,
                                  double *loss);

/** What an evaluation found; sums over the samples of a batch, to be added up by the caller. */
typedef struct sasuka_evaluation {
  /** Sum of the losses of the samples. */
  double loss_sum;
  int64_t samples;
  /** Samples whose class (of probabilities the highest) has the highest logit, and whose class is among the five highest. */
  int64_t top1, top5;
} sasuka_evaluation;

/** Runs the batch in evaluation mode against its classes. */
sasuka_status sasuka_trainer_evaluate(sasuka_trainer *trainer, const sasuka_tensor *input, const sasuka_tensor *target,
                                      sasuka_evaluation *result);

/** Bytes that the trainer needs beside the model: its compiled plans; gradients and optimiser state of what is trained. */
size_t sasuka_trainer_memory(const sasuka_trainer *trainer);

/** All gradients, contiguous, in the order of the learnt parameters; lives as long as the trainer. May be changed between
    forward_backward and update. */
sasuka_status sasuka_trainer_gradients(sasuka_trainer *trainer, float **gradients, size_t *count);
/** The norm (root of the sum of squares) of the gradients of the parameters whose names match `pattern`: of one, of a layer's,
    of all; after an update, as it has clipped them. What is frozen counts 0. Errors: SASUKA_NOT_FOUND. */
sasuka_status sasuka_trainer_gradient_norm(const sasuka_trainer *trainer, const char *pattern, double *norm);
/** Where the gradient of a parameter lies in that buffer, in floats. */
sasuka_status sasuka_trainer_gradient_offset(const sasuka_trainer *trainer, const char *name, size_t *offset);

/** A checkpoint holds weights, optimiser state, step and random state: training goes on from it bit for bit. Schedule and
    groups are set by the program as before. On failure nothing has changed. */
sasuka_status sasuka_trainer_save_checkpoint(const sasuka_trainer *trainer, const char *path);
sasuka_status sasuka_trainer_load_checkpoint(sasuka_trainer *trainer, const char *path);
sasuka_status sasuka_trainer_save_checkpoint_to_memory(const sasuka_trainer *trainer, void *bytes, size_t capacity, size_t *needed);
sasuka_status sasuka_trainer_load_checkpoint_from_memory(sasuka_trainer *trainer, const void *bytes, size_t length);

/** One training step on the model itself: makes a trainer at the first call and again when the options change. */
sasuka_status sasuka_model_train_step(sasuka_model *model, const sasuka_tensor *input, const sasuka_tensor *target,
                                      const sasuka_train_options *options, double *loss);

#ifdef __cplusplus
}
#endif

#endif
