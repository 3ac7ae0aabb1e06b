import Glibc
import Manifest
import Posix
import Spool
import Worker

/// `primed doctor`
enum Doctor {
    static let command = Command(
        name: "doctor", summary: "show what is in force and whether it can work",
        description: """
            Shows every configuration key with its value and where that came from, what the machine offers, whether the \
            spool's folders can be written and renamed between, and whether every model, pool and task below the \
            configured roots can be opened, as a job opens them. Reads every model's weights once, and makes no folder.

            Every key may also be set by a variable of the environment, which goes before the file: PRIMED_SLOTS for \
            slots.
            """,
        options: [Site.option, Option(name: "json", value: nil, help: "print one JSON object")],
        exits: [(Exit.ok, "everything works"), (Exit.configuration, "something does not, see the lines marked FAIL")],
        examples: ["primed doctor", "primed doctor --json | jq '.findings[] | select(.state == \"fail\")'"]
    ) { arguments in
        let site = try Site(arguments)
        let findings =
            about(site) + Machine.findings + Machine.gpus(site.configuration) + spool(site)
            + metrics(site.configuration)
            + Stores.findings(site.configuration)
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
        let asRoot = Finding(
            .note, "user",
            "checked as root: what the daemon's user may do is shown by `runuser -u primed -- primed doctor`")
        return [
            Finding(.ok, "configuration", site.file ?? "no file; every key has its default"),
            Finding(.ok, "daemon", daemon.map { "serves, process \($0.pid)" } ?? "none serves this spool"),
        ] + (daemon.map { otherFolders(of: $0, site.folders) } ?? []) + (geteuid() == 0 ? [asRoot] : [])
    }

    /// The folders that the daemon began with and the configuration does not name any more.
    private static func otherFolders(of daemon: ServiceStatus, _ folders: Spool.Folders) -> [Finding] {
        [("inbox", daemon.inbox, folders.inbox), ("outbox", daemon.outbox, folders.outbox)].compactMap {
            key, served, named in
            guard let served, Files.canonical(served) != Files.canonical(named) else { return nil }
            return Finding(.fail, key, "the daemon serves \(served) and not \(named); restart it to take that")
        }
    }

    private static func metrics(_ configuration: Configuration) -> [Finding] {
        guard !configuration.metrics.isEmpty else { return [] }
        let folder = Files.parent(of: configuration.metrics)
        guard Files.mayChange(folder) else {
            return [
                Finding(
                    .fail, "metrics",
                    "\(folder) is no folder that this user may write; make it so, and under systemd see metrics.conf.example"
                )
            ]
        }
        return [Finding(.ok, "metrics", configuration.metrics)]
    }

    private static func spool(_ site: Site) -> [Finding] {
        var findings: [Finding] = []
        var probe: String?
        let folders = [site.configuration.inbox, site.configuration.work, site.configuration.outbox]
        for folder in folders {
            let next = "\(folder)/.doctor.\(getpid()).tmp"
            do throws(PosixError) {
                guard try Files.isPresent(folder) else {
                    findings.append(missing(folder))
                    continue
                }
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
        // What is there was renamed between; what is not will be where its nearest folder is.
        if let absent = folders.first(where: { !Files.exists($0) }),
            Set(folders.compactMap { try? Files.status(Files.canonical(standing($0))).device }).count > 1
        {
            findings.append(
                Finding(
                    .fail, "folder \(absent)",
                    "it and the others would not be on one file system; put inbox, work and outbox on one"))
        }
        do throws(SpoolError) { try site.folders.requireSeparate() } catch {
            findings.append(Finding(.fail, "folder \(error.place)", "\(error.found); \(error.remedy)"))
        }
        return findings
    }

    /// A folder that is not there: whoever looks makes none, since it would not be the daemon's.
    private static func missing(_ folder: String) -> Finding {
        let parent = standing(folder)
        guard Files.isDirectory(parent), access(parent, W_OK | X_OK) == 0 else {
            return Finding(
                .fail, "folder \(folder)",
                "missing, and this user may not write in \(parent); make the folder, or give the right to")
        }
        return Finding(.note, "folder \(folder)", "missing; the daemon makes it")
    }

    /// The nearest that is there of a path and the folders above it.
    private static func standing(_ path: String) -> String {
        var path = path
        while !Files.exists(path), path != "/", path != "." { path = Files.parent(of: path) }
        return path
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
        lines += settings.map { "\(padded($0.key, 22))\(padded($0.value, min(width, 48)))  \($0.origin)" }
        lines.append("")
        lines += findings.map { finding in
            let mark = finding.state == .fail ? "FAIL" : finding.state.rawValue
            return "\(padded(mark, 6))\(finding.what): \(finding.found)"
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
