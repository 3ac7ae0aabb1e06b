import Posix
import Telemetry

/// A published job whose files are kept for a while, so that it can be done again.
public struct KeptJob: Codable, Sendable, Equatable {
    /// The name of its result.
    public let name: String
    /// How it ended, as its result says.
    public let status: JobStatus
    /// Why it failed, where it did.
    public let code: String?
    /// When its publication began, in seconds since 1970.
    public let published: Int64
    /// When it will be removed, in seconds since 1970, by the limits that it was listed with.
    public let expires: Int64
}

/// Jobs that are done and were not removed: `work/kept/NAME`, readable for nobody but the daemon.
///
/// What was claimed has histories in it, so it goes as soon as the result is published; only what failed stays for
/// `Limits.keepsFailedSeconds`, and all the rest for `keepsDoneSeconds`, which is nothing by default.
extension Spool {
    /// Where a job of that outcome is kept; nil if it goes at once.
    func keeper(of status: JobStatus) -> String? { limits.keepsSeconds(status) > 0 ? folders.kept : nil }

    /// Takes note that a job was kept, whose publication began at `time`, in seconds since 1970; nil for now.
    func noteExpiry(of status: JobStatus, from time: Int64? = nil) {
        guard limits.keepsSeconds(status) > 0 else { return }
        let start = time ?? WallClock.nanoseconds() / 1_000_000_000
        nextExpiry = min(nextExpiry, start + Int64(limits.keepsSeconds(status)))
    }

    /// Removes the kept jobs whose time is over, as far as one look goes; and what earlier removals left.
    ///
    /// - Parameter sign: called between removals.
    /// - Returns: whether there are more.
    @discardableResult
    public func removeExpired(
        at time: Int64 = WallClock.nanoseconds() / 1_000_000_000, sign: () -> Void = {}
    ) throws(PosixError) -> Bool {
        // What cannot be removed keeps nothing else from it.
        for name in try Files.list(folders.kept) where Self.isRemnant(name) {
            do throws(PosixError) { try Files.removeTree("\(folders.kept)/\(name)") } catch { log(.trouble(error)) }
        }
        guard time >= nextExpiry else { return false }
        let (kept, unread) = try Self.survey(folders, limits)
        let wasRefused = { [refusedRemovals] (job: KeptJob) in refusedRemovals.contains(job.name) }
        // Those that were refused go last, so that the others come before as many are refused again.
        var expired = kept.filter { $0.expires <= time }
        expired = expired.filter { !wasRefused($0) } + expired.filter(wasRefused)
        var next = kept.filter { $0.expires > time }.map(\.expires).min() ?? .max
        // What cannot be read or removed now keeps nothing else from it, and is tried again.
        if unread > 0 { next = min(next, time + 60) }
        var (removed, failed) = (0, 0)
        for job in expired where removed < Self.mostRemovals && failed < Self.mostFailures {
            do throws(PosixError) {
                try Files.retire("\(folders.kept)/\(job.name)")
                log(.keptRemoved(job.name))
                removed += 1
                refusedRemovals.remove(job.name)
            } catch {
                log(.trouble(error))
                failed += 1
                refusedRemovals.insert(job.name)
            }
            sign()
        }
        if failed > 0 { next = min(next, time + 600) }
        let hasMore = removed == Self.mostRemovals && expired.count > removed + failed
        if !hasMore { nextExpiry = next }
        return hasMore
    }

    /// Removals at a look: a change of the limits may end the time of very many at once.
    private static let mostRemovals = 1000
    /// Where the disk refuses so many, it refuses all.
    private static let mostFailures = 32

    /// The kept jobs of a spool, by name; nobody needs to serve it.
    public static func kept(_ folders: Folders, _ limits: Limits) throws(PosixError) -> [KeptJob] {
        try survey(folders, limits).kept
    }

    /// The kept jobs, and how many there are of which that could not be found out.
    private static func survey(
        _ folders: Folders, _ limits: Limits
    ) throws(PosixError) -> (kept: [KeptJob], unread: Int) {
        let names = try Files.isPresent(folders.kept) ? Files.list(folders.kept) : []
        var (kept, unread): ([KeptJob], Int) = ([], 0)
        for name in names where !isRemnant(name) {
            let record: Publication?
            do throws(PosixError) {
                record = try JobFolder(claimed: "\(folders.kept)/\(name)").readPublication()
            } catch {
                unread += 1
                continue
            }
            guard let record else { continue }
            kept.append(
                KeptJob(
                    name: name, status: record.status, code: record.code, published: record.time,
                    expires: record.time + Int64(limits.keepsSeconds(record.status))))
        }
        return (kept, unread)
    }

    /// Takes a kept job up again, without what failed in it.
    /// - Returns: the job; nil where none of that name is kept, it has a result to keep, or it is refused once more.
    public func takeAgain(_ name: String) throws(PosixError) -> SpooledJob? {
        let kept = JobFolder(claimed: "\(folders.kept)/\(name)")
        guard JobID(name) != nil, let record = try kept.readPublication(), record.status.callsForRetry else {
            return nil
        }
        let place = nextEntry(for: try kept.readOrigin().name)
        try kept.markTakenAgain()
        try Files.rename(kept.path, to: place.path, replacing: false)
        try Files.sync(directory: folders.work)
        try Files.sync(directory: folders.kept)
        try restart(place)
        return try admit(place)
    }

    /// Makes a job that was kept one that has not ended; may be stopped at any call and done again.
    func restart(_ folder: JobFolder) throws(PosixError) {
        if let record = try folder.readPublication() { try outbox.reopen(record.name, digest: record.digest) }
        for name in try Files.isPresent(folder.results) ? Files.list(folder.results) : []
        where try ResultSummary(file: "\(folder.results)/\(name)")?.status == .failed {
            try Files.remove("\(folder.results)/\(name)")
        }
        try Files.removeTree(folder.log)
        try folder.forgetAttempts()
        try folder.set(nil)
        try folder.forgetPublication()
        try folder.unmarkTakenAgain()
    }
}
