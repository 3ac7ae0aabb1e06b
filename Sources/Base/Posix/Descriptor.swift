internal import CPosix
import Glibc

/// An open file descriptor, closed when the last reference goes.
public final class Descriptor: Sendable {
    /// Valid for as long as this value lives.
    public let number: Int32

    /// Takes over `number`.
    public init(_ number: Int32) { self.number = number }

    deinit { close(number) }

    /// A pipe's end that the starting process left open as `number`; nil where there is none.
    public static func inheritedPipe(_ number: Int32) -> Descriptor? {
        var status = stat()
        guard fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else { return nil }
        return Descriptor(number)
    }

    /// A file in memory with these bytes, to be read from its beginning (memfd_create(2)).
    public static func memory(_ bytes: [UInt8]) throws(PosixError) -> Descriptor {
        let file = Descriptor(try system("memfd_create") { cposix_memory_file() })
        try file.write(bytes)
        try system("lseek") { lseek(file.number, 0, SEEK_SET) }
        return file
    }

    /// One read of at most `limit` bytes; empty at the end of the file, nil when a non-blocking descriptor has nothing yet.
    public func read(limit: Int = 65536) throws(PosixError) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        do throws(PosixError) {
            let count = try system("read") {
                bytes.withUnsafeMutableBytes { Glibc.read(number, $0.baseAddress, limit) }
            }
            bytes.removeSubrange(count...)
            return bytes
        } catch  where error.errno == EAGAIN {
            return nil
        }
    }

    /// All that is left to read, of a blocking descriptor: `EFBIG` beyond `limit` bytes.
    public func readAll(limit: Int) throws(PosixError) -> [UInt8] {
        var bytes: [UInt8] = []
        while let more = try read(), !more.isEmpty {
            bytes += more
            guard bytes.count <= limit else { throw PosixError(call: "read", errno: EFBIG) }
        }
        return bytes
    }

    /// Writes all of `bytes`.
    public func write(_ bytes: [UInt8]) throws(PosixError) {
        var done = 0
        while done < bytes.count {
            done += try system("write") {
                bytes.withUnsafeBytes { Glibc.write(number, $0.baseAddress! + done, bytes.count - done) }
            }
        }
    }

    /// From now on `read(limit:)` gives nil where it would wait, and `write(_:)` throws `EAGAIN`.
    public func setNonBlocking() throws(PosixError) {
        try system("fcntl") { cposix_set_nonblocking(number) }
    }
}

/// Both ends of a pipe(2), closed on exec.
public struct Pipe: Sendable {
    public let reading: Descriptor
    public let writing: Descriptor

    public init() throws(PosixError) {
        var ends: [Int32] = [-1, -1]
        try system("pipe2") { cposix_pipe(&ends) }
        reading = Descriptor(ends[0])
        writing = Descriptor(ends[1])
    }
}

/// Waits until one of `descriptors` can be read or is at its end, or `milliseconds` have passed (nil: for ever).
///
/// - Returns: those that are ready; none after the time or when a signal was caught.
public func poll(_ descriptors: [Int32], milliseconds: Int?) throws(PosixError) -> [Int32] {
    var requests = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let timeout = milliseconds.map { Int32(clamping: max(0, $0)) } ?? -1
    let ready = Glibc.poll(&requests, nfds_t(requests.count), timeout)
    if ready < 0 {
        guard errno == EINTR else { throw PosixError(call: "poll", errno: errno) }
        return []
    }
    return requests.filter { $0.revents != 0 }.map(\.fd)
}

/// Runs a system call again while signals interrupt it; a negative answer becomes the error.
@discardableResult
func system<Answer: SignedInteger>(_ call: String, _ path: String = "", _ body: () -> Answer) throws(PosixError)
    -> Answer
{
    while true {
        let answer = body()
        if answer >= 0 { return answer }
        let reason = errno
        if reason != EINTR { throw PosixError(call: call, path: path, errno: reason) }
    }
}
