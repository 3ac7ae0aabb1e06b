import Testing

@testable import Privacy

@Suite struct ReleasePolicyTests {
    private func isReleased(
        _ limit: Double?, _ similarity: [Double], _ outcome: PrivacyRecord.Outcome = .merged
    ) -> Bool {
        ReleasePolicy(maxSimilarity: limit).decide(outcome, similarity: similarity) == .released
    }

    @Test func theMostAlikeSharerDecides() {
        #expect(isReleased(0.5, [0.1, 0.5]))
        #expect(!isReleased(0.5, [0.51, 0.1]))
        #expect(isReleased(nil, [1000]))
        #expect(isReleased(0.5, []))
        // Errors are scored from 0 downwards.
        #expect(!isReleased(-0.2, [-0.1]))
        #expect(isReleased(-0.2, [-0.3]))
    }

    @Test func whatCannotBeComparedIsNotTakenForLittle() {
        for similarity in [[.nan], [0.1, .nan], [.nan, 0.1]] { #expect(!isReleased(0.5, similarity)) }
    }

    @Test func theBaseHasNothingOfASharer() {
        #expect(isReleased(0.5, [0.9], .base))
    }

    @Test func theReasonNamesBothNumbers() {
        let release = ReleasePolicy(maxSimilarity: 0.5).decide(.merged, similarity: [0.1, 0.61237])
        #expect(release == .held(reason: "likeness 0.6124 to a sharer is above max_similarity 0.5"))
    }
}
