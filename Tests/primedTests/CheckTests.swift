import Foundation
import Testing

/// `primed check`: what it says is what a run would end with.
@Suite struct CheckTests {
    @Test func checkTellsEveryMistakeOnALineOfItsOwn() throws {
        let scene = try Scene()
        #expect(try scene.onSite("check", try scene.manifest("sound")).status == 0)
        let ending = try scene.onSite(
            "check", try scene.write(#"{ "job": "personalize", "base": 7, "evolv": {} }"#, to: "broken.json"))
        #expect(ending.status == 65)
        let mistakes = (ending.out + ending.errors).split(separator: "\n")
        for word in ["base", "evolve", "task", "sharers", "targets"] {
            #expect(mistakes.contains { $0.contains(word) }, "\(word)")
        }
        #expect(mistakes.allSatisfy { $0.hasPrefix("\(scene.path("broken.json")): ") })
        #expect(mistakes.count == 5)
        #expect(try scene.onSite("check", scene.path("nowhere.json")).status == 66)
        let absent = try scene.onSite("check", try scene.manifest("absent", task: "no_such_task"))
        #expect(absent.status == 65)
    }

    @Test func everyManifestIsNamedInItsLines() throws {
        let scene = try Scene()
        let sound = try scene.manifest("sound")
        let absent = try scene.manifest("absent", task: "no_such_task")
        try FileManager.default.createDirectory(atPath: scene.path("job"), withIntermediateDirectories: false)
        try scene.write("{", to: "job/manifest.json")
        let ending = try scene.onSite("check", sound, absent, scene.path("job"))
        #expect(ending.status == 65)
        #expect(ending.lines.map { $0.prefix { $0 != ":" } }.map(String.init) == [absent, scene.path("job")])
        #expect(ending.lines[0].hasPrefix("\(absent): task: there is no task no_such_task.json"))
        struct Line: Decodable {
            let code, file, message, `where`: String
        }
        let json = try scene.onSite("check", "--json", absent)
        let line = try JSONDecoder().decode(Line.self, from: Data(json.out.utf8))
        #expect(line.file == absent && line.where == "\(absent): task" && line.code == "not-found")
        // Every operand is looked at, whatever is wrong with those before it; the largest code counts.
        let nowhere = scene.path("nowhere.json")
        let missing = try scene.onSite("check", nowhere, sound, absent)
        #expect(missing.status == 66 && missing.lines == [ending.lines[0]])
        #expect(missing.errors == "primed: \(nowhere): there is no such manifest\n")
    }

    /// A folder that an inbox would not take is mistaken, however sound its manifest is.
    @Test func aFolderIsCheckedAsItIsDropped() throws {
        let scene = try Scene()
        try FileManager.default.createDirectory(atPath: scene.path("job/in"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: try scene.manifest("sound"), toPath: scene.path("job/manifest.json"))
        #expect(try scene.onSite("check", scene.path("job")).status == 0)
        try FileManager.default.createSymbolicLink(
            atPath: scene.path("job/in/link"), withDestinationPath: "/etc/hostname")
        for command in ["check", "submit"] {
            let ending = try scene.onSite(command, scene.path("job"))
            #expect(ending.status == 65)
            #expect((ending.out + ending.errors).contains("/job/in/link: is a symbolic link; "), "\(ending.errors)")
        }
        // A manifest that is a link is said to be one, once, and by every command.
        let link = scene.path("link.json")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: scene.path("sound.manifest.json"))
        let words = "\(link): is a symbolic link; name the file itself"
        #expect(try scene.onSite("check", link).lines == [words])
        for command in ["run", "submit"] {
            let ending = try scene.onSite(command, link)
            #expect(ending.status == 65 && ending.errors == "primed: \(words)\n")
        }
    }

    @Test func aHistoryThatIsNoFileIsSaidToBeNone() throws {
        let scene = try Scene()
        try FileManager.default.createDirectory(atPath: scene.path("folder"), withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: scene.path("link"), withDestinationPath: "primed.json5")
        let targets = #"[{ "user": "a", "history": "folder" }, { "user": "b", "history": "link" }]"#
        let ending = try scene.onSite("check", try scene.manifest("m", users: #"["a", "b"]"#, targets: targets))
        #expect(ending.lines.count == 2)
        #expect(ending.out.contains("targets[0].history: folder is no regular file; name a regular file of at most"))
        #expect(ending.out.contains("targets[1].history: link goes through a symbolic link; name a regular file"))
    }

    /// One mistake hides no other that does not follow from it.
    @Test func everyMistakeIsToldAtOnce() throws {
        let scene = try Scene()
        func places(_ sharers: String) throws -> [String] {
            let manifest = try scene.write(
                """
                { "job": "personalize", "base": "no-base", "task": "no_task", "sharers": \(sharers), "targets": "no.json" }
                """, to: "m.json")
            return try scene.onSite("check", manifest).lines.map { line in
                String(line.dropFirst(manifest.count + 2).prefix { $0 != ":" })
            }
        }
        #expect(try places(#"{ "pool": "no-pool" }"#) == ["base", "task", "targets", "sharers.pool"])
        #expect(
            try places(#"[{ "adapter": "no-a" }, { "adapter": "no-b" }]"#)
                == ["base", "task", "targets", "sharers[0].adapter", "sharers[1].adapter"])
    }

    /// Jobs that must fail, each in another way, and the run that does.
    @Test(arguments: [
        (
            #"{ "pool": "package_section", "top_k": 20 }"#, #"[{ "user": "1", "history": HISTORY }]"#, "sharers.top_k",
            "19"
        ),
        (
            #"{ "pool": "package_section", "top_k": 19 }"#, #"[{ "user": "207", "history": HISTORY }]"#,
            "sharers.top_k",
            "user 207, who is a sharer"
        ),
        (
            #"{ "pool": "package_section" }"#,
            #"[{ "user": "1", "history": HISTORY }, { "user": "2", "history": HISTORY, "embedding": [1, 2, 3] }]"#,
            "targets[1].embedding", "an embedding of 3 numbers"
        ),
    ])
    func whatMustFailIsTold(_ sharers: String, _ targets: String, _ place: String, _ words: String) throws {
        let scene = try Scene()
        let history = #"[{ "id": "1", "description": "a clock", "tag": "x11" }]"#
        let manifest = try scene.write(
            """
            { "job": "personalize", "id": "fails", "base": "debian-llama-4m", "task": "package_section",
              "sharers": \(sharers), "targets": \(targets.replacing("HISTORY", with: history)), "evolve": { "budget": 2 },
              "generate": { "max_new_tokens": 1 } }
            """, to: "fails.json")
        let check = try scene.onSite("check", manifest)
        #expect(check.status == 65 && check.lines.count == 1)
        #expect(check.out.hasPrefix("\(manifest): \(place): ") && check.out.contains(words), "\(check.out)")
        #expect(try scene.onSite("run", manifest).status == 70)
        let problem = try #require(try scene.result("fails").targets?.compactMap(\.error).first)
        #expect(check.out.contains(problem.message))
    }

    /// A pool of another encoder cannot be compared with what the base makes of a history.
    @Test func aPoolOfAnotherEncoderAsksForEmbeddings() throws {
        let scene = try Scene()
        try scene.pool("foreign") { $0.replacing("debian-llama-4m mean-pooled", with: "bge mean-pooled") }
        let ending = try scene.onSite("check", try scene.manifest("job", sharers: #"{ "pool": "pools/foreign" }"#))
        #expect(ending.lines.count == 1)
        #expect(
            ending.out.contains("manifest.json: targets.embeddings: no embedding, and the pool's come from another"))
    }
}

extension Scene {
    /// The example's pool with a `pool.json` of a test's own, below the scene's folder `pools`.
    func pool(_ name: String, _ change: (String) -> String) throws {
        try FileManager.default.createDirectory(atPath: path("pools"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: Self.examples.appending(path: "pools/package_section"), to: folder.appending(path: "pools/\(name)"))
        try write(change(try text("pools/\(name)/pool.json")), to: "pools/\(name)/pool.json")
    }
}
