/* course: what a course on convolutional networks does to one, on Fashion-MNIST. It shows where the parameters sit and what
   the layers see, teaches a small network five kinds of clothes, looks at gradients inside it, takes a block away, puts
   convolutions in place of maximum pooling, lets the classifier slide over a larger picture, and teaches a new head the other
   five kinds from features computed once. Usage: course --data FOLDER [--pictures N] [--epochs N] */
#include "idx.h"
#include "resnet20.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 5, BATCH = 32, TESTS = 500, LARGE_SIDE = 2 * PICTURE_SIDE };

/* Samples of one shape, and the class of each. */
typedef struct samples {
  float *numbers;
  int32_t *labels;
  size_t count, size; /* size: numbers of one sample */
  int64_t shape[4];   /* of a batch; the first is set for each */
  int32_t rank;
} samples;

static void check(sasuka_status status) {
  if (status == SASUKA_OK) return;
  fprintf(stderr, "course: %s: %s\n", sasuka_status_name(status), sasuka_last_error());
  exit(1);
}

static void *allocate(size_t bytes) {
  void *memory = malloc(bytes);
  if (memory == NULL) {
    fprintf(stderr, "course: out of memory\n");
    exit(1);
  }
  return memory;
}

/* The first pictures of five classes, which are numbered from 0. */
static samples read_samples(const char *folder, const char *set, int first_class, size_t most) {
  char path[4096], message[256];
  idx_array images, labels;
  snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", folder, set);
  bool is_fine = idx_read(path, 3, &images, message, sizeof message);
  snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", folder, set);
  is_fine = is_fine && idx_read(path, 1, &labels, message, sizeof message);
  if (!is_fine || images.sizes[0] != labels.sizes[0] || images.sizes[1] != PICTURE_SIDE ||
      images.sizes[2] != PICTURE_SIDE) {
    fprintf(stderr, "course: %s\n", is_fine ? "pictures of 28 x 28, a class for each, are expected" : message);
    exit(1);
  }
  samples found = {NULL, NULL, 0, PICTURE_PIXELS, {1, 1, PICTURE_SIDE, PICTURE_SIDE}, 4};
  found.numbers = allocate(most * PICTURE_PIXELS * sizeof(float));
  found.labels = allocate(most * sizeof(int32_t));
  for (size_t i = 0; i < images.sizes[0] && found.count < most; i++) {
    int label = labels.bytes[i] - first_class;
    if (label < 0 || label >= KINDS) continue;
    float *picture = found.numbers + found.count * PICTURE_PIXELS;
    for (int pixel = 0; pixel < PICTURE_PIXELS; pixel++)
      picture[pixel] = normalised_pixel(images.bytes[i * PICTURE_PIXELS + (size_t)pixel]);
    found.labels[found.count++] = label;
  }
  idx_free(&images);
  idx_free(&labels);
  return found;
}

static void free_samples(samples *all) {
  free(all->numbers);
  free(all->labels);
}

/* `count` samples from `first` on, as the library takes them. */
static void batch(samples *from, size_t first, size_t count, sasuka_tensor *input, sasuka_tensor *target) {
  static int64_t labels;
  from->shape[0] = labels = (int64_t)count;
  *input = (sasuka_tensor){from->numbers + first * from->size, SASUKA_FLOAT32, from->rank, from->shape, NULL};
  *target = (sasuka_tensor){from->labels + first, SASUKA_INT32, 1, &labels, NULL};
}

/* ---- The network ----------------------------------------------------------------------------------------------- */

static sasuka_status status; /* of the last layer; once one has failed, the others are skipped */
#define LAYER(call) if (status == SASUKA_OK) status = (call)

static sasuka_value convolution(sasuka_graph *graph, sasuka_value x, const char *name, int64_t channels, int64_t kernel) {
  char norm[64];
  snprintf(norm, sizeof norm, "%s_bn", name);
  LAYER(sasuka_graph_convolution(graph, x, name, channels, kernel, kernel, NULL, &x));
  LAYER(sasuka_graph_batch_norm(graph, x, norm, NULL, &x));
  return x;
}

/* Without padding, so that it sees the same in a crop and at that place of a larger picture: [batch, 1, 28, 28] -> [batch, 5]. */
static sasuka_model *create_network(void) {
  const int64_t picture[3] = {1, PICTURE_SIDE, PICTURE_SIDE};
  sasuka_graph *graph = NULL;
  sasuka_value x = 0, y = 0;
  LAYER(sasuka_graph_create(picture, 3, &graph, &x));
  x = convolution(graph, x, "stem", 16, 5);
  LAYER(sasuka_graph_activation(graph, x, "stem_relu", SASUKA_RELU, 0, &x));
  LAYER(sasuka_graph_max_pool(graph, x, "pool0", 2, 2, NULL, &x));
  y = convolution(graph, x, "block.conv0", 16, 1);
  LAYER(sasuka_graph_activation(graph, y, "block.relu0", SASUKA_RELU, 0, &y));
  y = convolution(graph, y, "block.conv1", 16, 1);
  LAYER(sasuka_graph_add(graph, y, x, "block.add", &x));
  LAYER(sasuka_graph_activation(graph, x, "block.relu1", SASUKA_RELU, 0, &x));
  x = convolution(graph, x, "top", 32, 3);
  LAYER(sasuka_graph_activation(graph, x, "top_relu", SASUKA_RELU, 0, &x));
  LAYER(sasuka_graph_max_pool(graph, x, "pool1", 2, 2, NULL, &x));
  LAYER(sasuka_graph_flatten(graph, x, "flatten", 1, &x));
  LAYER(sasuka_graph_linear(graph, x, "fc0", 64, true, &x));
  LAYER(sasuka_graph_activation(graph, x, "fc0_relu", SASUKA_RELU, 0, &x));
  LAYER(sasuka_graph_linear(graph, x, "fc1", KINDS, true, &x));
  LAYER(sasuka_graph_set_output(graph, x));
  sasuka_model *model = NULL;
  LAYER(sasuka_model_create_from_graph(graph, NULL, &model));
  check(status);
  sasuka_graph_destroy(graph);
  return model;
}

/* Output size, receptive field, parameters and multiply-adds of every layer. */
static void show_layers(const sasuka_model *model) {
  size_t count = 0;
  check(sasuka_model_layers(model, NULL, 0, NULL, sizeof(sasuka_layer_info), 0, &count));
  sasuka_layer_info *layers = allocate(count * sizeof *layers);
  check(sasuka_model_layers(model, NULL, 0, layers, sizeof *layers, count, &count));
  printf("%-16s %-20s %14s %9s %11s %14s\n", "layer", "kind", "output", "sees", "parameters", "multiply-adds");
  for (size_t i = 0; i < count; i++) {
    char shape[64] = "";
    for (int axis = 1, at = 0; axis < layers[i].rank; axis++)
      at += snprintf(shape + at, sizeof shape - (size_t)at, axis > 1 ? " x %d" : "%d", (int)layers[i].shape[axis]);
    printf("%-16s %-20s %14s %4d x %2d %11d %14d\n", layers[i].name, layers[i].kind, shape, (int)layers[i].field_size[0],
           (int)layers[i].field_size[1], (int)layers[i].parameters, (int)layers[i].multiply_adds);
  }
  free(layers);
}

/* ---- Training -------------------------------------------------------------------------------------------------- */

/* A trainer of the whole network, or of what lies behind a module, whose results are then its input. */
static sasuka_trainer *create_trainer(sasuka_model *model, const char *from_module) {
  sasuka_train_options options;
  sasuka_train_options_init(&options, sizeof options, SASUKA_ADAM);
  options.learning_rate = 0.002;
  options.from_module = from_module;
  sasuka_trainer *trainer = NULL;
  check(sasuka_trainer_create(model, &options, &trainer));
  return trainer;
}

static void train(sasuka_trainer *trainer, samples *all, int epochs) {
  sasuka_tensor input, target;
  for (int epoch = 0; epoch < epochs; epoch++)
    for (size_t first = 0; first + BATCH <= all->count; first += BATCH) {
      double loss;
      batch(all, first, BATCH, &input, &target);
      check(sasuka_trainer_step(trainer, &input, &target, &loss));
    }
}

/* Share of the samples whose class has the highest score. */
static double accuracy(sasuka_trainer *trainer, samples *all) {
  sasuka_tensor input, target;
  sasuka_evaluation found;
  batch(all, 0, all->count, &input, &target);
  check(sasuka_trainer_evaluate(trainer, &input, &target, &found));
  return (double)found.top1 / (double)found.samples;
}

static double accuracy_of(sasuka_model *model, samples *all) {
  sasuka_trainer *trainer = create_trainer(model, NULL);
  double share = accuracy(trainer, all);
  sasuka_trainer_destroy(trainer);
  return share;
}

/* How large the loss's gradient with respect to what some modules compute is, in one step. */
static void show_gradients(sasuka_model *model, samples *all) {
  static const char *const modules[3] = {"pool0", "pool1", "fc1"};
  sasuka_trainer *trainer = create_trainer(model, NULL);
  check(sasuka_trainer_watch(trainer, modules, 3));
  sasuka_tensor input, target;
  double loss;
  batch(all, 0, BATCH, &input, &target);
  check(sasuka_trainer_forward_backward(trainer, &input, &target, &loss));
  for (int place = 0; place < 3; place++) {
    int64_t shape[4];
    int32_t rank = 4;
    check(sasuka_trainer_feature_shape(trainer, modules[place], shape, &rank));
    size_t count = 1;
    for (int axis = 0; axis < rank; axis++) count *= (size_t)shape[axis];
    float *numbers = allocate(count * sizeof(float));
    sasuka_tensor gradient = {numbers, SASUKA_FLOAT32, rank, shape, NULL};
    check(sasuka_trainer_feature_gradient(trainer, modules[place], &gradient));
    double squares = 0;
    for (size_t i = 0; i < count; i++) squares += (double)numbers[i] * numbers[i];
    printf("gradient behind %s: norm %.4f\n", modules[place], sqrt(squares));
    free(numbers);
  }
  sasuka_trainer_destroy(trainer);
}

/* ---- Changing the network -------------------------------------------------------------------------------------- */

/* The classifier as convolutions, on four pictures side by side: its map of scores beside the scores of crops. */
static void slide(sasuka_model *model, const samples *all) {
  sasuka_model *sliding = NULL;
  check(sasuka_model_make_convolutional(model, &sliding));
  static float large[LARGE_SIDE * LARGE_SIDE], crop[PICTURE_PIXELS];
  for (int y = 0; y < LARGE_SIDE; y++)
    for (int x = 0; x < LARGE_SIDE; x++) {
      int picture = 2 * (y / PICTURE_SIDE) + x / PICTURE_SIDE;
      large[y * LARGE_SIDE + x] =
          all->numbers[picture * PICTURE_PIXELS + y % PICTURE_SIDE * PICTURE_SIDE + x % PICTURE_SIDE];
    }
  const int64_t large_shape[4] = {1, 1, LARGE_SIDE, LARGE_SIDE}, crop_shape[4] = {1, 1, PICTURE_SIDE, PICTURE_SIDE};
  int64_t map_shape[4], score_shape[2] = {1, KINDS};
  int32_t rank = 4;
  check(sasuka_model_output_shape(sliding, large_shape, 4, map_shape, &rank));
  int rows = (int)map_shape[2], columns = (int)map_shape[3], step = (LARGE_SIDE - PICTURE_SIDE) / (rows - 1);
  float *map = allocate((size_t)(KINDS * rows * columns) * sizeof(float));
  sasuka_tensor input = {large, SASUKA_FLOAT32, 4, large_shape, NULL}, scores = {map, SASUKA_FLOAT32, 4, map_shape, NULL};
  check(sasuka_model_forward(sliding, &input, &scores));
  double largest = 0, difference = 0;
  for (int row = 0; row < rows; row++)
    for (int column = 0; column < columns; column++) {
      float own[KINDS];
      for (int y = 0; y < PICTURE_SIDE; y++)
        memcpy(crop + y * PICTURE_SIDE, large + (row * step + y) * LARGE_SIDE + column * step, PICTURE_SIDE * sizeof(float));
      sasuka_tensor part = {crop, SASUKA_FLOAT32, 4, crop_shape, NULL}, result = {own, SASUKA_FLOAT32, 2, score_shape, NULL};
      check(sasuka_model_forward(model, &part, &result));
      for (int kind = 0; kind < KINDS; kind++) {
        double here = map[(kind * rows + row) * columns + column];
        largest = fmax(largest, fabs(own[kind]));
        difference = fmax(difference, fabs(here - own[kind]));
      }
    }
  printf("sliding over %d x %d: %d x %d scores, within %.1e of the crops'\n", LARGE_SIDE, LARGE_SIDE, rows, columns,
         difference / largest);
  free(map);
  sasuka_model_destroy(sliding);
}

/* What a module computes for all samples: computed once, used in every epoch. */
static samples compute_features(sasuka_model *model, samples *of, const char *module) {
  sasuka_session_options options;
  sasuka_session_options_init(&options, sizeof options);
  options.to_module = module;
  sasuka_session *session = NULL;
  sasuka_tensor input, target;
  batch(of, 0, of->count, &input, &target);
  check(sasuka_session_create(model, input.shape, input.rank, &options, &session));
  samples made = {NULL, NULL, of->count, 1, {0}, 4};
  check(sasuka_session_output_shape(session, made.shape, &made.rank));
  for (int axis = 1; axis < made.rank; axis++) made.size *= (size_t)made.shape[axis];
  made.numbers = allocate(made.count * made.size * sizeof(float));
  made.labels = allocate(made.count * sizeof(int32_t));
  memcpy(made.labels, of->labels, made.count * sizeof(int32_t));
  sasuka_tensor output = {made.numbers, SASUKA_FLOAT32, made.rank, made.shape, NULL};
  check(sasuka_session_run(session, &input, &output));
  sasuka_session_destroy(session);
  return made;
}

/* A new head for the other classes, trained on frozen features. */
static void transfer(sasuka_model *model, samples *known_tests, const char *folder, size_t pictures, int epochs) {
  samples few = read_samples(folder, "train", KINDS, pictures / 4), tests = read_samples(folder, "t10k", KINDS, TESTS);
  sasuka_model *other = NULL;
  check(sasuka_model_replace_head(model, KINDS, 1, &other));
  samples features = compute_features(other, &few, "flatten"), test_features = compute_features(other, &tests, "flatten");
  sasuka_trainer *trainer = create_trainer(other, "flatten");
  double before = accuracy(trainer, &test_features);
  train(trainer, &features, 4 * epochs);
  printf("other classes: accuracy %.3f, %.3f with a head trained on %zu pictures' features\n", before,
         accuracy(trainer, &test_features), few.count);
  printf("known classes still: accuracy %.3f\n", accuracy_of(model, known_tests));
  sasuka_trainer_destroy(trainer);
  sasuka_model_destroy(other);
  free_samples(&few);
  free_samples(&tests);
  free_samples(&features);
  free_samples(&test_features);
}

static long option(int count, char **arguments, const char *name, long otherwise) {
  for (int i = 1; i + 1 < count; i++)
    if (strcmp(arguments[i], name) == 0) return strtol(arguments[i + 1], NULL, 10);
  return otherwise;
}

int main(int count, char **arguments) {
  const char *folder = NULL;
  for (int i = 1; i + 1 < count; i++)
    if (strcmp(arguments[i], "--data") == 0) folder = arguments[i + 1];
  long pictures = option(count, arguments, "--pictures", 6000), epochs = option(count, arguments, "--epochs", 2);
  if (folder == NULL || pictures < 4 * BATCH || epochs < 1) {
    fprintf(stderr, "usage: course --data FOLDER [--pictures N, from %d] [--epochs N]\n", 4 * BATCH);
    return 2;
  }
  samples known = read_samples(folder, "train", 0, (size_t)pictures), tests = read_samples(folder, "t10k", 0, TESTS);
  sasuka_model *model = create_network(), *changed = NULL;
  show_layers(model);

  sasuka_trainer *trainer = create_trainer(model, NULL);
  train(trainer, &known, (int)epochs);
  sasuka_trainer_destroy(trainer);
  printf("known classes: accuracy %.3f\n", accuracy_of(model, &tests));
  show_gradients(model, &known);

  const char *const block[1] = {"block"};
  check(sasuka_model_ablate(model, block, 1, SASUKA_ABLATE_BYPASS, &changed));
  printf("without the block: accuracy %.3f\n", accuracy_of(changed, &tests));
  sasuka_model_destroy(changed);

  check(sasuka_model_replace_max_pool(model, "pool*", SASUKA_POOL_CONVOLUTION, &changed));
  printf("convolutions for poolings: accuracy %.3f", accuracy_of(changed, &tests));
  trainer = create_trainer(changed, NULL);
  train(trainer, &known, 1);
  printf(", %.3f after an epoch\n", accuracy(trainer, &tests));
  sasuka_trainer_destroy(trainer);
  sasuka_model_destroy(changed);

  slide(model, &tests);
  transfer(model, &tests, folder, (size_t)pictures, (int)epochs);
  sasuka_model_destroy(model);
  free_samples(&known);
  free_samples(&tests);
  return 0;
}
