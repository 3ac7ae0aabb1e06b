import Privacy

/// A small record with known values, to be changed by each test.
func exampleRecord() -> PrivacyRecord {
    let points: [(utility: Double, similarity: Double)] = [(0.5, 0.4), (0.3, 0.2), (0.8, 0.45), (0.6, 0.6)]
    let candidates = points.indices.map { index in
        PrivacyRecord.CandidateRecord(
            evaluation: index, generation: index / 2, weights: [Double(index) * 0.1, -0.2],
            utility: points[index].utility, similarity: points[index].similarity,
            similarities: [points[index].similarity, points[index].similarity],
            fitness: points[index].utility - 0.1 * points[index].similarity)
    }
    return PrivacyRecord(
        job: "night", user: "141", task: "citation", base: "llama", appliesTo: .base, metrics: ["accuracy", "f1"],
        search: .init(
            optimizer: "cma-es", granularity: "adapter", merge: "delta", alpha: 0.1, budget: 3, evaluations: 3,
            seed: .max, historyItems: 40),
        sharers: [
            .init(
                id: "207", cosine: 0.9, utility: 0.7, weights: [0.74], similarityBefore: 0.5, similarityAfter: 0.6,
                similarityOfCopy: 1.3),
            .init(
                id: "210", cosine: nil, utility: 0.1, weights: [-0.25], similarityBefore: 0.3, similarityAfter: 0.3,
                similarityOfCopy: 1.25),
        ],
        utility: .init(base: 0.5, merged: 0.8, baseMetrics: [0.3, 0.2], mergedMetrics: [0.5, 0.3]),
        similarity: .init(before: 0.4, after: 0.45),
        heldOut: .init(
            items: 8, base: 0.45, merged: 0.7, sharers: [0.6, 0.1],
            recommended: .init(utility: 0.7, fitness: 0.66, searchedFitness: 0.78), baseFitness: 0.41, gap: 0.12),
        candidates: candidates, front: paretoFront(candidates), alternatives: alternatives(candidates),
        outcome: .merged, release: .released)
}

/// What is wrong with a page's tags: an unclosed, misplaced or unopened one; nil if nothing is.
///
/// Read scalar by scalar, as a browser does: a combining mark at the start of a text does not hide the bracket before.
func tagMistake(in html: String) -> String? {
    let void = ["meta", "!doctype"]
    var open: [String] = []
    for piece in html.unicodeScalars.split(separator: "<", omittingEmptySubsequences: false).dropFirst() {
        guard let end = piece.firstIndex(of: ">") else { return "no end: \(String(piece))" }
        let tag = String(piece[..<end])
        if tag.filter({ $0 == "\"" }).count % 2 != 0 { return "a quote in \(tag)" }
        let name = String(tag.prefix { $0 != " " })
        if tag.hasPrefix("/") {
            guard let last = open.popLast(), "/\(last)" == tag else { return "\(tag) closes nothing" }
        } else if !tag.hasSuffix("/"), !void.contains(name) {
            open.append(name)
        }
    }
    return open.isEmpty ? nil : "open at the end: \(open)"
}
