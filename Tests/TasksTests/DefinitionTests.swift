import FoundationEssentials
import Testing

@testable import Tasks

@Suite struct DefinitionTests {
    /// A good definition with `members` added or, by key, replaced.
    static func definition(_ replaced: [String: String?] = [:]) -> [UInt8] {
        var members: [String: String] = [
            "name": #""stars""#, "kind": #""ordinal""#, "labels": "[1, 2, 3]", "metrics": #"["MAE", "accuracy"]"#,
            "history": #"{prompt: "{review}:", full: "{review}: {stars}"}"#,
            "retrieval": #"{document: "{review}", query: "{review}"}"#, "query": #"{prompt: "{}:", marker: "m "}"#,
        ]
        for (key, value) in replaced { members[key] = value }
        return utf8("{// JSON5\n" + members.map { "\($0): \($1)," }.sorted().joined(separator: "\n") + "}")
    }

    @Test func definitionsAreRead() throws {
        let task = try TaskDefinition(definition: Self.definition(), file: "t")
        #expect(task.name == "stars")
        #expect(task.kind == .ordinal(labels: ["1", "2", "3"]))
        #expect(task.metricNames == ["MAE", "accuracy"])
        #expect(!task.retrievesByDefault)
        let user = User(
            id: "7", history: [HistoryItem(id: "1", fields: ["review": "so  so", "stars": "2"])],
            queries: [Query(id: "q", input: "m good")])
        #expect(try task.examples(user) == [Example(id: "u7-1", item: "1", prompt: "so so:", answer: "2")])
        #expect(try task.prompts(user) == [Prompt(id: "q", text: "good:")])
        #expect(try task.embeddingTexts(user) == ["so so"])
    }

    @Test func theRestHasDefaults() throws {
        let task = try TaskDefinition(
            definition: Self.definition([
                "retrieval": nil, "query": #"{prompt: '{}'}"#, "answer": #""first-line""#,
                "history": #"{prompt: "{review}:", full: "{review}: {stars}", words: 2}"#,
                "history_metrics": #"["rouge-1"]"#,
            ]), file: "t")
        let user = User(
            id: "7", history: [HistoryItem(id: "1", fields: ["review": "a b c", "stars": "2"])],
            queries: [Query(id: "q", input: "all of it")])
        #expect(try task.examples(user)[0].prompt == "a b:")
        #expect(try task.prompts(user)[0].text == "all of it")
        #expect(try task.embeddingTexts(user) == ["a b: 2"])
        #expect(task.answer("\n 2 \nbecause") == "2")
        #expect(task.metricNames == ["rouge-1"])
        #expect(try taskError { _ = try task.examples(user, retrieval: true) }.code == .contradiction)
    }

    @Test func partsAreCutOut() throws {
        let task = try TaskDefinition(
            definition: Self.definition([
                "query": #"{prompt: "{} or {}?", parts: [{open: "[1]: '", close: "'"}, {open: "[2]: '", close: "'"}]}"#
            ]), file: "t")
        let user = User(id: "7", history: [], queries: [Query(id: "q", input: "[2]: 'b' [1]: 'a'")])
        #expect(try task.prompts(user)[0].text == "a or b?")
    }

    @Test(
        arguments: [
            (TaskError.Code.missingField, "t: field name", ["name": nil]),
            (.wrongType, "t: name", ["name": "5"]),
            (.badID, "t: name", ["name": #""citation""#]),
            (.badID, "t: name", ["name": #""a/b""#]),
            (.badID, "t: name", ["name": #""""#]),
            (.missingField, "t: field kind", ["kind": nil]),
            (.contradiction, "t: kind", ["kind": #""ordinl""#]),
            (.missingField, "t: field labels", ["labels": nil]),
            (.wrongType, "t: labels", ["labels": #""1""#]),
            (.wrongType, "t: labels", ["labels": "[[1]]"]),
            (.contradiction, "t: labels", ["labels": "[1]"]),
            (.contradiction, "t: labels", ["labels": #"["1", " "]"#]),
            (.duplicate, "t: labels", ["labels": "[1, 1]"]),
            (.contradiction, "t: labels", ["labels": "[2, 1]"]),
            (.contradiction, "t: labels", ["labels": #"["one", "two"]"#]),
            (.contradiction, "t: labels", ["kind": #""generation""#]),
            (.missingField, "t: query: parts", ["query": #"{"prompt": "p", "parts": []}"#]),
            (.contradiction, "t: metrics", ["metrics": "[]"]),
            (.contradiction, "t: metrics", ["metrics": #"["MAE", "MAE"]"#]),
            (.unknownMetric, "t: metrics", ["metrics": #"["acuracy"]"#]),
            (.contradiction, "t: metrics", ["kind": #""classification""#]),
            (.contradiction, "t: metrics", ["kind": #""generation""#, "labels": nil]),
            (.missingField, "t: field history", ["history": nil]),
            (.wrongType, "t: history", ["history": "[]"]),
            (.missingField, "t: history: field full", ["history": #"{prompt: "{a}"}"#]),
            (.unknownKey, "t: history: promt", ["history": #"{promt: "{a}"}"#]),
            (.badTemplate, "t: history: prompt", ["history": #"{prompt: "{a", full: "{a} {b}"}"#]),
            (.badTemplate, "t: history: prompt", ["history": #"{prompt: "{}", full: "{} {b}"}"#]),
            (.badTemplate, "t: history: full", ["history": #"{prompt: "{a}", full: "{b}"}"#]),
            (.badTemplate, "t: history: full", ["history": #"{prompt: "{a}", full: "{a} b"}"#]),
            (.wrongType, "t: history: words", ["history": #"{prompt: "{a}", full: "{a} {b}", words: 0}"#]),
            (.wrongType, "t: history: words", ["history": #"{prompt: "{a}", full: "{a} {b}", words: 1e3}"#]),
            (.missingField, "t: retrieval: field query", ["retrieval": #"{document: "{a}"}"#]),
            (.wrongType, "t: retrieval: prompts", ["retrieval": #"{document: "{a}", query: "{a}", prompts: 1}"#]),
            (.missingField, "t: field query", ["query": nil]),
            (.badTemplate, "t: query: prompt", ["query": #"{prompt: "none"}"#]),
            (.badTemplate, "t: query: prompt", ["query": #"{prompt: "{} {}"}"#]),
            (.badTemplate, "t: query: prompt", ["query": #"{prompt: "{} {a}"}"#]),
            (.missingField, "t: query: marker", ["query": #"{prompt: "{}", marker: ""}"#]),
            (.contradiction, "t: query: parts", ["query": #"{prompt: "{}", marker: "m", parts: []}"#]),
            (.wrongType, "t: query: parts", ["query": #"{prompt: "{}", parts: {}}"#]),
            (.wrongType, "t: query: parts: 1", ["query": #"{prompt: "{}", parts: [1]}"#]),
            (.contradiction, "t: answer", ["answer": #""last-line""#]),
            (.unknownKey, "t: lables", ["lables": "[]"]),
            (.malformed, "t: line 4, column 1", ["kind": "/* SECRET"]),
        ] as [(TaskError.Code, String, [String: String?])])
    func mistakesAreNamed(code: TaskError.Code, place: String, replaced: [String: String?]) throws {
        let error = try taskError { _ = try TaskDefinition(definition: Self.definition(replaced), file: "t") }
        #expect(error.code == code)
        #expect(code == .malformed || error.place == place)
    }

    @Test(arguments: [1, 10_001])
    func howManyLabelsThereMayBeIsSaid(_ count: Int) throws {
        let labels = (1...count).map(String.init).joined(separator: ",")
        let error = try taskError {
            _ = try TaskDefinition(definition: Self.definition(["labels": "[\(labels)]"]), file: "t")
        }
        #expect(error.found.hasPrefix("\(count) labels") && error.remedy == "give 2 to 10000, none empty")
    }

    @Test func theNearestNameIsOffered() throws {
        for (replaced, offered) in [
            (["lables": "[]"], "labels"), (["metrics": #"["acuracy"]"#], "accuracy"),
            (["kind": #""ordinl""#], "ordinal"),
        ] {
            let error = try taskError { _ = try TaskDefinition(definition: Self.definition(replaced), file: "t") }
            #expect(error.description.contains("did you mean \(offered)?"))
        }
    }

    @Test(arguments: [
        ("", "an empty name; "), ("x y", "\"x y\", with a blank, a slash or what is not ASCII; "),
        ("citation", "\"citation\", which is a built-in task; "),
        (String(repeating: "x", count: 101), "a name of 101 bytes; "),
    ])
    func aNameThatCannotBeSaysWhy(_ name: String, _ words: String) throws {
        let error = try taskError {
            _ = try TaskDefinition(definition: Self.definition(["name": "\"\(name)\""]), file: "t")
        }
        #expect(error.description == "t: name: \(words)take at most 100 letters, digits, - and _")
    }

    @Test func builtInTasksAreFoundByBothNames() {
        #expect(TaskDefinition.all.count == 7)
        for (key, id) in [
            ("citation", "LaMP_1"), ("movie_tagging", "LaMP_2M"), ("news_categorize", "LaMP_2N"),
            ("product_rating", "LaMP_3"), ("news_headline", "LaMP_4"), ("scholarly_title", "LaMP_5"),
            ("tweet_paraphrase", "LaMP_7"),
        ] {
            #expect(TaskDefinition.builtIn(key)?.lampID == id)
            #expect(TaskDefinition.builtIn(id)?.name == key)
        }
        #expect(TaskDefinition.builtIn("LaMP_6") == nil)
        #expect(TaskDefinition.builtIn("movie_tagging")?.kind.labels.count == 15)
        #expect(TaskDefinition.builtIn("news_categorize")?.kind.labels.count == 15)
    }
}
