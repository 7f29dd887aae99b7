/* The table of kernels: the only door between the engine and the instruction-set targets. */
#ifndef SASUKA_KERNELS_H
#define SASUKA_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Every slot is a C function over pointers and sizes. Sizes are counts of elements unless a name says bytes.
   Activations are blocked: [batch][channel block][height][width][V], V = vector_width. */
typedef struct sasuka_kernel_table {
  /** Floats in one vector, and channels in one block of the blocked layout. */
  int32_t vector_width;
} sasuka_kernel_table;

void sasuka_kernels_avx512(sasuka_kernel_table *table);
void sasuka_kernels_avx2(sasuka_kernel_table *table);
void sasuka_kernels_baseline(sasuka_kernel_table *table);

#endif
