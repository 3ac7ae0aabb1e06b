/// Why a method could not personalize a target.
public struct MethodError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// The run was asked to stop; what is journaled stays valid and a later run goes on from it.
        case interrupted
        /// The target has nothing to learn from.
        case emptyHistory = "empty-history"
        /// Too few sharers for what was asked.
        case noSharers = "no-sharers"
        /// Embeddings that cannot be compared: other length, not finite, all zero, another encoder.
        case embedding
        /// The journal belongs to another run.
        case journal
        /// The engine, the task or the optimizer refused; `found` is its own message.
        case engine, task, optimizer
        /// The journal could not be written.
        case storage
    }

    public let code: Code
    public let place: String
    public let found: String
    public let remedy: String

    public init(_ code: Code, _ place: String, found: String, remedy: String) {
        self.code = code
        self.place = place
        self.found = found
        self.remedy = remedy
    }

    public var description: String { "\(place): \(found); \(remedy)" }
}
