/// Everything that one target's run found out about utility and privacy; the report is drawn from it alone.
///
/// Scores are sums of the task's metrics, larger is better (error metrics are negated). No text of a history, a
/// prompt or a prediction is ever part of it.
public struct PrivacyRecord: Codable, Equatable, Sendable {
    public var schema = 1
    public var job: String
    public var user: String
    public var task: String
    public var base: String
    /// What the adapter must be loaded onto.
    public var appliesTo: AppliesTo
    /// The task's metrics in order, e.g. `["accuracy", "f1"]`.
    public var metrics: [String]
    public var search: SearchSettings
    /// The selected sharers, most similar first.
    public var sharers: [SharerRecord]
    public var utility: UtilityRecord
    public var similarity: SimilarityRecord
    /// Scores on the slice of the history that the search did not see; nil where the history is too short for one.
    public var heldOut: HeldOutRecord?
    /// Every evaluated candidate in the order of evaluation.
    public var candidates: [CandidateRecord]
    /// Evaluations on the Pareto front of (utility up, mean similarity down), by rising similarity.
    public var front: [Int]
    /// What any other alpha would have chosen from the same candidates.
    public var alternatives: [AlternativeRecord]
    public var outcome: Outcome
    public var release: Release

    public enum AppliesTo: Codable, Equatable, Sendable {
        case base
        case basePlusTask(sha256: String)
    }

    public struct SearchSettings: Codable, Equatable, Sendable {
        public var optimizer: String
        public var granularity: String
        public var merge: String
        public var alpha: Double
        public var budget: Int
        public var evaluations: Int
        public var seed: UInt64
        public var historyItems: Int

        public init(
            optimizer: String, granularity: String, merge: String, alpha: Double, budget: Int, evaluations: Int,
            seed: UInt64, historyItems: Int
        ) {
            self.optimizer = optimizer
            self.granularity = granularity
            self.merge = merge
            self.alpha = alpha
            self.budget = budget
            self.evaluations = evaluations
            self.seed = seed
            self.historyItems = historyItems
        }
    }

    public struct SharerRecord: Codable, Equatable, Sendable {
        public var id: String
        /// Cosine between the target's embedding and the sharer's; nil where sharers were given by hand.
        public var cosine: Double?
        public var utility: Double
        /// One weight, or one per layer.
        public var weights: [Double]
        /// Likeness of the base's, and of the shipped model's predictions to this sharer's.
        public var similarityBefore: Double
        public var similarityAfter: Double

        public init(
            id: String, cosine: Double?, utility: Double, weights: [Double], similarityBefore: Double,
            similarityAfter: Double
        ) {
            self.id = id
            self.cosine = cosine
            self.utility = utility
            self.weights = weights
            self.similarityBefore = similarityBefore
            self.similarityAfter = similarityAfter
        }
    }

    public struct UtilityRecord: Codable, Equatable, Sendable {
        public var base: Double
        public var merged: Double
        /// By metric, in the order of `metrics`.
        public var baseMetrics: [Double]
        public var mergedMetrics: [Double]

        public init(base: Double, merged: Double, baseMetrics: [Double], mergedMetrics: [Double]) {
            self.base = base
            self.merged = merged
            self.baseMetrics = baseMetrics
            self.mergedMetrics = mergedMetrics
        }
    }

    public struct SimilarityRecord: Codable, Equatable, Sendable {
        public var before: Double
        public var after: Double

        public init(before: Double, after: Double) {
            self.before = before
            self.after = after
        }
    }

    public struct HeldOutRecord: Codable, Equatable, Sendable {
        public var items: Int
        public var base: Double
        public var merged: Double
        public var sharers: [Double]
        /// The merged model's score on the searched slice minus its held-out score: what the search overfitted.
        public var gap: Double

        public init(items: Int, base: Double, merged: Double, sharers: [Double], gap: Double) {
            self.items = items
            self.base = base
            self.merged = merged
            self.sharers = sharers
            self.gap = gap
        }
    }

    public struct CandidateRecord: Codable, Equatable, Sendable {
        /// 0 for the base, then counted from 1.
        public var evaluation: Int
        public var generation: Int
        public var weights: [Double]
        public var utility: Double
        public var similarity: Double
        public var similarities: [Double]
        public var fitness: Double

        public init(
            evaluation: Int, generation: Int, weights: [Double], utility: Double, similarity: Double,
            similarities: [Double], fitness: Double
        ) {
            self.evaluation = evaluation
            self.generation = generation
            self.weights = weights
            self.utility = utility
            self.similarity = similarity
            self.similarities = similarities
            self.fitness = fitness
        }
    }

    public struct AlternativeRecord: Codable, Equatable, Sendable {
        public var alpha: Double
        public var evaluation: Int
        public var utility: Double
        public var similarity: Double

        public init(alpha: Double, evaluation: Int, utility: Double, similarity: Double) {
            self.alpha = alpha
            self.evaluation = evaluation
            self.utility = utility
            self.similarity = similarity
        }
    }

    /// Which model ships.
    public enum Outcome: String, Codable, Sendable {
        case merged, base
    }

    public enum Release: Codable, Equatable, Sendable {
        case released
        case held(reason: String)
    }

    public init(
        job: String, user: String, task: String, base: String, appliesTo: AppliesTo, metrics: [String],
        search: SearchSettings, sharers: [SharerRecord], utility: UtilityRecord, similarity: SimilarityRecord,
        heldOut: HeldOutRecord?, candidates: [CandidateRecord], front: [Int], alternatives: [AlternativeRecord],
        outcome: Outcome, release: Release
    ) {
        self.job = job
        self.user = user
        self.task = task
        self.base = base
        self.appliesTo = appliesTo
        self.metrics = metrics
        self.search = search
        self.sharers = sharers
        self.utility = utility
        self.similarity = similarity
        self.heldOut = heldOut
        self.candidates = candidates
        self.front = front
        self.alternatives = alternatives
        self.outcome = outcome
        self.release = release
    }
}
