import Llama
import Privacy

/// One answer to one of the target's queries.
public struct Answer: Codable, Equatable, Sendable {
    public let id: String
    public let output: String

    public init(id: String, output: String) {
        self.id = id
        self.output = output
    }
}

/// The weights that ship and what they scored.
public struct Choice: Equatable, Sendable {
    public let outcome: PrivacyRecord.Outcome
    /// `[k]` or `[layers * k]`, layer outermost; zeros for the base.
    public let weights: [Double]
    public let mixture: Mixture
    public let scores: CandidateScores
}

/// Wall-clock seconds of a run's stages; of a round with other targets, the part that the target's sequences have in it.
public struct PhaseSeconds: Codable, Equatable, Sendable {
    public var prepare = 0.0
    public var references = 0.0
    public var search = 0.0
    public var queries = 0.0

    public var total: Double { prepare + references + search + queries }
}

/// A finished run for one target.
public struct Personalization: Equatable, Sendable {
    public let choice: Choice
    public let base: CandidateScores
    /// `[k]`
    public let sharers: [CandidateScores]
    public let candidates: [JournalEntry]
    public let sharerCount: Int
    public let historyItems: Int
    public let heldOutItems: Int
    public let answers: [Answer]
    public let seed: UInt64
    public let seconds: PhaseSeconds

    /// The chosen weights as `[layers or 1][k]`.
    public var weights: [[Double]] {
        guard sharerCount > 0 else { return [[]] }
        return stride(from: 0, to: choice.weights.count, by: sharerCount).map {
            Array(choice.weights[$0..<($0 + sharerCount)])
        }
    }
}
