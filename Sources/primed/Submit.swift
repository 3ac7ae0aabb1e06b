import FoundationEssentials
import Glibc
import Manifest
import Posix
import Spool
import Worker

/// `primed submit MANIFEST…`
enum Submit {
    static let command = Command(
        name: "submit", summary: "drop manifests into the inbox", operands: "MANIFEST...", operandCount: 1...10_000,
        description: """
            Copies each manifest (a file, or a folder with manifest.json) into the inbox under a name that the daemon \
            leaves alone, makes it durable, and renames it. With --wait, stays until every result is published and \
            shows progress on a terminal.
            """,
        options: [
            Site.option, Option(name: "wait", value: nil, help: "wait for the results"),
            Option(
                name: "timeout", value: "SECONDS", help: "with --wait: give up waiting after so long (default: never)"),
        ],
        exits: [
            (Exit.ok, "submitted; with --wait, every target is done"), (Exit.badData, "a manifest is mistaken"),
            (Exit.software, "with --wait: a result is not done"), (Exit.temporary, "with --wait: time is up"),
        ], examples: ["primed submit nightly.json", "primed submit --wait nightly.json"]
    ) { arguments in
        let site = try Site(arguments)
        var ids: [JobID] = []
        for path in arguments.operands { ids.append(try submit(path, site)) }
        guard arguments.has("wait") else {
            for id in ids { show("\(id)\n") }
            return Exit.ok
        }
        let timeout = try arguments.integer("timeout", default: 1 << 30, in: 1...(1 << 30))
        return try wait(ids, site, timeout: Double(timeout))
    }

    static func submit(_ given: String, _ site: Site) throws -> JobID {
        let isFolder = Files.isDirectory(given)
        let path = isFolder ? "\(given)/manifest.json" : given
        guard Files.exists(path) else { throw Failure(Exit.noInput, "\(path): there is no such manifest") }
        let bytes = try Files.read(path, limit: site.limits.manifestSize)
        let manifest = try JobManifest(bytes, file: Files.name(of: path))
        let name = Files.name(of: given.hasSuffix("/") ? String(given.dropLast()) : given)
        let target = isFolder || name.hasSuffix(".json") ? name : "\(name).json"
        let inbox = site.configuration.inbox
        try Files.makeDirectories(inbox)
        let draft = "\(inbox)/.\(target).\(getpid()).part"
        if isFolder {
            try copy(given, to: draft)
        } else {
            try Files.writeAtomically(bytes, to: draft, mode: 0o640)
        }
        do {
            try Files.rename(draft, to: "\(inbox)/\(target)", replacing: false)
        } catch {
            try? Files.removeTree(draft)
            throw Failure(Exit.cannotCreate, "\(inbox)/\(target): \(error.description)")
        }
        try Files.sync(directory: inbox)
        return JobFolder(path: "", manifest: target).id(written: manifest.id)
    }

    private static func copy(_ source: String, to destination: String) throws {
        try Files.makeDirectories(destination, mode: 0o750)
        for name in try Files.list(source) {
            let path = "\(source)/\(name)"
            switch try Files.status(path).kind {
            case .directory: try copy(path, to: "\(destination)/\(name)")
            case .regular: try Files.copy(path, to: "\(destination)/\(name)", limit: 1 << 30, mode: 0o640)
            default: throw Failure(Exit.badData, "\(path): no regular file; drop files and folders only")
            }
        }
    }

    /// Waits until every id has a result.
    static func wait(_ ids: [JobID], _ site: Site, timeout: Double) throws -> Int32 {
        let bar = ProgressBar(isShown: true)
        let deadline = MonotonicClock.seconds() + timeout
        var open = ids.map(\.description)
        var code = Exit.ok
        while !open.isEmpty {
            for id in open {
                let path = "\(site.configuration.outbox)/\(id)"
                guard let bytes = try? Files.read("\(path)/result.json", limit: 1 << 30) else { continue }
                bar.end()
                let status = try JSONDecoder().decode(ResultStatus.self, from: Data(bytes)).status
                show("\(status) \(path)\n")
                if status != "done" { code = Exit.software }
                open.removeAll { $0 == id }
            }
            guard !open.isEmpty else { break }
            guard MonotonicClock.seconds() < deadline else {
                complain("time is up; still open: \(open.joined(separator: ", "))")
                return Exit.temporary
            }
            if let job = ServiceStatus.read(site.folders)?.running.first(where: { open.contains($0.id) }),
                let progress = job.progress
            {
                bar.show(progress)
            }
            usleep(100_000)
        }
        return code
    }

    private struct ResultStatus: Decodable {
        let status: String
    }
}
