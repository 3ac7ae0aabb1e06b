// What is done to each row alone: a thread block a row. Memory is what bounds it, so a thread moves 16 bytes at a time where
// the row's width lets it, and has them all under way before it writes: the compiler takes any two pointers for the same.

template <typename T, int count> struct alignas(sizeof(T) * count < 16 ? sizeof(T) * count : 16) Pack {
  T at[count];
};

template <int count, typename T> DEVICE Pack<T, count> load(const T *from) {
  return *reinterpret_cast<const Pack<T, count> *>(from);
}
template <int count, typename T> DEVICE void store(T *to, Pack<T, count> pack) {
  *reinterpret_cast<Pack<T, count> *>(to) = pack;
}

KERNEL(pcu_embed_rows, pcu_embed, PCU_ROW_THREADS) {
  long long row = blockIdx.x;
  const pcu_value *from = p.table + static_cast<long long>(p.tokens[row]) * p.hidden;
  for (int i = threadIdx.x; i < p.hidden; i += PCU_ROW_THREADS) p.x[row * p.hidden + i] = widen(from[i]);
}

// y = x / sqrt(mean(x^2) + epsilon) * weight
template <int count> DEVICE void norm(const pcu_norm &p, float *places) {
  long long start = static_cast<long long>(blockIdx.x) * p.hidden;
  float squares = 0;
  for (int i = threadIdx.x * count; i < p.hidden; i += PCU_ROW_THREADS * count) {
    Pack<float, count> x = load<count>(p.x + start + i);
    UNROLL for (int j = 0; j < count; j++) squares += x.at[j] * x.at[j];
  }
  squares = over_block(squares, places, PCU_ROW_THREADS, [](float a, float b) { return a + b; });
  float scale = 1.0f / sqrtf(squares / p.hidden + p.epsilon);
  for (int i = threadIdx.x * count; i < p.hidden; i += PCU_ROW_THREADS * count) {
    Pack<float, count> y = load<count>(p.x + start + i), weight = load<count>(p.weight + i);
    Pack<pcu_value, count> out;
    UNROLL for (int j = 0; j < count; j++) {
      y.at[j] *= scale * weight.at[j];
      out.at[j] = narrow(y.at[j]);
    }
    if (p.wide) store(p.wide + start + i, y);
    else store(p.out + start + i, out);
  }
}

KERNEL(pcu_norm_rows, pcu_norm, PCU_ROW_THREADS) {
  SHARED(float, places);
  if (p.hidden % 4 == 0) norm<4>(p, places);
  else norm<1>(p, places);
}

// Heads are rotated in halves, as Hugging Face lays them out.
KERNEL(pcu_rotate_rows, pcu_rotate, PCU_ROW_THREADS) {
  const int count = PCU_HEAD % 16 == 0 ? 8 : 1, half = PCU_HEAD / 2;
  pcu_row row = p.rows[blockIdx.x];
  pcu_value *line = p.qkv + static_cast<long long>(blockIdx.x) * p.ld;
  bool stores = p.stores && row.block >= 0;
  pcu_value *slot = p.cache + head_offset(stores ? row.block : 0, p.block_values, 0, 0) + row.position % PCU_BLOCK * PADDED;
  int first = p.rotates_queries ? 0 : p.heads, last = stores ? p.heads + p.kv_heads : p.heads;
  for (int i = first * half + threadIdx.x * count; i < last * half; i += PCU_ROW_THREADS * count) {
    int head = i / half, at = i % half;
    pcu_value *from = line + head * PCU_HEAD + at;
    pcu_value *to = head < p.heads ? from : slot + head_offset(0, 0, head - p.heads, 0) + at;
    long long angle = static_cast<long long>(row.position) * half + at;
    Pack<float, count> cosines = load<count>(p.cosines + angle), sines = load<count>(p.sines + angle);
    Pack<pcu_value, count> low = load<count>(from), high = load<count>(from + half);
    UNROLL for (int j = 0; j < count; j++) {
      float x = widen(low.at[j]), y = widen(high.at[j]);
      low.at[j] = narrow(x * cosines.at[j] - y * sines.at[j]);
      high.at[j] = narrow(y * cosines.at[j] + x * sines.at[j]);
    }
    store(to, low);
    store(to + half, high);
  }
  if (!stores) return;
  const pcu_value *values = line + (p.heads + p.kv_heads) * PCU_HEAD;
  for (int i = threadIdx.x * count; i < p.kv_heads * PCU_HEAD; i += PCU_ROW_THREADS * count) {
    store(slot + head_offset(0, 0, i / PCU_HEAD, 1) + i % PCU_HEAD, load<count>(values + i));
  }
  if (PADDED == PCU_HEAD) return;
  for (int i = threadIdx.x; i < 2 * p.kv_heads * 16; i += PCU_ROW_THREADS) {
    int at = PCU_HEAD + i % 16;
    if (at < PADDED) slot[head_offset(0, 0, i / 32, i / 16 % 2) + at] = narrow(0.0f);
  }
}

// silu(gate) * up
template <int count> DEVICE void swiglu(const pcu_swiglu &p) {
  const pcu_value *in = p.in + static_cast<long long>(blockIdx.x) * 2 * p.width;
  pcu_value *out = p.out + static_cast<long long>(blockIdx.x) * p.width;
  for (int i = threadIdx.x * count; i < p.width; i += PCU_ROW_THREADS * count) {
    Pack<pcu_value, count> gates = load<count>(in + i), ups = load<count>(in + p.width + i);
    UNROLL for (int j = 0; j < count; j++) {
      float gate = widen(gates.at[j]);
      gates.at[j] = narrow(quotient(gate, 1.0f + expf(-gate)) * widen(ups.at[j]));
    }
    store(out + i, gates);
  }
}

KERNEL(pcu_swiglu_rows, pcu_swiglu, PCU_ROW_THREADS) {
  if (p.width % 8 == 0) swiglu<8>(p);
  else swiglu<1>(p);
}

//   delta:   y[m][s][j] = w[s] x[m][s][j]
//   factors: h[j] = sum_t w[t] x[m][t][j];  y[m][s][j] = w[s] h[j]
KERNEL(pcu_mix_rows, pcu_mix, PCU_ROW_THREADS) {
  const int stacked = p.slots * p.rank;
  long long start = static_cast<long long>(blockIdx.x) * p.modules * stacked;
  const float *weights =
      p.weights + (static_cast<long long>(p.rows[blockIdx.x].mixture) * p.layers + p.layer) * p.slots;
  for (int i = threadIdx.x; i < p.modules * stacked; i += PCU_ROW_THREADS) {
    float value = 0;
    if (p.factors) {
      const float *x = p.low + start + i / stacked * stacked + i % p.rank;
      for (int t = 0; t < p.slots; t++) value += weights[t] * x[t * p.rank];
    } else {
      value = p.low[start + i];
    }
    p.out[start + i] = narrow(weights[i % stacked / p.rank] * value);
  }
}

KERNEL(pcu_gather_rows, pcu_gather, PCU_ROW_THREADS) {
  const float *from = p.from + static_cast<long long>(p.sources[blockIdx.x]) * p.hidden;
  float *to = p.to + static_cast<long long>(blockIdx.x) * p.hidden;
  for (int i = threadIdx.x; i < p.hidden; i += PCU_ROW_THREADS) to[i] = from[i];
}

// A thread a row.
KERNEL(pcu_advance_rows, pcu_advance, PCU_ROW_THREADS) {
  int row = static_cast<int>(blockIdx.x) * PCU_ROW_THREADS + threadIdx.x;
  if (row >= p.rows || p.pieces[row].count == 0) return;
  pcu_picked picked = p.picked[row];
  int step = p.done[row]++;
  p.results[static_cast<long long>(step) * p.rows + row] = picked;
  if (step + 1 == PCU_STRIDE) return;
  p.picks[row].draw = p.draws[static_cast<long long>(step + 1) * p.rows + row];
  p.tokens[row] = picked.sound ? picked.token : 0;
  int position = p.pieces[row].position + 1;
  p.pieces[row].position = position;
  p.lines[row].position = position;
  p.lines[row].block = p.blocks[p.pieces[row].blocks + position / PCU_BLOCK];
}
