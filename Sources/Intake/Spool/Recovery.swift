import Posix
import Telemetry

/// What an earlier daemon left under `work`.
public struct Recovery: Sendable, Equatable {
    /// The jobs that no call returned before, in the order in which they were claimed. One whose folder `isFinished` only
    /// waits to be published.
    public var jobs: [SpooledJob] = []
    /// Whether the disk kept something back: call again.
    public var isPartial = false
}

extension Spool {
    /// Puts everything right that was cut short, now or when the spool was last served: call it before anything is taken,
    /// and again from time to time, for what could not be written then.
    public func recover() throws(PosixError) -> Recovery {
        let known = Set(live.values.map(\.folder.path))
        var recovery = Recovery()
        for name in try Files.list(folders.work) {
            let path = "\(folders.work)/\(name)"
            if known.contains(path) || path == folders.kept || path == folders.requests { continue }
            do throws(PosixError) {
                if let job = try recover(path, isTemporary: Inbox.isTemporary(name)) {
                    recovery.jobs.append(job)
                }
            } catch {
                log(.trouble(error))
                recovery.isPartial = recovery.isPartial || error.mayPass
            }
        }
        return recovery
    }

    private func recover(_ path: String, isTemporary: Bool) throws(PosixError) -> SpooledJob? {
        let isFolder = try Files.status(path).kind == .directory
        if isTemporary {
            try Files.removeTree(path)
            return nil
        }
        return isFolder ? try recover(JobFolder(claimed: path)) : nil
    }

    private func recover(_ folder: JobFolder) throws(PosixError) -> SpooledJob? {
        if try folder.isTakenAgain() {
            try restart(folder)
        } else if let name = try outbox.finishPublishing(folder, keptIn: folders.kept) {
            log(.jobPublished(name, status: "recovered"))
            return nil
        }
        if try wasClaimed(folder) { return try admit(folder) }
        try outbox.retire(folder)
        return nil
    }

    /// Whether the claim came as far as to move something here.
    private func wasClaimed(_ folder: JobFolder) throws(PosixError) -> Bool {
        guard try Files.isPresent(folder.job) else { return false }
        if try folder.readOrigin().isFolder { return true }
        return try Files.listing(folder.job) != Files.Listing()
    }
}
