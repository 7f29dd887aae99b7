#include "idx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_UNSIGNED_BYTE = 8, SIZE_BYTES = 4 };

static bool read_open_file(FILE *file, int rank, idx_array *array, const char **problem);

bool idx_read(const char *path, int rank, idx_array *array, char *message, size_t capacity) {
  memset(array, 0, sizeof *array);
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    snprintf(message, capacity, "%s: %s", path, strerror(errno));
    return false;
  }
  const char *problem = NULL;
  bool read = read_open_file(file, rank, array, &problem);
  if (!read) {
    snprintf(message, capacity, "%s: %s", path, problem);
    idx_free(array);
  }
  fclose(file);
  return read;
}

void idx_free(idx_array *array) {
  free(array->bytes);
  memset(array, 0, sizeof *array);
}

/* The header is 0, 0, the type, the rank, then a big-endian 32-bit size for each axis. */
static bool read_open_file(FILE *file, int rank, idx_array *array, const char **problem) {
  unsigned char header[4 + IDX_MAX_RANK * SIZE_BYTES];
  if (rank < 1 || rank > IDX_MAX_RANK) return *problem = "asked for with an unsupported number of axes", false;
  size_t header_size = 4 + (size_t)rank * SIZE_BYTES;
  if (fread(header, 1, header_size, file) != header_size) return *problem = "too short for an IDX header", false;
  if (header[0] != 0 || header[1] != 0 || header[2] != TYPE_UNSIGNED_BYTE)
    return *problem = "not an IDX file of unsigned bytes (is it still compressed?)", false;
  if (header[3] != rank) return *problem = "another number of axes than expected", false;

  if (fseek(file, 0, SEEK_END) != 0) return *problem = "not a file that can be measured", false;
  long end = ftell(file);
  if (end < (long)header_size || fseek(file, (long)header_size, SEEK_SET) != 0)
    return *problem = "not a file that can be measured", false;
  size_t available = (size_t)end - header_size;

  size_t count = 1;
  for (int axis = 0; axis < rank; axis++) {
    const unsigned char *bytes = header + 4 + axis * SIZE_BYTES;
    size_t size = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
    /* A product that stays within the file's length cannot overflow. */
    if (size == 0 || size > available / count) return *problem = "its sizes do not fit its length", false;
    count *= size;
    array->sizes[axis] = size;
  }
  if (count != available) return *problem = "its sizes do not fit its length", false;

  array->rank = rank;
  array->bytes = malloc(count);
  if (array->bytes == NULL) return *problem = "out of memory", false;
  if (fread(array->bytes, 1, count, file) != count) return *problem = "could not be read to its end", false;
  return true;
}
