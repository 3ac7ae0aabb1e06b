import Glibc

/// A control group below this process's own that bounds the memory of the processes put into it (cgroups(7), version 2
/// or, where the memory controller is mounted so, version 1).
///
/// The kernel kills what would go beyond; nobody else feels it.
public final class MemoryGroup {
    private enum Version {
        case one, two
    }

    /// The group's folder, an absolute path below `/sys/fs/cgroup`.
    public let path: String
    private let version: Version

    /// Makes the group `name`, or takes up one of that name.
    ///
    /// - Parameter bytes: of memory that its processes may hold together, page cache and swap included.
    /// - Throws: `PosixError`, `ENOENT` where this process has no memory controller.
    public init(_ name: String, bytes: Int) throws(PosixError) {
        let own = try Self.own
        version = own.version
        path = "\(own.path)/\(name)"
        if mkdir(path, 0o755) != 0 && errno != EEXIST { throw PosixError(call: "mkdir", path: path, errno: errno) }
        switch version {
        case .one:
            try Self.write("\(bytes)", to: "\(path)/memory.limit_in_bytes")
            // Where swap is accounted for.
            try? Self.write("\(bytes)", to: "\(path)/memory.memsw.limit_in_bytes")
        case .two:
            try Self.write("\(bytes)", to: "\(path)/memory.max")
            try? Self.write("0", to: "\(path)/memory.swap.max")
            // A process and what it started go together.
            try? Self.write("1", to: "\(path)/memory.oom.group")
        }
    }

    deinit { rmdir(path) }

    /// Puts a process into the group; what it starts from now on is in it, too. One that has ended is no error.
    public func add(_ process: Int32) throws(PosixError) {
        do throws(PosixError) { try Self.write("\(process)", to: "\(path)/cgroup.procs") } catch {
            guard error.errno == ESRCH else { throw error }
        }
    }

    /// How many processes of the group were killed for want of memory since it was made.
    public var kills: Int {
        let file = version == .one ? "memory.oom_control" : "memory.events"
        let text = (try? Files.read("\(path)/\(file)", limit: 4096)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == "oom_kill", let count = Int(words[1]) { return count }
        }
        return 0
    }

    // MARK: - Where groups can be made

    private static let found: Result<(path: String, version: Version), PosixError> = Result {
        () throws(PosixError) in try find()
    }

    private static var own: (path: String, version: Version) {
        get throws(PosixError) { try found.get() }
    }

    private static func find() throws(PosixError) -> (path: String, version: Version) {
        let text = String(decoding: try Files.read("/proc/self/cgroup", limit: 1 << 16), as: UTF8.self)
        var unified: String?
        for line in text.split(separator: "\n") {
            let words = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard words.count == 3 else { continue }
            if words[1].split(separator: ",").contains("memory") {
                let root = "/sys/fs/cgroup/memory"
                let path = words[2] == "/" ? root : root + words[2]
                return (Files.isDirectory(path) ? path : root, .one)
            }
            if words[0] == "0" { unified = words[2] == "/" ? "/sys/fs/cgroup" : "/sys/fs/cgroup" + words[2] }
        }
        guard let unified, let controllers = try? Files.read("\(unified)/cgroup.controllers", limit: 4096),
            String(decoding: controllers, as: UTF8.self).split(whereSeparator: \.isWhitespace).contains("memory")
        else { throw PosixError(call: "open", path: "/sys/fs/cgroup", errno: ENOENT) }
        // A group with processes of its own can bound no others: this one moves into a group beside them.
        let beside = "\(unified)/daemon"
        if mkdir(beside, 0o755) != 0 && errno != EEXIST {
            throw PosixError(call: "mkdir", path: beside, errno: errno)
        }
        try write("0", to: "\(beside)/cgroup.procs")
        try write("+memory", to: "\(unified)/cgroup.subtree_control")
        return (unified, .two)
    }

    private static func write(_ text: String, to path: String) throws(PosixError) {
        let file = Descriptor(try system("open", path) { open(path, O_WRONLY | O_CLOEXEC) })
        do throws(PosixError) { try file.write(Array(text.utf8)) } catch {
            throw PosixError(call: error.call, path: path, errno: error.errno)
        }
    }
}
