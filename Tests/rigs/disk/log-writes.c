// A disk of one file, /disk, for a loop device: every write and flush is logged before it is done, so that any moment of the
// disk can be made again. Needs libfuse3-dev.
//
// usage: log-writes MOUNTPOINT IMAGE LOG      the log: 'W' offset length bytes, or 'F'; numbers are 64 bits, little-endian
#define FUSE_USE_VERSION 31
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int image, logged;

static int attributes(const char *path, struct stat *status, struct fuse_file_info *info) {
    (void)info;
    memset(status, 0, sizeof *status);
    if (strcmp(path, "/") == 0) {
        status->st_mode = S_IFDIR | 0755;
        status->st_nlink = 2;
        return 0;
    }
    if (strcmp(path, "/disk") != 0) return -ENOENT;
    if (fstat(image, status) != 0) return -errno;
    status->st_mode = S_IFREG | 0600;
    status->st_nlink = 1;
    return 0;
}

static int list(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *info,
                enum fuse_readdir_flags flags) {
    (void)path, (void)offset, (void)info, (void)flags;
    fill(buffer, "disk", NULL, 0, 0);
    return 0;
}

static int open_disk(const char *path, struct fuse_file_info *info) {
    (void)path;
    info->keep_cache = 0;
    return 0;
}

static int read_disk(const char *path, char *bytes, size_t count, off_t offset, struct fuse_file_info *info) {
    (void)path, (void)info;
    ssize_t done = pread(image, bytes, count, offset);
    return done < 0 ? -errno : (int)done;
}

static int write_disk(const char *path, const char *bytes, size_t count, off_t offset, struct fuse_file_info *info) {
    (void)path, (void)info;
    uint64_t place[2] = {(uint64_t)offset, count};
    struct iovec parts[] = {{"W", 1}, {place, sizeof place}, {(void *)bytes, count}};
    if (writev(logged, parts, 3) != (ssize_t)(1 + sizeof place + count)) return -EIO;
    ssize_t done = pwrite(image, bytes, count, offset);
    return done < 0 ? -errno : (int)done;
}

static int flush_disk(const char *path, int data_only, struct fuse_file_info *info) {
    (void)path, (void)data_only, (void)info;
    return write(logged, "F", 1) == 1 ? 0 : -EIO;
}

static const struct fuse_operations operations = {
    .getattr = attributes, .readdir = list, .open = open_disk, .read = read_disk, .write = write_disk, .fsync = flush_disk,
};

int main(int count, char **words) {
    if (count != 4) {
        fprintf(stderr, "usage: log-writes MOUNTPOINT IMAGE LOG\n");
        return 64;
    }
    image = open(words[2], O_RDWR | O_CLOEXEC);
    logged = open(words[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (image < 0 || logged < 0) {
        perror("log-writes");
        return 66;
    }
    // In the foreground, one request at a time: the log has the order in which the disk saw them.
    char *mount[] = {words[0], "-f", "-s", words[1]};
    return fuse_main(4, mount, &operations, NULL);
}
