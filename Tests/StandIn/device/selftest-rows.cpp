// primed's other kernels, far enough to see that they do what they should, keep to their memory and to their barriers.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "harness.h"

namespace {

void check_norm(pcu_module module) {
  const int rows = 3, hidden = 70;
  std::vector<float> x(rows * hidden), weight(hidden);
  for (float &each : x) each = any_number();
  for (float &each : weight) each = any_number();
  pcu_address out = room(rows * hidden * 4);
  pcu_norm arguments = {put(x), put(weight), 0, out, hidden, 1e-5f};
  pcu_function function = find(module, "pcu_norm_rows");
  expect(launch(function, rows, 1, PCU_ROW_THREADS, PCU_ROW_THREADS * 4, arguments) == 0, "a norm");
  std::vector<float> got = get<float>(out, rows * hidden);
  for (int row = 0; row < rows; row++) {
    double squares = 0;
    for (int i = 0; i < hidden; i++) squares += double(x[row * hidden + i]) * x[row * hidden + i];
    for (int i = 0; i < hidden; i++) {
      double wanted = x[row * hidden + i] / std::sqrt(squares / hidden + 1e-5) * weight[i];
      expect(std::fabs(wanted - got[row * hidden + i]) < 1e-5, "a norm's number");
    }
  }
}

// A row rotated and stored: the key must be the rotated one, behind it zeros.
void check_rotation(pcu_module module) {
  const int rows = 3, heads = 4, kv_heads = 2, ld = (heads + 2 * kv_heads) * head_numbers, half = head_numbers / 2;
  std::vector<float> qkv(rows * ld), cosines(8 * half), sines(8 * half);
  for (float &each : qkv) each = any_value();
  for (size_t i = 0; i < cosines.size(); i++) {
    cosines[i] = std::cos(0.1f * static_cast<float>(i));
    sines[i] = std::sin(0.1f * static_cast<float>(i));
  }
  long long block_values = 2 * kv_heads * PCU_BLOCK * padded();
  pcu_address cache = room(static_cast<size_t>(2 * block_values) * (is_bf16 ? 2 : 4));
  std::vector<pcu_row> places = {{5, 1, 0}, {7, 0, 0}, {2, 1, 0}};
  pcu_rotate arguments = {put_values(qkv), put(cosines), put(sines), put(places), cache, block_values, ld, heads,
                          kv_heads, 1, 1};
  expect(launch(find(module, "pcu_rotate_rows"), rows, 1, PCU_ROW_THREADS, 0, arguments) == 0, "a rotation");
  std::vector<float> got = get_values(cache, static_cast<size_t>(2 * block_values));
  for (int row = 0; row < rows; row++) {
    for (int head = 0; head < kv_heads; head++) {
      const float *key = &qkv[row * ld + (heads + head) * head_numbers];
      long long line = 2 * head * PCU_BLOCK + places[row].position;
      const float *stored = &got[places[row].block * block_values + line * padded()];
      for (int i = 0; i < padded(); i++) {
        int angle = places[row].position * half + i % half;
        double wanted = i >= head_numbers ? 0
                        : i < half        ? double(key[i]) * cosines[angle] - double(key[i + half]) * sines[angle]
                                   : double(key[i]) * cosines[angle] + double(key[i - half]) * sines[angle];
        expect(std::fabs(wanted - stored[i]) < 0.01, "a stored key");
      }
    }
  }
}

void check_choices(pcu_module module) {
  const int vocabulary = 1500;
  std::vector<float> logits(5 * vocabulary);
  for (float &each : logits) each = 4 * any_number();
  // Many of each, so that the one that is drawn is seldom the first.
  for (int i = 4 * vocabulary; i < 5 * vocabulary; i++) logits[i] = std::round(logits[i]);
  logits[2 * vocabulary + 7] = std::nanf("");
  std::vector<pcu_pick> picks = {{0, PCU_GREEDY, 0, 0, 1}, {0.6, PCU_SAMPLE, 0, 0.7f, 0.9f}, {0, PCU_GREEDY, 0, 0, 1},
                                 {0, PCU_LOG_PROBABILITY, 44, 0, 1}, {0.37, PCU_SAMPLE, 0, 0.7f, 0.9f}};
  pcu_address out = room(5 * sizeof(pcu_picked));
  pcu_choose arguments = {put(logits), put(picks), out, vocabulary};
  pcu_function function = find(module, "pcu_choose_rows");
  auto start = std::chrono::steady_clock::now();
  expect(launch(function, 5, 1, PCU_PICK_THREADS, PCU_PICK_THREADS * 32, arguments) == 0, "choices");
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  printf("       pcu_choose_rows, %d logits: %.0f us for two samples and three more rows\n", vocabulary, seconds * 1e6);
  std::vector<pcu_picked> got = get<pcu_picked>(out, 5);
  auto first = logits.begin();
  expect(got[0].token == std::max_element(first, first + vocabulary) - first && got[0].sound, "the likeliest token");
  expect(got[2].sound == 0, "a NaN");
  double total = 0;
  for (int i = 0; i < vocabulary; i++) total += std::exp(double(logits[3 * vocabulary + i]));
  expect(std::fabs(got[3].value - (logits[3 * vocabulary + 44] - std::log(total))) < 1e-4, "a log-probability");
  // Likeliest first, equal ones by their ids, the token at that share of the nucleus.
  for (int sampled : {1, 4}) {
    std::vector<int> order(vocabulary);
    std::iota(order.begin(), order.end(), 0);
    const float *row = &logits[sampled * vocabulary];
    std::sort(order.begin(), order.end(), [&](int a, int b) { return row[a] > row[b] || (row[a] == row[b] && a < b); });
    auto weight = [&](int token) { return std::exp((double(row[token]) - row[order[0]]) / 0.7); };
    double all = 0, nucleus = 0, before = 0;
    for (int token : order) all += weight(token);
    for (int token : order) {
      nucleus += weight(token);
      if (nucleus > 0.9 * all) break;
    }
    for (int token : order) {
      if (before + weight(token) > picks[sampled].draw * nucleus) {
        expect(got[sampled].token == token, "a sampled token");
        break;
      }
      before += weight(token);
    }
  }
}

// The rest: they must run, keep to their memory, and not meet.
void check_others(pcu_module module) {
  const int rows = 2, hidden = 48, modules = 3, slots = 4, rank = 5, stacked = modules * slots * rank;
  std::vector<float> numbers(1000);
  for (float &each : numbers) each = any_value();
  std::vector<pcu_row> places = {{0, 0, 1}, {0, 0, 0}};
  pcu_address floats = put(numbers), values = put_values(numbers), indices = put(std::vector<int>{3, 1});
  pcu_embed embed = {indices, values, room(rows * hidden * 4), hidden};
  expect(launch(find(module, "pcu_embed_rows"), rows, 1, PCU_ROW_THREADS, 0, embed) == 0, "an embedding");
  expect(get<float>(embed.x, 2)[1] == numbers[3 * hidden + 1], "an embedding's number");
  pcu_gather gather = {floats, room(rows * hidden * 4), indices, hidden};
  expect(launch(find(module, "pcu_gather_rows"), rows, 1, PCU_ROW_THREADS, 0, gather) == 0, "a gathering");
  expect(get<float>(gather.to + hidden * 4, 1)[0] == numbers[hidden], "a gathered number");
  pcu_swiglu swiglu = {values, room(rows * hidden * 4), hidden};
  expect(launch(find(module, "pcu_swiglu_rows"), rows, 1, PCU_ROW_THREADS, 0, swiglu) == 0, "a SwiGLU");
  for (int factors = 0; factors < 2; factors++) {
    pcu_mix mix = {floats, room(rows * stacked * 4), floats, put(places), modules, slots, rank, 1, 2, factors};
    expect(launch(find(module, "pcu_mix_rows"), rows, 1, PCU_ROW_THREADS, 0, mix) == 0, "a mixture");
    float w = numbers[(1 * 2 + 1) * slots + 2], sum = 0;
    for (int t = 0; t < slots; t++) sum += numbers[(1 * 2 + 1) * slots + t] * numbers[t * rank + 3];
    float wanted = w * (factors ? sum : numbers[2 * rank + 3]);
    expect(std::fabs(get_values(mix.out, stacked)[2 * rank + 3] - wanted) < 0.02, "a mixture's number");
  }
}

template <int numbers, bool narrow> void check_rows_of() {
  head_numbers = numbers;
  is_bf16 = narrow;
  pcu_module module = primed_module();
  check_norm(module);
  check_rotation(module);
  check_choices(module);
  check_others(module);
}

}  // namespace

const std::vector<Case> row_cases = {
    {"the other kernels, bf16, head 20", false, check_rows_of<20, true>},
    {"the other kernels, bf16, head 64", true, check_rows_of<64, true>},
    {"the other kernels, float32, head 20", true, check_rows_of<20, false>},
};
