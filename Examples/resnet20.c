#include "resnet20.h"

#include <math.h>
#include <stdio.h>

const char *const class_names[CLASSES] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                          "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

/* The network under construction. After a failure `status` says what, and further layers are not added: the graph is
   written down without a check behind each layer. */
typedef struct builder {
  sasuka_graph *graph;
  sasuka_status status;
} builder;

static sasuka_value convolution_and_norm(builder *b, sasuka_value x, const char *block, const char *part, int64_t channels,
                                         int64_t kernel, int64_t stride) {
  char name[64];
  sasuka_convolution_options options;
  sasuka_convolution_options_init(&options, sizeof options);
  options.bias = false; /* the normalisation has one */
  options.stride[0] = options.stride[1] = stride;
  for (int side = 0; side < 4; side++) options.padding[side] = kernel / 2;

  snprintf(name, sizeof name, "%s.conv%s", block, part);
  if (b->status == SASUKA_OK)
    b->status = sasuka_graph_convolution(b->graph, x, name, channels, kernel, kernel, &options, &x);
  snprintf(name, sizeof name, "%s.bn%s", block, part);
  if (b->status == SASUKA_OK) b->status = sasuka_graph_batch_norm(b->graph, x, name, NULL, &x);
  return x;
}

static sasuka_value relu(builder *b, sasuka_value x) {
  if (b->status == SASUKA_OK) b->status = sasuka_graph_activation(b->graph, x, NULL, SASUKA_RELU, 0, &x);
  return x;
}

static sasuka_value basic_block(builder *b, sasuka_value x, const char *name, int64_t channels, int64_t stride,
                                bool changes_shape) {
  sasuka_value y = relu(b, convolution_and_norm(b, x, name, "1", channels, 3, stride));
  y = convolution_and_norm(b, y, name, "2", channels, 3, 1);
  sasuka_value shortcut = changes_shape ? convolution_and_norm(b, x, name, "_shortcut", channels, 1, stride) : x;
  if (b->status == SASUKA_OK) b->status = sasuka_graph_add(b->graph, y, shortcut, NULL, &y);
  return relu(b, y);
}

static void add_layers(builder *b, sasuka_value x) {
  static const int64_t stage_channels[3] = {16, 32, 64};
  x = relu(b, convolution_and_norm(b, x, "stem", "", stage_channels[0], 3, 1));
  for (int stage = 0; stage < 3; stage++) {
    for (int block = 0; block < 3; block++) {
      bool changes_shape = stage > 0 && block == 0;
      char name[32];
      snprintf(name, sizeof name, "stage%d.%d", stage + 1, block);
      x = basic_block(b, x, name, stage_channels[stage], changes_shape ? 2 : 1, changes_shape);
    }
  }
  if (b->status == SASUKA_OK) b->status = sasuka_graph_adaptive_average_pool(b->graph, x, NULL, 1, 1, &x);
  if (b->status == SASUKA_OK) b->status = sasuka_graph_flatten(b->graph, x, NULL, 1, &x);
  if (b->status == SASUKA_OK) b->status = sasuka_graph_linear(b->graph, x, "fc", CLASSES, true, &x);
  if (b->status == SASUKA_OK) b->status = sasuka_graph_set_output(b->graph, x);
}

sasuka_status resnet20_create(uint64_t seed, int32_t threads, sasuka_model **model) {
  static const int64_t shape[3] = {1, PICTURE_SIDE, PICTURE_SIDE};
  builder b = {NULL, SASUKA_OK};
  sasuka_value input = 0;
  b.status = sasuka_graph_create(shape, 3, &b.graph, &input);
  if (b.status != SASUKA_OK) return b.status;
  add_layers(&b, input);

  sasuka_model_options options;
  sasuka_model_options_init(&options, sizeof options);
  options.seed = seed;
  options.threads = threads;
  if (b.status == SASUKA_OK) b.status = sasuka_model_create_from_graph(b.graph, &options, model);
  sasuka_graph_destroy(b.graph);
  return b.status;
}

float normalised_pixel(uint8_t pixel) { return ((float)pixel / 255.0f - 0.2860f) / 0.3530f; }

int softmax(float *logits) {
  int best = 0;
  for (int i = 1; i < CLASSES; i++)
    if (logits[i] > logits[best]) best = i;
  float highest = logits[best], sum = 0;
  for (int i = 0; i < CLASSES; i++) sum += logits[i] = expf(logits[i] - highest);
  for (int i = 0; i < CLASSES; i++) logits[i] /= sum;
  return best;
}
