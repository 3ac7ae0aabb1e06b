// What the threads of a warp do together, laid out over the lanes as PTX says, and the copies behind their backs.
#include <cstring>

#include "fibers.h"
#include "memory.h"

namespace stand_in {

namespace {

float widened(unsigned bf16) {
  unsigned bits = bf16 << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

// Both values of a word of an operand.
void spread(unsigned word, float *first, float *second) {
  *first = widened(word & 0xffff);
  *second = widened(word >> 16);
}

void check_shared(unsigned thread, const void *address, const char *what) {
  if (!block.in_shared(address, 16)) {
    stop(700, thread, std::string(what) + " 16 bytes outside shared memory");
  }
  if (reinterpret_cast<uintptr_t>(address) % 16) stop(716, thread, std::string(what) + " at an odd address");
}

unsigned first_thread() { return block.current / warp_lanes * warp_lanes; }

void need_whole_warp(const char *operation) {
  if (block.warp().lanes != ~0u) stop(719, block.current, std::string("calls ") + operation + " in a part of a warp");
}

// Lane i / 8 * 8 + i % 8 names row i % 8 of matrix i / 8. Lane i gets, of each matrix, the numbers 2 (i % 4) and
// 2 (i % 4) + 1 of row i / 4, or of column i / 4 where it is transposed.
void distribute_matrices(bool transposed) {
  const Operand *operands = block.warp().operands;
  uint16_t matrices[4][8][8];
  for (unsigned i = 0; i < warp_lanes; i++) {
    check_shared(first_thread() + i, operands[i].row, "reads");
    if (block.launch->checked) touch(first_thread() + i, operands[i].row, 16, false);
    memcpy(matrices[i / 8][i % 8], operands[i].row, 16);
  }
  for (unsigned i = 0; i < warp_lanes; i++) {
    unsigned *to = static_cast<unsigned *>(operands[i].result);
    unsigned line = i / 4, pair = i % 4 * 2;
    for (unsigned m = 0; m < 4; m++) {
      to[m] = transposed ? matrices[m][pair][line] | unsigned{matrices[m][pair + 1][line]} << 16
                         : matrices[m][line][pair] | unsigned{matrices[m][line][pair + 1]} << 16;
    }
  }
}

// mma.m16n8k16: with g = i / 4 and t = i % 4, lane i holds of A the rows g and g + 8 at 2 t, then the same at 2 t + 8; of
// B column g at 2 t, then at 2 t + 8; of C the columns 2 t and 2 t + 1 of row g, then of row g + 8.
void multiply() {
  const Operand *operands = block.warp().operands;
  alignas(32) float a[16][16], b[16][8], c[16][8];
  for (unsigned i = 0; i < warp_lanes; i++) {
    unsigned g = i / 4, t = i % 4 * 2;
    const Operand &lane = operands[i];
    const float *sums = static_cast<const float *>(lane.result);
    spread(lane.a[0], &a[g][t], &a[g][t + 1]);
    spread(lane.a[1], &a[g + 8][t], &a[g + 8][t + 1]);
    spread(lane.a[2], &a[g][t + 8], &a[g][t + 9]);
    spread(lane.a[3], &a[g + 8][t + 8], &a[g + 8][t + 9]);
    spread(lane.b[0], &b[t][g], &b[t + 1][g]);
    spread(lane.b[1], &b[t + 8][g], &b[t + 9][g]);
    c[g][t] = sums[0];
    c[g][t + 1] = sums[1];
    c[g + 8][t] = sums[2];
    c[g + 8][t + 1] = sums[3];
  }
  // Eight rows at a time, whose sums do not wait for each other.
  typedef float Row __attribute__((vector_size(32)));
  for (unsigned first = 0; first < 16; first += 8) {
    Row sums[8];
    memcpy(sums, c[first], sizeof sums);
    for (unsigned k = 0; k < 16; k++) {
      Row factors;
      memcpy(&factors, b[k], sizeof factors);
      for (unsigned row = 0; row < 8; row++) sums[row] += factors * a[first + row][k];
    }
    memcpy(c[first], sums, sizeof sums);
  }
  for (unsigned i = 0; i < warp_lanes; i++) {
    unsigned g = i / 4, t = i % 4 * 2;
    float *sums = static_cast<float *>(operands[i].result);
    sums[0] = c[g][t];
    sums[1] = c[g][t + 1];
    sums[2] = c[g + 8][t];
    sums[3] = c[g + 8][t + 1];
  }
}

// The device may write the bytes at any moment between the copy's start and the wait for it: as late as may be is
// when kernels notice that they did not wait.
void land(const Copy &copy) {
  if (block.launch->checked) {
    if (copy.valid) touch(block.current, copy.from, 16, false);
    touch(block.current, copy.to, 16, true);
  }
  if (copy.valid) memcpy(copy.to, copy.from, 16);
  else memset(copy.to, 0, 16);
}

}  // namespace

unsigned long long shuffle(unsigned mask, unsigned long long value, int lane) {
  unsigned long long result = value;
  Operand &operand = block.operand();
  operand.value = value;
  operand.lane = lane;
  operand.result = &result;
  if (meet("a shuffle", mask)) {
    Warp &warp = block.warp();
    for (unsigned i = 0; i < warp_lanes; i++) {
      if (!(warp.lanes >> i & 1)) continue;
      const Operand &each = warp.operands[i];
      // A lane that does not exist gives nothing worth having.
      uint64_t got = warp.lanes >> each.lane & 1 ? warp.operands[each.lane].value : 0xffa5ffa5ffa5ffa5u;
      *static_cast<unsigned long long *>(each.result) = got;
    }
    part();
  }
  return result;
}

void load_matrices(unsigned *to, const void *row, int transposed) {
  need_whole_warp("ldmatrix");
  Operand &operand = block.operand();
  operand.row = row;
  operand.result = to;
  if (meet(transposed ? "a transposing ldmatrix" : "ldmatrix")) {
    distribute_matrices(transposed != 0);
    part();
  }
}

void multiply_add(float *c, const unsigned *a, unsigned b0, unsigned b1) {
  need_whole_warp("mma");
  Operand &operand = block.operand();
  operand.result = c;
  operand.a = a;
  operand.b[0] = b0;
  operand.b[1] = b1;
  if (meet("mma")) {
    multiply();
    part();
  }
}

void copy_async(void *to, const void *from, int valid) {
  check_shared(block.current, to, "copies to");
  if (valid) {
    if (!memory.holding(from, 16)) {
      stop(700, block.current, "copies 16 bytes from outside every allocation, " + memory.whereabouts(from));
    }
    if (reinterpret_cast<uintptr_t>(from) % 16) stop(716, block.current, "copies 16 bytes from an odd address");
  }
  // The destination is the copy's from now on, until it has landed.
  if (block.launch->checked) touch(block.current, to, 16, true);
  Thread &thread = block.thread();
  thread.copies.push_back({to, from, valid != 0});
  thread.uncommitted++;
}

void copy_commit() {
  Thread &thread = block.thread();
  thread.groups.push_back(thread.uncommitted);
  thread.uncommitted = 0;
}

void copy_wait(int left) {
  Thread &thread = block.thread();
  if (thread.groups.size() <= static_cast<size_t>(left)) return;
  size_t groups = thread.groups.size() - static_cast<size_t>(left), landing = 0;
  for (size_t i = 0; i < groups; i++) landing += thread.groups[i];
  for (size_t i = 0; i < landing; i++) land(thread.copies[i]);
  thread.copies.erase(thread.copies.begin(), thread.copies.begin() + static_cast<long>(landing));
  thread.groups.erase(thread.groups.begin(), thread.groups.begin() + static_cast<long>(groups));
}

}  // namespace stand_in
