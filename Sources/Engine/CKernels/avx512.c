#include "CKernels.h"
#include "variants.h"

#if defined(__x86_64__)
#include <math.h>

// 12 rows of 2 vectors fill 24 of the 32 registers; two more hold the panel's columns.
#define NAME(x) pk_##x##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma"), min_vector_width(512)))
#define LANES 16
#define ROWS 12
#define VECTORS 2
#include "kernels.inc"
#endif
