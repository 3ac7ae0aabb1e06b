/// Why a tokenizer cannot be used.
public struct TokenizerError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// A file is missing, or is none that can be read.
        case unreadable
        /// A disk failed or something was short: the same file may do another time.
        case unavailable
        case malformed
        /// A component that primed does not have, by name.
        case unsupported
    }

    public let code: Code
    public let place: String
    public let found: String
    public let remedy: String

    init(_ code: Code, _ place: String, found: String, remedy: String) {
        self.code = code
        self.place = place
        self.found = found
        self.remedy = remedy
    }

    public var description: String { "\(place): \(found); \(remedy)" }
}
