import Glibc
import Posix
import Queue
import Telemetry

// MARK: - What the daemon says of itself

extension Service {
    /// What was said last, and when to say it again.
    struct Reporting {
        var status: ServiceStatus?
        /// Whether anything may have changed since: the status of a long queue is not made for nothing.
        var isStale = true
        var nextStatus = 0.0
        var nextSign = 0.0
        var nextMetrics = 0.0
    }

    func logState() {
        for run in supervisor.runs {
            let progress = run.progress
            log(
                .jobState(
                    run.job.id, state: "running", attempt: run.attempt, finished: progress?.finished ?? 0,
                    targets: progress?.targets ?? 0))
        }
        for entry in queue.entries {
            guard let job = ServiceStatus.QueuedJob(entry) else { continue }
            log(.jobState(job.id, state: job.state, attempt: job.failures, finished: 0, targets: 0))
        }
    }

    func report(at time: Double, as state: ServiceStatus.State? = nil) {
        let state = state ?? (isStopping ? .stopping : .serving)
        if time >= reporting.nextStatus && (reporting.isStale || state == .stopped) {
            reporting.nextStatus = time + 1
            reporting.isStale = false
            let status = status(state)
            if reporting.status != status { write(status, at: time) }
        }
        if time >= reporting.nextMetrics {
            reporting.nextMetrics = time + 10
            writeMetrics(status(state), at: time)
        }
        if time >= reporting.nextSign {
            reporting.nextSign = time + min(10, (systemd.watchdogInterval ?? 30) / 3)
            // Fed by the workers' progress: what cannot even be killed is the service manager's.
            if supervisor.isProgressing(at: time) { systemd.notify(.watchdog) }
            // Until the workers are killed, and a while for what is left to publish.
            if isStopping && time < stopDeadline { systemd.notify(.extendTimeout(60_000_000)) }
        }
    }

    private func write(_ status: ServiceStatus, at time: Double) {
        systemd.notify(.status(status.line))
        do throws(PosixError) {
            try status.write(to: spool.folders)
            reporting.status = status
        } catch {
            log(.trouble(error))
            reporting.isStale = true
            reporting.nextStatus = time + 10
        }
    }

    private func writeMetrics(_ status: ServiceStatus, at time: Double) {
        guard let file = options.metricsFile else { return }
        let oldest = queue.entries.filter { !$0.isRunning }.map(\.arrival).min()
        let now = MonotonicClock.seconds()
        let metrics = ServiceMetrics(
            status: status, tally: wholeTally, oldestSeconds: oldest.map { now - $0 }, version: version)
        do throws(PosixError) { try metrics.write(to: file) } catch { log(.trouble(error)) }
    }

    /// With what the spool refused itself.
    private var wholeTally: ServiceTally {
        var tally = tally
        tally.published[.rejected, default: 0] += spool.rejected
        return tally
    }

    func status(_ state: ServiceStatus.State) -> ServiceStatus {
        ServiceStatus(
            state: state, pid: Int(getpid()), started: RunningProcess.start(getpid()), inbox: spool.folders.inbox,
            outbox: spool.folders.outbox, slots: options.devices.count,
            lost: devices.lost.sorted().filter(options.devices.contains),
            notReady: devices.notReady.filter(options.devices.contains),
            running: supervisor.runs.map { run in
                ServiceStatus.RunningJob(
                    id: run.job.id, submitter: run.job.submitter, attempt: run.attempt, process: run.process.id,
                    since: run.startTime, progress: run.progress)
            }, queue: queue.entries.compactMap(ServiceStatus.QueuedJob.init),
            published: Dictionary(uniqueKeysWithValues: wholeTally.published.map { ($0.rawValue, $1) }))
    }
}
