// The instruction set that every processor of the platform has.
#include <math.h>

#include "CKernels.h"
#include "variants.h"

#define NAME(x) pk_##x##_generic
#define TARGET
#define LANES 4
#define ROWS 6
#define VECTORS 2
#include "kernels.inc"
