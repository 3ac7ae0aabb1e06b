// Causal attention over the block cache, without a matrix of scores in memory: the softmax is kept up to date while the
// keys go by (Dao et al., arXiv 2205.14135). A query line is a row and one of the heads that share a key-value head, so
// that grouped heads share the keys that were fetched. grid: [pieces, key-value heads].

struct Place {
  int row;
  int head;
  int limit;  // the last position it sees
};

DEVICE Place place(const pcu_attend &p, const pcu_piece &piece, int line) {
  int row = line / p.group;
  return {piece.row + row, static_cast<int>(blockIdx.y) * p.group + line % p.group, piece.position + row};
}

#if PCU_BF16

#define PITCH (PADDED + 8)                  // of rows in shared memory: off the powers of two
#define TILE (PADDED <= 128 ? 64 : 32)      // keys at a time
#define WARPS (PCU_THREADS / 32)

// Sixteen query lines of a warp; a thread holds parts of lines `lane / 4` and `lane / 4 + 8`.
struct Lines {
  float out[PADDED / 8][4];
  float most[2];
  float sum[2];
};

DEVICE void clear(Lines &lines) {
  UNROLL for (int i = 0; i < PADDED / 8; i++) { UNROLL for (int j = 0; j < 4; j++) lines.out[i][j] = 0; }
  lines.most[0] = lines.most[1] = NEGATIVE_INFINITY;
  lines.sum[0] = lines.sum[1] = 0;
}

// Copies `BLOCKS` blocks of keys and values from position `first` on, zeros past `end`; `thread` is one of `THREADS`.
template <int BLOCKS, unsigned THREADS>
DEVICE void fetch(pcu_value *keys, pcu_value *values, const pcu_attend &p, const pcu_piece &piece, int first, int end,
                  unsigned thread) {
  const unsigned chunks = PADDED / 8, block_chunks = PCU_BLOCK * chunks;
  UNROLL for (int b = 0; b < BLOCKS; b++) {
    int start = first + b * PCU_BLOCK;
    const pcu_value *from = p.cache + thread * 8;
    if (start < end) from += head_offset(p.blocks[piece.blocks + start / PCU_BLOCK], p.block_values, blockIdx.y, 0);
    // Unrolled further, it spills registers where heads are above 128.
    _Pragma("unroll 8") for (unsigned n = 0; n < block_chunks; n += THREADS) {
      unsigned i = n + thread;
      if (block_chunks % THREADS != 0 && i >= block_chunks) continue;
      unsigned to = (b * PCU_BLOCK + i / chunks) * PITCH + i % chunks * 8;
      bool valid = start + static_cast<int>(i / chunks) < end;
      copy_async(keys + to, from + n * 8, valid);
      copy_async(values + to, from + (block_chunks + n) * 8, valid);
    }
  }
}

// `room` query lines, zeros where there are none.
DEVICE void fetch_queries(pcu_value *to, const pcu_attend &p, const pcu_piece &piece, int lines, int room) {
  const int each = PCU_HEAD % 8 == 0 ? 8 : 1;  // numbers at a time, as they are aligned
  for (int i = threadIdx.x; i < room * (PADDED / each); i += PCU_THREADS) {
    int line = i / (PADDED / each), at = i % (PADDED / each) * each;
    bool valid = line < lines && at < PCU_HEAD;
    Place where = place(p, piece, valid ? line : 0);
    const pcu_value *from = p.q + static_cast<long long>(where.row) * p.ld + where.head * PCU_HEAD + at;
    if (each == 8) copy_async(to + line * PITCH + at, from, valid);
    else to[line * PITCH + at] = valid ? *from : 0;
  }
}

DEVICE void load_queries(unsigned (&q)[PADDED / 16][4], const pcu_value *from) {
  int lane = threadIdx.x % 32;
  UNROLL for (int i = 0; i < PADDED / 16; i++) {
    load_matrices(q[i], from + (lane / 8 % 2 * 8 + lane % 8) * PITCH + i * 16 + lane / 16 * 8);
  }
}

// Takes `KEYS` more keys into account. limits: the last positions that the thread's two lines see; scale: to base 2.
template <int KEYS>
DEVICE void take_keys(Lines &lines, const unsigned (&q)[PADDED / 16][4], const pcu_value *keys, const pcu_value *values,
                      int first, const int (&limits)[2], float scale) {
  int lane = threadIdx.x % 32;
  float scores[KEYS / 8][4];
  UNROLL for (int n = 0; n < KEYS / 8; n++) { UNROLL for (int j = 0; j < 4; j++) scores[n][j] = 0; }
  UNROLL for (int k = 0; k < PADDED / 16; k++) {
    UNROLL for (int n = 0; n < KEYS / 8; n += 2) {
      unsigned b[4];
      load_matrices(b, keys + (n * 8 + lane / 16 * 8 + lane % 8) * PITCH + k * 16 + lane / 8 % 2 * 8);
      multiply_add(scores[n], q[k], b[0], b[1]);
      multiply_add(scores[n + 1], q[k], b[2], b[3]);
    }
  }
  UNROLL for (int half = 0; half < 2; half++) {
    float most = lines.most[half];
    UNROLL for (int n = 0; n < KEYS / 8; n++) {
      UNROLL for (int j = 0; j < 2; j++) {
        float &score = scores[n][2 * half + j];
        int position = first + n * 8 + lane % 4 * 2 + j;
        score = position <= limits[half] ? score * scale : NEGATIVE_INFINITY;
        most = score > most ? score : most;
      }
    }
    // The four threads that share a line.
    UNROLL for (int offset = 1; offset < 4; offset *= 2) {
      float other = __shfl_xor_sync(0xffffffffu, most, offset);
      most = other > most ? other : most;
    }
    // A line that sees nothing yet has no largest score.
    float base = most == NEGATIVE_INFINITY ? 0.0f : most;
    float shrink = power(lines.most[half] - base);
    lines.most[half] = most;
    float sum = 0;
    UNROLL for (int n = 0; n < KEYS / 8; n++) {
      UNROLL for (int j = 0; j < 2; j++) {
        float &score = scores[n][2 * half + j];
        score = power(score - base);
        sum += score;
      }
    }
    lines.sum[half] = lines.sum[half] * shrink + sum;
    UNROLL for (int i = 0; i < PADDED / 8; i++) {
      lines.out[i][2 * half] *= shrink;
      lines.out[i][2 * half + 1] *= shrink;
    }
  }
  UNROLL for (int k = 0; k < KEYS / 16; k++) {
    unsigned a[4] = {pack(scores[2 * k][0], scores[2 * k][1]), pack(scores[2 * k][2], scores[2 * k][3]),
                     pack(scores[2 * k + 1][0], scores[2 * k + 1][1]), pack(scores[2 * k + 1][2], scores[2 * k + 1][3])};
    UNROLL for (int n = 0; n < PADDED / 8; n += 2) {
      unsigned b[4];
      load_transposed(b, values + (k * 16 + lane / 8 % 2 * 8 + lane % 8) * PITCH + n * 8 + lane / 16 * 8);
      multiply_add(lines.out[n], a, b[0], b[1]);
      multiply_add(lines.out[n + 1], a, b[2], b[3]);
    }
  }
}

// The thread's share of a line's sum lies with four threads.
DEVICE float whole_sum(float sum) {
  sum += __shfl_xor_sync(0xffffffffu, sum, 1);
  return sum + __shfl_xor_sync(0xffffffffu, sum, 2);
}

// Two numbers of a head, which has an even number of them.
DEVICE void store(const pcu_attend &p, const Place &where, int at, float low, float high) {
  pcu_value *to = p.out + static_cast<long long>(where.row) * p.heads * PCU_HEAD + where.head * PCU_HEAD + at;
  if (at < PCU_HEAD) *reinterpret_cast<unsigned *>(to) = pack(low, high);
}

// Up to 64 lines, 16 a warp; the warps share the keys, and the next ones are fetched while these are multiplied.
KERNEL(pcu_attend_wide, pcu_attend, PCU_THREADS) {
  SHARED(pcu_value, shared);
  pcu_value *queries = shared;                          // [PCU_LINES, PITCH]
  pcu_value *stages = shared + PCU_LINES * PITCH;       // [2][keys, values][TILE, PITCH]
  pcu_piece piece = p.pieces[blockIdx.x];
  if (piece.count == 0) return;
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int lines = piece.count * p.group;
  int end = piece.position + piece.count;
  fetch_queries(queries, p, piece, lines, PCU_LINES);
  copy_commit();
  fetch<TILE / PCU_BLOCK, PCU_THREADS>(stages, stages + TILE * PITCH, p, piece, 0, end, threadIdx.x);
  copy_commit();
  copy_wait<1>();
  __syncthreads();
  unsigned q[PADDED / 16][4];
  load_queries(q, queries + warp * 16 * PITCH);
  int mine[2] = {warp * 16 + lane / 4, warp * 16 + lane / 4 + 8};
  int limits[2];
  UNROLL for (int half = 0; half < 2; half++) limits[half] = place(p, piece, mine[half]).limit;
  // Lines of this warp see nothing past the last one's position.
  int last = piece.position + (warp * 16 + 15 < lines ? warp * 16 + 15 : lines - 1) / p.group;
  float scale = p.scale * 1.4426950408889634f;
  Lines state;
  clear(state);
  for (int first = 0, stage = 0; first < end; first += TILE, stage ^= 1) {
    if (first + TILE < end) {
      pcu_value *next = stages + (stage ^ 1) * 2 * TILE * PITCH;
      fetch<TILE / PCU_BLOCK, PCU_THREADS>(next, next + TILE * PITCH, p, piece, first + TILE, end, threadIdx.x);
    }
    copy_commit();
    copy_wait<1>();
    __syncthreads();
    const pcu_value *keys = stages + stage * 2 * TILE * PITCH;
    if (warp * 16 < lines && first <= last) take_keys<TILE>(state, q, keys, keys + TILE * PITCH, first, limits, scale);
    __syncthreads();
  }
  UNROLL for (int half = 0; half < 2; half++) {
    float share = 1.0f / whole_sum(state.sum[half]);
    if (mine[half] >= lines) continue;
    Place where = place(p, piece, mine[half]);
    UNROLL for (int i = 0; i < PADDED / 8; i++) {
      store(p, where, i * 8 + lane % 4 * 2, state.out[i][2 * half] * share, state.out[i][2 * half + 1] * share);
    }
  }
}

// Up to 16 lines, as a decoding sequence has: every warp takes each fourth block of keys, and the parts are joined.
KERNEL(pcu_attend_split, pcu_attend, PCU_THREADS) {
  SHARED(pcu_value, shared);
  pcu_value *queries = shared;  // [PCU_SPLIT_LINES, PITCH]
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  pcu_value *keys = shared + PCU_SPLIT_LINES * PITCH + warp * 2 * PCU_BLOCK * PITCH;  // [PCU_BLOCK, PITCH], a warp's own
  pcu_value *values = keys + PCU_BLOCK * PITCH;
  pcu_piece piece = p.pieces[blockIdx.x];
  if (piece.count == 0) return;
  int lines = piece.count * p.group;
  int end = piece.position + piece.count;
  fetch_queries(queries, p, piece, lines, PCU_SPLIT_LINES);
  copy_commit();
  int first = warp * PCU_BLOCK;
  if (first < end) fetch<1, 32>(keys, values, p, piece, first, end, lane);
  copy_commit();
  copy_wait<1>();
  __syncthreads();
  unsigned q[PADDED / 16][4];
  load_queries(q, queries);
  int mine[2] = {lane / 4, lane / 4 + 8};
  int limits[2];
  UNROLL for (int half = 0; half < 2; half++) limits[half] = place(p, piece, mine[half]).limit;
  float scale = p.scale * 1.4426950408889634f;
  Lines state;
  clear(state);
  while (first < end) {
    copy_wait<0>();
    __syncwarp();
    take_keys<PCU_BLOCK>(state, q, keys, values, first, limits, scale);
    __syncwarp();
    first += WARPS * PCU_BLOCK;
    if (first < end) fetch<1, 32>(keys, values, p, piece, first, end, lane);
    copy_commit();
  }
  __syncthreads();
  float *parts = reinterpret_cast<float *>(shared);                  // [WARPS, PCU_SPLIT_LINES, PADDED]
  float *mosts = parts + WARPS * PCU_SPLIT_LINES * PADDED;           // [WARPS, PCU_SPLIT_LINES]
  float *sums = mosts + WARPS * PCU_SPLIT_LINES;                     // the same
  UNROLL for (int half = 0; half < 2; half++) {
    float sum = whole_sum(state.sum[half]);
    int at = warp * PCU_SPLIT_LINES + mine[half];
    if (lane % 4 == 0) {
      mosts[at] = state.most[half];
      sums[at] = sum;
    }
    UNROLL for (int i = 0; i < PADDED / 8; i++) {
      UNROLL for (int j = 0; j < 2; j++) parts[at * PADDED + i * 8 + lane % 4 * 2 + j] = state.out[i][2 * half + j];
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < lines * (PADDED / 2); i += PCU_THREADS) {
    int line = i / (PADDED / 2), at = i % (PADDED / 2) * 2;
    float most = NEGATIVE_INFINITY;
    UNROLL for (int w = 0; w < WARPS; w++) {
      float other = mosts[w * PCU_SPLIT_LINES + line];
      most = other > most ? other : most;
    }
    float sum = 0, low = 0, high = 0;
    UNROLL for (int w = 0; w < WARPS; w++) {
      float share = power(mosts[w * PCU_SPLIT_LINES + line] - most);
      const float *part = parts + (w * PCU_SPLIT_LINES + line) * PADDED + at;
      sum += share * sums[w * PCU_SPLIT_LINES + line];
      low += share * part[0];
      high += share * part[1];
    }
    store(p, place(p, piece, line), at, low / sum, high / sum);
  }
}

#endif
