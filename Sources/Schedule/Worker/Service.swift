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
    var unpublished: [String: (job: SpooledJob, verdict: Verdict?)] = [:]
    var tally = ServiceTally()
    var devices = DeviceStates()

    var watch: InboxWatch?
    var requestWatch: InboxWatch?
    private(set) var isStopping = false
    /// When workers that have not stopped by then are killed.
    private(set) var stopDeadline = Double.infinity
    private var runsOnce = false
    var inbox = InboxState()
    var reporting = Reporting()

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

    /// Why serving came to its end.
    public enum Ending: Sendable {
        /// A signal asked for it, or nothing was left to do.
        case done
        /// The disk has no room for what is in the inbox.
        case diskFull
        /// No device can be used any more, and jobs wait for one.
        case noDevice
    }

    /// Serves until a signal asks to stop; with `once`, until the inbox is empty and every job is published, or nothing more can
    /// be done.
    @discardableResult
    public func run(once: Bool = false) throws(PosixError) -> Ending {
        Signals.ignoreBrokenPipes()
        runsOnce = once
        // First the watch, then the scan: what comes between is announced.
        beginWatch()
        inbox.nextRescan = MonotonicClock.seconds() + rescanSeconds
        let recovered = try recover { [systemd] in systemd.notify(.extendTimeout(120_000_000)) }
        do throws(PosixError) {
            while try spool.removeExpired(sign: { [systemd] in systemd.notify(.extendTimeout(120_000_000)) }) {}
        } catch {
            log(.trouble(error))
        }
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
            reporting.isStale = true
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
        return ending
    }

    private var ending: Ending {
        if stopDeadline < .infinity || !runsOnce { return .done }
        // A disk with little room and nothing to take is no trouble.
        let scan = try? spool.inbox.scan(limit: 1)
        if inbox.isDiskFull && scan.map({ !$0.ready.isEmpty || !$0.unsettled.isEmpty }) ?? true { return .diskFull }
        return queue.isEmpty ? .done : .noDevice
    }

    private var isDone: Bool {
        if !supervisor.runs.isEmpty { return false }
        if isStopping { return true }
        // Without a device nothing more can be done.
        if runsOnce && devices.lost.isSuperset(of: options.devices) { return true }
        return runsOnce && !inbox.isAwaited && !inbox.hasStranded && queue.isEmpty && unpublished.isEmpty
    }

    // MARK: - Waiting

    private func wait(from time: Double) throws(PosixError) {
        var wakes = [
            time + 10, stopDeadline, supervisor.nextStall, supervisor.nextDeadline,
            systemd.watchdogInterval.map { time + $0 / 3 },
        ].compactMap { $0 }
        if !isStopping {
            wakes += [inbox.nextScan, inbox.nextRescan]
            if let retry = queue.nextRetry, freeDevice(at: time) != nil { wakes.append(retry) }
            if let ready = devices.nextTry(after: time) { wakes.append(ready) }
        }
        if reporting.isStale { wakes.append(reporting.nextStatus) }
        // A killed worker's end is announced; the deadline itself is over by then.
        let pause = max(time >= stopDeadline ? 0.05 : 0, (wakes.min() ?? time) - time)
        let descriptors =
            [signals.descriptor.number, watch?.descriptor.number, requestWatch?.descriptor.number].compactMap { $0 }
            + supervisor.descriptors
        _ = try poll(descriptors, milliseconds: Int((pause * 1000).rounded(.up)))
        try hearSignals()
        try hearInbox()
        let now = MonotonicClock.seconds()
        try hearRequests(at: now)
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
        supervisor.stopSeconds = options.stopSeconds
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
}
