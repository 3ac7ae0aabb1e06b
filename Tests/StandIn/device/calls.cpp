#include "calls.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "memory.h"

namespace stand_in {

Counts counts;

namespace {

std::mutex lock;
int sticky = 0;
std::vector<std::string> messages;

// "symbol:call:error" entries of STAND_IN_FAIL, separated by commas.
struct Failure {
  std::string symbol;
  long long call;  // or every one while a stream is captured
  int error;
};
constexpr long long while_capturing = -1;

std::vector<Failure> wanted_failures() {
  std::vector<Failure> all;
  const char *text = getenv("STAND_IN_FAIL");
  std::string rest = text ? text : "";
  while (!rest.empty()) {
    size_t comma = rest.find(',');
    std::string entry = rest.substr(0, comma);
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
    char symbol[80];
    Failure each;
    if (sscanf(entry.c_str(), "%79[^:]:capture:%d", symbol, &each.error) == 2) {
      each.call = while_capturing;
    } else if (sscanf(entry.c_str(), "%79[^:]:%lld:%d", symbol, &each.call, &each.error) != 3) {
      fprintf(stderr, "stand-in: STAND_IN_FAIL: not symbol:call:error: %s\n", entry.c_str());
      continue;
    }
    each.symbol = symbol;
    all.push_back(each);
  }
  return all;
}

int wanted_failure(const char *symbol) {
  static std::vector<Failure> failures = wanted_failures();
  static std::map<std::string, long long> calls;
  if (failures.empty()) return 0;
  long long call = ++calls[symbol];
  for (const Failure &each : failures) {
    bool is_due = each.call == while_capturing ? is_capturing() : each.call == call;
    if (is_due && each.symbol == symbol) return each.error;
  }
  return 0;
}

// Errors of a kernel end the context. 701, too many resources for a launch, and those of captures do not.
bool lasts(int error) { return error >= 700 && error < 800 && error != 701; }

std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (char each : text) {
    if (each == '"' || each == '\\') out += '\\';
    if (static_cast<unsigned char>(each) >= 32) out += each;
  }
  return out + "\"";
}

void write_report() {
  const char *wanted = getenv("STAND_IN_REPORT");
  if (!wanted) return;
  std::string path = wanted;
  size_t at = path.find('%');
  if (at != std::string::npos) path.replace(at, 1, std::to_string(getpid()));
  FILE *file = fopen(path.c_str(), "w");
  if (!file) return;
  fprintf(file, "{\"allocations\": %zu, \"bytes\": %zu, \"peak_bytes\": %zu, \"allocations_ever\": %lld,\n",
          memory.live(), memory.used, memory.peak, memory.ever);
  fprintf(file, " \"launches\": %lld, \"gemms\": %lld, \"graph_launches\": %lld,\n", counts.launches, counts.gemms,
          counts.graphs);
  fprintf(file, " \"modules\": %lld, \"streams\": %lld, \"events\": %lld, \"host_allocations\": %lld,\n",
          counts.modules, counts.streams, counts.events, counts.host_allocations);
  fprintf(file, " \"graphs\": %lld, \"contexts\": %lld, \"error\": %d, \"messages\": [", counts.graph_objects,
          counts.contexts, sticky);
  for (size_t i = 0; i < messages.size(); i++) fprintf(file, "%s%s", i ? ", " : "", quoted(messages[i]).c_str());
  fprintf(file, "]}\n");
  fclose(file);
}

}  // namespace

Call::Call(const char *symbol, Kind kind) : lock_(lock) {
  // Registered here, after this library's own objects, and so done before they go.
  static int registered = atexit(write_report);
  (void)registered;
  error = wanted_failure(symbol);
  if (error && lasts(error)) sticky = error;
  if (!error && kind == device_work) error = sticky;
}

int failed(int error, const std::string &message) {
  fprintf(stderr, "stand-in: %s\n", message.c_str());
  if (messages.size() < 20) messages.push_back(message);
  if (lasts(error)) sticky = error;
  return error;
}

int lasting() { return sticky; }

bool lies_in_memory(pcu_address address, size_t bytes) {
  return bytes == 0 || memory.holding(reinterpret_cast<const void *>(address), bytes) != nullptr;
}

}  // namespace stand_in
