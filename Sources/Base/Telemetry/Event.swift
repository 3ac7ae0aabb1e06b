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

/// Something worth a line in a log: a stable name, and values.
public struct Event: Sendable, Equatable {
    /// Kebab-case; programs may match it.
    public let name: String
    public let level: Level
    /// In the order in which they are shown; no key twice.
    public let fields: [(key: String, value: Field)]

    public init(_ name: StaticString, _ level: Level = .info, _ fields: KeyValuePairs<StaticString, Field> = [:]) {
        self.name = name.description
        self.level = level
        self.fields = fields.map { ($0.key.description, $0.value) }
    }

    public static func == (left: Event, right: Event) -> Bool {
        left.name == right.name && left.level == right.level
            && left.fields.elementsEqual(right.fields) { $0.key == $1.key && $0.value == $1.value }
    }
}
