import Posix
import Queue
import Spool
import Telemetry

// MARK: - From a claimed job to its published result

extension Service {
    /// Takes up what an earlier daemon, or an earlier failure of the disk, left under `work`.
    /// - Returns: how many jobs that were.
    func recover() throws(PosixError) -> Int {
        let recovered = try spool.recover()
        for job in recovered { add(job, at: MonotonicClock.seconds()) }
        return recovered.count
    }

    /// Queues a claimed job, or publishes it if it is done. Its files are claimed, so the queue must take it.
    func add(_ job: SpooledJob, at time: Double) {
        jobs[job.id] = job
        _ = queue.restore(JobQueue.Job(id: job.id, submitter: job.submitter, priority: job.priority), at: time)
        if job.folder.isFinished { publish(job, problem: nil) }
    }

    func startJobs(at time: Double) {
        while let slot = freeSlot, let next = queue.next(at: time), let job = jobs[next.id] {
            start(job, in: slot, at: time)
        }
    }

    /// A slot without a job, on a device that is there.
    var freeSlot: Int? {
        options.devices.indices.first { slot in
            !lostDevices.contains(options.devices[slot]) && !supervisor.runs.contains { $0.slot == slot }
        }
    }

    private func start(_ job: SpooledJob, in slot: Int, at time: Double) {
        // The end of the last attempt may not have been seen.
        if job.folder.isFinished {
            publish(job, problem: nil)
            return
        }
        let attempts = job.folder.attempts
        if attempts.areExhausted(limit: spool.limits.crashes) {
            publish(job, problem: .gaveUp(after: attempts, last: nil))
            return
        }
        do throws(PosixError) {
            try job.folder.recordStart()
            let process = try supervisor.start(
                job, in: slot, on: options.devices[slot], attempt: attempts.started + 1, at: time)
            log(.attemptStarted(job.id, attempt: attempts.started + 1, process: process))
        } catch {
            log(.trouble(error))
            witness(job) { folder throws(PosixError) in try folder.recordStop() }
            _ = queue.retry(job.id, at: time)
        }
    }

    /// Decides what becomes of a job whose worker has ended.
    func settle(_ run: Supervisor.Run, _ ending: Supervisor.Ending, at time: Double) {
        let job = run.job
        if ending == .sealed {
            tally.finishedAttempts += 1
            tally.attemptSeconds += time - run.startSeconds
        }
        if case .failed = ending { tally.failedAttempts += 1 }
        if case .crashed = ending { tally.failedAttempts += 1 }
        if run.noise > 0 { log(.workerNoise(job.id, lines: run.noise)) }
        switch ending {
        case .sealed: publish(job, problem: nil)
        case .stopped:
            witness(job) { folder throws(PosixError) in try folder.recordStop() }
            queue.putBack(job.id)
            log(.jobRequeued(job.id))
        case .failed(let failure) where failure.problem.code == JobError.deviceLost:
            // The job did nothing wrong: it waits for another device.
            lostDevices.insert(run.device)
            log(.deviceLost(run.device, job: job.id))
            witness(job) { folder throws(PosixError) in try folder.recordStop() }
            queue.putBack(job.id)
        case .failed(let failure) where failure.isPermanent:
            log(.attemptFailed(job.id, attempt: run.attempt, code: failure.problem.code, retryIn: nil))
            publish(job, problem: failure.problem)
        case .failed(let failure): retry(run, code: failure.problem.code, problem: failure.problem, at: time)
        case .crashed(let code): retry(run, code: code, problem: nil, at: time)
        }
    }

    /// Lets a job run again later, unless it has failed too often: then it fails with `problem`, or for its crashes.
    private func retry(_ run: Supervisor.Run, code: String, problem: Problem?, at time: Double) {
        witness(run.job) { folder throws(PosixError) in try folder.recordCrash() }
        let attempts = run.job.folder.attempts
        if attempts.areExhausted(limit: spool.limits.crashes) {
            log(.attemptFailed(run.job.id, attempt: run.attempt, code: code, retryIn: nil))
            publish(run.job, problem: problem ?? .gaveUp(after: attempts, last: code))
        } else {
            let delay = queue.retry(run.job.id, at: time)
            log(.attemptFailed(run.job.id, attempt: run.attempt, code: code, retryIn: delay))
        }
    }

    /// Notes the end of an attempt on disk. Where that fails the attempt stays without a witness, which is safe.
    private func witness(_ job: SpooledJob, _ record: (JobFolder) throws(PosixError) -> Void) {
        do throws(PosixError) { try record(job.folder) } catch { log(.trouble(error)) }
    }

    // MARK: - Publishing

    /// Publishes a job, as failed where there is a `problem`. What the disk refuses now is tried again with each rescan.
    func publish(_ job: SpooledJob, problem: Problem?) {
        do throws(PosixError) {
            let status = if let problem { try spool.fail(job, problem) } else { try spool.publish(job) }
            tally.published[status, default: 0] += 1
            if status == "done" { tally.lastDone = Double(WallClock.nanoseconds() / 1_000_000) / 1000 }
            queue.finish(job.id)
            jobs[job.id] = nil
            queueHasRoom()
        } catch {
            log(.trouble(error))
            queue.hold(job.id, reason: "unpublished")
            unpublished.append((job, problem))
        }
    }

    func retryPublishing() {
        let again = unpublished
        unpublished = []
        for (job, problem) in again { publish(job, problem: problem) }
    }
}

extension Problem {
    /// For a job whose worker never came to a result.
    fileprivate static func gaveUp(after attempts: Attempts, last code: String?) -> Problem {
        Problem(
            code: "quarantined",
            message: "the worker process ended \(attempts.crashes + attempts.unwitnessed) times without getting on"
                + (code.map { ", at last by \($0)" } ?? "")
                + "; see the daemon's log, and drop the job under another id when the cause is gone",
            place: "worker")
    }
}
