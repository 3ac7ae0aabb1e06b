import Posix

/// A job's private place on disk while it is worked on, and where its manifest is.
///
///     path/origin           the name it was dropped under
///     path/job/             the manifest and the files it names, as they came (not in a foreground run)
///     path/digest           what makes the job the one it is, see `JobDigest`
///     path/attempts         who tried, see `Attempts`
///     path/rounds/          what a later attempt goes on from within a cohort of targets
///     path/results/         what result.json will say of each finished target
///     path/targets/USER/    the files of a finished target, until they are published
///     path/log.jsonl
///     path/staging/         what is being made: a target's files, or the job's result
///     path/result/          result.json and the log once all is done, until they are published
///     path/place/           the draft of a result that is to have some targets and no end yet
///     path/.digest          the digest on its way into a result
///     path/lock             held by a foreground run
///     path/publication      how it is being published; of a kept job, how it was
///     path/wish             what an operator wants of it: to wait, or to end
///     path/again            there while a kept job is made one that has not ended
public struct JobFolder: Sendable, Equatable {
    public let path: String
    /// The manifest file; what it names is relative to the folder it is in.
    public let manifest: String

    /// The folder of a claimed job, by its path.
    public init(claimed path: String) {
        self.path = path
        manifest = "\(path)/job/manifest.json"
    }

    /// A folder for a job whose manifest stays where it is.
    public init(path: String, manifest: String) {
        self.path = path
        self.manifest = manifest
    }

    /// Where the manifest lies, and beside it what came with it.
    public var input: String { Files.parent(of: manifest) }
    public var rounds: String { "\(path)/rounds" }
    public var results: String { "\(path)/results" }
    public var targets: String { "\(path)/targets" }
    /// What result.json will say of a target.
    public func resultFile(of user: String) -> String { "\(results)/\(user).json" }
    public var log: String { "\(path)/log.jsonl" }
    public var staging: String { "\(path)/staging" }
    public var result: String { "\(path)/result" }

    var job: String { "\(path)/job" }
    var origin: String { "\(path)/origin" }
    var publication: String { "\(path)/publication" }
    private var digestFile: String { "\(path)/digest" }
    private var wishFile: String { "\(path)/wish" }
    private var again: String { "\(path)/again" }

    /// Whether a whole result waits to be published.
    public var isFinished: Bool { Files.exists(result) }

    /// The job's id: the one that the manifest says, or the one that its file's name makes.
    public func id(written: String?) throws(PosixError) -> JobID {
        JobID(
            written: written, fileName: try Files.isPresent(origin) ? readOrigin().name : Files.name(of: manifest))
    }

    /// What was dropped into the inbox.
    struct Origin: Equatable {
        let name: String
        let isFolder: Bool
    }

    func readOrigin() throws(PosixError) -> Origin {
        let bytes = try Files.readIfPresent(origin, limit: 4096) ?? []
        let words = bytes.split(separator: UInt8(ascii: " "), maxSplits: 1)
        return words.count == 2
            ? Origin(name: String(decoding: words[1], as: UTF8.self), isFolder: words[0].elementsEqual("folder".utf8))
            : Origin(name: Files.name(of: path), isFolder: true)
    }

    func writeOrigin(_ value: Origin) throws(PosixError) {
        try Files.writeAtomically(Array("\(value.isFolder ? "folder" : "file") \(value.name)".utf8), to: origin)
    }

    /// What the job was when it was admitted: nobody has to read all of it again to know.
    func readDigest() throws(PosixError) -> String? {
        try Files.readIfPresent(digestFile, limit: 100).map { String(decoding: $0, as: UTF8.self) }
    }

    func write(digest: String) throws(PosixError) {
        try Files.writeAtomically(Array(digest.utf8), to: digestFile)
    }

    /// Forgets what was made of another manifest of this id: a foreground run works in one folder for all of them.
    ///
    /// - Parameter name: what the job would be called in an inbox.
    public func begin(digest: String, name: String, isFolder: Bool) throws(PosixError) {
        if try readDigest() == digest { return }
        // First what says that the rest is any job's.
        if try Files.isPresent(digestFile) { try Files.remove(digestFile) }
        try forgetPublication()
        try Files.sync(directory: path)
        for remains in [rounds, results, targets, staging, result, log] { try Files.removeTree(remains) }
        try forgetAttempts()
        try writeOrigin(Origin(name: name, isFolder: isFolder))
        try write(digest: digest)
    }

    /// Makes the folder and keeps others from working in it as long as the lock lives. For foreground runs: a daemon's jobs
    /// are under the lock of its spool.
    public func lock() throws(PosixError) -> FileLock {
        try Files.makeDirectories(path, mode: 0o700)
        return try FileLock("\(path)/lock")
    }

    /// Makes the folders that an attempt writes to.
    public func prepare() throws(PosixError) {
        for folder in [rounds, results, targets] { try Files.makeDirectories(folder) }
    }

    /// An empty `staging`, whatever an earlier attempt left there.
    public func stage() throws(PosixError) {
        try Files.removeTree(staging)
        try Files.makeDirectories(staging)
    }

    /// Declares what is in `staging` the whole of a target's files.
    public func finish(target user: String) throws(PosixError) {
        try Files.sync(tree: staging)
        try Files.removeTree("\(targets)/\(user)")
        try Files.rename(staging, to: "\(targets)/\(user)")
        try Files.sync(directory: targets)
    }

    /// Takes back what an attempt that was cut short made of a target.
    public func discard(target user: String) throws(PosixError) { try Files.removeTree("\(targets)/\(user)") }

    /// Ends the job: its `result.json` and the log are whole, and every target that is done is among `targets`.
    public func seal(_ resultFile: [UInt8]) throws(PosixError) {
        try stage()
        try Files.writeAtomically(resultFile, to: "\(staging)/\(Outbox.resultFile)")
        if try Files.isPresent(log) { try Files.copy(log, to: "\(staging)/log.jsonl", limit: .max) }
        try Files.sync(tree: staging)
        try Files.rename(staging, to: result, replacing: false)
        try Files.sync(directory: path)
    }

    // MARK: - Beginning again

    /// Whether a kept job is taken up again, and its end not yet forgotten.
    func isTakenAgain() throws(PosixError) -> Bool { try Files.isPresent(again) }

    func markTakenAgain() throws(PosixError) { try Files.writeAtomically([], to: again) }

    func unmarkTakenAgain() throws(PosixError) {
        try Files.remove(again)
        try Files.sync(directory: path)
    }

    // MARK: - Wishes

    /// What an operator wants of the job, on disk so that it outlives the daemon.
    public enum Wish: String, Sendable {
        /// To wait until it is released.
        case hold
        case cancel
    }

    /// The wish that stands; nil for none.
    public func wish() throws(PosixError) -> Wish? {
        try Files.readIfPresent(wishFile, limit: 16).flatMap { Wish(rawValue: String(decoding: $0, as: UTF8.self)) }
    }

    /// Puts a wish in the place of any other, or takes it back; on disk when this returns.
    public func set(_ wish: Wish?) throws(PosixError) {
        if let wish {
            try Files.writeAtomically(Array(wish.rawValue.utf8), to: wishFile)
        } else if try Files.isPresent(wishFile) {
            try Files.remove(wishFile)
            try Files.sync(directory: path)
        }
    }
}
