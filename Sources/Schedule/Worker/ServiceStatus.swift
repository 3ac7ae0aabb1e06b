import FoundationEssentials
import Posix
import Queue
import Spool

/// What a daemon says of itself in `status.json`, for `primed status` and `submit --wait`.
public struct ServiceStatus: Codable, Sendable, Equatable {
    /// Whether the daemon takes jobs, lets its workers come to a stop, or has ended.
    public enum State: String, Codable, Sendable {
        case serving, stopping, stopped
    }

    /// A job that a worker has in hand.
    public struct RunningJob: Codable, Sendable, Equatable {
        public let id: String
        /// The manifest's, or `uid:N` of the owner.
        public let submitter: String
        /// Which try this is, counted from 1 through all daemons.
        public let attempt: Int
        /// The worker's process id.
        public let process: Int
        /// When the attempt began, RFC 3339.
        public let since: String
        /// What the worker said last; nil before its first word.
        public let progress: JobProgress?
    }

    /// A claimed job that does not run.
    public struct QueuedJob: Codable, Sendable, Equatable {
        public let id: String
        /// The manifest's, or `uid:N` of the owner.
        public let submitter: String
        /// From -100 to 100; the larger, the sooner.
        public let priority: Int
        /// `waiting`, `cooling-off` or `held`.
        public let state: String
        /// Tries that failed since the job last got on.
        public let failures: Int
        /// Why it is held; nil in other states.
        public let reason: String?
    }

    /// The version of this format.
    public var schema = 1
    public var state: State
    /// The daemon's process id.
    public var pid: Int
    /// When that process began, as the kernel counts, so that another one of its number is not taken for it.
    public var started: UInt64?
    /// The folders that it serves, which a configuration may name others for since; nil of a daemon of before 0.2.
    public var inbox: String?
    public var outbox: String?
    /// Those of lost devices included; each has one job at a time.
    public var slots: Int
    /// Devices that are gone, whose slots stay empty.
    public var lost: [String]
    /// Devices that could not be used when they were tried last, and are tried again.
    public var notReady: [String]?
    /// In the order in which they started.
    public var running: [RunningJob]
    /// In the order of arrival.
    public var queue: [QueuedJob]
    /// How many results of each status this daemon has published since it began.
    public var published: [String: Int]

    /// What the daemon of a spool said last, nil where none ever served it.
    public static func read(_ folders: Spool.Folders) throws(PosixError) -> ServiceStatus? {
        guard let bytes = try Files.readIfPresent(folders.status, limit: 1 << 26) else { return nil }
        return try? JSONDecoder().decode(ServiceStatus.self, from: Data(bytes))
    }

    /// What the daemon of a spool says of itself; nil where its process is gone.
    public static func serving(_ folders: Spool.Folders) throws(PosixError) -> ServiceStatus? {
        guard let status = try read(folders), status.state != .stopped else { return nil }
        return RunningProcess.isThere(Int32(truncatingIfNeeded: status.pid), started: status.started) ? status : nil
    }

    /// Whether that daemon takes jobs from this inbox.
    public func serves(inbox other: String) -> Bool {
        inbox.map { Files.canonical($0) == Files.canonical(other) } ?? true
    }

    func write(to folders: Spool.Folders) throws(PosixError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let bytes = try? encoder.encode(self) else { return }
        try Files.writeAtomically(Array(bytes) + [UInt8(ascii: "\n")], to: folders.status, durable: false)
    }

    /// One line for the service manager.
    var line: String {
        let jobs = running.map { job in
            job.progress.map { "\(job.id) \($0.words(withUser: false))" } ?? job.id
        }
        var gone = lost.isEmpty ? [] : ["lost \(lost.joined(separator: ", "))"]
        if let notReady, !notReady.isEmpty { gone.append("not ready \(notReady.joined(separator: ", "))") }
        return (["\(state.rawValue), \(queue.count) waiting"] + gone + jobs).joined(separator: "; ")
    }
}

extension ServiceStatus.QueuedJob {
    init?(_ entry: JobQueue.Entry) {
        switch entry.state {
        case .running: return nil
        case .waiting: self.init(entry, state: "waiting", reason: nil)
        case .coolingOff: self.init(entry, state: "cooling-off", reason: nil)
        case .held(let reason): self.init(entry, state: "held", reason: reason.rawValue)
        }
    }

    private init(_ entry: JobQueue.Entry, state: String, reason: String?) {
        id = entry.job.id
        submitter = entry.job.submitter
        priority = entry.job.priority
        failures = entry.failures
        self.state = state
        self.reason = reason
    }
}
