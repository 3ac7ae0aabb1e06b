/// Why a tokenizer cannot be used.
public struct TokenizerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The raw value is the `error.code` of a result, see docs/FORMATS.md.
    public enum Code: String, Sendable {
        /// A file is missing, or is none that can be read.
        case unreadable
        /// A disk failed or something was short: the same file may do another time.
        case unavailable
        case malformed
        /// A component that primed does not have, by name.
        case unsupported
    }

    /// The kind of fault, for programs.
    public let code: Code
    /// File, and the field in it.
    public let place: String
    /// What was found there, in words.
    public let found: String
    /// What to do about it, in words.
    public let remedy: String

    init(_ code: Code, _ place: String, found: String, remedy: String) {
        self.code = code
        self.place = place
        self.found = found
        self.remedy = remedy
    }

    public var description: String { "\(place): \(found); \(remedy)" }
}
