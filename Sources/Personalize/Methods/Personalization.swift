import Llama
import Privacy

/// One answer to one of the target's queries.
public struct Answer: Codable, Equatable, Sendable {
    /// The query's.
    public let id: String
    /// The prediction, as `TaskDefinition.answer` takes it from the completion.
    public let output: String

    public init(id: String, output: String) {
        self.id = id
        self.output = output
    }
}

/// The weights that ship and what they scored.
public struct Choice: Equatable, Sendable {
    /// Whether these are the base's zeros or the search's recommendation.
    public let outcome: PrivacyRecord.Outcome
    /// `[k]` or `[layers * k]`, layer outermost; zeros for the base.
    public let weights: [Double]
    /// The same weights over the target's own sharers, in single precision; empty for the base.
    public let mixture: Mixture
    /// What they scored on the history.
    public let scores: CandidateScores
    /// What the search's recommendation scored, which these weights are unless the base ships.
    public let recommended: CandidateScores
}

/// Wall-clock seconds of a run's stages; of a round with other targets, the part that the target's sequences have in it.
/// Rounds that were replayed from a journal take none.
public struct PhaseSeconds: Codable, Equatable, Sendable {
    /// Loading the bank and making the prompts, shared evenly by the cohort's targets.
    public var prepare = 0.0
    /// Predictions of the history by the base and each sharer alone.
    public var references = 0.0
    /// Predictions of the history by the candidates.
    public var search = 0.0
    /// Answers to the queries.
    public var queries = 0.0

    public var total: Double { prepare + references + search + queries }
}

/// A finished run for one target.
public struct Personalization: Equatable, Sendable {
    /// What ships.
    public let choice: Choice
    /// What the base scored alone.
    public let base: CandidateScores
    /// `[k]`: what each sharer's adapter scored alone, at weight 1.
    public let sharers: [CandidateScores]
    /// Every evaluated candidate in the order of evaluation, from 1 on: without the base.
    public let candidates: [JournalEntry]
    /// History items that make at least one of the prompts that were used.
    public let historyItems: Int
    /// How many of these the search did not see.
    public let heldOutItems: Int
    /// One a query, in their order, by the model that ships.
    public let answers: [Answer]
    /// The target's own, see `targetSeed`.
    public let seed: UInt64
    public let seconds: PhaseSeconds

    /// The chosen weights as `[layers or 1][k]`.
    public var weights: [[Double]] {
        guard !sharers.isEmpty else { return [[]] }
        return stride(from: 0, to: choice.weights.count, by: sharers.count).map {
            Array(choice.weights[$0..<($0 + sharers.count)])
        }
    }
}
