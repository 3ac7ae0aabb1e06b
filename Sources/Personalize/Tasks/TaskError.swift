import JSON

/// What is wrong with a task, a history or a file of either. Never carries text of a history.
public struct TaskError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The raw value is the `error.code` of a result, see docs/FORMATS.md.
    public enum Code: String, Sendable, CaseIterable {
        /// The bytes are no JSON (or JSON5, for definitions).
        case malformed
        /// A file, a list, a text or the nesting is larger than allowed.
        case tooLarge = "too-large"
        /// NaN, an infinity, or a number beyond a double.
        case notFinite = "not-finite"
        /// A value of another kind than its place needs.
        case wrongType = "wrong-type"
        /// A key or a field that must be there and is not.
        case missingField = "missing-field"
        /// A key that nothing knows.
        case unknownKey = "unknown-key"
        /// An id twice where ids must differ, or a key twice in one object.
        case duplicate
        /// An id that is empty, too long, or holds control characters.
        case badID = "bad-id"
        case emptyHistory = "empty-history"
        /// A history without a single answer that could be right.
        case unknownLabel = "unknown-label"
        /// A user without a profile text where prompts with retrieval need one.
        case missingProfile = "missing-profile"
        /// A query whose input does not have the task's marker.
        case missingMarker = "missing-marker"
        case badTemplate = "bad-template"
        case unknownMetric = "unknown-metric"
        /// Statements of a definition that exclude each other, or an option out of its range.
        case contradiction
    }

    /// The kind of fault, for programs.
    public let code: Code
    /// File, user, item and field, as far as they are known.
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

extension TaskError {
    /// A file that is no sound JSON.
    init(_ error: JSONError) {
        let code: Code =
            switch error.code {
            case .malformed: .malformed
            case .duplicate: .duplicate
            case .notFinite: .notFinite
            case .tooLarge: .tooLarge
            }
        self.init(code, error.place, found: error.found, remedy: error.remedy)
    }
}
