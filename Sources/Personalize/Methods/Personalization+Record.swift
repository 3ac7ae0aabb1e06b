import Privacy
import Tasks

/// What the record says beside the run's own findings.
public struct RecordContext: Equatable, Sendable {
    /// The job's id.
    public var job: String
    /// The target's id.
    public var user: String
    /// The task's own name, `TaskDefinition.name`.
    public var task: String
    /// The base as the manifest names it.
    public var base: String
    public var appliesTo: PrivacyRecord.AppliesTo
    /// The task's history metrics, in the order of `CandidateScores.metrics`.
    public var metrics: [String]
    /// What decides whether the result is released.
    public var policy: ReleasePolicy

    public init(
        job: String, user: String, task: String, base: String, appliesTo: PrivacyRecord.AppliesTo, metrics: [String],
        policy: ReleasePolicy
    ) {
        self.job = job
        self.user = user
        self.task = task
        self.base = base
        self.appliesTo = appliesTo
        self.metrics = metrics
        self.policy = policy
    }
}

extension Personalization {
    /// The run's findings as the privacy report tells them, the release decision included.
    ///
    /// - Parameter sharers: in the order in which they were given to the run.
    public func record(
        _ context: RecordContext, settings: Settings, sharers: [Sharer]
    ) -> PrivacyRecord {
        let points = [baseCandidate] + candidates.map(candidate)
        let merged = choice.scores
        return PrivacyRecord(
            job: context.job, user: context.user, task: context.task, base: context.base,
            appliesTo: context.appliesTo, metrics: context.metrics,
            search: .init(
                optimizer: settings.search.rawValue, granularity: settings.granularity.rawValue,
                merge: settings.merge.rawValue, alpha: settings.alpha, budget: settings.budget,
                evaluations: candidates.count, seed: seed, historyItems: historyItems),
            sharers: sharers.indices.map { index in
                .init(
                    id: sharers[index].id, cosine: sharers[index].cosine, utility: self.sharers[index].utility,
                    weights: weights.map { $0[index] }, similarityBefore: base.similarities[index],
                    similarityAfter: merged.similarities[index],
                    similarityOfCopy: self.sharers[index].similarities[index])
            },
            utility: .init(
                base: base.utility, merged: merged.utility, baseMetrics: base.metrics, mergedMetrics: merged.metrics),
            similarity: .init(before: base.similarity, after: merged.similarity),
            heldOut: heldOut, candidates: points, front: paretoFront(points),
            alternatives: alternatives(points), outcome: choice.outcome,
            release: context.policy.decide(choice.outcome, similarity: merged.similarities))
    }

    private var heldOut: PrivacyRecord.HeldOutRecord? {
        let recommended = choice.recommended
        guard let baseScore = base.heldOut, let baseFitness = base.heldOutFitness,
            let mergedScore = choice.scores.heldOut, let recommendedScore = recommended.heldOut,
            let recommendedFitness = recommended.heldOutFitness
        else { return nil }
        return .init(
            items: heldOutItems, base: baseScore, merged: mergedScore, sharers: sharers.compactMap(\.heldOut),
            recommended: .init(
                utility: recommendedScore, fitness: recommendedFitness, searchedFitness: recommended.fitness),
            baseFitness: baseFitness,
            gap: (choice.scores.searched - base.searched) - (mergedScore - baseScore))
    }

    private var baseCandidate: PrivacyRecord.CandidateRecord {
        .init(
            evaluation: 0, generation: 0, weights: Array(repeating: 0, count: choice.weights.count),
            utility: base.utility, similarity: base.similarity, similarities: base.similarities, fitness: base.fitness)
    }

    private func candidate(_ entry: JournalEntry) -> PrivacyRecord.CandidateRecord {
        .init(
            evaluation: entry.evaluation, generation: entry.generation, weights: entry.weights,
            utility: entry.scores.utility, similarity: entry.scores.similarity,
            similarities: entry.scores.similarities, fitness: entry.scores.fitness)
    }
}
