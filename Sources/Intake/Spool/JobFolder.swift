import FoundationEssentials
import Posix

/// A job's private place on disk while it is worked on, and where its manifest is.
///
///     path/origin           the name it was dropped under
///     path/job/             the manifest and the files it names, as they came (not in a foreground run)
///     path/attempts         who tried, see `Attempts`
///     path/journal/         what a later attempt goes on from
///     path/log.jsonl
///     path/staging/         the result while it is being made
///     path/result/          the result once it is whole, until it is published
///     path/publication      the name under which it is being published
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

    public var journal: String { "\(path)/journal" }
    public var log: String { "\(path)/log.jsonl" }
    public var staging: String { "\(path)/staging" }
    public var result: String { "\(path)/result" }

    var job: String { "\(path)/job" }
    var origin: String { "\(path)/origin" }
    var publication: String { "\(path)/publication" }

    /// Whether a whole result waits to be published.
    public var isFinished: Bool { Files.exists(result) }

    /// The job's id: the one that the manifest says, or the one that its file's name makes.
    public func id(written: String?) throws(PosixError) -> JobID {
        if let id = written.flatMap({ JobID($0) }) { return id }
        return JobID(fileName: try Files.isPresent(origin) ? readOrigin().name : Files.name(of: manifest))
    }

    /// What was dropped into the inbox.
    struct Origin: Equatable {
        let name: String
        let isFolder: Bool
    }

    func readOrigin() throws(PosixError) -> Origin {
        let text = String(decoding: try Files.readIfPresent(origin, limit: 4096) ?? [], as: UTF8.self)
        let words = text.split(separator: " ", maxSplits: 1)
        return words.count == 2
            ? Origin(name: String(words[1]), isFolder: words[0] == "folder")
            : Origin(name: Files.name(of: path), isFolder: true)
    }

    func writeOrigin(_ value: Origin) throws(PosixError) {
        try Files.writeAtomically(Array("\(value.isFolder ? "folder" : "file") \(value.name)".utf8), to: origin)
    }

    /// Makes the folder and keeps others from working in it as long as the lock lives. For foreground runs: a daemon's jobs
    /// are under the lock of its spool.
    public func lock() throws(PosixError) -> FileLock {
        try Files.makeDirectories(path, mode: 0o700)
        return try FileLock("\(path)/lock")
    }

    /// Makes the journal's folder and an empty `staging`, whatever an earlier attempt left there.
    public func prepare() throws(PosixError) {
        try Files.makeDirectories(journal)
        try Files.removeTree(staging)
        try Files.makeDirectories(staging)
    }

    /// Declares what is in `staging` the whole result: adds the log, makes all of it durable and gives it its name.
    public func seal() throws(PosixError) {
        if try Files.isPresent(log), try !Files.isPresent("\(staging)/log.jsonl") {
            try Files.copy(log, to: "\(staging)/log.jsonl", limit: .max)
        }
        try Files.sync(tree: staging)
        try Files.rename(staging, to: result, replacing: false)
        try Files.sync(directory: path)
    }

    /// Stages and seals a result that has no target.
    func seal(_ summary: ResultSummary) throws(PosixError) {
        try Files.removeTree(staging)
        try Files.makeDirectories(staging)
        try Files.writeAtomically(summary.encoded, to: "\(staging)/result.json")
        try seal()
    }
}

/// The part of `result.json` that a spool reads, and all of it for a job that never ran.
struct ResultSummary: Encodable {
    private let schema = 1
    let id: String
    let status: String
    let error: Problem
    private let targets: [String] = []

    init(id: String, status: String, error: Problem) {
        self.id = id
        self.status = status
        self.error = error
    }

    /// With sorted keys, ending in a line feed.
    var encoded: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        // Strings and numbers only: there is nothing that cannot be encoded.
        return Array((try? encoder.encode(self)) ?? Data()) + [UInt8(ascii: "\n")]
    }

    /// The status in a result, nil where there is none that can be read.
    static func status(in folder: String) throws(PosixError) -> String? {
        struct Status: Decodable { let status: String }
        guard let bytes = try Files.readIfPresent("\(folder)/result.json", limit: 1 << 30) else { return nil }
        return try? JSONDecoder().decode(Status.self, from: Data(bytes)).status
    }
}

/// What is wrong with a job, as `result.json` says it.
public struct Problem: Codable, Equatable, Sendable {
    public let code: String
    public let message: String
    public let place: String

    public init(code: String, message: String, place: String) {
        self.code = code
        self.message = message
        self.place = place
    }

    enum CodingKeys: String, CodingKey {
        case code, message
        case place = "where"
    }
}
