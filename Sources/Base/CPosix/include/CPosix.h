// What Glibc offers only through macros, variadic functions or GNU extensions, as plain functions for Swift.
#pragma once

/// renameat2(2) without replacing: fails with EEXIST where the new name exists. Where the file system has no such rename, after
/// a look.
int cposix_rename_noreplace(const char *from, const char *to);

/// The same with fstatat(2) and rename(2): what gets the new name in between is replaced, unless it is a folder with something
/// in it.
int cposix_rename_after_look(const char *from, const char *to);

/// openat2(2) with O_CLOEXEC, resolving only beneath `root` and through no symbolic link; step by step where it is not to be
/// had.
int cposix_open_beneath(int root, const char *path, int flags);

/// The same with openat(2) for each component; `..` is refused with EXDEV even where it stays beneath.
int cposix_open_step_by_step(int root, const char *path, int flags);

/// From now on `cposix_open` opens what lies below `folder` only beneath it and through no symbolic link, whatever others make
/// of the names meanwhile. Once in a process, before there is a second thread; fails with ENAMETOOLONG beyond 4095 bytes.
int cposix_confine(const char *folder);

/// open(2) with O_CLOEXEC.
int cposix_open(const char *path, int flags);

/// pipe2(2) with O_CLOEXEC; `ends[0]` reads, `ends[1]` writes.
int cposix_pipe(int ends[2]);

/// syncfs(2).
int cposix_sync_file_system(int folder);

/// memfd_create(2) with MFD_CLOEXEC.
int cposix_memory_file(void);

/// pidfd_open(2).
int cposix_pidfd_open(int pid);

/// One descriptor of the child: `source` of this process appears there as `target`.
struct cposix_inherited {
    int source;
    int target;
};

/// Starts `path` in a new process group, with default signal dispositions, an empty signal mask, and the descriptors 0 to 2
/// and those of `inherited` only. The child receives `parent_death_signal` when the calling thread ends.
/// Returns the process id, or -1 with errno, also when the program could not be executed.
int cposix_spawn(const char *path, char *const argv[], char *const envp[], const struct cposix_inherited *inherited,
                   int inherited_count, int parent_death_signal);

/// How a status of waitpid(2) reads: the exit code, or -1 when a signal ended the process.
int cposix_exit_code(int status);
/// The signal that ended the process, or 0.
int cposix_ending_signal(int status);

/// From now on `signal` is announced by its number as one byte written to `descriptor` (which must not block).
int cposix_announce_signal(int signal, int descriptor);
/// Back to the default disposition.
int cposix_restore_signal(int signal);

/// From now on no crash writes this process's memory anywhere: no core, and no handler that shows registers.
void cposix_leave_nothing_behind(void);

/// The width and height of a terminal in characters; -1 with errno where `descriptor` is none.
int cposix_terminal_size(int descriptor, int *columns, int *rows);

/// Makes `descriptor` non-blocking.
int cposix_set_nonblocking(int descriptor);

/// Whether somebody has the file behind `descriptor` (opened for reading) open for writing: 1, 0, or -1 with errno.
int cposix_has_writers(int descriptor);
