import Foundation
import Testing

/// `primed doctor`
@Suite struct DoctorTests {
    @Test func doctorFindsTheExampleSound() throws {
        let scene = try Scene()
        let ending = try scene.onSite("doctor")
        #expect(ending.status == 0, "\(ending.out)")
        for word in ["debian-llama-4m", "package_section", "threads", "inbox"] { #expect(ending.out.contains(word)) }
        let json = try scene.onSite("doctor", "--json")
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(json.out.utf8)) }
    }

    @Test func lookingMakesNoFolder() throws {
        let scene = try Scene()
        for name in ["inbox", "work", "outbox"] { try FileManager.default.removeItem(atPath: scene.path(name)) }
        let ending = try scene.onSite("doctor")
        #expect(ending.status == 0, "\(ending.out)")
        for name in ["inbox", "work", "outbox"] {
            #expect(ending.lines.contains("note  folder \(scene.path(name)): missing; the daemon makes it"))
            #expect(!scene.exists(name))
        }
        // Below a file nothing can be made, whoever asks.
        try scene.write("", to: "work")
        let nowhere = try scene.start(
            ["doctor", "--config", scene.path("primed.json5")], environment: ["PRIMED_INBOX": scene.path("work/inbox")]
        ).ending()
        #expect(nowhere.status == 78)
        #expect(nowhere.lines.contains { $0.hasPrefix("FAIL  folder \(scene.path("work/inbox")): missing") })
    }

    /// Where a root is no folder, or is meant to be there and is not, jobs that name it fail.
    @Test func rootsThatAreWrittenDownAreThere() throws {
        let scene = try Scene()
        try scene.write("", to: "file")
        func doctor(_ environment: [String: String]) throws -> Scene.Ending {
            try scene.start(["doctor", "--config", scene.path("primed.json5")], environment: environment).ending()
        }
        for key in ["models", "pools", "tasks", "histories"] {
            let file = try doctor(["PRIMED_\(key.uppercased())": scene.path("file")])
            #expect(file.status == 78)
            #expect(file.lines.contains("FAIL  \(key): \(scene.path("file")) is no folder; name one"), "\(file.out)")
            let nothing = try doctor(["PRIMED_\(key.uppercased())": scene.path("nothing")])
            #expect(nothing.status == 78)
            #expect(nothing.lines.contains { $0.hasPrefix("FAIL  \(key): \(scene.path("nothing")) is not there; ") })
        }
        // A value that is longer than its column does not run into what comes after it.
        let long = scene.path(String(repeating: "long/", count: 20) + "x")
        #expect(try doctor(["PRIMED_KERNELS": long]).out.contains("\(long)  $PRIMED_KERNELS\n"))
        try FileManager.default.createDirectory(
            atPath: scene.path("pools/empty"), withIntermediateDirectories: true)
        #expect(
            try doctor(["PRIMED_POOLS": scene.path("pools")]).lines.contains(
                "FAIL  pools empty: empty/pool.json: there is no such file; it lists a pool's members"))
    }

    /// What the daemon would make in two file systems is told before it tries.
    @Test func foldersThatAreNotThereWouldBeOnOneFileSystem() throws {
        let scene = try Scene()
        func device(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.systemNumber] as? Int
        }
        guard try device("/dev/shm") != device(scene.folder.path) else { return }
        let elsewhere = "/dev/shm/primed-\(UUID())/outbox"
        let ending = try scene.start(
            ["doctor", "--config", scene.path("primed.json5")], environment: ["PRIMED_OUTBOX": elsewhere]
        ).ending()
        #expect(ending.status == 78)
        #expect(
            ending.lines.contains { $0.hasPrefix("FAIL  folder \(elsewhere): it and the others would not be on one") })
    }

    /// A daemon keeps the folders that it began with: the log and `doctor` say so.
    @Test func aDaemonOfOtherFoldersIsFound() throws {
        let scene = try Scene()
        let daemon = try scene.start(["serve", "--config", scene.path("primed.json5")])
        defer { daemon.process.terminate() }
        #expect(try scene.wait { daemon.said.contains("service-ready") })
        #expect(try scene.onSite("doctor").status == 0)
        let named = try scene.text("primed.json5").replacing(#"inbox: "inbox""#, with: #"inbox: "other""#)
        try scene.write(named, to: "primed.json5")
        kill(daemon.process.processIdentifier, SIGHUP)
        #expect(try scene.wait { daemon.said.contains("service-reloaded") })
        let event = try #require(daemon.said.split(separator: "\n").first { $0.contains("restart-needed") })
        #expect(event.contains(#""keys":["inbox"]"#), "\(event)")
        let waiting = try scene.onSite("submit", "--wait", "--timeout", "1", try scene.manifest("job"))
        #expect(waiting.status == 75 && waiting.errors.contains("no daemon serves \(scene.path("other")); "))
        let ending = try scene.onSite("doctor")
        #expect(ending.status == 78)
        #expect(
            ending.lines.contains(
                "FAIL  inbox: the daemon serves \(scene.path("inbox")) and not \(scene.path("other")); restart it to take that"
            ), "\(ending.out)")
    }

    /// A pool is what a job would find it to be.
    @Test func poolsAreOpenedAsJobsOpenThem() throws {
        let scene = try Scene()
        try scene.pool("sound") { $0 }
        try scene.pool("of_another_base") { $0.replacing("debian-llama-4m\"", with: "other-llama\"") }
        try scene.pool("of_another_task") { $0.replacing("\"package_section\"", with: "\"no_such_task\"") }
        try scene.pool("without_base") { $0.replacing("\"base\": \"debian-llama-4m\",", with: "") }
        try scene.pool("without_rows") {
            $0.replacing("\"embeddings\": {", with: "\"embeddings\": { \"tensor\": \"x\",")
                .replacing("\"tensor\": \"sharers\",", with: "")
        }
        try scene.pool("withdrawn") { $0.replacing("\"consent\": true", with: "\"consent\": false") }
        try FileManager.default.createSymbolicLink(
            atPath: scene.path("pools/link"), withDestinationPath: scene.path("pools/sound"))
        let ending = try scene.start(
            ["doctor", "--config", scene.path("primed.json5")], environment: ["PRIMED_POOLS": scene.path("pools")]
        ).ending()
        #expect(ending.status == 78)
        for (pool, state, words) in [
            ("sound", "ok  ", "19 members of debian-llama-4m, 19 usable today"),
            ("of_another_base", "note", "19 members; not opened, since their base other-llama cannot be used"),
            ("of_another_task", "note", "19 members of debian-llama-4m; not opened, since their task no_such_task"),
            ("without_base", "note", "19 members; not opened, since pool.json names no base"),
            ("without_rows", "FAIL", "without_rows/pool.json: embeddings: no tensor x of 19 rows"),
            ("withdrawn", "FAIL", "withdrawn/pool.json: members: none of 19 may be used"),
            ("link", "FAIL", "link goes through a symbolic link"),
        ] {
            #expect(
                ending.lines.contains { $0.hasPrefix("\(state)  pools \(pool): \(words)") }, "\(pool): \(ending.out)")
        }
    }

    /// By what the search is steered, which is the history alone.
    @Test func tasksAreNamedWithTheMetricsThatScore() throws {
        let scene = try Scene()
        try FileManager.default.createDirectory(atPath: scene.path("tasks"), withIntermediateDirectories: true)
        let page = try Page(Scene.root.appending(path: "docs/FORMATS.md"))
        for name in ["sections.json5", "citing.json5"] { try scene.write(try page.example(name), to: "tasks/\(name)") }
        let ending = try scene.start(
            ["doctor", "--config", scene.path("primed.json5")], environment: ["PRIMED_TASKS": scene.path("tasks")]
        ).ending()
        for words in ["sections, scored by accuracy and f1", "citing, scored by rouge-1 and rouge-L"] {
            #expect(ending.lines.contains { $0.hasPrefix("ok  ") && $0.hasSuffix(words) }, "\(ending.out)")
        }
    }
}
