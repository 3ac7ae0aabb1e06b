// Read before the kernels' text when it is compiled for the CPU: what CUDA C++ has built in, and what the kernels
// expect a stand-in to define. Nothing here is instrumented when the kernels are checked, only what they do themselves.
#pragma once
#include <math.h>

#include "table.h"

#define QUIET __attribute__((no_sanitize("thread")))
#define EXPORTED __attribute__((visibility("default"), used))

// Neither static nor constant to the compiler: another thread's place is in it after every call of the table.
StandInPlace stand_in_place;
const StandInTable *stand_in_table;

extern "C" {
EXPORTED StandInModule stand_in_module = {&stand_in_place, &stand_in_table, STAND_IN_CHECKED};
}

#define threadIdx (stand_in_place.thread)
#define blockIdx (stand_in_place.block)
#define blockDim (stand_in_place.block_size)
#define gridDim (stand_in_place.grid_size)

#define DEVICE static inline
#define DEVICE_MEMBER inline
#define UNROLL
#define SHARED(type, name) type *name = static_cast<type *>(stand_in_place.shared)
#define KERNEL(name, arguments, threads)                                                   \
  static void name##_body(const arguments p);                                              \
  QUIET static void name##_entry(const void *all) {                                        \
    name##_body(*static_cast<const arguments *>(all));                                     \
  }                                                                                        \
  extern "C" {                                                                             \
  extern const StandInKernel name;                                                         \
  EXPORTED const StandInKernel name = {name##_entry, sizeof(arguments), threads};          \
  }                                                                                        \
  static void name##_body(const arguments p)

#define __launch_bounds__(...)

QUIET static inline void __syncthreads() { stand_in_table->block_barrier(); }
QUIET static inline void __syncwarp(unsigned mask = 0xffffffffu) { stand_in_table->warp_barrier(mask); }

template <typename T> QUIET static inline T __shfl_sync(unsigned mask, T value, int lane, int = 32) {
  unsigned long long bits = 0;
  __builtin_memcpy(&bits, &value, sizeof(T));
  bits = stand_in_table->shuffle(mask, bits, lane & 31);
  __builtin_memcpy(&value, &bits, sizeof(T));
  return value;
}
template <typename T> QUIET static inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int = 32) {
  unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  return __shfl_sync(mask, value, static_cast<int>(thread % 32) ^ lanes);
}

static inline float __uint_as_float(unsigned bits) { return __builtin_bit_cast(float, bits); }
static inline float __int_as_float(int bits) { return __builtin_bit_cast(float, bits); }
static inline unsigned __float_as_uint(float value) { return __builtin_bit_cast(unsigned, value); }
static inline int __float_as_int(float value) { return __builtin_bit_cast(int, value); }

QUIET static inline void load_matrices(unsigned (&to)[4], const void *row) {
  stand_in_table->load_matrices(to, row, 0);
}
QUIET static inline void load_transposed(unsigned (&to)[4], const void *row) {
  stand_in_table->load_matrices(to, row, 1);
}
QUIET static inline void multiply_add(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  stand_in_table->multiply_add(c, a, b0, b1);
}
QUIET static inline void copy_async(void *to, const void *from, bool valid) {
  stand_in_table->copy_async(to, from, valid);
}
QUIET static inline void copy_commit() { stand_in_table->copy_commit(); }
template <int left> QUIET static inline void copy_wait() { stand_in_table->copy_wait(left); }

// To the nearest bf16, ties to even; a NaN becomes the one NaN that the device makes.
static inline unsigned stand_in_round(float value) {
  unsigned bits = __float_as_uint(value);
  if (value != value) return 0x7fff;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
static inline unsigned pack(float low, float high) { return stand_in_round(low) | stand_in_round(high) << 16; }
static inline float power(float x) { return exp2f(x); }
static inline float quotient(float a, float b) { return b < 0x1p126f ? a / b : a * (b == b ? 0.0f : b); }

#if STAND_IN_CHECKED
// The calls that -fsanitize=thread puts before each access, without that sanitizer's own library.
extern "C" {
#define WATCHED(bytes)                                                                                        \
  QUIET __attribute__((used)) void __tsan_read##bytes(void *at) { stand_in_table->touch(at, bytes, 0); }      \
  QUIET __attribute__((used)) void __tsan_write##bytes(void *at) { stand_in_table->touch(at, bytes, 1); }     \
  QUIET __attribute__((used)) void __tsan_unaligned_read##bytes(void *at) {                                   \
    stand_in_table->touch(at, bytes, 0);                                                                      \
  }                                                                                                           \
  QUIET __attribute__((used)) void __tsan_unaligned_write##bytes(void *at) { stand_in_table->touch(at, bytes, 1); }
WATCHED(1)
WATCHED(2)
WATCHED(4)
WATCHED(8)
WATCHED(16)
#undef WATCHED
QUIET __attribute__((used)) void __tsan_init() {}
QUIET __attribute__((used)) void __tsan_func_entry(void *) {}
QUIET __attribute__((used)) void __tsan_func_exit() {}
QUIET __attribute__((used)) void __tsan_vptr_read(void **at) { stand_in_table->touch(at, 8, 0); }
QUIET __attribute__((used)) void __tsan_vptr_update(void **at, void *) { stand_in_table->touch(at, 8, 1); }
QUIET __attribute__((used)) void __tsan_read_range(void *at, unsigned long n) { stand_in_table->touch(at, n, 0); }
QUIET __attribute__((used)) void __tsan_write_range(void *at, unsigned long n) { stand_in_table->touch(at, n, 1); }
QUIET __attribute__((used)) void *__tsan_memcpy(void *to, const void *from, unsigned long n) {
  stand_in_table->touch(from, n, 0);
  stand_in_table->touch(to, n, 1);
  return __builtin_memcpy(to, from, n);
}
QUIET __attribute__((used)) void *__tsan_memmove(void *to, const void *from, unsigned long n) {
  stand_in_table->touch(from, n, 0);
  stand_in_table->touch(to, n, 1);
  return __builtin_memmove(to, from, n);
}
QUIET __attribute__((used)) void *__tsan_memset(void *to, int value, unsigned long n) {
  stand_in_table->touch(to, n, 1);
  return __builtin_memset(to, value, n);
}
}
#endif
