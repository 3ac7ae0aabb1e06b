import Compute

/// What a call computes, each thing once: equal requests share a sequence, sequences of one mixture share a prefix.
struct Plan {
    var sequences: [Sequence] = []
    /// The generating and the scoring sequence of each request.
    var generating: [Int?] = []
    var scoring: [Int?] = []

    /// Prefixes shorter than this are not worth a step of their own.
    static let shortestPrefix = 16

    private struct Key: Hashable {
        let tokens: [Int32]
        let mixture: Int
        let maxNewTokens: Int
        let sampling: Sampling
        let answer: Int
    }

    init(_ requests: [Request], mixtureOf: [Int]) {
        var known: [Key: Int] = [:]
        for request in requests {
            let mixture = mixtureOf[request.mixture]
            func sequence(_ purpose: Sequence.Purpose, _ tokens: [Int32], _ key: Key) -> Int {
                if let index = known[key] { return index }
                sequences.append(
                    Sequence(purpose: purpose, mixture: mixture, tokens: tokens, promptCount: tokens.count))
                known[key] = sequences.count - 1
                return sequences.count - 1
            }
            generating.append(
                request.maxNewTokens > 0
                    ? sequence(
                        .generate(maxNewTokens: request.maxNewTokens, sampling: request.sampling), request.prompt,
                        Key(
                            tokens: request.prompt, mixture: mixture, maxNewTokens: request.maxNewTokens,
                            sampling: request.sampling, answer: -1)) : nil)
            scoring.append(
                request.answer.map { answer in
                    sequence(
                        .score(answer: request.prompt.count), request.prompt + answer,
                        Key(
                            tokens: request.prompt + answer, mixture: mixture, maxNewTokens: 0, sampling: .greedy,
                            answer: request.prompt.count))
                })
        }
        sharePrefixes()
    }

    init(_ sequences: [Sequence]) { self.sequences = sequences }

    /// Puts a prefix sequence behind each mixture's sequences that begin alike.
    private mutating func sharePrefixes() {
        var members: [Int: [Int]] = [:]
        for (index, sequence) in sequences.enumerated() { members[sequence.mixture, default: []].append(index) }
        for mixture in members.keys.sorted() {
            let family = members[mixture]!
            guard family.count > 1 else { continue }
            let first = sequences[family[0]].tokens
            var length = first.count
            for index in family {
                // Every sequence keeps at least one row of its own, and a scoring one all rows that score.
                var most = sequences[index].tokens.count - 1
                if case .score(let answer) = sequences[index].purpose { most = min(most, answer - 1) }
                length = min(length, most)
                length = zip(first.prefix(length), sequences[index].tokens).prefix { $0 == $1 }.count
            }
            guard length >= Self.shortestPrefix else { continue }
            let prefix = sequences.count
            sequences.append(
                Sequence(
                    purpose: .prefix, mixture: mixture, tokens: Array(first.prefix(length)), promptCount: length))
            for index in family {
                sequences[index].parent = prefix
                sequences[index].shared = length
            }
        }
    }

    /// Prefixes first, then everything by mixture in the order of the requests.
    var order: [Int] {
        sequences.indices.sorted { left, right in
            let (a, b) = (sequences[left], sequences[right])
            return (a.purpose == .prefix ? 0 : 1, a.mixture, left) < (b.purpose == .prefix ? 0 : 1, b.mixture, right)
        }
    }

    /// Rows that each mixture will have, about.
    func rows(mixtures: Int) -> [Int] {
        var rows = [Int](repeating: 0, count: mixtures)
        for sequence in sequences { rows[sequence.mixture] += sequence.tokens.count - sequence.shared }
        return rows
    }
}
