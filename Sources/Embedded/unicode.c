/* What Embedded Swift's String asks for when it compares text that is not ASCII: Unicode's normal forms.

   Names of parameters and keys of files are compared scalar by scalar here, as PyTorch and every file format do, so
   nothing decomposes and nothing composes. The tables that the toolchain offers instead take 36 KB. */
#include <stdint.h>

/* Combining class 0 and already in normal form, for every scalar. */
uint16_t _swift_stdlib_getNormData(uint32_t scalar);
uint16_t _swift_stdlib_getNormData(uint32_t scalar) {
  (void)scalar;
  return 0;
}

/* No two scalars compose. */
uint32_t _swift_stdlib_getComposition(uint32_t first, uint32_t second);
uint32_t _swift_stdlib_getComposition(uint32_t first, uint32_t second) {
  (void)first;
  (void)second;
  return UINT32_MAX;
}

/* Never asked for what is in normal form; an entry of length 0. */
uint32_t _swift_stdlib_getDecompositionEntry(uint32_t scalar);
uint32_t _swift_stdlib_getDecompositionEntry(uint32_t scalar) {
  (void)scalar;
  return 0;
}

static const uint8_t none[1] = {0};
extern const uint8_t *const _swift_stdlib_nfd_decompositions;
const uint8_t *const _swift_stdlib_nfd_decompositions = none;

/* What strings.ld puts in place of the code for strings of another language's runtime. */
void sasuka_never(void);
__attribute__((visibility("hidden"))) void sasuka_never(void) { __builtin_trap(); }
