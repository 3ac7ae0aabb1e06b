import Glibc
import Posix

/// Where events go: one line each, written whole.
public struct Log: Sendable {
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
        case recorder(@Sendable (Event) -> Void)
    }

    private let outputs: [Output]
    private let threshold: Level

    private init(_ outputs: [Output], threshold: Level) {
        self.outputs = outputs
        self.threshold = threshold
    }

    /// Nothing is written.
    public static let none = Log([], threshold: .error)

    /// Standard error, in the style that fits what is behind it.
    public static func standardError(threshold: Level = .info, style: Style? = nil) -> Log {
        Log([.descriptor(STDERR_FILENO, style ?? automaticStyle())], threshold: threshold)
    }

    /// An open descriptor, which must outlive the log.
    public static func descriptor(_ number: Int32, style: Style, threshold: Level = .info) -> Log {
        Log([.descriptor(number, style)], threshold: threshold)
    }

    /// JSON lines at the end of a file, made where it is missing: the `log.jsonl` of a job.
    public static func file(_ path: String, threshold: Level = .debug) -> Log {
        Log([.file(path)], threshold: threshold)
    }

    /// Hands every event to `record`.
    public static func recording(_ record: @escaping @Sendable (Event) -> Void) -> Log {
        Log([.recorder(record)], threshold: .debug)
    }

    /// Writes `event`. A log that cannot be written is no reason to stop, so a failure is not reported.
    public func callAsFunction(_ event: Event) {
        guard event.level <= threshold else { return }
        let now = WallClock.nanoseconds()
        for output in outputs {
            switch output {
            case .descriptor(let number, let style):
                let line = Array(event.line(style, at: now).utf8)
                _ = write(number, line, line.count)
            case .file(let path):
                try? Files.append(Array(event.line(.json, at: now).utf8), to: path, durable: false)
            case .recorder(let record): record(event)
            }
        }
    }

    private static func automaticStyle() -> Style {
        if Terminal.isTerminal(STDERR_FILENO) { return .plain }
        return getenv("JOURNAL_STREAM") == nil ? .json : .prioritized
    }
}

extension Event {
    /// The event as one line, with its line feed.
    func line(_ style: Log.Style, at nanoseconds: Int64) -> String {
        let time = WallClock.timestamp(nanoseconds)
        switch style {
        case .json:
            let pairs = fields.map { ",\"\($0.key)\":\($0.value.json)" }.joined()
            return "{\"time\":\"\(time)\",\"level\":\"\(level.name)\",\"event\":\"\(name)\"\(pairs)}\n"
        case .plain: return "\(time.dropFirst(11).prefix(8)) \(text)\n"
        case .prioritized: return "<\(level.rawValue)>\(text)\n"
        }
    }

    private var text: String {
        ([name] + fields.map { "\($0.key)=\($0.value.text)" }).joined(separator: " ")
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
