#include "CCUDA.h"

static const char source[] = {
#embed "include/parameters.h" suffix(, '\n', )
#embed "kernels/common.cu" suffix(, '\n', )
#embed "kernels/rows.cu" suffix(, '\n', )
#embed "kernels/attention.cu" suffix(, '\n', )
#embed "kernels/attention-float32.cu" suffix(, '\n', )
#embed "kernels/choose.cu" suffix(, 0)
};

const char *pcu_kernel_source(void) { return source; }
