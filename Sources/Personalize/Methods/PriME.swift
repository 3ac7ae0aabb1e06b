import Checkpoints
import Evolution
import Llama
import Tasks
import Tokenizers

/// A sharer whose adapter takes part in the merge.
public struct Sharer: Sendable {
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

/// How far a run is; numbers only.
public enum RunProgress: Equatable, Sendable {
    /// The base and the sharers predict the history.
    case references
    /// A generation is being evaluated: evaluations done, the budget, and the best fitness so far.
    case search(evaluations: Int, budget: Int, best: Double)
    /// The shipped model answers the queries.
    case queries
    /// Within a stage: sequences of the batch under way that are done. What is answered does not matter.
    case batch(finished: Int, total: Int)
}

/// PriME (arXiv 2503.18008): evolves the weights of a merge of sharers' adapters for one target.
///
/// The base, the sharers and every candidate are mixtures over one bank, so each stage is one batch.
public struct PriME {
    let task: TaskDefinition
    let tokenizer: Tokenizer
    let model: any LanguageModel
    let settings: Settings

    public init(task: TaskDefinition, tokenizer: Tokenizer, model: any LanguageModel, settings: Settings) {
        self.task = task
        self.tokenizer = tokenizer
        self.model = model
        self.settings = settings
    }

    /// Runs the method for one target.
    ///
    /// - Parameters:
    ///   - user: the target with history and queries.
    ///   - sharers: the selected sharers, most similar first.
    ///   - journal: generations of an earlier attempt are replayed from it, new ones appended.
    ///   - progress: told before each stage; returning false stops the run with `.interrupted`, nothing lost.
    public func personalize(
        _ user: User, sharers: [Sharer], journal: inout some Journal, progress: @escaping (RunProgress) -> Bool
    ) throws(MethodError) -> Personalization {
        var clock = PhaseClock()
        let seed = targetSeed(settings.seed, user: user.id)
        let history = try historyPrompts(user, seed: seed)
        var predictor = predictor(seed: seed)
        predictor.tick = { _ = progress(.batch(finished: $0.finished, total: $0.total)) }
        try load(sharers)
        let queries = try queryPrompts(user)
        try admit(history, queries, user: user.id)
        clock.lap(\.prepare)

        guard progress(.references) else { throw interrupted(user: user.id) }
        let (objective, scores) = try references(history, predictor, sharers: sharers.count)
        clock.lap(\.references)

        var search = CandidateSearch(
            width: sharers.count, layers: settings.granularity == .layer ? model.config.layers : nil,
            base: scores[0], sharers: Array(scores.dropFirst()))
        try search.run(settings, seed: seed, user: user.id, journal: &journal, progress: progress) {
            mixtures throws(MethodError) in
            try predictor.predictions(history.tokens, mixtures: mixtures).map(objective.scores)
        }
        let choice = search.choice
        clock.lap(\.search)

        guard progress(.queries) else { throw interrupted(user: user.id) }
        let answers = try self.answers(queries, predictor: predictor, mixture: choice.mixture)
        clock.lap(\.queries)
        return Personalization(
            choice: choice, base: scores[0], sharers: Array(scores.dropFirst()), candidates: search.entries,
            sharerCount: sharers.count, historyItems: Set(history.items).count,
            heldOutItems: objective.split.heldOut.count, answers: answers, seed: seed, seconds: clock.seconds)
    }

    /// Scores given mixtures on a target's history, without a search: `[points]` in order, in one batch.
    ///
    /// - Parameter points: weights `[k]` or `[layers * k]`, layer outermost.
    public func evaluate(
        _ user: User, sharers: [Sharer], points: [[Double]]
    ) throws(MethodError) -> [CandidateScores] {
        let seed = targetSeed(settings.seed, user: user.id)
        let history = try historyPrompts(user, seed: seed)
        let predictor = predictor(seed: seed)
        try load(sharers)
        let objective = try references(history, predictor, sharers: sharers.count).objective
        let mixtures = points.map { Mixture(weights: $0.map(Float.init)) }
        return try predictor.predictions(history.tokens, mixtures: mixtures).map(objective.scores)
    }

    private func predictor(seed: UInt64) -> Predictor {
        Predictor(
            task: task, tokenizer: tokenizer, model: model, merge: settings.merge,
            maxNewTokens: settings.maxNewTokens, sampling: settings.sampling, seed: seed)
    }

    private func load(_ sharers: [Sharer]) throws(MethodError) {
        do {
            try model.load(bank: sharers.map(\.adapter))
        } catch {
            throw MethodError(error)
        }
    }

    /// The base's and each sharer's predictions, made once, and what they make of the objective and themselves.
    private func references(
        _ history: HistoryPrompts, _ predictor: Predictor, sharers: Int
    ) throws(MethodError) -> (objective: Objective, scores: [CandidateScores]) {
        let lone = (0..<sharers).map { Mixture.only($0, of: sharers) }
        let references = try predictor.predictions(history.tokens, mixtures: [.base] + lone)
        let objective = Objective(
            task: task, gold: history.gold, sharerPredictions: Array(references.dropFirst()), alpha: settings.alpha,
            split: HistorySplit(items: history.items, holdOut: settings.holdOut))
        return (objective, references.map(objective.scores))
    }

    private struct HistoryPrompts {
        var tokens: [[Int32]] = []
        var gold: [String] = []
        /// The history item that each prompt asks about.
        var items: [String] = []
    }

    private func historyPrompts(_ user: User, seed: UInt64) throws(MethodError) -> HistoryPrompts {
        let examples: [Example]
        do {
            examples = try task.examples(
                user, recent: settings.recent, retrieval: settings.retrieval, fraction: settings.fraction, seed: seed)
        } catch {
            throw MethodError(.task, error.place, found: error.found, remedy: error.remedy)
        }
        guard !examples.isEmpty else {
            throw MethodError(
                .emptyHistory, "user \(user.id)", found: "a history without items",
                remedy: "give at least one item; PriME learns from nothing else")
        }
        return HistoryPrompts(
            tokens: examples.map { tokenizer.encode($0.prompt) }, gold: examples.map(\.answer),
            items: examples.map(\.item))
    }

    private func queryPrompts(_ user: User) throws(MethodError) -> [(id: String, tokens: [Int32])] {
        do {
            return try task.prompts(user).map { ($0.id, tokenizer.encode($0.text)) }
        } catch {
            throw MethodError(.task, error.place, found: error.found, remedy: error.remedy)
        }
    }

    /// A prompt that the engine can never take is refused before the work starts, not after the search.
    private func admit(
        _ history: HistoryPrompts, _ queries: [(id: String, tokens: [Int32])], user: String
    ) throws(MethodError) {
        let named =
            zip(history.items, history.tokens).map { ("history item \($0)", $1) }
            + queries.map { ("query \($0.id)", $0.tokens) }
        for (name, tokens) in named {
            do {
                try model.admit(tokens, maxNewTokens: settings.maxNewTokens)
            } catch {
                throw MethodError(error, at: "user \(user), \(name)")
            }
        }
    }

    private func answers(
        _ queries: [(id: String, tokens: [Int32])], predictor: Predictor, mixture: Mixture
    ) throws(MethodError) -> [Answer] {
        guard !queries.isEmpty else { return [] }
        let outputs = try predictor.predictions(queries.map(\.tokens), mixtures: [mixture])[0]
        return zip(queries, outputs).map { Answer(id: $0.id, output: $1) }
    }
}

func interrupted(user: String) -> MethodError {
    MethodError(
        .interrupted, "user \(user)", found: "the run was asked to stop",
        remedy: "run it again: it goes on from the last finished generation")
}
