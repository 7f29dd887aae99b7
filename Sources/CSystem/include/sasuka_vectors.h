/* Comparing vectors and choosing between their lanes. Swift 6.3 compiles its own comparisons of SIMD types lane by lane:
   a ReLU becomes hundreds of instructions. These are one or two, for each width that the kernels have. */
#ifndef SASUKA_VECTORS_H
#define SASUKA_VECTORS_H

#define SASUKA_VECTOR_FUNCTION static inline __attribute__((always_inline))

/* Swift sees the types as SIMD4<Float>, SIMD4<Int32> and so on. A mask has -1 where something holds and 0 elsewhere. */
#define SASUKA_VECTORS(width) \
  typedef float sasuka_float##width __attribute__((ext_vector_type(width))); \
  typedef int sasuka_mask##width __attribute__((ext_vector_type(width))); \
  SASUKA_VECTOR_FUNCTION sasuka_mask##width sasuka_less##width(sasuka_float##width a, sasuka_float##width b) { \
    return a < b; \
  } \
  SASUKA_VECTOR_FUNCTION sasuka_mask##width sasuka_at_most##width(sasuka_float##width a, sasuka_float##width b) { \
    return a <= b; \
  } \
  SASUKA_VECTOR_FUNCTION sasuka_mask##width sasuka_unordered##width(sasuka_float##width a) { return a != a; } \
  SASUKA_VECTOR_FUNCTION sasuka_mask##width sasuka_equal##width(sasuka_mask##width a, sasuka_mask##width b) { \
    return a == b; \
  } \
  SASUKA_VECTOR_FUNCTION sasuka_float##width sasuka_select##width(sasuka_mask##width mask, sasuka_float##width yes, \
                                                                  sasuka_float##width no) { \
    return mask ? yes : no; \
  } \
  SASUKA_VECTOR_FUNCTION sasuka_mask##width sasuka_select_integers##width( \
      sasuka_mask##width mask, sasuka_mask##width yes, sasuka_mask##width no) { \
    return mask ? yes : no; \
  }

SASUKA_VECTORS(4)
SASUKA_VECTORS(8)
SASUKA_VECTORS(16)

#endif
