import Manifest
import Posix
import Spool
import Worker

/// `primed check MANIFEST`
enum Check {
    static let command = Command(
        name: "check", summary: "say what is wrong with a manifest, without running it", operands: "MANIFEST",
        operandCount: 1...1,
        description: """
            Reads the manifest, a JSON file or a folder with manifest.json, and everything that it names: the base, the \
            task, every adapter that may be selected, and every target's history and queries. Prints one line a \
            mistake: the place, what was found, and what would be right. Says nothing where nothing is wrong.

            Names are looked for in the manifest's own folder, then below the configured roots. A lone file that is \
            dropped into the inbox has no folder of its own there; submit says so where it matters.
            """,
        options: [
            Site.option,
            Option(name: "json", value: nil, help: "print mistakes as JSON lines {\"code\",\"message\",\"where\"}"),
        ], exits: [(Exit.ok, "nothing is wrong"), (Exit.badData, "something is"), (Exit.noInput, "no such manifest")],
        examples: ["primed check examples/debian/demo.json", "primed check --json nightly/ && primed submit nightly/"]
    ) { arguments in
        let site = try Site(arguments)
        let mistakes = try mistakes(in: try manifestPath(arguments.operands[0]), site)
        for mistake in mistakes {
            show(
                arguments.has("json")
                    ? try json(mistake) : "\(mistake.place): \(mistake.message)\n")
        }
        return mistakes.isEmpty ? Exit.ok : Exit.badData
    }

    private static func mistakes(in path: String, _ site: Site) throws -> [Problem] {
        let bytes = try Files.read(path, limit: site.limits.manifestSize)
        do {
            let manifest = try JobManifest(bytes, file: "manifest")
            let names = Names(folder: Files.parent(of: path), configuration: site.configuration)
            return JobInputs.mistakes(in: manifest, names: names).map(\.problem)
        } catch {
            return error.mistakes.map {
                Problem(code: $0.code.rawValue, message: "\($0.found); \($0.remedy)", place: $0.place)
            }
        }
    }
}
