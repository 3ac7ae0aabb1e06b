import Checkpoints
import Llama
import Tasks
import Tokenizers

/// A sharer whose adapter takes part in the merge.
public struct Sharer: Sendable {
    /// Names the sharer in results; within a cohort one id stands for one adapter.
    public let id: String
    public let adapter: Adapter
    /// Cosine to the target; nil where the sharers were named by hand.
    public let cosine: Double?

    public init(id: String, adapter: Adapter, cosine: Double?) {
        self.id = id
        self.adapter = adapter
        self.cosine = cosine
    }
}

/// A user to personalize, with the sharers whose adapters are merged: selected ones most similar first.
public struct Target: Sendable {
    public let user: User
    public let sharers: [Sharer]

    public init(user: User, sharers: [Sharer]) {
        self.user = user
        self.sharers = sharers
    }
}

/// How far a cohort is; numbers only, summed over its targets.
public enum RunProgress: Equatable, Sendable {
    /// The base and the sharers predict the history.
    case references
    /// Generations are being evaluated: evaluations done, the budget, and, of a lone target, the best fitness so far.
    case search(evaluations: Int, budget: Int, best: Double?)
    /// The shipped models answer the queries.
    case queries
    /// The base encodes a target's history: texts that are done.
    case encoding(finished: Int, total: Int)
    /// Within a stage: sequences of the batch under way that are done. What is answered does not matter.
    case batch(finished: Int, total: Int)
}

/// PriME (arXiv 2503.18008): evolves the weights of a merge of sharers' adapters for each target of a cohort.
///
/// The base, the sharers and every candidate of every target are mixtures over one bank, so each round is one batch.
public struct PriME {
    let task: TaskDefinition
    let tokenizer: Tokenizer
    let model: any LanguageModel
    let settings: Settings

    /// - Parameters:
    ///   - tokenizer: the model's.
    ///   - model: every call replaces its bank of adapters.
    public init(task: TaskDefinition, tokenizer: Tokenizer, model: any LanguageModel, settings: Settings) {
        self.task = task
        self.tokenizer = tokenizer
        self.model = model
        self.settings = settings
    }

    /// Runs the method for the targets of a cohort, side by side.
    ///
    /// - Parameters:
    ///   - targets: what is computed together; the numbers of one target follow from all of them, by rounding alone.
    ///   - journal: rounds of an earlier attempt are replayed from it, new ones appended.
    ///   - progress: told before each round; returning false stops the run with `.interrupted`, nothing lost.
    /// - Returns: of each target its run, or why it cannot be one.
    /// - Throws: what concerns the cohort as a whole: the engine, the journal, an interruption.
    public func personalize(
        _ targets: [Target], journal: inout some Journal, progress: @escaping (RunProgress) -> Bool
    ) throws(MethodError) -> [Result<Personalization, MethodError>] {
        let start = ContinuousClock.now
        let bank = try load(targets)
        var searches = targets.map { target in
            Result { () throws(MethodError) in
                let search = try TargetSearch(
                    target, task: task, tokenizer: tokenizer, layers: model.config.layers, settings: settings)
                try admit(search)
                return search
            }
        }
        let preparation = start.duration(to: .now) / .seconds(1) / Double(max(1, targets.count))
        for index in searches.indices { searches[index].change { $0.charge(preparation: preparation) } }
        for round in journal.rounds { try recall(round, in: &searches) }
        var predictor = Predictor(task: task, tokenizer: tokenizer, model: model, settings: settings)
        predictor.tick = { _ = progress(.batch(finished: $0.finished, total: $0.total)) }
        while let news = news(of: searches) {
            guard progress(news) else { throw MethodError.interrupted(targets[0].user.id) }
            try journal.append(try round(&searches, bank, predictor))
        }
        return searches.map { search in
            search.flatMap { search in
                search.personalization.map { .success($0) }
                    ?? .failure(foreignJournal(user: search.user.id, evaluation: nil))
            }
        }
    }

    /// Scores given mixtures on a target's history, without a search: `[points]` in order, in one batch.
    ///
    /// - Parameter points: weights `[k]` or `[layers * k]`, layer outermost.
    public func evaluate(_ target: Target, points: [[Double]]) throws(MethodError) -> [CandidateScores] {
        _ = try load([target])
        let search = try TargetSearch(
            target, task: task, tokenizer: tokenizer, layers: model.config.layers, settings: settings)
        let predictor = Predictor(task: task, tokenizer: tokenizer, model: model, settings: settings)
        let lone = target.sharers.indices.map { Mixture.only($0, of: target.sharers.count) }
        func predictions(_ mixtures: [Mixture]) throws(MethodError) -> [[String]] {
            try predictor.predictions(
                [TargetSearch.Wanted(prompts: search.history.tokens, mixtures: mixtures, seed: search.seed)])[0]
        }
        let objective = Objective(
            task: task, gold: search.history.gold,
            sharerPredictions: try predictions(lone), alpha: settings.alpha,
            split: HistorySplit(items: search.history.items, holdOut: settings.holdOut))
        return try predictions(points.map { Mixture(weights: $0.map(Float.init)) }).map(objective.scores)
    }

    // MARK: - Rounds

    /// One batch of what every unfinished target wants.
    private func round(
        _ searches: inout [Result<TargetSearch, MethodError>], _ bank: CohortBank, _ predictor: Predictor
    ) throws(MethodError) -> [RoundResult?] {
        var open: [(index: Int, wanted: TargetSearch.Wanted)] = []
        for (index, search) in searches.enumerated() {
            guard case .success(let search) = search, let wanted = search.wanted else { continue }
            let mixtures = wanted.mixtures.map { bank.mixture($0, of: index) }
            open.append(
                (index, TargetSearch.Wanted(prompts: wanted.prompts, mixtures: mixtures, seed: wanted.seed)))
        }
        let start = ContinuousClock.now
        let predictions = try predictor.predictions(open.map(\.wanted))
        let seconds = start.duration(to: .now) / .seconds(1)
        let total = open.reduce(0) { $0 + $1.wanted.count }
        var results: [RoundResult?] = Array(repeating: nil, count: searches.count)
        for (one, predictions) in zip(open, predictions) {
            guard case .success(var search) = searches[one.index] else { continue }
            // A target is charged its part of the batch.
            results[one.index] = try search.take(
                predictions, seconds: seconds * Double(one.wanted.count) / Double(max(1, total)))
            searches[one.index] = .success(search)
        }
        return results
    }

    private func recall(
        _ round: [RoundResult?], in searches: inout [Result<TargetSearch, MethodError>]
    ) throws(MethodError) {
        for index in searches.indices {
            guard case .success(var search) = searches[index] else { continue }
            if let result = round.indices.contains(index) ? round[index] : nil { try search.recall(result) }
            searches[index] = .success(search)
        }
    }

    /// nil when no target wants anything more.
    private func news(of searches: [Result<TargetSearch, MethodError>]) -> RunProgress? {
        let running = searches.compactMap { try? $0.get() }
        let phases = running.filter { $0.wanted != nil }.map(\.phase)
        if phases.isEmpty { return nil }
        if phases.contains(.references) { return .references }
        if phases.contains(.search) {
            return .search(
                evaluations: running.reduce(0) { $0 + $1.evaluations }, budget: running.count * settings.budget,
                best: running.count == 1 ? running[0].best : nil)
        }
        return .queries
    }

    // MARK: - What is loaded

    private func load(_ targets: [Target]) throws(MethodError) -> CohortBank {
        let bank = CohortBank(targets)
        do {
            try model.load(bank: bank.adapters)
        } catch {
            throw MethodError(error)
        }
        return bank
    }

    /// A prompt that the engine can never take is refused before the work starts, not after the search.
    private func admit(_ search: TargetSearch) throws(MethodError) {
        let named =
            zip(search.history.items, search.history.tokens).map { ("history item \($0)", $1) }
            + zip(search.queries.ids, search.queries.tokens).map { ("query \($0)", $1) }
        for (name, tokens) in named {
            do {
                try model.admit(tokens, maxNewTokens: settings.maxNewTokens)
            } catch {
                throw MethodError(error, at: "user \(search.user.id), \(name)")
            }
        }
    }
}

extension Result {
    fileprivate mutating func change(_ body: (inout Success) -> Void) {
        guard case .success(var value) = self else { return }
        body(&value)
        self = .success(value)
    }
}
