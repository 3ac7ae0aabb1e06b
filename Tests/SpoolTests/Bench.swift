import Posix
import Synchronization
import Telemetry
import Testing

@testable import Spool

/// A spool in a folder of the test's own, in memory where that can be had: the tests wait for the disk very often.
final class Bench {
    let path: String
    let folders: Spool.Folders
    let events = Recorder()
    var limits = Spool.Limits()

    init() throws {
        let base = Files.isDirectory("/dev/shm") ? "/dev/shm" : "/tmp"
        path = "\(base)/primed-spool-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        folders = Spool.Folders(inbox: "\(path)/inbox", work: "\(path)/work", outbox: "\(path)/outbox")
        try Files.makeDirectories(folders.inbox)
        limits.settlingSeconds = 0
    }

    deinit { try? Files.removeTree(path) }

    func open() throws -> Spool {
        try Spool(folders, limits: limits, log: .recording { [events] in events.append($0) }, reader: Bench.read)
    }

    /// A manifest here is `id ID`, `job` without an id, or else a mistake.
    static func read(_ folder: JobFolder, limit: Int) -> Reading {
        let text = (try? Files.read(folder.manifest, limit: 1000)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        let words = text.split(separator: " ").map(String.init)
        switch words.first {
        case "id": return .job(id: JobID(words[1]), submitter: nil, priority: 0, seconds: nil)
        case "job": return .job(id: nil, submitter: "me", priority: 7, seconds: nil)
        default: return .mistaken(id: nil, Problem(code: "bad", message: "no job", place: "here"))
        }
    }

    func drop(_ text: String, as name: String) throws {
        let temporary = "\(folders.inbox)/.\(name).tmp"
        try Files.append(Array(text.utf8), to: temporary, durable: false)
        try Files.rename(temporary, to: "\(folders.inbox)/\(name)")
    }

    func dropFolder(_ files: [String: String], as name: String) throws {
        try Files.makeDirectories("\(path)/aside")
        for (file, text) in files { try Files.append(Array(text.utf8), to: "\(path)/aside/\(file)", durable: false) }
        try Files.rename("\(path)/aside", to: "\(folders.inbox)/\(name)")
    }

    func text(_ name: String) -> String? {
        (try? Files.read("\(path)/\(name)", limit: 1 << 20)).map { String(decoding: $0, as: UTF8.self) }
    }

    var results: [String] { (try? Files.list(folders.outbox)) ?? [] }
    var entries: [String] {
        ((try? Files.list(folders.work)) ?? []).filter { !["daemon.lock", "kept", "requests"].contains($0) }
    }
    var kept: [String] { (try? Files.list(folders.kept)) ?? [] }

    /// Does what a worker would, and seals it.
    static func work(_ job: SpooledJob, status: String = "done", users: [String] = []) throws(PosixError) {
        try job.folder.prepare()
        for user in users { try finish(user, of: job) }
        try job.folder.seal(result(job.id, status: status))
    }

    static func finish(_ user: String, of job: SpooledJob, status: String = "done") throws(PosixError) {
        try job.folder.stage()
        try Files.writeAtomically(Array("report of \(user)".utf8), to: "\(job.folder.staging)/report.html")
        try job.folder.finish(target: user)
        try Files.writeAtomically(
            Array("{\"user\":\"\(user)\",\"status\":\"\(status)\"}".utf8), to: "\(job.folder.results)/\(user).json")
    }

    static func result(_ id: String, status: String) -> [UInt8] {
        Array("{\"schema\":1,\"id\":\"\(id)\",\"status\":\"\(status)\",\"targets\":[]}".utf8)
    }
}

final class Recorder: Sendable {
    private let events = Mutex<[Event]>([])
    func append(_ event: Event) { events.withLock { $0.append(event) } }
    var names: [String] { events.withLock { $0.map(\.kind.rawValue) } }
}

/// So many calls, and then no more.
final class Budget: Sendable {
    private let left: Atomic<Int>

    init(_ calls: Int) { left = Atomic(calls) }

    func take() -> Bool { left.wrappingSubtract(1, ordering: .relaxed).oldValue > 0 }

    var isExhausted: Bool { left.load(ordering: .relaxed) < 0 }
}
