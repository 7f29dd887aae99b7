/* One epoch through the C interface, for epoch.py: epoch PICTURES LABELS ORDER STEPS BATCH, files of float32, int32 and int64.
   Prints the seconds that the process computed, the seconds that went by, and the last loss. */
#define _POSIX_C_SOURCE 200809L

#include "../Examples/resnet20.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(sasuka_status status) {
  if (status == SASUKA_OK) return;
  fprintf(stderr, "epoch: %s\n", sasuka_last_error());
  exit(1);
}

static void *read_all(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) exit(2);
  size_t size = (size_t)ftell(file);
  void *bytes = malloc(size);
  rewind(file);
  if (bytes == NULL || fread(bytes, 1, size, file) != size) exit(2);
  fclose(file);
  return bytes;
}

static double seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int count, char **arguments) {
  if (count != 6) return 2;
  const float *pictures = read_all(arguments[1]);
  const int32_t *labels = read_all(arguments[2]);
  const int64_t *order = read_all(arguments[3]);
  const int steps = atoi(arguments[4]), batch = atoi(arguments[5]);
  float *x = malloc(sizeof(float) * PICTURE_PIXELS * (size_t)batch);
  int32_t *y = malloc(sizeof(int32_t) * (size_t)batch);
  const int64_t shape[4] = {batch, 1, PICTURE_SIDE, PICTURE_SIDE};
  sasuka_tensor input = {x, SASUKA_FLOAT32, 4, shape, NULL}, target = {y, SASUKA_INT32, 1, shape, NULL};

  sasuka_model *model = NULL;
  check(resnet20_create(1, 1, &model));
  double computed = seconds(CLOCK_PROCESS_CPUTIME_ID), elapsed = seconds(CLOCK_MONOTONIC), loss = 0;
  sasuka_train_options options;
  sasuka_train_options_init(&options, sizeof options, SASUKA_SGD);
  options.learning_rate = 0.01;
  options.momentum = 0.9;
  options.weight_decay = 5e-4;
  sasuka_trainer *trainer = NULL;
  check(sasuka_trainer_create(model, &options, &trainer));
  for (int step = 0; step < steps; step++) {
    for (int i = 0; i < batch; i++) {
      const int64_t picture = order[step * batch + i];
      memcpy(x + i * PICTURE_PIXELS, pictures + picture * PICTURE_PIXELS, sizeof(float) * PICTURE_PIXELS);
      y[i] = labels[picture];
    }
    check(sasuka_trainer_step(trainer, &input, &target, &loss));
  }
  printf("%.6f %.6f %.17g\n", seconds(CLOCK_PROCESS_CPUTIME_ID) - computed, seconds(CLOCK_MONOTONIC) - elapsed, loss);
  return 0;
}
