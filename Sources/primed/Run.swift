import Glibc
import JSON
import Llama
import Posix
import Spool
import Telemetry
import Worker

/// `primed run MANIFEST`
enum Run {
    static let command = Command(
        name: "run", summary: "do one job in the foreground", operands: "MANIFEST", operandCount: 1...1,
        description: """
            Does what the daemon does with the same file, and publishes the result in the outbox. MANIFEST is a JSON file \
            or a folder with manifest.json. A run that was interrupted goes on from its last finished generation; one \
            whose result is published already changes nothing. On a terminal a progress bar is shown.
            """,
        options: [
            Site.option,
            Option(name: "outbox", value: "DIR", help: "where the result goes (default: the configuration's)"),
            Site.deviceOption,
            Option(name: "quiet", value: nil, help: "show no progress"),
            Option(name: "json", value: nil, help: "print result.json on standard output"),
        ],
        exits: [
            (Exit.ok, "every target is done"), (Exit.badData, "the manifest, or what it names, is mistaken"),
            (Exit.noInput, "there is no such manifest"),
            (Exit.software, "a target failed or is held, or the time was over"),
            (Exit.cannotCreate, "the outbox cannot be made"), (Exit.io, "the result cannot be written"),
            (Exit.unavailable, "the device cannot be had, or cannot do it"),
            (Exit.temporary, "interrupted, under way already, or failed in a way that may pass; run it again to go on"),
        ],
        examples: ["primed run examples/debian/demo.json", "primed run --outbox /tmp/out nightly/"]
    ) { arguments in
        let site = try Site(arguments)
        guard arguments.text("outbox") != "" else {
            throw Failure(Exit.usage, "run: --outbox is empty; write a folder's path")
        }
        let outbox = Outbox(arguments.text("outbox") ?? site.folders.outbox)
        var limits = site.limits
        limits.folderSize = .max
        let submission = try Submission(arguments.operands[0], limits)
        if submission.isFolder && "\(Files.canonical(outbox.path))/".utf8.starts(with: "\(submission.source)/".utf8) {
            throw Failure(
                Exit.usage,
                "\(outbox.path): the outbox lies in the job's own folder, which is part of it; give another one")
        }
        return try run(submission, outbox: outbox, site: site, arguments: arguments)
    }

    private static func run(
        _ submission: Submission, outbox: Outbox, site: Site, arguments: Arguments
    ) throws -> Int32 {
        let (id, digest) = (submission.id, submission.digest)
        let folder = outbox.workFolder(for: id, manifest: submission.path)
        if let done = try outbox.digest(of: id.description), try done != digest || outbox.isFinished(id.description) {
            guard done == digest else {
                throw Failure(
                    Exit.badData,
                    "\(outbox.path)/\(id): another manifest was done under this id; choose another id, or remove that result"
                )
            }
            // A run that was stopped on the last steps; one that is on them now has the lock.
            if Files.exists(folder.path), let lock = try? folder.lock() {
                defer { withExtendedLifetime(lock) {} }
                try outbox.publish(folder, as: id.description, digest: digest)
            }
            Files.finishRetiring(folder.path)
            return try conclude("\(outbox.path)/\(id)", arguments)
        }
        try make(outbox.path, "name an outbox that can be made")
        let lock = try lock(of: folder, "\(outbox.path)/\(id)")
        defer { withExtendedLifetime(lock) {} }
        try folder.begin(digest: digest, name: submission.name, isFolder: submission.isFolder)
        let stop = try StopRequest(isOnce: true)
        let bar = ProgressBar(isShown: !arguments.has("quiet"))
        let reporter = WorkerReporter { message in
            guard case .progress(let progress) = message else { return }
            bar.show(progress)
            // What the disk refuses now is published with the rest.
            if progress.targets > 1 && progress.finished > 0 {
                _ = try? outbox.publishTargets(of: folder, as: id.description, digest: digest)
            }
        }
        let bounds = [submission.manifest.seconds, site.serviceOptions.jobSeconds].compactMap { $0 }
        let start = MonotonicClock.seconds()
        let deadline = start + (bounds.min() ?? .infinity) - folder.attempts.seconds
        let run = JobRun(
            folder: folder, configuration: site.configuration, device: try site.device(arguments), reporter: reporter,
            log: .none, shouldStop: { stop.check() || MonotonicClock.seconds() >= deadline })
        var outcome = JobOutcome.sealed
        if !folder.isFinished {
            try folder.recordStart()
            outcome = run.run()
            if outcome == .stopped && !stop.isMade {
                try run.endOverTime(id.description)
                outcome = .sealed
            }
            if outcome != .sealed {
                // Waiting for a device costs no time, as in the daemon.
                let seconds = outcome.isOfDevice ? 0 : MonotonicClock.seconds() - start
                try folder.recordStop(seconds: seconds)
            }
        }
        bar.end()
        switch outcome {
        case .sealed:
            let name = try outbox.publish(folder, as: id.description, digest: digest)
            return try conclude("\(outbox.path)/\(name)", arguments)
        case .stopped:
            complain("stopped; the same command goes on from the last finished generation")
            return Exit.temporary
        case .failed(let failure):
            complain(escaped("\(failure.problem.place): \(failure.problem.message)"))
            switch failure.kind {
            case .permanent: return Exit.badData
            case .deviceLost, .deviceNotReady: return Exit.unavailable
            // Another device may do it; this one may not.
            case .passing where failure.problem.code == LlamaError.Code.device.rawValue: return Exit.unavailable
            case .passing: return Exit.temporary
            }
        }
    }

    private static func lock(of folder: JobFolder, _ result: String) throws -> FileLock {
        do throws(PosixError) { return try folder.lock() } catch {
            guard error.errno == EWOULDBLOCK else { throw error }
            throw Failure(Exit.temporary, "\(result): another run of this job is under way; wait for its end")
        }
    }

    /// Says where the result is and turns its status into an exit code.
    private static func conclude(_ path: String, _ arguments: Arguments) throws -> Int32 {
        let file = "\(path)/\(Outbox.resultFile)"
        guard let result = try ResultSummary(file: file) else {
            throw Failure(Exit.software, "\(file): no result that can be read; remove the folder and run again")
        }
        show(
            arguments.has("json")
                ? String(decoding: try Files.read(file, limit: 1 << 30), as: UTF8.self)
                : "\(result.status.rawValue) \(path)\n")
        if let error = result.error { complain(escaped("\(error.place): \(error.message)")) }
        return result.status == .done ? Exit.ok : Exit.software
    }
}

extension JobOutcome {
    /// Whether the device could not be used now.
    fileprivate var isOfDevice: Bool {
        if case .failed(let failure) = self { failure.kind == .deviceNotReady } else { false }
    }
}
