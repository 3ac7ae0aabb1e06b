import Glibc
import Posix
import Telemetry

/// A job under `work` that waits for its turn, or for the publication of its result.
public struct SpooledJob: Sendable, Equatable {
    /// The manifest's, or made of the name it was dropped under, see `JobID`.
    public let id: String
    public let folder: JobFolder
    /// What makes this job the one it is, see `JobDigest`.
    public let digest: String
    /// The user id of the file's owner.
    public let owner: UInt32
    /// Whose job it is, as the manifest says or by the owner of the file.
    public let submitter: String
    /// The larger, the sooner.
    public let priority: Int
    /// How long it may run, all tries together; nil for as long as it takes.
    public let seconds: Double?
}

/// What a manifest turned out to be.
public enum Reading: Sendable, Equatable {
    /// A job; nil for what the manifest does not say.
    case job(id: JobID?, submitter: String?, priority: Int, seconds: Double?)
    /// No job: why not, and its id if that can be told.
    case mistaken(id: JobID?, Problem)
}

/// Reads the manifest of a claimed job, of at most so many bytes. What lies beside it was checked.
///
/// Throws where the disk does not give it now: then it is read again.
public typealias Reader = (JobFolder, _ limit: Int) throws(PosixError) -> Reading

extension Spool {
    /// Reads a claimed job, and refuses or drops it where there is reason to.
    func admit(_ folder: JobFolder) throws(PosixError) -> SpooledJob? {
        let origin = try folder.readOrigin()
        let digest: String
        let reading: Reading
        switch try examination(of: folder, origin: origin) {
        case .sound(let found): (digest, reading) = (found, try read(folder, origin))
        case .offensive(let found, let problem): (digest, reading) = (found, .mistaken(id: nil, problem))
        }
        let named = JobID(fileName: origin.name)
        switch reading {
        case .mistaken(let id, let problem):
            try refuse(folder, id: (id ?? named).description, digest: digest, problem)
        case .job(let written, let submitter, let priority, let seconds):
            let id = written ?? named
            if let other = try holder(of: id.description, for: digest) {
                try settle(
                    folder, id: id.description, digest: digest, against: other, problem: .idTaken(id))
                return nil
            }
            let owner = try Files.status(contents(of: folder, origin)).owner
            let job = SpooledJob(
                id: id.description, folder: folder, digest: digest, owner: owner,
                submitter: submitter ?? "uid:\(owner)",
                priority: priority, seconds: seconds)
            live[job.id] = job
            log(.jobClaimed(job.id, file: origin.name, submitter: job.submitter, owner: Int(owner)))
            return job
        }
        return nil
    }

    /// What the reader makes of a manifest; one that it can never read is a mistake.
    private func read(_ folder: JobFolder, _ origin: JobFolder.Origin) throws(PosixError) -> Reading {
        do throws(PosixError) { return try reader(folder, limits.manifestSize) } catch  where !error.mayPass {
            return .mistaken(id: nil, Problem(Offence(error, "manifest.json"), of: origin))
        }
    }

    private func refuse(_ folder: JobFolder, id: String, digest: String, _ problem: Problem) throws(PosixError) {
        if let other = try holder(of: id, for: digest) {
            try settle(folder, id: id, digest: digest, against: other, problem: problem)
        } else {
            try reject(folder, id: id, as: id, digest: digest, problem)
        }
    }

    /// The digest of the job that has an id, running or done; nil where that is the job itself, which published targets
    /// and was interrupted.
    private func holder(of id: String, for digest: String) throws(PosixError) -> String? {
        if let job = live[id] { return job.digest }
        guard let other = try outbox.digest(of: id) else { return nil }
        if other != digest { return other }
        return try outbox.isFinished(id) ? other : nil
    }

    /// Decides about a job whose id is taken by the job with the digest `other`: the same one is dropped, another one is
    /// refused.
    private func settle(
        _ folder: JobFolder, id: String, digest: String, against other: String, problem: Problem
    ) throws(PosixError) {
        let name = Outbox.rejectedName(id, digest: digest)
        var isAnswered = other == digest
        if !isAnswered, try outbox.digest(of: name) == digest { isAnswered = try outbox.isFinished(name) }
        if isAnswered {
            log(.jobRepeated(id, file: try folder.readOrigin().name))
            try Files.retire(folder.path)
        } else {
            try reject(folder, id: id, as: name, digest: digest, problem)
        }
    }

    private func reject(
        _ folder: JobFolder, id: String, as name: String, digest: String, _ problem: Problem
    ) throws(PosixError) {
        log(.jobRejected(id, code: problem.code, file: try folder.readOrigin().name, result: name))
        if !folder.isFinished {
            try folder.seal(ResultSummary(id: id, status: .rejected, error: problem).encoded)
        }
        try outbox.publish(folder, as: name, digest: digest, keptIn: keeper(of: .rejected))
        rejected += 1
        noteExpiry(of: .rejected)
    }

    // MARK: - What may be looked at

    private enum Examination {
        case sound(digest: String)
        case offensive(digest: String, Problem)
    }

    /// What was dropped, as it lies under `work`.
    private func contents(of folder: JobFolder, _ origin: JobFolder.Origin) -> String {
        origin.isFolder ? folder.job : folder.manifest
    }

    /// What was found when the job was admitted first, or what is found now.
    private func examination(of folder: JobFolder, origin: JobFolder.Origin) throws(PosixError) -> Examination {
        if let digest = try folder.readDigest() { return .sound(digest: digest) }
        let found = try examine(folder, origin: origin)
        if case .sound(let digest) = found { try folder.write(digest: digest) }
        return found
    }

    private func examine(_ folder: JobFolder, origin: JobFolder.Origin) throws(PosixError) -> Examination {
        let path = contents(of: folder, origin)
        if let offence = try limits.offence(in: folder.job) {
            return .offensive(digest: try JobDigest.of(unreadable: path), Problem(offence, of: origin))
        }
        do throws(PosixError) {
            return .sound(
                digest: try origin.isFolder
                    ? JobDigest.of(folder: path, limit: limits.folderSize)
                    : JobDigest.of(manifest: path, limit: limits.manifestSize))
        } catch  where !error.mayPass {
            let inner = error.path.utf8.dropFirst(folder.job.utf8.count + 1)
            let offence = Offence(error, String(decoding: inner, as: UTF8.self))
            return .offensive(digest: try JobDigest.of(unreadable: path), Problem(offence, of: origin))
        }
    }
}

extension JobFolder.Origin {
    /// A path below the dropped folder as its submitter knows it.
    func place(_ path: String) -> String { isFolder && !path.isEmpty ? "\(name)/\(path)" : name }
}

extension Problem {
    fileprivate init(_ offence: Offence, of origin: JobFolder.Origin) {
        self.init(code: offence.code, message: offence.message, place: origin.place(offence.path))
    }

    fileprivate static func idTaken(_ id: JobID) -> Problem {
        Problem(
            code: "id-taken",
            message: "another job was dropped as \(id) before; choose another id, or remove that job's result first",
            place: "manifest: id")
    }
}
