/* Comparing vectors and choosing between their lanes. Swift 6.3 compiles its own comparisons of SIMD types lane by lane,
   and square roots too: a ReLU becomes hundreds of instructions. These are one or two, for each width that the kernels
   have. */
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
  /* Whether a mask holds anywhere. */ \
  SASUKA_VECTOR_FUNCTION int sasuka_any##width(sasuka_mask##width mask) { return __builtin_reduce_or(mask); } \
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
  } \
  SASUKA_VECTOR_FUNCTION sasuka_float##width sasuka_square_root##width(sasuka_float##width a) { \
    return __builtin_elementwise_sqrt(a); \
  } \
  /* Stores past the caches, to an address aligned to the vector. */ \
  SASUKA_VECTOR_FUNCTION void sasuka_stream##width(sasuka_float##width vector, float *place) { \
    __builtin_nontemporal_store(vector, (sasuka_float##width *)place); \
  }

/** After sasuka_stream, before other threads are told. */
SASUKA_VECTOR_FUNCTION void sasuka_end_streams(void) { __builtin_ia32_sfence(); }

/** Calls for a cache line that will be read soon, into the second cache; never faults. */
SASUKA_VECTOR_FUNCTION void sasuka_prefetch(const float *place) { __builtin_prefetch(place, 0, 2); }
/** The same into the first cache. */
SASUKA_VECTOR_FUNCTION void sasuka_prefetch_near(const float *place) { __builtin_prefetch(place, 0, 3); }
/** Calls for `lines` lines of 16 floats, from memory into the second cache, by little code. */
SASUKA_VECTOR_FUNCTION void sasuka_prefetch_lines(const float *place, int64_t lines) {
#pragma clang loop unroll(disable)
  for (; lines > 0; lines--, place += 16) sasuka_prefetch(place);
}

/** A loop's counter as it is, which the compiler does not see through: it neither makes vectors of the loop nor repeats its body,
    which would be code for nothing where memory is what it waits for. */
SASUKA_VECTOR_FUNCTION ptrdiff_t sasuka_one_by_one(ptrdiff_t counter) {
  __asm__ volatile("" : "+r"(counter));
  return counter;
}

SASUKA_VECTORS(4)
SASUKA_VECTORS(8)
SASUKA_VECTORS(16)

/** a0 b0 a1 b1, and a2 b2 a3 b3. */
SASUKA_VECTOR_FUNCTION sasuka_float4 sasuka_low_pairs4(sasuka_float4 a, sasuka_float4 b) {
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
}
SASUKA_VECTOR_FUNCTION sasuka_float4 sasuka_high_pairs4(sasuka_float4 a, sasuka_float4 b) {
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
}

#ifdef __AVX__
/** a * b + c as one instruction in its place in the program: the compiler may not move it. It is written out, for if only its
    result had a place, the compiler would put a factor where the sum was, and copy (three times as long). */
SASUKA_VECTOR_FUNCTION sasuka_float8 sasuka_pinned_multiply_add8(sasuka_float8 a, sasuka_float8 b, sasuka_float8 c) {
  __asm__ volatile("vfmadd231ps %2, %1, %0" : "+x"(c) : "x"(a), "x"(b));
  return c;
}

/** Lane places[lane] of `a` in each lane, which lies in the same half. */
SASUKA_VECTOR_FUNCTION sasuka_float8 sasuka_permute_halves8(sasuka_float8 a, sasuka_mask8 places) {
  return __builtin_ia32_vpermilvarps256(a, places);
}
#endif

/* Lane places[lane] of `a` in each lane; places lie in 0 ..< width. */
#define SASUKA_PERMUTE(width, expression) \
  SASUKA_VECTOR_FUNCTION sasuka_float##width sasuka_permute##width(sasuka_float##width a, sasuka_mask##width places) { \
    expression \
  }
#define SASUKA_PERMUTE_LANES(width) \
  sasuka_float##width result = a; \
  for (int lane = 0; lane < width; lane++) result[lane] = a[places[lane] & (width - 1)]; \
  return result;

SASUKA_PERMUTE(4, SASUKA_PERMUTE_LANES(4))
#ifdef __AVX2__
SASUKA_PERMUTE(8, return __builtin_ia32_permvarsf256(a, places);)
#else
SASUKA_PERMUTE(8, SASUKA_PERMUTE_LANES(8))
#endif
#ifdef __AVX512F__
SASUKA_PERMUTE(16, return __builtin_ia32_permvarsf512(a, places);)
#else
SASUKA_PERMUTE(16, SASUKA_PERMUTE_LANES(16))
#endif

#endif
