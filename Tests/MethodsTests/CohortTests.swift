import Checkpoints
import Compute
import Foundation
import Llama
import Tasks
import Testing
import Tokenizers

@testable import Methods

/// Targets that go through the engine side by side, on the example's model and pool.
@Suite(.serialized) struct CohortTests {
    private static let examples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "examples/debian").path
    private let targets: [Target]
    private let method: PriME

    init() throws {
        let folder = try ModelFolder("\(Self.examples)/models/debian-llama-4m")
        func bytes(_ path: String) throws -> [UInt8] { try [UInt8](Data(contentsOf: URL(filePath: path))) }
        let users = try readUsers(try bytes("\(Self.examples)/users/three.json"), file: "three.json").map {
            try $0.user.get()
        }
        func sharers(_ ids: [String]) throws -> [Sharer] {
            try ids.map {
                Sharer(
                    id: $0,
                    adapter: try Adapter("\(Self.examples)/pools/package_section/user_\($0)", for: folder.config),
                    cosine: nil)
            }
        }
        func user(_ id: String) throws -> User { try #require(users.first { $0.id == id }) }
        // Their sharers overlap in one, at different places.
        targets = [
            Target(user: try user("78"), sharers: try sharers(["212", "236"])),
            Target(user: try user("114"), sharers: try sharers(["230", "212"])),
        ]
        var settings = Settings()
        settings.budget = 13
        settings.maxNewTokens = 8
        method = PriME(
            task: try TaskDefinition(
                definition: try bytes("\(Self.examples)/tasks/package_section.json"), file: "package_section.json"),
            tokenizer: try Tokenizer(folder: folder.path), model: try Llama<CPUBackend>(folder), settings: settings)
    }

    private func run(
        _ targets: [Target], _ journal: inout MemoryJournal, progress: @escaping (RunProgress) -> Bool = { _ in true }
    ) throws -> [Personalization] {
        try method.personalize(targets, journal: &journal, progress: progress).map { try $0.get() }
    }

    @Test func togetherTheyEndAsAlone() throws {
        var journal = MemoryJournal()
        let together = try run(targets, &journal)
        for (target, run) in zip(targets, together) {
            var own = MemoryJournal()
            let alone = try self.run([target], &own)[0]
            #expect(run.choice == alone.choice)
            #expect(run.candidates == alone.candidates)
            #expect(run.answers == alone.answers)
            #expect(run.base == alone.base && run.sharers == alone.sharers)
        }
        #expect(together[0].choice.weights != together[1].choice.weights)
    }

    @Test func anInterruptionAfterAnyRoundIsNotSeen() throws {
        var whole = MemoryJournal()
        let undisturbed = try run(targets, &whole)
        for rounds in whole.rounds.indices {
            var journal = MemoryJournal(rounds: Array(whole.rounds.prefix(rounds)))
            var stages = 0
            let resumed = try run(targets, &journal) { news in
                if case .batch = news { return true }
                stages += 1
                return true
            }
            // No round is done again.
            #expect(stages == whole.rounds.count - rounds)
            #expect(journal.rounds == whole.rounds)
            for (one, other) in zip(resumed, undisturbed) {
                #expect(
                    one.choice == other.choice && one.candidates == other.candidates && one.answers == other.answers)
            }
        }
    }

    @Test func theBrokenTargetFailsAlone() throws {
        let empty = Target(user: User(id: "9", history: [], queries: [], profile: nil), sharers: targets[0].sharers)
        var journal = MemoryJournal()
        let results = try method.personalize([targets[0], empty], journal: &journal) { _ in true }
        #expect(throws: Never.self) { try results[0].get() }
        #expect { try results[1].get() } throws: { ($0 as? MethodError)?.code == .task(.emptyHistory) }
        #expect(journal.rounds.allSatisfy { $0.count == 2 && $0[1] == nil })
    }

    @Test func aMixtureOverTheCohortsBankKeepsToItsOwnSharers() {
        let bank = CohortBank(targets)
        #expect(bank.places == [[0, 1], [2, 0]])
        #expect(bank.mixture(Mixture(weights: [5, 7]), of: 1).weights == [7, 0, 5])
        #expect(bank.mixture(Mixture(weights: [1, 2, 3, 4]), of: 1).weights == [2, 0, 1, 4, 0, 3])
        #expect(bank.mixture(.base, of: 1) == .base)
        #expect(CohortBank([targets[1]]).mixture(Mixture(weights: [5, 7]), of: 0).weights == [5, 7])
    }
}
