import Checkpoints
import Compute
import Glibc
import Manifest
import Posix
import Tasks
import Tokenizers
import Worker

/// `primed doctor`
enum Doctor {
    static let command = Command(
        name: "doctor", summary: "show what is in force and whether it can work",
        description: """
            Shows every configuration key with its value and where that came from, what the machine offers, whether the \
            spool's folders can be written and renamed between, and whether every model, pool and task below the \
            configured roots can be opened. Reads every model's weights once.

            Every key may also be set by a variable of the environment, which goes before the file: PRIMED_SLOTS for \
            slots.
            """,
        options: [Site.option, Option(name: "json", value: nil, help: "print one JSON object")],
        exits: [(Exit.ok, "everything works"), (Exit.configuration, "something does not, see the lines marked FAIL")],
        examples: ["primed doctor", "primed doctor --json | jq '.findings[] | select(.state == \"fail\")'"]
    ) { arguments in
        let site = try Site(arguments)
        let findings =
            about(site) + Machine.findings + Machine.gpus(site.configuration) + spool(site) + stores(site.configuration)
        let report = Report(
            version: Primed.version,
            settings: site.configuration.settings.map {
                Report.Setting(key: $0.key, value: $0.value, origin: $0.origin)
            }, findings: findings)
        show(arguments.has("json") ? try json(report, pretty: true) : report.text)
        return findings.contains { $0.state == .fail } ? Exit.configuration : Exit.ok
    }

    // MARK: - Site

    private static func about(_ site: Site) -> [Finding] {
        let daemon = try? ServiceStatus.serving(site.folders)
        return [
            Finding(.ok, "configuration", site.file ?? "no file; every key has its default"),
            Finding(.ok, "daemon", daemon.map { "serves, process \($0.pid)" } ?? "none serves this spool"),
        ]
    }

    private static func spool(_ site: Site) -> [Finding] {
        let folders = [site.configuration.inbox, site.configuration.work, site.configuration.outbox]
        var findings: [Finding] = []
        var probe: String?
        for folder in folders {
            let next = "\(folder)/.doctor.\(getpid()).tmp"
            do throws(PosixError) {
                try Files.makeDirectories(folder)
                if let probe { try Files.rename(probe, to: next) } else { try Files.writeAtomically([], to: next) }
                probe = next
                let room = try Files.room(at: folder)
                let isEnough = site.limits.allow(room)
                let free = "\(room.bytes >> 30) GiB, \(Int(room.byteShare * 100))%, free"
                findings.append(
                    Finding(
                        isEnough ? .ok : .fail, "folder \(folder)",
                        isEnough ? "can be written, \(free)" : "\(free): too little, no job is taken; see min_free_disk"
                    ))
            } catch {
                let remedy =
                    error.errno == EXDEV
                    ? "; put inbox, work and outbox on one file system" : "; give this user the right to write there"
                findings.append(Finding(.fail, "folder \(folder)", error.description + remedy))
            }
        }
        if let probe { try? Files.remove(probe) }
        return findings
    }

    // MARK: - Models, pools, tasks

    private static func stores(_ configuration: Configuration) -> [Finding] {
        var configs: [String: LlamaConfig] = [:]
        var findings = entries(of: configuration.models, "models", isFolder: true) { path throws in
            let folder = try ModelFolder(path)
            let tokenizer = try Tokenizer(folder: path)
            configs[Files.name(of: path)] = folder.config
            return "\(folder.config.layers) layers of \(folder.config.hiddenSize), \(tokenizer.vocabularySize) tokens, "
                + "\(folder.byteCount >> 20) MiB"
        }
        findings += entries(of: configuration.pools, "pools", isFolder: true) { path throws in
            let pool = try PoolManifest(
                try Files.read(PoolManifest.fileName, beneath: path, limit: 64 << 20), file: PoolManifest.fileName)
            let base = pool.base.map { Files.name(of: $0) } ?? ""
            guard let config = configs[base] else {
                return "\(pool.members.count) members; their base \(base) is not here"
            }
            for member in pool.members { _ = try Adapter("\(path)/\(member.adapter)", for: config) }
            let today = String(WallClock.timestamp().prefix(10))
            return
                "\(pool.members.count) members of \(base), \(pool.members.count { $0.isUsable(on: today) }) usable today"
        }
        findings += entries(of: configuration.tasks, "tasks", isFolder: false) { path throws in
            let task = try TaskDefinition(definition: try Files.read(path, limit: 1 << 20), file: Files.name(of: path))
            return "\(task.name), scored by \(task.metricNames.joined(separator: " and "))"
        }
        findings.append(
            Files.isDirectory(configuration.histories)
                ? Finding(.ok, "histories", configuration.histories)
                : Finding(.note, "histories", "\(configuration.histories) is not there; manifests bring their own"))
        return findings
    }

    /// A finding for each entry of a root.
    private static func entries(
        of root: String, _ what: String, isFolder: Bool, _ open: (String) throws -> String
    ) -> [Finding] {
        guard let names = try? Files.list(root) else {
            return [Finding(.note, what, "\(root) is not there; manifests bring their own")]
        }
        let paths = names.filter { !$0.hasPrefix(".") }.map { "\(root)/\($0)" }
        return paths.filter { Files.isDirectory($0) == isFolder }.map { path in
            let entry = "\(what) \(Files.name(of: path))"
            do {
                return Finding(.ok, entry, try open(path))
            } catch {
                return Finding(.fail, entry, "\(error)")
            }
        }
    }
}

/// One thing that was looked at.
struct Finding: Encodable {
    enum State: String, Encodable {
        case ok
        /// Worth knowing; nothing is wrong.
        case note
        case fail
    }

    let state: State
    let what: String
    let found: String

    init(_ state: State, _ what: String, _ found: String) {
        (self.state, self.what, self.found) = (state, what, found)
    }
}

private struct Report: Encodable {
    struct Setting: Encodable {
        let key: String
        let value: String
        let origin: String
    }

    let version: String
    let settings: [Setting]
    let findings: [Finding]

    var text: String {
        let width = settings.map(\.value.count).max() ?? 0
        var lines = ["primed \(version)", ""]
        lines += settings.map { "\(padded($0.key, 22))\(padded($0.value, min(width, 48) + 2))\($0.origin)" }
        lines.append("")
        lines += findings.map { finding in
            let mark = finding.state == .fail ? "FAIL" : finding.state.rawValue
            return "\(padded(mark, 6))\(finding.what): \(finding.found)"
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
