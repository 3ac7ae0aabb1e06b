import Testing

@testable import Tasks

/// Prompts byte by byte against what `str.format` makes of the authors' prompt files, and against the peer.
@Suite struct PromptTests {
    struct LaMPCase: Decodable {
        let task: String
        let users: [UserCase]
    }

    struct UserCase: Decodable {
        struct ExampleCase: Decodable {
            let id, item, prompt, answer: String
        }
        struct PromptCase: Decodable {
            let id, text: String
        }
        let user: String
        let examples: [ExampleCase]
        let prompts: [PromptCase]
        let embedding: [String]
    }

    @Test func builtInPromptsAreTheAuthors() throws {
        let cases = try Fixture.read([LaMPCase].self, "lamp")
        #expect(cases.map(\.task).sorted() == TaskDefinition.all.map(\.name).sorted())
        for lamp in cases {
            let task = try #require(TaskDefinition.builtIn(lamp.task))
            for expected in lamp.users {
                let user = try soundUsers(utf8(expected.user), file: "user.json")[0]
                let examples = try task.examples(user)
                #expect(examples.count == expected.examples.count)
                for (made, wanted) in zip(examples, expected.examples) {
                    #expect(made.id == wanted.id)
                    #expect(made.item == wanted.item)
                    #expect(sameBytes(made.prompt, wanted.prompt), "\(lamp.task) \(wanted.id)")
                    #expect(sameBytes(made.answer, wanted.answer), "\(lamp.task) \(wanted.id)")
                }
                let prompts = try task.prompts(user)
                #expect(prompts.map(\.id) == expected.prompts.map(\.id))
                for (made, wanted) in zip(prompts, expected.prompts) {
                    #expect(sameBytes(made.text, wanted.text), "\(lamp.task) \(wanted.id)")
                }
                let embedding = try task.embeddingTexts(user)
                #expect(embedding.count == expected.embedding.count)
                #expect(zip(embedding, expected.embedding).allSatisfy(sameBytes), "\(lamp.task)")
            }
        }
    }

    struct DebianCase: Decodable {
        struct History: Decodable {
            let digest: String
            let count: Int
            let last: String
        }
        struct QueryCase: Decodable {
            let prompt, id: String
        }
        let task, user: String
        let queries: [QueryCase]
        let plain, formatted: History
    }

    @Test func definedPromptsAreThePeers() throws {
        for debian in try Fixture.read([DebianCase].self, "debian") {
            let task = try Fixture.definition(debian.task)
            let user = try soundUsers(utf8(debian.user), file: "user.json")[0]
            for (retrieval, expected) in [(nil, debian.plain), (true, debian.formatted)] {
                let examples = try task.examples(user, retrieval: retrieval)
                #expect(examples.count == expected.count)
                #expect(sameBytes(try #require(examples.last).prompt, expected.last))
                #expect(digest(examples.flatMap { [$0.id, $0.prompt, $0.answer] }) == expected.digest)
            }
            let prompts = try task.prompts(user)
            #expect(prompts.map(\.id) == debian.queries.map(\.id))
            #expect(zip(prompts, debian.queries).allSatisfy { sameBytes($0.text, $1.prompt) })
        }
    }

    // MARK: - Options

    static let item = HistoryItem(id: "1", fields: ["description": "a film", "tag": "comedy"])

    static func user(_ count: Int, profile: String? = "likes films") -> User {
        User(id: "u", history: (0..<count).map { HistoryItem(id: "\($0)", fields: item.fields) }, profile: profile)
    }

    @Test func recentKeepsTheLatest() throws {
        let task = try #require(TaskDefinition.builtIn("LaMP_2M"))
        #expect(try task.examples(Self.user(60), retrieval: false).map(\.item) == (10..<60).map(String.init))
        #expect(try task.examples(Self.user(60), recent: 3, retrieval: false).map(\.item) == ["57", "58", "59"])
        #expect(try task.examples(Self.user(60), recent: 0, retrieval: false).count == 60)
        #expect(try task.examples(Self.user(3)).map(\.item) == ["0", "1", "1", "2", "2"])
    }

    @Test func fractionIsSeededAndKeepsTheOrder() throws {
        let task = try #require(TaskDefinition.builtIn("movie_tagging"))
        let user = Self.user(40)
        let some = try task.examples(user, fraction: 0.25, seed: 7)
        #expect(some.count == 19)
        #expect(some.map { Int($0.item) ?? 0 } == some.map { Int($0.item) ?? 0 }.sorted())
        #expect(try task.examples(user, fraction: 0.25, seed: 7) == some)
        #expect(try task.examples(user, fraction: 0.25, seed: 8) != some)
        #expect(try task.examples(user, fraction: 0.001).count == 1)
        #expect(throws: TaskError.self) { try task.examples(user, fraction: 0) }
        #expect(throws: TaskError.self) { try task.examples(user, fraction: .nan) }
        #expect(throws: TaskError.self) { try task.examples(user, recent: -1) }
    }

    @Test func retrievalNeedsAProfile() throws {
        let task = try #require(TaskDefinition.builtIn("movie_tagging"))
        #expect(try taskError { _ = try task.examples(Self.user(2, profile: nil)) }.code == .missingProfile)
        #expect(try task.examples(Self.user(2, profile: nil), retrieval: false).count == 2)
    }

    @Test func errorsNameThePlaceAndNeverTheText() throws {
        let task = try #require(TaskDefinition.builtIn("movie_tagging"))
        let secret = HistoryItem(id: "9", fields: ["description": "SECRET"])
        let queries = [Query(id: "q4", input: "SECRET without it")]
        let user = User(id: "4711", history: [secret], queries: queries, profile: "SECRET")
        for body in [{ _ = try task.examples(user) }, { _ = try task.embeddingTexts(user) }] {
            let error = try taskError(body)
            #expect(error.code == .missingField)
            #expect(error.place == "user 4711: item 9: field tag")
            #expect(!error.description.contains("SECRET"))
        }
        let error = try taskError { _ = try task.prompts(user) }
        #expect(error.code == .missingMarker)
        #expect(error.place == "user 4711: query q4: field input")
        #expect(!error.description.contains("SECRET"))
        let nobody = User(id: "4711", history: [])
        #expect(try taskError { _ = try task.examples(nobody) }.code == .emptyHistory)
    }

    /// What cannot be judged is left out.
    @Test(arguments: [("package_section", "tag"), ("product_rating", "score"), ("news_categorize", "category")])
    func aHistoryWithoutALabelIsRefused(_ name: String, _ field: String) throws {
        let task = try TaskDefinition.builtIn(name) ?? Fixture.definition(name)
        func items(_ answers: [String]) -> [HistoryItem] {
            answers.enumerated().map { index, answer in
                let texts = ["description": "d", "text": "t", "title": "t", "package": "p"]
                return HistoryItem(id: "\(index)", fields: texts.merging([field: answer]) { $1 })
            }
        }
        let wrong = try taskError {
            _ = try task.examples(User(id: "u", history: items(["SECRET", "SECRET"]), profile: "p"))
        }
        #expect(wrong.code == .unknownLabel && wrong.place == "user u" && !wrong.description.contains("SECRET"))
        let label = try #require(task.kind.labels.first)
        let user = User(id: "u", history: items(["SECRET", label, "SECRET"]), profile: "p")
        #expect(try task.examples(user, retrieval: false).map(\.item) == ["1"])
    }

    @Test func citationNeedsAllItsParts() throws {
        let task = try #require(TaskDefinition.builtIn("LaMP_1"))
        for input in [
            "no title", "written the paper with the title \"open", "written the paper with the title \"T\" [1]: \"a\"",
        ] {
            let user = User(id: "1", history: [Self.item], queries: [Query(id: "q", input: input)])
            #expect(try taskError { _ = try task.prompts(user) }.code == .missingMarker)
        }
    }

    @Test func markersAreFoundByBytes() throws {
        // A combining accent joins the marker's last space into one Character.
        let task = try #require(TaskDefinition.builtIn("movie_tagging"))
        let user = User(id: "1", history: [], queries: [Query(id: "q", input: "tags: [x] description: \u{301}z\r\n")])
        let text = try task.prompts(user)[0].text
        #expect(sameBytes(String(text.suffix(20)), String("Description: \u{301}z\r\n Tag:".suffix(20))))
    }

    @Test func answersAreTrimmedAsPythonDoes() throws {
        let task = try #require(TaskDefinition.builtIn("LaMP_5"))
        #expect(task.answer(" \u{3000}\u{1C}A title\u{200B}\n\u{85}") == "A title\u{200B}")
        #expect(task.answer(" \n") == "")
        #expect(task.answer("one\r\ntwo") == "one\r\ntwo")
    }
}
