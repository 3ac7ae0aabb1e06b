import Glibc
import Posix
import Spool

// MARK: - In the worker process

/// How a job's run ended.
public enum JobOutcome: Sendable, Equatable {
    /// The folder's result is sealed.
    case sealed
    /// It was asked to stop and goes on from its journal another time.
    case stopped
    case failed(JobFailure)
}

/// Tells the daemon how a job gets on; in a foreground run, whoever shows the progress.
public struct WorkerReporter: Sendable {
    private let send: @Sendable (WorkerMessage) -> Void

    public init(_ send: @escaping @Sendable (WorkerMessage) -> Void) { self.send = send }

    /// Writes to the daemon that started this process. When it is gone, nobody is told.
    init(to descriptor: Descriptor) {
        send = { message in try? descriptor.write(message.line) }
    }

    /// Says how far the job is. Also a sign of life: a worker that gives none for `stallSeconds` is killed.
    public func report(_ progress: JobProgress) { send(.progress(progress)) }
    /// Says why the job has no result.
    public func report(_ failure: JobFailure) { send(.failed(failure)) }
}

/// Whether somebody wants this process to stop: SIGTERM or SIGINT came.
public final class StopRequest {
    private var signals: Signals?
    private let isOnce: Bool
    /// Whether `check` has found a signal.
    public private(set) var isMade = false

    /// - Parameter isOnce: whether the next signal after the one that `check` has seen ends the process at once, as people
    ///   expect of a program before them. A daemon may ask its workers more than once, and has other means.
    public init(isOnce: Bool) throws(PosixError) {
        self.isOnce = isOnce
        signals = try Signals(catching: [SIGTERM, SIGINT])
    }

    /// Looks for a signal that has come since. Cheap enough for every step of a batch.
    public func check() -> Bool {
        if let signals, let received = try? signals.received(), !received.isEmpty {
            isMade = true
            if isOnce { self.signals = nil }
        }
        return isMade
    }
}

/// The whole of a worker process: does the job in a claimed folder and tells the daemon. The worker only seals the
/// result; it is the daemon that publishes it.
///
/// - Returns: the code to exit with; `EX_USAGE` where no daemon listens.
public func serveAsWorker(
    folder path: String, run: (JobFolder, WorkerReporter, StopRequest) -> JobOutcome
) -> Int32 {
    Signals.ignoreBrokenPipes()
    // Meant for the daemon, and sent to all of its service at once.
    for signal in [SIGHUP, SIGUSR1] { Glibc.signal(signal, SIG_IGN) }
    guard let pipe = Descriptor.inheritedPipe(WorkerProcess.messages) else { return EX_USAGE }
    let reporter = WorkerReporter(to: pipe)
    let stop: StopRequest
    do throws(PosixError) { stop = try StopRequest(isOnce: false) } catch { return EX_OSERR }
    switch run(JobFolder(claimed: path), reporter, stop) {
    case .sealed: return EX_OK
    case .stopped: return EX_TEMPFAIL
    case .failed(let failure):
        reporter.report(failure)
        return failure.kind == .permanent ? EX_DATAERR : EX_SOFTWARE
    }
}

// MARK: - In the daemon

/// The program that does jobs: `path arguments… FOLDER --device DEVICE`, the configuration on its standard input.
public struct WorkerProgram: Sendable, Equatable {
    /// The file to execute; it is not searched for.
    public let path: String
    /// What stands before the folder.
    public let arguments: [String]

    public init(path: String, arguments: [String]) {
        self.path = path
        self.arguments = arguments
    }
}

/// A worker process as the daemon sees it.
final class WorkerProcess {
    /// The descriptors that a worker finds open: for its messages, and, to keep it as long as it lives, the spool's lock.
    static let messages: Int32 = 3
    static let lock: Int32 = 4

    private let child: ChildProcess
    private let pipe: Descriptor
    private var reader = LineReader()
    /// Whether it closed its end, which would be readable for ever.
    private var hasHungUp = false

    /// - Parameters:
    ///   - configuration: what it reads on its standard input.
    ///   - group: what bounds the process's memory; nil for nothing.
    init(
        _ program: WorkerProgram, configuration: [UInt8], device: String, folder: JobFolder, lock: FileLock,
        group: MemoryGroup?
    ) throws(PosixError) {
        let pipe = try Pipe()
        try pipe.reading.setNonBlocking()
        child = try ChildProcess(
            program.path, arguments: program.arguments + [folder.path, "--device", device],
            inheriting: [
                STDIN_FILENO: try Descriptor.memory(configuration), Self.messages: pipe.writing,
                Self.lock: lock.descriptor,
            ])
        self.pipe = pipe.reading
        do throws(PosixError) { try group?.add(child.id) } catch {
            child.kill(SIGKILL, wholeGroup: true)
            _ = try? child.waitForExit()
            throw error
        }
    }

    var id: Int { Int(child.id) }

    /// Readable when the process has spoken, or has ended.
    var descriptors: [Int32] { (hasHungUp ? [] : [pipe.number]) + [child.ending.number] }

    struct Speech: Equatable {
        var messages: [WorkerMessage] = []
        /// How many lines were no messages.
        var noise = 0
    }

    /// What the process has said since the last call; never waits, and hears no more at a time than a pipe can hold at most, so
    /// that one who babbles without end keeps nobody else waiting.
    func listen() throws(PosixError) -> Speech {
        var speech = Speech()
        for _ in 0..<16 {
            guard let bytes = try pipe.read() else { break }
            hasHungUp = bytes.isEmpty
            if hasHungUp { break }
            for line in reader.lines(in: bytes) {
                if let message = WorkerMessage(line: line) {
                    speech.messages.append(message)
                } else {
                    speech.noise += 1
                }
            }
        }
        return speech
    }

    /// How the process ended, nil while it runs. Ask no more once it was told. What the process had started is killed.
    func exit() throws(PosixError) -> ChildProcess.Exit? {
        guard try !poll([child.ending.number], milliseconds: 0).isEmpty else { return nil }
        // Before the exit is collected: only until then the group is sure to be this one.
        kill()
        return try child.exit()
    }

    func askToStop() { child.kill(SIGTERM) }

    /// With all that it started.
    func kill() { child.kill(SIGKILL, wholeGroup: true) }
}
