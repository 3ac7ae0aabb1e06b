internal import CPosix
import Glibc

/// Files and folders by path. Nothing here follows a symbolic link in the last component of a path unless it says so.
public enum Files {
    /// What there can be at a path.
    public enum Kind: Sendable, Equatable {
        case regular, directory, symbolicLink
        /// A FIFO, a socket or a device.
        case special
    }

    /// What lstat(2) says of a path.
    public struct Status: Sendable, Equatable {
        public let kind: Kind
        /// In bytes.
        public let size: Int
        /// The file system the file is on.
        public let device: UInt64
        /// The file's number on `device`: no two files there have the same at a time.
        public let inode: UInt64
        /// The user id of the owner.
        public let owner: UInt32
        /// The last modification, in nanoseconds since 1970: the nearest from there to 2262.
        public let modified: Int64

        init(_ status: stat) {
            kind =
                switch status.st_mode & S_IFMT {
                case S_IFREG: .regular
                case S_IFDIR: .directory
                case S_IFLNK: .symbolicLink
                default: .special
                }
            size = Int(status.st_size)
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            owner = status.st_uid
            // Anybody can date a file before 1970 or after 2262.
            let seconds = min(max(0, Int64(status.st_mtim.tv_sec)), Int64.max / 1_000_000_000 - 1)
            modified = seconds * 1_000_000_000 + min(max(0, Int64(status.st_mtim.tv_nsec)), 999_999_999)
        }
    }

    /// The names in a folder.
    public struct Listing: Sendable, Equatable {
        /// In the order of their bytes, without `.` and `..`.
        public var names: [String] = []
        /// How many names are not UTF-8 and so are not among `names`.
        public var undecodable = 0

        public init(names: [String] = [], undecodable: Int = 0) {
            self.names = names
            self.undecodable = undecodable
        }
    }

    /// What is at `path`; an error, most often `ENOENT`, where there is nothing.
    public static func status(_ path: String) throws(PosixError) -> Status {
        var status = stat()
        try system("lstat", path) { lstat(path, &status) }
        return Status(status)
    }

    /// Whether there is something at `path`; no where that cannot be found out. Where a no loses something, ask `isPresent`.
    public static func exists(_ path: String) -> Bool { (try? isPresent(path)) ?? false }

    /// Whether there is something at `path`; an error where that cannot be found out.
    public static func isPresent(_ path: String) throws(PosixError) -> Bool { try statusIfPresent(path) != nil }

    /// As `status(_:)`, and nil where there is nothing.
    public static func statusIfPresent(_ path: String) throws(PosixError) -> Status? {
        do throws(PosixError) { return try status(path) } catch {
            if [ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP].contains(error.errno) { return nil }
            throw error
        }
    }

    /// As `read(_:limit:)`, and nil where there is no such file.
    public static func readIfPresent(_ path: String, limit: Int) throws(PosixError) -> [UInt8]? {
        do throws(PosixError) { return try read(path, limit: limit) } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR { return nil }
            throw error
        }
    }

    /// The names in a folder, in the order of their bytes, without `.` and `..`; those that are not UTF-8 are left out.
    public static func list(_ folder: String) throws(PosixError) -> [String] {
        try listing(folder).names
    }

    /// - Parameter limit: names after so many are not read: which ones those are, the file system decides.
    public static func listing(_ folder: String, limit: Int = .max) throws(PosixError) -> Listing {
        let descriptor = try system("open", folder) { cposix_open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) }
        var listing = Listing()
        try forEachEntry(of: descriptor, path: folder) { name in
            if let name = String(validatingCString: name) {
                listing.names.append(name)
            } else {
                listing.undecodable += 1
            }
            return listing.names.count + listing.undecodable < limit
        }
        listing.names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return listing
    }

    /// The bytes of a regular file: `ELOOP` for a symbolic link, `EINVAL` for anything else that is no regular file,
    /// `EFBIG` beyond `limit` bytes. A FIFO does not block.
    public static func read(_ path: String, limit: Int) throws(PosixError) -> [UInt8] {
        try contents(of: open(path), path: path, limit: limit)
    }

    /// Opens for reading what `read(_:limit:)` reads. Unlike a mapping it is safe against whoever else can write the file.
    public static func open(_ path: String) throws(PosixError) -> Descriptor {
        guard !path.utf8.contains(0) else { throw PosixError(call: "open", path: path, errno: EINVAL) }
        let descriptor = Descriptor(try system("open", path) { cposix_open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW) })
        try checkRegular(descriptor, path: path)
        return descriptor
    }

    /// As `read(_:limit:)`, for a path relative to the folder `root`: `EXDEV` where it would lead out of it, `ELOOP` where
    /// any component is a symbolic link.
    public static func read(_ relative: String, beneath root: String, limit: Int) throws(PosixError) -> [UInt8] {
        let path = "\(root)/\(relative)"
        guard !path.utf8.contains(0) else { throw PosixError(call: "openat2", path: path, errno: EINVAL) }
        let folder = Descriptor(try system("open", root) { cposix_open(root, O_RDONLY | O_DIRECTORY) })
        let descriptor = Descriptor(
            try system("openat2", path) { cposix_open_beneath(folder.number, relative, O_RDONLY | O_NONBLOCK) })
        try checkRegular(descriptor, path: path)
        return try contents(of: descriptor, path: path, limit: limit)
    }

    /// From now on nothing below `folder` is opened for reading through a symbolic link, or out of it, whatever others who can
    /// write there make of the names between a check and the use. Once in a process, before there is a second thread.
    public static func confine(_ folder: String) throws(PosixError) {
        try system("open", folder) { cposix_confine(folder) }
    }

    /// Whether anybody has the regular file open for writing, nil where that cannot be found out.
    ///
    /// The kernel grants a read lease (fcntl(2)) only on a file without writers; for other people's files it wants a
    /// privilege, and some file systems have no leases.
    public static func isBeingWritten(_ path: String) -> Bool? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let answer = cposix_has_writers(descriptor)
        return answer < 0 ? nil : answer == 1
    }

    /// What is free on a file system.
    public struct Room: Sendable, Equatable {
        /// What is kept for root does not count.
        public let bytes: Int
        /// Of all bytes, and of all inodes; 1 where the file system counts none.
        public let byteShare: Double
        public let inodeShare: Double
    }

    /// The room on the file system that holds `path`.
    public static func room(at path: String) throws(PosixError) -> Room {
        var status = statvfs()
        try system("statvfs", path) { statvfs(path, &status) }
        return Room(
            bytes: Int(min(Double(status.f_bavail) * Double(status.f_frsize), 1e18)),
            byteShare: status.f_blocks == 0 ? 1 : Double(status.f_bavail) / Double(status.f_blocks),
            inodeShare: status.f_files == 0 ? 1 : Double(status.f_favail) / Double(status.f_files))
    }

    private static func checkRegular(_ descriptor: Descriptor, path: String) throws(PosixError) {
        var status = stat()
        try system("fstat", path) { fstat(descriptor.number, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw PosixError(call: "open", path: path, errno: EINVAL) }
    }

    private static func contents(of descriptor: Descriptor, path: String, limit: Int) throws(PosixError) -> [UInt8] {
        var status = stat()
        try system("fstat", path) { fstat(descriptor.number, &status) }
        guard Int(status.st_size) <= limit else { throw PosixError(call: "read", path: path, errno: EFBIG) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(status.st_size) + 1)
        while let more = try descriptor.read(limit: min(1 << 20, max(4096, Int(status.st_size) - bytes.count + 1))),
            !more.isEmpty
        {
            bytes += more
            guard bytes.count <= limit else { throw PosixError(call: "read", path: path, errno: EFBIG) }
        }
        return bytes
    }

    /// Calls `body` with the names but `.` and `..` while it answers true; closes `descriptor`.
    static func forEachEntry(
        of descriptor: Int32, path: String, _ body: (UnsafePointer<CChar>) throws(PosixError) -> Bool
    ) throws(PosixError) {
        guard let stream = fdopendir(descriptor) else {
            let reason = errno
            close(descriptor)
            throw PosixError(call: "fdopendir", path: path, errno: reason)
        }
        defer { closedir(stream) }
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw PosixError(call: "readdir", path: path, errno: errno) }
                return
            }
            let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name)!
            let name = UnsafeRawPointer(entry).advanced(by: nameOffset).assumingMemoryBound(to: CChar.self)
            if strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { continue }
            guard try body(name) else { return }
        }
    }
}
