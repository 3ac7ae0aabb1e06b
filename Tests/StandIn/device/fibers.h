// Runs a kernel's blocks one after another on the calling thread; the threads of a block are fibers, which take turns
// only where they wait for each other.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "table.h"

namespace stand_in {

constexpr unsigned warp_lanes = 32;
constexpr unsigned most_threads = 1024;
constexpr unsigned most_shared_bytes = 232448;

struct Launch {
  const char *name;
  StandInKernel kernel;
  StandInPlace *place;  // the module's
  bool checked;
  std::vector<std::pair<const char *, const char *>> constants;  // the module's own memory
  StandInIndex grid, block;
  unsigned shared_bytes;
  const void *arguments;
};

struct Outcome {
  int error = 0;
  std::string message;
};

Outcome run(const Launch &launch);

// What the kernels call.
extern const StandInTable table;

// The rest is between the files that emulate the device.

struct Stack {
  char *low;
  char *high;
};

struct Copy {
  void *to;
  const void *from;
  bool valid;
};

struct Thread {
  void *pointer = nullptr;  // of its stack, while it waits
  Stack *stack = nullptr;   // from its start to its end
  StandInIndex index = {};
  std::vector<Copy> copies;         // under way, oldest first
  std::vector<size_t> groups;       // how many copies each committed group has, oldest first
  size_t uncommitted = 0;
};

// What a lane brings to a warp's operation, and where it wants the result.
struct Operand {
  const void *row;
  void *result;
  const unsigned *a;
  unsigned b[2];
  uint64_t value;
  int lane;
};

struct Warp {
  unsigned lanes = 0;    // that exist
  unsigned ready = 0;    // that could run
  unsigned ended = 0;
  unsigned arrived = 0;  // at the operation
  const char *operation = nullptr;
  uint64_t moment = 0;  // since its threads were last ordered
  Operand operands[warp_lanes];
};

// The block that runs just now. Moments count upwards over all launches; see watch.cpp.
struct Block {
  const Launch *launch = nullptr;
  unsigned count = 0;  // threads
  unsigned warp_count = 0;
  unsigned current = 0;
  unsigned at_barrier = 0;
  unsigned ended = 0;
  char *shared = nullptr;
  uint64_t clock = 0;
  uint64_t launch_moment = 0;
  uint64_t block_moment = 0;
  uint64_t interval_moment = 0;
  Outcome outcome;
  Thread threads[most_threads];
  Warp warps[most_threads / warp_lanes];

  Thread &thread() { return threads[current]; }
  Warp &warp() { return warps[current / warp_lanes]; }
  Operand &operand() { return warp().operands[current % warp_lanes]; }
  bool in_shared(const void *address, size_t bytes) const {
    size_t offset = static_cast<size_t>(static_cast<const char *>(address) - shared);
    return offset < launch->shared_bytes && bytes <= launch->shared_bytes - offset;
  }
};
extern Block block;

// True for the last lane of the warp to arrive, which does the work for all; false for the others, once it is done.
bool meet(const char *operation, unsigned mask = 0xffffffffu);
// The last lane's, when the work is done.
void part();

// Ends the launch from within a thread of it.
[[noreturn]] void stop(int error, unsigned thread, const std::string &what);

// Checked kernels' accesses.
void touch(unsigned thread, const void *address, size_t bytes, bool writes);

}  // namespace stand_in
