import Testing

@testable import Manifest

private func read(
    _ text: String?, environment: [String: String] = [:]
) throws(ManifestError) -> Configuration {
    try Configuration(
        text.map { Array($0.utf8) }, file: "primed.json5", folder: "/srv/checkout/etc", environment: environment)
}

private func mistakes(_ text: String?, environment: [String: String] = [:]) -> [String] {
    do {
        _ = try read(text, environment: environment)
        return []
    } catch {
        return error.mistakes.map(\.description)
    }
}

@Suite struct ConfigurationTests {
    @Test func everyKeyHasADefault() throws {
        #expect(try read("{}") == Configuration())
        #expect(try read(nil) == Configuration())
        let settings = Configuration().settings
        #expect(settings.allSatisfy { $0.origin == "default" })
        #expect(settings.first?.key == "inbox")
        #expect(settings.first?.value == "/var/lib/primed/inbox")
        #expect(settings.last?.key == "max_similarity")
        #expect(settings.last?.value == "none")
        #expect(settings.last?.origin == "default")
        // A manual page is made of them.
        #expect(settings.allSatisfy { $0.meaning.hasSuffix(".") && $0.meaning.count > 10 })
        #expect(Set(settings.map(\.key)).count == settings.count)
    }

    @Test func readsCommentsAndRelativePaths() throws {
        let configuration = try read(
            """
            // The development instance.
            {
              inbox: "../inbox", /* beside etc */
              outbox: '/mnt/out/./x/../y',
              'slots': 2,
              min_free_disk: 0.1,
              max_similarity: 1.8,
            }
            """)
        #expect(configuration.inbox == "/srv/checkout/inbox")
        #expect(configuration.outbox == "/mnt/out/y")
        #expect(configuration.work == Configuration().work)
        #expect(configuration.slots == 2)
        #expect(configuration.minFreeDisk == 0.1)
        #expect(configuration.maxSimilarity == 1.8)
        let origins = Dictionary(uniqueKeysWithValues: configuration.settings.map { ($0.key, $0.origin) })
        #expect(origins["inbox"] == "primed.json5")
        #expect(origins["work"] == "default")
    }

    @Test func pathsDoNotClimbAboveTheRoot() throws {
        #expect(try read(#"{inbox: "../../../../../x"}"#).inbox == "/x")
    }

    @Test func theEnvironmentGoesBeforeTheFile() throws {
        let environment = [
            "PRIMED_SLOTS": "4", "PRIMED_INBOX": "in", "PRIMED_MIN_FREE_DISK": "0.25", "PRIMED_THREADS": "",
            "PRIMED_CONFIG": "elsewhere", "PRIMED_CRASH_DUMPS": "true", "HOME": "/root",
        ]
        let configuration = try read("{slots: 2, threads: 3}", environment: environment)
        #expect(configuration.slots == 4)
        #expect(configuration.inbox == "/srv/checkout/etc/in")
        #expect(configuration.minFreeDisk == 0.25)
        #expect(configuration.threads == 3)
        #expect(configuration.crashDumps)
        let slots = configuration.settings.first { $0.key == "slots" }
        #expect(slots?.value == "4")
        #expect(slots?.origin == "$PRIMED_SLOTS")
    }

    @Test func aGPUIsASlotAndTheCPUHasMany() throws {
        #expect(try read("{slots: 3}").slotDevices == ["cpu", "cpu", "cpu"])
        #expect(try read("{slots: 3, devices: 'cuda'}").slotDevices == ["cuda:0"])
        #expect(try read("{devices: 'cuda:0, cuda:3'}").slotDevices == ["cuda:0", "cuda:3"])
    }

    static let broken: [(text: String, message: String)] = [
        ("{slot: 2}", "slot: an unknown key; did you mean slots?"),
        ("{slots: 0}", "slots: 0; write a whole number from 1 to 64"),
        ("{slots: 65}", "slots: 65; write a whole number from 1 to 64"),
        ("{slots: \"2\"}", "slots: a text; write a whole number from 1 to 64"),
        ("{devices: \"gpu\"}", "devices: \"gpu\"; write cpu, or GPUs as cuda:0, cuda:1, each once"),
        (
            "{devices: \"cpu\u{7f}\u{9b}2J\"}",
            "devices: \"cpu\\u{7f}\\u{9b}2J\"; write cpu, or GPUs as cuda:0, cuda:1, each once"
        ),
        (
            "{devices: \"cuda:0, cuda:00\"}",
            "devices: \"cuda:0, cuda:00\"; write cpu, or GPUs as cuda:0, cuda:1, each once"
        ),
        ("{devices: \"\"}", "devices: \"\"; write cpu, or GPUs as cuda:0, cuda:1, each once"),
        ("{devices: \"cuda, cuda:0\"}", "devices: \"cuda, cuda:0\"; write cpu, or GPUs as cuda:0, cuda:1, each once"),
        ("{inbox: 1}", "inbox: 1; write a text"),
        ("{inbox: \"\"}", "inbox: no path; write a folder's path"),
        ("{inbox: \"a\\u0000\"}", "inbox: no path; write a folder's path"),
        ("{max_similarity: \"none\"}", "max_similarity: a text; write a number from -1000 to 1000"),
        ("{slots: 1, slots: 2}", "line 1, column 12: the key slots twice; keep one of them"),
        ("{slots: }", "line 1, column 9: no value where one belongs; correct the JSON there"),
        ("{slots: 1 /* }", "line 1, column 11: a comment without its end; correct the JSON there"),
    ]

    @Test(arguments: broken) func namesPlaceFindingAndMend(_ text: String, _ message: String) {
        #expect(mistakes(text) == ["primed.json5: \(message)"])
    }

    @Test func namesTheVariable() {
        #expect(
            mistakes("{}", environment: ["PRIMED_SLOTS": "many"])
                == ["$PRIMED_SLOTS: slots: a text; write a whole number from 1 to 64"])
        #expect(
            mistakes(nil, environment: ["PRIMED_QUEUE": "0"])
                == ["$PRIMED_QUEUE: queue: 0; write a whole number from 1 to 100000"])
    }
}
