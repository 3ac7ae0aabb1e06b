import Glibc
import Manifest
import Posix
import Spool
import Telemetry
import Worker

/// `primed serve`
enum Serve {
    static let command = Command(
        name: "serve", summary: "watch the inbox and do what is dropped into it",
        description: """
            Takes job manifests (NAME.json, or a folder NAME/ with manifest.json and the files it names) from the inbox, \
            runs them in worker processes, and publishes each result as one folder in the outbox. Names that begin with \
            a dot or end in .part, .tmp or ~ are left alone, so write under such a name and rename.

            SIGTERM stops taking jobs, lets the evaluations in flight finish and puts the jobs back; a second one stops \
            at once. Interrupted jobs go on from their last finished generation. SIGHUP reads the configuration again; \
            inbox, work and outbox stay what they were until the daemon starts anew. SIGUSR1 logs what it is doing.
            """,
        options: [
            Site.option,
            Option(name: "once", value: nil, help: "stop when the inbox is empty and every job is published"),
        ],
        exits: [
            (Exit.ok, "stopped as asked"), (Exit.unavailable, "another daemon serves this spool"),
            (Exit.configuration, "the configuration or the folders cannot be used"),
            (
                Exit.temporary,
                "disk or memory gave out while it started, or with --once disk or devices left jobs undone"
            ),
        ],
        examples: ["primed serve --config /etc/primed/primed.json5", "primed serve --once"]
    ) { arguments in
        try serve(try Site(arguments), arguments, once: arguments.has("once"), log: .standardError())
    }

    /// Serves until asked to stop, or with `once` until there is nothing left to do.
    static func serve(_ site: Site, _ arguments: Arguments, once: Bool, log: Log) throws -> Int32 {
        let spool: Spool
        do {
            spool = try Spool(site.folders, limits: site.limits, log: log) { (folder, limit) throws(PosixError) in
                try read(folder, limit: limit)
            }
        } catch {
            throw Failure(Exit.code(of: error), error.description)
        }
        let signals = try Signals(catching: [SIGTERM, SIGINT, SIGHUP, SIGUSR1])
        let words = ["work"] + (site.file.map { ["--config", $0] } ?? [])
        let service = Service(
            spool: spool, worker: WorkerProgram(path: ownPath(), arguments: words), options: site.serviceOptions,
            signals: signals, version: Primed.version, log: log
        ) {
            do {
                let next = try Site(arguments)
                let kept = site.keysKept(from: next)
                if !kept.isEmpty { log(.restartNeeded(keys: kept)) }
                return (next.serviceOptions, next.limits)
            } catch {
                complain("the configuration is not reloaded: \((error as? Failure)?.message ?? "\(error)")")
                return nil
            }
        }
        switch try service.run(once: once) {
        case .done: return Exit.ok
        case .diskFull:
            complain("\(site.configuration.work): too little room on the disk; what is in the inbox waits there")
            return Exit.temporary
        case .noDevice:
            complain("no device can be used any more; the jobs that are left wait for the next start")
            return Exit.temporary
        }
    }

    /// What a claimed manifest turns out to be.
    private static func read(_ folder: JobFolder, limit: Int) throws(PosixError) -> Reading {
        let bytes = try Files.read(folder.manifest, limit: limit)
        do {
            let manifest = try JobManifest(bytes, file: "manifest")
            return .job(
                id: manifest.id.flatMap { JobID($0) }, submitter: manifest.submitter, priority: manifest.priority,
                seconds: manifest.seconds)
        } catch {
            return .mistaken(id: error.id.flatMap { JobID($0) }, JobError(error).problem)
        }
    }
}

/// `primed work FOLDER`: a worker process of the daemon.
enum Work {
    static let command = Command(
        name: "work", summary: "do one claimed job (the daemon starts this)", operands: "FOLDER",
        operandCount: 1...1,
        description: """
            Does the job in a claimed folder and seals its result there; the daemon publishes it. The configuration comes \
            on standard input, progress goes to descriptor 3. Not meant to be called by people: use primed run.
            """, options: [Site.option, Site.deviceOption],
        isHidden: true
    ) { arguments in
        let site = try Site(arguments, text: try Descriptor(dup(STDIN_FILENO)).readAll(limit: Site.largestFile))
        let device = try site.device(arguments)
        return serveAsWorker(folder: arguments.operands[0]) { folder, reporter, stop in
            // Whoever dropped the folder may still have it open.
            do { try Files.confine(folder.input) } catch {
                return .failed(JobFailure(JobError(error)))
            }
            return JobRun(
                folder: folder, configuration: site.configuration, device: device, reporter: reporter,
                log: .standardError(), shouldStop: stop.check
            ).run()
        }
    }
}
