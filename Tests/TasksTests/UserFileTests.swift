import Testing

@testable import Tasks

/// Files from outside: every shape that is read, and every breach as an error of its own.
@Suite struct UserFileTests {
    static let item = #"{"id": 3, "text": "SECRET", "score": 4}"#
    static let user = #"{"user_id": 7, "profile": [\#(item)], "query": [{"id": "q", "input": "i"}]}"#
    static let other = #"{"user_id": "x", "profile": [{"id": "a", "text": null}]}"#

    @Test(arguments: [
        "[\(user), \(other)]", "\(user)\n\(other)\n", " \(user) \r\n\n \(other)", "\u{FEFF}[\(user),\(other)]",
    ])
    func usersComeInEveryShape(file: String) throws {
        let users = try soundUsers(utf8(file), file: "u")
        #expect(users.map(\.id) == ["7", "x"])
        #expect(users[0].history == [HistoryItem(id: "3", fields: ["text": "SECRET", "score": "4"])])
        #expect(users[0].queries == [Query(id: "q", input: "i")])
        #expect(users[1].history[0].fields.isEmpty)
        #expect(users[1].queries.isEmpty)
    }

    @Test func oneUserIsAFile() throws {
        #expect(try soundUsers(utf8(Self.user), file: "u").count == 1)
    }

    @Test func historiesAndQueriesComeAloneOrInAUser() throws {
        for file in ["[\(Self.item)]", Self.item, Self.user] {
            #expect(try readHistory(utf8(file), file: "h").map(\.id) == ["3"])
        }
        for file in [#"[{"id": 1, "input": "i", "gold": 5}]"#, #"{"id": 1, "input": "i", "gold": "5"}"#] {
            #expect(try readQueries(utf8(file), file: "q") == [Query(id: "1", input: "i")])
        }
        #expect(try readQueries(utf8(Self.user), file: "q").map(\.id) == ["q"])
        #expect(try readQueries(utf8("[]"), file: "q").isEmpty)
    }

    /// Nothing of another user becomes this one's, however little of this one's there is.
    @Test func onlyTheFirstElementCanBeAUser() {
        let empty = #"{"user_id": 1, "profile": [], "query": []}"#
        #expect(throws: TaskError.self) { try readHistory(utf8("\(empty)\n\(Self.user)"), file: "h") }
        #expect(throws: TaskError.self) { try readQueries(utf8("\(empty)\n\(Self.user)"), file: "q") }
    }

    @Test func profilesAreAdded() throws {
        let profiles = try readProfiles(utf8(#"{"7": "likes films"}"#), file: "p")
        func profile(_ file: String) throws -> String? {
            try soundUsers(utf8(file), file: "u")[0].adding(profiles: profiles).profile
        }
        #expect(try profile(Self.user) == "likes films")
        #expect(try profile(Self.other) == nil)
        #expect(try taskError { _ = try readProfiles(utf8(#"{"7": 1}"#), file: "p") }.code == .wrongType)
    }

    @Test func escapesAreRead() throws {
        let text = #"{"id": 1, "text": "\u00e9\ud83d\ude00\ud83d \udc00\n\/\"\\\ud83d\u0041"}"#
        #expect(try readHistory(utf8(text), file: "h")[0].fields["text"] == "é😀\u{FFFD} \u{FFFD}\n/\"\\\u{FFFD}A")
    }

    // MARK: - Breaches

    struct Breach: CustomTestStringConvertible, Sendable {
        let code: TaskError.Code
        let place: String
        let file: String
        var testDescription: String { "\(code) at \(place)" }
        init(_ code: TaskError.Code, _ place: String, _ file: String) {
            self.code = code
            self.place = place
            self.file = file
        }
        static func users(_ code: TaskError.Code, _ place: String, profile: String) -> Breach {
            Breach(code, place, #"[{"user_id": 7, "profile": \#(profile)}]"#)
        }
    }

    static let breaches: [Breach] = [
        Breach(.missingField, "f", ""),
        Breach(.missingField, "f", "[]"),
        Breach(.malformed, "f: line 1, column 2", "["),
        Breach(.malformed, "f: line 1, column 2", "[SECRET"),
        Breach(.malformed, "f: line 2, column 1", "[\n"),
        Breach(.malformed, "f: line 1, column 7", "[\(#"{"SEC"#)"),
        Breach(.malformed, "f: line 1, column 3", "[]]"),
        Breach(.wrongType, "f: user 1", "[7]"),
        Breach(.wrongType, "f: user 1", "\"SECRET\""),
        Breach(.wrongType, "f: user 1", "[[\(user)]]"),
        Breach(.missingField, "f: user 1: field user_id", #"[{"profile": [\#(item)]}]"#),
        Breach(.missingField, "f: user 7: field profile", #"[{"user_id": 7}]"#),
        Breach(.unknownKey, "f: user 7: profil", #"[{"user_id": 7, "profil": [\#(item)]}]"#),
        Breach(.wrongType, "f: user 1: field user_id", #"[{"user_id": 7.5, "profile": [\#(item)]}]"#),
        Breach(.wrongType, "f: user 1: field user_id", #"[{"user_id": [7], "profile": [\#(item)]}]"#),
        Breach(.badID, "f: user 1: field user_id", #"[{"user_id": "", "profile": [\#(item)]}]"#),
        Breach(.badID, "f: user 1: field user_id", #"[{"user_id": "a\u0000", "profile": [\#(item)]}]"#),
        Breach(.badID, "f: user 1: field user_id", #"[{"user_id": "\#(String(repeating: "x", count: 257))"}]"#),
        Breach(.duplicate, "f: user 7", "[\(user), \(user)]"),
        Breach(.duplicate, "f: user 7", #"[\#(user), {"user_id": "7", "profile": [\#(item)]}]"#),
        Breach(.duplicate, "f: line 1, column 16", #"[{"user_id": 7,"user_id": 7}]"#),
        .users(.emptyHistory, "f: user 7", profile: "[]"),
        .users(.wrongType, "f: user 7: profile", profile: "{}"),
        .users(.wrongType, "f: user 7: item 1", profile: "[\"SECRET\"]"),
        .users(.missingField, "f: user 7: item 1: field id", profile: #"[{"text": "SECRET"}]"#),
        .users(.wrongType, "f: user 7: item 1: field id", profile: #"[{"id": true}]"#),
        .users(.duplicate, "f: user 7: item 3", profile: "[\(item), \(item)]"),
        .users(.wrongType, "f: user 7: item 3: field text", profile: #"[{"id": 3, "text": ["SECRET"]}]"#),
        .users(.wrongType, "f: user 7: item 3: field text", profile: #"[{"id": 3, "text": {"a": "SECRET"}}]"#),
        .users(.wrongType, "f: user 7: item 3: field text", profile: #"[{"id": 3, "text": true}]"#),
        .users(.notFinite, "f: line 1, column 48", profile: #"[{"id": 3, "score": NaN}]"#),
        .users(.notFinite, "f: line 1, column 48", profile: #"[{"id": 3, "score": -Infinity}]"#),
        .users(.notFinite, "f: line 1, column 48", profile: #"[{"id": 3, "score": 1e999}]"#),
        .users(.malformed, "f: line 1, column 51", profile: #"[{"id": 3, "score": 012}]"#),
        .users(.malformed, "f: line 1, column 50", profile: #"[{"id": 3, "score": 1.}]"#),
        .users(.malformed, "f: line 1, column 48", profile: #"[{"id": 3, "score": nul}]"#),
        .users(.malformed, "f: line 1, column 49", profile: "[{\"id\": 3, \"text\": \"a\nSECRET\"}]"),
        .users(.malformed, "f: line 1, column 50", profile: #"[{"id": 3, "text": "\x41"}]"#),
        .users(.malformed, "f: line 1, column 50", profile: #"[{"id": 3, "text": "\u12"}]"#),
        .users(.malformed, "f: line 1, column 39", profile: #"[{"id": 3, 'text': "SECRET"}]"#),
        .users(.malformed, "f: line 1, column 39", profile: #"[{"id": 3, }]"#),
        .users(
            .tooLarge, "f: line 1, column 1048625",
            profile: #"[{"id": 3, "text": "\#(String(repeating: "S", count: 1 << 21))"}]"#),
        .users(
            .tooLarge, "f: line 1, column 59",
            profile: "\(String(repeating: "[", count: 100_000))\(String(repeating: "]", count: 100_000))"),
        Breach(.wrongType, "f: user 7: query", #"[{"user_id": 7, "profile": [\#(item)], "query": {}}]"#),
        Breach(
            .missingField, "f: user 7: query q: field input",
            #"[{"user_id": 7, "profile": [\#(item)], "query": [{"id": "q"}]}]"#),
        Breach(
            .wrongType, "f: user 7: query q: field input",
            #"[{"user_id": 7, "profile": [\#(item)], "query": [{"id": "q", "input": 5}]}]"#),
        Breach(
            .unknownKey, "f: user 7: query 1: answer",
            #"[{"user_id": 7, "profile": [\#(item)], "query": [{"id": "q", "input": "SECRET", "answer": ""}]}]"#),
        Breach(
            .duplicate, "f: user 7: query q",
            #"[{"user_id": 7, "profile": [\#(item)], "query": [{"id": "q", "input": ""}, {"id": "q", "input": ""}]}]"#),
    ]

    @Test(arguments: breaches)
    func breachesAreNamed(breach: Breach) throws {
        let error = try taskError { _ = try soundUsers(utf8(breach.file), file: "f") }
        #expect(error.code == breach.code)
        #expect(error.place == breach.place)
        #expect(!error.description.contains("SEC"))
    }

    @Test func aBrokenUserDoesNotStandInTheWayOfOthers() throws {
        let users = try readUsers(
            utf8(#"[{"user_id": 1, "profile": []}, \#(Self.user), {"user_id": 2, "profle": []}]"#), file: "f")
        #expect(users.map(\.id) == ["1", "7", "2"])
        #expect(users.map { (try? $0.user.get()) != nil } == [false, true, false])
        // Whom a mistake belongs to must be known.
        #expect(throws: TaskError.self) { try readUsers(utf8(#"[{"profile": []}]"#), file: "f") }
        #expect(throws: TaskError.self) {
            try readUsers(utf8(#"[{"user_id": 1, "profile": []}, {"user_id": 1, "profile": []}]"#), file: "f")
        }
    }

    @Test func bytesThatAreNoTextAreRefused() throws {
        let error = try taskError { _ = try readUsers([0x5B, 0x22, 0xFF, 0x22, 0x5D], file: "f") }
        #expect(error.code == .malformed)
    }

    /// Whatever is cut off or changed in a good file, reading it ends, with users or with an error.
    @Test func noBytesTrap() {
        var random = RandomStream(seed: 11)
        let good = utf8("[\(Self.user), \(Self.other)]")
        for length in good.indices { _ = try? readUsers(Array(good[..<length]), file: "f") }
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0...random.next(below: 3) {
                bytes[Int(random.next(below: UInt64(bytes.count)))] = UInt8(random.next(below: 256))
            }
            _ = try? readUsers(bytes, file: "f")
            _ = try? TaskDefinition(definition: bytes, file: "f")
        }
    }
}
