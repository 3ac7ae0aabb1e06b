// libcuda's modules and launches. A module is a shared library that compiler.cpp had made.
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>

#include "calls.h"
#include "fibers.h"

using namespace stand_in;

struct pcu_function_object {
  std::string name;
  const StandInKernel *kernel;
  pcu_module module;
  int most_dynamic = 49152;
};

struct pcu_module_object {
  int file = -1;
  void *library = nullptr;
  StandInModule *face = nullptr;
  std::vector<std::pair<const char *, const char *>> ranges;
  std::vector<std::unique_ptr<pcu_function_object>> functions;
};

namespace {

std::set<pcu_module> modules;
std::set<pcu_function> functions;

constexpr int dynamic_shared = 8;  // the function attribute

// The caller gives no size: an ELF file ends with its table of sections, or with the last of them.
size_t elf_size(const void *image) {
  const auto *header = static_cast<const Elf64_Ehdr *>(image);
  if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64) return 0;
  size_t end = header->e_shoff + size_t{header->e_shnum} * header->e_shentsize;
  const auto *sections = reinterpret_cast<const Elf64_Shdr *>(static_cast<const char *>(image) + header->e_shoff);
  for (unsigned i = 0; i < header->e_shnum; i++) {
    if (sections[i].sh_type == SHT_NOBITS) continue;
    size_t last = sections[i].sh_offset + sections[i].sh_size;
    if (last > end) end = last;
  }
  return end;
}

void find_ranges(pcu_module module) {
  link_map *map = nullptr;
  if (dlinfo(module->library, RTLD_DI_LINKMAP, &map) != 0) return;
  struct Search {
    ElfW(Addr) base;
    pcu_module module;
  } search = {map->l_addr, module};
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *data) {
        auto *wanted = static_cast<Search *>(data);
        if (info->dlpi_addr != wanted->base) return 0;
        for (int i = 0; i < info->dlpi_phnum; i++) {
          const auto &part = info->dlpi_phdr[i];
          if (part.p_type != PT_LOAD) continue;
          const char *start = reinterpret_cast<const char *>(info->dlpi_addr + part.p_vaddr);
          wanted->module->ranges.push_back({start, start + part.p_memsz});
        }
        return 1;
      },
      &search);
}

void discard(pcu_module module) {
  if (module->library) dlclose(module->library);
  if (module->file >= 0) close(module->file);
  delete module;
}

bool write_all(int file, const char *from, size_t bytes) {
  while (bytes > 0) {
    ssize_t wrote = write(file, from, bytes);
    if (wrote <= 0) return false;
    from += wrote;
    bytes -= static_cast<size_t>(wrote);
  }
  return true;
}

bool fits(const pcu_function function, const Launch &launch) {
  unsigned long long threads = 1ull * launch.block.x * launch.block.y * launch.block.z;
  bool grid = launch.grid.x > 0 && launch.grid.y > 0 && launch.grid.z > 0 && launch.grid.x <= 0x7fffffff &&
              launch.grid.y <= 65535 && launch.grid.z <= 65535;
  bool block = threads > 0 && threads <= most_threads && launch.block.z <= 64 &&
               threads <= function->kernel->most_threads;
  return grid && block && launch.shared_bytes <= static_cast<unsigned>(function->most_dynamic);
}

}  // namespace

int cuModuleLoadData(pcu_module *module, const void *image) {
  Call call("cuModuleLoadData");
  if (call.error) return call.error;
  if (!image) return invalid_value;
  size_t bytes = elf_size(image);
  if (bytes == 0) return invalid_image;
  auto *made = new pcu_module_object;
  // The file stays open as long as the module, so that its path is no other module's: dlopen knows libraries by path.
  made->file = memfd_create("kernels", MFD_CLOEXEC);
  std::string path = "/proc/self/fd/" + std::to_string(made->file);
  if (made->file >= 0 && write_all(made->file, static_cast<const char *>(image), bytes)) {
    made->library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  if (made->library) made->face = static_cast<StandInModule *>(dlsym(made->library, "stand_in_module"));
  if (!made->face) {
    const char *why = dlerror();
    discard(made);
    return failed(invalid_image, std::string("a module cannot be loaded: ") + (why ? why : "no memory for it"));
  }
  *made->face->table = &table;
  find_ranges(made);
  modules.insert(made);
  counts.modules++;
  *module = made;
  return 0;
}

int cuModuleUnload(pcu_module module) {
  Call call("cuModuleUnload");
  if (call.error) return call.error;
  if (modules.erase(module) == 0) return invalid_handle;
  for (const auto &each : module->functions) functions.erase(each.get());
  discard(module);
  counts.modules--;
  return 0;
}

int cuModuleGetFunction(pcu_function *function, pcu_module module, const char *name) {
  Call call("cuModuleGetFunction");
  if (call.error) return call.error;
  if (!modules.count(module)) return invalid_handle;
  for (const auto &each : module->functions) {
    if (each->name == name) {
      *function = each.get();
      return 0;
    }
  }
  void *kernel = dlsym(module->library, name);
  if (!kernel) return not_found;
  module->functions.push_back(std::make_unique<pcu_function_object>());
  pcu_function_object &made = *module->functions.back();
  made.name = name;
  made.kernel = static_cast<const StandInKernel *>(kernel);
  made.module = module;
  functions.insert(&made);
  *function = &made;
  return 0;
}

int cuFuncGetAttribute(int *value, int attribute, pcu_function function) {
  Call call("cuFuncGetAttribute");
  if (call.error) return call.error;
  if (!functions.count(function)) return invalid_handle;
  switch (attribute) {
    case 0: *value = static_cast<int>(function->kernel->most_threads); break;
    case 4: *value = 32; break;  // registers
    case dynamic_shared: *value = function->most_dynamic; break;
    default: *value = 0;
  }
  return 0;
}

int cuFuncSetAttribute(pcu_function function, int attribute, int value) {
  Call call("cuFuncSetAttribute");
  if (call.error) return call.error;
  if (!functions.count(function)) return invalid_handle;
  if (attribute != dynamic_shared) return 0;
  if (value < 0 || value > static_cast<int>(most_shared_bytes)) return invalid_value;
  function->most_dynamic = value;
  return 0;
}

int cuLaunchKernel(pcu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared_bytes, pcu_stream stream, void **parameters,
                   void **extra) {
  Call call("cuLaunchKernel");
  if (call.error) return call.error;
  if (!functions.count(function)) return invalid_handle;
  Launch launch = {function->name.c_str(), *function->kernel, function->module->face->place,
                   function->module->face->checked != 0, function->module->ranges, {grid_x, grid_y, grid_z},
                   {block_x, block_y, block_z}, shared_bytes, nullptr};
  if (!parameters || !parameters[0] || extra || !fits(function, launch)) {
    return failed(invalid_value, "kernel " + function->name + ": a launch of " + std::to_string(grid_x) + " x " +
                                     std::to_string(grid_y) + " x " + std::to_string(grid_z) + " blocks of " +
                                     std::to_string(block_x * block_y * block_z) + " threads with " +
                                     std::to_string(shared_bytes) + " bytes of shared memory is not possible");
  }
  const char *from = static_cast<const char *>(parameters[0]);
  std::vector<char> arguments(from, from + function->kernel->argument_bytes);
  return submit(stream, [function, launch, arguments]() mutable {
    if (!functions.count(function)) return failed(launch_failed, "a graph launches a kernel of an unloaded module");
    launch.arguments = arguments.data();
    counts.launches++;
    Outcome outcome = run(launch);
    return outcome.error ? failed(outcome.error, outcome.message) : 0;
  });
}
