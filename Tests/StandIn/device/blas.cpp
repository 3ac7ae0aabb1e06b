// libcublas's one product, on the CPU's BLAS in float32.
#include <cblas.h>

#include <bit>
#include <cstring>

#include "calls.h"
#include "memory.h"

using namespace stand_in;

struct pcu_blas_object {
  bool has_stream = false;
  pcu_stream stream = nullptr;
};

namespace {

enum Status : int { not_initialized = 1, bad_value = 7, execution_failed = 13, not_supported = 15 };

constexpr int float32 = 0;
constexpr int bf16 = 14;
constexpr int float32_sums = 68;

std::set<pcu_blas> handles;

struct Matrix {
  const char *name;
  pcu_address address;
  int type;
  int rows, columns, ld;  // as it lies in memory, column after column

  size_t count() const { return size_t(columns - 1) * size_t(ld) + size_t(rows); }
  size_t value_bytes() const { return type == bf16 ? 2 : 4; }
};

float widened(uint16_t value) { return std::bit_cast<float>(uint32_t{value} << 16); }

uint16_t narrowed(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (value != value) return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

std::vector<float> widened(const Matrix &matrix) {
  std::vector<float> out(matrix.count());
  const auto *from = reinterpret_cast<const uint16_t *>(matrix.address);
  for (size_t i = 0; i < out.size(); i++) out[i] = widened(from[i]);
  return out;
}

struct Product {
  bool transpose_a, transpose_b;
  int k;
  float alpha, beta;
  Matrix a, b, c;

  int run() const {
    for (const Matrix *each : {&a, &b, &c}) {
      if (each->address % each->value_bytes()) {
        return failed(misaligned_address, std::string("a product's ") + each->name + " lies at an odd address");
      }
      if (!lies_in_memory(each->address, each->count() * each->value_bytes())) {
        return failed(illegal_address, std::string("a product's ") + each->name + ", " +
                                           std::to_string(each->count() * each->value_bytes()) +
                                           " bytes, is outside every allocation: " +
                                           memory.whereabouts(reinterpret_cast<const void *>(each->address)));
      }
    }
    counts.gemms++;
    std::vector<float> wide_a, wide_b, wide_c;
    const float *from_a = floats(a, wide_a), *from_b = floats(b, wide_b);
    float *to = reinterpret_cast<float *>(c.address);
    if (c.type == bf16) {
      if (beta != 0) wide_c = widened(c);
      else wide_c.resize(c.count());
      to = wide_c.data();
    }
    cblas_sgemm(CblasColMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, c.rows,
                c.columns, k, alpha, from_a, a.ld, from_b, b.ld, beta, to, c.ld);
    if (c.type == bf16) store(wide_c);
    return 0;
  }

 private:
  static const float *floats(const Matrix &matrix, std::vector<float> &room) {
    if (matrix.type == float32) return reinterpret_cast<const float *>(matrix.address);
    room = widened(matrix);
    return room.data();
  }

  // What lies between the columns is not the product's.
  void store(const std::vector<float> &from) const {
    auto *out = reinterpret_cast<uint16_t *>(c.address);
    for (int column = 0; column < c.columns; column++) {
      size_t start = size_t(column) * size_t(c.ld);
      for (size_t row = start; row < start + size_t(c.rows); row++) out[row] = narrowed(from[row]);
    }
  }
};

// A failure that was asked for is returned as it is; what the driver left behind looks like this to cuBLAS.
int status(const Call &call) { return call.error != 0 && call.error == lasting() ? execution_failed : call.error; }

}  // namespace

int cublasCreate_v2(pcu_blas *handle) {
  Call call("cublasCreate_v2");
  if (call.error) return status(call);
  *handle = new pcu_blas_object;
  handles.insert(*handle);
  return 0;
}

int cublasDestroy_v2(pcu_blas handle) {
  Call call("cublasDestroy_v2");
  if (call.error) return status(call);
  if (handles.erase(handle) == 0) return not_initialized;
  delete handle;
  return 0;
}

int cublasGetVersion_v2(pcu_blas handle, int *version) {
  Call call("cublasGetVersion_v2", Call::harmless);
  if (call.error) return call.error;
  if (!handles.count(handle)) return not_initialized;
  *version = 120000;
  return 0;
}

int cublasSetStream_v2(pcu_blas handle, pcu_stream stream) {
  Call call("cublasSetStream_v2");
  if (call.error) return status(call);
  if (!handles.count(handle)) return not_initialized;
  if (!is_stream(stream)) return bad_value;
  handle->stream = stream;
  handle->has_stream = stream != nullptr;
  return 0;
}

int cublasSetWorkspace_v2(pcu_blas handle, pcu_address workspace, size_t bytes) {
  Call call("cublasSetWorkspace_v2");
  if (call.error) return status(call);
  if (!handles.count(handle)) return not_initialized;
  if (workspace % 256 || !lies_in_memory(workspace, bytes)) return bad_value;
  return 0;
}

int cublasSetMathMode(pcu_blas handle, int mode) {
  Call call("cublasSetMathMode");
  if (call.error) return status(call);
  if (!handles.count(handle)) return not_initialized;
  // Tensor cores for bf16, never TensorFloat-32, sums in float32: the one mode that this library computes in.
  return mode == 16 ? 0 : bad_value;
}

int cublasGemmEx(pcu_blas handle, int transpose_a, int transpose_b, int m, int n, int k, const void *alpha,
                 pcu_address a, int type_a, int lda, pcu_address b, int type_b, int ldb, const void *beta,
                 pcu_address c, int type_c, int ldc, int compute_type, int) {
  Call call("cublasGemmEx");
  if (call.error) return status(call);
  if (!handles.count(handle)) return not_initialized;
  bool types = (type_a == float32 || type_a == bf16) && type_b == type_a && (type_c == float32 || type_c == bf16);
  if (!types || compute_type != float32_sums) return not_supported;
  bool sensible = handle->has_stream && m > 0 && n > 0 && k > 0 && alpha && beta && transpose_a >= 0 &&
                  transpose_a <= 1 && transpose_b >= 0 && transpose_b <= 1 && lda >= (transpose_a ? k : m) &&
                  ldb >= (transpose_b ? n : k) && ldc >= m;
  if (!sensible) {
    return failed(bad_value, "a product of " + std::to_string(m) + " x " + std::to_string(n) + " x " +
                                 std::to_string(k) + " has no stream, or sizes that do not go together");
  }
  Product product = {transpose_a == 1, transpose_b == 1, k, *static_cast<const float *>(alpha),
                     *static_cast<const float *>(beta),
                     {"A", a, type_a, transpose_a ? k : m, transpose_a ? m : k, lda},
                     {"B", b, type_b, transpose_b ? n : k, transpose_b ? k : n, ldb},
                     {"C", c, type_c, m, n, ldc}};
  int error = submit(handle->stream, [product] { return product.run(); });
  return error ? execution_failed : 0;
}
