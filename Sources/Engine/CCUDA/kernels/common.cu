// What every kernel leans on. Compiled by NVRTC without headers, for one head size and one number format:
//   PCU_HEAD  numbers of a head
//   PCU_BF16  1: weights and activations are bf16; 0: float32
//   PCU_KERNELS  1
// A stand-in for the device, which runs this text on the CPU, defines PCU_STAND_IN and what this section defines.

#ifndef PCU_STAND_IN
#define KERNEL(name, arguments, threads) extern "C" __global__ void __launch_bounds__(threads, 1) name(const arguments p)
#define DEVICE static __device__ __forceinline__
#define DEVICE_MEMBER __device__ __forceinline__
#define SHARED(type, name)                                     \
  extern __shared__ __align__(16) unsigned char shared_bytes[]; \
  type *name = reinterpret_cast<type *>(shared_bytes)
#define UNROLL _Pragma("unroll")

DEVICE unsigned shared_address(const void *pointer) { return static_cast<unsigned>(__cvta_generic_to_shared(pointer)); }

// Copies 16 bytes into shared memory behind the threads' backs; zeros where `valid` is false.
DEVICE void copy_async(void *to, const void *from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(valid ? 16 : 0)
               : "memory");
}
DEVICE void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most `left` of this thread's groups are under way.
template <int left> DEVICE void copy_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(left) : "memory"); }

// Four 8 x 8 matrices of 16-bit numbers; lane i gives the address of row i % 8 of matrix i / 8.
DEVICE void load_matrices(unsigned (&to)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}
DEVICE void load_transposed(unsigned (&to)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}
// c[16, 8] += a[16, 16] b[16, 8], spread over a warp.
DEVICE void multiply_add(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// Two bf16 in one word, the first in its lower half.
DEVICE unsigned pack(float low, float high) {
  unsigned both;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
  return both;
}
// 2^x, to two units in the last place; 0 for minus infinity.
DEVICE float power(float x) {
  float value;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(value) : "f"(x));
  return value;
}
// a / b, to two units in the last place, for b below 2^126; 0 above.
DEVICE float quotient(float a, float b) { return __fdividef(a, b); }
#endif

#if PCU_BF16
DEVICE float widen(pcu_value value) { return __uint_as_float(static_cast<unsigned>(value) << 16); }
DEVICE pcu_value narrow(float value) { return static_cast<pcu_value>(pack(value, 0.0f) & 0xffff); }
#else
DEVICE float widen(pcu_value value) { return value; }
DEVICE pcu_value narrow(float value) { return value; }
#endif

// Numbers of a head in the cache: padded with zeros to whole tensor core operands.
#define PADDED ((PCU_HEAD + 15) / 16 * 16)
#define NEGATIVE_INFINITY __int_as_float(static_cast<int>(0xff800000u))

DEVICE float warp_sum(float value) {
  UNROLL for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
  return value;
}
DEVICE float warp_most(float value) {
  UNROLL for (int offset = 16; offset > 0; offset /= 2) {
    float other = __shfl_xor_sync(0xffffffffu, value, offset);
    value = other > value ? other : value;
  }
  return value;
}

// One value of each thread combined over the block in a fixed order; `places` has room for one a thread.
template <typename T, typename Combine> DEVICE T over_block(T value, T *places, int threads, Combine combine) {
  __syncthreads();
  places[threadIdx.x] = value;
  __syncthreads();
  for (int step = threads / 2; step > 0; step /= 2) {
    if (static_cast<int>(threadIdx.x) < step) {
      places[threadIdx.x] = combine(places[threadIdx.x], places[threadIdx.x + step]);
    }
    __syncthreads();
  }
  return places[0];
}

// A head's keys or values in a layer's part of a block, [PCU_BLOCK][PADDED].
DEVICE long long head_offset(int block, long long block_values, int kv_head, int is_value) {
  return block * block_values + static_cast<long long>(2 * kv_head + is_value) * PCU_BLOCK * PADDED;
}
