/* What strings.ld puts in place of functions of Embedded Swift's String. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Of those for strings of another language's runtime. */
void sasuka_never(void);
__attribute__((visibility("hidden"))) void sasuka_never(void) { __builtin_trap(); }

/* Of the comparison by Unicode's normal forms, which takes 7 KB, and its tables 36: names of parameters and keys of files are
   compared byte by byte here, as PyTorch and every file format do. `expecting` is 0 where it is asked whether the strings are equal,
   and 1 where whether the left one is less. */
_Bool sasuka_compare(const uint8_t *left, ptrdiff_t left_count, const uint8_t *right, ptrdiff_t right_count,
                     uint8_t expecting);
__attribute__((visibility("hidden"))) _Bool sasuka_compare(const uint8_t *left, ptrdiff_t left_count,
                                                           const uint8_t *right, ptrdiff_t right_count,
                                                           uint8_t expecting) {
  if (expecting == 0 && left_count != right_count) return 0;
  ptrdiff_t shorter = left_count < right_count ? left_count : right_count;
  int order = shorter > 0 ? memcmp(left, right, (size_t)shorter) : 0;
  if (expecting == 0) return order == 0;
  return order < 0 || (order == 0 && left_count < right_count);
}
