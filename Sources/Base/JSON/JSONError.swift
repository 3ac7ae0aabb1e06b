/// What is wrong with a JSON text; never the text itself.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case malformed
        /// A key that stands twice in one object.
        case duplicate
        /// NaN, infinity, or a number beyond double precision.
        case notFinite = "not-finite"
        /// Deeper or longer than is read.
        case tooLarge = "too-large"
    }

    /// The kind of fault, for programs.
    public let code: Code
    /// File, line and column.
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
