import FoundationEssentials
import Glibc
import Manifest
import Posix
import Queue
import Spool
import Worker

/// The configuration in force and where it was found.
struct Site {
    static let option = Option(
        name: "config", value: "FILE",
        help: "the configuration (default: $PRIMED_CONFIG, etc/primed.json5, /etc/primed/primed.json5)")

    var configuration: Configuration
    /// nil where no file was found and every key has its default.
    let file: String?

    /// - Throws: `Failure` 78 for a configuration that cannot be used.
    init(_ arguments: Arguments) throws(Failure) {
        let environment = getenv("PRIMED_CONFIG").map { String(cString: $0) }
        let named = arguments.text("config") ?? environment
        let searched = ["etc/primed.json5", "/etc/primed/primed.json5"]
        guard let path = named ?? searched.first(where: { Files.exists($0) }) else {
            configuration = Configuration()
            file = nil
            return
        }
        let absolute = path.hasPrefix("/") ? path : "\(currentFolder())/\(path)"
        do {
            let bytes = try Files.read(absolute, limit: 1 << 20)
            configuration = try Configuration(bytes, file: path, folder: Files.parent(of: absolute))
        } catch {
            throw Failure(Exit.configuration, (error as? PosixError)?.description ?? "\(error)")
        }
        file = absolute
    }

    var folders: Spool.Folders {
        Spool.Folders(inbox: configuration.inbox, work: configuration.work, outbox: configuration.outbox)
    }

    var limits: Spool.Limits {
        var limits = Spool.Limits()
        limits.manifestSize = configuration.largestManifestMiB << 20
        limits.crashes = configuration.attempts
        limits.freeShare = configuration.minFreeDisk
        return limits
    }

    var serviceOptions: ServiceOptions {
        var options = ServiceOptions()
        options.slots = configuration.slots
        options.queue.capacity = configuration.queue
        options.rescanSeconds = configuration.rescanSeconds
        options.stallSeconds = configuration.stallSeconds
        return options
    }
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
