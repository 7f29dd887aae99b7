/* A host that loads the library as a plugin and looks at its manners: unloading, several copies, forks, the host's own
   threads, idleness, cancellation from another thread. Usage: host LIBRARY COPY, two files with the same content. */
#define _GNU_SOURCE
#include "sasuka.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FUNCTIONS(X) \
  X(graph_create) X(graph_destroy) X(graph_convolution) X(graph_batch_norm) X(graph_flatten) X(graph_linear) \
  X(graph_set_output) X(model_create_from_graph) X(model_destroy) X(model_forward) X(model_options_init) \
  X(model_save_weights_to_memory) X(convolution_options_init) X(last_error) X(trainer_create) X(trainer_destroy) \
  X(trainer_step) X(train_options_init)

/* One loaded copy of the library. */
typedef struct library {
  void *handle;
#define FIELD(name) __typeof__(&sasuka_##name) name;
  FUNCTIONS(FIELD)
} library;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "host: %s: %s\n", what, why);
  exit(1);
}

static library load(const char *path) {
  library l;
  l.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (l.handle == NULL) fail("dlopen", dlerror());
#define FIND(name) \
  *(void **)&l.name = dlsym(l.handle, "sasuka_" #name); \
  if (l.name == NULL) fail(#name, dlerror());
  FUNCTIONS(FIND)
  return l;
}

static void check(const library *l, sasuka_status status, const char *what) {
  if (status != SASUKA_OK) fail(what, l->last_error());
}

enum { CHANNELS = 8, CLASSES = 3 };

static sasuka_model *make(const library *l, int64_t side, int64_t width, const sasuka_model_options *options) {
  const int64_t shape[3] = {CHANNELS, side, side};
  sasuka_graph *graph = NULL;
  sasuka_model *model = NULL;
  sasuka_value x = 0;
  sasuka_convolution_options convolution;
  l->convolution_options_init(&convolution, sizeof convolution);
  convolution.padding_mode = SASUKA_PADDING_SAME;
  check(l, l->graph_create(shape, 3, &graph, &x), "graph");
  check(l, l->graph_convolution(graph, x, "conv", width, 5, 5, &convolution, &x), "convolution");
  check(l, l->graph_batch_norm(graph, x, "bn", NULL, &x), "batch norm");
  check(l, l->graph_convolution(graph, x, "conv2", width, 5, 5, &convolution, &x), "convolution");
  check(l, l->graph_flatten(graph, x, NULL, 1, &x), "flatten");
  check(l, l->graph_linear(graph, x, "fc", CLASSES, true, &x), "linear");
  check(l, l->graph_set_output(graph, x), "output");
  check(l, l->model_create_from_graph(graph, options, &model), "model");
  l->graph_destroy(graph);
  return model;
}

static float forward(const library *l, sasuka_model *model, int64_t side) {
  size_t count = (size_t)(2 * CHANNELS * side * side);
  float *pixels = malloc(count * sizeof *pixels), logits[2 * CLASSES] = {0};
  for (size_t i = 0; i < count; i++) pixels[i] = (float)(i % 13) / 13;
  const int64_t shape[4] = {2, CHANNELS, side, side}, result[2] = {2, CLASSES};
  sasuka_tensor input = {pixels, SASUKA_FLOAT32, 4, shape, NULL}, output = {logits, SASUKA_FLOAT32, 2, result, NULL};
  check(l, l->model_forward(model, &input, &output), "forward");
  free(pixels);
  return logits[0] + 2 * logits[4];
}

static sasuka_model_options options_with(const library *l, int32_t threads) {
  sasuka_model_options options;
  l->model_options_init(&options, sizeof options);
  options.threads = threads;
  options.seed = 7;
  return options;
}

static int threads_of_process(void) {
  int count = 0;
  char line[256];
  FILE *status = fopen("/proc/self/status", "r");
  while (status != NULL && fgets(line, sizeof line, status) != NULL) sscanf(line, "Threads: %d", &count);
  if (status != NULL) fclose(status);
  return count;
}

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

/* The first page that the library asks to be read-only once the addresses in it are known. */
static int find_protected_page(struct dl_phdr_info *object, size_t size, void *page) {
  (void)size;
  if (strstr(object->dlpi_name, "libsasuka") == NULL) return 0;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    if (object->dlpi_phdr[i].p_type == PT_GNU_RELRO)
      *(uintptr_t *)page = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;
  }
  return 1;
}

/* The library writes its own addresses when it is loaded, and leaves them read-only. */
static void protects_its_addresses(void) {
  uintptr_t page = 0, start, end;
  char line[4096], permissions[5] = "";
  if (dl_iterate_phdr(find_protected_page, &page) == 0 || page == 0) fail("loading", "no pages are to be protected");
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, permissions) == 3 && page >= start && page < end) break;
  }
  if (maps != NULL) fclose(maps);
  if (strcmp(permissions, "r--p") != 0) fail("loading: pages of addresses are not read-only", permissions);
}

/* ---- Unloading --------------------------------------------------------------------------------------------------- */

static pthread_barrier_t unloaded;

/* Leaves a message of the library behind in a thread that ends after the library has gone. */
static void *outlive(void *argument) {
  const library *l = argument;
  if (l->model_forward(NULL, NULL, NULL) == SASUKA_OK || l->last_error()[0] == 0) fail("outlive", "no error");
  pthread_barrier_wait(&unloaded);
  pthread_barrier_wait(&unloaded);
  return NULL;
}

static void unloads_without_a_trace(const char *path) {
  float first = 0;
  /* More often than a process may have keys for threads. */
  for (int i = 0; i < 1100; i++) {
    library l = load(path);
    pthread_t thread;
    bool outlives = i % 100 == 0;
    if (outlives) {
      pthread_barrier_init(&unloaded, NULL, 2);
      pthread_create(&thread, NULL, outlive, &l);
      pthread_barrier_wait(&unloaded);
    }
    if (i % 50 == 0) {
      sasuka_model_options options = options_with(&l, 3);
      sasuka_model *model = make(&l, 6, 16, &options);
      float value = forward(&l, model, 6);
      if (i == 0) first = value;
      if (value != first) fail("unload", "another result after loading again");
      l.model_destroy(model);
    }
    if (l.model_forward(NULL, NULL, NULL) != SASUKA_INVALID_ARGUMENT || strstr(l.last_error(), "NULL") == NULL)
      fail("unload", "no message");
    dlclose(l.handle);
    if (outlives) {
      pthread_barrier_wait(&unloaded);
      pthread_join(thread, NULL);
    }
  }
  int left = threads_of_process();
  if (left != 1) fprintf(stderr, "host: %d threads\n", left), fail("unload", "threads are left");
}

/* ---- Copies, forks, the host's threads --------------------------------------------------------------------------- */

static void two_copies_live_together(const char *path, const char *copy) {
  library a = load(path), b = load(copy);
  if (a.model_forward == b.model_forward) fail("copies", "both are one");
  sasuka_model_options in_a = options_with(&a, 2), in_b = options_with(&b, 3);
  sasuka_model *one = make(&a, 6, 16, &in_a), *other = make(&b, 6, 16, &in_b);
  if (forward(&a, one, 6) != forward(&b, other, 6)) fail("copies", "different results");
  a.model_destroy(one);
  dlclose(a.handle);
  forward(&b, other, 6);
  b.model_destroy(other);
  dlclose(b.handle);
}

static void goes_on_after_a_fork(const library *l) {
  sasuka_model_options options = options_with(l, 4);
  sasuka_model *model = make(l, 6, 16, &options);
  float expected = forward(l, model, 6);
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    bool same = forward(l, model, 6) == expected;
    l->model_destroy(model);
    _exit(same ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail("fork", "the child did not give the same");
  if (forward(l, model, 6) != expected) fail("fork", "the parent did not give the same");
  l->model_destroy(model);
}

/* Forks when a run has begun. */
static bool fork_once(const sasuka_progress *progress, void *user_data) {
  pid_t *child = user_data;
  if (*child < 0 && progress->done > 0) *child = fork();
  if (*child == 0) alarm(60);
  return true;
}

static void goes_on_after_a_fork_by_a_callback(const library *l) {
  pid_t child = -1;
  sasuka_model_options options = options_with(l, 4);
  options.progress = fork_once;
  options.progress_user_data = &child;
  sasuka_model *model = make(l, 96, 128, &options);
  /* The first run packs, which is no step of its own; a callback comes every 20 ms. */
  float expected = forward(l, model, 96), found = expected;
  for (int run = 0; run < 100 && child < 0; run++) found = forward(l, model, 96);
  if (child == 0) _exit(found == expected ? 0 : 1);
  if (child < 0) fail("fork by a callback", "no callback came while a run went on");
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail("fork by a callback", "the child did not give the same");
  if (found != expected) fail("fork by a callback", "the parent did not give the same");
  l->model_destroy(model);
}

static atomic_int borrowed;

static void backwards(int64_t count, void (*body)(void *context, int64_t index), void *context, void *user_data) {
  atomic_fetch_add((atomic_int *)user_data, 1);
  for (int64_t i = count - 1; i >= 0; i--) body(context, i);
}

static void borrows_the_hosts_threads(const library *l) {
  sasuka_model_options options = options_with(l, 3);
  sasuka_model *own = make(l, 6, 16, &options);
  float expected = forward(l, own, 6);
  l->model_destroy(own);
  int before = threads_of_process();
  options.parallel_for = backwards;
  options.parallel_for_user_data = &borrowed;
  sasuka_model *model = make(l, 6, 16, &options);
  if (forward(l, model, 6) != expected) fail("parallel_for", "another result");
  if (atomic_load(&borrowed) == 0) fail("parallel_for", "was never called");
  if (threads_of_process() != before) fail("parallel_for", "the library made threads beside the host's");
  l->model_destroy(model);
}

/* ---- Idleness ---------------------------------------------------------------------------------------------------- */

static double processor_seconds(void) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

/* What this process computes does not depend on who else is busy. */
static void sleeps_when_idle(const library *l) {
  sasuka_model_options options = options_with(l, 4);
  sasuka_model *model = make(l, 6, 16, &options);
  forward(l, model, 6);
  if (threads_of_process() < 4) fail("idle", "there is no pool");
  double before = processor_seconds();
  const struct timespec half_a_second = {0, 500000000};
  nanosleep(&half_a_second, NULL);
  double used = processor_seconds() - before;
  if (used > 0.005) fprintf(stderr, "host: %.1f ms\n", used * 1000), fail("idle", "threads that wait compute");
  printf("host: three idle threads computed for %.2f ms in half a second\n", used * 1000);
  l->model_destroy(model);
}

/* ---- Cancellation ------------------------------------------------------------------------------------------------ */

static atomic_bool stop;
static atomic_int asked;

static bool until_stopped(const sasuka_progress *progress, void *user_data) {
  (void)user_data;
  if (progress->struct_size < sizeof *progress || progress->done > progress->total) fail("progress", "wrong numbers");
  atomic_fetch_add(&asked, 1);
  return !atomic_load(&stop);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double stopped_at;

static void *stop_soon(void *unused) {
  (void)unused;
  const struct timespec while_it_works = {0, 400000000};
  nanosleep(&while_it_works, NULL);
  stopped_at = seconds();
  atomic_store(&stop, true);
  return NULL;
}

static void *weights_of(const library *l, const sasuka_model *model, size_t *count) {
  check(l, l->model_save_weights_to_memory(model, NULL, 0, count), "size of the weights");
  void *bytes = malloc(*count);
  check(l, l->model_save_weights_to_memory(model, bytes, *count, count), "weights");
  return bytes;
}

static void stops_when_asked(const library *l) {
  enum { SIDE = 64, BATCH = 16 };
  sasuka_model_options options = options_with(l, 1);
  sasuka_model *model = make(l, SIDE, 96, &options);
  sasuka_train_options training;
  l->train_options_init(&training, sizeof training, SASUKA_SGD);
  training.progress = until_stopped;
  sasuka_trainer *trainer = NULL;
  check(l, l->trainer_create(model, &training, &trainer), "trainer");
  size_t before_count = 0, after_count = 0;
  void *before = NULL;
  float *pixels = calloc((size_t)BATCH * CHANNELS * SIDE * SIDE, sizeof *pixels);
  int32_t labels[BATCH] = {0};
  const int64_t shape[4] = {BATCH, CHANNELS, SIDE, SIDE}, targets[1] = {BATCH};
  sasuka_tensor input = {pixels, SASUKA_FLOAT32, 4, shape, NULL}, target = {labels, SASUKA_INT32, 1, targets, NULL};
  /* The first step also compiles the network and touches its memory for the first time. */
  double loss = 0;
  check(l, l->trainer_step(trainer, &input, &target, &loss), "first step");
  atomic_store(&asked, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, stop_soon, NULL);
  sasuka_status status = SASUKA_OK;
  /* However fast the machine is, one of these is at work when the other thread says stop. */
  for (int step = 0; step < 100000 && status == SASUKA_OK; ++step) {
    free(before);
    before = weights_of(l, model, &before_count);
    status = l->trainer_step(trainer, &input, &target, &loss);
  }
  double late = seconds() - stopped_at;
  pthread_join(thread, NULL);
  if (status != SASUKA_CANCELLED) fail("cancel", status == SASUKA_OK ? "nobody was asked" : l->last_error());
  if (atomic_load(&asked) < 2) fail("cancel", "the callback was hardly asked");
  void *after = weights_of(l, model, &after_count);
  if (before_count != after_count || memcmp(before, after, before_count) != 0) fail("cancel", "weights changed");
  printf("host: a step was stopped after %.0f ms\n", late * 1000);
  free(before);
  free(after);
  free(pixels);
  l->trainer_destroy(trainer);
  l->model_destroy(model);
}

int main(int count, char **arguments) {
  if (count != 3) fail("usage", "host LIBRARY COPY");
  unloads_without_a_trace(arguments[1]);
  two_copies_live_together(arguments[1], arguments[2]);
  library l = load(arguments[1]);
  protects_its_addresses();
  goes_on_after_a_fork(&l);
  goes_on_after_a_fork_by_a_callback(&l);
  borrows_the_hosts_threads(&l);
  sleeps_when_idle(&l);
  stops_when_asked(&l);
  dlclose(l.handle);
  puts("host: unloading, two copies, fork, the host's threads, idleness and cancellation behave");
  return 0;
}
