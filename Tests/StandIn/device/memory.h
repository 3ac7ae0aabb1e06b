// The device's memory: ranges of the host's own, counted against a total.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace stand_in {

// Who last wrote and read two neighbouring bytes; see watch.cpp.
struct Trace {
  uint64_t write = 0;
  uint64_t read = 0;
};
constexpr size_t trace_bytes = 2;

struct Allocation {
  char *start;
  size_t bytes;
  bool tiled;
  Trace *traces = nullptr;

  bool holds(const void *address, size_t count) const {
    size_t offset = static_cast<size_t>(static_cast<const char *>(address) - start);
    return offset < bytes && count <= bytes - offset;
  }
};

// NaN both as bf16 and as float, and out of range as an index.
constexpr uint16_t garbage = 0xffa5;
void fill_with_garbage(void *start, size_t bytes);

// Zeros that take up memory only where they are written. Ends the process where there is no room even for that.
Trace *map_traces(size_t bytes);
void unmap_traces(Trace *traces, size_t bytes);

class Memory {
 public:
  size_t total = 0;
  size_t used = 0;
  size_t peak = 0;
  long long ever = 0;

  size_t live() const { return allocations_.size(); }
  // nullptr where that is more than is left.
  void *allocate(size_t bytes);
  bool free(void *start);
  // The allocation in which all these bytes lie, or nullptr. Fast for the few that a kernel works on.
  Allocation *holding(const void *address, size_t bytes);
  // Where an address lies that is in no allocation, in words.
  std::string whereabouts(const void *address) const;

 private:
  std::map<uintptr_t, Allocation> allocations_;  // by their starts
  Allocation *recent_[4] = {};
  unsigned oldest_ = 0;
};

extern Memory memory;

}  // namespace stand_in
