import Glibc

/// Numbers for the words of texts, split on single spaces as the authors' code splits them; empty words count.
struct Vocabulary {
    private var numbers: [[UInt8]: Int] = [:]

    mutating func words(of text: String) -> [Int] {
        text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map { word in
            let bytes = Array(word)
            if let known = numbers[bytes] { return known }
            numbers[bytes] = numbers.count
            return numbers.count - 1
        }
    }
}

/// Okapi BM25 with `rank_bm25`'s rules: k1 1.5, b 0.75, and a negative idf raised to a quarter of the mean idf.
struct BM25 {
    private static let k1 = 1.5
    private static let b = 0.75
    private static let epsilon = 0.25

    private let counts: [[Int: Int]]
    /// `k1 * (1 - b + b * length / mean length)`, one a document.
    private let dampings: [Double]
    private let idf: [Int: Double]

    /// - Parameter documents: the words of each, at least one document.
    init(_ documents: [[Int]]) {
        var holders: [Int: Int] = [:]
        // rank_bm25 sums in the order in which words first appear; the sum's rounding depends on it.
        var order: [Int] = []
        var counts: [[Int: Int]] = []
        for document in documents {
            var count: [Int: Int] = [:]
            for word in document {
                count[word, default: 0] += 1
                guard count[word] == 1 else { continue }
                if holders[word] == nil { order.append(word) }
                holders[word, default: 0] += 1
            }
            counts.append(count)
        }
        self.counts = counts

        let size = Double(documents.count)
        var idf: [Int: Double] = [:]
        var sum = 0.0
        for word in order {
            let frequency = Double(holders[word] ?? 0)
            let value = log(size - frequency + 0.5) - log(frequency + 0.5)
            idf[word] = value
            sum += value
        }
        let floor = Self.epsilon * (sum / Double(order.count))
        self.idf = idf.mapValues { $0 < 0 ? floor : $0 }

        let meanLength = Double(documents.reduce(0) { $0 + $1.count }) / size
        dampings = documents.map { Self.k1 * (1 - Self.b + Self.b * Double($0.count) / meanLength) }
    }

    /// One score a document; a word that the query has twice counts twice.
    func scores(_ query: [Int]) -> [Double] {
        var scores = [Double](repeating: 0, count: counts.count)
        for word in query {
            guard let weight = idf[word] else { continue }
            for (document, count) in counts.enumerated() {
                guard let occurrences = count[word] else { continue }
                let frequency = Double(occurrences)
                scores[document] += weight * (frequency * (Self.k1 + 1) / (frequency + dampings[document]))
            }
        }
        return scores
    }

    /// The `count` best documents, best first.
    ///
    /// Among equal scores the later document comes first. `rank_bm25` reverses `numpy.argsort`, whose order of equal
    /// values depends on the processor's instruction set; this is the order of its stable sort.
    func best(_ count: Int, for query: [Int]) -> [Int] {
        let scores = scores(query)
        return scores.indices.sorted { scores[$0] == scores[$1] ? $0 > $1 : scores[$0] > scores[$1] }.prefix(count) + []
    }
}
