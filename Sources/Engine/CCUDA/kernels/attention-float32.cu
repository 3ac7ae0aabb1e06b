#if !PCU_BF16

// In float32 a warp takes a line; a thread scores a key of each block and sums every 32nd number of the values.
DEVICE void attend_line(const pcu_attend &p, const pcu_piece &piece, int line, float *query) {
  const int each = (PADDED + 31) / 32;
  int lane = threadIdx.x % 32;
  Place where = place(p, piece, line);
  const float *q = p.q + static_cast<long long>(where.row) * p.ld + where.head * PCU_HEAD;
  for (int i = lane; i < PADDED; i += 32) query[i] = i < PCU_HEAD ? q[i] : 0.0f;
  __syncwarp();
  float out[each];
  UNROLL for (int i = 0; i < each; i++) out[i] = 0;
  float most = NEGATIVE_INFINITY, sum = 0;
  for (int first = 0; first <= where.limit; first += PCU_BLOCK) {
    int block = p.blocks[piece.blocks + first / PCU_BLOCK];
    const float *keys = p.cache + head_offset(block, p.block_values, blockIdx.y, 0) + lane * PADDED;
    const float *values = p.cache + head_offset(block, p.block_values, blockIdx.y, 1);
    float score = NEGATIVE_INFINITY;
    if (first + lane <= where.limit) {
      score = 0;
      // Unrolled further, it spills registers.
      _Pragma("unroll 4") for (int i = 0; i < PADDED; i++) score += query[i] * keys[i];
      score *= p.scale;
    }
    float larger = warp_most(score);
    larger = larger > most ? larger : most;
    float shrink = expf(most - larger);
    most = larger;
    float weight = expf(score - most);
    sum = sum * shrink + warp_sum(weight);
    UNROLL for (int i = 0; i < each; i++) out[i] *= shrink;
    int seen = where.limit - first + 1 < PCU_BLOCK ? where.limit - first + 1 : PCU_BLOCK;
    for (int key = 0; key < seen; key++) {
      float share = __shfl_sync(0xffffffffu, weight, key);
      UNROLL for (int i = 0; i < each; i++) {
        if (lane + 32 * i < PADDED) out[i] += share * values[key * PADDED + lane + 32 * i];
      }
    }
  }
  UNROLL for (int i = 0; i < each; i++) {
    int at = lane + 32 * i;
    if (at < PCU_HEAD) {
      p.out[static_cast<long long>(where.row) * p.heads * PCU_HEAD + where.head * PCU_HEAD + at] = out[i] / sum;
    }
  }
  __syncwarp();
}

KERNEL(pcu_attend_lines, pcu_attend, PCU_THREADS) {
  SHARED(float, queries);  // [warps, PADDED]
  pcu_piece piece = p.pieces[blockIdx.x];
  int warp = threadIdx.x / 32;
  for (int line = warp; line < piece.count * p.group; line += PCU_THREADS / 32) {
    attend_line(p, piece, line, queries + warp * PADDED);
  }
}

#endif
