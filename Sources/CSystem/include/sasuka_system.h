/* The few C declarations that the engine needs from the system, as inlines that Swift can call. */
#ifndef SASUKA_SYSTEM_H
#define SASUKA_SYSTEM_H

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/** The calling thread's errno; Swift does not import the macro. */
static inline int sasuka_errno(void) { return errno; }

/** Monotonic time in nanoseconds. */
static inline uint64_t sasuka_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/** Memory aligned to 64 bytes, or NULL. Freed with free(). */
static inline void *sasuka_allocate_aligned(size_t bytes) {
  void *memory = NULL;
  if (bytes > (size_t)PTRDIFF_MAX - 4096) return NULL;
  return posix_memalign(&memory, 64, bytes == 0 ? 64 : bytes) == 0 ? memory : NULL;
}

/** open(2) for reading; variadic functions are not imported by Swift. */
static inline int sasuka_open_for_reading(const char *path) { return open(path, O_RDONLY | O_CLOEXEC); }

#endif
