/* What this core can do: multiply-adds in independent registers, and floats streamed from memory, by the vectors that the
 * flags of the compilation allow. Prints GFLOP/s and GB/s, each the best of many short trials. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef __AVX512F__
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif
/* Enough to hide the latency of an FMA on two ports, few enough for the registers. Each a variable of its own: GCC keeps an
 * array in memory, and shows a third of the peak. */
#define EACH_CHAIN(does) does(0) does(1) does(2) does(3) does(4) does(5) does(6) does(7) does(8) does(9) does(10) does(11)
#define ONE(chain) +1
#define CHAINS (0 EACH_CHAIN(ONE))
#define ROUNDS 20000
#define TRIALS 300
/* Floats in all, far beyond any cache, and in the piece that is timed at once. */
#define STREAM ((size_t)64 << 20)
#define PIECE ((size_t)3 << 20)

typedef float vector __attribute__((vector_size(LANES * 4)));

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static float multiply_adds(void) {
  vector factor, term;
  for (int lane = 0; lane < LANES; lane++) factor[lane] = 0.999f, term[lane] = 0.001f;
#define START(chain) vector sum##chain = factor + (float)chain;
/* The compiler must not see that all rounds could be joined. */
#define MULTIPLY_ADD(chain) \
  sum##chain = sum##chain * factor + term; \
  __asm__ volatile("" : "+x"(sum##chain));
#define ADD(chain) +sum##chain[0]
  EACH_CHAIN(START)
  for (int round = 0; round < ROUNDS; round++) {
    EACH_CHAIN(MULTIPLY_ADD)
  }
  return 0 EACH_CHAIN(ADD);
}

static float stream(const float *floats) {
  vector sums[CHAINS] = {{0}};
  const vector *vectors = (const vector *)floats;
  size_t count = PIECE / LANES / CHAINS;
  for (size_t place = 0; place < count; place++)
#pragma GCC unroll 12
    for (int chain = 0; chain < CHAINS; chain++) sums[chain] += vectors[place * CHAINS + (size_t)chain];
  float sum = 0;
  for (int chain = 0; chain < CHAINS; chain++) sum += sums[chain][0];
  return sum;
}

int main(void) {
  volatile float kept;
  double best = 1e9;
  for (int trial = 0; trial < TRIALS; trial++) {
    double begin = now();
    kept = multiply_adds();
    double time = now() - begin;
    if (time < best) best = time;
  }
  double flops = 2.0 * LANES * CHAINS * ROUNDS / best;
  float *floats = aligned_alloc(64, STREAM * sizeof(float));
  if (floats == NULL) return 1;
  for (size_t place = 0; place < STREAM; place++) floats[place] = 1;
  best = 1e9;
  for (int trial = 0; trial < 4; trial++) {
    for (size_t place = 0; place + PIECE <= STREAM; place += PIECE) {
      double begin = now();
      kept = stream(floats + place);
      double time = now() - begin;
      if (time < best) best = time;
    }
  }
  (void)kept;
  free(floats);
  printf("%.2f %.2f\n", flops * 1e-9, PIECE * sizeof(float) / best * 1e-9);
  return 0;
}
