import Glibc

/// A system call that failed: which call, on what, and the kernel's reason.
public struct PosixError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The system call, as in section 2 of the manual.
    public let call: String
    /// The path or object the call was made on, empty where there is none.
    public let path: String
    /// The value of `errno` right after the call.
    public let errno: Int32

    public init(call: String, path: String = "", errno: Int32) {
        self.call = call
        self.path = path
        self.errno = errno
    }

    /// Whether the same call may do better another time: something was short, or a disk failed.
    public var mayPass: Bool { [EIO, ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR].contains(errno) }

    /// The kernel's reason in words.
    public var reason: String { String(cString: strerror(errno)) }

    public var description: String {
        path.isEmpty ? "\(call): \(reason)" : "\(call) \(path): \(reason)"
    }
}
