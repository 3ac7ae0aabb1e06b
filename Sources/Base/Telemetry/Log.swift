import Glibc
import Posix

/// Where events go: one line each, written whole.
public struct Log: Sendable {
    /// How a line of a log is written.
    public enum Style: Sendable {
        /// `{"time":…,"level":…,"event":…,…}`.
        case json
        /// `04:05:06 job-claimed job=x`, for a person at a terminal.
        case plain
        /// `<6>job-claimed job=x`: the level in front, for a service manager that reads standard error.
        case prioritized
    }

    private enum Output: Sendable {
        case descriptor(Int32, Style)
        case file(String)
        /// The journal by its own protocol; where it does not take an entry, lines on standard error.
        case journal(DatagramSocket)
        case recorder(@Sendable (Event) -> Void)
    }

    private let outputs: [(output: Output, threshold: Level)]
    /// The job that all events are of, if they are.
    private let job: Identifier?

    private init(_ output: Output, threshold: Level) {
        outputs = [(output, threshold)]
        job = nil
    }

    private init(_ outputs: [(output: Output, threshold: Level)], job: Identifier?) {
        self.outputs = outputs
        self.job = job
    }

    /// Nothing is written.
    public static let none = Log([], job: nil)

    /// The journal where standard error leads to it; otherwise standard error, in the style that fits what is behind it.
    public static func standardError(threshold: Level = .info) -> Log {
        if leadsToJournal(STDERR_FILENO), let socket = try? DatagramSocket(to: "/run/systemd/journal/socket") {
            return Log(.journal(socket), threshold: threshold)
        }
        let isTerminal = Terminal.isTerminal(STDERR_FILENO)
        return Log(.descriptor(STDERR_FILENO, isTerminal ? .plain : .json), threshold: threshold)
    }

    /// Both logs, and in them everything of one job.
    public func joined(by other: Log, job: String) -> Log {
        Log(outputs + other.outputs, job: Identifier(job))
    }

    /// An open descriptor, which must outlive the log.
    public static func descriptor(_ number: Int32, style: Style, threshold: Level = .info) -> Log {
        Log(.descriptor(number, style), threshold: threshold)
    }

    /// JSON lines at the end of a file, made where it is missing: the `log.jsonl` of a job.
    public static func file(_ path: String, threshold: Level = .debug) -> Log {
        Log(.file(path), threshold: threshold)
    }

    /// Hands every event to `record`.
    public static func recording(_ record: @escaping @Sendable (Event) -> Void) -> Log {
        Log(.recorder(record), threshold: .debug)
    }

    /// Writes `event`. A log that cannot be written is no reason to stop, so a failure is not reported.
    public func callAsFunction(_ event: Event) {
        let event = job.map(event.of) ?? event
        let now = WallClock.nanoseconds()
        for (output, threshold) in outputs where event.level <= threshold {
            switch output {
            case .descriptor(let number, let style): Self.write(event.line(style, at: now), to: number)
            case .file(let path):
                try? Files.append(Array(event.line(.json, at: now).utf8), to: path, durable: false)
            case .journal(let socket):
                do throws(PosixError) { try socket.send(event.journalEntry) } catch {
                    Self.write(event.line(.prioritized, at: now), to: STDERR_FILENO)
                }
            case .recorder(let record): record(event)
            }
        }
    }

    private static func write(_ line: String, to number: Int32) {
        let line = Array(line.utf8)
        _ = Glibc.write(number, line, line.count)
    }

    /// Whether a descriptor is the one that `JOURNAL_STREAM` names: it may have been redirected since.
    /// Whether what is written to a descriptor becomes entries of the journal.
    public static func leadsToJournal(_ number: Int32) -> Bool {
        var status = stat()
        guard let stream = getenv("JOURNAL_STREAM"), fstat(number, &status) == 0 else { return false }
        return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
    }
}

extension Event {
    /// The event as one line, with its line feed.
    func line(_ style: Log.Style, at nanoseconds: Int64) -> String {
        let time = WallClock.timestamp(nanoseconds)
        switch style {
        case .json:
            let pairs = fields.map { ",\"\($0.key)\":\($0.value.json)" }.joined()
            return "{\"time\":\"\(time)\",\"level\":\"\(level.name)\",\"event\":\"\(kind.rawValue)\"\(pairs)}\n"
        case .plain: return "\(time.dropFirst(11).prefix(8)) \(text)\n"
        case .prioritized: return "<\(level.rawValue)>\(text)\n"
        }
    }

    /// As journald's own protocol has it: an assignment a line, since no value holds a line feed.
    var journalEntry: [UInt8] {
        var lines = [
            "MESSAGE=\(text)", "MESSAGE_ID=\(kind.messageID)", "PRIORITY=\(level.rawValue)", "SYSLOG_IDENTIFIER=primed",
            "PRIMED_EVENT=\(kind.rawValue)",
        ]
        for (key, value) in fields {
            if key == "errno", case .count(let number) = value { lines.append("ERRNO=\(number)") }
            lines.append("PRIMED_\(key.uppercased())=\(value.exact)")
        }
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    private var text: String {
        ([kind.rawValue] + fields.map { "\($0.key)=\($0.value.text)" }).joined(separator: " ")
    }
}

extension Field {
    /// Identifiers and paths hold nothing that JSON would have to escape.
    var json: String {
        switch self {
        case .identifier, .path: "\"\(text)\""
        case .identifiers(let identifiers): "[\(identifiers.map { "\"\($0)\"" }.joined(separator: ","))]"
        case .count(let count): String(count)
        case .score(let value), .duration(let value): Self.json(value)
        case .scores(let values): "[\(values.map(Self.json).joined(separator: ","))]"
        }
    }

    /// For programs: numbers in full, in base units.
    var exact: String {
        switch self {
        case .score(let value), .duration(let value): value.description
        case .scores(let values): values.map(\.description).joined(separator: ",")
        case .identifier, .identifiers, .count, .path: text
        }
    }

    var text: String {
        switch self {
        case .identifier(let identifier): identifier.description
        case .identifiers(let identifiers): identifiers.map(\.description).joined(separator: ",")
        case .count(let count): String(count)
        case .score(let value): Self.rounded(value, places: 4)
        case .scores(let values): values.map { Self.rounded($0, places: 4) }.joined(separator: ",")
        case .duration(let value): Self.rounded(value, places: 2) + "s"
        case .path(let components): components.map(\.description).joined(separator: "/")
        }
    }

    private static func json(_ value: Double) -> String { value.isFinite ? value.description : "null" }

    private static func rounded(_ value: Double, places: Int) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return value.description }
        let scale = (0..<places).reduce(1.0) { scale, _ in scale * 10 }
        return ((value * scale).rounded() / scale).description
    }
}
