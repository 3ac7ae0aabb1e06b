/// How urgent an event is, as syslog(3) counts.
public enum Level: Int, Sendable, Comparable {
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7

    public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }

    var name: String { String(describing: self) }
}

/// Something worth a line in a log: what kind of thing happened, and values.
public struct Event: Sendable, Equatable {
    public let kind: EventKind
    /// In the order in which they are shown; no key twice.
    public let fields: [(key: String, value: Field)]

    public var level: Level { kind.level }

    init(_ kind: EventKind, _ fields: KeyValuePairs<StaticString, Field> = [:]) {
        self.init(kind, fields: fields.map { ($0.key.description, $0.value) })
    }

    private init(_ kind: EventKind, fields: [(key: String, value: Field)]) {
        self.kind = kind
        self.fields = fields
    }

    /// The same, of a job, unless it says so already.
    func of(job: Identifier) -> Event {
        guard !fields.contains(where: { $0.key == "job" }) else { return self }
        return Event(kind, fields: [("job", .identifier(job))] + fields)
    }

    public static func == (left: Event, right: Event) -> Bool {
        left.kind == right.kind && left.fields.elementsEqual(right.fields) { $0.key == $1.key && $0.value == $1.value }
    }
}
