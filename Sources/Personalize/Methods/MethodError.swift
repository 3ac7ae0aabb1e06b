import Llama

/// Why a method could not personalize a target.
public struct MethodError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: Equatable, Sendable {
        /// The run was asked to stop; what is journaled stays valid and a later run goes on from it.
        case interrupted
        /// The target has nothing to learn from.
        case emptyHistory
        /// Too few sharers for what was asked.
        case noSharers
        /// Embeddings that cannot be compared: other length, not finite, all zero, another encoder.
        case embedding
        /// The journal belongs to another run.
        case journal
        /// The engine refused or failed; `found` is its own message.
        case engine(LlamaError.Code)
        /// The task or the optimizer refused; `found` is its own message.
        case task, optimizer
        /// The journal could not be written.
        case storage

        /// As results have it.
        public var name: String {
            switch self {
            case .emptyHistory: "empty-history"
            case .noSharers: "no-sharers"
            case .engine(let code): code.rawValue
            case .interrupted, .embedding, .journal, .task, .optimizer, .storage: "\(self)"
            }
        }
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

    /// - Parameter place: before the engine's own.
    init(_ error: LlamaError, at place: String? = nil) {
        self.init(
            .engine(error.code), place.map { "\($0): \(error.place)" } ?? error.place, found: error.found,
            remedy: error.remedy)
    }

    public var description: String { "\(place): \(found); \(remedy)" }
}
