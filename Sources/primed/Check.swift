import Manifest
import Posix
import Worker

/// `primed check MANIFEST`
enum Check {
    static let command = Command(
        name: "check", summary: "say what is wrong with a manifest, without running it", operands: "MANIFEST",
        operandCount: 1...1,
        description: """
            Reads the manifest, and everything that it names: the base, the task, the pool or adapters, and every \
            target's history and queries. Prints one line a mistake: the place, what was found, and what would be right.
            """,
        options: [
            Site.option, Option(name: "json", value: nil, help: "print mistakes as JSON lines {place, message}"),
        ], exits: [(Exit.ok, "nothing is wrong"), (Exit.badData, "something is"), (Exit.noInput, "no such manifest")],
        examples: ["primed check examples/debian/demo.json"]
    ) { arguments in
        let site = try Site(arguments)
        let given = arguments.operands[0]
        let path = Files.isDirectory(given) ? "\(given)/manifest.json" : given
        guard Files.exists(path) else { throw Failure(Exit.noInput, "\(path): there is no such manifest") }
        let lines = try mistakes(path, site)
        for line in lines {
            show(arguments.has("json") ? try json(Line(place: line.place, message: line.message)) : "\(line)\n")
        }
        return lines.isEmpty ? Exit.ok : Exit.badData
    }

    private struct Line: Encodable {
        let place: String
        let message: String
    }

    private static func mistakes(_ path: String, _ site: Site) throws -> [JobError] {
        let absolute = path.hasPrefix("/") ? path : "\(currentFolder())/\(path)"
        let manifest: JobManifest
        do {
            manifest = try JobManifest(
                try Files.read(absolute, limit: site.limits.manifestSize), file: Files.name(of: absolute))
        } catch let error as ManifestError {
            return error.mistakes.map {
                JobError(code: $0.code.rawValue, place: $0.place, message: "\($0.found); \($0.remedy)")
            }
        }
        do {
            let names = Names(folder: Files.parent(of: absolute), configuration: site.configuration)
            return try JobInputs(manifest, names: names).targets.compactMap { target in
                if case .failure(let error) = target.input { error } else { nil }
            }
        } catch {
            return [JobError(error)]
        }
    }
}
