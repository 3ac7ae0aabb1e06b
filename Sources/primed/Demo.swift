import FoundationEssentials
import Manifest
import Posix
import Spool
import Telemetry
import Worker

/// `primed demo`
enum Demo {
    static let command = Command(
        name: "demo", summary: "personalize three real users from files dropped into an inbox",
        description: """
            Run it in a checkout. Drops examples/debian/demo.json into inbox/, serves until it is done, and shows what \
            came out: three users who maintain Debian packages, a small Llama that sorts packages into sections, and a \
            pool of 19 sharers. Run again, it shows the same result; remove outbox/demo to do it anew.
            """,
        options: [Site.option],
        exits: [
            (Exit.ok, "three users have their own model"), (Exit.noInput, "this is no checkout of primed"),
            (Exit.unavailable, "another daemon serves this spool"), (Exit.software, "a user has none, see the result"),
            (Exit.temporary, "the disk or the devices left it undone; run it again to go on"),
        ],
        examples: ["primed demo"]
    ) { arguments in
        let site = try Site(arguments)
        let manifest = "examples/debian/demo.json"
        guard Files.exists(manifest) else {
            throw Failure(Exit.noInput, "\(manifest): not here; run the demo in a checkout of primed")
        }
        show("dropping \(manifest) into \(site.configuration.inbox)\n")
        let id: String
        do {
            id = try Submit.submit(manifest, site).description
        } catch let failure as Failure where failure.code == Exit.cannotCreate {
            id = "demo"
        }
        let code = try Serve.serve(site, arguments, once: true, log: .standardError())
        guard code == Exit.ok else { return code }
        return try tell("\(site.configuration.outbox)/\(id)")
    }

    private static func tell(_ path: String) throws -> Int32 {
        let bytes = try Files.read("\(path)/\(Outbox.resultFile)", limit: 1 << 26)
        let result = try JSONDecoder().decode(ResultFile.self, from: Data(bytes))
        show(
            "\n\(padded("user", 6)) \(padded("ships", 7)) \(padded("history score", 18)) \(padded("likeness", 10)) weights\n"
        )
        for target in result.targets {
            let utility = target.utility.map { "\(fixed($0.base, 3)) -> \(fixed($0.merged, 3))" } ?? "-"
            let weights = (target.weights?.perSharer.first ?? []).map { fixed($0, 2) }.joined(separator: " ")
            show(
                "\(padded(target.user, 6)) \(padded(target.status == .done ? "merge" : target.status.rawValue, 7)) "
                    + "\(padded(utility, 18)) \(padded(target.similarity.map { fixed($0.mean, 3) } ?? "-", 10)) \(weights)\n"
            )
        }
        show("\nThe results are in \(path)/USER: adapter/, predictions.jsonl, privacy.json and\n")
        for target in result.targets where target.status != .failed { show("  \(path)/\(target.user)/report.html\n") }
        return result.status == .done ? Exit.ok : Exit.software
    }
}
