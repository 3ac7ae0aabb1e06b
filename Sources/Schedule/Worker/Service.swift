import Glibc
import Posix
import Queue
import Spool
import Telemetry

/// The daemon: takes jobs from the spool's inbox, has worker processes do them, and publishes what they made.
///
/// One thread, which waits in one poll(2) for the inbox, the signals, the workers and the time. It never opens a model nor
/// a history, so no input can stop it. Run it on the process's first thread: workers die with the thread.
public final class Service {
    let spool: Spool
    var options: ServiceOptions
    let supervisor: Supervisor
    let systemd: NotifySocket
    let log: Log
    private let signals: Signals
    let version: String
    private let reload: Reload

    var queue: JobQueue
    /// The jobs that are claimed, by their ids.
    var jobs: [String: SpooledJob] = [:]
    /// What operators want of claimed jobs, by their ids; on disk, too.
    var wishes: [String: JobFolder.Wish] = [:]
    /// What could not be published yet.
    var unpublished: [(job: SpooledJob, verdict: Verdict?)] = []
    var tally = ServiceTally()
    var devices = DeviceStates()

    private var watch: InboxWatch?
    private var requestWatch: InboxWatch?
    private(set) var isStopping = false
    /// When workers that have not stopped by then are killed.
    private(set) var stopDeadline = Double.infinity
    private var runsOnce = false
    private var inbox = InboxState()
    var reporting = Reporting()

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
        /// Whether something failed on the way of a job that may pass: the next rescan takes it up.
        var hasStranded = false
    }

    /// Reads options and limits again; nil keeps what is in force.
    public typealias Reload = () -> (options: ServiceOptions, limits: Spool.Limits)?

    /// - Parameters:
    ///   - signals: SIGTERM and SIGINT stop, a second time at once; SIGHUP reloads.
    public init(
        spool: Spool, worker: WorkerProgram, options: ServiceOptions = ServiceOptions(), signals: Signals,
        version: String = "",
        systemd: NotifySocket = NotifySocket(), log: Log, reload: @escaping Reload = { nil }
    ) {
        self.spool = spool
        self.options = options
        self.signals = signals
        self.version = version
        self.systemd = systemd
        self.log = log
        self.reload = reload
        queue = JobQueue(options.queue)
        supervisor = Supervisor(worker, lock: spool.lock, options)
        boundMemory()
    }

    /// Serves until a signal asks to stop; with `once`, until the inbox is empty and every job is published.
    public func run(once: Bool = false) throws(PosixError) {
        Signals.ignoreBrokenPipes()
        runsOnce = once
        // First the watch, then the scan: what comes between is announced.
        beginWatch()
        inbox.nextRescan = MonotonicClock.seconds() + rescanSeconds
        let recovered = try recover { [systemd] in systemd.notify(.extendTimeout(120_000_000)) }
        answerRequests(at: MonotonicClock.seconds())
        systemd.notify(.ready)
        log(.serviceReady(slots: options.devices.count, recovered: recovered))
        var failedWaits = 0
        while true {
            let time = MonotonicClock.seconds()
            // What they have journaled is what the next attempt goes on from.
            if time >= stopDeadline { supervisor.kill() }
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
        // The second time only where the disk refused the first: what is said last stays.
        for _ in 0..<2 { report(at: .infinity, as: .stopped) }
        log(.serviceStopped)
    }

    private var isDone: Bool {
        if !supervisor.runs.isEmpty { return false }
        if isStopping { return true }
        // Without a device nothing more can be done.
        if runsOnce && devices.lost.isSuperset(of: options.devices) { return true }
        return runsOnce && !inbox.isAwaited && !inbox.hasStranded && queue.entries.isEmpty && unpublished.isEmpty
    }

    // MARK: - Waiting

    private func wait(from time: Double) throws(PosixError) {
        var wakes = [
            time + 10, stopDeadline, supervisor.nextStall, supervisor.nextDeadline,
            systemd.watchdogInterval.map { time + $0 / 3 },
        ].compactMap { $0 }
        if !isStopping {
            wakes += [inbox.nextScan, inbox.nextRescan]
            if let retry = queue.nextRetry, freeSlot(at: time) != nil { wakes.append(retry) }
            if let ready = devices.nextTry(after: time) { wakes.append(ready) }
        }
        if reporting.status != status(isStopping ? .stopping : .serving) { wakes.append(reporting.nextStatus) }
        // A killed worker's end is announced; the deadline itself is over by then.
        let pause = max(time >= stopDeadline ? 0.05 : 0, (wakes.min() ?? time) - time)
        let descriptors =
            [signals.descriptor.number, watch?.descriptor.number, requestWatch?.descriptor.number].compactMap { $0 }
            + supervisor.descriptors
        _ = try poll(descriptors, milliseconds: Int((pause * 1000).rounded(.up)))
        try hearSignals()
        try hearInbox()
        let now = MonotonicClock.seconds()
        if try requestWatch?.news().callsForScan == true {
            requestWatch?.forgetAll()
            answerRequests(at: now)
        }
        for (run, ending) in supervisor.collect(at: now) { settle(run, ending, at: now) }
        for job in supervisor.takeAdvanced() { publishTargets(of: job) }
    }

    private func hearSignals() throws(PosixError) {
        for signal in try signals.received() {
            switch signal {
            case SIGHUP:
                systemd.notify(.reloading(at: MonotonicClock.nanoseconds() / 1000))
                let adopted = reload()
                if let (options, limits) = adopted { adopt(options, limits) }
                systemd.notify(.ready)
                log(adopted == nil ? .reloadRefused : .serviceReloaded)
            case SIGUSR1: logState()
            case SIGTERM, SIGINT: stop()
            default: continue
            }
        }
    }

    private func stop() {
        if isStopping {
            supervisor.kill()
            return
        }
        isStopping = true
        stopDeadline = MonotonicClock.seconds() + options.stopSeconds
        systemd.notify(.stopping)
        log(.serviceStopping(running: supervisor.runs.count))
        supervisor.askToStop()
    }

    private func adopt(_ options: ServiceOptions, _ limits: Spool.Limits) {
        self.options = options
        spool.limits = limits
        queue.policy = options.queue
        supervisor.stallSeconds = options.stallSeconds
        supervisor.configuration = options.configuration
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
                heedAgain()
                inbox.hasStranded = false
                _ = try recover { report(at: MonotonicClock.seconds()) }
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
            &inbox.backlog, announced: watch?.announced ?? [:], limit: min(queue.room, 16) + inbox.refused.count)
        for name in scan.strange where inbox.reported.insert(name).inserted { log(.fileIgnored(name)) }
        if scan.undecodable > 0 && inbox.reported.insert("/").inserted { log(.namesIgnored(scan.undecodable)) }
        for name in scan.ready where queue.room > 0 && !inbox.refused.contains(name) {
            do throws(PosixError) {
                if let job = try spool.take(name) { add(job, at: time) }
                // A large one takes seconds to read.
                report(at: MonotonicClock.seconds())
            } catch {
                if Files.exists("\(spool.folders.inbox)/\(name)") {
                    inbox.refused.insert(name)
                    log(.fileUnclaimable(name, error))
                    if error.mayPass { tryAgainSoon(after: time) }
                } else {
                    tryAgainSoon(after: time)
                    log(.trouble(error))
                }
            }
        }
        let gone = scan.ready.filter { !Files.exists("\(spool.folders.inbox)/\($0)") }
        watch?.forget(gone)
        if inbox.backlog.isFresh {
            inbox.reported.formIntersection(scan.strange + (scan.undecodable > 0 ? ["/"] : []))
            watch?.forget(watch?.announced.keys.filter { !Files.exists("\(spool.folders.inbox)/\($0)") } ?? [])
        }
        let remaining = Set(scan.ready).subtracting(inbox.refused).subtracting(gone)
        inbox.isAwaited = scan.hasMore || !remaining.isEmpty || !scan.unsettled.isEmpty
        if !scan.unsettled.isEmpty { inbox.nextScan = max(time + 0.5, inbox.backlog.nextListing) }
        if scan.hasMore && queue.room > 0 { inbox.nextScan = time }
    }

    /// Looks again before long, for what the disk refused and may not refuse the next time.
    func tryAgainSoon(after time: Double) {
        inbox.hasStranded = true
        inbox.nextRescan = min(inbox.nextRescan, time + 5)
    }

    /// Looks at the inbox soon if files wait in it that did not fit.
    func queueHasRoom() {
        if inbox.isAwaited { inbox.nextScan = 0 }
    }
}
