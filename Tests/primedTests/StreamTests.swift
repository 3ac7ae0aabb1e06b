import Foundation
import Testing

/// What a caller hands on: descriptors, arguments, an environment, and names that go to a terminal.
@Suite("The commands and whoever calls them")
struct StreamTests {
    @Test(
        "A diagnostic that nobody hears changes nothing",
        arguments: [
            "$PRIMED check none.json 2>&-; echo $?", "$PRIMED check none.json 2>/dev/full; echo $?",
            "{ { sleep 0.3; $PRIMED check none.json; echo $? >&3; } 2>&1 >/dev/null | true; } 3>&1",
        ])
    func unheard(_ script: String) throws {
        #expect(try Scene().shell(script).out == "66\n")
    }

    @Test("A result that nobody reads is no success")
    func unread() throws {
        let scene = try Scene()
        #expect(try scene.shell("{ { sleep 0.3; $PRIMED events; echo $? >&3; } | true; } 3>&1").out == "141\n")
        #expect(try scene.shell("$PRIMED events >/dev/full; echo $? >&2").errors.hasSuffix("74\n"))
    }

    @Test("Closed descriptors are not taken for files that are opened later")
    func closed() throws {
        let scene = try Scene()
        let script = "$PRIMED serve --once <&- >&- 2>&-; echo $?; cat work/daemon.lock work/status.json | head -c 1"
        #expect(try scene.shell(script).out == "0\n{")
    }

    @Test("What is not UTF-8 names nothing else")
    func notUTF8() throws {
        let scene = try Scene()
        let bad = "$(printf 'a\\377')"
        #expect(try scene.shell("$PRIMED check \"\(bad)\"; echo $?").out == "64\n")
        #expect(try scene.shell("PRIMED_WORK=\"\(bad)\" $PRIMED status; echo $?").out == "78\n")
        // An empty one is none.
        #expect(try scene.shell("PRIMED_CONFIG= $PRIMED check none.json; echo $?").out == "66\n")
    }

    @Test("Foreign names move no cursor, and a mistake is a line")
    func injection() throws {
        let scene = try Scene()
        let manifest = try scene.manifest(
            "m", extra: ", \"generate\": { \"max_new_tokens\": 2 }")
        let text = try scene.text("m.manifest.json").replacing("debian-llama-4m", with: "x\\u202egnp")
        try scene.write(text, to: "m.manifest.json")
        for command in ["check", "run"] {
            let ending = try scene.onSite(command, manifest)
            let said = ending.out + ending.errors
            #expect(said.contains("x\\u{202e}gnp") && !said.unicodeScalars.contains("\u{202e}"), "\(said)")
        }
    }

    @Test(
        "What may be a history's text is in no message",
        arguments: [
            "Dear diary, today Anna told me", "Dear diary,\\ntoday Anna told me", "diary-\u{4eca}\u{5929}",
        ])
    func historyForAPath(_ text: String) throws {
        let scene = try Scene()
        let manifest = try scene.manifest(
            "m", users: "[\"7\"]", targets: "[{ \"user\": \"7\", \"history\": \"\(text)\" }]")
        let ending = try scene.onSite("check", manifest)
        #expect(ending.status == 65 && !(ending.out + ending.errors).contains("diary"), "\(ending.out)")
    }

    @Test("What the daemon would leave in the inbox is not dropped", arguments: [".m.json", "m~.json/", "m.tmp/"])
    func leftAlone(_ name: String) throws {
        let scene = try Scene()
        let manifest = try scene.manifest("m")
        if name.hasSuffix("/") {
            try FileManager.default.createDirectory(atPath: scene.path(name), withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: manifest, toPath: scene.path("\(name)manifest.json"))
        } else {
            try FileManager.default.copyItem(atPath: manifest, toPath: scene.path(name))
        }
        let ending = try scene.onSite("submit", scene.path(name))
        #expect(ending.status == (name == "m~.json/" ? 0 : 65), "\(ending.errors)")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: scene.path("inbox")).count
                == (ending.status == 0 ? 1 : 0))
    }
}
