import JSON

/// The site's words: where things are, how much may run, what may be released.
///
/// One commented JSON5 file; every key has a default. Relative paths are relative to the file's folder.
public struct Configuration: Equatable, Sendable {
    public var inbox = "/var/lib/primed/inbox"
    public var work = "/var/lib/primed/work"
    public var outbox = "/var/lib/primed/outbox"
    /// Folders that manifests may name things in, beside their own.
    public var models = "/var/lib/primed/models"
    public var pools = "/var/lib/primed/pools"
    public var tasks = "/var/lib/primed/tasks"
    public var histories = "/var/lib/primed/histories"
    /// Jobs that run at once.
    public var slots = 1
    /// Threads a job; 0 for the machine's cores divided by the slots.
    public var threads = 0
    /// Rows of an engine step.
    public var tokenBudget = 2048
    /// MiB of keys and values a job.
    public var cacheMiB = 1024
    /// Jobs that are claimed at once; further files wait in the inbox.
    public var queue = 256
    /// Crashes of a job's worker after which it is given up.
    public var attempts = 3
    public var rescanSeconds = 60.0
    /// Seconds without a sign after which a worker is killed.
    public var stallSeconds = 3600.0
    /// The share of the disk that must be free before a job is claimed.
    public var minFreeDisk = 0.05
    public var largestManifestMiB = 256
    /// Results with more likeness to a sharer are held back; nil for no limit.
    public var maxSimilarity: Double?
    /// Where each value came from, by key: only what is not a default.
    public private(set) var origins: [String: String] = [:]

    public init() {}

    /// Keys in the order in which `doctor` shows them.
    public static let keys = [
        "inbox", "work", "outbox", "models", "pools", "tasks", "histories", "slots", "threads", "token_budget",
        "cache_mib", "queue", "attempts", "rescan_seconds", "stall_seconds", "min_free_disk", "largest_manifest_mib",
        "max_similarity",
    ]

    /// - Parameters:
    ///   - file: the file's path, for messages.
    ///   - folder: what relative paths are relative to.
    public init(_ bytes: [UInt8], file: String, folder: String) throws(ManifestError) {
        let mistakes = Mistakes()
        let root = try readObject(bytes, file: file, limit: 1 << 20, json5: true)
        let fields = Fields(root, place: "\(file):", mistakes: mistakes, known: Self.keys)
        func path(_ key: String, _ value: inout String) {
            guard let text = fields.text(key) else { return }
            guard !text.isEmpty, !text.utf8.contains(0) else {
                mistakes.add(
                    Mistake(.outOfRange, fields.path(key), found: "no path", remedy: "write a folder's path"))
                return
            }
            value = text.hasPrefix("/") ? text : normalized("\(folder)/\(text)")
        }
        path("inbox", &inbox)
        path("work", &work)
        path("outbox", &outbox)
        path("models", &models)
        path("pools", &pools)
        path("tasks", &tasks)
        path("histories", &histories)
        if let value = fields.integer("slots", in: 1...64) { slots = value }
        if let value = fields.integer("threads", in: 0...1024) { threads = value }
        if let value = fields.integer("token_budget", in: 32...65536) { tokenBudget = value }
        if let value = fields.integer("cache_mib", in: 1...(1 << 20)) { cacheMiB = value }
        if let value = fields.integer("queue", in: 1...100_000) { queue = value }
        if let value = fields.integer("attempts", in: 1...100) { attempts = value }
        if let value = fields.number("rescan_seconds", in: 0.1...86400) { rescanSeconds = value }
        if let value = fields.number("stall_seconds", in: 1...1e6) { stallSeconds = value }
        if let value = fields.number("min_free_disk", in: 0...0.9) { minFreeDisk = value }
        if let value = fields.integer("largest_manifest_mib", in: 1...4096) { largestManifestMiB = value }
        maxSimilarity = fields.number("max_similarity", in: -1000...1000)
        for key in Self.keys where root[key] != nil { origins[key] = file }
        guard mistakes.found.isEmpty else { throw ManifestError(mistakes.found) }
    }

    /// Notes that a flag or a variable overrides a key.
    public mutating func override(_ key: String, by origin: String) { origins[key] = origin }

    /// Key, value in force, and where it came from.
    public var description: [(key: String, value: String, origin: String)] {
        let values = [
            inbox, work, outbox, models, pools, tasks, histories, "\(slots)", "\(threads)", "\(tokenBudget)",
            "\(cacheMiB)", "\(queue)", "\(attempts)", "\(rescanSeconds)", "\(stallSeconds)", "\(minFreeDisk)",
            "\(largestManifestMiB)", maxSimilarity.map { "\($0)" } ?? "none",
        ]
        return zip(Self.keys, values).map { ($0, $1, origins[$0] ?? "default") }
    }
}

/// A path without `.` and `..`, as its words say.
func normalized(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") {
        switch part {
        case ".": continue
        case "..": _ = parts.popLast()
        default: parts.append(part)
        }
    }
    return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
}
