#define _GNU_SOURCE
#include "CPosix.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int cposix_rename_noreplace(const char *from, const char *to) {
    int done = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    // NFS and other network file systems know no such rename.
    return done < 0 && errno == EINVAL ? cposix_rename_after_look(from, to) : done;
}

int cposix_rename_after_look(const char *from, const char *to) {
    struct stat status;
    if (fstatat(AT_FDCWD, to, &status, AT_SYMLINK_NOFOLLOW) == 0) errno = EEXIST;
    else if (errno == ENOENT) return rename(from, to);
    return -1;
}

int cposix_open_beneath(int root, const char *path, int flags) {
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int found = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    // systemd's RestrictSUIDSGID= takes it away, since a filter cannot look into `how`; so do some sandboxes.
    return found < 0 && errno == ENOSYS ? cposix_open_step_by_step(root, path, flags) : found;
}

static int give_up(int folder, int root, int error) {
    if (folder != root) close(folder);
    errno = error;
    return -1;
}

int cposix_open_step_by_step(int root, const char *path, int flags) {
    if (*path == '/') return give_up(root, root, EXDEV);
    int folder = root;
    for (const char *at = path;;) {
        char name[256];
        size_t length = strcspn(at, "/");
        if (length == 0 && *at == 0) return give_up(folder, root, ENOENT);
        if (length >= sizeof name) return give_up(folder, root, ENAMETOOLONG);
        memcpy(name, at, length);
        name[length] = 0;
        at += length;
        int is_last = *at == 0;
        at += strspn(at, "/");
        if (strcmp(name, "..") == 0) return give_up(folder, root, EXDEV);
        int next = openat(folder, name, (is_last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0) {
            int error = errno;
            struct stat status;
            // What is no folder may be a link to one.
            if (error == ENOTDIR && fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode)) {
                error = ELOOP;
            }
            return give_up(folder, root, error);
        }
        if (folder != root) close(folder);
        if (is_last) return next;
        folder = next;
    }
}

static struct {
    int folder;
    size_t length;
    char path[4096];
} confined = {.folder = -1};

int cposix_confine(const char *folder) {
    size_t length = strlen(folder);
    if (length >= sizeof confined.path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int found = open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (found < 0) return -1;
    if (confined.folder >= 0) close(confined.folder);
    memcpy(confined.path, folder, length + 1);
    confined.length = length;
    confined.folder = found;
    return 0;
}

int cposix_open(const char *path, int flags) {
    int is_below = confined.folder >= 0 && strncmp(path, confined.path, confined.length) == 0 && path[confined.length] == '/';
    if (!is_below) return open(path, flags | O_CLOEXEC);
    const char *rest = path + confined.length;
    return cposix_open_beneath(confined.folder, rest + strspn(rest, "/"), flags);
}

int cposix_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int cposix_sync_file_system(int folder) { return syncfs(folder); }

int cposix_memory_file(void) { return memfd_create("primed", MFD_CLOEXEC); }

int cposix_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int cposix_exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

int cposix_ending_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }

// MARK: - Children

static void fail_child(int report) {
    int error = errno;
    ssize_t written = write(report, &error, sizeof error);
    (void)written;
    _exit(127);
}

// Only async-signal-safe calls: the parent may have other threads.
static void become_program(const char *path, char *const argv[], char *const envp[],
                           const struct cposix_inherited *inherited, int count, int parent_death_signal, pid_t parent,
                           int report) {
    if (prctl(PR_SET_PDEATHSIG, parent_death_signal) != 0) fail_child(report);
    if (getppid() != parent) _exit(127);
    setpgid(0, 0);
    for (int signal = 1; signal < NSIG; signal += 1) {
        struct sigaction action;
        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_DFL) {
            action.sa_handler = SIG_DFL;
            action.sa_flags = 0;
            sigaction(signal, &action, NULL);
        }
    }

    // First out of the way of every target, then into place: a source may be another's target.
    int lowest_free = 3;
    for (int i = 0; i < count; i += 1)
        if (inherited[i].target >= lowest_free) lowest_free = inherited[i].target + 1;
    report = fcntl(report, F_DUPFD_CLOEXEC, lowest_free);
    if (report < 0) _exit(127);
    int moved[16];
    for (int i = 0; i < count; i += 1) {
        moved[i] = fcntl(inherited[i].source, F_DUPFD_CLOEXEC, lowest_free);
        if (moved[i] < 0) fail_child(report);
    }
    for (int i = 0; i < count; i += 1)
        if (dup2(moved[i], inherited[i].target) < 0) fail_child(report);
    for (int descriptor = 3; descriptor < lowest_free; descriptor += 1) {
        int kept = 0;
        for (int i = 0; i < count; i += 1) kept |= inherited[i].target == descriptor;
        if (!kept) close(descriptor);
    }
    // The report end closes by itself at exec; everything above it that this process left open must not travel.
    syscall(SYS_close_range, report + 1, ~0U, 0);
    for (int descriptor = lowest_free; descriptor < report; descriptor += 1) close(descriptor);

    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(path, argv, envp);
    fail_child(report);
}

int cposix_spawn(const char *path, char *const argv[], char *const envp[], const struct cposix_inherited *inherited,
                   int inherited_count, int parent_death_signal) {
    if (inherited_count > 16) {
        errno = EINVAL;
        return -1;
    }
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return -1;

    // No handler may run in the child before its dispositions are reset.
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    // Not fork(): libraries' fork handlers join their threads, and two forks at once would wait for each other.
    pid_t child = _Fork();
    int error = child < 0 ? errno : 0;
    if (child == 0)
        become_program(path, argv, envp, inherited, inherited_count, parent_death_signal, parent, report[1]);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(report[1]);

    if (child > 0) {
        ssize_t length;
        do length = read(report[0], &error, sizeof error);
        while (length < 0 && errno == EINTR);
        if (length == sizeof error) {
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        } else {
            error = 0;
        }
    }
    close(report[0]);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return child;
}

// MARK: - Signals

static volatile int announcements[NSIG];

static void announce(int signal) {
    int error = errno;
    unsigned char byte = (unsigned char)signal;
    // A full pipe holds news enough; a signal that was lost for another reason would never be answered.
    for (int tries = 0; tries < 3; tries += 1)
        if (write(announcements[signal] - 1, &byte, 1) > 0 || errno == EAGAIN) break;
    errno = error;
}

int cposix_announce_signal(int signal, int descriptor) {
    if (signal < 1 || signal >= NSIG) {
        errno = EINVAL;
        return -1;
    }
    announcements[signal] = descriptor + 1;
    struct sigaction action = {.sa_handler = announce, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    return sigaction(signal, &action, NULL);
}

int cposix_restore_signal(int signal) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigemptyset(&action.sa_mask);
    return sigaction(signal, &action, NULL);
}

void cposix_leave_nothing_behind(void) {
    static const int ends[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i += 1) cposix_restore_signal(ends[i]);
    // The limit does not bind where cores go through a pipe, and a process that may not be dumped may not be traced either.
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &limit);
    }
    prctl(PR_SET_DUMPABLE, 0);
}

// MARK: - Descriptors

int cposix_terminal_size(int descriptor, int *columns, int *rows) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0) return -1;
    *columns = size.ws_col;
    *rows = size.ws_row;
    return 0;
}

int cposix_set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

int cposix_has_writers(int descriptor) {
    // Whoever opens the file while the lease is held makes the kernel send a signal, and SIGIO would end the process.
    if (fcntl(descriptor, F_SETSIG, SIGURG) != 0) return -1;
    if (fcntl(descriptor, F_SETLEASE, F_RDLCK) != 0) return errno == EAGAIN ? 1 : -1;
    fcntl(descriptor, F_SETLEASE, F_UNLCK);
    return 0;
}
