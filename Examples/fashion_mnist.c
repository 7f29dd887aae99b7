/* fashion_mnist: trains a ResNet-20 on Fashion-MNIST, saves it, starts afresh from the file and shows that nothing has
   changed. Usage: fashion_mnist --data FOLDER [--epochs N] [--threads N] [--seed N] [--output FOLDER] */
#define _POSIX_C_SOURCE 200809L

#include "idx.h"
#include "resnet20.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 128, TEST_BATCH = 250, SHIFT = 1, PROGRESS_EVERY = 20 };

typedef struct settings {
  const char *data, *output;
  int epochs, threads;
  uint64_t seed;
} settings;

/* Pictures [count, 28, 28] and the class of each. */
typedef struct pictures {
  idx_array images, labels;
  size_t count;
} pictures;

/* What a network says of the test pictures: logits [count, 10] and how many classes are right. */
typedef struct verdict {
  float *logits;
  size_t correct;
} verdict;

static settings read_arguments(int count, char **arguments);
static pictures read_pictures(const char *folder, const char *set, size_t least);
static void train(sasuka_trainer *trainer, const pictures *training, const settings *chosen);
static verdict judge(sasuka_model *model, const pictures *test);
static void show_ten(const verdict *judged, const pictures *test);

static void fail(const char *what) {
  fprintf(stderr, "fashion_mnist: %s\n", what);
  exit(1);
}

static void check(sasuka_status status) {
  if (status == SASUKA_OK) return;
  fprintf(stderr, "fashion_mnist: %s: %s\n", sasuka_status_name(status), sasuka_last_error());
  exit(1);
}

static void *allocate(size_t bytes) {
  void *memory = malloc(bytes);
  if (memory == NULL) fail("out of memory");
  return memory;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void join_path(char *path, size_t capacity, const char *folder, const char *name) {
  int length = snprintf(path, capacity, "%s/%s", folder, name);
  if (length < 0 || (size_t)length >= capacity) fail("a path is too long");
}

static sasuka_trainer *create_trainer(sasuka_model *model, int64_t total_steps, uint64_t seed) {
  sasuka_train_options options;
  sasuka_train_options_init(&options, sizeof options, SASUKA_SGD);
  options.learning_rate = 0.1;
  options.momentum = 0.9;
  options.nesterov = true;
  options.weight_decay = 5e-4;
  options.loss = SASUKA_CROSS_ENTROPY;
  options.seed = seed;
  sasuka_trainer *trainer = NULL;
  check(sasuka_trainer_create(model, &options, &trainer));

  sasuka_schedule_options schedule;
  sasuka_schedule_options_init(&schedule, sizeof schedule, SASUKA_SCHEDULE_ONE_CYCLE);
  schedule.total_steps = total_steps;
  schedule.maximum = 0.1;
  schedule.cycle_momentum = false;
  check(sasuka_trainer_set_schedule(trainer, &schedule));
  return trainer;
}

int main(int count, char **arguments) {
  settings chosen = read_arguments(count, arguments);
  if (mkdir(chosen.output, 0777) != 0 && errno != EEXIST) fail("the output folder cannot be made");
  char weights[4096], checkpoint[4096];
  join_path(weights, sizeof weights, chosen.output, "resnet20.safetensors");
  join_path(checkpoint, sizeof checkpoint, chosen.output, "resnet20.checkpoint");
  pictures training = read_pictures(chosen.data, "train", BATCH);
  pictures test = read_pictures(chosen.data, "t10k", 10);
  printf("sasuka %s, %s; %zu pictures to learn from, %zu to be tested on\n", sasuka_version(), sasuka_instruction_set(),
         training.count, test.count);

  sasuka_model *model = NULL;
  check(resnet20_create(chosen.seed, chosen.threads, &model));
  sasuka_trainer *trainer =
      create_trainer(model, (int64_t)(training.count / BATCH) * chosen.epochs, chosen.seed);
  train(trainer, &training, &chosen);
  verdict trained = judge(model, &test);
  printf("test accuracy %.4f (%zu of %zu) after training\n", (double)trained.correct / (double)test.count,
         trained.correct, test.count);
  check(sasuka_model_save_weights(model, weights));
  check(sasuka_trainer_save_checkpoint(trainer, checkpoint));
  printf("saved %s and %s\n", weights, checkpoint);
  sasuka_trainer_destroy(trainer);
  sasuka_model_destroy(model);

  /* Afresh: other first weights, so that what comes out can only come from the file. */
  model = NULL;
  check(resnet20_create(chosen.seed + 1, chosen.threads, &model));
  check(sasuka_model_load_weights(model, weights, NULL));
  verdict reloaded = judge(model, &test);
  if (memcmp(trained.logits, reloaded.logits, test.count * CLASSES * sizeof(float)) != 0)
    fail("the reloaded network does not say the same as the trained one");
  show_ten(&reloaded, &test);
  sasuka_model_destroy(model);

  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("peak memory %.0f MB\n", (double)usage.ru_maxrss / 1024);
  printf("test accuracy %.4f (%zu of %zu), the same after reloading\n", (double)reloaded.correct / (double)test.count,
         reloaded.correct, test.count);
  free(trained.logits);
  free(reloaded.logits);
  idx_free(&training.images);
  idx_free(&training.labels);
  idx_free(&test.images);
  idx_free(&test.labels);
  return 0;
}

/* ---- Settings and data ------------------------------------------------------------------------------------------- */

static uint64_t number(const char *text, uint64_t least, uint64_t most, const char *name) {
  char *end = NULL;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != 0 || *text == '-' || value < least || value > most) {
    fprintf(stderr, "fashion_mnist: %s: %s is not a number from %llu to %llu\n", name, text, (unsigned long long)least,
            (unsigned long long)most);
    exit(2);
  }
  return value;
}

static settings read_arguments(int count, char **arguments) {
  settings chosen = {NULL, ".", 3, 0, 1};
  for (int i = 1; i < count; i += 2) {
    const char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : NULL;
    if (value == NULL) chosen.data = NULL, i = count;
    else if (strcmp(name, "--data") == 0) chosen.data = value;
    else if (strcmp(name, "--output") == 0) chosen.output = value;
    else if (strcmp(name, "--epochs") == 0) chosen.epochs = (int)number(value, 1, 1000, name);
    else if (strcmp(name, "--threads") == 0) chosen.threads = (int)number(value, 0, 1024, name);
    else if (strcmp(name, "--seed") == 0) chosen.seed = number(value, 0, UINT64_MAX - 1, name);
    else chosen.data = NULL, i = count;
  }
  if (chosen.data == NULL) {
    fputs("usage: fashion_mnist --data FOLDER [--epochs N] [--threads N] [--seed N] [--output FOLDER]\n"
          "FOLDER holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and\n"
          "t10k-labels-idx1-ubyte; Scripts/fetch-fashion-mnist.sh fetches them and prints their folder.\n",
          stderr);
    exit(2);
  }
  return chosen;
}

static pictures read_pictures(const char *folder, const char *set, size_t least) {
  pictures read;
  char name[64], path[4096], message[4352];
  snprintf(name, sizeof name, "%s-images-idx3-ubyte", set);
  join_path(path, sizeof path, folder, name);
  if (!idx_read(path, 3, &read.images, message, sizeof message)) fail(message);
  snprintf(name, sizeof name, "%s-labels-idx1-ubyte", set);
  join_path(path, sizeof path, folder, name);
  if (!idx_read(path, 1, &read.labels, message, sizeof message)) fail(message);

  read.count = read.images.sizes[0];
  if (read.images.sizes[1] != PICTURE_SIDE || read.images.sizes[2] != PICTURE_SIDE) fail("pictures must be 28 x 28");
  if (read.labels.sizes[0] != read.count) fail("there must be as many labels as pictures");
  if (read.count < least) fail("too few pictures");
  for (size_t i = 0; i < read.count; i++)
    if (read.labels.bytes[i] >= CLASSES) fail("labels must be 0 to 9");
  return read;
}

/* ---- Training ---------------------------------------------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t draw(uint64_t *state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

static void shuffle(size_t *order, size_t count, uint64_t *random) {
  for (size_t i = count - 1; i > 0; i--) {
    size_t j = (size_t)(draw(random) % (i + 1)), kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
}

/* Copies a picture shifted by up to SHIFT pixels each way and, every other time, mirrored. */
static void augment(const uint8_t *picture, float *result, uint64_t *random) {
  int down = (int)(draw(random) % (2 * SHIFT + 1)) - SHIFT, right = (int)(draw(random) % (2 * SHIFT + 1)) - SHIFT;
  bool mirrored = draw(random) >> 63;
  for (int y = 0; y < PICTURE_SIDE; y++) {
    for (int x = 0; x < PICTURE_SIDE; x++) {
      int from_y = y - down, from_x = (mirrored ? PICTURE_SIDE - 1 - x : x) - right;
      bool inside = from_y >= 0 && from_y < PICTURE_SIDE && from_x >= 0 && from_x < PICTURE_SIDE;
      result[y * PICTURE_SIDE + x] = normalised_pixel(inside ? picture[from_y * PICTURE_SIDE + from_x] : 0);
    }
  }
}

/* What the progress line needs: sums since the last line, and when training began. */
typedef struct progress {
  bool terminal;
  double begin, last_shown, loss, correct;
  size_t losses, judged;
} progress;

/* On a terminal the line is rewritten; into a file or a pipe goes a line every five seconds. */
static void show_progress(progress *p, size_t step, size_t steps, size_t steps_per_epoch) {
  double now = seconds(), elapsed = now - p->begin;
  if (step < steps && (now - p->last_shown < (p->terminal ? 0.5 : 5) || p->judged == 0)) return;
  double left = elapsed / (double)step * (double)(steps - step);
  printf("%sepoch %.2f of %zu  loss %.4f  accuracy %.3f  %.0f pictures/s  %.0f s left%s", p->terminal ? "\r" : "",
         (double)step / (double)steps_per_epoch, steps / steps_per_epoch, p->loss / (double)p->losses,
         p->judged > 0 ? p->correct / (double)p->judged : 0, (double)(step * BATCH) / elapsed, left,
         p->terminal ? "   " : "\n");
  fflush(stdout);
  p->last_shown = now;
  if (step == steps) return;
  p->loss = p->correct = 0;
  p->losses = p->judged = 0;
}

static void train(sasuka_trainer *trainer, const pictures *training, const settings *chosen) {
  static const int64_t input_shape[4] = {BATCH, 1, PICTURE_SIDE, PICTURE_SIDE}, target_shape[1] = {BATCH};
  size_t *order = allocate(training->count * sizeof *order);
  float *batch = allocate(BATCH * PICTURE_PIXELS * sizeof *batch);
  int32_t labels[BATCH];
  sasuka_tensor input = {batch, SASUKA_FLOAT32, 4, input_shape, NULL};
  sasuka_tensor target = {labels, SASUKA_INT32, 1, target_shape, NULL};
  uint64_t random = chosen->seed;
  size_t steps_per_epoch = training->count / BATCH, steps = steps_per_epoch * (size_t)chosen->epochs;
  progress shown = {.terminal = isatty(fileno(stdout)) != 0, .begin = seconds()};

  for (size_t i = 0; i < training->count; i++) order[i] = i;
  for (size_t step = 0; step < steps; step++) {
    if (step % steps_per_epoch == 0) shuffle(order, training->count, &random);
    for (size_t i = 0; i < BATCH; i++) {
      size_t picture = order[step % steps_per_epoch * BATCH + i];
      augment(training->images.bytes + picture * PICTURE_PIXELS, batch + i * PICTURE_PIXELS, &random);
      labels[i] = training->labels.bytes[picture];
    }
    /* Judged before it is learnt from: an honest accuracy. On some batches only, for it costs a forward pass. */
    if (step % PROGRESS_EVERY == PROGRESS_EVERY - 1) {
      sasuka_evaluation found;
      check(sasuka_trainer_evaluate(trainer, &input, &target, &found));
      shown.correct += (double)found.top1;
      shown.judged += BATCH;
    }
    double loss = 0;
    check(sasuka_trainer_step(trainer, &input, &target, &loss));
    shown.loss += loss;
    shown.losses++;
    show_progress(&shown, step + 1, steps, steps_per_epoch);
  }
  double elapsed = seconds() - shown.begin;
  printf("%strained in %.1f s: %.0f pictures/s\n", shown.terminal ? "\n" : "", elapsed, (double)(steps * BATCH) / elapsed);
  free(order);
  free(batch);
}

/* ---- Judging ----------------------------------------------------------------------------------------------------- */

static verdict judge(sasuka_model *model, const pictures *test) {
  verdict judged = {allocate(test->count * CLASSES * sizeof(float)), 0};
  float *batch = allocate(TEST_BATCH * PICTURE_PIXELS * sizeof *batch);
  for (size_t first = 0; first < test->count; first += TEST_BATCH) {
    size_t size = test->count - first < TEST_BATCH ? test->count - first : TEST_BATCH;
    for (size_t i = 0; i < size * PICTURE_PIXELS; i++)
      batch[i] = normalised_pixel(test->images.bytes[first * PICTURE_PIXELS + i]);
    int64_t input_shape[4] = {(int64_t)size, 1, PICTURE_SIDE, PICTURE_SIDE};
    int64_t output_shape[2] = {(int64_t)size, CLASSES};
    sasuka_tensor input = {batch, SASUKA_FLOAT32, 4, input_shape, NULL};
    sasuka_tensor output = {judged.logits + first * CLASSES, SASUKA_FLOAT32, 2, output_shape, NULL};
    check(sasuka_model_forward(model, &input, &output));
  }
  for (size_t i = 0; i < test->count; i++) {
    float probabilities[CLASSES];
    memcpy(probabilities, judged.logits + i * CLASSES, sizeof probabilities);
    judged.correct += softmax(probabilities) == test->labels.bytes[i];
  }
  free(batch);
  return judged;
}

static void show_ten(const verdict *judged, const pictures *test) {
  printf("picture  is           looks like   probability\n");
  for (size_t i = 0; i < 10; i++) {
    float probabilities[CLASSES];
    memcpy(probabilities, judged->logits + i * CLASSES, sizeof probabilities);
    int likeliest = softmax(probabilities);
    printf("%7zu  %-11s  %-11s  %.4f\n", i, class_names[test->labels.bytes[i]], class_names[likeliest],
           (double)probabilities[likeliest]);
  }
}
