import JSON

/// Where a job is.
public struct JobProgress: Codable, Sendable, Equatable {
    /// How many targets the job has; 0 before that is known.
    public var targets: Int
    /// How many of the targets are done.
    public var finished: Int
    /// The target at work; nil where several are.
    public var user: String?
    /// How many targets are at work together, where that is more than one.
    public var together: Int?
    /// `read` and `load`, until the model is there; then `select`, `references`, `evolve`, `queries`.
    public var stage: String
    /// How many evaluations are made, of all targets at work together; nil before the search.
    public var evaluation: Int?
    /// How many evaluations these targets will take.
    public var budget: Int?
    /// The best fitness so far.
    public var best: Double?
    /// How much of the batch under way is done, from 0 to 1.
    public var batch: Double?
    /// Seconds until the job is done, going by what was done so far; nil while there is nothing to go by.
    public var remaining: Double?

    /// - Parameter best: counts as nil where it is not finite.
    public init(
        targets: Int, finished: Int, user: String? = nil, stage: String, evaluation: Int? = nil, budget: Int? = nil,
        best: Double? = nil
    ) {
        self.targets = targets
        self.finished = finished
        self.user = user
        self.stage = stage
        self.evaluation = evaluation
        self.budget = budget
        self.best = best.flatMap { $0.isFinite ? $0 : nil }
    }
}

extension JobProgress {
    static let reading = "read"
    static let loading = "load"

    /// Whether the worker's device has the model.
    var hasModel: Bool { ![Self.reading, Self.loading].contains(stage) }

    /// Whether the numbers can be reckoned with and the words shown in a terminal: a worker that reads hostile files is not
    /// trusted.
    var isSound: Bool {
        func counts(_ number: Int?, to most: Int) -> Bool { number.map { (0...most).contains($0) } ?? true }
        func measures(_ number: Double?, to most: Double) -> Bool { number.map { (0...most).contains($0) } ?? true }
        let most = 1 << 40
        return counts(targets, to: most) && counts(finished, to: targets) && counts(together, to: targets)
            && counts(budget, to: most) && counts(evaluation, to: budget ?? most) && measures(batch, to: 1)
            && measures(remaining, to: 1e15) && isPlainID(stage) && user.map(isPlainID) ?? true
    }
}

extension JobProgress {
    /// Where the job is, in a few words.
    ///
    /// - Parameter withUser: whether to name the target at work, which is not for everybody's eyes.
    public func words(withUser: Bool) -> String {
        let first = min(finished + 1, targets)
        var words: [String] = []
        if targets > 0 {
            words.append(
                together.map { "targets \(first)-\(min(finished + $0, targets))/\(targets)" }
                    ?? "target \(first)/\(targets)")
        }
        if withUser, let user { words.append("user \(user)") }
        words.append(stage)
        if let evaluation, let budget { words.append("\(evaluation)/\(budget)") }
        if let batch { words.append("+\(Int(100 * batch))%") }
        if let best { words.append("best \((best * 1000).rounded() / 1000)") }
        if let remaining { words.append("about \(duration(remaining)) left") }
        return words.joined(separator: " ")
    }
}

/// A time in the one or two units that matter.
private func duration(_ seconds: Double) -> String {
    let total = Int(seconds.rounded(.up))
    switch total {
    case ..<60: return "\(total) s"
    case ..<3600: return "\(total / 60) min"
    case ..<86400: return "\(total / 3600) h \(total % 3600 / 60) min"
    default: return "\(total / 86400) d \(total % 86400 / 3600) h"
    }
}
