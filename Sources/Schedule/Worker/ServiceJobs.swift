import Posix
import Queue
import Spool
import Telemetry

// MARK: - From a claimed job to its published result

extension Service {
    /// Takes up what an earlier daemon, or an earlier failure of the disk, left under `work`.
    /// - Parameter sign: called between jobs, any of which may take a while.
    /// - Returns: how many jobs that were.
    func recover(_ sign: () -> Void) throws(PosixError) -> Int {
        let recovery = try spool.recover(sign)
        for job in recovery.jobs { add(job, at: MonotonicClock.seconds()) }
        for status in recovery.published { count(status) }
        if recovery.isPartial { tryAgainSoon(after: MonotonicClock.seconds()) }
        return recovery.jobs.count
    }

    /// Queues a claimed job, or publishes it if it is done. Its files are claimed, so the queue must take it.
    func add(_ job: SpooledJob, at time: Double) {
        jobs[job.id] = job
        queue.add(
            JobQueue.Job(id: job.id, owner: job.owner, submitter: job.submitter, priority: job.priority), at: time)
        if job.folder.isFinished { return publish(job) }
        publishTargets(of: job)
        heed(job)
    }

    /// Does what an operator wants of a job; where that cannot be read the job waits until it can.
    private func heed(_ job: SpooledJob) {
        do throws(PosixError) { wishes[job.id] = try job.folder.wish() } catch {
            log(.trouble(error))
            queue.hold(job.id, .wishUnread)
            tryAgainSoon(after: MonotonicClock.seconds())
            return
        }
        switch wishes[job.id] {
        case .cancel: publish(job, verdict: .cancelled)
        case .hold: queue.hold(job.id, .byOperator)
        case nil: queue.release(job.id)
        }
    }

    /// Heeds the jobs whose wishes could not be read.
    func heedAgain() {
        for entry in queue.entries where entry.state == .held(.wishUnread) {
            if let job = jobs[entry.job.id] { heed(job) }
        }
    }

    func startJobs(at time: Double) {
        while let device = freeDevice(at: time), let next = queue.next(at: time), let job = jobs[next.id] {
            start(job, on: device, at: time)
        }
    }

    /// A device that can be used and has a slot without a job.
    func freeDevice(at time: Double) -> String? {
        options.devices.first { device in
            // After a reload there may be runs in slots of before.
            supervisor.runs.count { $0.device == device } < options.devices.count { $0 == device }
                && devices.allow(device, at: time)
        }
    }

    private func start(_ job: SpooledJob, on device: String, at time: Double) {
        // The end of the last attempt may not have been seen.
        if job.folder.isFinished {
            publish(job)
            return
        }
        let attempts = job.folder.attempts
        if attempts.areExhausted(limit: spool.limits.crashes) {
            publish(job, verdict: Verdict(.failed, .gaveUp(after: attempts, last: nil)))
            return
        }
        let left = [job.seconds, options.jobSeconds].compactMap { $0 }.min().map { $0 - attempts.seconds }
        if let left, left <= 0 {
            publish(job, verdict: Verdict(.failed, .timeLimit()))
            return
        }
        do throws(PosixError) {
            try job.folder.recordStart()
            let process = try supervisor.start(
                job, on: device, attempt: attempts.started + 1,
                seconds: left, at: time)
            log(.attemptStarted(job.id, attempt: attempts.started + 1, process: process))
        } catch {
            log(.trouble(error))
            witness(job) { folder throws(PosixError) in try folder.recordStop(seconds: 0) }
            // What the disk refuses now it will refuse at once again.
            _ = queue.retry(job.id, at: time, least: 1)
        }
    }

    /// Decides what becomes of a job whose worker has ended.
    func settle(_ run: Supervisor.Run, _ ending: Supervisor.Ending, at time: Double) {
        let job = run.job
        let seconds = time - run.startSeconds
        publishTargets(of: job)
        tally.count(ending, seconds: seconds)
        if run.noise > 0 { log(.workerNoise(job.id, lines: run.noise)) }
        if run.progress?.hasModel == true || ending == .sealed { devices.works(run.device) }
        switch ending {
        case .sealed: publish(job)
        // Whatever else it came to.
        case _ where wishes[job.id] == .cancel: publish(job, verdict: .cancelled)
        case .stopped:
            witness(job) { folder throws(PosixError) in try folder.recordStop(seconds: seconds) }
            putBack(job)
        case .crashed(let code): retry(run, code: code, problem: nil, at: time)
        case .failed(let failure):
            let problem = failure.problem
            switch failure.kind {
            case .deviceLost:
                devices.lose(run.device)
                log(.deviceLost(run.device, job: job.id))
                witness(job) { folder throws(PosixError) in try folder.recordStop(seconds: seconds) }
                putBack(job)
            case .deviceNotReady:
                let pause = devices.rest(run.device, first: max(1, options.queue.firstRetry), at: time)
                log(.deviceNotReady(run.device, job: job.id, retryIn: pause))
                // Not even time, of which the job may have only so much.
                witness(job) { folder throws(PosixError) in try folder.recordStop(seconds: 0) }
                putBack(job)
            case .permanent:
                log(.attemptFailed(job.id, attempt: run.attempt, code: problem.code, retryIn: nil))
                publish(job, verdict: Verdict(.failed, problem))
            case .passing: retry(run, code: problem.code, problem: problem, at: time)
            }
        }
    }

    /// Lets a job go on when it is its turn, unless it is to wait.
    private func putBack(_ job: SpooledJob) {
        if wishes[job.id] == .hold { return queue.hold(job.id, .byOperator) }
        queue.putBack(job.id)
        log(.jobRequeued(job.id))
    }

    /// Lets a job run again later, unless it has failed too often: then it fails with `problem`, or for its crashes.
    private func retry(_ run: Supervisor.Run, code: String, problem: Problem?, at time: Double) {
        witness(run.job) { folder throws(PosixError) in try folder.recordCrash(seconds: time - run.startSeconds) }
        let attempts = run.job.folder.attempts
        if attempts.areExhausted(limit: spool.limits.crashes) {
            log(.attemptFailed(run.job.id, attempt: run.attempt, code: code, retryIn: nil))
            publish(run.job, verdict: Verdict(.failed, problem ?? .gaveUp(after: attempts, last: code)))
        } else {
            let failures = max(1, attempts.crashes + attempts.unwitnessed)
            let delay = queue.retry(run.job.id, failures: failures, at: time)
            log(.attemptFailed(run.job.id, attempt: run.attempt, code: code, retryIn: delay))
            if wishes[run.job.id] == .hold { queue.hold(run.job.id, .byOperator) }
        }
    }

    /// Notes the end of an attempt on disk. Where that fails the attempt stays without a witness, which is safe.
    private func witness(_ job: SpooledJob, _ record: (JobFolder) throws(PosixError) -> Void) {
        do throws(PosixError) { try record(job.folder) } catch { log(.trouble(error)) }
    }

    // MARK: - Publishing

    /// How a job ends that has no result of its own.
    struct Verdict {
        let status: JobStatus
        let problem: Problem

        init(_ status: JobStatus, _ problem: Problem) {
            self.status = status
            self.problem = problem
        }

        static let cancelled = Verdict(
            .cancelled,
            Problem(
                code: "cancelled", message: "an operator ended the job; what was done by then is published",
                place: "primed cancel"))
    }

    /// Publishes a job, which ends by `verdict` where it has no result. What the disk refuses now is tried again with each
    /// rescan.
    func publish(_ job: SpooledJob, verdict: Verdict? = nil) {
        do throws(PosixError) {
            if let verdict, !job.folder.isFinished {
                let result = try ResultFile(endedBy: verdict.problem, as: verdict.status, job.id, job.folder)
                // Strings and numbers only: there is nothing that cannot be encoded.
                try job.folder.seal((try? encoded(result)) ?? [])
            }
            let status = try spool.publish(job)
            count(status)
            queue.finish(job.id)
            jobs[job.id] = nil
            wishes[job.id] = nil
            unpublished[job.id] = nil
            queueHasRoom()
        } catch {
            log(.trouble(error))
            queue.hold(job.id, .unpublished)
            unpublished[job.id] = (job, verdict)
        }
    }

    private func count(_ status: JobStatus) {
        tally.published[status, default: 0] += 1
        if status == .done { tally.lastDone = Double(WallClock.nanoseconds() / 1_000_000) / 1000 }
    }

    /// Publishes what a job that goes on has finished.
    func publishTargets(of job: SpooledJob) {
        do throws(PosixError) { try spool.publishTargets(of: job) } catch { log(.trouble(error)) }
    }

    func retryPublishing() {
        for (_, (job, verdict)) in unpublished { publish(job, verdict: verdict) }
    }
}

extension Problem {
    /// For a job whose worker never came to a result.
    fileprivate static func gaveUp(after attempts: Attempts, last code: String?) -> Problem {
        Problem(
            code: "quarantined",
            message: "\(attempts.crashes + attempts.unwitnessed) attempts ended without getting on"
                + (code.map { ", the last time by \($0)" } ?? "")
                // The daemon's own kills have names of their own.
                + (code == "worker-signal-9" ? ", as the kernel ends what takes more memory than there is" : "")
                + "; see the daemon's log; when the cause is gone, primed retry runs it again",
            place: "worker")
    }
}
