#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace stand_in {

Memory memory;

namespace {

constexpr size_t alignment = 256;
constexpr size_t tile = 2 << 20;

// A tile of garbage, to be mapped as often as wanted: memory that nobody writes then costs nothing.
int garbage_file() {
  static int file = [] {
    int made = memfd_create("garbage", MFD_CLOEXEC);
    if (made < 0 || ftruncate(made, tile) != 0) return -1;
    void *all = mmap(nullptr, tile, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
    if (all == MAP_FAILED) return -1;
    fill_with_garbage(all, tile);
    munmap(all, tile);
    return made;
  }();
  return file;
}

size_t whole_tiles(size_t bytes) { return (bytes + tile - 1) / tile * tile; }

char *map_tiles(size_t bytes) {
  int file = garbage_file();
  if (file < 0) return nullptr;
  size_t room = whole_tiles(bytes);
  void *start = mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  for (size_t at = 0; at < room; at += tile) {
    void *part = mmap(static_cast<char *>(start) + at, tile, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file, 0);
    if (part == MAP_FAILED) {
      munmap(start, room);
      return nullptr;
    }
  }
  return static_cast<char *>(start);
}

}  // namespace

void fill_with_garbage(void *start, size_t bytes) {
  char *to = static_cast<char *>(start);
  if (bytes >= 2) {
    uint16_t *words = reinterpret_cast<uint16_t *>(to);
    for (size_t i = 0; i < bytes / 2; i++) words[i] = garbage;
  }
  if (bytes % 2) to[bytes - 1] = static_cast<char>(garbage & 0xff);
}

Trace *map_traces(size_t bytes) {
  size_t room = (bytes / trace_bytes + 1) * sizeof(Trace);
  void *start =
      mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) {
    fprintf(stderr, "stand-in: no room for the traces of %zu bytes\n", bytes);
    abort();
  }
  return static_cast<Trace *>(start);
}

void unmap_traces(Trace *traces, size_t bytes) {
  if (traces) munmap(traces, (bytes / trace_bytes + 1) * sizeof(Trace));
}

void *Memory::allocate(size_t bytes) {
  if (bytes > total - used) return nullptr;
  bool tiled = bytes >= 2 * tile;
  char *start;
  if (tiled) {
    start = map_tiles(bytes);
  } else {
    size_t room = (bytes + alignment - 1) / alignment * alignment;
    start = static_cast<char *>(aligned_alloc(alignment, room));
    if (start) fill_with_garbage(start, room);
  }
  if (!start) return nullptr;
  allocations_[reinterpret_cast<uintptr_t>(start)] = {start, bytes, tiled};
  used += bytes;
  if (used > peak) peak = used;
  ever++;
  return start;
}

bool Memory::free(void *start) {
  auto found = allocations_.find(reinterpret_cast<uintptr_t>(start));
  if (found == allocations_.end()) return false;
  Allocation &gone = found->second;
  for (Allocation *&each : recent_) {
    if (each == &gone) each = nullptr;
  }
  unmap_traces(gone.traces, gone.bytes);
  used -= gone.bytes;
  if (gone.tiled) munmap(gone.start, whole_tiles(gone.bytes));
  else ::free(gone.start);
  allocations_.erase(found);
  return true;
}

Allocation *Memory::holding(const void *address, size_t bytes) {
  for (Allocation *each : recent_) {
    if (each && each->holds(address, bytes)) return each;
  }
  auto after = allocations_.upper_bound(reinterpret_cast<uintptr_t>(address));
  if (after == allocations_.begin()) return nullptr;
  Allocation *found = &std::prev(after)->second;
  if (!found->holds(address, bytes)) return nullptr;
  recent_[oldest_++ % 4] = found;
  return found;
}

std::string Memory::whereabouts(const void *address) const {
  auto at = reinterpret_cast<uintptr_t>(address);
  auto after = allocations_.upper_bound(at);
  if (after != allocations_.begin()) {
    const Allocation &before = std::prev(after)->second;
    size_t offset = at - reinterpret_cast<uintptr_t>(before.start);
    if (offset < before.bytes) return "across the end of an allocation of " + std::to_string(before.bytes) + " bytes";
    if (offset < before.bytes + (64 << 20)) {
      return std::to_string(offset - before.bytes) + " bytes past the end of an allocation of " +
             std::to_string(before.bytes) + " bytes";
    }
  }
  if (after != allocations_.end() && after->first - at < (64 << 20)) {
    return std::to_string(after->first - at) + " bytes before an allocation of " +
           std::to_string(after->second.bytes) + " bytes";
  }
  return "near no allocation";
}

}  // namespace stand_in
