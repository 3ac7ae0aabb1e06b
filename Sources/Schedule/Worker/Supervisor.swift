import Glibc
import Posix
import Spool

/// The worker processes of a daemon, one for each job that runs.
final class Supervisor {
    /// How a worker left its job.
    enum Ending: Equatable {
        case sealed
        /// It stopped because it was asked to.
        case stopped
        case failed(JobFailure)
        /// It ended without a word; how, in kebab-case.
        case crashed(String)
    }

    struct Run {
        let job: SpooledJob
        /// The lowest that was free: it names the group that bounds the worker's memory.
        let slot: Int
        let device: String
        let attempt: Int
        let startTime: String
        let startSeconds: Double
        let process: WorkerProcess
        fileprivate(set) var progress: JobProgress?
        /// When it last said something.
        fileprivate(set) var lastSign: Double
        fileprivate(set) var noise = 0
        fileprivate var failure: JobFailure?
        fileprivate var killedFor: String?
        fileprivate let group: MemoryGroup?
        /// Processes that were killed in the group before this run.
        fileprivate let killsBefore: Int
        fileprivate var isToStop = false
        /// When it has taken all the time that its job has.
        fileprivate let deadline: Double
        fileprivate var isOverTime = false
        fileprivate var hasAdvanced = false
    }

    private let program: WorkerProgram
    private let lock: FileLock
    /// Seconds without a sign after which a worker is killed.
    var stallSeconds: Double
    /// Seconds that a worker has to come to a stop when its job's time is over.
    var stopSeconds: Double
    /// Bytes that each worker may hold; nil for as much as there is.
    var workerBytes: Int?
    /// What workers read on their standard input.
    var configuration: [UInt8]
    /// In the order in which they started.
    private(set) var runs: [Run] = []

    init(_ program: WorkerProgram, lock: FileLock, _ options: ServiceOptions) {
        self.program = program
        self.lock = lock
        stallSeconds = options.stallSeconds
        stopSeconds = options.stopSeconds
        configuration = options.configuration
    }

    /// Readable when there is something to `collect`.
    var descriptors: [Int32] { runs.flatMap(\.process.descriptors) }

    /// Whether every worker gives signs, or was killed for giving none and is about to end.
    func isProgressing(at time: Double) -> Bool {
        runs.allSatisfy { time - $0.lastSign < stallSeconds + Self.graceSeconds }
    }

    /// What a killed worker has to end; one that does not, hangs in the kernel.
    private static let graceSeconds = 30.0

    /// The time at which the next worker counts as stalled, nil when none can.
    var nextStall: Double? { runs.filter { $0.killedFor == nil }.map { $0.lastSign + stallSeconds }.min() }

    /// The time at which the next worker runs out of time, or out of time to stop; nil when none can.
    var nextDeadline: Double? {
        runs.filter { $0.deadline < .infinity && $0.killedFor == nil }
            .map { $0.isOverTime ? $0.deadline + stopSeconds : $0.deadline }.min()
    }

    /// - Parameter seconds: after which the job has taken all its time; nil for never.
    /// - Returns: the worker's process id.
    func start(
        _ job: SpooledJob, on device: String, attempt: Int, seconds: Double?, at time: Double
    ) throws(PosixError) -> Int {
        let slot = (0...runs.count).first { slot in !runs.contains { $0.slot == slot } } ?? runs.count
        let group = try workerBytes.map { bytes throws(PosixError) in
            try MemoryGroup("primed-slot-\(slot)", bytes: bytes)
        }
        let process = try WorkerProcess(
            program, configuration: configuration, device: device, folder: job.folder, lock: lock, group: group)
        runs.append(
            Run(
                job: job, slot: slot, device: device, attempt: attempt, startTime: WallClock.timestamp(),
                startSeconds: time, process: process, lastSign: time, group: group, killsBefore: group?.kills ?? 0,
                deadline: seconds.map { time + $0 } ?? .infinity))
        return process.id
    }

    /// Asks all workers to come to a point from which they can go on another time.
    func askToStop() {
        for index in runs.indices {
            runs[index].isToStop = true
            runs[index].process.askToStop()
        }
    }

    /// Asks a job's worker to come to such a point.
    func askToStop(_ job: String) {
        for index in runs.indices where runs[index].job.id == job {
            runs[index].isToStop = true
            runs[index].process.askToStop()
        }
    }

    func kill() {
        for index in runs.indices {
            runs[index].isToStop = true
            runs[index].process.kill()
        }
    }

    /// Hears the workers, kills those that stalled, and lets go of those that have ended.
    func collect(at time: Double) -> [(run: Run, ending: Ending)] {
        var ended: [(run: Run, ending: Ending)] = []
        var remaining: [Run] = []
        for var run in runs {
            // The exit first: what was said before it is in the pipe then.
            // What cannot be told now is asked again.
            let exit = (try? run.process.exit()) ?? nil
            if let speech = try? run.process.listen() { note(speech, in: &run, at: time) }
            if let exit {
                ended.append((run, ending(of: run, exit)))
                continue
            }
            if time >= run.deadline && !run.isOverTime {
                run.isOverTime = true
                run.process.askToStop()
            }
            if time >= run.deadline + stopSeconds && run.killedFor == nil {
                run.killedFor = "time-limit"
                run.process.kill()
            }
            if time - run.lastSign >= stallSeconds && run.killedFor == nil {
                run.killedFor = "worker-stalled"
                run.process.kill()
            }
            remaining.append(run)
        }
        runs = remaining
        return ended
    }

    /// The jobs of many targets that finished some since the last call.
    func takeAdvanced() -> [SpooledJob] {
        var jobs: [SpooledJob] = []
        for index in runs.indices where runs[index].hasAdvanced {
            runs[index].hasAdvanced = false
            jobs.append(runs[index].job)
        }
        return jobs
    }

    private func note(_ speech: WorkerProcess.Speech, in run: inout Run, at time: Double) {
        if !speech.messages.isEmpty { run.lastSign = time }
        run.noise += speech.noise
        for message in speech.messages {
            switch message {
            case .progress(let progress):
                if progress.finished > (run.progress?.finished ?? 0) && progress.targets > 1 { run.hasAdvanced = true }
                run.progress = progress
            case .failed(let failure): run.failure = failure
            }
        }
    }

    private func ending(of run: Run, _ exit: ChildProcess.Exit) -> Ending {
        if run.job.folder.isFinished { return .sealed }
        if let failure = run.failure { return .failed(failure) }
        if let group = run.group, group.kills > run.killsBefore { return .crashed("out-of-memory") }
        if run.isOverTime { return .failed(JobFailure(.timeLimit(), .permanent)) }
        switch exit {
        case .code(EX_TEMPFAIL) where run.isToStop: return .stopped
        case .signal where run.isToStop: return .stopped
        case .code(let code): return .crashed("worker-exit-\(code)")
        case .signal(let signal): return .crashed(run.killedFor ?? "worker-signal-\(signal)")
        }
    }
}
