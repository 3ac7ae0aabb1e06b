import Privacy
import Testing

@testable import Methods

@Suite struct CandidateSearchTests {
    /// The utility on the searched part is a tenth above the fitness.
    private func scores(_ fitness: Double, heldOut: Double?) -> CandidateScores {
        CandidateScores(
            utility: fitness, metrics: [fitness], similarities: [0], fitness: fitness, searched: fitness + 0.1,
            heldOut: heldOut, heldOutFitness: heldOut)
    }

    /// One generation, whose first candidate is the best.
    private func searched(base: CandidateScores, best: CandidateScores) throws -> CandidateSearch {
        var settings = Settings()
        settings.budget = 4
        var search = try CandidateSearch(
            width: 1, layers: 1, base: base, sharers: [scores(0, heldOut: base.heldOut)], settings: settings, seed: 1)
        let others = search.pending.dropFirst().map { _ in scores(base.fitness - 1, heldOut: base.heldOut) }
        _ = search.take([best] + others)
        try #require(search.pending.isEmpty && search.entries.count == 4)
        return search
    }

    @Test(arguments: [
        (0.81, 0.4 as Double?, PrivacyRecord.Outcome.merged), (0.81, 0.3, .merged), (0.81, 0.2, .base),
        (0.81, .nan, .base), (0.81, nil, .merged), (0.56, 0.9, .base), (0.5, 0.9, .base),
    ])
    func theRecommendationShipsUnlessTheBaseIsBetter(
        _ fitness: Double, _ heldOut: Double?, _ outcome: PrivacyRecord.Outcome
    ) throws {
        let base = scores(0.56, heldOut: heldOut == nil ? nil : 0.3)
        let choice = try searched(base: base, best: scores(fitness, heldOut: heldOut)).choice
        #expect(choice.outcome == outcome)
        #expect(choice.recommended.fitness == fitness)
        #expect(choice.scores.fitness == (outcome == .merged ? fitness : 0.56))
        #expect(choice.weights.allSatisfy { $0 == 0 } == (outcome == .base))
    }

    /// The record keeps the reason why the base ships.
    @Test func theRecordTellsOfAVeto() throws {
        let base = scores(0.56, heldOut: 0.3)
        func record(_ best: CandidateScores) throws -> PrivacyRecord {
            let search = try searched(base: base, best: best)
            return Personalization(
                choice: search.choice, base: base, sharers: search.sharers, candidates: search.entries, historyItems: 8,
                heldOutItems: 2, answers: [], seed: 1, seconds: PhaseSeconds()
            ).record(
                RecordContext(
                    job: "j", user: "u", task: "t", base: "b", appliesTo: .base, metrics: ["accuracy"],
                    policy: ReleasePolicy()),
                settings: Settings(), sharers: [])
        }
        let vetoed = try record(scores(0.81, heldOut: 0.2))
        #expect(vetoed.isVetoed && vetoed.outcome == .base)
        let heldOut = try #require(vetoed.heldOut)
        #expect(heldOut.recommended == .init(utility: 0.2, fitness: 0.2, searchedFitness: 0.81))
        #expect(heldOut.baseFitness == 0.3 && heldOut.base == 0.3 && heldOut.merged == 0.3)
        #expect(heldOut.gap == 0)
        let merged = try record(scores(0.81, heldOut: 0.4))
        #expect(!merged.isVetoed)
        // 0.25 better where the search looked, 0.1 better where it did not.
        #expect(abs(try #require(merged.heldOut).gap - 0.15) < 1e-12)
        #expect(try !record(scores(0.5, heldOut: 0.2)).isVetoed)
    }
}
