internal import CPosix
import Glibc

/// A regular file mapped read-only for as long as the value lives.
///
/// The mapping is private and never written, so sharing it between threads is safe; the file must not be truncated
/// while it is mapped (the kernel answers a read past the new end with SIGBUS).
public final class MappedFile: @unchecked Sendable {
    /// As it was given.
    public let path: String
    /// The file's bytes; whoever uses them keeps the value alive meanwhile.
    public let bytes: UnsafeRawBufferPointer

    /// Opens and maps `path`; anything but a regular file is refused with `EINVAL`, a symbolic link with `ELOOP`.
    public init(_ path: String) throws(PosixError) {
        self.path = path
        guard !path.utf8.contains(0) else { throw PosixError(call: "open", path: path, errno: EINVAL) }
        let descriptor = cposix_open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
        guard descriptor >= 0 else { throw PosixError(call: "open", path: path, errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw PosixError(call: "fstat", path: path, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw PosixError(call: "mmap", path: path, errno: EINVAL) }
        let size = Int(status.st_size)
        guard size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw PosixError(call: "mmap", path: path, errno: errno)
        }
        bytes = UnsafeRawBufferPointer(start: start, count: size)
    }

    /// Gives the bytes to `body`; unlike `bytes` alone, they are mapped at least until it returns.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withExtendedLifetime(self) { () throws(Failure) -> Result in try body(bytes) }
    }

    /// Takes the whole pages within `range` out of this process's memory; a later read brings them back.
    public func release(_ range: Range<Int>) {
        guard let start = bytes.baseAddress, !range.isEmpty else { return }
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a range of the file")
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let first = (range.lowerBound + page - 1) / page * page
        // The last page of the file belongs to it whole.
        let end = range.upperBound == bytes.count ? range.upperBound : range.upperBound / page * page
        guard first < end else { return }
        madvise(UnsafeMutableRawPointer(mutating: start + first), end - first, MADV_DONTNEED)
    }

    deinit {
        if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
    }
}
