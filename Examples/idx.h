/* idx.h: reads the IDX files in which MNIST and its relatives are published: bytes with one to three axes. */
#ifndef IDX_H
#define IDX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { IDX_MAX_RANK = 3 };

typedef struct idx_array {
  /* Row-major; sizes[0] * ... * sizes[rank - 1] bytes. */
  uint8_t *bytes;
  int rank;
  size_t sizes[IDX_MAX_RANK];
} idx_array;

/* Reads a file of unsigned bytes with `rank` axes. Trusts nothing in it: sizes must agree with the file's length before
   memory is asked for. On failure writes what is wrong to `message` and leaves `array` empty. */
bool idx_read(const char *path, int rank, idx_array *array, char *message, size_t capacity);

void idx_free(idx_array *array);

#ifdef __cplusplus
}
#endif

#endif
