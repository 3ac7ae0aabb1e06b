import Posix

/// The folder of results, each under its job's id.
///
/// A job is done when its folder has `result.json`. A job of many targets publishes each target's folder as it finishes,
/// by one rename, and `result.json` last; otherwise the whole result is there from one rename on.
public struct Outbox: Sendable {
    public let path: String

    public init(_ path: String) { self.path = Files.canonical(path) }

    /// In each result's folder, where it comes last: once it is there, the result is whole.
    public static let resultFile = "result.json"

    /// Which manifest a result answers, in the result's folder.
    private static let digestFile = ".digest"

    /// The digest of the job that has the folder `name`, empty for a folder that no spool made, nil where there is none.
    public func digest(of name: String) throws(PosixError) -> String? {
        guard try Files.isPresent("\(path)/\(name)") else { return nil }
        let bytes = try Files.readIfPresent("\(path)/\(name)/\(Self.digestFile)", limit: 100) ?? []
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// Whether the job that has the folder `name` is done; one that is not has published some of its targets.
    public func isFinished(_ name: String) throws(PosixError) -> Bool {
        guard let digest = try digest(of: name) else { return false }
        // A folder that no spool made is not to be written to.
        if digest.isEmpty { return true }
        return try Files.isPresent("\(path)/\(name)/\(Self.resultFile)")
    }

    /// The name of the result that answers a job: its id, or, where another job had that id first, its `rejected` name. Nil
    /// while the job is not done.
    public func name(of id: JobID, digest: String) throws(PosixError) -> String? {
        for name in [id.description, Self.rejectedName(id.description, digest: digest)] {
            if try self.digest(of: name) == digest, try isFinished(name) { return name }
        }
        return nil
    }

    /// Where a foreground run of a manifest works, so that an interrupted one finds its journal again. Take its lock first.
    public func workFolder(for id: JobID, manifest: String) -> JobFolder {
        JobFolder(path: "\(path)/.\(id).run", manifest: manifest)
    }

    /// The name for what comes second under an id.
    static func rejectedName(_ id: String, digest: String) -> String { "\(id).rejected-\(digest.prefix(12))" }

    /// Publishes the targets of a job that are done, while others are not.
    /// - Returns: how many those were.
    @discardableResult
    public func publishTargets(of folder: JobFolder, as name: String, digest: String) throws(PosixError) -> Int {
        let users = try finished(in: folder)
        if users.isEmpty { return 0 }
        if try Files.isPresent(folder.result) { return 0 }
        let place = "\(path)/\(try freeName(name, digest: digest))"
        if try !Files.isPresent(place) {
            let draft = "\(folder.path)/place"
            try Files.removeTree(draft)
            try Files.makeDirectories(draft)
            try write(digest, to: draft, from: folder)
            try Files.rename(draft, to: place, replacing: false)
            try Files.sync(directory: path)
        }
        try move(users, from: folder.targets, to: place)
        return users.count
    }

    /// Gives a sealed result its name here, and removes the job's folder, or keeps it.
    ///
    /// May be stopped at any call and done again. Where the name is taken by another job's result, the result gets its
    /// `rejected` name instead.
    ///
    /// - Parameter kept: the folder of kept jobs, for one that is to be kept; nil removes it.
    /// - Returns: the name it has.
    @discardableResult
    public func publish(
        _ folder: JobFolder, as name: String, digest: String, keptIn kept: String? = nil
    ) throws(PosixError) -> String {
        if try folder.readPublication() == nil {
            let summary = try ResultSummary(file: "\(folder.result)/\(Self.resultFile)")
            try folder.write(
                Publication(
                    name: name, digest: digest, status: summary?.status ?? .failed, code: summary?.error?.code,
                    time: WallClock.nanoseconds() / 1_000_000_000, isKept: kept != nil))
        }
        return try finishPublishing(folder, keptIn: kept)?.name ?? name
    }

    /// Goes on with a publication that was begun; nil where none was.
    func finishPublishing(
        _ folder: JobFolder, keptIn kept: String?
    ) throws(PosixError) -> (name: String, status: JobStatus)? {
        guard let record = try folder.readPublication() else { return nil }
        let name = try freeName(record.name, digest: record.digest)
        if try Files.isPresent(folder.result), try !isFinished(name) {
            if try Files.isPresent("\(path)/\(name)") {
                try complete("\(path)/\(name)", from: folder)
            } else {
                try move(try finished(in: folder), from: folder.targets, to: folder.result)
                try write(record.digest, to: folder.result, from: folder)
                try Files.rename(folder.result, to: "\(path)/\(name)", replacing: false)
                try Files.sync(directory: path)
            }
        }
        if record.isKept, let kept, try Files.isPresent(folder.job) {
            // Whoever takes the job up again must find its result.
            if name != record.name { try folder.write(record.renamed(name)) }
            try keep(folder, as: "\(kept)/\(name)")
        } else {
            try Files.retire(folder.path)
        }
        return (name, record.status)
    }

    /// Adds what is missing to a result that is there in parts, `result.json` last.
    private func complete(_ place: String, from folder: JobFolder) throws(PosixError) {
        try move(try finished(in: folder), from: folder.targets, to: place)
        for name in try Files.list(folder.result) where name != Self.resultFile {
            try Files.rename("\(folder.result)/\(name)", to: "\(place)/\(name)")
        }
        try Files.sync(directory: place)
        if try Files.isPresent("\(folder.result)/\(Self.resultFile)") {
            try Files.rename("\(folder.result)/\(Self.resultFile)", to: "\(place)/\(Self.resultFile)")
            try Files.sync(directory: place)
        }
    }

    /// Moves targets' folders; one that is there already was published by an earlier attempt.
    private func move(_ users: [String], from targets: String, to place: String) throws(PosixError) {
        if users.isEmpty { return }
        for user in users {
            if try Files.isPresent("\(place)/\(user)") {
                try Files.removeTree("\(targets)/\(user)")
            } else {
                try Files.rename("\(targets)/\(user)", to: "\(place)/\(user)", replacing: false)
            }
        }
        try Files.sync(directory: place)
    }

    /// The targets whose files wait to be published. Files without a line for result.json are of an attempt that was cut
    /// short: the next one makes them anew, and may make others.
    private func finished(in folder: JobFolder) throws(PosixError) -> [String] {
        var users: [String] = []
        for user in try Files.isPresent(folder.targets) ? Files.list(folder.targets) : []
        where try Files.isPresent(folder.resultFile(of: user)) {
            users.append(user)
        }
        return users
    }

    private func freeName(_ name: String, digest: String) throws(PosixError) -> String {
        if let taken = try self.digest(of: name), taken != digest { return Self.rejectedName(name, digest: digest) }
        return name
    }

    private func write(_ digest: String, to place: String, from folder: JobFolder) throws(PosixError) {
        // Written beside the result, where a torn temporary file will not be published.
        try Files.writeAtomically(Array("\(digest)\n".utf8), to: "\(folder.path)/.digest")
        try Files.rename("\(folder.path)/.digest", to: "\(place)/\(Self.digestFile)")
        try Files.sync(directory: place)
    }

    // MARK: - What becomes of the job's folder

    /// Puts a job's folder away; an older one of that name, whose result somebody removed, goes.
    private func keep(_ folder: JobFolder, as place: String) throws(PosixError) {
        try Files.makeDirectories(Files.parent(of: place), mode: 0o700)
        for remains in [folder.result, folder.staging, folder.targets] { try Files.removeTree(remains) }
        if try Files.isPresent(place) { try Files.retire(place) }
        try Files.rename(folder.path, to: place, replacing: false)
        // Where a power cut takes the rename back, recovery does it again.
        try? Files.sync(directory: Files.parent(of: place))
        try? Files.sync(directory: Files.parent(of: folder.path))
    }

    /// Takes the end of a kept job back, so that it can be done again: what it published of single targets stays.
    func reopen(_ name: String, digest: String) throws(PosixError) {
        guard try self.digest(of: name) == digest else { return }
        let place = "\(path)/\(name)"
        let rest = try Files.list(place).filter { ![Self.resultFile, "log.jsonl", Self.digestFile].contains($0) }
        if rest.isEmpty { return try Files.retire(place) }
        for file in [Self.resultFile, "log.jsonl"] where try Files.isPresent("\(place)/\(file)") {
            try Files.remove("\(place)/\(file)")
        }
        try Files.sync(directory: place)
    }
}
