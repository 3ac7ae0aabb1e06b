// Operations whose share of the time is small: one plain form for every processor.
#include <math.h>
#include <string.h>

#include "CKernels.h"
#include "variants.h"

static float widen(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

static float source_at(const void *source, bool bf16, int64_t index) {
  if (bf16) {
    uint16_t half;
    memcpy(&half, (const char *)source + 2 * index, 2);
    return widen(half);
  }
  float value;
  memcpy(&value, (const char *)source + 4 * index, 4);
  return value;
}

int64_t pk_packed_bytes(int64_t n, int64_t k, bool bf16) {
  return (n + PK_PANEL - 1) / PK_PANEL * PK_PANEL * k * (bf16 ? 2 : 4);
}

void pk_pack(const void *source, bool source_bf16, int64_t n, int64_t k, void *panels, bool bf16, int64_t at) {
  for (int64_t row = 0; row < n; row++) {
    int64_t column = at + row;
    int64_t start = column / PK_PANEL * PK_PANEL * k + column % PK_PANEL;
    if (bf16) {
      uint16_t *target = (uint16_t *)panels + start;
      for (int64_t i = 0; i < k; i++) memcpy(target + i * PK_PANEL, (const char *)source + 2 * (row * k + i), 2);
    } else {
      float *target = (float *)panels + start;
      for (int64_t i = 0; i < k; i++) target[i * PK_PANEL] = source_at(source, source_bf16, row * k + i);
    }
  }
}

void pk_rope(float *x, int64_t heads, int64_t d, const float *cosines, const float *sines) {
  int64_t half = d / 2;
  for (int64_t head = 0; head < heads; head++, x += d)
    for (int64_t i = 0; i < half; i++) {
      float low = x[i], high = x[i + half];
      x[i] = low * cosines[i] - high * sines[i];
      x[i + half] = high * cosines[i] + low * sines[i];
    }
}

void pk_embed(pk_matrix table, int64_t token, float *y) {
  int64_t start = token / PK_PANEL * PK_PANEL * table.k + token % PK_PANEL;
  for (int64_t i = 0; i < table.k; i++) y[i] = source_at(table.panels, table.bf16, start + i * PK_PANEL);
}

void pk_mix(float *x, int64_t modules, int64_t slots, int64_t rank, const float *weights, bool factors) {
  for (int64_t module = 0; module < modules; module++, x += slots * rank) {
    if (!factors) {
      for (int64_t s = 0; s < slots; s++)
        for (int64_t j = 0; j < rank; j++) x[s * rank + j] *= weights[s];
      continue;
    }
    for (int64_t j = 0; j < rank; j++) {
      float h = 0;
      for (int64_t t = 0; t < slots; t++) h += weights[t] * x[t * rank + j];
      for (int64_t s = 0; s < slots; s++) x[s * rank + j] = weights[s] * h;
    }
  }
}

void pk_store_key(float *block, int64_t d, int64_t slot, const float *key) {
  for (int64_t i = 0; i < d; i++) block[i * PK_PANEL + slot] = key[i];
}

void pk_store_value(float *block, int64_t d, int64_t slot, const float *value) {
  for (int64_t i = 0; i < d; i += PK_PANEL) {
    int64_t count = d - i < PK_PANEL ? d - i : PK_PANEL;
    float *row = block + i * PK_PANEL + slot * PK_PANEL;
    memcpy(row, value + i, (size_t)count * 4);
    memset(row + count, 0, (size_t)(PK_PANEL - count) * 4);
  }
}

int64_t pk_attend_scratch(int64_t positions, int64_t d) {
  int64_t wide = (d + PK_PANEL - 1) / PK_PANEL * PK_PANEL;
  int64_t padded = (positions + PK_PANEL - 1) / PK_PANEL * PK_PANEL;
  return 12 * (d + wide + padded + PK_ROW_GAP);
}

int64_t pk_argmax(const float *x, int64_t n) {
  int64_t best = -1;
  float most = -INFINITY;
  bool sound = true;
  for (int64_t i = 0; i < n; i++) {
    sound = sound && x[i] == x[i];
    if (x[i] > most) {
      most = x[i];
      best = i;
    }
  }
  return sound && isfinite(most) ? best : -1;
}

double pk_log_sum_exp(const float *x, int64_t n) {
  float most = -INFINITY;
  for (int64_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += exp((double)x[i] - most);
  return most + log(sum);
}
