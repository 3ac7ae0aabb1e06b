import Posix
import Telemetry

/// What an earlier daemon left under `work`.
public struct Recovery: Sendable, Equatable {
    /// The jobs that no call returned before, in the order in which they were claimed. One whose folder `isFinished` only
    /// waits to be published.
    public var jobs: [SpooledJob] = []
    /// How those ended whose publication was only finished.
    public var published: [JobStatus] = []
    /// Whether the disk kept something back: call again.
    public var isPartial = false
}

extension Spool {
    /// Puts everything right that was cut short, now or when the spool was last served: call it before anything is taken,
    /// and again from time to time, for what could not be written then.
    ///
    /// - Parameter sign: called between jobs, any of which may take a while.
    public func recover(_ sign: () -> Void = {}) throws(PosixError) -> Recovery {
        let known = Set(live.values.map(\.folder.path))
        var recovery = Recovery()
        for name in try Files.list(folders.work) {
            let path = "\(folders.work)/\(name)"
            if known.contains(path) { continue }
            do throws(PosixError) {
                if Self.isRemnant(name) {
                    try Files.removeTree(path)
                } else if Self.isEntry(name) {
                    try recover(path, &recovery)
                }
            } catch {
                log(.trouble(error))
                recovery.isPartial = recovery.isPartial || error.mayPass
            }
            sign()
        }
        return recovery
    }

    /// Whether a name under `work` is what a step that was cut short left: jobs, kept ones and requests never begin with a
    /// dot. (How they end, whoever dropped them decides.)
    static func isRemnant(_ name: String) -> Bool {
        name.utf8.first == UInt8(ascii: ".") && name.hasSuffix(".tmp")
    }

    private func recover(_ path: String, _ recovery: inout Recovery) throws(PosixError) {
        guard try Files.status(path).kind == .directory else { return }
        let folder = JobFolder(claimed: path)
        if try folder.isTakenAgain() {
            try restart(folder)
        } else if let (name, status) = try outbox.finishPublishing(folder, keptIn: folders.kept) {
            log(.jobPublished(name, status: status.rawValue))
            recovery.published.append(status)
            nextExpiry = 0
            return
        }
        if try wasClaimed(folder) {
            if let job = try admit(folder) { recovery.jobs.append(job) }
        } else {
            try Files.retire(folder.path)
        }
    }

    /// Whether the claim came as far as to move something here.
    private func wasClaimed(_ folder: JobFolder) throws(PosixError) -> Bool {
        guard try Files.isPresent(folder.job) else { return false }
        if try folder.readOrigin().isFolder { return true }
        return try Files.listing(folder.job) != Files.Listing()
    }
}
