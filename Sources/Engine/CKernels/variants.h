// Operations that exist once an instruction set; `dispatch.c` chooses.
#pragma once

#include "CKernels.h"

#define PK_VARIANT(set)                                                                                             \
  void pk_matmul_##set(const float *x, int64_t ldx, int64_t rows, pk_matrix w, int64_t first, int64_t last, float *y, \
                       int64_t ldy, bool accumulate);                                                               \
  void pk_rms_norm_##set(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *weight, float epsilon,  \
                         float *y, int64_t ldy);                                                                    \
  void pk_swiglu_##set(float *gate, const float *up, int64_t n);                                                    \
  void pk_add_##set(float *y, const float *x, int64_t n);                                                           \
  void pk_attend_##set(pk_attention attention, float *scratch);

PK_VARIANT(generic)
#if defined(__x86_64__)
PK_VARIANT(avx2)
PK_VARIANT(avx512)
#endif
