/* The header as a C99 compiler and, through header.cpp, a C++11 compiler sees it: every constant, type, field and
 * function is what is written here. A difference does not compile. What is added to the header is added here; what
 * stands here changes together with SASUKA_ABI_VERSION.
 *
 * Linked with the library and run, it also says that every function is exported.
 */
#include "sasuka.h"

#define CHECK(name, condition) typedef char check_##name[(condition) ? 1 : -1];
#define CONSTANT(name, value) CHECK(name, name == (value))
/* Crosses the door in 32 bits, with a sign. */
#define ENUMERATION(type) CHECK(type, sizeof(type) == 4 && (type)-1 < (type)0)

CONSTANT(SASUKA_ABI_VERSION, 1)
CONSTANT(SASUKA_MAX_RANK, 8)

ENUMERATION(sasuka_status)
CONSTANT(SASUKA_OK, 0)
CONSTANT(SASUKA_INVALID_ARGUMENT, 1)
CONSTANT(SASUKA_OUT_OF_MEMORY, 2)
CONSTANT(SASUKA_IO, 3)
CONSTANT(SASUKA_FORMAT, 4)
CONSTANT(SASUKA_MISMATCH, 5)
CONSTANT(SASUKA_UNSUPPORTED, 6)
CONSTANT(SASUKA_NOT_FOUND, 7)
CONSTANT(SASUKA_WRONG_STATE, 8)
CONSTANT(SASUKA_BUSY, 9)
CONSTANT(SASUKA_CANCELLED, 10)
CONSTANT(SASUKA_BUFFER_TOO_SMALL, 11)

ENUMERATION(sasuka_log_level)
CONSTANT(SASUKA_LOG_WARNING, 1)
CONSTANT(SASUKA_LOG_INFORMATION, 2)

ENUMERATION(sasuka_dtype)
CONSTANT(SASUKA_FLOAT32, 0)
CONSTANT(SASUKA_FLOAT64, 1)
CONSTANT(SASUKA_UINT8, 2)
CONSTANT(SASUKA_INT32, 3)
CONSTANT(SASUKA_INT64, 4)

ENUMERATION(sasuka_padding_mode)
CONSTANT(SASUKA_PADDING_EXPLICIT, 0)
CONSTANT(SASUKA_PADDING_VALID, 1)
CONSTANT(SASUKA_PADDING_SAME, 2)
CONSTANT(SASUKA_PADDING_SAME_UPPER, 3)
CONSTANT(SASUKA_PADDING_SAME_LOWER, 4)
CONSTANT(SASUKA_PADDING_FULL, 5)

ENUMERATION(sasuka_dropout_kind)
CONSTANT(SASUKA_DROPOUT_ELEMENTS, 0)
CONSTANT(SASUKA_DROPOUT_FEATURE_MAPS, 1)
CONSTANT(SASUKA_DROPOUT_ALPHA, 2)

ENUMERATION(sasuka_activation)
CONSTANT(SASUKA_RELU, 0)
CONSTANT(SASUKA_RELU6, 1)
CONSTANT(SASUKA_LEAKY_RELU, 2)
CONSTANT(SASUKA_SIGMOID, 3)
CONSTANT(SASUKA_TANH, 4)
CONSTANT(SASUKA_HARD_SWISH, 5)
CONSTANT(SASUKA_SILU, 6)
CONSTANT(SASUKA_HARD_SIGMOID, 7)

ENUMERATION(sasuka_pad_mode)
CONSTANT(SASUKA_PAD_CONSTANT, 0)
CONSTANT(SASUKA_PAD_REFLECT, 1)
CONSTANT(SASUKA_PAD_REPLICATE, 2)

ENUMERATION(sasuka_parameter_kind)
CONSTANT(SASUKA_PARAMETER_WEIGHT, 0)
CONSTANT(SASUKA_PARAMETER_STATISTIC, 1)
CONSTANT(SASUKA_PARAMETER_COUNTER, 2)

ENUMERATION(sasuka_initializer)
CONSTANT(SASUKA_NORM_NONE, 0)
CONSTANT(SASUKA_NORM_BATCH, 1)
CONSTANT(SASUKA_NORM_GROUP, 2)
CONSTANT(SASUKA_INIT_DEFAULT, 0)
CONSTANT(SASUKA_INIT_CONSTANT, 1)
CONSTANT(SASUKA_INIT_UNIFORM, 2)
CONSTANT(SASUKA_INIT_NORMAL, 3)
CONSTANT(SASUKA_INIT_KAIMING_UNIFORM, 4)
CONSTANT(SASUKA_INIT_KAIMING_NORMAL, 5)
CONSTANT(SASUKA_INIT_XAVIER_UNIFORM, 6)
CONSTANT(SASUKA_INIT_XAVIER_NORMAL, 7)

ENUMERATION(sasuka_interpolation)
CONSTANT(SASUKA_INTERPOLATION_BILINEAR, 0)
CONSTANT(SASUKA_INTERPOLATION_BICUBIC, 1)

ENUMERATION(sasuka_load_problem)
CONSTANT(SASUKA_LOAD_MISSING, 0)
CONSTANT(SASUKA_LOAD_UNEXPECTED, 1)
CONSTANT(SASUKA_LOAD_MISMATCHED, 2)

ENUMERATION(sasuka_channel_adaptation)
CONSTANT(SASUKA_CHANNELS_EXACT, 0)
CONSTANT(SASUKA_CHANNELS_AVERAGE, 1)
CONSTANT(SASUKA_CHANNELS_REPEAT, 2)

ENUMERATION(sasuka_optimizer)
CONSTANT(SASUKA_SGD, 0)
CONSTANT(SASUKA_ADAM, 1)
CONSTANT(SASUKA_ADAMW, 2)
CONSTANT(SASUKA_RMSPROP, 3)

ENUMERATION(sasuka_loss)
CONSTANT(SASUKA_CROSS_ENTROPY, 0)
CONSTANT(SASUKA_MEAN_SQUARED_ERROR, 1)
CONSTANT(SASUKA_BINARY_CROSS_ENTROPY_WITH_LOGITS, 2)

ENUMERATION(sasuka_schedule_kind)
CONSTANT(SASUKA_SCHEDULE_CONSTANT, 0)
CONSTANT(SASUKA_SCHEDULE_STEP, 1)
CONSTANT(SASUKA_SCHEDULE_MULTI_STEP, 2)
CONSTANT(SASUKA_SCHEDULE_COSINE, 3)
CONSTANT(SASUKA_SCHEDULE_ONE_CYCLE, 4)

ENUMERATION(sasuka_ablation)
CONSTANT(SASUKA_ABLATE_BYPASS, 0)
CONSTANT(SASUKA_ABLATE_ZERO, 1)
CONSTANT(SASUKA_ABLATE_SHORTCUT, 2)

ENUMERATION(sasuka_pool_replacement)
CONSTANT(SASUKA_POOL_CONVOLUTION, 0)
CONSTANT(SASUKA_POOL_DEPTHWISE, 1)
CONSTANT(SASUKA_POOL_STRIDE, 2)

ENUMERATION(sasuka_value)

/* Layouts, in bytes, where pointers have 64 bits. */
#if UINTPTR_MAX == UINT64_MAX
#define FIELD(type, field, field_type, offset) \
  CHECK(type##_dot_##field, offsetof(type, field) == (offset) && sizeof(((type *)0)->field) == sizeof(field_type))
#define SIZE(type, bytes) CHECK(type##_size, sizeof(type) == (bytes))

FIELD(sasuka_tensor, data, void *, 0)
FIELD(sasuka_tensor, dtype, sasuka_dtype, 8)
FIELD(sasuka_tensor, rank, int32_t, 12)
FIELD(sasuka_tensor, shape, const int64_t *, 16)
FIELD(sasuka_tensor, strides, const int64_t *, 24)
SIZE(sasuka_tensor, 32)

FIELD(sasuka_progress, struct_size, size_t, 0)
FIELD(sasuka_progress, stage, const char *, 8)
FIELD(sasuka_progress, done, int64_t, 16)
FIELD(sasuka_progress, total, int64_t, 24)
SIZE(sasuka_progress, 32)

FIELD(sasuka_window, kernel, int64_t, 0)
FIELD(sasuka_window, stride, int64_t, 8)
FIELD(sasuka_window, dilation, int64_t, 16)
FIELD(sasuka_window, before, int64_t, 24)
SIZE(sasuka_window, 32)

FIELD(sasuka_convolution_options, struct_size, size_t, 0)
FIELD(sasuka_convolution_options, stride, int64_t[2], 8)
FIELD(sasuka_convolution_options, dilation, int64_t[2], 24)
FIELD(sasuka_convolution_options, padding, int64_t[4], 40)
FIELD(sasuka_convolution_options, output_padding, int64_t[2], 72)
FIELD(sasuka_convolution_options, groups, int64_t, 88)
FIELD(sasuka_convolution_options, padding_mode, sasuka_padding_mode, 96)
FIELD(sasuka_convolution_options, bias, int32_t, 100)
SIZE(sasuka_convolution_options, 104)

FIELD(sasuka_pool_options, struct_size, size_t, 0)
FIELD(sasuka_pool_options, stride, int64_t[2], 8)
FIELD(sasuka_pool_options, dilation, int64_t[2], 24)
FIELD(sasuka_pool_options, padding, int64_t[4], 40)
FIELD(sasuka_pool_options, padding_mode, sasuka_padding_mode, 72)
FIELD(sasuka_pool_options, ceil_mode, int32_t, 76)
FIELD(sasuka_pool_options, count_include_pad, int32_t, 80)
FIELD(sasuka_pool_options, reserved, int32_t, 84)
SIZE(sasuka_pool_options, 88)

FIELD(sasuka_batch_norm_options, struct_size, size_t, 0)
FIELD(sasuka_batch_norm_options, epsilon, double, 8)
FIELD(sasuka_batch_norm_options, momentum, double, 16)
FIELD(sasuka_batch_norm_options, affine, int32_t, 24)
FIELD(sasuka_batch_norm_options, track_running_statistics, int32_t, 28)
SIZE(sasuka_batch_norm_options, 32)

FIELD(sasuka_resize_options, struct_size, size_t, 0)
FIELD(sasuka_resize_options, nearest, int32_t, 8)
FIELD(sasuka_resize_options, align_corners, int32_t, 12)
FIELD(sasuka_resize_options, size, int64_t[2], 16)
FIELD(sasuka_resize_options, scale, double[2], 32)
SIZE(sasuka_resize_options, 48)

FIELD(sasuka_model_options, struct_size, size_t, 0)
FIELD(sasuka_model_options, num_classes, int64_t, 8)
FIELD(sasuka_model_options, in_channels, int64_t, 16)
FIELD(sasuka_model_options, seed, uint64_t, 24)
FIELD(sasuka_model_options, threads, int32_t, 32)
FIELD(sasuka_model_options, reserved, int32_t, 36)
FIELD(sasuka_model_options, parallel_for, sasuka_parallel_for, 40)
FIELD(sasuka_model_options, parallel_for_user_data, void *, 48)
FIELD(sasuka_model_options, progress, sasuka_progress_function, 56)
FIELD(sasuka_model_options, progress_user_data, void *, 64)
FIELD(sasuka_model_options, dropout, double, 72)
FIELD(sasuka_model_options, dropout_aux, double, 80)
FIELD(sasuka_model_options, stochastic_depth, double, 88)
FIELD(sasuka_model_options, width_mult, double, 96)
FIELD(sasuka_model_options, aux_logits, int32_t, 104)
FIELD(sasuka_model_options, transform_input, int32_t, 108)
FIELD(sasuka_model_options, zero_init_residual, int32_t, 112)
FIELD(sasuka_model_options, exact, int32_t, 116)
FIELD(sasuka_model_options, replace_stride_with_dilation, int32_t[3], 120)
FIELD(sasuka_model_options, norm_layer, int32_t, 132)
FIELD(sasuka_model_options, groups, int64_t, 136)
FIELD(sasuka_model_options, width_per_group, int64_t, 144)
FIELD(sasuka_model_options, reduced_tail, int32_t, 152)
FIELD(sasuka_model_options, dilated, int32_t, 156)
FIELD(sasuka_model_options, norm_groups, int64_t, 160)
SIZE(sasuka_model_options, 168)

FIELD(sasuka_preprocessing, struct_size, size_t, 0)
FIELD(sasuka_preprocessing, channels, int64_t, 8)
FIELD(sasuka_preprocessing, resize_size, int64_t, 16)
FIELD(sasuka_preprocessing, crop_size, int64_t, 24)
FIELD(sasuka_preprocessing, interpolation, sasuka_interpolation, 32)
FIELD(sasuka_preprocessing, reserved, int32_t, 36)
FIELD(sasuka_preprocessing, mean, double[3], 40)
FIELD(sasuka_preprocessing, std, double[3], 64)
SIZE(sasuka_preprocessing, 88)

FIELD(sasuka_picture, pixels, const uint8_t *, 0)
FIELD(sasuka_picture, height, int64_t, 8)
FIELD(sasuka_picture, width, int64_t, 16)
FIELD(sasuka_picture, channels, int64_t, 24)
FIELD(sasuka_picture, row_bytes, int64_t, 32)
SIZE(sasuka_picture, 40)

FIELD(sasuka_load_options, struct_size, size_t, 0)
FIELD(sasuka_load_options, strict, int32_t, 8)
FIELD(sasuka_load_options, reserved, int32_t, 12)
FIELD(sasuka_load_options, key, const char *, 16)
FIELD(sasuka_load_options, prefix, const char *, 24)
FIELD(sasuka_load_options, pattern, const char *, 32)
FIELD(sasuka_load_options, report, sasuka_load_report *, 40)
FIELD(sasuka_load_options, channels, sasuka_channel_adaptation, 48)
FIELD(sasuka_load_options, skip_mismatched, int32_t, 52)
SIZE(sasuka_load_options, 56)

FIELD(sasuka_parameter_info, name, const char *, 0)
FIELD(sasuka_parameter_info, shape, const int64_t *, 8)
FIELD(sasuka_parameter_info, rank, int32_t, 16)
FIELD(sasuka_parameter_info, kind, sasuka_parameter_kind, 20)
FIELD(sasuka_parameter_info, dtype, sasuka_dtype, 24)
SIZE(sasuka_parameter_info, 32)

FIELD(sasuka_layer_info, name, const char *, 0)
FIELD(sasuka_layer_info, kind, const char *, 8)
FIELD(sasuka_layer_info, shape, int64_t[8], 16)
FIELD(sasuka_layer_info, kernel, int64_t[2], 80)
FIELD(sasuka_layer_info, stride, int64_t[2], 96)
FIELD(sasuka_layer_info, dilation, int64_t[2], 112)
FIELD(sasuka_layer_info, padding, int64_t[4], 128)
FIELD(sasuka_layer_info, field_size, int64_t[2], 160)
FIELD(sasuka_layer_info, field_step, int64_t[2], 176)
FIELD(sasuka_layer_info, field_start, int64_t[2], 192)
FIELD(sasuka_layer_info, parameters, int64_t, 208)
FIELD(sasuka_layer_info, multiply_adds, int64_t, 216)
FIELD(sasuka_layer_info, activation_bytes, int64_t, 224)
FIELD(sasuka_layer_info, rank, int32_t, 232)
FIELD(sasuka_layer_info, reserved, int32_t, 236)
SIZE(sasuka_layer_info, 240)

FIELD(sasuka_session_options, struct_size, size_t, 0)
FIELD(sasuka_session_options, threads, int32_t, 8)
FIELD(sasuka_session_options, profile, int32_t, 12)
FIELD(sasuka_session_options, features, const char *const *, 16)
FIELD(sasuka_session_options, feature_count, size_t, 24)
FIELD(sasuka_session_options, from_module, const char *, 32)
FIELD(sasuka_session_options, to_module, const char *, 40)
FIELD(sasuka_session_options, gradients, int32_t, 48)
FIELD(sasuka_session_options, exact, int32_t, 52)
FIELD(sasuka_session_options, without, const char *, 56)
FIELD(sasuka_session_options, tuning, const char *, 64)
FIELD(sasuka_session_options, tune, int32_t, 72)
FIELD(sasuka_session_options, release_weights, int32_t, 76)
SIZE(sasuka_session_options, 80)
FIELD(sasuka_profile_row, struct_size, size_t, 0)
FIELD(sasuka_profile_row, name, const char *, 8)
FIELD(sasuka_profile_row, kind, const char *, 16)
FIELD(sasuka_profile_row, algorithm, const char *, 24)
FIELD(sasuka_profile_row, node, int64_t, 32)
FIELD(sasuka_profile_row, nanoseconds, int64_t, 40)
FIELD(sasuka_profile_row, waiting, int64_t, 48)
FIELD(sasuka_profile_row, multiply_adds, int64_t, 56)
FIELD(sasuka_profile_row, bytes, int64_t, 64)
FIELD(sasuka_profile_row, input_shape, int64_t[8], 72)
FIELD(sasuka_profile_row, output_shape, int64_t[8], 136)
SIZE(sasuka_profile_row, 200)

FIELD(sasuka_train_options, struct_size, size_t, 0)
FIELD(sasuka_train_options, optimizer, sasuka_optimizer, 8)
FIELD(sasuka_train_options, loss, sasuka_loss, 12)
FIELD(sasuka_train_options, learning_rate, double, 16)
FIELD(sasuka_train_options, momentum, double, 24)
FIELD(sasuka_train_options, dampening, double, 32)
FIELD(sasuka_train_options, weight_decay, double, 40)
FIELD(sasuka_train_options, beta1, double, 48)
FIELD(sasuka_train_options, beta2, double, 56)
FIELD(sasuka_train_options, epsilon, double, 64)
FIELD(sasuka_train_options, alpha, double, 72)
FIELD(sasuka_train_options, centered, int32_t, 80)
FIELD(sasuka_train_options, nesterov, int32_t, 84)
FIELD(sasuka_train_options, label_smoothing, double, 88)
FIELD(sasuka_train_options, ignore_index, int64_t, 96)
FIELD(sasuka_train_options, class_weights, const float *, 104)
FIELD(sasuka_train_options, class_weight_count, size_t, 112)
FIELD(sasuka_train_options, clip_norm, double, 120)
FIELD(sasuka_train_options, clip_value, double, 128)
FIELD(sasuka_train_options, seed, uint64_t, 136)
FIELD(sasuka_train_options, threads, int32_t, 144)
FIELD(sasuka_train_options, reserved, int32_t, 148)
FIELD(sasuka_train_options, progress, sasuka_progress_function, 152)
FIELD(sasuka_train_options, progress_user_data, void *, 160)
FIELD(sasuka_train_options, from_module, const char *, 168)
SIZE(sasuka_train_options, 176)

FIELD(sasuka_schedule_options, struct_size, size_t, 0)
FIELD(sasuka_schedule_options, kind, sasuka_schedule_kind, 8)
FIELD(sasuka_schedule_options, linear, int32_t, 12)
FIELD(sasuka_schedule_options, three_phase, int32_t, 16)
FIELD(sasuka_schedule_options, cycle_momentum, int32_t, 20)
FIELD(sasuka_schedule_options, warm_up_steps, int64_t, 24)
FIELD(sasuka_schedule_options, warm_up_start, double, 32)
FIELD(sasuka_schedule_options, step_size, int64_t, 40)
FIELD(sasuka_schedule_options, gamma, double, 48)
FIELD(sasuka_schedule_options, milestones, const int64_t *, 56)
FIELD(sasuka_schedule_options, milestone_count, size_t, 64)
FIELD(sasuka_schedule_options, total_steps, int64_t, 72)
FIELD(sasuka_schedule_options, minimum, double, 80)
FIELD(sasuka_schedule_options, maximum, double, 88)
FIELD(sasuka_schedule_options, rise, double, 96)
FIELD(sasuka_schedule_options, initial_divisor, double, 104)
FIELD(sasuka_schedule_options, final_divisor, double, 112)
FIELD(sasuka_schedule_options, base_momentum, double, 120)
FIELD(sasuka_schedule_options, max_momentum, double, 128)
SIZE(sasuka_schedule_options, 136)

FIELD(sasuka_evaluation, loss_sum, double, 0)
FIELD(sasuka_evaluation, samples, int64_t, 8)
FIELD(sasuka_evaluation, top1, int64_t, 16)
FIELD(sasuka_evaluation, top5, int64_t, 24)
SIZE(sasuka_evaluation, 32)
#endif

/* A pointer of the type written here takes the function; other signatures do not convert. */
#define FUNCTION(result, name, parameters) \
  { \
    result(*function) parameters = name; \
    functions[count++] = (any_function)function; \
  }
#define CALLBACK(result, name, parameters) \
  { \
    result(*callback) parameters = NULL; \
    name same = callback; \
    (void)same; \
  }

enum { FUNCTION_COUNT = 121 };

typedef void (*any_function)(void);

static int collect(any_function functions[FUNCTION_COUNT]) {
  int count = 0;
  FUNCTION(const char *, sasuka_version, (void))
  FUNCTION(uint32_t, sasuka_abi_version, (void))
  FUNCTION(const char *, sasuka_status_name, (sasuka_status))
  FUNCTION(const char *, sasuka_last_error, (void))
  FUNCTION(const char *, sasuka_instruction_set, (void))
  FUNCTION(void, sasuka_set_log_function, (sasuka_log_function, void *))
  FUNCTION(sasuka_status, sasuka_window_output_size, (int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool,
           int64_t *))
  FUNCTION(sasuka_status, sasuka_transposed_output_size, (int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
           int64_t *))
  FUNCTION(sasuka_status, sasuka_resolve_padding, (sasuka_padding_mode, int64_t, int64_t, int64_t, int64_t, int64_t *,
           int64_t *))
  FUNCTION(sasuka_status, sasuka_receptive_field, (const sasuka_window *, size_t, int64_t *, int64_t *, int64_t *))
  FUNCTION(sasuka_status, sasuka_graph_create, (const int64_t *, int32_t, sasuka_graph **, sasuka_value *))
  FUNCTION(void, sasuka_graph_destroy, (sasuka_graph *))
  FUNCTION(sasuka_status, sasuka_graph_shape, (const sasuka_graph *, sasuka_value, int64_t *, int32_t *))
  FUNCTION(sasuka_status, sasuka_graph_set_output, (sasuka_graph *, sasuka_value))
  FUNCTION(sasuka_status, sasuka_graph_add_auxiliary, (sasuka_graph *, sasuka_value, double))
  FUNCTION(void, sasuka_convolution_options_init, (sasuka_convolution_options *, size_t))
  FUNCTION(sasuka_status, sasuka_graph_convolution, (sasuka_graph *, sasuka_value, const char *, int64_t, int64_t,
           int64_t, const sasuka_convolution_options *, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_transposed_convolution, (sasuka_graph *, sasuka_value, const char *, int64_t,
           int64_t, int64_t, const sasuka_convolution_options *, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_linear, (sasuka_graph *, sasuka_value, const char *, int64_t, bool,
           sasuka_value *))
  FUNCTION(void, sasuka_pool_options_init, (sasuka_pool_options *, size_t))
  FUNCTION(sasuka_status, sasuka_graph_max_pool, (sasuka_graph *, sasuka_value, const char *, int64_t, int64_t,
           const sasuka_pool_options *, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_average_pool, (sasuka_graph *, sasuka_value, const char *, int64_t, int64_t,
           const sasuka_pool_options *, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_adaptive_average_pool, (sasuka_graph *, sasuka_value, const char *, int64_t,
           int64_t, sasuka_value *))
  FUNCTION(void, sasuka_batch_norm_options_init, (sasuka_batch_norm_options *, size_t))
  FUNCTION(sasuka_status, sasuka_graph_batch_norm, (sasuka_graph *, sasuka_value, const char *,
           const sasuka_batch_norm_options *, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_group_norm, (sasuka_graph *, sasuka_value, const char *, int64_t, double, bool,
           sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_dropout, (sasuka_graph *, sasuka_value, const char *, double,
           sasuka_dropout_kind, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_local_response_norm, (sasuka_graph *, sasuka_value, const char *, int64_t,
           double, double, double, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_activation, (sasuka_graph *, sasuka_value, const char *, sasuka_activation,
           double, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_softmax, (sasuka_graph *, sasuka_value, const char *, int32_t, bool,
           sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_add, (sasuka_graph *, sasuka_value, sasuka_value, const char *, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_multiply, (sasuka_graph *, sasuka_value, sasuka_value, const char *,
           sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_concatenate, (sasuka_graph *, const sasuka_value *, size_t, int32_t,
           const char *, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_flatten, (sasuka_graph *, sasuka_value, const char *, int32_t, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_reshape, (sasuka_graph *, sasuka_value, const char *, const int64_t *, int32_t,
           sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_permute, (sasuka_graph *, sasuka_value, const char *, const int32_t *, int32_t,
           sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_channel_shuffle, (sasuka_graph *, sasuka_value, const char *, int64_t,
           sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_slice, (sasuka_graph *, sasuka_value, const char *, int32_t, int64_t, int64_t,
           int64_t, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_pad, (sasuka_graph *, sasuka_value, const char *, const int64_t *,
           sasuka_pad_mode, double, sasuka_value *))
  FUNCTION(void, sasuka_resize_options_init, (sasuka_resize_options *, size_t))
  FUNCTION(sasuka_status, sasuka_graph_resize, (sasuka_graph *, sasuka_value, const char *,
           const sasuka_resize_options *, sasuka_value *))
  FUNCTION(sasuka_status, sasuka_graph_mean, (sasuka_graph *, sasuka_value, const char *, const int32_t *, int32_t,
           bool, sasuka_value *))
  FUNCTION(void, sasuka_model_options_init, (sasuka_model_options *, size_t))
  FUNCTION(size_t, sasuka_architecture_count, (void))
  FUNCTION(const char *, sasuka_architecture_name, (size_t))
  FUNCTION(sasuka_status, sasuka_model_create, (const char *, const sasuka_model_options *, sasuka_model **))
  FUNCTION(sasuka_status, sasuka_model_create_from_graph, (const sasuka_graph *, const sasuka_model_options *,
           sasuka_model **))
  FUNCTION(void, sasuka_model_destroy, (sasuka_model *))
  FUNCTION(void, sasuka_preprocessing_init, (sasuka_preprocessing *, size_t))
  FUNCTION(sasuka_status, sasuka_architecture_preprocessing, (const char *, const char *, sasuka_preprocessing *))
  FUNCTION(sasuka_status, sasuka_model_preprocessing, (const sasuka_model *, const char *, sasuka_preprocessing *))
  FUNCTION(sasuka_status, sasuka_preprocess, (const sasuka_preprocessing *, const sasuka_picture *, size_t,
           sasuka_tensor *))
  FUNCTION(sasuka_status, sasuka_load_report_create, (sasuka_load_report **))
  FUNCTION(void, sasuka_load_report_destroy, (sasuka_load_report *))
  FUNCTION(size_t, sasuka_load_report_count, (const sasuka_load_report *, sasuka_load_problem))
  FUNCTION(const char *, sasuka_load_report_name, (const sasuka_load_report *, sasuka_load_problem, size_t))
  FUNCTION(void, sasuka_load_options_init, (sasuka_load_options *, size_t))
  FUNCTION(sasuka_status, sasuka_model_load_weights, (sasuka_model *, const char *, const sasuka_load_options *))
  FUNCTION(sasuka_status, sasuka_model_load_weights_from_memory, (sasuka_model *, const void *, size_t,
           const sasuka_load_options *))
  FUNCTION(sasuka_status, sasuka_model_save_weights, (const sasuka_model *, const char *))
  FUNCTION(sasuka_status, sasuka_model_save_weights_to_memory, (const sasuka_model *, void *, size_t, size_t *))
  FUNCTION(sasuka_status, sasuka_model_forward, (sasuka_model *, const sasuka_tensor *, sasuka_tensor *))
  FUNCTION(sasuka_status, sasuka_model_output_shape, (const sasuka_model *, const int64_t *, int32_t, int64_t *,
           int32_t *))
  FUNCTION(sasuka_status, sasuka_model_input_shape, (const sasuka_model *, int64_t *, int32_t *))
  FUNCTION(sasuka_status, sasuka_model_connections, (const sasuka_model *, int32_t *, size_t, size_t *))
  FUNCTION(sasuka_status, sasuka_model_summary, (const sasuka_model *, char *, size_t, size_t *))
  FUNCTION(size_t, sasuka_model_parameter_count, (const sasuka_model *))
  FUNCTION(sasuka_status, sasuka_model_parameter_info, (const sasuka_model *, size_t, sasuka_parameter_info *))
  FUNCTION(sasuka_status, sasuka_model_get_parameter, (const sasuka_model *, const char *, sasuka_tensor *))
  FUNCTION(sasuka_status, sasuka_model_set_parameter, (sasuka_model *, const char *, const sasuka_tensor *))
  FUNCTION(sasuka_status, sasuka_model_set_parameters, (sasuka_model *, const char *const *, const sasuka_tensor *, size_t))
  FUNCTION(sasuka_status, sasuka_model_initialize, (sasuka_model *, const char *, sasuka_initializer, double, uint64_t))
  FUNCTION(sasuka_status, sasuka_model_layers, (const sasuka_model *, const int64_t *, int32_t, sasuka_layer_info *,
           size_t, size_t, size_t *))
  FUNCTION(sasuka_status, sasuka_model_summary_at, (const sasuka_model *, const int64_t *, int32_t, char *, size_t,
           size_t *))
  FUNCTION(sasuka_status, sasuka_model_replace_head, (const sasuka_model *, int64_t, uint64_t, sasuka_model **))
  FUNCTION(sasuka_status, sasuka_model_make_convolutional, (const sasuka_model *, sasuka_model **))
  FUNCTION(sasuka_status, sasuka_model_ablate, (const sasuka_model *, const char *const *, size_t, sasuka_ablation,
           sasuka_model **))
  FUNCTION(sasuka_status, sasuka_model_replace_max_pool, (const sasuka_model *, const char *, sasuka_pool_replacement,
           sasuka_model **))
  FUNCTION(sasuka_status, sasuka_model_pool_globally, (const sasuka_model *, uint64_t, sasuka_model **))
  FUNCTION(void, sasuka_session_options_init, (sasuka_session_options *, size_t))
  FUNCTION(sasuka_status, sasuka_session_create, (sasuka_model *, const int64_t *, int32_t,
           const sasuka_session_options *, sasuka_session **))
  FUNCTION(void, sasuka_session_destroy, (sasuka_session *))
  FUNCTION(sasuka_status, sasuka_session_run, (sasuka_session *, const sasuka_tensor *, sasuka_tensor *))
  FUNCTION(sasuka_status, sasuka_session_output_shape, (const sasuka_session *, int64_t *, int32_t *))
  FUNCTION(sasuka_status, sasuka_session_feature, (const sasuka_session *, const char *, sasuka_tensor *))
  FUNCTION(sasuka_status, sasuka_session_feature_shape, (const sasuka_session *, const char *, int64_t *, int32_t *))
  FUNCTION(sasuka_status, sasuka_session_backward, (sasuka_session *, const sasuka_tensor *))
  FUNCTION(sasuka_status, sasuka_session_feature_gradient, (const sasuka_session *, const char *, sasuka_tensor *))
  FUNCTION(sasuka_status, sasuka_session_tuning, (const sasuka_session *, char *, size_t, size_t *))
  FUNCTION(size_t, sasuka_session_memory, (const sasuka_session *))
  FUNCTION(size_t, sasuka_session_profile_size, (const sasuka_session *))
  FUNCTION(sasuka_status, sasuka_session_profile, (const sasuka_session *, size_t, sasuka_profile_row *, size_t))
  FUNCTION(void, sasuka_train_options_init, (sasuka_train_options *, size_t, sasuka_optimizer))
  FUNCTION(sasuka_status, sasuka_trainer_create, (sasuka_model *, const sasuka_train_options *, sasuka_trainer **))
  FUNCTION(void, sasuka_trainer_destroy, (sasuka_trainer *))
  FUNCTION(sasuka_status, sasuka_trainer_add_group, (sasuka_trainer *, const char *, double, double, bool))
  FUNCTION(sasuka_status, sasuka_trainer_set_evaluation, (sasuka_trainer *, const char *, bool))
  FUNCTION(void, sasuka_schedule_options_init, (sasuka_schedule_options *, size_t, sasuka_schedule_kind))
  FUNCTION(sasuka_status, sasuka_trainer_set_schedule, (sasuka_trainer *, const sasuka_schedule_options *))
  FUNCTION(double, sasuka_trainer_learning_rate, (const sasuka_trainer *))
  FUNCTION(sasuka_status, sasuka_trainer_set_learning_rate, (sasuka_trainer *, double))
  FUNCTION(int64_t, sasuka_trainer_steps, (const sasuka_trainer *))
  FUNCTION(sasuka_status, sasuka_trainer_zero_gradients, (sasuka_trainer *))
  FUNCTION(sasuka_status, sasuka_trainer_forward_backward, (sasuka_trainer *, const sasuka_tensor *,
           const sasuka_tensor *, double *))
  FUNCTION(sasuka_status, sasuka_trainer_forward, (sasuka_trainer *, const sasuka_tensor *, sasuka_tensor *))
  FUNCTION(sasuka_status, sasuka_trainer_watch, (sasuka_trainer *, const char *const *, size_t))
  FUNCTION(sasuka_status, sasuka_trainer_feature_shape, (const sasuka_trainer *, const char *, int64_t *, int32_t *))
  FUNCTION(sasuka_status, sasuka_trainer_feature, (const sasuka_trainer *, const char *, sasuka_tensor *))
  FUNCTION(sasuka_status, sasuka_trainer_feature_gradient, (const sasuka_trainer *, const char *, sasuka_tensor *))
  FUNCTION(sasuka_status, sasuka_trainer_update, (sasuka_trainer *))
  FUNCTION(sasuka_status, sasuka_trainer_step, (sasuka_trainer *, const sasuka_tensor *, const sasuka_tensor *,
           double *))
  FUNCTION(sasuka_status, sasuka_trainer_evaluate, (sasuka_trainer *, const sasuka_tensor *, const sasuka_tensor *,
           sasuka_evaluation *))
  FUNCTION(sasuka_status, sasuka_trainer_gradients, (sasuka_trainer *, float **, size_t *))
  FUNCTION(size_t, sasuka_trainer_memory, (const sasuka_trainer *))
  FUNCTION(sasuka_status, sasuka_trainer_gradient_norm, (const sasuka_trainer *, const char *, double *))
  FUNCTION(sasuka_status, sasuka_trainer_gradient_offset, (const sasuka_trainer *, const char *, size_t *))
  FUNCTION(sasuka_status, sasuka_trainer_save_checkpoint, (const sasuka_trainer *, const char *))
  FUNCTION(sasuka_status, sasuka_trainer_load_checkpoint, (sasuka_trainer *, const char *))
  FUNCTION(sasuka_status, sasuka_trainer_save_checkpoint_to_memory, (const sasuka_trainer *, void *, size_t, size_t *))
  FUNCTION(sasuka_status, sasuka_trainer_load_checkpoint_from_memory, (sasuka_trainer *, const void *, size_t))
  FUNCTION(sasuka_status, sasuka_model_train_step, (sasuka_model *, const sasuka_tensor *, const sasuka_tensor *,
           const sasuka_train_options *, double *))

  CALLBACK(bool, sasuka_progress_function, (const sasuka_progress *, void *))
  CALLBACK(void, sasuka_log_function, (sasuka_log_level, const char *, void *))
  CALLBACK(void, sasuka_parallel_for, (int64_t, void (*)(void *, int64_t), void *, void *))
  return count;
}

int main(void) {
  any_function functions[FUNCTION_COUNT];
  if (collect(functions) != FUNCTION_COUNT) return 1;
  return sasuka_abi_version() == SASUKA_ABI_VERSION ? 0 : 1;
}
