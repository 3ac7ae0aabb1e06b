// Operations that exist once an instruction set; `dispatch.c` chooses.
#pragma once

#include "CKernels.h"

// Rows of scores lie this much further apart than they are long, so that they never lie a power of two apart.
#define PK_ROW_GAP 16

#define PK_VARIANT(set)                                                                                             \
  void pk_matmul_##set(const float *x, int64_t ldx, int64_t rows, pk_matrix w, int64_t first, int64_t last, float *y, \
                       int64_t ldy, bool accumulate);                                                               \
  void pk_rms_norm_##set(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *weight, float epsilon,  \
                         float *y, int64_t ldy);                                                                    \
  void pk_swiglu_##set(const float *x, int64_t ldx, int64_t rows, int64_t n, float *y, int64_t ldy);                \
  void pk_matmul_swiglu_##set(const float *x, int64_t ldx, int64_t rows, pk_matrix w, int64_t n, float *y,          \
                              int64_t ldy);                                                                         \
  void pk_attend_##set(pk_attention attention, float *scratch);

PK_VARIANT(generic)
#if defined(__x86_64__)
PK_VARIANT(avx2)
PK_VARIANT(avx512)
#endif
