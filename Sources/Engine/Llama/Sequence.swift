import Compute
import Digest

/// A sequence on its way through the engine.
struct Sequence {
    enum Purpose: Equatable {
        /// A prefix that other sequences share.
        case prefix
        case generate(maxNewTokens: Int, sampling: Sampling)
        /// The log-likelihood of the tokens from `answer` on.
        case score(answer: Int)
        /// Logits of every position.
        case logits
        /// The hidden state of every position.
        case embed
    }

    var purpose: Purpose
    var mixture: Int
    /// Prompt, then what was generated.
    var tokens: [Int32]
    /// Tokens known before the first step.
    var promptCount: Int
    /// The sequence whose keys and values this one begins with, and how many of its tokens.
    var parent: Int?
    var shared = 0
    /// Positions whose keys and values are in the cache.
    var cached = 0
    var blocks: [Int32] = []
    /// Blocks still promised to it.
    var promised = 0
    var ended = false
    var logprob = 0.0
    var logits: [[Float]] = []
    var hidden: [Double] = []

    var generated: ArraySlice<Int32> { tokens[promptCount...] }

    /// The most positions it can come to.
    var longest: Int {
        if case .generate(let most, _) = purpose { return promptCount + max(0, most - 1) }
        return promptCount
    }

    /// Blocks that it needs of its own.
    var ownBlocks: Int { (longest + cacheBlock - 1) / cacheBlock - shared / cacheBlock }

    /// What is wanted of the row at `position`; nil for rows that only leave keys and values.
    func pick(at position: Int) -> Pick? {
        switch purpose {
        case .prefix, .embed:
            return nil
        case .logits:
            return .logits
        case .score(let answer):
            guard position + 1 >= answer, position + 1 < tokens.count else { return nil }
            return .logProbability(of: tokens[position + 1])
        case .generate(_, let sampling):
            return position == tokens.count - 1 ? sampling.pick(step: generated.count) : nil
        }
    }

    /// How many tokens it may still be continued by, and how each is chosen, where only its last token is not cached yet.
    var continuation: (most: Int, sampling: Sampling)? {
        guard case .generate(let most, let sampling) = purpose, cached == tokens.count - 1 else { return nil }
        return (most - generated.count, sampling)
    }

    var isEmbedded: Bool { purpose == .embed }
}

extension Sampling {
    /// How a sequence's new token number `step` is chosen.
    func pick(step: Int) -> Pick {
        switch self {
        case .greedy: .greedy
        case .seeded(let temperature, let topP, let seed):
            .sample(temperature: temperature, topP: topP, draw: uniform(seed: seed, step: step))
        }
    }
}

/// A uniform number in [0, 1) that follows from the seed and the step alone: SplitMix64's finalizer on a counter.
func uniform(seed: UInt64, step: Int) -> Double {
    let counter = seed &+ (UInt64(step) &+ 1) &* SplitMix64.increment
    return Double(SplitMix64.mixed(counter) >> 11) * 0x1p-53
}
