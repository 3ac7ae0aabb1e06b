import Posix
import Testing

@testable import Worker

@Suite struct LineageTests {
    private let outbox = "/dev/shm/primed-lineage-\(String(UInt64.random(in: .min ... .max), radix: 36))"

    private func write(_ text: String, to path: String) throws {
        try Files.makeDirectories(Files.parent(of: "\(outbox)/\(path)"))
        try Files.writeAtomically(Array(text.utf8), to: "\(outbox)/\(path)", durable: false)
    }

    /// A job that is under way has published adapters, too; whoever withdraws must find them.
    @Test func jobsUnderWayCount() throws {
        defer { try? Files.removeTree(outbox) }
        try write(
            #"{"status":"done","pool":"p","targets":[{"user":"1","status":"done","sharers":["s","t"],"weights":[0,0.5]}]}"#,
            to: "whole/result.json")
        func record(_ outcome: String, _ weight: Double) -> String {
            #"{"outcome":"\#(outcome)","sharers":[{"id":"s","weights":[\#(weight)]},{"id":"t","weights":[1]}]}"#
        }
        for (user, outcome, weight) in [("1", "merged", 0.25), ("2", "merged", 0), ("3", "base", 0.25)] {
            try write(record(outcome, weight), to: "parts/\(user)/privacy.json")
            try write("", to: "parts/\(user)/adapter/adapter_config.json")
        }
        // Held back: there is no adapter.
        try write(record("merged", 0.25), to: "parts/4/privacy.json")
        try write("torn", to: "parts/5/privacy.json")
        let lineage = try Lineage(of: "s", outbox: outbox)
        #expect(lineage.descendants.map(\.adapter) == ["\(outbox)/parts/1/adapter"])
        #expect(lineage.descendants.map(\.weights) == [[0.25]])
        #expect(lineage.unreadable == ["\(outbox)/parts/5/privacy.json"])
        #expect(try Lineage(of: "t", outbox: outbox).descendants.map(\.job) == ["parts", "parts", "whole"])
    }
}
