// The stand-in's own abilities, on small kernels: what works, and what it must notice.
#include <cmath>
#include <cstring>

#include "harness.h"

namespace {

struct Two {
  uint64_t in, out;
};

const std::string head = "struct Two { const unsigned *in; unsigned *out; };\n";
// Both operands come through ldmatrix: B is kept [k][n] and loaded transposed.
const std::string product = head + R"(
KERNEL(product, Two, 32) {
  SHARED(unsigned short, shared);
  const unsigned short *in = reinterpret_cast<const unsigned short *>(p.in);
  for (int i = threadIdx.x; i < 16 * 16 + 16 * 16; i += 32) shared[i] = in[i];
  __syncwarp();
  int lane = threadIdx.x;
  unsigned a[4], b[4];
  load_matrices(a, shared + (lane / 8 % 2 * 8 + lane % 8) * 16 + lane / 16 * 8);
  load_transposed(b, shared + 256 + (lane / 8 % 2 * 8 + lane % 8) * 16 + lane / 16 * 8);
  float *out = reinterpret_cast<float *>(p.out);
  for (int half = 0; half < 2; half++) {
    float c[4] = {1, 1, 1, 1};
    multiply_add(c, a, b[2 * half], b[2 * half + 1]);
    for (int j = 0; j < 4; j++) out[(lane / 4 + j / 2 * 8) * 16 + half * 8 + lane % 4 * 2 + j % 2] = c[j];
  }
})";

void check_product() {
  pcu_function function = find(load(product), "product");
  std::vector<uint16_t> in(512);
  for (uint16_t &each : in) each = to_bf16(any_number());
  pcu_address out = room(256 * 4);
  expect(launch(function, 1, 1, 32, 1024, Two{put(in), out}) == 0, "a launch");
  std::vector<float> got = get<float>(out, 256);
  for (int row = 0; row < 16; row++) {
    for (int column = 0; column < 16; column++) {
      double sum = 1;
      for (int k = 0; k < 16; k++) sum += double(from_bf16(in[row * 16 + k])) * from_bf16(in[256 + k * 16 + column]);
      expect(std::fabs(sum - got[row * 16 + column]) < 1e-5, "the product at " + std::to_string(row * 16 + column));
    }
  }
}

void check_shuffles() {
  pcu_function function = find(load(head + R"(
KERNEL(shuffles, Two, 64) {
  unsigned mine = p.in[threadIdx.x];
  p.out[threadIdx.x] = __shfl_sync(0xffffffffu, mine, 5) * 1000 + __shfl_xor_sync(0xffffffffu, mine, 3);
  double wide = __shfl_xor_sync(0xffffffffu, mine + 0.5, 1);
  p.out[64 + threadIdx.x] = pack(1.0f + wide / 256, -1.0f);
})"), "shuffles");
  std::vector<unsigned> in(64);
  for (unsigned i = 0; i < 64; i++) in[i] = i;
  pcu_address out = room(128 * 4);
  expect(launch(function, 1, 1, 64, 0, Two{put(in), out}) == 0, "a launch");
  std::vector<unsigned> got = get<unsigned>(out, 128);
  for (unsigned i = 0; i < 64; i++) {
    expect(got[i] == (i / 32 * 32 + 5) * 1000 + (i ^ 3), "a shuffle");
    float packed = 1.0f + ((i ^ 1) + 0.5) / 256;
    expect(got[64 + i] == (to_bf16(packed) | 0xbf80u << 16), "a packed pair");
  }
}

const std::string copies = head + R"(
KERNEL(copies, Two, 32) {
  SHARED(unsigned, shared);
  unsigned *mine = shared + threadIdx.x * 8;
  mine[0] = mine[4] = 7;
  copy_async(mine, p.in, true);
  copy_commit();
  copy_async(mine + 4, nullptr, false);
  copy_commit();
  p.out[threadIdx.x * 4] = mine[0];
  copy_wait<1>();
  p.out[threadIdx.x * 4 + 1] = mine[0];
  p.out[threadIdx.x * 4 + 2] = mine[4];
  copy_wait<0>();
  p.out[threadIdx.x * 4 + 3] = mine[4];
})";

void check_copies() {
  pcu_address out = room(32 * 16);
  pcu_address in = put(std::vector<unsigned>{42, 43, 44, 45});
  expect(launch(find(load(copies), "copies"), 1, 1, 32, 32 * 32, Two{in, out}) == 0, "a launch");
  std::vector<unsigned> got = get<unsigned>(out, 128);
  for (int i = 0; i < 32; i++) {
    const unsigned *mine = &got[i * 4];
    expect(mine[0] == 7 && mine[1] == 42 && mine[2] == 7 && mine[3] == 0, "a copy landed at the wrong time");
  }
}

// A sum over the block, which is right, and variants of it that are not.
std::string sum(const std::string &first, const std::string &second, const std::string &index) {
  return head + R"(
KERNEL(sum, Two, 128) {
  SHARED(unsigned, shared);
  shared[threadIdx.x] = p.in[threadIdx.x];
  )" + first + R"(
  for (int step = 64; step > 0; step /= 2) {
    if (threadIdx.x < step) shared[)" + index + R"(] += shared[threadIdx.x + step];
    )" + second + R"(
  }
  if (threadIdx.x == 0) p.out[blockIdx.x] = shared[0];
})";
}

int run_sum(const std::string &source, unsigned in_count = 128, unsigned shared = 512, bool right = false) {
  std::vector<unsigned> in(in_count, 3);
  pcu_address out = room(4 * 4);
  int error = launch(find(load(source), "sum"), 4, 1, 128, shared, Two{put(in), out});
  if (right) {
    expect(error == 0, "a launch");
    for (unsigned each : get<unsigned>(out, 4)) expect(each == 384, "a sum");
  }
  return error;
}

void check_sum() { run_sum(sum("__syncthreads();", "__syncthreads();", "threadIdx.x"), 128, 512, true); }

void expect_error(int got, int wanted) {
  expect(got == wanted, "error " + std::to_string(got));
  // Such an error stays.
  pcu_address more;
  expect(libraries.driver.allocate(&more, 4) == wanted && libraries.driver.wait_stream(stream) == wanted,
         "a lasting error");
}

void plant_read() { expect_error(run_sum(sum("__syncthreads();", "__syncthreads();", "threadIdx.x"), 100), 700); }
void plant_shared() {
  expect_error(run_sum(sum("__syncthreads();", "__syncthreads();", "threadIdx.x"), 128, 500), 700);
}
void plant_race() { expect_error(run_sum(sum("__syncthreads();", "", "threadIdx.x")), 719); }
void plant_warp_race() {
  expect_error(run_sum(sum("__syncthreads();", "if (step > 32) __syncthreads();", "threadIdx.x")), 719);
}
void check_warp_order() {
  run_sum(sum("__syncthreads();", "if (step > 32) __syncthreads(); else __syncwarp();", "threadIdx.x"), 128, 512, true);
}
void plant_divergence() {
  expect_error(run_sum(sum("if (threadIdx.x == 77) return; __syncthreads();", "__syncthreads();", "threadIdx.x")), 719);
}
void plant_warp_divergence() {
  expect_error(run_sum(sum("if (threadIdx.x == 77) return; __syncwarp();", "", "threadIdx.x")), 719);
}
void plant_blocks() {
  std::string source = sum("__syncthreads();", "__syncthreads();", "threadIdx.x");
  source.replace(source.find("p.out[blockIdx.x]"), 17, "p.out[blockIdx.x / 2]");
  expect_error(run_sum(source), 719);
}
void plant_early_read() {
  std::string source = copies;
  // Another thread's copy, read before it landed and without a barrier.
  source.replace(source.find("p.out[threadIdx.x * 4] = mine[0]"), 32,
                 "p.out[threadIdx.x * 4] = shared[(threadIdx.x ^ 1) * 8]");
  pcu_address in = put(std::vector<unsigned>{42, 43, 44, 45});
  expect_error(launch(find(load(source), "copies"), 1, 1, 32, 1024, Two{in, room(512)}), 719);
}
void plant_odd_address() {
  pcu_function function = find(load(head + R"(
KERNEL(odd, Two, 1) {
  p.out[0] = *reinterpret_cast<const unsigned *>(reinterpret_cast<const char *>(p.in) + 2);
})"), "odd");
  expect_error(launch(function, 1, 1, 1, 0, Two{room(8), room(4)}), 716);
}

void check_products() {
  pcu_blas blas;
  expect(libraries.blas.create(&blas) == 0 && libraries.blas.set_stream(blas, stream) == 0, "a BLAS");
  const int m = 5, n = 7, k = 9, lda = 11, ldb = 10, ldc = 8;
  std::vector<uint16_t> a(m * lda), b(n * ldb), c(n * ldc);
  for (auto *each : {&a, &b, &c}) {
    for (uint16_t &value : *each) value = to_bf16(any_number());
  }
  float alpha = 0.5f, beta = 1;
  pcu_address at_a = put(a), at_b = put(b), at_c = put(c);
  // As primed lays it out: A transposed, [m][k]; B [n][k].
  auto multiply = [&](int rows) {
    return libraries.blas.gemm(blas, 1, 0, rows, n, k, &alpha, at_a, 14, lda,
                               at_b, 14, ldb, &beta, at_c, 14, ldc, 68, -1);
  };
  expect(multiply(9) == 7, "a product with a leading dimension that is too small");
  expect(multiply(m) == 0, "a product");
  std::vector<uint16_t> got = get<uint16_t>(at_c, c.size());
  for (int column = 0; column < n; column++) {
    for (int row = 0; row < ldc; row++) {
      double sum = 0;
      for (int i = 0; i < k; i++) sum += double(from_bf16(a[row % m * lda + i])) * from_bf16(b[column * ldb + i]);
      double wanted = from_bf16(c[column * ldc + row]) + (row < m ? alpha * sum : 0);
      expect(std::fabs(wanted - from_bf16(got[column * ldc + row])) < 0.01, "a product's number");
    }
  }
  expect(multiply(7) == 13 && libraries.driver.wait_stream(stream) == 700, "a product outside memory");
}

void check_graphs() {
  pcu_driver &driver = libraries.driver;
  pcu_function function = find(load(head + "KERNEL(add, Two, 1) { p.out[0] += p.in[0]; }"), "add");
  pcu_address in = put(std::vector<unsigned>{5}), out = put(std::vector<unsigned>{0}), more;
  pcu_graph graph;
  pcu_graph_exec exec;
  expect(driver.begin_capture(stream, 2) == 0 && launch(function, 1, 1, 1, 0, Two{in, out}) == 0, "a capture");
  expect(driver.end_capture(stream, &graph) == 0 && driver.instantiate(&exec, graph, 0) == 0, "a graph");
  expect(get<unsigned>(out, 1)[0] == 0, "a captured launch ran");
  for (int i = 0; i < 3; i++) expect(driver.launch_graph(exec, stream) == 0, "a graph's launch");
  expect(get<unsigned>(out, 1)[0] == 15, "a graph's work");
  expect(driver.destroy_exec(exec) == 0 && driver.destroy_graph(graph) == 0, "a graph's end");
  expect(driver.begin_capture(stream, 0) == 0 && driver.allocate(&more, 4) == 900, "memory during a capture");
  expect(driver.end_capture(stream, &graph) == 901, "a spoilt capture");
  expect(driver.copy_in(out, &more, 8, stream) == 700, "a copy past an allocation");
}

void check_memory() {
  pcu_driver &driver = libraries.driver;
  size_t free_bytes, total;
  pcu_address small, large;
  expect(driver.memory_info(&free_bytes, &total) == 0 && free_bytes == 1 << 30 && total == 1 << 30, "the memory");
  expect(driver.allocate(&large, (1 << 30) - 4) == 0 && driver.allocate(&small, 8) == 2, "the memory's end");
  expect(get<uint16_t>(large + (77 << 20), 1)[0] == 0xffa5, "garbage");
  expect(driver.free_memory(large + 4) == 1 && driver.free_memory(large) == 0, "a free");
  expect(driver.free_memory(large) == 1, "a second free");
  pcu_program program;
  size_t bytes;
  libraries.compiler.create(&program, "KERNEL(broken", "x", 0, nullptr, nullptr);
  expect(libraries.compiler.compile(program, 0, nullptr) == 6, "a broken program");
  expect(libraries.compiler.log_size(program, &bytes) == 0 && bytes > 20, "a log");
}

void check_failures() {
  pcu_blas blas;
  expect(libraries.blas.create(&blas) == 0 && libraries.blas.create(&blas) == 3, "a BLAS that fails");
  expect(libraries.driver.wait_stream(stream) == 0, "an error of cuBLAS stays");
  pcu_event event;
  expect(libraries.driver.create_event(&event, 0) == 0 && libraries.driver.create_event(&event, 0) == 0, "events");
  expect_error(libraries.driver.create_event(&event, 0), 719);
  expect(libraries.blas.create(&blas) == 13, "cuBLAS after an error of the device");
}

}  // namespace

const std::vector<Case> plain_cases = {
    {"ldmatrix and mma", false, check_product},
    {"ldmatrix and mma", true, check_product},
    {"shuffles and pack", false, check_shuffles},
    {"copies land when they are waited for", false, check_copies},
    {"copies land when they are waited for", true, check_copies},
    {"a sum", false, check_sum},
    {"a sum", true, check_sum},
    {"a sum with __syncwarp", true, check_warp_order},
    {"a read past an allocation", true, plant_read, "reads 4 bytes"},
    {"a write past shared memory", true, plant_shared, "of 500 of shared memory"},
    {"a write past shared memory", false, plant_shared, "past its 500 bytes"},
    {"a race", true, plant_race, "nothing to order"},
    {"a race in a warp", true, plant_warp_race, "nothing to order"},
    {"a race of two blocks", true, plant_blocks, "another block writes"},
    {"a read of a copy under way", true, plant_early_read, "nothing to order"},
    {"an odd address", true, plant_odd_address, "odd address"},
    {"a barrier that a thread misses", true, plant_divergence, "waits in __syncthreads"},
    {"a barrier that a thread misses", false, plant_divergence, "waits in __syncthreads"},
    {"a warp barrier that a lane misses", false, plant_warp_divergence, "for lane 13, which has ended"},
    {"products", false, check_products, "outside every allocation"},
    {"graphs", false, check_graphs, "outside every allocation"},
    {"memory and compile errors", false, check_memory},
    {"failures for the asking", false, check_failures, "\"events\": 2"},
};
