/// The F-measure of the longest common subsequence of words.
struct RougeL: Metric {
    static let name = "rouge-L"
    static let labels = LabelNeed.none

    init(labels: [String]) {}

    func value(_ predictions: [String], against references: [String]) -> Double {
        meanRouge(predictions, references, agreeing: longestCommonSubsequence)
    }
}

/// The length of the longest common subsequence, 64 words of `a` at a time (Hyyrö's bit-parallel recurrence).
func longestCommonSubsequence(_ a: [Int], _ b: [Int]) -> Int {
    let rows = (a.count + 63) / 64
    var places: [Int: [UInt64]] = [:]
    for (at, word) in a.enumerated() {
        places[word, default: [UInt64](repeating: 0, count: rows)][at / 64] |= 1 << UInt64(at % 64)
    }
    // A zero bit at place i says that the subsequence grows with the i-th word of `a`.
    var open = [UInt64](repeating: .max, count: rows)
    for word in b {
        guard let match = places[word] else { continue }
        var carry: UInt64 = 0
        for row in 0..<rows {
            let matched = open[row] & match[row]
            let (partial, first) = open[row].addingReportingOverflow(matched)
            let (sum, second) = partial.addingReportingOverflow(carry)
            carry = first || second ? 1 : 0
            open[row] = sum | (open[row] & ~match[row])
        }
    }
    let last = a.count % 64 == 0 ? UInt64.max : (1 << UInt64(a.count % 64)) - 1
    return open.indices.reduce(0) { $0 + (~open[$1] & ($1 == rows - 1 ? last : .max)).nonzeroBitCount }
}
