import Testing

@testable import Privacy

/// Candidates by (utility, similarity), evaluated in that order.
private func candidates(_ scores: [(Double, Double)]) -> [PrivacyRecord.CandidateRecord] {
    scores.enumerated().map { index, score in
        PrivacyRecord.CandidateRecord(
            evaluation: index, generation: 0, weights: [0], utility: score.0, similarity: score.1,
            similarities: [score.1], fitness: score.0)
    }
}

@Suite struct ParetoFrontTests {
    /// A coarse grid, so that many points are equal.
    @Test(arguments: 1...100)
    func nobodyOnTheFrontIsBeaten(round: UInt64) {
        var state = round
        func next() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 33 & 3)
        }
        let points = candidates((0..<12).map { _ in (next(), next()) })
        let front = paretoFront(points)
        func beats(_ one: Int, _ other: Int) -> Bool {
            let (one, other) = (points[one], points[other])
            guard one.utility >= other.utility, one.similarity <= other.similarity else { return false }
            let isEqual = one.utility == other.utility && one.similarity == other.similarity
            return !isEqual || one.evaluation < other.evaluation
        }
        let expected = points.indices.filter { point in !points.indices.contains { beats($0, point) } }
        #expect(front.sorted() == expected)
        let similarities = front.map { points[$0].similarity }
        #expect(similarities == similarities.sorted())
    }

    @Test func scoresThatAreNoNumbersAreOnNoFront() {
        #expect(paretoFront(candidates([(.nan, 0), (1, .nan), (.infinity, 1), (0.5, 0.5)])) == [3])
        #expect(paretoFront([]).isEmpty)
    }

    @Test func eachAlphaChoosesByWhatLikenessCosts() {
        // The base, a good and alike one, a middling one.
        let points = candidates([(0, 0), (2, 1), (1.2, 0.2)])
        let found = alternatives(points, alphas: [0, 0.5, 2, 10])
        #expect(found.map(\.alpha) == [0, 0.5, 2, 10])
        // 2 > 1.2 > 0; 1.5 > 1.1 > 0; 0.8 > 0 = 0; 0 > -0.8 > -8.
        #expect(found.map(\.evaluation) == [1, 1, 2, 0])
        #expect(found.map(\.utility) == [2, 2, 1.2, 0])
        #expect(found.map(\.similarity) == [1, 1, 0.2, 0])
    }

    @Test func ofEqualChoicesTheFirstIsTaken() {
        #expect(alternatives(candidates([(1, 1), (1, 1), (0, 0)]), alphas: [0, 1]).map(\.evaluation) == [0, 0])
        #expect(alternatives([], alphas: [0]).isEmpty)
    }
}
