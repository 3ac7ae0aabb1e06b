import Spool
import Testing

@testable import Worker

@Suite struct WorkerMessageTests {
    @Test(arguments: [
        WorkerMessage.progress(
            JobProgress(targets: 2, finished: 1, user: "7", stage: "evolve", evaluation: 3, budget: 30, best: 0.5)),
        .progress(JobProgress(targets: 1, finished: 0, stage: "select", best: .nan)),
        .failed(JobFailure(Problem(code: "a", message: "b\n\"c\"", place: "d"), .permanent)),
    ])
    func messagesComeBack(message: WorkerMessage) {
        var reader = LineReader()
        #expect(message.line.filter { $0 == UInt8(ascii: "\n") }.count == 1)
        #expect(reader.lines(in: message.line).map { WorkerMessage(line: $0) } == [message])
    }

    @Test func linesAreJoinedFromPieces() {
        var reader = LineReader()
        #expect(reader.lines(in: Array("one\ntw".utf8)) == [Array("one".utf8)])
        #expect(reader.lines(in: Array("o".utf8)) == [])
        #expect(reader.lines(in: Array("\n\nx\n".utf8)) == [Array("two".utf8), [], Array("x".utf8)])
    }

    @Test func aLineThatIsTooLongIsPassedOver() {
        var reader = LineReader()
        let piece = [UInt8](repeating: 1, count: 40_000)
        #expect(reader.lines(in: piece) == [])
        #expect(reader.lines(in: piece) == [])
        #expect(reader.lines(in: piece + Array("\nnext\n".utf8)) == [[], Array("next".utf8)])
    }

    /// Thousands come at a time.
    @Test func shortLinesAfterALongOneHoldLittle() {
        var reader = LineReader()
        let lines = reader.lines(in: [UInt8](repeating: 1, count: 60_000) + Array("\na\nb\n".utf8))
        #expect(lines.count == 3 && lines.dropFirst().allSatisfy { $0.capacity < 1000 })
    }
}
