// A planted fault, to be preloaded: fsync(2) does nothing, or nothing for folders where FORGET_FOLDERS is set.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>

static int sync_with(const char *name, int descriptor) {
    struct stat status;
    if (!getenv("FORGET_FOLDERS") || (fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode))) return 0;
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return real(descriptor);
}

int fsync(int descriptor) { return sync_with("fsync", descriptor); }
int fdatasync(int descriptor) { return sync_with("fdatasync", descriptor); }
