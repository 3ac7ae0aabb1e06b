import JSON

/// The site's words: where things are, how much may run, what may be released.
///
/// One commented JSON5 file; every key has a default, and a variable `PRIMED_KEY` of the environment goes before the
/// file. Relative paths are relative to the file's folder.
public struct Configuration: Equatable, Sendable {
    public var inbox = "/var/lib/primed/inbox"
    public var work = "/var/lib/primed/work"
    public var outbox = "/var/lib/primed/outbox"
    /// Folders that manifests may name things in, beside their own.
    public var models = "/var/lib/primed/models"
    public var pools = "/var/lib/primed/pools"
    public var tasks = "/var/lib/primed/tasks"
    public var histories = "/var/lib/primed/histories"
    /// Jobs that run at once on the CPU.
    public var slots = 1
    /// Where jobs compute: `cpu`, or GPUs as `cuda:0, cuda:1`, each a slot of its own.
    public var devices = ["cpu"]
    /// The folder that CUDA's libraries are looked for in first; empty for none.
    public var cudaLibraries = ""
    /// MiB of a GPU's memory that a job takes; 0 for nine tenths of the card.
    public var gpuMemoryMiB = 0
    /// Where the GPU's compiled kernels are kept.
    public var kernels = "/var/cache/primed"
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
    public var stallSeconds = 600.0
    /// Seconds before a job that failed is tried again; twice as long each further time.
    public var retrySeconds = 15.0
    /// How long a job may run, all its tries together; 0 for as long as it takes.
    public var jobSeconds = 0.0
    /// MiB of the host's memory that a job may hold, where control groups can bound it; 0 for as much as there is.
    public var jobMemoryMiB = 0
    /// How long what was dropped is kept after its result was published: of jobs that failed, were rejected or cancelled,
    /// and of all others.
    public var keepFailedDays = 7.0
    public var keepDoneDays = 0.0
    /// A file for a scraper's numbers; empty for none.
    public var metrics = ""
    /// The share of the disk that must be free before a job is claimed.
    public var minFreeDisk = 0.05
    /// Whether a crash may leave a core and a backtrace: they hold text of histories, prompts and predictions.
    public var crashDumps = false
    /// The daemon reads manifests whole, which takes some twenty times their size.
    public var largestManifestMiB = 32
    /// Results with more likeness to a sharer are held back; nil for no limit.
    public var maxSimilarity: Double?
    /// Where the values come from that are not defaults, by key.
    private var origins: [String: String] = [:]

    public init() {}

    /// - Parameters:
    ///   - bytes: the file's; nil where there is none.
    ///   - file: the file's path, for messages.
    ///   - folder: what relative paths are relative to.
    ///   - environment: may have `PRIMED_SLOTS` and the like.
    public init(
        _ bytes: [UInt8]?, file: String, folder: String, environment: [String: String] = [:]
    ) throws(ManifestError) {
        if let bytes {
            let fields = Fields(
                file: file, try readObject(bytes, file: file, json5: true), known: Self.keys.map(\.name))
            try read(fields, origin: file, folder: folder)
        }
        let members = Self.keys.compactMap { key in
            environment[key.variable].flatMap { $0.isEmpty ? nil : $0 }.map {
                (key: key.name, value: JSONValue(variable: $0))
            }
        }
        for member in members {
            let variable = "$PRIMED_\(member.key.uppercased())"
            let fields = Fields(file: variable, JSONObject(members: [member]), known: [member.key])
            try read(fields, origin: variable, folder: folder)
        }
    }

    private mutating func read(_ fields: Fields, origin: String, folder: String) throws(ManifestError) {
        for key in Self.keys where fields.object[key.name] != nil {
            key.read(fields, folder, &self)
            origins[key.name] = origin
        }
        try fields.mistakes.check()
    }

    /// The device of each slot: a GPU has one job at a time, the CPU as many as `slots` says.
    public var slotDevices: [String] {
        devices == ["cpu"] ? Array(repeating: "cpu", count: slots) : devices
    }

    // MARK: - What is in force

    /// A key with its value and where that came from.
    public struct Setting: Equatable, Sendable {
        public let key: String
        public let value: String
        /// `default`, the file's name, or the variable's.
        public let origin: String
    }

    /// Every key, in the order in which they are explained above.
    public var settings: [Setting] {
        Self.keys.map { Setting(key: $0.name, value: $0.show(self), origin: origins[$0.name] ?? "default") }
    }
}

// MARK: - Keys

extension Configuration {
    /// How a key is read and shown.
    private struct Key: Sendable {
        let name: String
        let read: @Sendable (Fields, _ folder: String, inout Configuration) -> Void
        let show: @Sendable (Configuration) -> String

        var variable: String { "PRIMED_\(name.uppercased())" }

        static func path(_ name: String, _ property: WritableKeyPath<Configuration, String> & Sendable) -> Key {
            Key(name: name) { fields, folder, configuration in
                guard let text = fields.text(name) else { return }
                guard !text.isEmpty, !text.utf8.contains(0) else {
                    fields.wrong(.outOfRange, name, found: "no path", remedy: "write a folder's path")
                    return
                }
                configuration[keyPath: property] = normalized(text.hasPrefix("/") ? text : "\(folder)/\(text)")
            } show: {
                $0[keyPath: property]
            }
        }

        static func integer(
            _ name: String, _ property: WritableKeyPath<Configuration, Int> & Sendable, _ range: ClosedRange<Int>
        ) -> Key {
            Key(name: name) { fields, _, configuration in
                if let value = fields.integer(name, in: range) { configuration[keyPath: property] = value }
            } show: {
                "\($0[keyPath: property])"
            }
        }

        static func number(
            _ name: String, _ property: WritableKeyPath<Configuration, Double> & Sendable, _ range: ClosedRange<Double>
        ) -> Key {
            Key(name: name) { fields, _, configuration in
                if let value = fields.number(name, in: range) { configuration[keyPath: property] = value }
            } show: {
                "\($0[keyPath: property])"
            }
        }
    }

    private static let devices = Key(name: "devices") { fields, _, configuration in
        guard let text = fields.text("devices") else { return }
        let names = text.split(separator: ",").map { $0.filter { $0 != " " } }.map { $0 == "cuda" ? "cuda:0" : $0 }
        let areGPUs = names.allSatisfy { name in
            name.hasPrefix("cuda:") && Int(name.dropFirst(5)).map { (0..<64).contains($0) } == true
        }
        guard names == ["cpu"] || areGPUs && !names.isEmpty && Set(names).count == names.count else {
            fields.wrong(
                .outOfRange, "devices", found: "\"\(printable(text))\"",
                remedy: "write cpu, or GPUs as cuda:0, cuda:1, each once")
            return
        }
        configuration.devices = names
    } show: {
        $0.devices.joined(separator: ", ")
    }

    private static let keys: [Key] = [
        .path("inbox", \.inbox), .path("work", \.work), .path("outbox", \.outbox), .path("models", \.models),
        .path("pools", \.pools), .path("tasks", \.tasks), .path("histories", \.histories),
        .integer("slots", \.slots, 1...64), devices, .path("cuda_libraries", \.cudaLibraries),
        .integer("gpu_memory_mib", \.gpuMemoryMiB, 0...(1 << 24)), .path("kernels", \.kernels),
        .integer("threads", \.threads, 0...1024),
        .integer("token_budget", \.tokenBudget, 32...65536), .integer("cache_mib", \.cacheMiB, 1...(1 << 20)),
        .integer("queue", \.queue, 1...100_000), .integer("attempts", \.attempts, 1...100),
        .number("rescan_seconds", \.rescanSeconds, 0.1...86400), .number("stall_seconds", \.stallSeconds, 1...1e6),
        .number("retry_seconds", \.retrySeconds, 0...3600), .number("job_seconds", \.jobSeconds, 0...1e9),
        .integer("job_memory_mib", \.jobMemoryMiB, 0...(1 << 24)),
        .number("keep_failed_days", \.keepFailedDays, 0...36500), .number("keep_done_days", \.keepDoneDays, 0...36500),
        .path("metrics", \.metrics),
        .number("min_free_disk", \.minFreeDisk, 0...0.9),
        .integer("largest_manifest_mib", \.largestManifestMiB, 1...4096),
        Key(name: "crash_dumps") { fields, _, configuration in
            if let flag = fields.flag("crash_dumps") { configuration.crashDumps = flag }
        } show: {
            "\($0.crashDumps)"
        },
        Key(name: "max_similarity") { fields, _, configuration in
            if let value = fields.number("max_similarity", in: -1000...1000) { configuration.maxSimilarity = value }
        } show: {
            $0.maxSimilarity.map { "\($0)" } ?? "none"
        },
    ]
}

extension JSONValue {
    /// A variable's text: a number, true or false where it reads as one.
    fileprivate init(variable text: String) {
        var reader = try? JSONReader(Array(text.utf8), file: "")
        switch try? reader?.document() {
        case .number(let number): self = .number(number)
        case .bool(let flag): self = .bool(flag)
        default: self = .string(text)
        }
    }
}

/// A path without `.` and `..`, as its words say.
private func normalized(_ path: String) -> String {
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
