// The entry points of libcuda, libcublas and libnvrtc that primed calls, declared here from their documentation, so that
// neither headers nor a toolkit are needed to build; found at run time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parameters.h"

typedef uint64_t pcu_address;  // in device memory
typedef struct pcu_context_object *pcu_context;
typedef struct pcu_stream_object *pcu_stream;
typedef struct pcu_event_object *pcu_event;
typedef struct pcu_module_object *pcu_module;
typedef struct pcu_function_object *pcu_function;
typedef struct pcu_graph_object *pcu_graph;
typedef struct pcu_graph_exec_object *pcu_graph_exec;
typedef struct pcu_blas_object *pcu_blas;
typedef struct pcu_program_object *pcu_program;

// X(symbol in the library, name here, parameters); every function returns 0 for success.
#define PCU_DRIVER(X)                                                                                                  \
  X(cuInit, init, (unsigned flags))                                                                                    \
  X(cuDriverGetVersion, driver_version, (int *version))                                                                \
  X(cuGetErrorName, error_name, (int error, const char **name))                                                        \
  X(cuGetErrorString, error_string, (int error, const char **text))                                                    \
  X(cuDeviceGetCount, device_count, (int *count))                                                                      \
  X(cuDeviceGet, device, (int *device, int ordinal))                                                                   \
  X(cuDeviceGetName, device_name, (char *name, int length, int device))                                                \
  X(cuDeviceGetAttribute, device_attribute, (int *value, int attribute, int device))                                   \
  X(cuDeviceTotalMem_v2, device_memory, (size_t *bytes, int device))                                                   \
  X(cuDevicePrimaryCtxRetain, retain_context, (pcu_context * context, int device))                                     \
  X(cuDevicePrimaryCtxRelease_v2, release_context, (int device))                                                       \
  X(cuCtxSetCurrent, set_context, (pcu_context context))                                                               \
  X(cuMemGetInfo_v2, memory_info, (size_t *free, size_t *total))                                                       \
  X(cuMemAlloc_v2, allocate, (pcu_address * address, size_t bytes))                                                    \
  X(cuMemFree_v2, free_memory, (pcu_address address))                                                                  \
  X(cuMemHostAlloc, allocate_host, (void **address, size_t bytes, unsigned flags))                                     \
  X(cuMemFreeHost, free_host, (void *address))                                                                         \
  X(cuMemcpyHtoDAsync_v2, copy_in, (pcu_address to, const void *from, size_t bytes, pcu_stream stream))                \
  X(cuMemcpyDtoHAsync_v2, copy_out, (void *to, pcu_address from, size_t bytes, pcu_stream stream))                     \
  X(cuMemcpyDtoDAsync_v2, copy_within, (pcu_address to, pcu_address from, size_t bytes, pcu_stream stream))            \
  X(cuMemsetD8Async, set_bytes, (pcu_address at, unsigned char value, size_t bytes, pcu_stream stream))                \
  X(cuStreamCreate, create_stream, (pcu_stream * stream, unsigned flags))                                              \
  X(cuStreamDestroy_v2, destroy_stream, (pcu_stream stream))                                                           \
  X(cuStreamSynchronize, wait_stream, (pcu_stream stream))                                                             \
  X(cuEventCreate, create_event, (pcu_event * event, unsigned flags))                                                  \
  X(cuEventDestroy_v2, destroy_event, (pcu_event event))                                                               \
  X(cuEventRecord, record_event, (pcu_event event, pcu_stream stream))                                                 \
  X(cuEventElapsedTime, elapsed, (float *milliseconds, pcu_event start, pcu_event end))                                \
  X(cuModuleLoadData, load_module, (pcu_module * module, const void *image))                                           \
  X(cuModuleUnload, unload_module, (pcu_module module))                                                                \
  X(cuModuleGetFunction, function, (pcu_function * function, pcu_module module, const char *name))                     \
  X(cuFuncGetAttribute, function_attribute, (int *value, int attribute, pcu_function function))                        \
  X(cuFuncSetAttribute, set_function_attribute, (pcu_function function, int attribute, int value))                     \
  X(cuLaunchKernel, launch,                                                                                            \
    (pcu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,     \
     unsigned block_z, unsigned shared_bytes, pcu_stream stream, void **parameters, void **extra))                     \
  X(cuStreamBeginCapture_v2, begin_capture, (pcu_stream stream, int mode))                                             \
  X(cuStreamEndCapture, end_capture, (pcu_stream stream, pcu_graph * graph))                                           \
  X(cuGraphInstantiateWithFlags, instantiate, (pcu_graph_exec * exec, pcu_graph graph, unsigned long long flags))      \
  X(cuGraphLaunch, launch_graph, (pcu_graph_exec exec, pcu_stream stream))                                             \
  X(cuGraphExecDestroy, destroy_exec, (pcu_graph_exec exec))                                                           \
  X(cuGraphDestroy, destroy_graph, (pcu_graph graph))

#define PCU_BLAS(X)                                                                                                    \
  X(cublasCreate_v2, create, (pcu_blas * handle))                                                                      \
  X(cublasDestroy_v2, destroy, (pcu_blas handle))                                                                      \
  X(cublasGetVersion_v2, version, (pcu_blas handle, int *version))                                                     \
  X(cublasSetStream_v2, set_stream, (pcu_blas handle, pcu_stream stream))                                              \
  X(cublasSetWorkspace_v2, set_workspace, (pcu_blas handle, pcu_address workspace, size_t bytes))                      \
  X(cublasSetMathMode, set_math_mode, (pcu_blas handle, int mode))                                                     \
  X(cublasGemmEx, gemm,                                                                                                \
    (pcu_blas handle, int transpose_a, int transpose_b, int m, int n, int k, const void *alpha, pcu_address a,         \
     int type_a, int lda, pcu_address b, int type_b, int ldb, const void *beta, pcu_address c, int type_c, int ldc,    \
     int compute_type, int algorithm))

#define PCU_COMPILER(X)                                                                                                \
  X(nvrtcVersion, version, (int *major, int *minor))                                                                   \
  X(nvrtcCreateProgram, create,                                                                                        \
    (pcu_program * program, const char *source, const char *name, int headers, const char *const *header_texts,        \
     const char *const *header_names))                                                                                 \
  X(nvrtcDestroyProgram, destroy, (pcu_program * program))                                                             \
  X(nvrtcCompileProgram, compile, (pcu_program program, int count, const char *const *options))                        \
  X(nvrtcGetProgramLogSize, log_size, (pcu_program program, size_t *bytes))                                            \
  X(nvrtcGetProgramLog, log, (pcu_program program, char *log))                                                         \
  X(nvrtcGetCUBINSize, cubin_size, (pcu_program program, size_t *bytes))                                               \
  X(nvrtcGetCUBIN, cubin, (pcu_program program, char *cubin))

#define PCU_MEMBER(symbol, name, parameters) int(*name) parameters;
typedef struct {
  PCU_DRIVER(PCU_MEMBER)
} pcu_driver;
typedef struct {
  PCU_BLAS(PCU_MEMBER)
} pcu_blas_library;
typedef struct {
  PCU_COMPILER(PCU_MEMBER)
} pcu_compiler;
#undef PCU_MEMBER

// Open a library by path or loader name and fill its table. NULL if all went well; else why not, in words that last.
const char *pcu_open_driver(const char *path, pcu_driver *table);
const char *pcu_open_blas(const char *path, pcu_blas_library *table);
const char *pcu_open_compiler(const char *path, pcu_compiler *table);

// The kernels' CUDA C++ source, one text.
const char *pcu_kernel_source(void);
