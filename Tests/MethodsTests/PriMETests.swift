import Checkpoints
import Compute
import Evolution
import Foundation
import Llama
import Privacy
import Tasks
import Testing
import Tokenizers

@testable import Methods

/// The method on the example's model and pool, with the user who has the shortest history.
@Suite(.serialized) struct PriMETests {
    private static let examples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "examples/debian").path
    private let user: User
    private let sharers: [Sharer]
    private let model: Llama<CPU>
    private let tokenizer: Tokenizer
    private let task: TaskDefinition

    private typealias CPU = Compute.CPUBackend

    init() throws {
        let folder = try ModelFolder("\(Self.examples)/models/debian-llama-4m")
        model = try Llama(folder)
        tokenizer = try Tokenizer(folder: folder.path)
        func bytes(_ path: String) throws -> [UInt8] { try [UInt8](Data(contentsOf: URL(filePath: path))) }
        task = try TaskDefinition(
            definition: try bytes("\(Self.examples)/tasks/package_section.json"), file: "package_section.json")
        user = try #require(
            try readUsers(try bytes("\(Self.examples)/users/three.json"), file: "three.json").first { $0.id == "78" }
        ).user.get()
        sharers = try ["212", "236", "230"].map {
            Sharer(
                id: $0, adapter: try Adapter("\(Self.examples)/pools/package_section/user_\($0)", for: folder.config),
                cosine: nil)
        }
    }

    private func run(
        _ settings: Settings, _ journal: inout MemoryJournal, progress: @escaping (RunProgress) -> Bool = { _ in true }
    ) throws -> Personalization {
        try method(settings).personalize([Target(user: user, sharers: sharers)], journal: &journal, progress: progress)[
            0
        ]
        .get()
    }

    private func method(_ settings: Settings) -> PriME {
        PriME(task: task, tokenizer: tokenizer, model: model, settings: settings)
    }

    private var short: Settings {
        var settings = Settings()
        settings.budget = 15
        settings.maxNewTokens = 8
        return settings
    }

    @Test func anInterruptedRunEndsAsAnUndisturbedOne() throws {
        var whole = MemoryJournal()
        let undisturbed = try run(short, &whole)
        var journal = MemoryJournal()
        let best = best(whole, 7)
        #expect {
            _ = try run(short, &journal) { $0 != .search(evaluations: 7, budget: 15, best: best) }
        } throws: {
            ($0 as? MethodError)?.code == .interrupted
        }
        #expect(journal.rounds == Array(whole.rounds.prefix(2)) && journal.evaluations(of: 0) == 7)
        let resumed = try run(short, &journal)
        #expect(resumed.choice == undisturbed.choice)
        #expect(resumed.candidates == undisturbed.candidates)
        #expect(resumed.answers == undisturbed.answers)
        #expect(journal.rounds == whole.rounds)
    }

    @Test func aWholeJournalIsReplayedWithoutTheModel() throws {
        var whole = MemoryJournal()
        let undisturbed = try run(short, &whole)
        #expect(undisturbed.answers.count == user.queries.count)
        var replayed = MemoryJournal(rounds: whole.rounds)
        let again = try run(short, &replayed) { _ in
            Issue.record("the model was asked")
            return false
        }
        #expect(again.choice == undisturbed.choice)
        #expect(again.answers == undisturbed.answers)
        #expect(replayed.rounds == whole.rounds)

        // One whose answers are another user's.
        guard case .answers(let answers) = try #require(whole.rounds.last?[0]) else {
            Issue.record("the last round has no answers")
            return
        }
        var other = MemoryJournal(rounds: whole.rounds.dropLast() + [[.answers(answers + ["libs"])]])
        #expect {
            _ = try run(short, &other)
        } throws: {
            ($0 as? MethodError)?.code == .journal
        }
    }

    private func best(_ journal: MemoryJournal, _ count: Int) -> Double {
        // The base has part in the race: what beats it is the best so far.
        let entries = journal.rounds.flatMap { round in
            if case .generation(let entries) = round[0] { entries } else { [] as [JournalEntry] }
        }
        return max(entries.prefix(count).map(\.scores.fitness).max() ?? 0, baseFitness)
    }

    private var baseFitness: Double {
        (try? method(short).evaluate(Target(user: user, sharers: sharers), points: [[0, 0, 0]]))?[0].fitness ?? .nan
    }

    @Test func aJournalOfOtherCandidatesIsRefused() throws {
        var journal = MemoryJournal()
        _ = try run(short, &journal)
        var other = short
        other.seed = 99
        #expect {
            _ = try run(other, &journal)
        } throws: {
            ($0 as? MethodError)?.code == .journal
        }
    }

    @Test(arguments: [Merge.delta, .factors], [Granularity.adapter, .layer])
    func theChoiceIsTheBestOfWhatWasSeenOrTheBase(_ merge: Merge, _ granularity: Granularity) throws {
        var settings = short
        settings.merge = merge
        settings.granularity = granularity
        var journal = MemoryJournal()
        let run = try run(settings, &journal)
        let best = try #require(run.candidates.map(\.scores.fitness).max())
        if run.choice.outcome == .merged {
            #expect(run.choice.scores.fitness == best)
            #expect(best > run.base.fitness)
        } else {
            #expect(best <= run.base.fitness)
            #expect(run.choice.scores == run.base)
        }
        #expect(run.weights.count == (granularity == .layer ? 6 : 1))
        #expect(run.answers.map(\.id) == user.queries.map(\.id))
        #expect(run.candidates.count == 15)
    }

    @Test func alphaZeroIgnoresLikeness() throws {
        var settings = short
        settings.alpha = 0
        var journal = MemoryJournal()
        let run = try run(settings, &journal)
        #expect(run.candidates.allSatisfy { $0.scores.fitness == $0.scores.searched })
    }

    @Test func evaluatingTheBaseAndASharerGivesTheirOwnScores() throws {
        let scores = try method(short).evaluate(
            Target(user: user, sharers: sharers), points: [[0, 0, 0], [1, 0, 0]])
        var journal = MemoryJournal()
        let run = try run(short, &journal)
        #expect(scores == [run.base, run.sharers[0]])
    }

    /// Two prompts of one item are one item held out.
    @Test func heldOutItemsAreCountedOnce() throws {
        var settings = short
        settings.budget = 2
        settings.retrieval = true
        settings.holdOut = .fraction(0.4)
        let target = Target(
            user: User(id: "78", history: user.history, queries: [], profile: "packages clocks"), sharers: sharers)
        var journal = MemoryJournal()
        let run = try method(settings).personalize([target], journal: &journal) { _ in true }[0].get()
        let items = user.history.count
        #expect(run.historyItems == items)
        #expect(run.heldOutItems == Int((0.4 * Double(items)).rounded()))
    }

    @Test func aSearchOverTooManyWeightsIsRefusedBeforeAnythingIsPredicted() throws {
        var settings = short
        settings.granularity = .layer
        #expect(throws: Never.self) { try settings.requireSearchable(sharers: 64, layers: 32) }
        #expect(throws: Never.self) { try settings.requireSearchable(sharers: 0, layers: 32) }
        #expect {
            try settings.requireSearchable(sharers: 64, layers: 33)
        } throws: {
            ($0 as? MethodError)?.code == .optimizer && "\($0)".contains("2112 weights")
        }
        settings.granularity = .adapter
        #expect(throws: Never.self) { try settings.requireSearchable(sharers: 64, layers: 80) }
        // A sharer a weight, more of them than any pool gives.
        let many = (0..<2049).map { Sharer(id: "\($0)", adapter: sharers[0].adapter, cosine: nil) }
        #expect(throws: MethodError.self) {
            try TargetSearch(
                Target(user: user, sharers: many), task: task, tokenizer: tokenizer, layers: 6, settings: settings)
        }
    }

    @Test func theRecordTellsWhatTheRunFound() throws {
        var journal = MemoryJournal()
        let run = try run(short, &journal)
        let record = run.record(
            RecordContext(
                job: "j", user: "78", task: "package_section", base: "b", appliesTo: .base,
                metrics: task.metricNames, policy: ReleasePolicy(maxSimilarity: 0.001)),
            settings: short, sharers: sharers)
        #expect(record.candidates.count == 16)
        #expect(record.candidates[0].weights == [0, 0, 0])
        #expect(!record.front.isEmpty)
        #expect(record.sharers.map(\.id) == ["212", "236", "230"])
        for (index, sharer) in record.sharers.enumerated() {
            #expect(sharer.similarityOfCopy == run.sharers[index].similarities[index])
            // Accuracy 1, and of F1 the share of the labels that the sharer answers with.
            #expect(sharer.similarityOfCopy > 1 && sharer.similarityOfCopy < 2)
            #expect(record.candidates.allSatisfy { $0.similarities[index] <= sharer.similarityOfCopy })
        }
        #expect(run.choice.outcome == .merged)
        if case .released = record.release { Issue.record("a likeness limit of 0.001 must hold the result") }
        #expect(record.utility.merged == run.choice.scores.utility)
    }
}
