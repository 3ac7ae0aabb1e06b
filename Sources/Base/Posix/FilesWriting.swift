internal import CPosix
import Glibc

extension Files {
    /// Asked before every call that changes the file system. A test answers with an error, and goes on answering with it,
    /// to see what a stop at that very call leaves on disk.
    @TaskLocal static var fault: (@Sendable (_ call: String, _ path: String) -> PosixError?)?

    static func willChange(_ call: String, _ path: String) throws(PosixError) {
        if let error = fault?(call, path) { throw error }
    }

    // MARK: - Files

    /// Replaces `path` in one step: a reader sees the old bytes or the new ones, and so does the next start after a power
    /// cut when `durable`.
    ///
    /// - Parameter isShared: whether the file gets all of `mode`, whatever the process's mask takes away.
    public static func writeAtomically(
        _ bytes: [UInt8], to path: String, mode: UInt32 = 0o644, isShared: Bool = false, durable: Bool = true
    ) throws(PosixError) {
        let temporary = "\(parent(of: path))/.\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp"
        do throws(PosixError) {
            try write(bytes, to: temporary, flags: O_CREAT | O_EXCL, mode: mode, durable: durable)
            if isShared { try set(mode: mode, of: temporary) }
            try rename(temporary, to: path)
        } catch {
            try? remove(temporary)
            throw error
        }
        if durable { try sync(directory: parent(of: path)) }
    }

    /// Adds `bytes` to the end of `path`, making the file where there is none.
    public static func append(
        _ bytes: [UInt8], to path: String, mode: UInt32 = 0o644, durable: Bool = true
    ) throws(PosixError) {
        let isNew = !exists(path)
        try write(bytes, to: path, flags: O_CREAT | O_APPEND, mode: mode, durable: durable)
        if durable && isNew { try sync(directory: parent(of: path)) }
    }

    /// Copies a regular file of at most `limit` bytes; `EEXIST` where `destination` exists.
    public static func copy(_ source: String, to destination: String, limit: Int, mode: UInt32 = 0o644)
        throws(PosixError)
    {
        try write(read(source, limit: limit), to: destination, flags: O_CREAT | O_EXCL, mode: mode, durable: true)
        try sync(directory: parent(of: destination))
    }

    /// Removes a file or a symbolic link: `ENOENT` where there is none, `EISDIR` for a folder.
    /// Not durable before its folder is synced.
    public static func remove(_ path: String) throws(PosixError) {
        try willChange("unlink", path)
        try system("unlink", path) { unlink(path) }
    }

    private static func write(
        _ bytes: [UInt8], to path: String, flags: Int32, mode: UInt32, durable: Bool
    ) throws(PosixError) {
        try willChange("open", path)
        let file = Descriptor(
            try system("open", path) { Glibc.open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, mode) })
        try willChange("write", path)
        do throws(PosixError) { try file.write(bytes) } catch {
            throw PosixError(call: error.call, path: path, errno: error.errno)
        }
        if durable {
            try willChange("fsync", path)
            try system("fsync", path) { fsync(file.number) }
        }
    }

    /// Makes a regular file's bytes survive a power cut, whoever wrote them.
    public static func sync(file path: String) throws(PosixError) {
        try willChange("fsync", path)
        let file = Descriptor(
            try system("open", path) { Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) })
        try system("fsync", path) { fsync(file.number) }
    }

    /// Makes all that was written to a folder's file system survive a power cut (syncfs(2)).
    public static func sync(fileSystemOf folder: String) throws(PosixError) {
        try willChange("syncfs", folder)
        let descriptor = Descriptor(
            try system("open", folder) { Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) })
        try system("syncfs", folder) { cposix_sync_file_system(descriptor.number) }
    }

    // MARK: - Names

    /// Gives `source` the name `destination`, replacing what has it; with `replacing` false that is `EEXIST` instead.
    /// Not durable before both folders are synced.
    public static func rename(_ source: String, to destination: String, replacing: Bool = true) throws(PosixError) {
        try willChange("rename", destination)
        try system("rename", destination) {
            replacing ? Glibc.rename(source, destination) : cposix_rename_noreplace(source, destination)
        }
    }

    /// Gives what `path` names these permissions, whatever the process's mask.
    public static func set(mode: UInt32, of path: String) throws(PosixError) {
        try willChange("chmod", path)
        try system("chmod", path) { chmod(path, mode) }
    }

    // MARK: - Folders

    /// Makes `folder` and what is missing above it, durably. Fine where it exists.
    public static func makeDirectories(_ folder: String, mode: UInt32 = 0o755) throws(PosixError) {
        if isDirectory(folder) { return }
        let above = parent(of: folder)
        if above != folder { try makeDirectories(above, mode: mode) }
        try willChange("mkdir", folder)
        if mkdir(folder, mode) != 0 {
            let reason = errno
            guard reason == EEXIST && isDirectory(folder) else {
                throw PosixError(call: "mkdir", path: folder, errno: reason)
            }
        }
        try sync(directory: above)
    }

    /// Makes what `folder`'s files and names are survive a power cut; it may be a symbolic link to a folder.
    public static func sync(directory folder: String) throws(PosixError) {
        try willChange("fsync", folder)
        let descriptor = Descriptor(
            try system("open", folder) { Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
        try system("fsync", folder) { fsync(descriptor.number) }
    }

    /// Whether this process may list a folder and add and remove what is in it, whoever made that.
    public static func mayChange(_ folder: String) -> Bool {
        var status = stat()
        guard faccessat(AT_FDCWD, folder, R_OK | W_OK | X_OK, AT_EACCESS) == 0, lstat(folder, &status) == 0 else {
            return false
        }
        // In a sticky folder everybody removes only their own.
        return status.st_mode & S_ISVTX == 0 || [0, status.st_uid].contains(geteuid())
    }

    /// Whether `path` is a folder, or a symbolic link to one.
    public static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
