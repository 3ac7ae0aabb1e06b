import Glibc
import Posix

// MARK: - From the inbox to a folder under `work`

extension Spool {
    /// Takes a name out of the inbox and reads the job; nil when it was gone, was refused, or was there already.
    public func take(_ name: String) throws(PosixError) -> SpooledJob? {
        guard let folder = try claim(name) else { return nil }
        return try admit(folder)
    }

    /// Moves a name of the inbox into a new folder under `work`; nil when it was gone.
    func claim(_ name: String) throws(PosixError) -> JobFolder? {
        let source = "\(folders.inbox)/\(name)"
        guard let status = try? Files.status(source) else { return nil }
        try secure(source, status.kind)
        let folder = nextEntry(for: name)
        try Files.makeDirectories(folder.path, mode: 0o700)
        let isFolder = status.kind == .directory
        do throws(PosixError) {
            try folder.writeOrigin(JobFolder.Origin(name: name, isFolder: isFolder))
            if !isFolder { try Files.makeDirectories(folder.job) }
            try Files.rename(source, to: isFolder ? folder.job : folder.manifest, replacing: false)
        } catch {
            // The rename was the last step, so nothing of the job is here.
            try? Files.removeTree(folder.path)
            if error.errno == ENOENT { return nil }
            throw error
        }
        if !isFolder { try Files.sync(directory: folder.job) }
        try Files.sync(directory: folder.path)
        try Files.sync(directory: folders.inbox)
        return folder
    }

    /// The place of the next job under `work`. The names' order is the order of the claims.
    func nextEntry(for name: String) -> JobFolder {
        latestEntry = max(latestEntry + 1, WallClock.nanoseconds())
        let id = JobID(fileName: name).description.prefix(40)
        return JobFolder(claimed: "\(folders.work)/\(Self.digits(of: latestEntry))-\(id)")
    }

    /// To base 36, as many as hold any time.
    private static func digits(of time: Int64) -> String {
        let digits = String(time, radix: 36)
        return String(repeating: "0", count: 13 - digits.utf8.count) + digits
    }

    /// Whether a name under `work` is a job's. Whatever else somebody has put there is not touched.
    static func isEntry(_ name: String) -> Bool {
        guard let dash = name.firstIndex(of: "-"), let time = Int64(name[..<dash], radix: 36), time >= 0 else {
            return false
        }
        return digits(of: time) == name[..<dash]
    }

    /// Makes what was dropped durable before its name is: whoever wrote it may not have, and after a power cut an empty file
    /// would be what was claimed.
    ///
    /// - Throws: `EACCES` for a folder that could not be emptied when the job is done.
    private func secure(_ path: String, _ kind: Files.Kind) throws(PosixError) {
        switch kind {
        // What another try would not mend, admission will find and refuse.
        case .regular:
            do throws(PosixError) { try Files.sync(file: path) } catch  where error.mayPass { throw error } catch {}
        case .directory:
            var entries = limits.files
            try requireChangeable(path, depth: 0, &entries)
            // One call for all that is in it, and whatever else the file system has to write.
            try Files.sync(fileSystemOf: path)
        case .symbolicLink, .special: return
        }
    }

    /// - Parameter entries: how many names may still be looked at; a folder of more will be refused.
    private func requireChangeable(_ folder: String, depth: Int, _ entries: inout Int) throws(PosixError) {
        guard entries > 0 else { return }
        // Much deeper than what will be refused: whether it could be emptied would take too long to find out.
        guard depth <= 64 else { throw PosixError(call: "access", path: folder, errno: ENAMETOOLONG) }
        guard Files.mayChange(folder) else { throw PosixError(call: "access", path: folder, errno: EACCES) }
        for name in try Files.listing(folder, limit: entries).names {
            entries -= 1
            let inner = "\(folder)/\(name)"
            if try Files.statusIfPresent(inner)?.kind == .directory {
                try requireChangeable(inner, depth: depth + 1, &entries)
            }
        }
    }
}
