/// One thing that is wrong in a file that a person or a system wrote, and the mend.
public struct Mistake: Equatable, Sendable, CustomStringConvertible {
    /// The raw value is the `error.code` of a result, see docs/FORMATS.md.
    public enum Code: String, Sendable {
        /// No JSON, or too deep or too long for one.
        case malformed
        case duplicate
        case wrongType = "wrong-type"
        case missing
        case unknownKey = "unknown-key"
        case outOfRange = "out-of-range"
        case badID = "bad-id"
        /// A path that leaves the folders it may name.
        case escape
        /// Something named that is not there.
        case notFound = "not-found"
    }

    /// The kind of fault, for programs.
    public let code: Code
    /// File and field, e.g. `nightly.json: targets[3].history`.
    public let place: String
    /// What was found there, in words.
    public let found: String
    /// What to do about it, in words.
    public let remedy: String

    public init(_ code: Code, _ place: String, found: String, remedy: String) {
        self.code = code
        self.place = place
        self.found = found
        self.remedy = remedy
    }

    public var description: String { "\(place): \(found); \(remedy)" }
}

/// Everything that is wrong in one file.
public struct ManifestError: Error, Equatable, Sendable, CustomStringConvertible {
    /// At least one.
    public let mistakes: [Mistake]
    /// The id that a mistaken manifest gives its job nevertheless.
    public let id: String?

    public init(_ mistakes: [Mistake], id: String? = nil) {
        self.mistakes = mistakes
        self.id = id
    }

    /// A line a mistake.
    public var description: String { mistakes.map(\.description).joined(separator: "\n") }
}
