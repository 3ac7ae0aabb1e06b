/// The F-measure of the longest common subsequence of words.
struct RougeL: Metric {
    static let name = "rouge-L"
    static let labelNeed = LabelNeed.none

    init(labels: [String]) {}

    func value(_ predictions: [String], against references: [String]) -> Double {
        meanRouge(predictions, references, agreeing: longestCommonSubsequence)
    }
}

/// The length of the longest common subsequence, 64 words of the shorter text at a time (Hyyrö's recurrence).
func longestCommonSubsequence(_ a: [Int], _ b: [Int]) -> Int {
    let (short, long) = a.count <= b.count ? (a, b) : (b, a)
    // A zero bit at place i says that the subsequence grows with the i-th word of the shorter text.
    var open = [UInt64](repeating: .max, count: (short.count + 63) / 64)
    for word in long {
        var carry: UInt64 = 0
        for row in open.indices {
            let first = row * 64
            var match: UInt64 = 0
            for place in first..<min(first + 64, short.count) where short[place] == word {
                match |= 1 << UInt64(place - first)
            }
            let (partial, overflow) = open[row].addingReportingOverflow(open[row] & match)
            let (sum, carried) = partial.addingReportingOverflow(carry)
            carry = overflow || carried ? 1 : 0
            open[row] = sum | (open[row] & ~match)
        }
    }
    // Places past the end never match, so their bits stay set.
    return open.reduce(0) { $0 + (~$1).nonzeroBitCount }
}
