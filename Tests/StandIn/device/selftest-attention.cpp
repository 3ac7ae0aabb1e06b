// primed's attention kernels against a plain computation.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "harness.h"

namespace {

struct Shape {
  int group;
  std::vector<std::pair<int, int>> pieces;  // rows, position of the first
};

// A cache whose blocks lie in no order, garbage where no token is.
struct Attention {
  static constexpr int kv_heads = 2;
  const Shape &shape;
  int heads;
  int rows = 0;
  int ld;
  long long block_values;
  std::vector<pcu_piece> pieces;
  std::vector<int> blocks;
  std::vector<float> q, cache;

  explicit Attention(const Shape &wanted) : shape(wanted), heads(wanted.group * kv_heads) {
    ld = (heads + 2 * kv_heads) * head_numbers;
    block_values = 2 * kv_heads * PCU_BLOCK * padded() + 64;
    for (auto [count, position] : shape.pieces) {
      pieces.push_back({rows, count, position, static_cast<int>(blocks.size())});
      rows += count;
      blocks.resize(blocks.size() + static_cast<size_t>((position + count + PCU_BLOCK - 1) / PCU_BLOCK));
    }
    for (size_t i = 0; i < blocks.size(); i++) blocks[i] = static_cast<int>((i * 7 + 3) % blocks.size());
    if (blocks.size() % 7 == 0) std::iota(blocks.rbegin(), blocks.rend(), 0);
    q.resize(static_cast<size_t>(rows) * ld);
    for (float &each : q) each = any_value();
    cache.assign(blocks.size() * block_values, std::nanf(""));
    for (const pcu_piece &piece : pieces) {
      for (int position = 0; position < piece.position + piece.count; position++) {
        for (int kind = 0; kind < 2 * kv_heads; kind++) {
          for (int i = 0; i < padded(); i++) cache[at(piece, kind, position) + i] = i < head_numbers ? any_value() : 0;
        }
      }
    }
  }

  size_t at(const pcu_piece &piece, int kind, int position) const {
    return blocks[piece.blocks + position / PCU_BLOCK] * block_values +
           (static_cast<long long>(kind) * PCU_BLOCK + position % PCU_BLOCK) * padded();
  }

  float scale() const { return 1.5f / std::sqrt(static_cast<float>(head_numbers)); }

  void check(const std::vector<float> &out) const {
    double worst = 0;
    for (const pcu_piece &piece : pieces) {
      for (int row = 0; row < piece.count; row++) {
        for (int head = 0; head < heads; head++) {
          const float *line = &q[static_cast<size_t>(piece.row + row) * ld + head * head_numbers];
          std::vector<double> sums(head_numbers);
          double total = 0;
          for (int position = 0; position <= piece.position + row; position++) {
            const float *key = &cache[at(piece, head / shape.group * 2, position)];
            const float *value = &cache[at(piece, head / shape.group * 2 + 1, position)];
            double score = 0;
            for (int i = 0; i < head_numbers; i++) score += double(line[i]) * key[i];
            double weight = std::exp(score * scale());
            total += weight;
            for (int i = 0; i < head_numbers; i++) sums[i] += weight * value[i];
          }
          const float *got = &out[static_cast<size_t>(piece.row + row) * heads * head_numbers + head * head_numbers];
          for (int i = 0; i < head_numbers; i++) {
            double off = std::fabs(got[i] - sums[i] / total);
            if (worst == worst && !(off <= worst)) worst = off;  // NaN is worst
          }
        }
      }
    }
    expect(worst < (is_bf16 ? 0.01 : 1e-5), "attention is off by " + std::to_string(worst));
  }
};

void attend(pcu_module module, const char *name, unsigned shared, const Shape &shape) {
  Attention attention(shape);
  pcu_address out = room(static_cast<size_t>(attention.rows) * attention.heads * head_numbers * (is_bf16 ? 2 : 4));
  pcu_attend arguments = {};
  arguments.q = put_values(attention.q);
  arguments.out = out;
  arguments.cache = put_values(attention.cache);
  arguments.pieces = put(attention.pieces);
  arguments.blocks = put(attention.blocks);
  arguments.block_values = attention.block_values;
  arguments.ld = attention.ld;
  arguments.heads = attention.heads;
  arguments.group = shape.group;
  arguments.scale = attention.scale();
  auto start = std::chrono::steady_clock::now();
  unsigned count = static_cast<unsigned>(attention.pieces.size());
  int error = launch(find(module, name), count, Attention::kv_heads, PCU_THREADS, shared, arguments);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  expect(error == 0, std::string(name) + ": error " + std::to_string(error));
  attention.check(get_values(out, static_cast<size_t>(attention.rows) * attention.heads * head_numbers));
  printf("       %s, head %d: %.0f us a block\n", name, head_numbers, seconds * 1e6 / (count * Attention::kv_heads));
}

void check_attention() {
  pcu_module module = primed_module();
  Shape narrow = {3, {{1, 0}, {5, 0}, {1, 31}, {1, 32}, {2, 200}, {1, 129}, {4, 61}}};
  Shape wide = {3, {{21, 0}, {1, 500}, {13, 63}, {7, 64}, {21, 150}, {16, 1}}};
  Shape single = {1, {{64, 0}, {17, 100}, {50, 13}}};
  if (!is_bf16) {
    unsigned shared = static_cast<unsigned>(PCU_THREADS / 32 * padded() * 4);
    for (const Shape *each : {&narrow, &wide, &single}) attend(module, "pcu_attend_lines", shared, *each);
    return;
  }
  int pitch = padded() + 8, tile = padded() <= 128 ? 64 : 32, warps = PCU_THREADS / 32;
  unsigned wide_bytes = static_cast<unsigned>((PCU_LINES + 4 * tile) * pitch * 2);
  int stages = (PCU_SPLIT_LINES + warps * 2 * PCU_BLOCK) * pitch * 2;
  int parts = warps * PCU_SPLIT_LINES * (padded() + 2) * 4;
  attend(module, "pcu_attend_split", static_cast<unsigned>(std::max(stages, parts)), narrow);
  attend(module, "pcu_attend_wide", wide_bytes, wide);
  attend(module, "pcu_attend_wide", wide_bytes, single);
}

template <int numbers, bool narrow> void check_attention_of() {
  head_numbers = numbers;
  is_bf16 = narrow;
  check_attention();
}

// The kernels as they are, but for one barrier.
void plant_in_attention(const char *from, const char *to) {
  head_numbers = 64;
  is_bf16 = true;
  std::string source = primed_source();
  size_t at = source.find(from);
  expect(at != std::string::npos, "no such text in the kernels");
  source.replace(at, std::string(from).size(), to);
  Shape shape = {3, {{21, 150}, {5, 300}}};
  attend(primed_module(source), "pcu_attend_wide", (PCU_LINES + 4 * 64) * 72 * 2, shape);
}
void plant_trailing_barrier() {
  plant_in_attention("keys + TILE * PITCH, first, limits, scale);\n    __syncthreads();",
                     "keys + TILE * PITCH, first, limits, scale);");
}
void plant_no_wait() {
  plant_in_attention("copy_wait<1>();\n    __syncthreads();", "copy_wait<2>();\n    __syncthreads();");
}
void plant_no_wait_for_queries() {
  plant_in_attention("copy_wait<1>();\n  __syncthreads();", "copy_wait<2>();\n  __syncthreads();");
}
void plant_long_fetch() {
  plant_in_attention("p.blocks[piece.blocks + start / PCU_BLOCK]", "p.blocks[piece.blocks + start / PCU_BLOCK + 1]");
}

}  // namespace

const std::vector<Case> attention_cases = {
    {"attention, bf16, head 64", false, check_attention_of<64, true>},
    {"attention, bf16, head 64", true, check_attention_of<64, true>},
    {"attention, bf16, head 128", false, check_attention_of<128, true>},
    {"attention, bf16, head 128", true, check_attention_of<128, true>},
    {"attention, bf16, head 20", false, check_attention_of<20, true>},
    {"attention, bf16, head 20", true, check_attention_of<20, true>},
    {"attention, bf16, head 40", true, check_attention_of<40, true>},
    {"attention, bf16, head 256", false, check_attention_of<256, true>},
    {"attention, float32, head 64", false, check_attention_of<64, false>},
    {"attention, float32, head 20", true, check_attention_of<20, false>},
    {"attention without its second barrier", true, plant_trailing_barrier, "nothing to order", 1},
    {"attention that does not wait for its copies", false, plant_no_wait, "attention is off", 1},
    {"attention that does not wait for its queries", false, plant_no_wait_for_queries, "attention is off", 1},
    {"attention that fetches too much", true, plant_long_fetch, "reads 4 bytes", 1},
};
