import Glibc
import Posix
import Spool
import Synchronization
import Telemetry
import Testing

@testable import Worker

/// A daemon over a spool in a folder of the test's own, with a shell script for a worker.
final class ServiceBench {
    let path: String
    let folders: Spool.Folders
    let signals: Signals
    var options = ServiceOptions()
    var limits = Spool.Limits()
    private let record = Record()

    /// What happened, and what a test does when it happens.
    private final class Record: Sendable {
        let events = Mutex<[Event]>([])
        let reactions = Mutex<[String: @Sendable () -> Void]>([:])

        func append(_ event: Event) {
            events.withLock { $0.append(event) }
            reactions.withLock { $0[event.kind.rawValue] }?()
        }
    }

    /// - Parameter path: of a bench that was there before.
    init(path: String? = nil) throws {
        let base = Files.isDirectory("/dev/shm") ? "/dev/shm" : "/tmp"
        self.path = path ?? "\(base)/primed-service-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        folders = Spool.Folders(inbox: "\(self.path)/inbox", work: "\(self.path)/work", outbox: "\(self.path)/outbox")
        signals = try Signals(catching: [])
        try Files.makeDirectories(folders.inbox)
        options.queue.firstRetry = 0.01
        limits.settlingSeconds = 0
    }

    func remove() { try? Files.removeTree(path) }

    func drop(_ id: String) throws {
        try Files.append(Array("id \(id)".utf8), to: "\(folders.inbox)/.\(id).tmp", durable: false)
        try Files.rename("\(folders.inbox)/.\(id).tmp", to: "\(folders.inbox)/\(id).json")
    }

    func when(_ event: String, _ reaction: @escaping @Sendable () -> Void) {
        record.reactions.withLock { $0[event] = reaction }
    }

    /// Serves with the shell script `worker`, in which `$folder`, `$id`, `seal` and `say` are defined.
    @discardableResult
    func serve(_ worker: String = "seal", once: Bool = true, reload: @escaping Service.Reload = { nil }) throws
        -> Service
    {
        let log = Log.recording { [record] in record.append($0) }
        let spool = try Spool(folders, limits: limits, log: log) { folder, _ in
            let text = String(decoding: (try? Files.read(folder.manifest, limit: 99)) ?? [], as: UTF8.self)
            guard text.hasPrefix("id ") else {
                return .mistaken(id: nil, Problem(code: "bad", message: "no job", place: "here"))
            }
            return .job(id: JobID(String(text.dropFirst(3))), submitter: nil, priority: 0, seconds: nil)
        }
        let service = Service(
            spool: spool, worker: WorkerProgram(path: "/bin/sh", arguments: ["-c", Self.prelude + worker, "worker"]),
            options: options, signals: signals, systemd: NotifySocket(), log: log, reload: reload)
        try service.run(once: once)
        return service
    }

    private static let prelude = """
        folder=$1; read -r word id < "$folder/job/manifest.json"
        finish() {
            mkdir -p "$folder/targets/$1" "$folder/results"
            printf '{"user":"%s","status":"done"}' "$1" > "$folder/results/$1.json"
        }
        seal() {
            rm -rf "$folder/staging"; mkdir "$folder/staging"
            printf '{"schema":1,"id":"%s","status":"done","targets":[]}' "$id" > "$folder/staging/result.json"
            mv "$folder/staging" "$folder/result"
        }
        say() { printf '%s\\n' "$1" >&3; }

        """

    var events: [Event] { record.events.withLock { $0 } }
    var names: [String] { events.map(\.kind.rawValue) }
    var results: [String] { (try? Files.list(folders.outbox)) ?? [] }
    var entries: [String] {
        ((try? Files.list(folders.work)) ?? []).filter {
            !["daemon.lock", "status.json", "kept", "requests"].contains($0)
        }
    }

    func result(_ id: String) -> String {
        let bytes = (try? Files.read("\(folders.outbox)/\(id)/result.json", limit: 1 << 16)) ?? []
        return String(decoding: bytes, as: UTF8.self)
    }
}
