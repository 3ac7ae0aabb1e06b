import JSON
import Manifest
import Posix
import Spool
import Worker

/// `primed check MANIFEST…`
enum Check {
    static let command = Command(
        name: "check", summary: "say what is wrong with manifests, without running them", operands: "MANIFEST...",
        operandCount: 1...10_000,
        description: """
            Reads each manifest, a JSON file or a folder with manifest.json, and everything that it names: the base, the \
            task, every adapter that may be selected, and every target's history, queries and embedding; and whether \
            there are as many sharers as it asks for, and no more weights than can be searched. Prints one line a \
            mistake: the manifest, the place, what was found, and what would be right. Says nothing where nothing is \
            wrong. A manifest that is not there is named on standard error, and the others are checked all the same.

            Names are looked for in the manifest's own folder, then below the configured roots. A lone file that is \
            dropped into the inbox has no folder of its own there; submit says so where it matters.
            """,
        options: [
            Site.option,
            Option(
                name: "json", value: nil, help: "print mistakes as JSON lines {\"code\",\"file\",\"message\",\"where\"}"
            ),
        ],
        exits: [
            (Exit.ok, "nothing is wrong"), (Exit.badData, "something is"),
            (Exit.noInput, "there is no such manifest, whatever is wrong with others"),
        ],
        examples: [
            "primed check examples/debian/demo.json", "primed check --json nightly/ && primed submit nightly/",
        ]
    ) { arguments in
        let site = try Site(arguments)
        var code = Exit.ok
        for operand in arguments.operands {
            do {
                for mistake in try mistakes(in: operand, site) {
                    show(
                        arguments.has("json")
                            ? try json(mistake) : escaped("\(mistake.where): \(mistake.message)") + "\n")
                    code = max(code, Exit.badData)
                }
            } catch {
                complain("\(error)")
                code = max(code, Exit.code(of: error))
            }
        }
        return code
    }

    private struct Mistake: Encodable {
        let code: String
        let file: String
        let message: String
        /// The file, and the place in it.
        let `where`: String
    }

    private static func mistakes(in file: String, _ site: Site) throws -> [Mistake] {
        let path = try manifestPath(file)
        if Files.isDirectory(file) {
            if let offence = try site.limits.offence(in: Files.canonical(file)) {
                let place = offence.place(in: file.hasSuffix("/") ? String(file.dropLast()) : file)
                let mistake = Mistake(code: offence.code, file: file, message: offence.message, where: place)
                return [mistake] + (offence.path == "manifest.json" ? [] : try mistakes(of: path, named: file, site))
            }
        }
        return try mistakes(of: path, named: file, site)
    }

    private static func mistakes(of path: String, named file: String, _ site: Site) throws -> [Mistake] {
        let bytes: [UInt8]
        do throws(PosixError) { bytes = try Files.read(path, limit: site.limits.manifestSize) } catch {
            guard let words = manifestOffence(error, site.limits) else { throw error }
            return [Mistake(code: "unreadable", file: file, message: words, where: file)]
        }
        do {
            let manifest = try JobManifest(bytes, file: file)
            let names = Names(folder: Files.parent(of: path), configuration: site.configuration)
            return JobInputs.mistakes(in: manifest, names: names).map { error in
                Mistake(code: error.code, file: file, message: error.message, where: "\(file): \(error.placeInJob)")
            }
        } catch {
            return error.mistakes.map {
                Mistake(code: $0.code.rawValue, file: file, message: "\($0.found); \($0.remedy)", where: $0.place)
            }
        }
    }
}

extension JobError {
    /// The place without the word for the manifest, where the file is named already or there is none.
    var placeInJob: String {
        let word = "manifest: "
        return place.hasPrefix(word) ? String(place.dropFirst(word.count)) : place
    }
}
