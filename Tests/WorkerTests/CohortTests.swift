import Testing

@testable import Worker

@Suite struct CohortTests {
    @Test func smallHistoriesGoTogetherAndLargeOnesAlone() {
        let cohorts = Cohorts(items: [10, 20, 30, 5, 200, 10, 64, 1], sharers: 3, pool: 5, slots: 8)
        #expect(cohorts.members == [[0, 1, 2], [3], [4], [5], [6], [7]])
    }

    @Test func whoCannotBePersonalizedIsInNone() {
        #expect(Cohorts(items: [nil, 5, nil, 5], sharers: 1, pool: 1, slots: 1).members == [[1, 3]])
        #expect(Cohorts(items: [nil], sharers: 1, pool: 1, slots: 1).members == [])
        #expect(Cohorts(items: [], sharers: 1, pool: 1, slots: 1).members == [])
    }

    @Test func aBankIsNotOverfilled() {
        // Of a large pool every target may bring sharers of its own: two fit into 8 slots.
        #expect(
            Cohorts(items: [1, 1, 1, 1, 1], sharers: 3, pool: 100, slots: 8).members == [[0, 1], [2, 3], [4]])
        // Of a small one they share all there are.
        #expect(Cohorts(items: [1, 1, 1, 1, 1], sharers: 3, pool: 8, slots: 8).members == [[0, 1, 2, 3, 4]])
        // A target that fills a bank by itself goes alone.
        #expect(Cohorts(items: [1, 1], sharers: 9, pool: 100, slots: 8).members == [[0], [1]])
    }
}

@Suite struct EstimateTests {
    @Test func nothingIsSaidBeforeThereIsSomethingToGoBy() {
        var estimate = Estimate(total: 100, start: 10)
        #expect(estimate.remaining(at: 11) == nil)
        estimate.note(done: 0, at: 12)
        #expect(estimate.remaining(at: 12) == nil)
        estimate.note(done: 25, at: 20)
        #expect(estimate.remaining(at: 20) == 30)
        // Between two notes the end stays where it was seen.
        #expect(estimate.remaining(at: 35) == 15)
        #expect(estimate.remaining(at: 60) == 0)
        estimate.note(done: 100, at: 80)
        #expect(estimate.remaining(at: 80) == 0)
    }

    /// A machine that gets slower is believed after a while.
    @Test func thePaceIsThatOfTheLaterHalf() {
        var estimate = Estimate(total: 1000, start: 0)
        for second in 1...10 { estimate.note(done: Double(10 * second), at: Double(second)) }
        #expect(estimate.remaining(at: 10) == 90)
        for second in 11...40 { estimate.note(done: Double(100 + (second - 10)), at: Double(second)) }
        #expect(estimate.remaining(at: 40) == 870)
        // What did not get on says nothing.
        estimate.note(done: 130, at: 100)
        #expect(estimate.remaining(at: 40) == 870)
    }
}
