#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

#include "CCUDA.h"

static _Thread_local char reason[512];

static const char *open_library(const char *path, const char *const *symbols, size_t count, void **table) {
  // Opened once and kept: libcuda cannot be unloaded safely.
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    snprintf(reason, sizeof reason, "%s", why ? why : "it cannot be opened");
    return reason;
  }
  for (size_t i = 0; i < count; i++) {
    table[i] = dlsym(library, symbols[i]);
    if (!table[i]) {
      snprintf(reason, sizeof reason, "%s: it has no %s; a newer driver or toolkit is needed", path, symbols[i]);
      return reason;
    }
  }
  return NULL;
}

#define SYMBOL(symbol, name, parameters) #symbol,
#define OPEN(function, list, table_type)                                                             \
  const char *function(const char *path, table_type *table) {                                        \
    static const char *const symbols[] = {list(SYMBOL)};                                             \
    _Static_assert(sizeof(table_type) == sizeof symbols, "a table is its symbols' addresses in order"); \
    return open_library(path, symbols, sizeof symbols / sizeof *symbols, (void **)table);            \
  }

OPEN(pcu_open_driver, PCU_DRIVER, pcu_driver)
OPEN(pcu_open_blas, PCU_BLAS, pcu_blas_library)
OPEN(pcu_open_compiler, PCU_COMPILER, pcu_compiler)
