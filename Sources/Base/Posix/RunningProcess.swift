import Glibc

/// Other processes of this machine (proc(5)).
public enum RunningProcess {
    /// When a process began, in the kernel's ticks since the machine did; nil where that cannot be seen.
    public static func start(_ id: Int32) -> UInt64? {
        guard let bytes = try? Files.read("/proc/\(id)/stat", limit: 4096) else { return nil }
        // The second field is the program's name, which may hold anything; after it comes the third.
        let rest = String(decoding: bytes, as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
        return rest.count > 19 ? UInt64(rest[19]) : nil
    }

    /// Whether a process lives that has this id, and began then where that is known.
    public static func isThere(_ id: Int32, started: UInt64?) -> Bool {
        // Another user's process may not be signalled, but is there.
        guard id > 0, kill(id, 0) == 0 || errno == EPERM else { return false }
        guard let started, let start = start(id) else { return true }
        return start == started
    }
}
