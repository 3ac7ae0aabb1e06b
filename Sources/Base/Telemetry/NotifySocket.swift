import Glibc
import Posix

/// The service manager that started this process, told how it is (sd_notify(3)); silent where there is none.
public struct NotifySocket: Sendable {
    /// What the manager is told: an assignment of sd_notify(3).
    public enum State: Sendable, Equatable {
        case ready
        /// One line for people.
        case status(String)
        case stopping
        /// Reads its configuration again; `ready` follows. In monotonic microseconds.
        case reloading(at: Int64)
        /// The service makes progress.
        case watchdog
        /// Starting or stopping takes this much longer, in microseconds.
        case extendTimeout(Int)

        var assignment: String {
            switch self {
            case .ready: "READY=1"
            case .status(let line): "STATUS=\(line.split(whereSeparator: \.isNewline).joined(separator: " "))"
            case .stopping: "STOPPING=1"
            case .reloading(let time): "RELOADING=1\nMONOTONIC_USEC=\(time)"
            case .watchdog: "WATCHDOG=1"
            case .extendTimeout(let microseconds): "EXTEND_TIMEOUT_USEC=\(microseconds)"
            }
        }
    }

    private let socket: DatagramSocket?
    /// How often the watchdog wants to hear of progress at the latest, in seconds; nil where nobody watches.
    public let watchdogInterval: Double?

    /// The manager named by `NOTIFY_SOCKET` and `WATCHDOG_USEC`.
    public init() {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        let isWatched = variable("WATCHDOG_PID").map { $0 == String(getpid()) } ?? true
        self.init(
            socket: variable("NOTIFY_SOCKET"),
            watchdogMicroseconds: isWatched ? variable("WATCHDOG_USEC").flatMap { Int($0) } : nil)
    }

    init(socket: String?, watchdogMicroseconds: Int?) {
        self.socket = socket.flatMap { try? DatagramSocket(to: $0) }
        watchdogInterval = watchdogMicroseconds.flatMap { $0 > 0 ? Double($0) / 1e6 : nil }
    }

    /// Tells the manager. Whether it listens makes no difference to the service.
    public func notify(_ states: State...) {
        try? socket?.send(Array(states.map(\.assignment).joined(separator: "\n").utf8))
    }
}
