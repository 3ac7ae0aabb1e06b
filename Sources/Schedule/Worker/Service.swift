import Glibc
import Posix
import Queue
import Spool
import Telemetry

/// What may be changed while a daemon runs.
public struct ServiceOptions: Sendable, Equatable {
    /// The device of each slot; a slot does one job at a time.
    public var devices = ["cpu"]
    public var queue = JobQueue.Policy()
    /// Seconds between looks at the inbox without an announcement; also between tries of what the disk refused.
    public var rescanSeconds = 60.0
    /// Seconds without a sign after which a worker is killed.
    public var stallSeconds = 600.0
    /// Bytes of memory that a job may hold, where control groups can bound it; nil for as much as there is.
    public var jobBytes: Int?
    /// How long a job may run, all its tries together; nil for as long as it takes.
    public var jobSeconds: Double?
    /// Where the numbers for a scraper go; nil for nowhere.
    public var metricsFile: String?

    public init() {}
}

/// The daemon: takes jobs from the spool's inbox, has worker processes do them, and publishes what they made.
///
/// One thread, which waits in one poll(2) for the inbox, the signals, the workers and the time. It never opens a model nor
/// a history, so no input can stop it. Run it on the process's first thread: workers die with the thread.
public final class Service {
    let spool: Spool
    var options: ServiceOptions
    let supervisor: Supervisor
    let manager: ServiceManager
    let log: Log
    private let signals: Signals
    private let version: String
    private let reload: () -> ServiceOptions?

    var queue: JobQueue
    /// The jobs that are claimed, by their ids.
    var jobs: [String: SpooledJob] = [:]
    /// What operators want of claimed jobs, by their ids; on disk, too.
    var wishes: [String: JobFolder.Wish] = [:]
    /// What could not be published yet.
    var unpublished: [(job: SpooledJob, ending: Ending?)] = []
    var tally = ServiceTally()
    /// Devices that are gone: their slots stay empty until the daemon starts again.
    var lostDevices: Set<String> = []

    private var watch: InboxWatch?
    private var requestWatch: InboxWatch?
    private var isStopping = false
    private var runsOnce = false
    private var inbox = InboxState()
    private var reporting = Reporting()

    /// What the last look at the inbox found.
    private struct InboxState {
        /// When to look at the names, soon after each announcement.
        var nextScan = 0.0
        /// When to look without any, and to try again what the disk refused.
        var nextRescan = 0.0
        var isAwaited = true
        /// What waits in it.
        var backlog = Inbox.Backlog()
        /// Names that could not be claimed, until the next rescan.
        var refused: Set<String> = []
        /// Names that were logged as no jobs.
        var reported: Set<String> = []
        var isDiskFull = false
        /// Whether a job was claimed and then something failed: the next rescan takes it up.
        var hasStranded = false
    }

    private struct Reporting {
        var status: ServiceStatus?
        var nextStatus = 0.0
        var nextSign = 0.0
        var nextMetrics = 0.0
    }

    /// - Parameters:
    ///   - signals: SIGTERM and SIGINT stop, a second time at once; SIGHUP reloads.
    ///   - reload: reads the options again; nil keeps what is in force.
    public init(
        spool: Spool, worker: WorkerProgram, options: ServiceOptions = ServiceOptions(), signals: Signals,
        version: String = "",
        manager: ServiceManager = ServiceManager(), log: Log, reload: @escaping () -> ServiceOptions? = { nil }
    ) {
        self.spool = spool
        self.options = options
        self.signals = signals
        self.version = version
        self.manager = manager
        self.log = log
        self.reload = reload
        queue = JobQueue(options.queue)
        supervisor = Supervisor(worker, lock: spool.lock, stallSeconds: options.stallSeconds)
        boundMemory()
    }

    /// Serves until a signal asks to stop; with `once`, until the inbox is empty and every job is published.
    public func run(once: Bool = false) throws(PosixError) {
        Signals.ignoreBrokenPipes()
        runsOnce = once
        // First the watch, then the scan: what comes between is announced.
        beginWatch()
        let recovered = try recover()
        answerRequests(at: MonotonicClock.seconds())
        inbox.nextRescan = MonotonicClock.seconds() + rescanSeconds
        manager.notify(.ready)
        log(.serviceReady(slots: options.devices.count, recovered: recovered))
        var failedWaits = 0
        while true {
            let time = MonotonicClock.seconds()
            if !isStopping {
                if time >= min(inbox.nextScan, inbox.nextRescan) { look(at: time) }
                startJobs(at: time)
            }
            report(at: time)
            if isDone { break }
            do throws(PosixError) {
                try wait(from: time)
                failedWaits = 0
            } catch {
                // Short of memory, say: what was not heard now is heard the next time.
                log(.trouble(error))
                failedWaits += 1
                if failedWaits >= 100 { throw error }
                usleep(50_000)
            }
        }
        isStopping = true
        report(at: .infinity, as: .stopped)
        log(.serviceStopped)
    }

    private var isDone: Bool {
        if !supervisor.runs.isEmpty { return false }
        if isStopping { return true }
        // Without a device nothing more can be done.
        if runsOnce && lostDevices.isSuperset(of: options.devices) { return true }
        return runsOnce && !inbox.isAwaited && !inbox.hasStranded && queue.entries.isEmpty && unpublished.isEmpty
    }

    // MARK: - Waiting

    private func wait(from time: Double) throws(PosixError) {
        var wakes = [
            time + 10, supervisor.nextStall, supervisor.nextDeadline, manager.watchdogInterval.map { time + $0 / 3 },
        ].compactMap { $0 }
        if !isStopping {
            wakes += [inbox.nextScan, inbox.nextRescan]
            if let retry = queue.nextRetry, freeSlot != nil { wakes.append(retry) }
        }
        if reporting.status != status(isStopping ? .stopping : .serving) { wakes.append(reporting.nextStatus) }
        let pause = max(0, (wakes.min() ?? time) - time)
        let descriptors =
            [signals.descriptor.number, watch?.descriptor.number, requestWatch?.descriptor.number].compactMap { $0 }
            + supervisor.descriptors
        _ = try poll(descriptors, milliseconds: Int((pause * 1000).rounded(.up)))
        try hearSignals()
        try hearInbox()
        let now = MonotonicClock.seconds()
        if try requestWatch?.news().callsForScan == true { answerRequests(at: now) }
        for (run, ending) in supervisor.collect(at: now) { settle(run, ending, at: now) }
        for job in supervisor.takeAdvanced() { publishTargets(of: job) }
    }

    private func hearSignals() throws(PosixError) {
        for signal in try signals.received() {
            switch signal {
            case SIGHUP:
                manager.notify(.reloading(at: MonotonicClock.nanoseconds() / 1000))
                if let options = reload() { adopt(options) }
                manager.notify(.ready)
                log(.serviceReloaded)
            case SIGUSR1: logState()
            case SIGTERM, SIGINT: stop()
            default: continue
            }
        }
    }

    private func logState() {
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

    private func stop() {
        if isStopping {
            supervisor.kill()
            return
        }
        isStopping = true
        manager.notify(.stopping)
        log(.serviceStopping(running: supervisor.runs.count))
        supervisor.askToStop()
    }

    private func adopt(_ options: ServiceOptions) {
        self.options = options
        queue.policy = options.queue
        supervisor.stallSeconds = options.stallSeconds
        boundMemory()
        inbox.nextRescan = 0
    }

    /// Bounds the workers' memory where that can be done, and says so where it is wanted and cannot.
    private func boundMemory() {
        supervisor.workerBytes = nil
        guard let bytes = options.jobBytes else { return }
        do throws(PosixError) {
            _ = try MemoryGroup("primed-probe", bytes: bytes)
            supervisor.workerBytes = bytes
        } catch {
            log(.memoryUnbounded(error))
        }
    }

    // MARK: - The inbox

    private func beginWatch() {
        do throws(PosixError) {
            watch = try InboxWatch(spool.inbox)
            requestWatch = try InboxWatch(Inbox(spool.folders.requests))
        } catch {
            watch = nil
            requestWatch = nil
            log(.trouble(error))
        }
    }

    private func hearInbox() throws(PosixError) {
        guard let watch else { return }
        let news = try watch.news()
        if news.hasLost { log(.announcementsLost) }
        if news.hasEnded {
            self.watch = nil
            inbox.nextRescan = 0
        }
        if news.callsForScan { inbox.nextScan = 0 }
    }

    /// Without announcements the inbox has to be looked at often.
    private var rescanSeconds: Double { watch == nil ? min(5, options.rescanSeconds) : options.rescanSeconds }

    /// Takes what is ready, as far as there is room.
    private func look(at time: Double) {
        inbox.nextScan = .infinity
        do throws(PosixError) {
            if time >= inbox.nextRescan {
                if watch == nil { beginWatch() }
                inbox.nextRescan = time + rescanSeconds
                inbox.refused = []
                retryPublishing()
                inbox.hasStranded = false
                _ = try recover()
                try spool.removeExpired()
                answerRequests(at: time)
            }
            let isFull = try !spool.hasRoom()
            if isFull && !inbox.isDiskFull { log(.diskFull) }
            inbox.isDiskFull = isFull
            inbox.isAwaited = !isFull
            if !isFull && queue.room > 0 { try takeJobs(at: time) }
        } catch {
            log(.trouble(error))
        }
    }

    private func takeJobs(at time: Double) throws(PosixError) {
        // A handful a look: a refused manifest takes some twenty syncs of the disk, and signals and workers wait meanwhile.
        let scan = try spool.inbox.scan(
            &inbox.backlog, announced: watch?.announced ?? [], limit: min(queue.room, 16) + inbox.refused.count)
        for name in scan.strange where inbox.reported.insert(name).inserted { log(.fileIgnored(name)) }
        if scan.undecodable > 0 && inbox.reported.insert("/").inserted { log(.namesIgnored(scan.undecodable)) }
        for name in scan.ready where queue.room > 0 && !inbox.refused.contains(name) {
            do throws(PosixError) {
                if let job = try spool.take(name) { add(job, at: time) }
            } catch {
                if Files.exists("\(spool.folders.inbox)/\(name)") {
                    inbox.refused.insert(name)
                    log(.fileUnclaimable(name, error))
                } else {
                    inbox.hasStranded = true
                    inbox.nextRescan = min(inbox.nextRescan, time + 5)
                    log(.trouble(error))
                }
            }
        }
        let gone = scan.ready.filter { !Files.exists("\(spool.folders.inbox)/\($0)") }
        watch?.forget(gone)
        if inbox.backlog.isFresh {
            watch?.forget(watch?.announced.filter { !Files.exists("\(spool.folders.inbox)/\($0)") } ?? [])
        }
        let remaining = Set(scan.ready).subtracting(inbox.refused).subtracting(gone)
        inbox.isAwaited = scan.hasMore || !remaining.isEmpty || !scan.unsettled.isEmpty
        if !scan.unsettled.isEmpty { inbox.nextScan = max(time + 0.5, inbox.backlog.nextListing) }
        if scan.hasMore && queue.room > 0 { inbox.nextScan = time }
    }

    /// Looks at the inbox soon if files wait in it that did not fit.
    func queueHasRoom() {
        if inbox.isAwaited { inbox.nextScan = 0 }
    }

    // MARK: - Reports

    private func report(at time: Double, as state: ServiceStatus.State? = nil) {
        let status = status(state ?? (isStopping ? .stopping : .serving))
        if time >= reporting.nextStatus && reporting.status != status {
            reporting.status = status
            reporting.nextStatus = time + 1
            do throws(PosixError) { try status.write(to: spool.folders) } catch { log(.trouble(error)) }
            manager.notify(.status(status.line))
        }
        if time >= reporting.nextMetrics || state != nil {
            reporting.nextMetrics = time + 10
            writeMetrics(status, at: time)
        }
        if time >= reporting.nextSign {
            reporting.nextSign = time + min(10, (manager.watchdogInterval ?? 30) / 3)
            // Fed by the workers' progress: what cannot even be killed is the service manager's.
            if supervisor.isProgressing(at: time) { manager.notify(.watchdog) }
            if isStopping { manager.notify(.extendTimeout(60_000_000)) }
        }
    }

    private func writeMetrics(_ status: ServiceStatus, at time: Double) {
        guard let file = options.metricsFile else { return }
        var tally = tally
        tally.published["rejected"] = spool.rejected
        let oldest = queue.entries.filter { !$0.isRunning }.map(\.arrival).min()
        let now = MonotonicClock.seconds()
        let metrics = ServiceMetrics(
            status: status, tally: tally, oldestSeconds: oldest.map { now - $0 }, version: version)
        do throws(PosixError) { try metrics.write(to: file) } catch { log(.trouble(error)) }
    }

    private func status(_ state: ServiceStatus.State) -> ServiceStatus {
        ServiceStatus(
            state: state, pid: Int(getpid()), slots: options.devices.count, lost: lostDevices.sorted(),
            running: supervisor.runs.map { run in
                ServiceStatus.RunningJob(
                    id: run.job.id, submitter: run.job.submitter, attempt: run.attempt, process: run.process.id,
                    since: run.startTime, progress: run.progress)
            }, queue: queue.entries.compactMap(ServiceStatus.QueuedJob.init), published: tally.published)
    }
}
