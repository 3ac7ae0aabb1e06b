import JSON
import Testing

@testable import Manifest

@Suite struct JobManifestTests {
    @Test func fillsInDefaults() throws {
        let manifest = try Draft().read()
        #expect(manifest.id == nil)
        #expect(manifest.base == "llama")
        #expect(manifest.task == "citation")
        #expect(manifest.sharers == .pool("p", top: 3))
        #expect(
            manifest.targets
                == .list([
                    JobManifest.Target(
                        user: "ann", history: .file("ann.json"), queries: nil, profile: nil, embedding: nil)
                ]))
        #expect(manifest.only == nil)
        #expect(manifest.evolve == JobManifest.Evolve())
        #expect(manifest.evolve.budget == 30)
        #expect(manifest.evolve.bound == 1.5)
        #expect(manifest.privacy == JobManifest.Privacy())
        #expect(manifest.maxNewTokens == 100)
        #expect(manifest.priority == 0)
        #expect(manifest.submitter == nil)
    }

    @Test func readsEverythingThatIsSaid() throws {
        let text = """
            {"job": "personalize", "id": "nightly-2026-11-20", "base": "debian/llama", "task": "tasks/section.json5",
             "sharers": [{"adapter": "ann"}, {"id": "b", "adapter": "pool/bob"}],
             "targets": [
               {"user": 4711, "history": [{"id": "1", "text": "a\\"\\u00e9\\n"}], "queries": [],
                "profile": "likes tea", "embedding": [0.5, -1]},
               {"user": "x", "history": "h/x.json", "queries": "q/x.json"}],
             "only": [4711],
             "evolve": {"optimizer": "prime-cma", "budget": 100000, "seed": 18446744073709551615, "granularity": "layer",
                        "merge": "factors", "bound": 2, "recent": 0, "fraction": 0.6, "retrieval": false,
                        "hold_out": 0.25, "temperature": 0.1},
             "privacy": {"alpha": 5, "max_similarity": 1.25}, "generate": {"max_new_tokens": 12},
             "priority": -7, "submitter": "team.a", "notes": "for the weekly mail"}
            """
        let manifest = try JobManifest(Array(text.utf8), file: "job.json")
        #expect(manifest.id == "nightly-2026-11-20")
        #expect(
            manifest.sharers
                == .adapters([
                    JobManifest.NamedAdapter(id: "ann", adapter: "ann"),
                    JobManifest.NamedAdapter(id: "b", adapter: "pool/bob"),
                ]))
        let item = Array(#"[{"id":"1","text":"a\"é\u000a"}]"#.utf8)
        #expect(
            manifest.targets
                == .list([
                    JobManifest.Target(
                        user: "4711", history: .inline(item), queries: .inline(Array("[]".utf8)), profile: "likes tea",
                        embedding: [0.5, -1]),
                    JobManifest.Target(
                        user: "x", history: .file("h/x.json"), queries: .file("q/x.json"), profile: nil, embedding: nil),
                ]))
        #expect(manifest.only == ["4711"])
        let evolve = manifest.evolve
        #expect(evolve.optimizer == .primeCMA && evolve.granularity == .layer && evolve.merge == .factors)
        #expect(evolve.budget == 100_000 && evolve.seed == .max && evolve.recent == 0)
        #expect(evolve.bound == 2 && evolve.fraction == 0.6 && evolve.holdOut == 0.25 && evolve.temperature == 0.1)
        #expect(evolve.retrieval == false)
        #expect(manifest.privacy == JobManifest.Privacy(alpha: 5, maxSimilarity: 1.25))
        #expect(manifest.maxNewTokens == 12)
        #expect(manifest.priority == -7)
        #expect(manifest.submitter == "team.a")
    }

    @Test func readsAFileOfUsers() throws {
        #expect(try Draft().with("targets", #""users.jsonl""#).read().targets == .file(.init(users: "users.jsonl")))
        let all = #"{"users": "u.json", "profiles": "p.json", "embeddings": "e.safetensors"}"#
        #expect(
            try Draft().with("targets", all).read().targets
                == .file(.init(users: "u.json", profiles: "p.json", embeddings: "e.safetensors")))
    }

    /// Which users a file has is not known yet.
    @Test func takesAnyUserOfAFile() throws {
        #expect(try Draft().with("targets", #""u.json""#).with("only", #"["x", 7]"#).read().only == ["x", "7"])
        // Who is among mistaken targets nobody knows.
        let mistaken = mistakes(in: Draft().with("targets", #"[{"user": "x"}]"#).with("only", #"["x"]"#).text)
        #expect(mistaken.count == 1 && !mistaken[0].contains("only"), "\(mistaken)")
    }

    @Test func takesAByteOrderMark() throws {
        let bytes = [0xEF, 0xBB, 0xBF] + Array(Draft().text.utf8)
        #expect(try JobManifest(bytes, file: "job.json") == Draft().read())
    }
}

@Suite struct NamingTests {
    /// What a job's result has beside the users' folders.
    @Test(arguments: ["result.json", "log.jsonl", "manifest.json", "job", "ann.tmp", ".ann"])
    func refusesUsersNamedAsFiles(_ id: String) { #expect(!isUserID(id)) }

    @Test(arguments: ["a", "a/b/c.json", "a..b", ".hidden/x", "é/ü", "a b", "..."])
    func takesPathsBelow(_ path: String) { #expect(isPathBelow(path)) }

    @Test(arguments: [
        "", "/", "/a", "..", "../a", "a/..", "a/../b", "a//b", "a/", "./a", "a/.", "a\\b", "a\u{0}", "a\nb",
        "\u{1B}[31m",
        "a\u{7F}", String(repeating: "a/", count: 3000) + "a",
    ])
    func refusesPathsThatMayLeave(_ path: String) { #expect(!isPathBelow(path)) }
}
