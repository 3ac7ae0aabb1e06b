import Llama
import Tasks
import Tokenizers

/// One target's way through PriME as a state: what it wants predicted next, and what it makes of the predictions.
///
/// It meets neither engine nor journal, so many targets can go side by side, a round of the engine at a time.
struct TargetSearch {
    let user: User
    /// Most similar first.
    let sharers: [Sharer]
    let seed: UInt64
    let history: HistoryPrompts
    let queries: QueryPrompts
    private let task: TaskDefinition
    private let settings: Settings
    private let layers: Int
    private var stage = Stage.references
    private(set) var seconds = PhaseSeconds()

    private enum Stage {
        case references
        case search(CandidateSearch, Objective)
        case queries(CandidateSearch, Objective)
        case done(CandidateSearch, Objective, [String])
    }

    /// Prompts to be predicted under mixtures of the target's own sharers.
    struct Wanted {
        /// `[prompts][tokens]`
        let prompts: [[Int32]]
        let mixtures: [Mixture]
        let seed: UInt64

        var count: Int { prompts.count * mixtures.count }
    }

    init(
        _ target: Target, task: TaskDefinition, tokenizer: Tokenizer, layers: Int, settings: Settings
    ) throws(MethodError) {
        user = target.user
        sharers = target.sharers
        seed = targetSeed(settings.seed, user: user.id)
        self.task = task
        self.settings = settings
        self.layers = layers
        try settings.requireSearchable(sharers: target.sharers.count, layers: layers)
        history = try HistoryPrompts(user, task: task, tokenizer: tokenizer, settings: settings, seed: seed)
        queries = try QueryPrompts(user, task: task, tokenizer: tokenizer)
    }

    /// nil when the target is done.
    var wanted: Wanted? {
        switch stage {
        case .references:
            let lone = sharers.indices.map { Mixture.only($0, of: sharers.count) }
            return Wanted(prompts: history.tokens, mixtures: [.base] + lone, seed: seed)
        case .search(let search, _):
            return Wanted(prompts: history.tokens, mixtures: search.pending.map(search.mixture), seed: seed)
        case .queries(let search, _):
            return Wanted(prompts: queries.tokens, mixtures: [search.choice.mixture], seed: seed)
        case .done: return nil
        }
    }

    /// How far it is.
    var evaluations: Int { search?.entries.count ?? 0 }
    var best: Double? { search?.best }
    var phase: Phase {
        switch stage {
        case .references: .references
        case .search: .search
        case .queries, .done: .queries
        }
    }

    enum Phase {
        case references, search, queries
    }

    private var search: CandidateSearch? {
        switch stage {
        case .references: nil
        case .search(let search, _), .queries(let search, _), .done(let search, _, _): search
        }
    }

    // MARK: - Going on

    /// Takes the predictions that were wanted, `[mixtures][prompts]`, and the seconds that they took.
    mutating func take(_ predictions: [[String]], seconds spent: Double) throws(MethodError) -> RoundResult {
        switch stage {
        case .references:
            seconds.references += spent
            try begin(predictions)
            return .references(predictions)
        case .search(var search, let objective):
            seconds.search += spent
            let result = search.take(predictions.map(objective.scores))
            goOn(search, objective)
            return result
        case .queries(let search, let objective), .done(let search, let objective, _):
            seconds.queries += spent
            stage = .done(search, objective, predictions[0])
            return .answers(predictions[0])
        }
    }

    /// Takes what an earlier attempt made of this round.
    mutating func recall(_ result: RoundResult) throws(MethodError) {
        switch (stage, result) {
        case (.references, .references(let predictions))
        where predictions.map(\.count) == Array(repeating: history.tokens.count, count: 1 + sharers.count):
            try begin(predictions)
        case (.search(var search, let objective), .generation(let entries)) where search.isSearching:
            try search.recall(entries, user: user.id)
            goOn(search, objective)
        case (.search(var search, let objective), .recommendation(let scores)) where !search.isSearching:
            search.recall(recommendation: scores)
            goOn(search, objective)
        case (.queries(let search, let objective), .answers(let answers)) where answers.count == queries.ids.count:
            stage = .done(search, objective, answers)
        default: throw foreignJournal(user: user.id, evaluation: nil)
        }
    }

    mutating func charge(preparation spent: Double) { seconds.prepare += spent }

    private mutating func begin(_ predictions: [[String]]) throws(MethodError) {
        let objective = Objective(
            task: task, gold: history.gold, sharerPredictions: Array(predictions.dropFirst()), alpha: settings.alpha,
            split: HistorySplit(items: history.items, holdOut: settings.holdOut))
        let scores = predictions.map(objective.scores)
        let search = try CandidateSearch(
            width: sharers.count, layers: layers, base: scores[0], sharers: Array(scores.dropFirst()),
            settings: settings, seed: seed)
        goOn(search, objective)
    }

    private mutating func goOn(_ search: CandidateSearch, _ objective: Objective) {
        if !search.pending.isEmpty {
            stage = .search(search, objective)
        } else if !queries.ids.isEmpty {
            stage = .queries(search, objective)
        } else {
            stage = .done(search, objective, [])
        }
    }

    /// The finished run; nil before it is.
    var personalization: Personalization? {
        guard case .done(let search, let objective, let outputs) = stage else { return nil }
        return Personalization(
            choice: search.choice, base: search.base, sharers: search.sharers, candidates: search.entries,
            historyItems: Set(history.items).count,
            heldOutItems: Set(objective.split.heldOut.map { history.items[$0] }).count,
            answers: zip(queries.ids, outputs).map { Answer(id: $0, output: $1) }, seed: seed, seconds: seconds)
    }
}
