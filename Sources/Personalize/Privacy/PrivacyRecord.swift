/// Everything that one target's run found out about utility and privacy; the report is drawn from it alone.
///
/// Scores are sums of the task's history metrics over history prompts, errors subtracted: every metric is from 0 to 1, or an
/// error from 0 on. Against the right answers a score is a utility, larger is better; against a sharer's predictions it is
/// the likeness to that sharer, larger is more alike. No text of a history, a prompt or a prediction is ever part of it.
public struct PrivacyRecord: Codable, Equatable, Sendable {
    /// The version of this format.
    public var schema = 1
    /// The job's id.
    public var job: String
    /// The target's id.
    public var user: String
    /// The task's own name: a LaMP key, or the one in the definition file.
    public var task: String
    /// The base as the manifest names it.
    public var base: String
    /// What the adapter must be loaded onto.
    public var appliesTo: AppliesTo
    /// The task's history metrics in order, e.g. `["accuracy", "f1"]`.
    public var metrics: [String]
    /// How the weights were searched, and on how much.
    public var search: SearchSettings
    /// The sharers of the merge: selected ones most similar first, listed ones in the manifest's order.
    public var sharers: [SharerRecord]
    /// Of the base and of what ships, on the whole history.
    public var utility: UtilityRecord
    /// Of the base and of what ships, on the whole history, in the mean over the sharers.
    public var similarity: SimilarityRecord
    /// Utilities on the slice of the history that the search did not see; nil where nothing was held out.
    public var heldOut: HeldOutRecord?
    /// The base, then every evaluated candidate in the order of evaluation.
    public var candidates: [CandidateRecord]
    /// Evaluations on the Pareto front of (utility up, mean similarity down), by rising similarity.
    public var front: [Int]
    /// What each of `reportedAlphas` would have chosen from the same candidates by their scores on the whole history.
    public var alternatives: [AlternativeRecord]
    /// Which model ships, or would if it were not held.
    public var outcome: Outcome
    /// Whether adapter and predictions are published.
    public var release: Release

    public enum AppliesTo: Codable, Equatable, Sendable {
        /// The base as it is.
        case base
    }

    /// What was asked of the search, and what it did.
    public struct SearchSettings: Codable, Equatable, Sendable {
        /// `cma-es` or `prime-cma`.
        public var optimizer: String
        /// `adapter` for one weight a sharer, `layer` for one a sharer and layer.
        public var granularity: String
        /// `delta` where the weights sum the products B A, `factors` where they sum A and B each.
        public var merge: String
        /// The privacy coefficient: fitness is utility - alpha * mean similarity.
        public var alpha: Double
        /// The most candidates that were to be evaluated.
        public var budget: Int
        /// The candidates that were; neither the base nor a sharer's reference predictions count.
        public var evaluations: Int
        /// The target's own, below 2^53; the manifest's seed and the user's id make it.
        public var seed: UInt64
        /// History items whose prompts were used, those held out included.
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

    /// One sharer of the merge.
    public struct SharerRecord: Codable, Equatable, Sendable {
        /// In the pool, or as the manifest lists it.
        public var id: String
        /// Cosine between the target's embedding and the sharer's; nil where sharers were given by hand.
        public var cosine: Double?
        /// Of the sharer's adapter alone at weight 1, on the whole history; larger is better.
        public var utility: Double
        /// One weight, or one per layer.
        public var weights: [Double]
        /// Likeness of the base's predictions to this sharer's on the whole history, larger is more alike.
        public var similarityBefore: Double
        /// The same of what ships.
        public var similarityAfter: Double
        /// The same of a verbatim copy of this sharer's adapter: the most that there can be. It differs by sharer and history,
        /// since macro F1 is a mean over all labels, of which the answers have some.
        public var similarityOfCopy: Double

        public init(
            id: String, cosine: Double?, utility: Double, weights: [Double], similarityBefore: Double,
            similarityAfter: Double, similarityOfCopy: Double
        ) {
            self.id = id
            self.cosine = cosine
            self.utility = utility
            self.weights = weights
            self.similarityBefore = similarityBefore
            self.similarityAfter = similarityAfter
            self.similarityOfCopy = similarityOfCopy
        }
    }

    /// Predictions of the whole history against the right answers; larger is better.
    public struct UtilityRecord: Codable, Equatable, Sendable {
        /// The sum of `baseMetrics`, errors subtracted.
        public var base: Double
        /// The same of what ships, which is `base` again where the base does.
        public var merged: Double
        /// Of the base by metric, in the order of the record's `metrics`; errors are positive here.
        public var baseMetrics: [Double]
        /// The same of what ships.
        public var mergedMetrics: [Double]

        public init(base: Double, merged: Double, baseMetrics: [Double], mergedMetrics: [Double]) {
            self.base = base
            self.merged = merged
            self.baseMetrics = baseMetrics
            self.mergedMetrics = mergedMetrics
        }
    }

    /// Likeness to the sharers' predictions of the whole history, the mean over the sharers; larger is more alike.
    public struct SimilarityRecord: Codable, Equatable, Sendable {
        /// Of the base.
        public var before: Double
        /// Of what ships; as before where the base does.
        public var after: Double

        public init(before: Double, after: Double) {
            self.before = before
            self.after = after
        }
    }

    /// Utilities on the history items that judge the search's choice and do not steer it; larger is better.
    public struct HeldOutRecord: Codable, Equatable, Sendable {
        /// How many those are.
        public var items: Int
        /// Of the base.
        public var base: Double
        /// Of what ships.
        public var merged: Double
        /// Of each sharer's adapter alone, in the order of the record's `sharers`.
        public var sharers: [Double]
        /// What the search recommended, whether or not it ships.
        public var recommended: RecommendedRecord
        /// Of the base: utility - alpha * mean similarity.
        public var baseFitness: Double
        /// By how much more what ships is better than the base in utility where the search looked than on these items: above
        /// 0, what the search overfitted; 0 where the base ships. The base was fitted to neither part, so what it scores
        /// differently on them is not the search's: F1, say, has fewer labels to average over in the smaller one.
        public var gap: Double

        public init(
            items: Int, base: Double, merged: Double, sharers: [Double], recommended: RecommendedRecord,
            baseFitness: Double, gap: Double
        ) {
            self.items = items
            self.base = base
            self.merged = merged
            self.sharers = sharers
            self.recommended = recommended
            self.baseFitness = baseFitness
            self.gap = gap
        }
    }

    /// What the search recommended. It ships where it beats the base where it was searched and is no worse than the base on
    /// the held-out items, by fitness.
    public struct RecommendedRecord: Codable, Equatable, Sendable {
        /// On the held-out items.
        public var utility: Double
        /// On the held-out items: utility - alpha * mean similarity.
        public var fitness: Double
        /// The same on the items that the search saw.
        public var searchedFitness: Double

        public init(utility: Double, fitness: Double, searchedFitness: Double) {
            self.utility = utility
            self.fitness = fitness
            self.searchedFitness = searchedFitness
        }
    }

    /// Whether the base ships although the search recommended what beat it: that did worse on the held-out items.
    public var isVetoed: Bool {
        guard outcome == .base, let heldOut, let base = candidates.first else { return false }
        return heldOut.recommended.searchedFitness > base.fitness
    }

    /// A mixture that was evaluated.
    public struct CandidateRecord: Codable, Equatable, Sendable {
        /// 0 for the base, then counted from 1.
        public var evaluation: Int
        /// Counted from 0; the base is in 0, too.
        public var generation: Int
        /// `[k]` or, layer-wise, `[layers * k]` with the layer outermost; zeros for the base.
        public var weights: [Double]
        /// On the whole history, larger is better.
        public var utility: Double
        /// The mean of `similarities`; 0 without sharers.
        public var similarity: Double
        /// Likeness to each sharer on the whole history, in the order of the record's `sharers`; larger is more alike.
        public var similarities: [Double]
        /// Utility - alpha * mean similarity, larger is better; not on the whole, but on the slice that the search sees.
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

    /// What another alpha would have chosen: the most utility - alpha * similarity on the whole history.
    public struct AlternativeRecord: Codable, Equatable, Sendable {
        /// One of `reportedAlphas`.
        public var alpha: Double
        /// The candidate's; 0 for the base.
        public var evaluation: Int
        /// The candidate's, on the whole history.
        public var utility: Double
        /// The candidate's mean, on the whole history.
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

    /// Whether adapter and predictions are published.
    public enum Release: Codable, Equatable, Sendable {
        case released
        /// The reason is for people.
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
