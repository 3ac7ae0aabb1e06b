import Tasks

/// What one candidate scored on the history prompts.
///
/// Every score but `metrics` is a sum of the task's history metrics, errors subtracted: larger is better for utility and
/// fitness, more alike for similarities.
public struct CandidateScores: Codable, Equatable, Sendable {
    /// f(predictions, gold) over the whole history.
    public var utility: Double
    /// The same by metric, in the task's order; errors are positive.
    public var metrics: [Double]
    /// f(predictions, predictions of s) over the whole history, one a sharer.
    public var similarities: [Double]
    /// U - alpha * mean_s P(s) on the slice that the search sees.
    public var fitness: Double
    /// f(predictions, gold) on the slice that the search sees.
    public var searched: Double
    /// f(predictions, gold) on the slice that it does not see; nil without one.
    public var heldOut: Double?
    /// The fitness on that slice: U - alpha * mean_s P(s); nil without one.
    public var heldOutFitness: Double?

    /// Mean over the sharers; 0 without any.
    public var similarity: Double { mean(similarities) }
}

/// Scores predictions of a target's history against the gold answers and against the sharers' predictions.
struct Objective {
    let task: TaskDefinition
    /// Gold answers, one a history prompt.
    let gold: [String]
    /// `[k][prompts]`
    let sharerPredictions: [[String]]
    let alpha: Double
    let split: HistorySplit

    func scores(_ predictions: [String]) -> CandidateScores {
        let whole = task.score(predictions, against: gold)
        let searched = slice(predictions, split.searched)
        let heldOut = split.heldOut.isEmpty ? nil : slice(predictions, split.heldOut)
        return CandidateScores(
            utility: whole.total, metrics: whole.metrics,
            similarities: sharerPredictions.map { task.score(predictions, against: $0).total },
            fitness: searched.fitness, searched: searched.utility, heldOut: heldOut?.utility,
            heldOutFitness: heldOut?.fitness)
    }

    private func slice(_ predictions: [String], _ rows: [Int]) -> (utility: Double, fitness: Double) {
        let chosen = rows.map { predictions[$0] }
        let utility = task.score(chosen, against: rows.map { gold[$0] }).total
        // Without alpha the likeness cannot change the fitness, and ROUGE is not free.
        guard alpha != 0 else { return (utility, utility) }
        let likeness = sharerPredictions.map { sharer in
            task.score(chosen, against: rows.map { sharer[$0] }).total
        }
        return (utility, utility - alpha * mean(likeness))
    }
}

/// Which history prompts the search sees and which judge its choice.
struct HistorySplit: Equatable {
    let searched: [Int]
    let heldOut: [Int]

    /// Splits `items` so that prompts of one history item stay on one side, evenly over the history's order.
    ///
    /// - Parameters:
    ///   - items: the history item of each prompt.
    ///   - holdOut: the share of distinct items to hold out; where it comes to none of them, or to all, nothing is split.
    init(items: [String], holdOut: HoldOut) {
        var distinct: [String] = []
        var seen: Set<String> = []
        for item in items where seen.insert(item).inserted { distinct.append(item) }
        let fraction = holdOut.fraction(items: distinct.count)
        let count = Int((fraction * Double(distinct.count)).rounded())
        guard count > 0, count < distinct.count else {
            searched = Array(items.indices)
            heldOut = []
            return
        }
        // Every (n / count)-th item: histories are often in order of time, and a block would hold out one period.
        let stride = Double(distinct.count) / Double(count)
        let away = Set((0..<count).map { distinct[Int((Double($0) + 0.5) * stride)] })
        searched = items.indices.filter { !away.contains(items[$0]) }
        heldOut = items.indices.filter { away.contains(items[$0]) }
    }
}

/// How much of a history judges the choice instead of steering the search.
public enum HoldOut: Equatable, Sendable {
    /// A fifth of the history from 20 items on, nothing below.
    case automatic
    /// This fraction, however short the history is; 0 for none.
    case fraction(Double)

    func fraction(items: Int) -> Double {
        switch self {
        case .automatic: items >= 20 ? 0.2 : 0
        case .fraction(let value): value
        }
    }
}

func mean(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
}
