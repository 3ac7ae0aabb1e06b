/// One evaluated candidate as it is remembered on disk: numbers only, never a prediction.
public struct JournalEntry: Codable, Equatable, Sendable {
    public var evaluation: Int
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

/// Where evaluations survive an interruption.
///
/// A generation is appended whole: a batch's composition decides its rounding, so half a generation is worth nothing
/// and is done again.
public protocol Journal {
    /// The complete generations of an earlier attempt at the same run, in order.
    var entries: [JournalEntry] { get }
    /// Makes one generation durable before it returns.
    mutating func append(_ generation: [JournalEntry]) throws(MethodError)
}

/// A journal that lasts as long as the process, for `primed bench` and tests.
public struct MemoryJournal: Journal {
    public private(set) var entries: [JournalEntry]

    public init(entries: [JournalEntry] = []) { self.entries = entries }

    public mutating func append(_ generation: [JournalEntry]) { entries += generation }
}
