// What the self-test's cases share: the stand-in opened as primed opens it, kernels compiled from text, and launches.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "CCUDA.h"

struct Libraries {
  pcu_driver driver;
  pcu_blas_library blas;
  pcu_compiler compiler;
};
extern Libraries libraries;
extern std::string kernels_directory;
extern pcu_stream stream;

void open_libraries(const std::string &directory);
// Ends the case with what was wrong.
[[noreturn]] void fail(const std::string &why);
void expect(bool right, const std::string &what);

std::string primed_source();
// Loads a module of this text; fails the case where it does not compile.
pcu_module load(const std::string &source, const std::vector<std::string> &definitions = {});
pcu_function find(pcu_module module, const char *name);

// Device memory with a copy of `from`, or as it comes.
pcu_address room(size_t bytes);
template <typename T> pcu_address put(const std::vector<T> &from) {
  pcu_address at = room(from.size() * sizeof(T));
  expect(libraries.driver.copy_in(at, from.data(), from.size() * sizeof(T), stream) == 0, "a copy in");
  return at;
}
template <typename T> std::vector<T> get(pcu_address from, size_t count) {
  std::vector<T> to(count);
  expect(libraries.driver.copy_out(to.data(), from, count * sizeof(T), stream) == 0, "a copy out");
  return to;
}

// The launch's error.
template <typename Arguments>
int launch(pcu_function function, unsigned x, unsigned y, unsigned threads, unsigned shared, Arguments arguments) {
  void *parameters[] = {&arguments};
  libraries.driver.set_function_attribute(function, 8, static_cast<int>(shared));
  return libraries.driver.launch(function, x, y, 1, threads, 1, 1, shared, stream, parameters, nullptr);
}

// primed's kernels for a head and a number format, in which the device's values then are.
extern int head_numbers;
extern bool is_bf16;
int padded();
pcu_module primed_module(const std::string &source = primed_source());
pcu_address put_values(const std::vector<float> &from);
std::vector<float> get_values(pcu_address from, size_t count);
float any_value();

uint16_t to_bf16(float value);
float from_bf16(uint16_t value);
// In (-1, 1), the same ones each time.
float any_number();

struct Case {
  const char *name;
  bool checked;
  void (*run)();
  const char *said = "";  // on stderr, where it is a planted fault
  int status = 0;         // that it ends with
};
extern const std::vector<Case> plain_cases;
extern const std::vector<Case> attention_cases;
extern const std::vector<Case> row_cases;
