import Checkpoints
import Compute
import Glibc
import Manifest
import Posix
import Tokenizers

/// `primed doctor`
enum Doctor {
    static let command = Command(
        name: "doctor", summary: "show what is in force and whether it can work",
        description: """
            Shows every configuration key with its value and where it came from, the processor's instruction set, and \
            whether the spool's folders can be written and each model below the models root can be opened.
            """,
        options: [Site.option, Option(name: "json", value: nil, help: "print one JSON object")],
        exits: [(Exit.ok, "everything works"), (Exit.configuration, "something does not")],
        examples: ["primed doctor"]
    ) { arguments in
        let site = try Site(arguments)
        let findings = [findings(on: site), [backend], folders(site), models(site)].flatMap { $0 }
        if arguments.has("json") {
            let settings = site.configuration.description.map {
                Setting(key: $0.key, value: $0.value, origin: $0.origin)
            }
            show(try json(Report(version: Primed.version, settings: settings, findings: findings), pretty: true))
        } else {
            show("primed \(Primed.version)\n\n")
            for entry in site.configuration.description {
                show("\(padded(entry.key, 22)) \(padded(entry.value, 40)) \(entry.origin)\n")
            }
            show("\n")
            for finding in findings {
                show("\(finding.works ? "ok     " : "MISSING") \(finding.what): \(finding.found)\n")
            }
        }
        return findings.allSatisfy(\.works) ? Exit.ok : Exit.configuration
    }

    private struct Setting: Encodable {
        let key: String
        let value: String
        let origin: String
    }

    private struct Finding: Encodable {
        let what: String
        let found: String
        let works: Bool
    }

    private struct Report: Encodable {
        let version: String
        let settings: [Setting]
        let findings: [Finding]
    }

    private static func findings(on site: Site) -> [Finding] {
        let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        return [
            Finding(what: "configuration", found: site.file ?? "no file; every key has its default", works: true),
            Finding(what: "processor", found: "\(cores) cores, \(CPUBackend.instructionSet)", works: true),
        ]
    }

    private static var backend: Finding {
        Finding(what: "backend", found: "the CPU (this version has no other)", works: true)
    }

    private static func folders(_ site: Site) -> [Finding] {
        let configuration = site.configuration
        return [configuration.inbox, configuration.work, configuration.outbox].map { path in
            do {
                try Files.makeDirectories(path)
                let probe = "\(path)/.doctor.\(getpid()).tmp"
                try Files.writeAtomically([], to: probe)
                try Files.remove(probe)
                return Finding(what: path, found: "can be written", works: true)
            } catch {
                return Finding(what: path, found: "\(error)", works: false)
            }
        }
    }

    private static func models(_ site: Site) -> [Finding] {
        let root = site.configuration.models
        guard let names = try? Files.list(root) else {
            return [Finding(what: root, found: "no such folder; put model folders there", works: false)]
        }
        return names.filter { Files.isDirectory("\(root)/\($0)") }.map { name in
            do {
                let folder = try ModelFolder("\(root)/\(name)")
                _ = try Tokenizer(folder: "\(root)/\(name)")
                let config = folder.config
                return Finding(
                    what: "model \(name)",
                    found: "\(config.layers) layers of \(config.hiddenSize), \(folder.byteCount >> 20) MiB", works: true
                )
            } catch {
                return Finding(what: "model \(name)", found: "\(error)", works: false)
            }
        }
    }
}
