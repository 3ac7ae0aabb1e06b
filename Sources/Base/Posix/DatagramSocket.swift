import Glibc

/// Single messages to a Unix socket, as service managers and loggers take them.
public final class DatagramSocket: Sendable {
    private let descriptor: Descriptor
    private let address: String

    /// `address` is a path, or a name after `@` in the abstract namespace.
    public init(to address: String) throws(PosixError) {
        let room = MemoryLayout.size(ofValue: sockaddr_un().sun_path)
        guard address.hasPrefix("/") || address.hasPrefix("@"), address.utf8.count < room else {
            throw PosixError(call: "connect", path: address, errno: EINVAL)
        }
        self.address = address
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        descriptor = Descriptor(try system("socket") { socket(AF_UNIX, type, 0) })
    }

    /// Sends `message` whole or not at all; never waits for a slow receiver.
    public func send(_ message: [UInt8]) throws(PosixError) {
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: address.utf8) }
        // In the abstract namespace every counted byte belongs to the name, so no NUL is counted.
        if address.hasPrefix("@") { target.sun_path.0 = 0 }
        let length = socklen_t(MemoryLayout.offset(of: \sockaddr_un.sun_path)! + address.utf8.count)
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        try system("sendto", address) {
            withUnsafePointer(to: target) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor.number, message, message.count, flags, $0, length)
                }
            }
        }
    }
}
