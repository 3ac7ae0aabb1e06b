import FoundationEssentials
import Privacy
import Testing

@testable import Report

@Suite struct PrivacyJSONTests {
    private func text(_ change: (inout PrivacyRecord) -> Void = { _ in }) throws -> String {
        var record = exampleRecord()
        change(&record)
        return String(decoding: try privacyJSON(record), as: UTF8.self)
    }

    @Test func keysAreSortedSnakeCase() throws {
        let keys = try text().split(separator: "\n").filter { $0.hasPrefix("  \"") }.map {
            $0.split(separator: "\"")[1]
        }
        #expect(
            keys == [
                "alternatives", "applies_to", "base", "candidates", "front", "held_out", "job", "metrics", "outcome",
                "release", "schema", "search", "sharers", "similarity", "task", "user", "utility",
            ])
        #expect(try !text { $0.heldOut = nil }.contains("\"held_out\""))
    }

    @Test func numbersReadBack() throws {
        let json = try text { record in
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
