/// One evaluated candidate as it is remembered on disk: numbers only, never a prediction.
public struct JournalEntry: Codable, Equatable, Sendable {
    /// Counted from 1 within the target's run; 0 would be the base.
    public var evaluation: Int
    /// Counted from 0.
    public var generation: Int
    /// `[k]` or, layer-wise, `[layers * k]` with the layer outermost.
    public var weights: [Double]
    public var scores: CandidateScores

    public init(evaluation: Int, generation: Int, weights: [Double], scores: CandidateScores) {
        self.evaluation = evaluation
        self.generation = generation
        self.weights = weights
        self.scores = scores
    }
}

/// What a round of the engine gave one target.
public enum RoundResult: Codable, Equatable, Sendable {
    /// The base's and each sharer's predictions of the history, `[1 + k][prompts]`: what every candidate is held against.
    case references([[String]])
    /// The candidates of a generation.
    case generation([JournalEntry])
    /// The scores of a recommendation that was no candidate.
    case recommendation(CandidateScores)
    /// One a query.
    case answers([String])
}

/// Where the rounds of a cohort survive an interruption.
///
/// A round is appended whole, for all its targets at once: a batch's composition decides its rounding, so a part of a
/// round is worth nothing and is done again, and a finished one never is.
public protocol Journal {
    /// The rounds of an earlier attempt at the same run, in order: of each target in the cohort's order, nil for one that
    /// had no part in the round.
    var rounds: [[RoundResult?]] { get }
    /// Makes one round durable before it returns.
    mutating func append(_ round: [RoundResult?]) throws(MethodError)
}

extension Journal {
    /// The evaluations of one target that need not be made again.
    public func evaluations(of target: Int) -> Int {
        rounds.reduce(0) { sum, round in
            guard round.indices.contains(target), case .generation(let entries) = round[target] else { return sum }
            return sum + entries.count
        }
    }
}

/// A journal that lasts as long as the process, for `primed bench` and tests.
public struct MemoryJournal: Journal {
    public private(set) var rounds: [[RoundResult?]]

    /// - Parameter rounds: of an earlier attempt, to be replayed.
    public init(rounds: [[RoundResult?]] = []) { self.rounds = rounds }

    public mutating func append(_ round: [RoundResult?]) { rounds.append(round) }
}
