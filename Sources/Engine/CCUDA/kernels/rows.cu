// What is done to each row alone: a thread block a row.

KERNEL(pcu_embed_rows, pcu_embed, PCU_ROW_THREADS) {
  long long row = blockIdx.x;
  const pcu_value *from = p.table + static_cast<long long>(p.tokens[row]) * p.hidden;
  for (int i = threadIdx.x; i < p.hidden; i += PCU_ROW_THREADS) p.x[row * p.hidden + i] = widen(from[i]);
}

// y = x / sqrt(mean(x^2) + epsilon) * weight
KERNEL(pcu_norm_rows, pcu_norm, PCU_ROW_THREADS) {
  SHARED(float, places);
  const float *x = p.x + static_cast<long long>(blockIdx.x) * p.hidden;
  float squares = 0;
  for (int i = threadIdx.x; i < p.hidden; i += PCU_ROW_THREADS) squares += x[i] * x[i];
  squares = over_block(squares, places, PCU_ROW_THREADS, [](float a, float b) { return a + b; });
  float scale = 1.0f / sqrtf(squares / p.hidden + p.epsilon);
  long long start = static_cast<long long>(blockIdx.x) * p.hidden;
  for (int i = threadIdx.x; i < p.hidden; i += PCU_ROW_THREADS) {
    float value = x[i] * scale * p.weight[i];
    if (p.wide) p.wide[start + i] = value;
    else p.out[start + i] = narrow(value);
  }
}

// Heads are rotated in halves, as Hugging Face lays them out.
KERNEL(pcu_rotate_rows, pcu_rotate, PCU_ROW_THREADS) {
  const int half = PCU_HEAD / 2;
  pcu_row row = p.rows[blockIdx.x];
  pcu_value *line = p.qkv + static_cast<long long>(blockIdx.x) * p.ld;
  const float *cosines = p.cosines + static_cast<long long>(row.position) * half;
  const float *sines = p.sines + static_cast<long long>(row.position) * half;
  int slot = row.position % PCU_BLOCK;
  if (p.rotates_queries) {
    for (int i = threadIdx.x; i < p.heads * half; i += PCU_ROW_THREADS) {
      pcu_value *head = line + i / half * PCU_HEAD;
      int at = i % half;
      float low = widen(head[at]), high = widen(head[at + half]);
      head[at] = narrow(low * cosines[at] - high * sines[at]);
      head[at + half] = narrow(high * cosines[at] + low * sines[at]);
    }
  }
  if (!p.stores || row.block < 0) return;
  const pcu_value *keys = line + p.heads * PCU_HEAD;
  const pcu_value *values = keys + p.kv_heads * PCU_HEAD;
  for (int i = threadIdx.x; i < p.kv_heads * PADDED; i += PCU_ROW_THREADS) {
    int head = i / PADDED, at = i % PADDED;
    pcu_value *key = p.cache + head_offset(row.block, p.block_values, head, 0) + slot * PADDED;
    pcu_value *value = p.cache + head_offset(row.block, p.block_values, head, 1) + slot * PADDED;
    if (at >= PCU_HEAD) {
      key[at] = value[at] = narrow(0.0f);
      continue;
    }
    const pcu_value *from = keys + head * PCU_HEAD;
    int angle = at % half;
    float low = widen(from[angle]), high = widen(from[angle + half]);
    key[at] = narrow(at < half ? low * cosines[angle] - high * sines[angle] : high * cosines[angle] + low * sines[angle]);
    value[at] = values[head * PCU_HEAD + at];
  }
}

// silu(gate) * up
KERNEL(pcu_swiglu_rows, pcu_swiglu, PCU_ROW_THREADS) {
  const pcu_value *in = p.in + static_cast<long long>(blockIdx.x) * 2 * p.width;
  pcu_value *out = p.out + static_cast<long long>(blockIdx.x) * p.width;
  for (int i = threadIdx.x; i < p.width; i += PCU_ROW_THREADS) {
    float gate = widen(in[i]);
    out[i] = narrow(gate / (1.0f + expf(-gate)) * widen(in[p.width + i]));
  }
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
