import Evolution
import Llama

/// The evolution of one target's weights: asks, evaluates, journals and tells, and in the end chooses.
struct CandidateSearch {
    /// Adapters in the bank.
    let width: Int
    /// Layers that have weights of their own; nil for one weight an adapter.
    let layers: Int?
    let base: CandidateScores
    /// `[k]`: each sharer alone.
    let sharers: [CandidateScores]
    /// Every evaluated candidate, in order.
    private(set) var entries: [JournalEntry] = []
    private var recommendation: [Double]
    /// Scores by weights: an evaluated mixture is never evaluated again.
    private var known: [[Double]: CandidateScores]

    var dimension: Int { width * (layers ?? 1) }

    init(width: Int, layers: Int?, base: CandidateScores, sharers: [CandidateScores]) {
        self.width = width
        self.layers = layers
        self.base = base
        self.sharers = sharers
        let dimension = width * (layers ?? 1)
        recommendation = Array(repeating: 0, count: dimension)
        known = [recommendation: base]
        for (index, scores) in sharers.enumerated() {
            known[(0..<dimension).map { $0 % width == index ? 1 : 0 }] = scores
        }
    }

    mutating func run(
        _ settings: Settings, seed: UInt64, user: String, journal: inout some Journal,
        progress: (RunProgress) -> Bool,
        evaluate: ([Mixture]) throws(MethodError) -> [CandidateScores]
    ) throws(MethodError) {
        guard dimension > 0 else { return }
        var optimizer: any Optimizer
        do {
            optimizer = try makeOptimizer(
                settings.search, dimension: dimension, bounds: -settings.bound...settings.bound,
                budget: settings.budget, seed: seed)
        } catch {
            throw MethodError(.optimizer, error.place, found: error.found, remedy: error.remedy)
        }
        let replay = journal.entries
        var generation = 0
        var best = base.fitness
        while entries.count < settings.budget {
            guard progress(.search(evaluations: entries.count, budget: settings.budget, best: best)) else {
                throw interrupted(user: user)
            }
            let points = Array(optimizer.ask().prefix(settings.budget - entries.count))
            let scores: [CandidateScores]
            if entries.count < replay.count {
                scores = try recall(points, from: replay, user: user)
            } else {
                scores = try self.evaluate(points, by: evaluate)
            }
            let finished = points.indices.map {
                JournalEntry(
                    evaluation: entries.count + $0 + 1, generation: generation, weights: points[$0], scores: scores[$0])
            }
            if entries.count >= replay.count { try journal.append(finished) }
            for entry in finished { known[entry.weights] = entry.scores }
            entries += finished
            best = finished.reduce(best) { max($0, $1.scores.fitness) }
            optimizer.tell(points, fitness: scores.map(\.fitness))
            generation += 1
        }
        recommendation = optimizer.recommendation
        if known[recommendation] == nil {
            known[recommendation] = try evaluate([mixture(recommendation)])[0]
        }
    }

    private func recall(
        _ points: [[Double]], from replay: [JournalEntry], user: String
    ) throws(MethodError) -> [CandidateScores] {
        let recorded = replay[entries.count...].prefix(points.count)
        guard recorded.map(\.weights) == points else {
            throw MethodError(
                .journal, "user \(user), evaluation \(entries.count + 1)",
                found: "the journal has other candidates than this run asks for",
                remedy: "the job was changed after it began; submit it again under a new id")
        }
        return recorded.map(\.scores)
    }

    private func evaluate(
        _ points: [[Double]], by evaluate: ([Mixture]) throws(MethodError) -> [CandidateScores]
    ) throws(MethodError) -> [CandidateScores] {
        var fresh: [[Double]] = []
        for point in points where known[point] == nil && !fresh.contains(point) { fresh.append(point) }
        var found = known
        if !fresh.isEmpty {
            for (point, scores) in zip(fresh, try evaluate(fresh.map(mixture))) { found[point] = scores }
        }
        return points.compactMap { found[$0] }
    }

    func mixture(_ weights: [Double]) -> Mixture { Mixture(weights: weights.map(Float.init)) }

    /// The weights that ship.
    ///
    /// The base stays unless the recommendation beats it (REFERENCE: "if the base model alone scores no worse, keep
    /// the base") on the slice that the search saw and is no worse on the slice that it did not see.
    var choice: Choice {
        guard let scores = known[recommendation], scores.fitness > base.fitness,
            (scores.heldOutFitness ?? 0) >= (scores.heldOutFitness == nil ? 0 : base.heldOutFitness ?? 0)
        else {
            return Choice(outcome: .base, weights: Array(repeating: 0, count: dimension), mixture: .base, scores: base)
        }
        return Choice(
            outcome: .merged, weights: recommendation, mixture: mixture(recommendation), scores: scores)
    }
}
