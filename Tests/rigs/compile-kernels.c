// Compiles primed's kernels with an NVRTC for every architecture, head size and number format, without a GPU, and shows
// registers and spills: compile-kernels LIBNVRTC
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CCUDA.h"

// What is wrong with the kernels whose names have `attention` in them, by the compiler's log.
static const char *report(const char *log, const char *attention) {
  int spilled = 0, seen = 0, measured = 0;
  char name[128] = "";
  unsigned stores = 0, loads = 0, registers = 0;
  for (const char *line = log; line && *line; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    const char *found;
    if ((found = strstr(line, "Compiling entry function '")) && found < line + strcspn(line, "\n")) {
      sscanf(found, "Compiling entry function '%127[^']'", name);
    } else if ((found = strstr(line, "bytes stack frame, ")) && found < line + strcspn(line, "\n")) {
      measured = sscanf(found, "bytes stack frame, %u bytes spill stores, %u bytes spill loads", &stores, &loads) == 2;
    } else if ((found = strstr(line, "Used ")) && found < line + strcspn(line, "\n") && *name) {
      sscanf(found, "Used %u registers", &registers);
      printf("    %-18s %3u registers, %u bytes spilled\n", name, registers, stores + loads);
      if (strstr(name, attention)) seen += measured, spilled |= stores + loads > 0;
      *name = 0, measured = 0;
    }
    if (!strchr(line, '\n')) break;
  }
  // Another compiler may word its log otherwise, and what is not seen does not spill.
  return spilled ? "attention spills registers" : seen ? NULL : "the compiler's log tells no attention kernel's spills";
}

int main(int count, char **words) {
  if (count != 2) return fprintf(stderr, "usage: compile-kernels LIBNVRTC\n"), 64;
  pcu_compiler compiler;
  const char *why = pcu_open_compiler(words[1], &compiler);
  if (why) return fprintf(stderr, "%s\n", why), 66;
  int major, minor;
  compiler.version(&major, &minor);
  const char *architectures[] = {"sm_80", "sm_89", "sm_90a", "sm_100"};
  int heads[] = {64, 96, 128, 192, 240};
  for (int a = 0; a < 4; a++)
    for (int bf16 = 1; bf16 >= 0; bf16--)
      for (int h = 0; h < 5; h++) {
        char architecture[32], format[32], head[32];
        snprintf(architecture, sizeof architecture, "-arch=%s", architectures[a]);
        snprintf(format, sizeof format, "-DPCU_BF16=%d", bf16);
        snprintf(head, sizeof head, "-DPCU_HEAD=%d", heads[h]);
        const char *options[] = {architecture, format, head, "-DPCU_KERNELS=1", "-std=c++17", "--ptxas-options=-v"};
        pcu_program program;
        if (compiler.create(&program, pcu_kernel_source(), "primed.cu", 0, NULL, NULL)) return 70;
        int status = compiler.compile(program, sizeof options / sizeof *options, options);
        size_t size = 0;
        compiler.log_size(program, &size);
        char *log = calloc(size + 1, 1);
        if (!log || compiler.log(program, log)) return 70;
        printf("NVRTC %d.%d, %s, %s, heads of %d\n", major, minor, architectures[a], bf16 ? "bf16" : "float32", heads[h]);
        if (status) return fprintf(stderr, "%s\n", log), 1;
        size_t bytes = 0;
        if (compiler.cubin_size(program, &bytes) || bytes == 0) return fprintf(stderr, "no machine code\n"), 1;
        const char *fault = report(log, "attend");
        if (fault) return fprintf(stderr, "%s\n", fault), 1;
        free(log);
        compiler.destroy(&program);
      }
  return 0;
}
