import Checkpoints
import Digest
import Evolution

/// How a weight is shared: one a sharer, or one a sharer and layer.
public enum Granularity: String, Codable, Sendable, CaseIterable {
    case adapter, layer
}

/// What steers a PriME run; the defaults are the paper's.
public struct Settings: Equatable, Sendable {
    public var search: Search = .cmaES
    /// Fitness evaluations; the base's and the sharers' own predictions come on top.
    public var budget = 30
    /// Of the run; each target has its own made from it, see `targetSeed`.
    public var seed: UInt64 = 0
    public var granularity: Granularity = .adapter
    public var merge: Merge = .delta
    /// Every weight stays within plus and minus this.
    public var bound = 1.5
    /// The privacy coefficient: how much likeness to the sharers costs.
    public var alpha = 0.1
    /// The last so many history items are used.
    public var recent = 50
    /// A random part of the history prompts, 1 for all.
    public var fraction = 1.0
    /// Whether history prompts with retrieved items are added; nil for the task's own habit.
    public var retrieval: Bool?
    /// How much of the history the search does not see.
    public var holdOut: HoldOut = .automatic
    /// Tokens of a prediction at most.
    public var maxNewTokens = 100
    /// nil decodes greedily; the authors sample at temperature 0.1, top-p 0.9.
    public var temperature: Float?
    /// Only with a temperature: the next token is drawn from the likeliest ones that together have this probability.
    public var topP: Float = 0.9

    public init() {}

    var sampling: (temperature: Float, topP: Float)? { temperature.map { ($0, topP) } }

    /// Weights that are searched for a merge of `sharers` adapters in a model of `layers`.
    func dimension(sharers: Int, layers: Int) -> Int { granularity == .layer ? sharers * layers : sharers }

    /// Refuses a search over more weights than any is made for, before anything is predicted.
    public func requireSearchable(sharers: Int, layers: Int) throws(MethodError) {
        let dimension = dimension(sharers: sharers, layers: layers)
        // Without sharers the base stays, and nothing is searched.
        guard dimension > 0 else { return }
        do {
            try Evolution.requireSearchable(dimension: dimension)
        } catch {
            throw MethodError(error)
        }
    }
}

/// A target's own seed: targets of one job must not share their random numbers, and the order of targets must not
/// matter.
public func targetSeed(_ seed: UInt64, user: String) -> UInt64 {
    // Below 2^53, so that every JSON reader sees the same number.
    SplitMix64.mixed(fnv1a(user) ^ (seed &* SplitMix64.increment)) >> 11
}
