import Evolution
import Llama

/// The evolution of one target's weights: asks, is told scores, and in the end chooses.
///
/// A state without engine or journal: `pending` are the weights that have to be scored before it can go on.
struct CandidateSearch {
    /// Adapters that are merged.
    let width: Int
    let base: CandidateScores
    /// `[k]`: each sharer alone.
    let sharers: [CandidateScores]
    private let budget: Int
    /// Every evaluated candidate, in order.
    private(set) var entries: [JournalEntry] = []
    /// Weights to be scored next, each once: the new ones of a generation, or the recommendation; empty at the end.
    private(set) var pending: [[Double]] = []
    /// The best fitness so far, the base's included.
    private(set) var best: Double
    private let dimension: Int
    /// nil where there is nothing to search.
    private var optimizer: (any Optimizer)?
    /// The generation that is being evaluated; empty outside of one.
    private var asked: [[Double]] = []
    private var generation = 0
    private var recommendation: [Double]
    /// Scores by weights: an evaluated mixture is never evaluated again.
    private var known: [[Double]: CandidateScores]

    /// - Parameter layers: the model's; they have weights of their own where the settings say so.
    init(
        width: Int, layers: Int, base: CandidateScores, sharers: [CandidateScores], settings: Settings, seed: UInt64
    ) throws(MethodError) {
        self.width = width
        self.base = base
        self.sharers = sharers
        budget = settings.budget
        best = base.fitness
        let dimension = settings.dimension(sharers: width, layers: layers)
        self.dimension = dimension
        recommendation = Array(repeating: 0, count: dimension)
        known = [recommendation: base]
        for (index, scores) in sharers.enumerated() {
            known[(0..<dimension).map { $0 % width == index ? 1 : 0 }] = scores
        }
        guard dimension > 0 else { return }
        do {
            optimizer = try makeOptimizer(
                settings.search, dimension: dimension, bounds: -settings.bound...settings.bound,
                budget: settings.budget, seed: seed)
        } catch {
            throw MethodError(error)
        }
        advance()
    }

    /// Whether a generation is pending, and not the recommendation.
    var isSearching: Bool { !asked.isEmpty }

    func mixture(_ weights: [Double]) -> Mixture { Mixture(weights: weights.map(Float.init)) }

    /// Takes the scores of what was pending, one each.
    mutating func take(_ scores: [CandidateScores]) -> RoundResult {
        for (weights, scores) in zip(pending, scores) { known[weights] = scores }
        guard isSearching else {
            pending = []
            return .recommendation(scores[0])
        }
        let finished = tell()
        advance()
        return .generation(finished)
    }

    /// Takes what an earlier attempt journaled of this state's round.
    mutating func recall(_ recorded: [JournalEntry], user: String) throws(MethodError) {
        guard recorded.map(\.weights) == asked else {
            throw foreignJournal(user: user, evaluation: entries.count + 1)
        }
        for entry in recorded { known[entry.weights] = entry.scores }
        _ = tell()
        advance()
    }

    mutating func recall(recommendation scores: CandidateScores) {
        known[recommendation] = scores
        pending = []
    }

    /// Goes on to the next weights that nobody has scored; generations of known ones pass without.
    private mutating func advance() {
        pending = []
        guard optimizer != nil else { return }
        while entries.count < budget {
            asked = Array((optimizer?.ask() ?? []).prefix(budget - entries.count))
            for weights in asked where known[weights] == nil && !pending.contains(weights) { pending.append(weights) }
            if !pending.isEmpty { return }
            _ = tell()
        }
        recommendation = optimizer?.recommendation ?? []
        if known[recommendation] == nil { pending = [recommendation] }
    }

    /// Ends the generation, all of whose scores are known.
    private mutating func tell() -> [JournalEntry] {
        let scored = asked.compactMap { weights in known[weights].map { (weights: weights, scores: $0) } }
        let finished = scored.enumerated().map { index, one in
            JournalEntry(
                evaluation: entries.count + index + 1, generation: generation, weights: one.weights,
                scores: one.scores)
        }
        entries += finished
        best = finished.reduce(best) { max($0, $1.scores.fitness) }
        optimizer?.tell(asked, fitness: finished.map(\.scores.fitness))
        generation += 1
        asked = []
        return finished
    }

    /// The weights that ship.
    ///
    /// The base stays unless the recommendation beats it (REFERENCE: "if the base model alone scores no worse, keep
    /// the base") on the slice that the search saw and is no worse on the slice that it did not see.
    var choice: Choice {
        let recommended = known[recommendation] ?? base
        guard recommended.fitness > base.fitness, !isVetoed(recommended) else {
            return Choice(
                outcome: .base, weights: Array(repeating: 0, count: dimension), mixture: .base, scores: base,
                recommended: recommended)
        }
        return Choice(
            outcome: .merged, weights: recommendation, mixture: mixture(recommendation), scores: recommended,
            recommended: recommended)
    }

    /// Whether it does worse than the base on the held-out slice; fitness that is no number is no better.
    private func isVetoed(_ scores: CandidateScores) -> Bool {
        guard let fitness = scores.heldOutFitness, let least = base.heldOutFitness else { return false }
        return !(fitness >= least)
    }
}

/// For a journal that was written by another run than the one that reads it.
func foreignJournal(user: String, evaluation: Int?) -> MethodError {
    MethodError(
        .journal, "user \(user)" + (evaluation.map { ", evaluation \($0)" } ?? ""),
        found: "the journal has other candidates than this run asks for",
        remedy: "the job was changed after it began; submit it again under a new id")
}
