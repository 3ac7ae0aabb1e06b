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

    private struct Posting {
        let document: Int
        var count: Int
    }

    /// By word: the documents that have it.
    private var postings: [[Posting]] = []
    /// The words as they first appear; rank_bm25 sums in this order, and the sum's rounding depends on it.
    private var order: [Int] = []
    private var lengths: [Int] = []

    /// - Parameter documents: the words of each.
    init(_ documents: [[Int]] = []) {
        for document in documents { add(document) }
    }

    mutating func add(_ document: [Int]) {
        for word in document {
            while postings.count <= word { postings.append([]) }
            if postings[word].isEmpty { order.append(word) }
            if postings[word].last?.document == lengths.count {
                postings[word][postings[word].count - 1].count += 1
            } else {
                postings[word].append(Posting(document: lengths.count, count: 1))
            }
        }
        lengths.append(document.count)
    }

    /// One score a document; a word that the query has twice counts twice.
    func scores(_ query: [Int]) -> [Double] {
        guard !lengths.isEmpty else { return [] }
        let size = Double(lengths.count)
        // By the number of documents that have a word.
        let idf = (0...lengths.count).map { log(size - Double($0) + 0.5) - log(Double($0) + 0.5) }
        let sum = order.reduce(0.0) { $0 + idf[postings[$1].count] }
        let floor = Self.epsilon * (sum / Double(order.count))
        let meanLength = Double(lengths.reduce(0, +)) / size
        let dampings = lengths.map { Self.k1 * (1 - Self.b + Self.b * Double($0) / meanLength) }

        var scores = [Double](repeating: 0, count: lengths.count)
        for word in query where word < postings.count {
            let holders = postings[word]
            let weight = idf[holders.count] < 0 ? floor : idf[holders.count]
            for posting in holders {
                let frequency = Double(posting.count)
                scores[posting.document] +=
                    weight * (frequency * (Self.k1 + 1) / (frequency + dampings[posting.document]))
            }
        }
        return scores
    }

    /// The `count` best documents, best first.
    ///
    /// Among equal scores the later document comes first. `rank_bm25` reverses `numpy.argsort`, whose order of equal
    /// values depends on the processor's instruction set; this is the order of its stable sort.
    func best(_ count: Int, for query: [Int]) -> ArraySlice<Int> {
        let scores = scores(query)
        return scores.indices.sorted { scores[$0] == scores[$1] ? $0 > $1 : scores[$0] > scores[$1] }.prefix(count)
    }
}
