#include "fibers.h"

#include <sys/mman.h>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "memory.h"

// Saves what a function must keep, trades stacks, and returns there. (ucontext would ask the system each time. A jump
// in place of the return is slower: the processor then foresees all returns after it wrongly.)
extern "C" void stand_in_switch(void **save, void *load);
asm(R"(
.text
.globl stand_in_switch
.hidden stand_in_switch
.type stand_in_switch, @function
stand_in_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size stand_in_switch, . - stand_in_switch
)");

namespace stand_in {

Block block;

namespace {

constexpr size_t stack_bytes = 64 << 10;
constexpr size_t guard_bytes = 4 << 10;
constexpr size_t canary_bytes = 256;
constexpr unsigned nobody = ~0u;

std::vector<Stack *> free_stacks;
void *outside;  // the stack pointer of run()

Stack *new_stack() {
  static unsigned made = 0;
  void *room = mmap(nullptr, stack_bytes + guard_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED || mprotect(room, guard_bytes, PROT_NONE) != 0) {
    fprintf(stderr, "stand-in: no room for a stack\n");
    abort();
  }
  char *low = static_cast<char *>(room) + guard_bytes;
  // Tops at different places of a page, lest all fibers fight for the same lines of the cache.
  return new Stack{low, low + stack_bytes - made++ % 32 * 208};
}

[[noreturn]] void leave() {
  void *nowhere;
  stand_in_switch(&nowhere, outside);
  __builtin_unreachable();
}

void enter(unsigned next) {
  block.current = next;
  block.launch->place->thread = block.threads[next].index;
}

// A thread that could run: one of the same warp if there is one, so that warps' operations complete soon.
unsigned pick() {
  unsigned warp = block.current / warp_lanes, lane = block.current % warp_lanes;
  if (unsigned ready = block.warps[warp].ready) {
    unsigned turned = std::rotr(ready, (lane + 1) % warp_lanes);
    return warp * warp_lanes + (static_cast<unsigned>(std::countr_zero(turned)) + lane + 1) % warp_lanes;
  }
  for (unsigned i = 1; i < block.warp_count; i++) {
    unsigned other = (warp + i) % block.warp_count;
    if (unsigned ready = block.warps[other].ready) {
      return other * warp_lanes + static_cast<unsigned>(std::countr_zero(ready));
    }
  }
  return nobody;
}

std::string thread_name(unsigned thread) {
  const StandInIndex &index = block.threads[thread].index;
  std::string name = std::to_string(index.x);
  if (block.launch->block.y * block.launch->block.z == 1) return name;
  return "(" + name + ", " + std::to_string(index.y) + ", " + std::to_string(index.z) + ")";
}

// Nobody can run, and somebody waits.
[[noreturn]] void stop_diverged() {
  bool ended = false;
  for (unsigned w = 0; w < block.warp_count; w++) ended = ended || block.warps[w].ended;
  for (unsigned w = 0; w < block.warp_count; w++) {
    Warp &warp = block.warps[w];
    if (!warp.arrived) continue;
    unsigned missing = static_cast<unsigned>(std::countr_zero(warp.lanes & ~warp.arrived));
    stop(719, w * warp_lanes + static_cast<unsigned>(std::countr_zero(warp.arrived)),
         std::string("waits in ") + warp.operation + " for lane " + std::to_string(missing) + ", which " +
             (warp.ended >> missing & 1 ? "has ended" : "waits in __syncthreads"));
  }
  for (unsigned w = 0; w < block.warp_count; w++) {
    Warp &warp = block.warps[w];
    unsigned waiting = warp.lanes & ~warp.ended;
    if (!waiting) continue;
    stop(719, w * warp_lanes + static_cast<unsigned>(std::countr_zero(waiting)),
         std::string("waits in __syncthreads, ") +
             (ended ? "and other threads have ended" : "which others never reach"));
  }
  stop(719, block.current, "waits for nobody");
}

// What a fiber does: a thread to its end, then threads that have not begun, on the same stack. Kernels without barriers
// are thus a plain loop.
void live() {
  for (;;) {
    block.launch->kernel.run(block.launch->arguments);
    unsigned bit = 1u << block.current % warp_lanes;
    block.warp().ready &= ~bit;
    block.warp().ended |= bit;
    Thread &ended = block.thread();
    block.ended++;
    unsigned next = pick();
    if (next == nobody) {
      if (block.ended < block.count) stop_diverged();
      leave();
    }
    Thread &other = block.threads[next];
    if (!other.stack) {
      std::swap(other.stack, ended.stack);
      enter(next);
      continue;
    }
    free_stacks.push_back(ended.stack);
    ended.stack = nullptr;
    enter(next);
    void *nowhere;
    stand_in_switch(&nowhere, other.pointer);
  }
}

// Gives a thread a stack on which the first switch to it returns into live().
void prepare(Thread &thread) {
  if (free_stacks.empty()) free_stacks.push_back(new_stack());
  thread.stack = free_stacks.back();
  free_stacks.pop_back();
  void **top = reinterpret_cast<void **>(reinterpret_cast<uintptr_t>(thread.stack->high) & ~uintptr_t{15});
  *--top = nullptr;  // where live() would return to
  *--top = reinterpret_cast<void *>(&live);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  thread.pointer = top;
}

void wait() {
  block.warp().ready &= ~(1u << block.current % warp_lanes);
  unsigned next = pick();
  if (next == nobody) stop_diverged();
  Thread &self = block.thread(), &other = block.threads[next];
  if (!other.stack) prepare(other);
  enter(next);
  stand_in_switch(&self.pointer, other.pointer);
}

void order_block() {
  block.interval_moment = ++block.clock;
  for (unsigned w = 0; w < block.warp_count; w++) block.warps[w].moment = block.clock;
}

void block_barrier() {
  if (++block.at_barrier < block.count) return wait();
  block.at_barrier = 0;
  for (unsigned w = 0; w < block.warp_count; w++) block.warps[w].ready = block.warps[w].lanes;
  order_block();
}

void warp_barrier(unsigned mask) {
  if (!meet("__syncwarp", mask)) return;
  block.warp().moment = ++block.clock;
  part();
}

void begin_block(const Launch &launch, StandInIndex where) {
  launch.place->block = where;
  fill_with_garbage(block.shared, launch.shared_bytes + canary_bytes);
  block.at_barrier = block.ended = 0;
  for (unsigned w = 0; w < block.warp_count; w++) {
    Warp &warp = block.warps[w];
    unsigned lanes = block.count - w * warp_lanes;
    warp.lanes = warp.ready = lanes >= warp_lanes ? ~0u : (1u << lanes) - 1;
    warp.ended = warp.arrived = 0;
  }
  for (unsigned t = 0; t < block.count; t++) {
    Thread &thread = block.threads[t];
    thread.copies.clear();
    thread.groups.clear();
    thread.uncommitted = 0;
  }
  order_block();
  block.block_moment = block.clock;
}

// Checked kernels are stopped before such a write; of others the first bytes past the end tell.
void check_canary(const Launch &launch) {
  const unsigned char *after = reinterpret_cast<unsigned char *>(block.shared) + launch.shared_bytes;
  for (size_t i = 0; i < canary_bytes; i++) {
    size_t at = launch.shared_bytes + i;
    unsigned char expected = at % 2 ? garbage >> 8 : garbage & 0xff;
    if (after[i] != expected) {
      block.outcome = {700, std::string("kernel ") + launch.name + ", a block wrote past its " +
                                std::to_string(launch.shared_bytes) + " bytes of shared memory"};
      return;
    }
  }
}

void run_block(const Launch &launch, StandInIndex where) {
  begin_block(launch, where);
  enter(0);
  prepare(block.threads[0]);
  stand_in_switch(&outside, block.threads[0].pointer);
  for (unsigned t = 0; t < block.count; t++) {
    Thread &thread = block.threads[t];
    if (thread.stack) free_stacks.push_back(thread.stack);
    thread.stack = nullptr;
  }
  if (block.outcome.error == 0) check_canary(launch);
}

}  // namespace

bool meet(const char *operation, unsigned mask) {
  Warp &warp = block.warp();
  if ((mask & warp.lanes) != warp.lanes) {
    stop(719, block.current, std::string("calls ") + operation + " for a part of its warp, which is not emulated");
  }
  if (warp.arrived && warp.operation != operation && strcmp(warp.operation, operation) != 0) {
    stop(719, block.current, std::string("is in ") + operation + " while others of its warp are in " + warp.operation);
  }
  warp.operation = operation;
  warp.arrived |= 1u << block.current % warp_lanes;
  if (warp.arrived == warp.lanes) return true;
  wait();
  return false;
}

void part() {
  Warp &warp = block.warp();
  warp.arrived = 0;
  warp.ready = warp.lanes;
}

void stop(int error, unsigned thread, const std::string &what) {
  const StandInIndex &at = block.launch->place->block;
  block.outcome.error = error;
  block.outcome.message = std::string("kernel ") + block.launch->name + ", block (" + std::to_string(at.x) + ", " +
                          std::to_string(at.y) + ", " + std::to_string(at.z) + "), thread " + thread_name(thread) +
                          ": " + what;
  leave();
}

Outcome run(const Launch &launch) {
  if (!block.shared) {
    size_t room = (most_shared_bytes + canary_bytes + 4095) / 4096 * 4096;
    block.shared = static_cast<char *>(aligned_alloc(4096, room));
  }
  block.launch = &launch;
  block.outcome = {};
  block.count = launch.block.x * launch.block.y * launch.block.z;
  block.warp_count = (block.count + warp_lanes - 1) / warp_lanes;
  block.launch_moment = ++block.clock;
  *launch.place = {{}, {}, launch.block, launch.grid, block.shared};
  for (unsigned t = 0; t < block.count; t++) {
    block.threads[t].index = {t % launch.block.x, t / launch.block.x % launch.block.y,
                              t / launch.block.x / launch.block.y};
  }
  for (unsigned z = 0; z < launch.grid.z; z++) {
    for (unsigned y = 0; y < launch.grid.y; y++) {
      for (unsigned x = 0; x < launch.grid.x; x++) {
        run_block(launch, {x, y, z});
        if (block.outcome.error) return block.outcome;
      }
    }
  }
  return block.outcome;
}

// Defined in warps.cpp.
unsigned long long shuffle(unsigned mask, unsigned long long value, int lane);
void load_matrices(unsigned *to, const void *row, int transposed);
void multiply_add(float *c, const unsigned *a, unsigned b0, unsigned b1);
void copy_async(void *to, const void *from, int valid);
void copy_commit();
void copy_wait(int left);

const StandInTable table = {
    block_barrier, warp_barrier, shuffle, load_matrices, multiply_add, copy_async, copy_commit, copy_wait,
    [](const void *address, unsigned long bytes, int writes) { touch(block.current, address, bytes, writes != 0); }};

}  // namespace stand_in
