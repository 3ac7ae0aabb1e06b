import Glibc
import Posix
import Telemetry

/// Where every job is on disk: dropped into the inbox, claimed into a folder of its own under `work`, published into the
/// outbox. Every step is one rename; whatever is cut short is finished by `recover`.
///
/// One process at a time serves a spool, from one thread.
public final class Spool {
    /// The folders of a spool, all different, on one file system and one mount.
    public struct Folders: Sendable, Equatable {
        /// What jobs are dropped into, by whoever may write there.
        public let inbox: String
        /// Claimed and kept jobs, requests, the status and the lock.
        public let work: String
        /// Results, see `Outbox`.
        public let outbox: String

        /// Symbolic links are followed once, here: nothing that is in the folders is reached through one.
        public init(inbox: String, work: String, outbox: String) {
            self.inbox = Files.canonical(inbox)
            self.work = Files.canonical(work)
            self.outbox = Files.canonical(outbox)
        }

        /// What the daemon says of itself, see `ServiceStatus`.
        public var status: String { "\(work)/status.json" }
        /// Jobs that are done and kept for a while, see `KeptJob`.
        public var kept: String { "\(work)/kept" }
        /// What operators ask for, see `Request`.
        public var requests: String { "\(work)/requests" }

        /// Refuses a folder that serves twice or lies in another one: what is in a folder is taken for a job or a result.
        public func requireSeparate() throws(SpoolError) {
            let paths = [inbox, work, outbox]
            let places = paths.map { path in
                let place = Array(path.utf8)
                return place.last == UInt8(ascii: "/") ? place : place + "/".utf8
            }
            for (inner, place) in places.enumerated() {
                for (outer, other) in places.enumerated() where inner != outer && place.starts(with: other) {
                    throw SpoolError(
                        .foldersOverlap, paths[inner],
                        found: place == other ? "the folder serves twice" : "the folder lies in \(paths[outer])",
                        remedy: "give inbox, work and outbox a folder each, beside each other")
                }
            }
        }
    }

    /// How much a job may bring, how often it is tried, and how long it is kept.
    public struct Limits: Sendable, Equatable {
        /// In bytes.
        public var manifestSize = 256 << 20
        /// In bytes, of all files of a job that comes as a folder.
        public var folderSize = 1 << 30
        /// Files and folders together, of a job that comes as a folder.
        public var files = 100_000
        /// Failed tries, without getting on in between, after which a job is given up, see `Attempts.areExhausted`.
        public var crashes = 3
        /// No job is taken while less than this share of the disk's inodes is free, or less than this share of its bytes
        /// and less than `freeBytes`.
        public var freeShare = 0.05
        /// So much room is enough, however small its share is.
        public var freeBytes = 4 << 30
        /// The inbox's, see `Inbox`.
        public var settlingSeconds = 2.0
        /// How long what was dropped is kept after its result was published, of jobs that failed, were rejected or
        /// cancelled; 0 removes it at once.
        public var keepsFailedSeconds = 7 * 86400.0
        /// How long what was dropped is kept of all other jobs; 0 removes it at once.
        public var keepsDoneSeconds = 0.0
        /// How long to wait for the lock: the workers of a daemon that was killed hold it until they are dead, too.
        public var lockSeconds = 5.0

        public init() {}

        /// How long a job of that outcome is kept.
        func keepsSeconds(_ status: JobStatus) -> Double {
            status.callsForRetry ? keepsFailedSeconds : keepsDoneSeconds
        }

        /// Whether a disk with that much room may take another job.
        public func allow(_ room: Files.Room) -> Bool {
            room.inodeShare >= freeShare && (room.byteShare >= freeShare || room.bytes >= freeBytes)
        }
    }

    public let folders: Folders
    /// May change while the spool is served, but for `settlingSeconds`.
    public var limits: Limits { didSet { nextExpiry = 0 } }
    public let inbox: Inbox
    public let outbox: Outbox
    /// Held as long as any process that has this descriptor lives; workers inherit it, so that no second daemon begins
    /// while one of them still writes.
    public let lock: FileLock

    let reader: Reader
    let log: Log
    /// The jobs under `work`, by their ids.
    var live: [String: SpooledJob] = [:]
    /// Manifests that were refused since this daemon began.
    public internal(set) var rejected = 0
    /// When the first kept job's time is over, in seconds since 1970, or earlier.
    var nextExpiry: Int64 = 0
    /// Kept jobs that could not be removed when their time was over.
    var refusedRemovals: Set<String> = []
    /// What the name of the last place under `work` began with.
    var latestEntry: Int64 = 0

    /// Takes the spool, making its folders where they are missing.
    public init(_ folders: Folders, limits: Limits = Limits(), log: Log = .none, reader: @escaping Reader)
        throws(SpoolError)
    {
        self.folders = folders
        self.limits = limits
        self.reader = reader
        self.log = log
        inbox = Inbox(folders.inbox, settlingSeconds: limits.settlingSeconds)
        outbox = Outbox(folders.outbox)
        do throws(PosixError) {
            for folder in [folders.inbox, folders.work, folders.outbox] { try Files.makeDirectories(folder) }
        } catch {
            throw SpoolError(error, remedy: "make the folder, or name another one in the configuration")
        }
        try folders.requireSeparate()
        do throws(PosixError) {
            for folder in [folders.kept, folders.requests] { try Files.makeDirectories(folder, mode: 0o700) }
        } catch {
            throw SpoolError(error, remedy: "give the daemon's user the right to write there")
        }
        lock = try Self.takeLock("\(folders.work)/daemon.lock", seconds: limits.lockSeconds)
        try Self.checkRenames(folders)
    }

    /// Whether the disk has room for another job; if not, leave the inbox alone.
    public func hasRoom() throws(PosixError) -> Bool {
        limits.allow(try Files.room(at: folders.work))
    }

    // MARK: - Publishing

    /// Publishes a job's sealed result. What was dropped is removed, or kept as long as `limits` say.
    /// - Returns: the status in the result.
    @discardableResult
    public func publish(_ job: SpooledJob) throws(PosixError) -> JobStatus {
        // On a second try the result may lie in the outbox already.
        let begun = try job.folder.readPublication()
        var written = begun?.status
        if written == nil { written = try ResultSummary(file: "\(job.folder.result)/\(Outbox.resultFile)")?.status }
        let status = written ?? .failed
        let name = try outbox.publish(job.folder, as: job.id, digest: job.digest, keptIn: keeper(of: status))
        live[job.id] = nil
        noteExpiry(of: status, from: begun?.time)
        log(.jobPublished(name, status: status.rawValue))
        return status
    }

    /// Publishes the targets of a job that are done while it goes on.
    public func publishTargets(of job: SpooledJob) throws(PosixError) {
        let count = try outbox.publishTargets(of: job.folder, as: job.id, digest: job.digest)
        if count > 0 { log(.targetsPublished(job.id, count: count)) }
    }

    // MARK: - Opening

    private static func takeLock(_ path: String, seconds: Double) throws(SpoolError) -> FileLock {
        let start = MonotonicClock.seconds()
        repeat {
            do throws(PosixError) { return try FileLock(path) } catch {
                guard error.errno == EWOULDBLOCK else {
                    throw SpoolError(error, remedy: "give the daemon's user the right to write there")
                }
                usleep(50_000)
            }
        } while MonotonicClock.seconds() - start < seconds
        throw SpoolError(
            .alreadyServed, path, found: "another primed serves this spool",
            remedy: "stop it first, or give this one folders of its own")
    }

    /// Bind mounts of one file system refuse a rename between them too, so only a rename tells.
    private static func checkRenames(_ folders: Folders) throws(SpoolError) {
        let places = [folders.work, folders.inbox, folders.outbox]
        var names = places.map { "\($0)/.probe.tmp" }
        // What an earlier start left.
        for name in names { try? Files.remove(name) }
        // Whoever may write to the inbox can have taken the name for something that does not go.
        if names.contains(where: Files.exists) {
            let probe = ".\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp"
            names = places.map { "\($0)/\(probe)" }
        }
        do throws(PosixError) {
            try Files.writeAtomically([], to: names[0], durable: false)
            try Files.rename(names[0], to: names[1], replacing: false)
            try Files.rename(names[1], to: names[2], replacing: false)
            try Files.remove(names[2])
        } catch {
            for name in names { try? Files.remove(name) }
            guard error.errno == EXDEV else {
                throw SpoolError(error, remedy: "give the daemon's user the right to write there")
            }
            throw SpoolError(
                .differentFileSystems, error.path,
                found:
                    "inbox, work and outbox are not on one file system, so nothing can be moved between them in one step",
                remedy: "put the three folders on one file system and one mount")
        }
    }
}
