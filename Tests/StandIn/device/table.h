// What the stand-in and a module of kernels that was compiled for it tell each other. Part of both.
#pragma once

struct StandInIndex {
  unsigned x, y, z;
};

// Where the thread that runs just now stands: set by the stand-in whenever it lets another one run.
struct StandInPlace {
  StandInIndex thread, block, block_size, grid_size;
  void *shared;
};

// What kernels call. Function pointers, since a library opened with RTLD_LOCAL lends its symbols to nobody.
struct StandInTable {
  void (*block_barrier)();
  void (*warp_barrier)(unsigned mask);
  unsigned long long (*shuffle)(unsigned mask, unsigned long long value, int lane);
  void (*load_matrices)(unsigned *to, const void *row, int transposed);
  void (*multiply_add)(float *c, const unsigned *a, unsigned b0, unsigned b1);
  void (*copy_async)(void *to, const void *from, int valid);
  void (*copy_commit)();
  void (*copy_wait)(int left);
  void (*touch)(const void *address, unsigned long bytes, int writes);  // of kernels compiled to be checked
};

// Exported by a module under its kernel's name.
struct StandInKernel {
  void (*run)(const void *arguments);
  unsigned argument_bytes;
  unsigned most_threads;
};

// Exported by a module.
struct StandInModule {
  StandInPlace *place;
  const StandInTable **table;
  int checked;
};
