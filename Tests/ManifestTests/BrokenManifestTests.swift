import Testing

@testable import Manifest

/// A manifest with nothing wrong, and what may be put into it.
struct Draft {
    var members: [(key: String, value: String)] = [
        ("job", #""personalize""#), ("base", #""llama""#), ("task", #""citation""#),
        ("sharers", #"{"pool": "p"}"#), ("targets", #"[{"user": "ann", "history": "ann.json"}]"#),
    ]

    func with(_ key: String, _ value: String) -> Draft {
        var draft = without(key)
        draft.members.append((key, value))
        return draft
    }

    func without(_ key: String) -> Draft {
        var draft = self
        draft.members.removeAll { $0.key == key }
        return draft
    }

    var text: String { "{" + members.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}" }

    func read() throws(ManifestError) -> JobManifest { try JobManifest(Array(text.utf8), file: "job.json") }
}

func mistakes(in text: String) -> [String] { mistakes(in: Array(text.utf8)) }

func mistakes(in bytes: [UInt8]) -> [String] {
    do {
        _ = try JobManifest(bytes, file: "job.json")
        return []
    } catch {
        return error.mistakes.map(\.description)
    }
}

private func target(_ members: String) -> String { "[{\(members)}]" }

@Suite struct BrokenManifestTests {
    @Test func aSoundDraftHasNoMistake() { #expect(mistakes(in: Draft().text) == []) }

    /// Key, what is put there, and what is said of it.
    static let values: [(key: String, value: String, message: String)] = [
        ("job", #""personalise""#, #"job: "personalise"; Known: personalize"#),
        ("job", "1", "job: 1; write a text"),
        ("priority", "true", "priority: true; write a whole number from -100 to 100"),
        ("id", #""../x""#, #"id: "../x"; write 1 to 128 of A-Z a-z 0-9 . _ - that begin with a letter, a digit or _"#),
        ("id", #"".x""#, #"id: ".x"; write 1 to 128 of A-Z a-z 0-9 . _ - that begin with a letter, a digit or _"#),
        ("id", #""""#, #"id: ""; write 1 to 128 of A-Z a-z 0-9 . _ - that begin with a letter, a digit or _"#),
        ("id", "[]", "id: an empty list; write an id: a text or a whole number"),
        (
            "base", #""../llama""#,
            #"base: "../llama", which leads upwards; write a path below the manifest's folder or a configured root"#
        ),
        (
            "base", #""..\/\u0301llama""#,
            "base: \"../\u{301}llama\", which leads upwards; write a path below the manifest's folder or a configured root"
        ),
        (
            "base", #""/models/llama""#,
            #"base: "/models/llama", an absolute path; write a path below the manifest's folder or a configured root"#
        ),
        ("base", #""""#, #"base: "", an empty path; write a path below the manifest's folder or a configured root"#),
        (
            "base", #""a\u0000b""#,
            #"base: "a\u{0}b", with control characters; write a path below the manifest's folder or a configured root"#
        ),
        (
            "task", #""a\\b""#,
            #"task: "a\b", with a backslash; write a path below the manifest's folder or a configured root"#
        ),
        ("task", "null", "task: nothing; write a task's name"),
        ("sharers", #""pool""#, "sharers: a text; write {pool, top_k} or a list"),
        ("sharers", "{}", "sharers.pool: nothing; write a pool's name"),
        ("sharers", #"{"pool": "p", "topk": 3}"#, "sharers.topk: an unknown key; did you mean top_k?"),
        ("sharers", #"{"pool": "p", "top_k": 0}"#, "sharers.top_k: 0; write a whole number from 1 to 64"),
        ("sharers", #"{"pool": "p", "top_k": 2.5}"#, "sharers.top_k: 2.5; write a whole number from 1 to 64"),
        ("sharers", "[]", "sharers: 0 adapters; list 1 to 64"),
        ("sharers", #"["a"]"#, "sharers[0]: a text; write {id, adapter}"),
        ("sharers", #"[{"id": "a"}]"#, "sharers[0].adapter: nothing; write the path of a PEFT adapter folder"),
        (
            "sharers", #"[{"adapter": "x/a"}, {"adapter": "y/a"}]"#,
            "sharers[1].id: a again; give each sharer an id of its own"
        ),
        (
            "sharers", #"[{"adapter": "my adapter"}]"#,
            "sharers[0].id: nothing, and the folder's name is no id; "
                + "write 1 to 128 of A-Z a-z 0-9 . _ - that begin with a letter, a digit or _"
        ),
        ("targets", "[]", "targets: no target; give at least one user"),
        ("targets", "7", "targets: 7; write a list, or the name of a file of users"),
        ("targets", "{}", "targets.users: nothing; write the name of a file of users"),
        ("targets", #"{"users": "u.json", "labels": "l.json"}"#, "targets.labels: an unknown key; did you mean users?"),
        ("targets", #"["ann"]"#, "targets[0]: a text; write {user, history, queries}"),
        (
            "targets", target(#""user": "a""#),
            "targets[0].history: nothing; write a list of items, or the name of a file"
        ),
        ("targets", target(#""history": "h""#), "targets[0].user: nothing; write the user's id"),
        (
            "targets", target(#""user": "result.json", "history": "h""#),
            #"targets[0].user: "result.json", a name that files of a result have; give another id"#
        ),
        (
            "targets", target(#""user": "a", "history": {"secret": "text"}"#),
            "targets[0].history: an object; write a list, or the name of a file"
        ),
        (
            "targets", target(#""user": "a", "history": []"#),
            "targets[0].history: an empty list; give at least one item"
        ),
        (
            "targets", target(#""user": "a", "history": "h", "query": "q""#),
            "targets[0].query: an unknown key; did you mean queries?"
        ),
        ("targets", target(#""user": "a", "history": "h", "profile": 3"#), "targets[0].profile: 3; write a text"),
        (
            "targets", target(#""user": "a", "history": "h", "embedding": []"#),
            "targets[0].embedding: an empty list; write a list of 1 to 65536 numbers"
        ),
        (
            "targets", target(#""user": "a", "history": "h", "embedding": [1, "x"]"#),
            "targets[0].embedding[1]: a text; write a finite single-precision number"
        ),
        (
            "targets", target(#""user": "a", "history": "h", "embedding": [1e39]"#),
            "targets[0].embedding[0]: 1e39; write a finite single-precision number"
        ),
        (
            "targets", target(#""user": "a", "history": "h", "embedding": [0, 0]"#),
            "targets[0].embedding: only zeros; write a vector with a direction"
        ),
        (
            "targets", #"[{"user": 4711, "history": "h"}, {"user": "4711", "history": "h"}]"#,
            "targets[1].user: 4711 again; give each user once"
        ),
        ("only", "[]", "only: an empty list; write a list of users' ids"),
        ("only", #"["bob"]"#, #"only[0]: "bob", who is not among the targets; name users of targets"#),
        ("only", "[true]", "only[0]: true; write a user's id"),
        ("evolve", #""fast""#, "evolve: a text; write an object"),
        ("evolve", #"{"optimiser": "cma-es"}"#, "evolve.optimiser: an unknown key; did you mean optimizer?"),
        (
            "evolve", #"{"optimizer": "cma"}"#,
            #"evolve.optimizer: "cma"; did you mean cma-es? Known: cma-es, prime-cma"#
        ),
        ("evolve", #"{"budget": 0}"#, "evolve.budget: 0; write a whole number from 1 to 100000"),
        ("evolve", #"{"budget": 100001}"#, "evolve.budget: 100001; write a whole number from 1 to 100000"),
        ("evolve", #"{"budget": "30"}"#, "evolve.budget: a text; write a whole number from 1 to 100000"),
        ("evolve", #"{"budget": 1e99}"#, "evolve.budget: 1e99; write a whole number from 1 to 100000"),
        ("evolve", #"{"seed": -1}"#, "evolve.seed: -1; write a whole number from 0 to 18446744073709551615"),
        (
            "evolve", #"{"seed": 18446744073709551616}"#,
            "evolve.seed: 18446744073709551616; write a whole number from 0 to 18446744073709551615"
        ),
        ("evolve", #"{"merge": "Delta"}"#, #"evolve.merge: "Delta"; did you mean delta? Known: delta, factors"#),
        ("evolve", #"{"bound": 0}"#, "evolve.bound: 0; write a number from 0.01 to 100"),
        ("evolve", #"{"fraction": 1.5}"#, "evolve.fraction: 1.5; write a number from 0.001 to 1"),
        ("evolve", #"{"hold_out": 1}"#, "evolve.hold_out: 1; write a number from 0 to 0.9"),
        ("evolve", #"{"retrieval": 1}"#, "evolve.retrieval: 1; write true or false"),
        ("privacy", #"{"alpha": -0.1}"#, "privacy.alpha: -0.1; write a number from 0 to 100"),
        ("privacy", #"{"alpha": "0.1"}"#, "privacy.alpha: a text; write a number from 0 to 100"),
        ("generate", #"{"max_new_tokens": 0}"#, "generate.max_new_tokens: 0; write a whole number from 1 to 4096"),
        ("priority", "101", "priority: 101; write a whole number from -100 to 100"),
        ("sharer", "[]", "sharer: an unknown key; did you mean sharers?"),
        // It may be what somebody wrote.
        ("\\u001b[31m", "1", "(a key of 5 characters): an unknown key; did you mean job?"),
    ]

    @Test(arguments: values) func namesPlaceFindingAndMend(_ key: String, _ value: String, _ message: String) {
        #expect(mistakes(in: Draft().with(key, value).text) == ["job.json: \(message)"])
    }

    static let texts: [(text: String, message: String)] = [
        ("", "job.json: line 1, column 1: the end of the file where a value belongs; correct the JSON there"),
        ("[]", "job.json: a list; write an object"),
        ("{\n  \"job\": }", "job.json: line 2, column 10: no value where one belongs; correct the JSON there"),
        (
            "{\"job\": \"personalize\",\n \"job\": \"personalize\"}",
            "job.json: line 2, column 2: the key job twice; keep one of them"
        ),
        ("{\"so sad\": 1, \"so sad\": 1}", "job.json: line 1, column 15: a key twice; keep one of them"),
        (
            "{\"a\": NaN}",
            "job.json: line 1, column 7: a number that is not finite; write a finite number or leave it out"
        ),
        (
            "{\"a\": 1e999}",
            "job.json: line 1, column 7: a number that is not finite; write a finite number or leave it out"
        ),
        (
            String(repeating: "[", count: 100_000),
            "job.json: line 1, column 34: brackets nested deeper than 32; write the file as the format says"
        ),
        ("{} {}", "job.json: line 1, column 4: more after the end of the value; correct the JSON there"),
        ("{\"a\": \"b", "job.json: line 1, column 9: the end of the file inside a text; correct the JSON there"),
        ("{'a': 1}", "job.json: line 1, column 2: no quoted key where one belongs; correct the JSON there"),
        (
            "{\"a\": 01}",
            "job.json: line 1, column 9: a number without digits, or with a leading zero; correct the JSON there"
        ),
    ]

    @Test(arguments: texts) func tellsLineAndColumnOfBrokenJSON(_ text: String, _ message: String) {
        #expect(mistakes(in: text) == [message])
    }

    @Test func refusesBytesThatAreNoUTF8() {
        #expect(
            mistakes(in: [0x7B, 0xFF, 0x7D]) == ["job.json: bytes that are not UTF-8; save the file as UTF-8"])
    }

    @Test func collectsEveryMistakeInTheOrderOfTheFields() {
        let draft = Draft().without("base").with("evolve", #"{"budget": 0, "seed": -1}"#).with("priority", "1.5")
        #expect(
            mistakes(in: draft.with("colour", "1").text) == [
                "job.json: colour: an unknown key; did you mean job?",
                "job.json: base: nothing; write a model's name",
                "job.json: priority: 1.5; write a whole number from -100 to 100",
                "job.json: evolve.budget: 0; write a whole number from 1 to 100000",
                "job.json: evolve.seed: -1; write a whole number from 0 to 18446744073709551615",
            ])
    }

    /// So that the result of a refused job lies under the id that its submitter waits for.
    @Test func tellsTheIDOfAMistakenManifest() {
        func id(_ draft: Draft) -> String? { #expect(throws: ManifestError.self) { try draft.read() }?.id }
        #expect(id(Draft().with("id", #""nightly""#).with("priority", "1000")) == "nightly")
        #expect(id(Draft().with("id", #""../nightly""#)) == nil)
        #expect(id(Draft().without("base")) == nil)
    }

    @Test func stopsAtAHundredMistakes() {
        let many = (0..<500).map { #"{"user": "u\#($0)"}"# }.joined(separator: ",")
        #expect(mistakes(in: Draft().with("targets", "[\(many)]").text).count == 100)
        let unknown = (0..<500).map { #""k\#($0)": 1"# }.joined(separator: ",")
        #expect(mistakes(in: "{\(unknown)}").count == 100)
    }

    @Test func neverShowsHistoryText() {
        let secret = "the patient's diary"
        for value in [#""\#(secret)""#, #"[[{"id": "1", "text": "\#(secret)"}]]"#, #"{"text": "\#(secret)"}"#] {
            for key in ["history", "queries", "profile", "embedding"] {
                let members = ["user": #""ann""#, "history": #""h.json""#].merging([key: value]) { $1 }
                let list = members.map { #""\#($0.key)": \#($0.value)"# }.joined(separator: ",")
                let found = mistakes(in: Draft().with("targets", "[{\(list)}]").text)
                #expect(!found.joined().contains("diary"))
            }
        }
    }

    /// A large, flat file must be refused in about the time that it takes to read it.
    @Test(.timeLimit(.minutes(1))) func isNotSlowedDownByHostileFiles() {
        let adapters = (0..<50_000).map { #"{"adapter": "a\#($0)"}"# }.joined(separator: ",")
        #expect(
            mistakes(in: Draft().with("sharers", "[\(adapters)]").text) == [
                "job.json: sharers: 50000 adapters; list 1 to 64"
            ])
        let keys = (0..<50_000).map { "\n\"k\($0)\": \($0)" }.joined(separator: ",")
        #expect(mistakes(in: "{\(keys)}").count == 100)
    }
}
