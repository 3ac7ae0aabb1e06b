import Evolution
import Llama
import Tasks

/// Why a method could not personalize a target.
public struct MethodError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Its `name` is the `error.code` of a result, see docs/FORMATS.md.
    public enum Code: Equatable, Sendable {
        /// The run was asked to stop; what is journaled stays valid and a later run goes on from it.
        case interrupted
        /// Too few sharers for what was asked.
        case noSharers
        /// Embeddings that cannot be compared: other length, not finite, all zero, another encoder.
        case embedding
        /// The journal belongs to another run.
        case journal
        /// The engine refused or failed; `found` is its own message.
        case engine(LlamaError.Code)
        /// The task refused; `found` is its own message.
        case task(TaskError.Code)
        /// The optimizer refused; `found` is its own message.
        case optimizer
        /// The journal could not be written.
        case storage

        /// As results have it.
        public var name: String {
            switch self {
            case .noSharers: "no-sharers"
            case .engine(let code): code.rawValue
            case .task(let code): code.rawValue
            case .interrupted, .embedding, .journal, .optimizer, .storage: "\(self)"
            }
        }
    }

    /// The kind of fault, for programs.
    public let code: Code
    /// User, item or file, and the engine's own place where it refused.
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

    public static func interrupted(_ user: String) -> MethodError {
        MethodError(
            .interrupted, "user \(user)", found: "the run was asked to stop",
            remedy: "run it again: it goes on from the last finished round")
    }

    /// - Parameter place: before the engine's own.
    init(_ error: LlamaError, at place: String? = nil) {
        self.init(
            .engine(error.code), place.map { "\($0): \(error.place)" } ?? error.place, found: error.found,
            remedy: error.remedy)
    }

    init(_ error: TaskError) {
        self.init(.task(error.code), error.place, found: error.found, remedy: error.remedy)
    }

    init(_ error: EvolutionError) {
        self.init(.optimizer, "search", found: error.found, remedy: error.remedy)
    }

    public var description: String { "\(place): \(found); \(remedy)" }
}
