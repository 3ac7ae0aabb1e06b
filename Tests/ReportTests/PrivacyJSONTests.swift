import FoundationEssentials
import Privacy
import Testing

@testable import Report

@Suite struct PrivacyJSONTests {
    private func text(_ change: (inout PrivacyRecord) -> Void = { _ in }) -> String {
        var record = exampleRecord()
        change(&record)
        return String(decoding: privacyJSON(record), as: UTF8.self)
    }

    @Test func keysAreSortedSnakeCase() {
        let keys = text().split(separator: "\n").filter { $0.hasPrefix("  \"") }.map { $0.split(separator: "\"")[1] }
        #expect(
            keys == [
                "alternatives", "applies_to", "base", "candidates", "front", "held_out", "job", "metrics", "outcome",
                "release", "schema", "search", "sharers", "similarity", "task", "user", "utility",
            ])
        #expect(text { $0.appliesTo = .basePlusTask(sha256: "ab") }.contains("\"base_plus_task\""))
        #expect(!text { $0.heldOut = nil }.contains("\"held_out\""))
    }

    @Test func numbersReadBack() {
        let json = text { record in
            record.utility.base = 0.1 + 0.2
            record.utility.merged = .nan
            record.similarity = .init(before: .infinity, after: -.infinity)
        }
        #expect(json.contains("0.30000000000000004"))
        #expect(json.contains("\"merged\" : \"nan\""))
        #expect(json.contains("\"before\" : \"inf\"") && json.contains("\"after\" : \"-inf\""))
        #expect(json.contains("\"seed\" : 18446744073709551615"))
        #expect(json.hasSuffix("}\n"))
    }

    @Test func readsBackAsTheSameRecord() throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let record = exampleRecord()
        #expect(try decoder.decode(PrivacyRecord.self, from: Data(privacyJSON(record))) == record)
    }
}
