// Chooses an instruction set once, when the program starts.
#include "CKernels.h"
#include "variants.h"

static pk_isa found;
// Per thread, so that a test of a lesser set leaves the rest of its process alone.
static _Thread_local pk_isa allowed = PK_AVX512;

__attribute__((constructor)) static void detect(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found = PK_AVX2;
  if (found == PK_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    found = PK_AVX512;
#endif
}

pk_isa pk_current_isa(void) { return allowed < found ? allowed : found; }

pk_isa pk_restrict_isa(pk_isa most) {
  allowed = most;
  return pk_current_isa();
}

#if defined(__x86_64__)
#define CALL(operation, ...)                             \
  switch (pk_current_isa()) {                            \
    case PK_AVX512: pk_##operation##_avx512(__VA_ARGS__); break; \
    case PK_AVX2: pk_##operation##_avx2(__VA_ARGS__); break;     \
    default: pk_##operation##_generic(__VA_ARGS__);      \
  }
#else
#define CALL(operation, ...) pk_##operation##_generic(__VA_ARGS__)
#endif

void pk_matmul(const float *x, int64_t ldx, int64_t rows, pk_matrix w, int64_t first, int64_t last, float *y,
               int64_t ldy, bool accumulate) {
  if (last > w.n) last = w.n;
  CALL(matmul, x, ldx, rows, w, first, last, y, ldy, accumulate)
}

void pk_rms_norm(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *weight, float epsilon, float *y,
                 int64_t ldy) {
  CALL(rms_norm, x, ldx, rows, n, weight, epsilon, y, ldy)
}

void pk_swiglu(const float *x, int64_t ldx, int64_t rows, int64_t n, float *y, int64_t ldy) {
  CALL(swiglu, x, ldx, rows, n, y, ldy)
}

void pk_matmul_swiglu(const float *x, int64_t ldx, int64_t rows, pk_matrix w, int64_t n, float *y, int64_t ldy) {
  CALL(matmul_swiglu, x, ldx, rows, w, n, y, ldy)
}

void pk_attend(pk_attention attention, float *scratch) { CALL(attend, attention, scratch) }
