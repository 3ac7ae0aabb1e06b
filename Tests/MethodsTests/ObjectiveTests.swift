import Foundation
import Tasks
import Testing

@testable import Methods

@Suite struct ObjectiveTests {
    private static let gold = ["libs", "perl", "libs", "admin", "doc", "libs", "perl", "admin", "doc", "libs"]
    private static let sharers = [
        ["libs", "libs", "libs", "admin", "admin", "libs", "libs", "admin", "libs", "libs"],
        ["perl", "perl", "doc", "doc", "doc", "perl", "perl", "doc", "doc", "perl"],
    ]

    /// U - alpha * mean_s P(s), each side of the split by itself.
    @Test(arguments: [0, 0.1, 1, 2.5])
    func fitnessIsUtilityLessAlphaTimesTheMeanLikeness(_ alpha: Double) throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "examples/debian/tasks/package_section.json")
        let task = try TaskDefinition(definition: [UInt8](try Data(contentsOf: file)), file: "package_section.json")
        let split = HistorySplit(items: (0..<10).map(String.init), holdOut: .fraction(0.3))
        let objective = Objective(
            task: task, gold: Self.gold, sharerPredictions: Self.sharers, alpha: alpha, split: split)
        let predictions = ["libs", "perl", "doc", "doc", "doc", "libs", "libs", "admin", "perl", "perl"]

        func utility(_ rows: [Int], against answers: [String]) -> Double {
            task.score(rows.map { predictions[$0] }, against: rows.map { answers[$0] }).total
        }
        func fitness(_ rows: [Int]) -> Double {
            utility(rows, against: Self.gold)
                - alpha * (utility(rows, against: Self.sharers[0]) + utility(rows, against: Self.sharers[1])) / 2
        }
        let scores = objective.scores(predictions)
        #expect(split.heldOut == [1, 5, 8])
        #expect(abs(scores.fitness - fitness(split.searched)) < 1e-12)
        #expect(abs(try #require(scores.heldOutFitness) - fitness(split.heldOut)) < 1e-12)
        #expect(scores.searched == utility(split.searched, against: Self.gold))
        #expect(scores.heldOut == utility(split.heldOut, against: Self.gold))
        #expect(scores.utility == utility(Array(0..<10), against: Self.gold))
        #expect(scores.similarities == Self.sharers.map { utility(Array(0..<10), against: $0) })
    }
}
