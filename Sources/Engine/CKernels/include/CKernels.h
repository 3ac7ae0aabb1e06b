// The CPU's operations. Every result depends on its own row alone: sums run in one fixed order whatever the batch, the
// tile or the number of threads, so a sequence gets the same bits in any company.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PK_PANEL 32  // output columns of a packed panel, and tokens of a key-value block

// What the running processor was found to have.
typedef enum { PK_GENERIC = 0, PK_AVX2 = 1, PK_AVX512 = 2 } pk_isa;
pk_isa pk_current_isa(void);
// For tests: the calling thread uses a lesser instruction set than the processor has. Returns the one in force.
pk_isa pk_restrict_isa(pk_isa most);

// A matrix [n, k] packed as panels of 32 output columns: [ceil(n / 32)][k][32], zero-padded; float32 or bf16.
typedef struct {
  const void *panels;
  int64_t n;
  int64_t k;
  bool bf16;
} pk_matrix;

int64_t pk_packed_bytes(int64_t n, int64_t k, bool bf16);
// Packs rows [n, k] into `panels` as output columns from `at` on, any column, and leaves the others as they are.
// `source` may be unaligned; source_bf16 says how its numbers are stored, bf16 how they are to be.
void pk_pack(const void *source, bool source_bf16, int64_t n, int64_t k, void *panels, bool bf16, int64_t at);

// y[rows, columns first..<last] (+)= x[rows, k] w^T. `first` is a multiple of 32; y points at column `first` and has
// row stride ldy; columns past w.n are not written.
void pk_matmul(const float *x, int64_t ldx, int64_t rows, pk_matrix w, int64_t first, int64_t last, float *y,
               int64_t ldy, bool accumulate);

// y = x / sqrt(mean(x^2) + epsilon) * weight, each [rows, n].
void pk_rms_norm(const float *x, int64_t ldx, int64_t rows, int64_t n, const float *weight, float epsilon, float *y,
                 int64_t ldy);
// A gated matrix has 16 columns of the gate and 16 of the up projection in each panel.
//   y[rows, n] = silu(gate) * up, out of a product with such a matrix; x and y may be the same rows
void pk_swiglu(const float *x, int64_t ldx, int64_t rows, int64_t n, float *y, int64_t ldy);
//   the product and the gate in one
void pk_matmul_swiglu(const float *x, int64_t ldx, int64_t rows, pk_matrix w, int64_t n, float *y, int64_t ldy);
// Rotates one row of heads, [heads, d] in halves (Hugging Face's layout), by cosines and sines [d / 2].
void pk_rope(float *x, int64_t heads, int64_t d, const float *cosines, const float *sines);
// Row `token` of a packed table [vocabulary, k] into y.
void pk_embed(pk_matrix table, int64_t token, float *y);

// Weighs one row x [modules][slots][rank] of products with the bank's A by a mixture over the slots.
//   delta:   x[m][s][j] *= w[s]
//   factors: h[j] = sum_t w[t] x[m][t][j];  x[m][s][j] = w[s] h[j]
void pk_mix(float *x, int64_t modules, int64_t slots, int64_t rank, const float *weights, bool factors);

// Writes one token's key and value (one head, [d]) into a block: keys as [d][32 tokens], values as
// [ceil(d / 32)][32 tokens][32].
void pk_store_key(float *block, int64_t d, int64_t slot, const float *key);
void pk_store_value(float *block, int64_t d, int64_t slot, const float *value);

// Causal attention of `rows` consecutive positions of one sequence for one key-value head.
//   q, out: [rows, ld] with `group` heads of d numbers that share the head's keys
//   blocks: the sequence's block numbers; block b's keys lie at cache + blocks[b] * stride + key_offset
//   scratch: pk_attend_scratch(first + rows, d) floats
typedef struct {
  const float *q;
  float *out;
  int64_t ldq, ldo;
  int64_t rows, first;
  int64_t group, d;
  const float *cache;
  const int32_t *blocks;
  int64_t stride, key_offset, value_offset;
  float scale;
} pk_attention;
int64_t pk_attend_scratch(int64_t positions, int64_t d);
void pk_attend(pk_attention attention, float *scratch);

// The first largest of n numbers; -1 if any is NaN or none is finite.
int64_t pk_argmax(const float *x, int64_t n);
// log sum exp of n numbers, in double precision.
double pk_log_sum_exp(const float *x, int64_t n);

// A pool of threads. `run` calls body(context, index, lane) for every index below count, indices in any order, and
// returns when all are done; the caller works as lane 0. Not reentrant; one caller at a time.
typedef struct pk_pool pk_pool;
typedef void (*pk_body)(void *context, int64_t index, int64_t lane) __attribute__((swift_attr("@Sendable")));
pk_pool *pk_pool_create(int64_t threads);
void pk_pool_destroy(pk_pool *pool);
void pk_pool_run(pk_pool *pool, int64_t count, pk_body body, void *context);
