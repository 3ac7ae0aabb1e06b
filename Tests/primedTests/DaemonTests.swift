import Foundation
import Testing

@Suite("The daemon, from outside")
struct DaemonTests {
    @Test func submitWaitsForTheDaemonsResult() throws {
        let scene = try Scene()
        let daemon = try scene.start(["serve", "--config", scene.path("primed.json5")])
        defer { daemon.process.terminate() }
        #expect(try scene.wait { daemon.said.contains("service-ready") })
        let ending = try scene.onSite("submit", "--wait", "--timeout", "60", try scene.manifest("job"))
        #expect(ending.status == 0, "\(ending.errors)")
        #expect(ending.out.contains("outbox/job"))
        #expect(try scene.result("job").status == "done")
        // Of several jobs each message says whose it is.
        let failing = try scene.onSite("submit", "--wait", try scene.manifest("fails", task: "no_such_task"))
        #expect(
            failing.status == 70 && failing.errors.hasPrefix("primed: fails: manifest: task: "), "\(failing.errors)")
        let status = try scene.onSite("status")
        #expect(status.status == 0)
        let json = try #require(
            JSONSerialization.jsonObject(with: Data(try scene.onSite("status", "--json").out.utf8)) as? [String: Any])
        #expect(json["serving"] as? Bool == true)
        daemon.process.terminate()
        #expect(try daemon.ending().status == 0)
        #expect(try scene.onSite("status").status == 69)
    }

    /// One that cannot be dropped keeps no others from it, and no id of what was dropped is lost.
    @Test func whatCannotBeDroppedKeepsNothingElse() throws {
        let scene = try Scene()
        let manifests = try ["a", "b", "c"].map { try scene.manifest($0) }
        try scene.write("{}", to: "inbox/b.manifest.json")
        let ending = try scene.start(["submit", "--config", scene.path("primed.json5")] + manifests).ending()
        #expect(ending.status == 73 && ending.lines == ["a", "c"])
        #expect(ending.errors.contains("b.manifest.json: it waits there already"))
        #expect(try scene.names(in: "inbox") == ["a.manifest.json", "b.manifest.json", "c.manifest.json"])
    }

    /// Jobs wait whether or not a daemon serves.
    @Test func statusShowsWhatADaemonLeft() throws {
        let scene = try Scene()
        func job(_ id: String, _ rest: String) -> String { #"{ "id": "\#(id)", "submitter": "s", \#(rest) }"# }
        let running = job("r", #""attempt": 1, "process": 1, "since": """#)
        let waiting = job("w", #""priority": 0, "state": "waiting", "failures": 1"#)
        try scene.write(
            """
            { "schema": 1, "state": "stopped", "pid": 1, "slots": 1, "lost": [], "running": [\(running)],
              "queue": [\(waiting)], "published": {} }
            """, to: "work/status.json")
        let ending = try scene.onSite("status")
        #expect(ending.status == 69)
        #expect(
            ending.lines == [
                "no daemon serves", "inbox       0", "outbox      0", "interrupted r", "waiting     w  failed 1 time",
            ])
    }

    @Test func secondDaemonIsRefused() throws {
        let scene = try Scene()
        let daemon = try scene.start(["serve", "--config", scene.path("primed.json5")])
        defer { daemon.process.terminate() }
        #expect(try scene.wait { daemon.said.contains("service-ready") })
        let second = try scene.onSite("serve", "--once")
        #expect(second.status == 69)
        #expect(second.errors.contains("another primed"))
    }

    /// Some supervisors ignore the signal of their children's ends, and what they start inherits that.
    @Test func aDaemonWhoseChildrenAreIgnoredSeesItsWorkersEnd() throws {
        let scene = try Scene()
        _ = try scene.manifest("job")
        let ending = try scene.shell(
            """
            mv job.manifest.json inbox/job.json
            timeout -k 5 120 sh -c 'trap "" CHLD; exec "$PRIMED" serve --once'
            """)
        #expect(ending.status == 0, "\(ending.errors)")
        #expect(try scene.result("job").status == "done")
    }

    /// One id, one result: the same manifest changes nothing, another one under the id is rejected.
    @Test func oneIDHasOneResult() throws {
        let scene = try Scene()
        let manifest = try scene.manifest("job")
        var log = ""
        func served(_ manifest: String) throws {
            try FileManager.default.copyItem(atPath: manifest, toPath: scene.path("inbox/job.json"))
            let ending = try scene.onSite("serve", "--once")
            #expect(ending.status == 0)
            log = ending.errors
        }
        try served(manifest)
        let first = try scene.bytes("outbox/job/result.json")
        try served(manifest)
        #expect(try scene.names(in: "outbox") == ["job"])
        #expect(try scene.bytes("outbox/job/result.json") == first)
        try served(try scene.manifest("job", budget: 8))
        #expect(try scene.bytes("outbox/job/result.json") == first)
        let names = try scene.names(in: "outbox")
        #expect(names.count == 2)
        // The log says which of the two is meant.
        #expect(log.contains(#""result":"\#(names[1])""#), "\(log)")
        let rejected = try scene.result(try #require(names.last))
        #expect(rejected.status == "rejected")
        #expect(rejected.error?.code == "id-taken" && rejected.error?.where == "manifest: id")
    }

    @Test func badManifestsAreRejectedAndKept() throws {
        let scene = try Scene()
        try scene.write(#"{ "job": "personalize", "taks": "x" }"#, to: "inbox/bad.json")
        try scene.write("{", to: "inbox/half.json.part")
        let good = try scene.manifest("good")
        try FileManager.default.copyItem(atPath: good, toPath: scene.path("inbox/good.json"))
        #expect(try scene.onSite("serve", "--once").status == 0)
        #expect(try scene.result("good").status == "done")
        let rejected = try scene.result("bad")
        #expect(rejected.status == "rejected")
        #expect(rejected.error?.message.contains("task") == true)
        #expect(rejected.error?.where == "manifest: taks")
        #expect(try scene.text("work/kept/bad/job/manifest.json").contains("taks"))
        #expect(try scene.names(in: "inbox") == ["half.json.part"])
    }

    /// SIGTERM amid a search puts the job back; the next daemon goes on from there and ends with the same bytes.
    @Test func interruptedJobGoesOn() throws {
        let scene = try Scene()
        let manifest = try scene.manifest("job", users: #"["141"]"#, budget: 28)
        #expect(try scene.onSite("run", "--outbox", scene.path("calm"), manifest).status == 0)
        #expect(try scene.onSite("submit", manifest).status == 0)
        try interrupt("job", in: scene)
        #expect(try scene.onSite("serve", "--once").status == 0)
        for file in ["adapter/adapter_model.safetensors", "privacy.json", "predictions.jsonl"] {
            let resumed = try scene.bytes("outbox/job/141/\(file)")
            #expect(resumed == (try scene.bytes("calm/job/141/\(file)")), "\(file)")
        }
    }

    /// Rounds that were evaluated on what a history was are not mixed with those on what it is.
    @Test func aHistoryThatChangedMeanwhileIsBegunAnew() throws {
        let scene = try Scene()
        try FileManager.default.createDirectory(atPath: scene.path("users"), withIntermediateDirectories: true)
        let users = try String(contentsOf: Scene.examples.appending(path: "users/three.json"), encoding: .utf8)
        try scene.write(users, to: "users/three.json")
        try scene.write(
            try scene.text("primed.json5").replacing("\(Scene.examples.path)/users", with: "users"), to: "primed.json5")
        let manifest = try scene.manifest("job", users: #"["141"]"#, budget: 14)
        #expect(try scene.onSite("submit", manifest).status == 0)
        try interrupt("job", in: scene)
        let changed = users.replacing("library", with: "collection")
        #expect(changed != users)
        try scene.write(changed, to: "users/three.json")
        #expect(try scene.onSite("serve", "--once").status == 0)
        #expect(try scene.onSite("run", "--outbox", scene.path("calm"), manifest).status == 0)
        let resumed = try scene.bytes("outbox/job/141/privacy.json")
        #expect(resumed == (try scene.bytes("calm/job/141/privacy.json")))
    }

    /// The last bits of large products differ by the number of BLAS threads, which differs by the CPUs that a start may use.
    @Test func aJobGoesOnWithAnotherNumberOfCPUs() throws {
        let scene = try Scene()
        let manifest = try scene.wideManifest("job")
        let (one, two) = (["OPENBLAS_NUM_THREADS": "1"], ["OPENBLAS_NUM_THREADS": "2"])
        #expect(try scene.onSite("submit", manifest).status == 0)
        try interrupt("job", in: scene, rounds: 3, environment: two)
        #expect(try scene.ending(of: "serve", "--once", environment: one).status == 0)
        #expect(try scene.ending(of: "run", "--outbox", scene.path("one"), manifest, environment: one).status == 0)
        #expect(try scene.ending(of: "run", "--outbox", scene.path("two"), manifest, environment: two).status == 0)
        for file in ["adapter/adapter_model.safetensors", "privacy.json", "predictions.jsonl"] {
            let calm = try scene.bytes("one/job/114/\(file)")
            #expect(calm == (try scene.bytes("two/job/114/\(file)")), "\(file)")
            #expect(calm == (try scene.bytes("outbox/job/114/\(file)")), "\(file)")
        }
    }

    /// A machine whose BLAS multiplies by other kernels asks for other candidates: it begins anew and does not fail.
    @Test func aJobThatGoesOnOnAnotherProcessorIsBegunAnew() throws {
        let scene = try Scene()
        let manifest = try scene.wideManifest("job")
        // Every x86-64 has these kernels; where there are none of the name, both parts run on the machine's own.
        let old = ["OPENBLAS_CORETYPE": "Prescott"]
        #expect(try scene.onSite("submit", manifest).status == 0)
        try interrupt("job", in: scene, rounds: 3, environment: old)
        #expect(try scene.onSite("serve", "--once").status == 0)
        #expect(try scene.onSite("run", "--outbox", scene.path("calm"), manifest).status == 0)
        let resumed = try scene.bytes("outbox/job/114/privacy.json")
        #expect(resumed == (try scene.bytes("calm/job/114/privacy.json")))
    }

    /// Serves until a job has rounds in its journal, and ends the daemon amid the job.
    private func interrupt(
        _ job: String, in scene: Scene, rounds: Int = 1, environment: [String: String] = [:]
    ) throws {
        let daemon = try scene.start(["serve", "--config", scene.path("primed.json5")], environment: environment)
        func isRoundDone() throws -> Bool {
            let files = FileManager.default.enumerator(atPath: scene.path("work"))?.compactMap { $0 as? String } ?? []
            return files.contains { file in
                guard file.contains("/rounds/"), let journal = try? scene.text("work/\(file)") else { return false }
                // The first line says whose journal it is.
                return journal.count { $0 == "\n" } > rounds
            }
        }
        #expect(try scene.wait { try isRoundDone() })
        daemon.process.terminate()
        #expect(try daemon.ending().status == 0)
        #expect(!scene.exists("outbox/\(job)"))
    }
}

extension Scene {
    /// A job whose search has a weight for each of many sharers and layers, so that its products are large; four generations.
    fileprivate func wideManifest(_ id: String) throws -> String {
        _ = try manifest(id, users: #"["114"]"#, budget: 68, sharers: #"{ "pool": "package_section", "top_k": 14 }"#)
        return try write(
            try text("\(id).manifest.json").replacing(#""budget": 68"#, with: #""budget": 68, "granularity": "layer""#),
            to: "\(id).manifest.json")
    }

    fileprivate func ending(
        of command: String, _ arguments: String..., environment: [String: String]
    ) throws -> Ending {
        try start([command, "--config", path("primed.json5")] + arguments, environment: environment).ending()
    }
}
