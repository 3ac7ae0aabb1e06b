import Compute
import FoundationEssentials
import Glibc
import JSON
import Manifest
import Posix
import Queue
import Spool
import Worker

/// The configuration in force and where it was found.
struct Site {
    static let option = Option(
        name: "config", value: "FILE",
        help: "the configuration (default: $PRIMED_CONFIG, else etc/primed.json5, else /etc/primed/primed.json5, else "
            + "built-in values)")

    static let deviceOption = Option(
        name: "device", value: "DEVICE", help: "cpu, or a GPU as cuda:0 (default: the configuration's first)")

    /// Bytes of a configuration at most.
    static let largestFile = 1 << 20

    var configuration: Configuration
    /// The file's text; an empty object where there is none.
    let text: [UInt8]
    /// nil where no file was found and every key has its default.
    let file: String?

    /// - Parameter text: what the file held when it was accepted; nil reads it.
    /// - Throws: `Failure` 78 for a configuration that cannot be used.
    init(_ arguments: Arguments, text accepted: [UInt8]? = nil) throws(Failure) {
        let environment = try environment()
        let named = arguments.text("config") ?? environment["PRIMED_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        let searched = ["etc/primed.json5", "/etc/primed/primed.json5"]
        let path = named ?? (accepted == nil ? searched.first { Files.exists($0) } : nil)
        file = path.map { Files.isAbsolute($0) ? $0 : "\(currentFolder())/\($0)" }
        do {
            text = try accepted ?? file.map { try Files.read($0, limit: Self.largestFile) } ?? Array("{}".utf8)
            configuration = try Configuration(
                text, file: path ?? "",
                folder: file.map { Files.parent(of: $0) } ?? currentFolder(), environment: environment)
        } catch let error as PosixError {
            throw Failure(Exit.configuration, "\(path ?? ""): \(Self.words(of: error))")
        } catch {
            throw Failure(Exit.configuration, "\(error)")
        }
        // Whatever a command reads of users, it reads after this.
        if !configuration.crashDumps { CrashDumps.forbid() }
    }

    /// Why a configuration cannot be read, and what to do.
    private static func words(of error: PosixError) -> String {
        switch error.errno {
        case ENOENT, ENOTDIR: "there is no such configuration; name another by --config or $PRIMED_CONFIG, or none"
        case ELOOP: "is a symbolic link; name the file itself"
        case EINVAL: "is no regular file; a configuration is one"
        case EFBIG: "has more than \(largestFile) bytes; a configuration has fewer"
        default: "\(error.reason); give this user the right to read it"
        }
    }

    /// What `body` does with the daemon's own files; where a right is missing, the message says who has it.
    static func asDaemon<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let error as PosixError where [EACCES, EPERM].contains(error.errno) {
            throw Failure(Exit.noPermission, "\(error); run it as root, or as the user whom the daemon runs as")
        }
    }

    /// The device that the command line names, else the configuration's first.
    func device(_ arguments: Arguments) throws(Failure) -> Device {
        guard let text = arguments.text("device") else { return Device(configuration.devices[0]) ?? .cpu }
        guard let device = Device(text) else {
            throw Failure(Exit.usage, "--device is \"\(printable(text))\"; write cpu, or a GPU as cuda:0")
        }
        return device
    }

    var folders: Spool.Folders {
        Spool.Folders(inbox: configuration.inbox, work: configuration.work, outbox: configuration.outbox)
    }

    /// The keys that have another value in `next`, of which a daemon keeps this one's until it starts again.
    func keysKept(from next: Site) -> [String] {
        let paths: [(key: String, path: KeyPath<Configuration, String>)] = [
            ("inbox", \.inbox), ("work", \.work), ("outbox", \.outbox),
        ]
        let kept = paths.filter { configuration[keyPath: $0.path] != next.configuration[keyPath: $0.path] }.map(\.key)
        // What was forbidden is not allowed again.
        return kept + (next.configuration.crashDumps && !configuration.crashDumps ? ["crash_dumps"] : [])
    }

    var limits: Spool.Limits {
        var limits = Spool.Limits()
        limits.manifestSize = configuration.largestManifestMiB << 20
        limits.crashes = configuration.attempts
        limits.freeShare = configuration.minFreeDisk
        limits.keepsFailedSeconds = configuration.keepFailedDays * 86400
        limits.keepsDoneSeconds = configuration.keepDoneDays * 86400
        return limits
    }

    var serviceOptions: ServiceOptions {
        var options = ServiceOptions()
        options.configuration = text
        options.devices = configuration.slotDevices
        options.queue.capacity = configuration.queue
        options.metricsFile = configuration.metrics.isEmpty ? nil : configuration.metrics
        options.queue.firstRetry = configuration.retrySeconds
        options.rescanSeconds = configuration.rescanSeconds
        options.stallSeconds = configuration.stallSeconds
        options.stopSeconds = configuration.stopSeconds
        options.jobBytes = configuration.jobMemoryMiB > 0 ? configuration.jobMemoryMiB << 20 : nil
        options.jobSeconds = configuration.jobSeconds > 0 ? configuration.jobSeconds : nil
        return options
    }
}

/// The variables of the environment that are UTF-8, as primed's own have to be.
private func environment() throws(Failure) -> [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let word = next.pointee {
        if let text = String(validatingCString: word) {
            if let sign = text.firstIndex(of: "=") {
                variables[String(text[..<sign])] = String(text[text.index(after: sign)...])
            }
        } else if strncmp(word, "PRIMED_", 7) == 0 {
            let name = String(decoding: UnsafeRawBufferPointer(start: word, count: strcspn(word, "=")), as: UTF8.self)
            throw Failure(Exit.configuration, "the variable \(printable(name)) is not UTF-8")
        }
        next += 1
    }
    return variables
}

/// The working folder's path.
func currentFolder() -> String {
    guard let path = getcwd(nil, 0) else { return "." }
    defer { free(path) }
    return String(cString: path)
}

/// The path of this program.
func ownPath() -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : CommandLine.arguments[0]
}
