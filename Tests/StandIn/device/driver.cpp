// libcuda's devices, contexts, memory and copies.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "calls.h"
#include "fibers.h"
#include "memory.h"

using namespace stand_in;

namespace {

size_t wanted_memory() {
  const char *text = getenv("STAND_IN_MEMORY");
  if (!text) return size_t{1} << 30;
  char *end;
  size_t bytes = strtoull(text, &end, 10);
  if (*end == 'K') bytes <<= 10;
  if (*end == 'M') bytes <<= 20;
  if (*end == 'G') bytes <<= 30;
  return bytes;
}

int device_total() {
  const char *text = getenv("STAND_IN_DEVICES");
  return text ? atoi(text) : 1;
}

bool is_device(int device) { return device >= 0 && device < device_total(); }

std::set<void *> host_allocations;

void *host(pcu_address address) { return reinterpret_cast<void *>(address); }

int outside(const char *what, pcu_address address, size_t bytes) {
  return failed(illegal_address, std::string(what) + " " + std::to_string(bytes) +
                                     " bytes outside every allocation: " + memory.whereabouts(host(address)));
}

struct Word {
  int error;
  const char *name;
  const char *text;
};
constexpr Word words[] = {
    {success, "CUDA_SUCCESS", "no error"},
    {invalid_value, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {out_of_memory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {invalid_image, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {invalid_handle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {not_found, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {600, "CUDA_ERROR_NOT_READY", "device not ready"},
    {illegal_address, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {702, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
    {misaligned_address, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {launch_failed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {805, "CUDA_ERROR_MPS_CONNECTION_FAILED", "MPS client failed to connect to the MPS control daemon or the MPS server"},
    {capture_unsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {capture_invalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

const Word *word(int error) {
  for (const Word &each : words) {
    if (each.error == error) return &each;
  }
  return nullptr;
}

}  // namespace

int cuInit(unsigned) {
  Call call("cuInit", Call::harmless);
  if (call.error) return call.error;
  memory.total = wanted_memory();
  return device_total() > 0 ? 0 : 100;
}

int cuDriverGetVersion(int *version) {
  Call call("cuDriverGetVersion", Call::harmless);
  *version = 12090;
  return call.error;
}

int cuGetErrorName(int error, const char **name) {
  const Word *found = word(error);
  *name = found ? found->name : nullptr;
  return found ? 0 : invalid_value;
}

int cuGetErrorString(int error, const char **text) {
  const Word *found = word(error);
  *text = found ? found->text : nullptr;
  return found ? 0 : invalid_value;
}

int cuDeviceGetCount(int *count) {
  Call call("cuDeviceGetCount", Call::harmless);
  *count = device_total();
  return call.error;
}

int cuDeviceGet(int *device, int ordinal) {
  Call call("cuDeviceGet", Call::harmless);
  if (call.error) return call.error;
  if (!is_device(ordinal)) return 101;
  *device = ordinal;
  return 0;
}

int cuDeviceGetName(char *name, int length, int device) {
  Call call("cuDeviceGetName", Call::harmless);
  if (call.error) return call.error;
  if (!is_device(device)) return 101;
  snprintf(name, static_cast<size_t>(length), "stand-in");
  return 0;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  Call call("cuDeviceGetAttribute", Call::harmless);
  if (call.error) return call.error;
  if (!is_device(device)) return 101;
  switch (attribute) {
    case 1: *value = most_threads; break;         // threads of a block
    case 8: *value = 49152; break;                // shared bytes of a block, without asking
    case 10: *value = 32; break;                  // lanes of a warp
    case 16: *value = 4; break;                   // multiprocessors
    case 75: *value = 9; break;                   // compute capability
    case 97: *value = most_shared_bytes; break;   // shared bytes of a block, for the asking
    default: *value = 0;
  }
  return 0;
}

int cuDeviceTotalMem_v2(size_t *bytes, int device) {
  Call call("cuDeviceTotalMem_v2", Call::harmless);
  if (call.error) return call.error;
  if (!is_device(device)) return 101;
  *bytes = wanted_memory();
  return 0;
}

int cuDevicePrimaryCtxRetain(pcu_context *context, int device) {
  Call call("cuDevicePrimaryCtxRetain");
  if (call.error) return call.error;
  if (!is_device(device)) return 101;
  *context = reinterpret_cast<pcu_context>(static_cast<uintptr_t>(device) + 1);
  counts.contexts++;
  return 0;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
  Call call("cuDevicePrimaryCtxRelease_v2", Call::harmless);
  if (call.error) return call.error;
  if (!is_device(device)) return 101;
  if (counts.contexts == 0) return 201;
  counts.contexts--;
  return 0;
}

int cuCtxSetCurrent(pcu_context) {
  Call call("cuCtxSetCurrent");
  return call.error;
}

int cuMemGetInfo_v2(size_t *free, size_t *total) {
  Call call("cuMemGetInfo_v2");
  if (call.error) return call.error;
  *free = memory.total - memory.used;
  *total = memory.total;
  return 0;
}

int cuMemAlloc_v2(pcu_address *address, size_t bytes) {
  Call call("cuMemAlloc_v2");
  if (call.error) return call.error;
  if (int refused = refused_in_capture()) return refused;
  if (bytes == 0) return invalid_value;
  void *start = memory.allocate(bytes);
  if (!start) return out_of_memory;
  *address = reinterpret_cast<pcu_address>(start);
  return 0;
}

int cuMemFree_v2(pcu_address address) {
  Call call("cuMemFree_v2");
  if (call.error) return call.error;
  if (address == 0) return 0;
  if (int refused = refused_in_capture()) return refused;
  return memory.free(host(address)) ? 0 : invalid_value;
}

int cuMemHostAlloc(void **address, size_t bytes, unsigned) {
  Call call("cuMemHostAlloc");
  if (call.error) return call.error;
  if (int refused = refused_in_capture()) return refused;
  if (bytes == 0) return invalid_value;
  void *start = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!start) return out_of_memory;
  fill_with_garbage(start, bytes);
  host_allocations.insert(start);
  counts.host_allocations++;
  *address = start;
  return 0;
}

int cuMemFreeHost(void *address) {
  Call call("cuMemFreeHost");
  if (call.error) return call.error;
  if (int refused = refused_in_capture()) return refused;
  if (host_allocations.erase(address) == 0) return invalid_value;
  counts.host_allocations--;
  free(address);
  return 0;
}

int cuMemcpyHtoDAsync_v2(pcu_address to, const void *from, size_t bytes, pcu_stream stream) {
  Call call("cuMemcpyHtoDAsync_v2");
  if (call.error) return call.error;
  return submit(stream, [=] {
    if (!lies_in_memory(to, bytes)) return outside("a copy to the device writes", to, bytes);
    memcpy(host(to), from, bytes);
    return 0;
  });
}

int cuMemcpyDtoHAsync_v2(void *to, pcu_address from, size_t bytes, pcu_stream stream) {
  Call call("cuMemcpyDtoHAsync_v2");
  if (call.error) return call.error;
  return submit(stream, [=] {
    if (!lies_in_memory(from, bytes)) return outside("a copy from the device reads", from, bytes);
    memcpy(to, host(from), bytes);
    return 0;
  });
}

int cuMemcpyDtoDAsync_v2(pcu_address to, pcu_address from, size_t bytes, pcu_stream stream) {
  Call call("cuMemcpyDtoDAsync_v2");
  if (call.error) return call.error;
  return submit(stream, [=] {
    if (!lies_in_memory(from, bytes)) return outside("a copy within the device reads", from, bytes);
    if (!lies_in_memory(to, bytes)) return outside("a copy within the device writes", to, bytes);
    memmove(host(to), host(from), bytes);
    return 0;
  });
}

int cuMemsetD8Async(pcu_address at, unsigned char value, size_t bytes, pcu_stream stream) {
  Call call("cuMemsetD8Async");
  if (call.error) return call.error;
  return submit(stream, [=] {
    if (!lies_in_memory(at, bytes)) return outside("a memset writes", at, bytes);
    memset(host(at), value, bytes);
    return 0;
  });
}
