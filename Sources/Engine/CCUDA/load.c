#define _GNU_SOURCE
#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "CCUDA.h"

static _Thread_local char reason[512];

// Opens what a library will look for by name and might not find: some wheels do not say that it lies beside them.
static void open_beside(const char *path, const char *pattern) {
  const char *slash = strrchr(path, '/');
  char beside[4096];
  glob_t found;
  if (!slash || snprintf(beside, sizeof beside, "%.*s/%s", (int)(slash - path), path, pattern) >= (int)sizeof beside) return;
  if (glob(beside, 0, NULL, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; i++) dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_LOCAL);
  }
  globfree(&found);
}

static const char *open_library(const char *path, const char *needed, const char *const *symbols, size_t count,
                                void **table) {
  if (*needed) open_beside(path, needed);
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
#define OPEN(function, needed, list, table_type)                                                             \
  const char *function(const char *path, table_type *table) {                                        \
    static const char *const symbols[] = {list(SYMBOL)};                                             \
    _Static_assert(sizeof(table_type) == sizeof symbols, "a table is its symbols' addresses in order"); \
    return open_library(path, needed, symbols, sizeof symbols / sizeof *symbols, (void **)table);            \
  }

OPEN(pcu_open_driver, "", PCU_DRIVER, pcu_driver)
OPEN(pcu_open_blas, "libcublasLt.so.1[0-9]", PCU_BLAS, pcu_blas_library)
OPEN(pcu_open_compiler, "libnvrtc-builtins.so.1[0-9]*", PCU_COMPILER, pcu_compiler)
