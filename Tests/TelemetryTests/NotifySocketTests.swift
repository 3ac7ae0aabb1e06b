import Glibc
import Posix
import Testing

@testable import Telemetry

@Suite struct NotifySocketTests {
    /// A socket to listen on, as a service manager has one.
    private final class Listener {
        let address: String
        let descriptor: Int32

        init(abstract: Bool) throws {
            address = "\(abstract ? "@" : "/tmp/")primed-notify-\(UInt32.random(in: .min ... .max))"
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: address.utf8) }
            if abstract { name.sun_path.0 = 0 }
            let length = socklen_t(2 + address.utf8.count)
            let bound = withUnsafePointer(to: &name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
            }
            try #require(bound == 0)
        }

        deinit {
            close(descriptor)
            unlink(address)
        }

        func received() -> String {
            var bytes = [UInt8](repeating: 0, count: 1000)
            let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        }
    }

    @Test(arguments: [true, false]) func statesArriveAsOneMessage(abstract: Bool) throws {
        let listener = try Listener(abstract: abstract)
        let systemd = NotifySocket(socket: listener.address, watchdogMicroseconds: 2_000_000)
        systemd.notify(.ready, .status("2 jobs\nREADY=0"))
        #expect(listener.received() == "READY=1\nSTATUS=2 jobs READY=0")
        systemd.notify(.watchdog)
        #expect(listener.received() == "WATCHDOG=1")
        systemd.notify(.reloading(at: 7), .extendTimeout(9), .stopping)
        #expect(listener.received() == "RELOADING=1\nMONOTONIC_USEC=7\nEXTEND_TIMEOUT_USEC=9\nSTOPPING=1")
        #expect(systemd.watchdogInterval == 2)
    }

    @Test func nobodyListening() {
        NotifySocket(socket: nil, watchdogMicroseconds: nil).notify(.ready)
        NotifySocket(socket: "/nonexistent/socket", watchdogMicroseconds: 0).notify(.ready)
        NotifySocket(socket: "relative", watchdogMicroseconds: nil).notify(.ready)
        #expect(NotifySocket(socket: nil, watchdogMicroseconds: 0).watchdogInterval == nil)
    }
}
