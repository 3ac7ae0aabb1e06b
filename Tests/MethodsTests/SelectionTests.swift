import Checkpoints
import Foundation
import Testing

@testable import Methods

@Suite struct SelectionTests {
    private func sharers(_ vectors: [[Float]]) -> [SharerEmbedding] {
        vectors.enumerated().map { SharerEmbedding(id: "s\($0)", vector: $1) }
    }

    @Test func orderIsByCosineAndNotByLength() throws {
        let found = try mostSimilar(
            to: [1, 0], among: sharers([[0, 9], [2, 2], [0.1, 0]]), count: 3, place: "user")
        #expect(found.map(\.index) == [2, 1, 0])
        #expect(abs(found[1].cosine - 0.5.squareRoot()) < 1e-12)
    }

    @Test func equalCosinesKeepTheListsOrder() throws {
        let found = try mostSimilar(to: [1, 1], among: sharers([[2, 2], [1, 1], [3, 3]]), count: 2, place: "user")
        #expect(found.map(\.index) == [0, 1])
    }

    @Test func aUserIsTheMeanOfItsItems() {
        #expect(userEmbedding([[1, -2, 0.5], [3, 4, 0], [2, 1, 1]]) == [2, 1, 0.5])
        #expect(userEmbedding([]) == [])
    }

    @Test(arguments: [
        ([Float.nan, 1], [[1, 1]], 1, MethodError.Code.embedding), ([0, 0], [[1, 1]], 1, .embedding),
        ([1, 1], [[1, 1, 1]], 1, .embedding), ([1, 1], [[1, 1]], 2, .noSharers),
    ])
    func whatCannotBeComparedIsRefused(_ target: [Float], _ others: [[Float]], _ count: Int, _ code: MethodError.Code) {
        #expect {
            try mostSimilar(to: target, among: sharers(others), count: count, place: "user u")
        } throws: {
            ($0 as? MethodError)?.code == code
        }
    }

    /// Top-3 sharers of 200 LaMP users against the authors' selection; the folder is named by PRIMED_LAMP_EMBEDDINGS.
    @Test(
        .enabled(if: ProcessInfo.processInfo.environment["PRIMED_LAMP_EMBEDDINGS"] != nil),
        arguments: [
            "movie_tagging", "news_headline",
        ])
    func lampUsersGetTheAuthorsSharers(_ task: String) throws {
        struct Selection: Decodable {
            let anchor_candidate_indices: [Int]
            let top3_anchor_positions: [[Int]]
        }
        let folder = try #require(ProcessInfo.processInfo.environment["PRIMED_LAMP_EMBEDDINGS"])
        let data = try Data(contentsOf: URL(filePath: "\(folder)/\(task).json"))
        let expected = try JSONDecoder().decode(Selection.self, from: data)
        let file = try Safetensors("\(folder)/\(task).safetensors")
        let candidates = try rows(#require(file["candidates"]))
        let anchors = expected.anchor_candidate_indices.map { SharerEmbedding(id: "\($0)", vector: candidates[$0]) }
        for (target, top) in zip(try rows(#require(file["test"])), expected.top3_anchor_positions) {
            let found = try mostSimilar(to: target, among: anchors, count: 3, place: task)
            #expect(found.map(\.index) == top)
        }
    }

    private func rows(_ tensor: StoredTensor) -> [[Float]] {
        let values = tensor.floats()
        let width = tensor.shape[1]
        return (0..<tensor.shape[0]).map { Array(values[($0 * width)..<(($0 + 1) * width)]) }
    }
}

@Suite struct HistorySplitTests {
    @Test func shortHistoriesAreNotSplit() {
        let split = HistorySplit(items: (0..<19).map(String.init), holdOut: .automatic)
        #expect(split.searched == Array(0..<19))
        #expect(split.heldOut.isEmpty)
    }

    @Test func aFifthOfLongerOnesIsHeldOutEvenly() {
        let split = HistorySplit(items: (0..<40).map(String.init), holdOut: .automatic)
        #expect(split.heldOut == [2, 7, 12, 17, 22, 27, 32, 37])
        #expect(Set(split.searched + split.heldOut) == Set(0..<40))
    }

    @Test func promptsOfOneItemStayTogether() {
        let items = (0..<30).flatMap { ["\($0)", "\($0)"] }
        let split = HistorySplit(items: items, holdOut: .fraction(0.3))
        #expect(split.heldOut.count == 18)
        #expect(Set(split.heldOut.map { items[$0] }).isDisjoint(with: split.searched.map { items[$0] }))
    }

    @Test func seedsDifferByUserAndStayExactInJSON() {
        let seeds = ["1", "2", "12", ""].map { targetSeed(7, user: $0) }
        #expect(Set(seeds).count == 4)
        #expect(seeds.allSatisfy { $0 < 1 << 53 })
        #expect(targetSeed(7, user: "1") != targetSeed(8, user: "1"))
    }
}
