import Glibc

/// An exclusive flock(2) on a file, made where it is missing; held until the last process that has the descriptor is gone.
public final class FileLock: Sendable {
    /// Of the locked file: a child that inherits it holds the lock, too.
    public let descriptor: Descriptor

    /// `EWOULDBLOCK` when somebody else holds it.
    public init(_ path: String) throws(PosixError) {
        descriptor = Descriptor(
            try system("open", path) { open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) })
        let number = descriptor.number
        // Whoever may read it may take it.
        try system("fchmod", path) { fchmod(number, 0o600) }
        try system("flock", path) { flock(number, LOCK_EX | LOCK_NB) }
    }
}
