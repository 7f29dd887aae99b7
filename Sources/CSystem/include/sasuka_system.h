/* The few C declarations that the engine needs from the system, as inlines that Swift can call. */
#ifndef SASUKA_SYSTEM_H
#define SASUKA_SYSTEM_H

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <xmmintrin.h>

/** The calling thread's errno; Swift does not import the macro. */
static inline int sasuka_errno(void) { return errno; }

/** Monotonic time in nanoseconds. */
static inline uint64_t sasuka_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/** A count that goes up by one to five in a nanosecond, and is read in a quarter of the time of a clock. */
static inline uint64_t sasuka_ticks(void) { return __builtin_ia32_rdtsc(); }

/** From so many bytes on, memory comes from the system itself, zeroed when it is first touched. */
#define SASUKA_LARGE_MEMORY ((size_t)1 << 20)

/** The system's large pages, and its small ones. */
#define SASUKA_LARGE_PAGE ((size_t)2 << 20)
#define SASUKA_PAGE ((size_t)4096)

/** Asks for large pages where the memory has not been touched. It lies in what sasuka_allocate_zeroed() gave, which begins with
 * a large page, so the one that this begins in is asked for as a whole. */
static inline void sasuka_prefer_large_pages(void *memory, size_t bytes) {
  size_t before = (size_t)memory & (SASUKA_LARGE_PAGE - 1);
  if (bytes >= SASUKA_LARGE_PAGE) madvise((char *)memory - before, before + bytes, MADV_HUGEPAGE);
}

/** Zeroed memory aligned to 64 bytes, or NULL; much of it begins with a large page. Freed with sasuka_free_zeroed(). */
static inline void *sasuka_allocate_zeroed(size_t bytes) {
  void *memory = NULL;
  if (bytes > (size_t)PTRDIFF_MAX - SASUKA_LARGE_PAGE - SASUKA_PAGE) return NULL;
  if (bytes >= SASUKA_LARGE_MEMORY) {
    /* What the system gives begins anywhere, and its first two megabytes would be in small pages. */
    size_t kept = (bytes + SASUKA_PAGE - 1) & ~(SASUKA_PAGE - 1), slack = SASUKA_LARGE_PAGE - SASUKA_PAGE;
    char *start = mmap(NULL, kept + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) return NULL;
    size_t before = -(size_t)start & slack;
    if (before > 0) munmap(start, before);
    if (before < slack) munmap(start + before + kept, slack - before);
    return start + before;
  }
  if (posix_memalign(&memory, 64, bytes == 0 ? 64 : bytes) != 0) return NULL;
  return memset(memory, 0, bytes);
}

static inline void sasuka_free_zeroed(void *memory, size_t bytes) {
  if (bytes >= SASUKA_LARGE_MEMORY) {
    munmap(memory, bytes);
  } else {
    free(memory);
  }
}

/** Has the system provide memory at once that is about to be written, instead of page by page when it is; older systems do
 * not know this (Linux 5.14 does) and go on as ever. */
static inline void sasuka_populate(void *memory, size_t bytes) {
  size_t before = (size_t)memory & (SASUKA_PAGE - 1);
  madvise((char *)memory - before, before + bytes, 23 /* MADV_POPULATE_WRITE */);
}

/** Gives back the memory of the pages that lie in it as a whole: anonymous ones are zero at the next touch, a file's are read
 * again. */
static inline void sasuka_forget(const void *memory, size_t bytes) {
  size_t before = -(size_t)memory & (SASUKA_PAGE - 1);
  if (bytes > before) madvise((char *)memory + before, (bytes - before) & ~(SASUKA_PAGE - 1), MADV_DONTNEED);
}

/** open(2) for reading, which does not wait for a pipe's writer; variadic functions are not imported by Swift. */
static inline int sasuka_open_for_reading(const char *path) { return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); }

/** open(2) of a file that must not exist yet, for writing, with the permissions that the process gives new files. */
static inline int sasuka_create_for_writing(const char *path) {
  return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

/** Writes a number with six digits; variadic functions are not imported by Swift. */
static inline int sasuka_format_number(double number, char *text, size_t capacity) {
  return snprintf(text, capacity, "%g", number);
}

/** Tells the core that this is a loop that waits. */
static inline void sasuka_pause(void) { _mm_pause(); }

/** Makes the calling thread treat denormal numbers as zero; returns the mode it had. */
static inline unsigned sasuka_flush_denormals(void) {
  unsigned mode = _mm_getcsr();
  _mm_setcsr(mode | 0x8040u);
  return mode;
}

/** Restores what sasuka_flush_denormals() returned. */
static inline void sasuka_restore_denormals(unsigned mode) { _mm_setcsr(mode); }

/** Starts a thread on which no signal of the host is delivered. */
static inline int sasuka_start_thread(pthread_t *thread, void *(*body)(void *), void *argument) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int status = pthread_create(thread, NULL, body, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return status;
}

/* Calls of the system itself: the C library declares its own only where _GNU_SOURCE changes what other modules see. */

/** The processor that the calling thread runs on, or -1. */
static inline int sasuka_processor(void) {
  unsigned processor = 0;
  return syscall(SYS_getcpu, &processor, NULL, NULL) == 0 ? (int)processor : -1;
}

#define SASUKA_PROCESSOR_WORDS 16

/** The processors that the calling thread may use, as bits, and how many they are: 0 where there may be more than have bits. */
static inline int sasuka_allowed_processors(uint64_t *words) {
  int count = 0;
  memset(words, 0, SASUKA_PROCESSOR_WORDS * sizeof *words);
  if (syscall(SYS_sched_getaffinity, 0, SASUKA_PROCESSOR_WORDS * sizeof *words, words) < 0) return 0;
  for (int word = 0; word < SASUKA_PROCESSOR_WORDS; word++) count += __builtin_popcountll(words[word]);
  return count;
}

/** How many processors the calling thread may use, as `taskset`, containers and hosts allow it. */
static inline int sasuka_allowed_processor_count(void) {
  uint64_t words[SASUKA_PROCESSOR_WORDS];
  int count = sasuka_allowed_processors(words);
  return count > 0 ? count : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/** Has the calling thread, one of so many workers, go on on another of the processors that it may use, if it runs on this one,
 * that of the thread which woke it, and there is another for each worker. To a virtual machine's scheduler its idle processors
 * look busy, so that it lets threads wake where they are called from, and both would take turns for some milliseconds. */
static inline void sasuka_leave_processor(int processor, int workers) {
  uint64_t words[SASUKA_PROCESSOR_WORDS], own;
  if (processor < 0 || sasuka_processor() != processor || sasuka_allowed_processors(words) <= workers) return;
  own = (uint64_t)1 << (processor & 63);
  words[processor >> 6] ^= own;
  if (syscall(SYS_sched_setaffinity, 0, sizeof words, words) != 0) return;
  words[processor >> 6] ^= own;
  syscall(SYS_sched_setaffinity, 0, sizeof words, words);
}

/** The instruction sets that the processor and the system offer: 0 baseline, 1 AVX2 with FMA, 2 AVX-512 F, BW, DQ, VL. */
static inline int sasuka_detect_instruction_set(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  if (!(c & bit_FMA) || !(c & bit_OSXSAVE) || !(c & bit_AVX)) return 0;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & 0x6u) != 0x6u) return 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  if (!(b & bit_AVX2)) return 0;
  unsigned wanted = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  return (low & 0xe6u) == 0xe6u && (b & wanted) == wanted ? 2 : 1;
}

/** Vectors of 16 floats that a core with AVX-512 multiplies at once: Intel's servers have two units for it, AMD's Zen 4 one.
    Zen 5 has two and was not measured; it counts as Zen 4, whose caches it has. */
static inline int sasuka_detect_wide_products(void) {
  unsigned a, b, c, d;
  return __get_cpuid(0, &a, &b, &c, &d) && b == signature_INTEL_ebx ? 2 : 1;
}

/** A key whose values the C library itself frees when a thread ends: the library may have been unloaded by then. */
static inline int sasuka_make_thread_key(pthread_key_t *key) { return pthread_key_create(key, free); }

#endif
