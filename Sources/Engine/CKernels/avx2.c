#include "CKernels.h"
#include "variants.h"

#if defined(__x86_64__)
#include <math.h>

#define NAME(x) pk_##x##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define ROWS 6
#define VECTORS 2
#include "kernels.inc"
#endif
