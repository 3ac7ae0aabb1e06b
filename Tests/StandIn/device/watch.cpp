// Accesses of checked kernels: each must lie where the thread may reach, and two threads must not meet at the same
// bytes without something between them that orders them.
//
// Moments count on over all launches. Every barrier of a block gives all its warps a new moment, every __syncwarp gives
// one to its own warp. A trace holds its warp's moment, so that numbers tell what came before what: an access older than
// the block's last barrier is ordered before this one, and so is one of the same warp from another moment. One of this
// launch but older than this block is another block's, which nothing orders. Shuffles and matrix operations order no
// memory.
#include <cstdio>

#include "fibers.h"
#include "memory.h"

namespace stand_in {

namespace {

// A trace: moment, flags, thread. A read's flags stand for the readers before it.
constexpr unsigned thread_bits = 10;
constexpr uint64_t others_of_warp = 1 << thread_bits;       // at the same moment
constexpr uint64_t other_warps = 2 << thread_bits;          // since the barrier
constexpr uint64_t earlier_blocks = 4 << thread_bits;       // of the launch
constexpr unsigned moment_shift = thread_bits + 3;

uint64_t moment_of(uint64_t trace) { return trace >> moment_shift; }
unsigned thread_of(uint64_t trace) { return trace & ((1 << thread_bits) - 1); }

struct Access {
  unsigned thread;
  uint64_t moment;  // of its warp
  uint64_t oldest;  // moments before this mean nothing here
};

bool unordered(const Access &access, uint64_t trace, bool is_read) {
  uint64_t moment = moment_of(trace);
  if (moment < access.oldest) return false;
  if (moment < block.block_moment) return true;
  if (is_read && trace & earlier_blocks) return true;
  if (moment < block.interval_moment) return false;
  if (is_read && trace & other_warps) return true;
  if (thread_of(trace) / warp_lanes != access.thread / warp_lanes) return true;
  if (moment != access.moment) return false;
  return thread_of(trace) != access.thread || (is_read && trace & others_of_warp);
}

uint64_t with_read(const Access &access, uint64_t before) {
  uint64_t now = access.moment << moment_shift | access.thread;
  uint64_t moment = moment_of(before);
  if (moment < access.oldest) return now;
  if (moment < block.block_moment) return now | earlier_blocks;
  now |= before & earlier_blocks;
  if (moment < block.interval_moment) return now;
  if (before & other_warps || thread_of(before) / warp_lanes != access.thread / warp_lanes) return now | other_warps;
  if (moment == access.moment && (before & others_of_warp || thread_of(before) != access.thread)) {
    return now | others_of_warp;
  }
  return now;
}

[[noreturn]] void stop_for_race(const Access &access, uint64_t trace, bool writes, bool other_writes, size_t offset,
                                bool in_shared) {
  bool other_block = moment_of(trace) < block.block_moment || (!other_writes && trace & earlier_blocks);
  std::string who = other_block ? "another block" : "thread " + std::to_string(thread_of(trace));
  if (!other_block && !other_writes && thread_of(trace) == access.thread) who = "another thread";
  stop(719, access.thread,
       std::string(writes ? "writes" : "reads") + " byte " + std::to_string(offset) + " of " +
           (in_shared ? "shared memory" : "an allocation") + ", which " + who + (other_writes ? " writes" : " reads") +
           " with nothing to order the two");
}

void leave_traces(Trace *traces, size_t offset, size_t bytes, const Access &access, bool writes, bool in_shared) {
  for (size_t i = offset / trace_bytes; i <= (offset + bytes - 1) / trace_bytes; i++) {
    Trace &trace = traces[i];
    if (unordered(access, trace.write, false)) {
      stop_for_race(access, trace.write, writes, true, i * trace_bytes, in_shared);
    }
    if (!writes) {
      trace.read = with_read(access, trace.read);
      continue;
    }
    if (unordered(access, trace.read, true)) {
      stop_for_race(access, trace.read, true, false, i * trace_bytes, in_shared);
    }
    trace.write = access.moment << moment_shift | access.thread;
  }
}

bool is_constant(const char *at, size_t bytes) {
  for (const auto &[start, end] : block.launch->constants) {
    if (at >= start && at + bytes <= end) return true;
  }
  return false;
}

Trace *shared_traces() {
  static Trace *traces = map_traces(most_shared_bytes);
  return traces;
}

[[noreturn]] void stop_outside(unsigned thread, const char *at, size_t bytes, bool writes) {
  char address[32];
  snprintf(address, sizeof address, "%p", static_cast<const void *>(at));
  size_t past = static_cast<size_t>(at - block.shared);
  std::string where = past < most_shared_bytes
                          ? "at byte " + std::to_string(past) + " of " + std::to_string(block.launch->shared_bytes) +
                                " of shared memory"
                          : memory.whereabouts(at);
  stop(700, thread, std::string(writes ? "writes " : "reads ") + std::to_string(bytes) + " bytes at " + address +
                        ", outside every allocation: " + where);
}

}  // namespace

void touch(unsigned thread, const void *address, size_t bytes, bool writes) {
  const char *at = static_cast<const char *>(address);
  const Stack *stack = block.threads[thread].stack;
  if (at >= stack->low && at + bytes <= stack->high) return;
  if (bytes == 0) return;
  bool in_shared = block.in_shared(at, bytes);
  Allocation *allocation = in_shared ? nullptr : memory.holding(at, bytes);
  if (!in_shared && !allocation) {
    if (!writes && is_constant(at, bytes)) return;
    stop_outside(thread, at, bytes, writes);
  }
  if (bytes <= 16 && (bytes & (bytes - 1)) == 0 && reinterpret_cast<uintptr_t>(at) % bytes) {
    stop(716, thread, std::string(writes ? "writes " : "reads ") + std::to_string(bytes) + " bytes at an odd address");
  }
  uint64_t moment = block.warps[thread / warp_lanes].moment;
  if (in_shared) {
    Access access = {thread, moment, block.block_moment};
    leave_traces(shared_traces(), static_cast<size_t>(at - block.shared), bytes, access, writes, true);
    return;
  }
  if (!allocation->traces) allocation->traces = map_traces(allocation->bytes);
  Access access = {thread, moment, block.launch_moment};
  leave_traces(allocation->traces, static_cast<size_t>(at - allocation->start), bytes, access, writes, false);
}

}  // namespace stand_in
