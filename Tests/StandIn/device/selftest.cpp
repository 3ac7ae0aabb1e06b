// Runs each case in a process of its own, since an error of the device stays with its process.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "harness.h"

Libraries libraries;
std::string kernels_directory;
pcu_stream stream;

void fail(const std::string &why) {
  // Not "FAILED": a planted fault must end its case here.
  fprintf(stderr, "stopped: %s\n", why.c_str());
  fflush(stdout);
  _exit(1);
}

void expect(bool right, const std::string &what) {
  if (!right) fail(what);
}

namespace {

void *open_library(const std::string &path) {
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) fail(dlerror());
  return library;
}

template <typename Function> void look_up(Function &function, void *library, const char *symbol) {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  if (!function) fail(std::string("no ") + symbol);
}

std::string read_file(const std::string &path) {
  std::ifstream file(path);
  if (!file) fail("no " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

int run_case(const Case &each, const std::string &directory, const std::string &only) {
  if (!only.empty() && std::string(each.name).find(only) == std::string::npos) return 0;
  char said[] = "/tmp/stand-in-said.XXXXXX";
  int file = mkstemp(said);
  std::string report = std::string(said) + ".json";
  auto start = std::chrono::steady_clock::now();
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    dup2(file, 2);
    setenv("STAND_IN_CHECKED", each.checked ? "1" : "0", 1);
    setenv("STAND_IN_REPORT", report.c_str(), 1);
    // For the one case that makes so many calls.
    setenv("STAND_IN_FAIL", "cublasCreate_v2:2:3,cuEventCreate:3:719", 1);
    open_libraries(directory);
    each.run();
    fflush(stdout);
    exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  close(file);
  std::string text = read_file(said);
  unlink(said);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::string all = text + (access(report.c_str(), R_OK) == 0 ? read_file(report) : "");
  unlink(report.c_str());
  bool right = WIFEXITED(status) && WEXITSTATUS(status) == each.status && all.find(each.said) != std::string::npos;
  printf("%s %s%s (%.1f s)\n", right ? "ok    " : "FAILED", each.name, each.checked ? ", checked" : "", seconds);
  if (!right && !WIFEXITED(status)) printf("       ended by signal %d\n", WTERMSIG(status));
  if (!right || *each.said) printf("       %s", text.empty() ? all.c_str() : text.c_str());
  return right ? 0 : 1;
}

}  // namespace

void open_libraries(const std::string &directory) {
  void *driver = open_library(directory + "/libcuda.so.1");
  void *blas = open_library(directory + "/libcublas.so.12");
  void *compiler = open_library(directory + "/libnvrtc.so.12");
#define LOOK_UP(symbol, name, parameters) look_up(table.name, library, #symbol);
  [](pcu_driver &table, void *library) { PCU_DRIVER(LOOK_UP) }(libraries.driver, driver);
  [](pcu_blas_library &table, void *library) { PCU_BLAS(LOOK_UP) }(libraries.blas, blas);
  [](pcu_compiler &table, void *library) { PCU_COMPILER(LOOK_UP) }(libraries.compiler, compiler);
#undef LOOK_UP
  pcu_context context;
  int device = 0;
  expect(libraries.driver.init(0) == 0 && libraries.driver.device(&device, 0) == 0, "a device");
  expect(libraries.driver.retain_context(&context, device) == 0, "a context");
  expect(libraries.driver.create_stream(&stream, 1) == 0, "a stream");
}

std::string primed_source() {
  std::string all = read_file(kernels_directory + "/../include/parameters.h");
  for (const char *each : {"common", "rows", "attention", "attention-float32", "choose"}) {
    all += read_file(kernels_directory + "/" + each + ".cu");
  }
  return all;
}

pcu_module load(const std::string &source, const std::vector<std::string> &definitions) {
  pcu_compiler &compiler = libraries.compiler;
  pcu_program program;
  std::vector<const char *> options = {"--gpu-architecture=sm_90", "-std=c++17"};
  for (const std::string &each : definitions) options.push_back(each.c_str());
  expect(compiler.create(&program, source.c_str(), "test.cu", 0, nullptr, nullptr) == 0, "a program");
  int error = compiler.compile(program, static_cast<int>(options.size()), options.data());
  size_t bytes = 0;
  if (error) {
    compiler.log_size(program, &bytes);
    std::string log(bytes, ' ');
    compiler.log(program, log.data());
    fail("does not compile: " + log);
  }
  expect(compiler.cubin_size(program, &bytes) == 0 && bytes > 0, "a cubin's size");
  std::vector<char> cubin(bytes);
  expect(compiler.cubin(program, cubin.data()) == 0 && compiler.destroy(&program) == 0, "a cubin");
  pcu_module module;
  expect(libraries.driver.load_module(&module, cubin.data()) == 0, "a module");
  return module;
}

pcu_function find(pcu_module module, const char *name) {
  pcu_function function;
  expect(libraries.driver.function(&function, module, name) == 0, std::string("kernel ") + name);
  return function;
}

pcu_address room(size_t bytes) {
  pcu_address at;
  expect(libraries.driver.allocate(&at, bytes) == 0, "device memory");
  return at;
}

uint16_t to_bf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float from_bf16(uint16_t value) { return std::bit_cast<float>(uint32_t{value} << 16); }

float any_number() {
  static uint32_t state = 12345;
  state = state * 1664525u + 1013904223u;
  return static_cast<float>(static_cast<int32_t>(state) >> 8) / (1 << 23);
}

int head_numbers;
bool is_bf16;
int padded() { return (head_numbers + 15) / 16 * 16; }

pcu_module primed_module(const std::string &source) {
  return load(source, {"-DPCU_KERNELS=1", "-DPCU_HEAD=" + std::to_string(head_numbers),
                       std::string("-DPCU_BF16=") + (is_bf16 ? "1" : "0")});
}

// In the device's number format.
pcu_address put_values(const std::vector<float> &from) {
  if (!is_bf16) return put(from);
  std::vector<uint16_t> narrow(from.size());
  std::transform(from.begin(), from.end(), narrow.begin(), to_bf16);
  return put(narrow);
}

std::vector<float> get_values(pcu_address from, size_t count) {
  if (!is_bf16) return get<float>(from, count);
  std::vector<uint16_t> narrow = get<uint16_t>(from, count);
  std::vector<float> out(count);
  std::transform(narrow.begin(), narrow.end(), out.begin(), from_bf16);
  return out;
}

float any_value() { return is_bf16 ? from_bf16(to_bf16(any_number())) : any_number(); }

// selftest LIBRARIES KERNELS [part of the cases' names]
int main(int count, char **arguments) {
  if (count < 3) fail("usage: selftest LIBRARIES KERNELS [CASE]");
  kernels_directory = arguments[2];
  std::string only = count > 3 ? arguments[3] : "";
  int wrong = 0;
  for (const auto *cases : {&plain_cases, &attention_cases, &row_cases}) {
    for (const Case &each : *cases) wrong += run_case(each, arguments[1], only);
  }
  if (wrong) printf("%d cases failed\n", wrong);
  return wrong ? 1 : 0;
}
