import Glibc
import JSON
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
            leaves alone, makes it durable, and renames it; prints each job's id once it is dropped. All manifests are \
            read first, and nothing is dropped where one is mistaken. One that cannot be dropped keeps no others from it.

            With --wait, stays until every result of what was dropped is published, shows progress on a terminal, and \
            prints each result's status and folder instead of ids. A job that was done before has its result at once.

            Where several things go wrong it ends with the largest of their codes.
            """,
        options: [
            Site.option, Option(name: "wait", value: nil, help: "wait for the results"),
            Option(
                name: "timeout", value: "SECONDS", help: "give up waiting after so long (default: never)",
                needs: "wait"),
        ],
        files: [
            ("INBOX/.NAME.*.part", "what is still being copied"),
            ("OUTBOX/ID/result.json", "the result that --wait waits for"),
        ],
        exits: [
            (Exit.ok, "submitted; with --wait, every target is done"), (Exit.badData, "a manifest is mistaken"),
            (Exit.noInput, "there is no such manifest"), (Exit.software, "with --wait: a result is not done"),
            (Exit.cannotCreate, "the inbox has another file of that name, or cannot be made"),
            (Exit.temporary, "with --wait: time is up"),
        ], examples: ["primed submit nightly.json", "primed submit --wait --timeout 3600 nightly/"]
    ) { arguments in
        let site = try Site(arguments)
        let timeout = try arguments.integer("timeout", default: 1 << 30, in: 1...(1 << 30))
        let drops = try arguments.operands.map { try Drop($0, site) }
        var dropped: [Drop] = []
        var code = Exit.ok
        for drop in drops {
            do {
                try drop.copy(into: site.folders.inbox)
                dropped.append(drop)
                if !arguments.has("wait") { show("\(drop.id)\n") }
            } catch {
                complain("\(error)")
                code = max(code, Exit.code(of: error))
            }
        }
        guard arguments.has("wait"), !dropped.isEmpty else { return code }
        return max(code, try wait(for: dropped, site, seconds: Double(timeout)))
    }

    /// Drops one manifest.
    static func submit(_ operand: String, _ site: Site) throws -> JobID {
        let drop = try Drop(operand, site)
        try drop.copy(into: site.folders.inbox)
        return drop.id
    }

    // MARK: - Waiting

    private static func wait(for drops: [Drop], _ site: Site, seconds: Double) throws -> Int32 {
        let outbox = Outbox(site.folders.outbox)
        let bar = ProgressBar(isShown: true)
        let deadline = MonotonicClock.seconds() + seconds
        let serving = try ServiceStatus.serving(site.folders)
        if serving?.serves(inbox: site.folders.inbox) != true {
            complain("no daemon serves \(site.folders.inbox); waiting for one")
        }
        var open = drops
        var code = Exit.ok
        while true {
            for drop in open {
                guard let name = try outbox.name(of: drop.id, digest: drop.digest) else { continue }
                bar.end()
                let path = "\(outbox.path)/\(name)"
                let result = try ResultSummary(file: "\(path)/\(Outbox.resultFile)")
                show("\(result?.status.rawValue ?? "unreadable") \(path)\n")
                if let error = result?.error { complain(escaped("\(drop.id): \(error.place): \(error.message)")) }
                if result?.status != .done { code = Exit.software }
                open.removeAll { $0.id == drop.id && $0.digest == drop.digest }
            }
            if open.isEmpty { return code }
            guard MonotonicClock.seconds() < deadline else {
                bar.end()
                complain("time is up; still open: \(open.map(\.id.description).joined(separator: ", "))")
                return Exit.temporary
            }
            let running = try ServiceStatus.read(site.folders)?.running ?? []
            if let progress = running.first(where: { job in open.contains { $0.id.description == job.id } })?.progress {
                bar.show(progress)
            }
            usleep(100_000)
        }
    }
}

/// A manifest, or a folder with one, on its way into the inbox.
private struct Drop {
    private let submission: Submission

    var id: JobID { submission.id }
    var digest: String { submission.digest }

    init(_ operand: String, _ site: Site) throws {
        submission = try Submission(operand, site.limits)
        guard !Inbox.isTemporary(submission.name) else {
            throw Failure(
                Exit.badData,
                "\(operand): names that begin with a dot or end in .tmp, .part or ~ are left alone in an inbox; give it another"
            )
        }
        if !submission.isFolder { try Self.requireAlone(submission.manifest, submission.path, site) }
    }

    /// Refuses a lone file whose companions lie beside it and would stay behind.
    private static func requireAlone(_ manifest: JobManifest, _ path: String, _ site: Site) throws(Failure) {
        let names = Names(folder: nil, configuration: site.configuration)
        for companion in manifest.companions
        where Files.exists("\(Files.parent(of: path))/\(companion.name)") && !names.isBelowRoots(companion.name) {
            throw Failure(
                Exit.badData,
                "\(path): \(companion.field): \(companion.name) lies beside the manifest and would stay behind; put both "
                    + "into a folder, the manifest as manifest.json, and submit that")
        }
    }

    func copy(into inbox: String) throws {
        let name = submission.name
        // Nobody else's: what is there already would become part of the job.
        let draft = "\(inbox)/.\(name).\(String(UInt64.random(in: .min ... .max), radix: 36)).part"
        do {
            try make(inbox, "name an inbox that can be made")
            if submission.isFolder {
                try Self.copy(tree: submission.source, to: draft)
            } else {
                try Self.copy(file: submission.source, to: draft)
            }
            try Files.rename(draft, to: "\(inbox)/\(name)", replacing: false)
            try Files.sync(directory: inbox)
        } catch {
            try? Files.removeTree(draft)
            guard let error = error as? PosixError else { throw error }
            if error.errno == EEXIST {
                throw Failure(
                    Exit.cannotCreate,
                    "\(inbox)/\(name): it waits there already; wait until it is taken, or take another name")
            }
            // Else the fault is the source's.
            guard "\(error.path)/".utf8.starts(with: "\(inbox)/".utf8) else { throw error }
            throw ofGroup(error, "\(inbox): this user may not drop jobs there", folder: inbox, right: S_IWGRP)
        }
    }

    private static func copy(tree source: String, to destination: String) throws {
        try Files.makeDirectories(destination)
        for name in try Files.list(source) {
            let path = "\(source)/\(name)"
            switch try Files.status(path).kind {
            case .directory: try copy(tree: path, to: "\(destination)/\(name)")
            case .regular: try copy(file: path, to: "\(destination)/\(name)")
            case .symbolicLink, .special:
                throw Failure(Exit.badData, "\(path): no regular file; a job has files and folders only")
            }
        }
        // The daemon moves and empties it, as one of the inbox's group. Last, since what is made in it inherits that group by
        // a bit that this takes away.
        try Files.set(mode: 0o770, of: destination)
        try Files.sync(directory: destination)
    }

    /// For the inbox's group to read, whatever this process's mask.
    private static func copy(file source: String, to destination: String) throws(PosixError) {
        try Files.copy(source, to: destination, limit: .max, mode: 0o640)
        try Files.set(mode: 0o640, of: destination)
        try Files.sync(file: destination)
    }
}
