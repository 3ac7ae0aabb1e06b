import Foundation
import Testing

@Suite("A job from its manifest to its result")
struct JobTests {
    @Test func runLeavesWhatOtherProgramsRelyOn() throws {
        let scene = try Scene()
        let ending = try scene.onSite("run", try scene.manifest("job", users: #"["78", "114"]"#))
        #expect(ending.status == 0, "\(ending.errors)")
        let result = try scene.result("job")
        #expect(result.schema == 1)
        #expect(result.id == "job")
        #expect(result.status == "done")
        #expect(result.error == nil)
        let targets = try #require(result.targets)
        #expect(targets.map(\.user) == ["78", "114"])
        for target in targets {
            let sharers = try #require(target.sharers)
            #expect(sharers.count == 3)
            #expect(target.weights?.count == 3)
            #expect(target.merge == "delta")
            #expect(target.evaluations == 7)
            #expect(target.seed != nil)
            let utility = try #require(target.utility)
            #expect(Set(utility.sharers.keys) == Set(sharers))
            // The merge is never worse than the base on the history, since the base stays otherwise.
            #expect(target.status == "base" ? utility.merged == utility.base : utility.merged > utility.base)
            let similarity = try #require(target.similarity)
            #expect(Set(similarity.sharers.keys) == Set(sharers))
            #expect(abs(similarity.sharers.values.reduce(0, +) / 3 - similarity.mean) < 1e-12)
            #expect(try #require(target.seconds?["total"]) > 0)
            let folder = "outbox/job/\(target.user)"
            #expect(
                try scene.names(in: folder) == ["adapter", "predictions.jsonl", "privacy.json", "report.html"])
            #expect(
                try scene.names(in: "\(folder)/adapter")
                    == ["README.md", "adapter_config.json", "adapter_model.safetensors"])
            #expect(try scene.text("\(folder)/report.html").hasPrefix("<!doctype html>"))
            #expect(throws: Never.self) {
                try JSONSerialization.jsonObject(with: scene.bytes("\(folder)/privacy.json"))
            }
            struct Prediction: Decodable {
                var id: String
                var output: String
            }
            struct User: Decodable {
                struct Query: Decodable { var id: String }
                var user_id: Int
                var query: [Query]
            }
            let predictions = try scene.text("\(folder)/predictions.jsonl").split(separator: "\n").map {
                try JSONDecoder().decode(Prediction.self, from: Data($0.utf8))
            }
            let users = try JSONDecoder().decode(
                [User].self, from: Data(contentsOf: Scene.examples.appending(path: "users/three.json")))
            let user = try #require(users.first { "\($0.user_id)" == target.user })
            #expect(predictions.map(\.id) == user.query.map(\.id))
            #expect(predictions.contains { !$0.output.isEmpty })
        }
        #expect(try scene.names(in: "outbox/job") == ["114", "78", "log.jsonl", "result.json"])
        for line in try scene.text("outbox/job/log.jsonl").split(separator: "\n") {
            let event = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(event?["event"] is String)
        }
    }

    /// As the daemon would end it, with what was done by then.
    @Test func aRunEndsWhenItsTimeIsOver() throws {
        let scene = try Scene()
        let manifest = try scene.manifest("late", budget: 100_000, extra: #", "limits": { "seconds": 1 }"#)
        let ending = try scene.onSite("run", manifest)
        #expect(ending.status == 70 && ending.errors.contains("limits.seconds"), "\(ending)")
        #expect(
            try scene.result("late").status == "failed" && scene.text("outbox/late/result.json").contains("time-limit"))
        #expect(try scene.text("outbox/late/log.jsonl").contains(#""attempt":1"#))
    }

    /// The same manifest gives the same bytes, whoever runs it; seconds and logs tell the time and may differ.
    @Test func daemonAndForegroundGiveTheSameBytes() throws {
        let scene = try Scene()
        let manifest = try scene.manifest("job", extra: #", "privacy": { "alpha": 0.5 }"#)
        #expect(try scene.onSite("run", "--outbox", scene.path("elsewhere"), manifest).status == 0)
        #expect(try scene.onSite("submit", manifest).status == 0)
        #expect(try scene.onSite("serve", "--once").status == 0)
        for file in [
            "adapter/adapter_model.safetensors", "adapter/adapter_config.json", "adapter/README.md", "privacy.json",
            "report.html", "predictions.jsonl",
        ] {
            let served = try scene.bytes("outbox/job/78/\(file)")
            #expect(served == (try scene.bytes("elsewhere/job/78/\(file)")), "\(file)")
        }
        #expect(try scene.names(in: "inbox").isEmpty)
        #expect(try scene.names(in: "work").allSatisfy { !$0.contains("job") })
    }

    @Test func publishedAdapterPredictsAsTheMergeDid() throws {
        let scene = try Scene()
        #expect(try scene.onSite("run", try scene.manifest("job")).status == 0)
        let result = try scene.result("job")
        let target = try #require(result.targets?.first)
        let weights = try #require(target.weights)
        let pool = Scene.examples.appending(path: "pools/package_section").path
        let adapters = zip(try #require(target.sharers), weights).flatMap {
            ["--adapter", "\(pool)/user_\($0)=\($1)"]
        }
        let prompts = (0..<6).map {
            "{\"id\":\"\($0)\",\"prompt\":\"Description: a library for \($0) Tag:\",\"answer\":\" libs\"}\n"
        }
        struct Line: Decodable {
            var tokens: [Int]
            var logprob: Double
        }
        func predicted(_ arguments: [String]) throws -> [Line] {
            let ending = try scene.start(
                ["predict", "--model", Scene.model, "--max-new-tokens", "6"] + arguments, input: prompts.joined()
            ).ending()
            #expect(ending.status == 0, "\(ending.errors)")
            return try ending.lines.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        }
        let merged = try predicted(adapters)
        #expect(merged.count == 6)
        let published = try predicted(["--adapter", "\(scene.path("outbox/job/78/adapter"))=1"])
        #expect(published.map(\.tokens) == merged.map(\.tokens))
        for ((mine, theirs), base) in zip(zip(published, merged), try predicted([])) {
            #expect(abs(mine.logprob - theirs.logprob) < 1e-4)
            #expect(abs(base.logprob - theirs.logprob) > 1e-2)
        }
    }

    @Test func resultAboveTheLimitIsHeld() throws {
        let scene = try Scene()
        let ending = try scene.onSite(
            "run", try scene.manifest("job", extra: #", "privacy": { "alpha": 0, "max_similarity": 0.01 }"#))
        #expect(ending.status == 70)
        let result = try scene.result("job")
        #expect(result.status == "held")
        #expect(result.targets?.first?.status == "held")
        #expect(result.error?.code == "held" && result.error?.where == "manifest: targets")
        #expect(ending.errors.contains("1 of 1 targets held back; the first, user 78: "), "\(ending.errors)")
        #expect(try scene.names(in: "outbox/job/78") == ["privacy.json", "report.html"])
        #expect(try scene.text("outbox/job/78/report.html").contains("is held"))
    }

    /// What the model can never take ends its target before the search, not after it; the others go on.
    @Test func anImpossibleQueryIsRefusedFirst() throws {
        let scene = try Scene()
        let item = #"{"id":"1","description":"A clock","tag":"x11"}"#
        let long = String(repeating: "clock ", count: 3000)
        func target(_ user: String, _ description: String) -> String {
            """
            { "user": "\(user)", "history": [\(item)],
              "queries": [{ "id": "q7", "input": "tags: [x11] description: \(description)" }] }
            """
        }
        let manifest = try scene.manifest(
            "job", users: #"["u", "v"]"#, targets: "[\(target("u", long)), \(target("v", "A bell"))]", budget: 4)
        #expect(try scene.onSite("run", manifest).status == 70)
        let targets = try #require(try scene.result("job").targets)
        #expect(targets.map(\.status) == ["failed", "done"] || targets.map(\.status) == ["failed", "base"])
        let error = try #require(targets.first?.error)
        #expect(error.code == "too-long")
        #expect(error.where.hasPrefix("user u, query q7"), "\(error.where)")
        let log = try scene.text("outbox/job/log.jsonl").split(separator: "\n")
        func evaluations(_ user: String) -> Int {
            log.count { $0.contains("\"event\":\"evaluated\"") && $0.contains("\"user\":\"\(user)\"") }
        }
        #expect(evaluations("u") == 0)
        #expect(evaluations("v") > 0)
    }

    /// When a sharer withdraws, what was made of its adapter can be named.
    @Test func lineageNamesTheAdaptersOfASharer() throws {
        let scene = try Scene()
        try FileManager.default.removeItem(atPath: scene.path("outbox"))
        #expect(try scene.onSite("lineage", "--sharer", "207").status == 0)
        #expect(try scene.onSite("run", try scene.manifest("job", budget: 14)).status == 0)
        let target = try #require(try scene.result("job").targets?.first)
        try #require(target.status == "done")
        let (sharers, weights) = (try #require(target.sharers), try #require(target.weights))
        for (sharer, weight) in zip(sharers, weights) where weight != 0 {
            let found = try scene.onSite("lineage", "--sharer", sharer, "--pool", "package_section")
            #expect(found.status == 0)
            #expect(found.lines.count == 1 && found.out.contains("/outbox/job/78/adapter  "), "\(found.out)")
        }
        #expect(try scene.onSite("lineage", "--sharer", sharers[0], "--pool", "another").out.isEmpty)
        let nobody = try scene.onSite("lineage", "--sharer", "nobody")
        #expect(nobody.status == 0 && nobody.out.isEmpty)
        #expect(nobody.errors == "primed: no result in \(scene.path("outbox")) names the sharer nobody\n")
        // A result that cannot be read may hide one.
        try FileManager.default.createDirectory(atPath: scene.path("outbox/broken"), withIntermediateDirectories: true)
        try scene.write("torn", to: "outbox/broken/result.json")
        let ending = try scene.onSite("lineage", "--sharer", sharers[0])
        #expect(ending.status == 74 && ending.errors.contains("outbox/broken/result.json"))
        #expect(ending.lines.count == 1)
        #expect(try scene.onSite("lineage").status == 64)
    }

    @Test func twoRunsOfAJobAtOnceAreTold() throws {
        let scene = try Scene()
        let manifest = try scene.manifest("job", budget: 100_000)
        let first = try scene.start(["run", "--config", scene.path("primed.json5"), manifest])
        defer { first.process.terminate() }
        func isLocked() -> Bool {
            let files = FileManager.default.enumerator(atPath: scene.path("outbox"))?.compactMap { $0 as? String } ?? []
            return files.contains { $0.hasSuffix("/job/manifest.json") || $0.hasSuffix("/rounds") }
        }
        #expect(try scene.wait { isLocked() })
        let second = try scene.onSite("run", manifest)
        #expect(
            second.status == 75 && second.errors.contains("another run of this job is under way"), "\(second.errors)")
    }

    /// Naming an adapter is no way around the consent of the pool in which it lies.
    @Test func aWithdrawnSharersAdapterIsNotUsedByItsPathEither() throws {
        let scene = try Scene()
        try FileManager.default.copyItem(
            atPath: Scene.examples.appending(path: "pools").path, toPath: scene.path("pools"))
        let pool = "pools/package_section/pool.json"
        // As JSON has it: the first "consent" after the member's adapter.
        let parts = try scene.text(pool).components(separatedBy: #""user_207""#)
        try #require(parts.count == 2)
        let rest = try #require(parts[1].range(of: "true"))
        try scene.write(
            parts[0] + #""user_207""# + parts[1].replacingCharacters(in: rest, with: "false"), to: pool)
        try scene.write(
            try scene.text("primed.json5").replacing("\(Scene.examples.path)/pools", with: "pools"), to: "primed.json5")
        func sharers(_ id: String) -> String { #"[{"id": "x", "adapter": "package_section/user_\#(id)"}]"# }
        let refused = try scene.onSite("check", try scene.manifest("refused", sharers: sharers("207")))
        #expect(refused.status == 65 && refused.out.contains("sharers[0].adapter") && refused.out.contains("consent"))
        #expect(try scene.onSite("run", try scene.manifest("refused", sharers: sharers("207"))).status == 65)
        // Others are who their pool says, so that their lineage is found.
        #expect(try scene.onSite("run", try scene.manifest("taken", sharers: sharers("240"))).status == 0)
        #expect(try scene.result("taken").targets?.first?.sharers == ["240"])
        let twice =
            #"[{"id": "x", "adapter": "package_section/user_240"}, {"id": "y", "adapter": "package_section/user_240"}]"#
        #expect(
            try scene.onSite("check", try scene.manifest("twice", sharers: twice)).out.contains("a second adapter of"))
        // One of which the pool knows nothing.
        try FileManager.default.copyItem(
            atPath: scene.path("pools/package_section/user_240"), toPath: scene.path("pools/package_section/spare"))
        let unknown = #"[{"id": "x", "adapter": "package_section/spare"}]"#
        #expect(try scene.onSite("check", try scene.manifest("unknown", sharers: unknown)).status == 65)
    }

    @Test func aRunKnowsAFolderByAllItsFiles() throws {
        let scene = try Scene()
        try FileManager.default.createDirectory(atPath: scene.path("job"), withIntermediateDirectories: true)
        let users = try String(contentsOf: Scene.examples.appending(path: "users/three.json"), encoding: .utf8)
        try scene.write(users, to: "job/users.json")
        _ = try scene.manifest("x", targets: #""users.json""#)
        try scene.write(
            try scene.text("x.manifest.json").replacing(#""id": "x", "#, with: ""), to: "job/manifest.json")
        let first = try scene.onSite("run", "\(scene.path("job"))/")
        #expect(first.status == 0 && first.out.contains("/outbox/job\n"), "\(first.out)\(first.errors)")
        #expect(try scene.onSite("run", scene.path("job")).out == first.out)
        #expect(try scene.text("outbox/job/result.json").contains(#""id" : "job""#))
        let inside = try scene.onSite("run", "--outbox", scene.path("job/out"), scene.path("job"))
        #expect(inside.status == 64 && inside.errors.contains("own folder"), "\(inside.errors)")
        try scene.write(users.replacing("library", with: "collection"), to: "job/users.json")
        let second = try scene.onSite("run", scene.path("job"))
        #expect(second.status == 65 && second.errors.contains("another manifest"))
    }

    /// What stands in a history is in no log, message or report, whether the job succeeds or fails.
    @Test func historyTextStaysPrivate() throws {
        let scene = try Scene()
        let canary = "zebrafinch"
        let items = (0..<4).map { #"{"id":"\#($0)","description":"A \#(canary) clock \#($0)","tag":"x11"}"# }
        let targets = """
            [{ "user": "u", "history": [\(items.joined(separator: ","))],
               "queries": [{ "id": "q", "input": "tags: [x11] description: a \(canary) for q" }] },
             { "user": "v", "history": [{ "id": "1", "description": "\(canary)" }] }]
            """
        let manifest = try scene.manifest("job", users: #"["u", "v"]"#, targets: targets, budget: 4)
        let ending = try scene.onSite("run", manifest)
        #expect(ending.status == 70)
        #expect(try scene.result("job").targets?.map(\.status).last == "failed")
        var seen = [ending.out, ending.errors, try scene.onSite("status", "--json").out]
        seen.append(try scene.onSite("check", manifest).out)
        for file in ["result.json", "log.jsonl", "u/privacy.json", "u/report.html", "u/adapter/README.md"] {
            seen.append(try scene.text("outbox/job/\(file)"))
        }
        for text in seen { #expect(!text.contains(canary)) }
    }
}
