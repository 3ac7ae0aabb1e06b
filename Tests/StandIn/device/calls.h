// What every entry point does first and last, and what is counted.
#pragma once
#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "CCUDA.h"

// Declared from primed's own list, so that a definition that differs from it does not compile.
#define DECLARE_ENTRY(symbol, name, parameters) extern "C" __attribute__((visibility("default"))) int symbol parameters;
PCU_DRIVER(DECLARE_ENTRY)
PCU_BLAS(DECLARE_ENTRY)
PCU_COMPILER(DECLARE_ENTRY)
#undef DECLARE_ENTRY

namespace stand_in {

enum Error : int {
  success = 0,
  invalid_value = 1,
  out_of_memory = 2,
  invalid_image = 200,
  invalid_handle = 400,
  not_found = 500,
  illegal_address = 700,
  misaligned_address = 716,
  launch_failed = 719,
  capture_unsupported = 900,
  capture_invalidated = 901,
};

struct Counts {
  long long launches = 0, gemms = 0, graphs = 0;
  long long modules = 0, streams = 0, events = 0, host_allocations = 0, graph_objects = 0, contexts = 0;
};
extern Counts counts;

// One call of one entry point. Holds the one lock while it lasts; `error` is what must be returned at once: a failure
// that was asked for, or one that an earlier call left behind, as the driver keeps returning it.
class Call {
 public:
  enum Kind { device_work, harmless };
  explicit Call(const char *symbol, Kind kind = device_work);
  int error;

 private:
  std::unique_lock<std::mutex> lock_;
};

// Says it on stderr and in the report, and makes `error` what every later call returns if it is of that sort.
int failed(int error, const std::string &message);
// The error that stays, or 0.
int lasting();

// Work given to a stream: done at once, or noted down while the stream is captured.
using Work = std::function<int()>;
int submit(pcu_stream stream, Work work);
bool is_stream(pcu_stream stream);
bool is_capturing();
// 0, or what a call returns that is not allowed while anything is captured.
int refused_in_capture();

// Whether these bytes are all of one allocation, as those of a copy or a product must be.
bool lies_in_memory(pcu_address address, size_t bytes);

}  // namespace stand_in
