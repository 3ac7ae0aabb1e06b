import JSON

/// The site's words: where things are, how much may run, what may be released.
///
/// One commented JSON5 file; every key has a default, and a variable `PRIMED_KEY` of the environment goes before the
/// file. Relative paths are relative to the file's folder.
public struct Configuration: Equatable, Sendable {
    /// The folder that jobs are dropped into. It, `work` and `outbox` are on one file system and one mount, none in another.
    public var inbox = "/var/lib/primed/inbox"
    /// Where claimed jobs are, readable for the daemon alone.
    public var work = "/var/lib/primed/work"
    /// The folder of results.
    public var outbox = "/var/lib/primed/outbox"
    /// The root of bases: where a name that a manifest has for one is looked for, after the manifest's own folder.
    public var models = "/var/lib/primed/models"
    /// The root of pools and of sharers' adapters.
    public var pools = "/var/lib/primed/pools"
    /// The root of task definitions.
    public var tasks = "/var/lib/primed/tasks"
    /// The root of files of users, histories, queries, profiles and embeddings.
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
    /// Failures of a job, without getting on in between, after which it is given up.
    public var attempts = 3
    /// Seconds between looks at the inbox where nothing was announced.
    public var rescanSeconds = 60.0
    /// Seconds without a sign after which a worker is killed.
    public var stallSeconds = 600.0
    /// Seconds that jobs may take to come to a stop, once the daemon is asked to.
    public var stopSeconds = 240.0
    /// Seconds before a job that failed is tried again; twice as long each further time.
    public var retrySeconds = 15.0
    /// How long a job may run, all its tries together; 0 for as long as it takes.
    public var jobSeconds = 0.0
    /// MiB of the host's memory that a job may hold, where control groups can bound it; 0 for as much as there is.
    public var jobMemoryMiB = 0
    /// How long what was dropped is kept after its result was published, of jobs that failed, were rejected or cancelled.
    public var keepFailedDays = 7.0
    /// How long what was dropped is kept of all other jobs; 0 removes it at once.
    public var keepDoneDays = 0.0
    /// A file for a scraper's numbers; empty for none.
    public var metrics = ""
    /// The share of the disk that must be free before a job is claimed.
    public var minFreeDisk = 0.05
    /// Whether a crash may leave a core and a backtrace: they hold text of histories, prompts and predictions.
    public var crashDumps = false
    /// The daemon reads manifests whole, which takes some twenty times their size.
    public var largestManifestMiB = 32
    /// Results with more likeness to a sharer are held back; nil for no limit. In the task's summed metrics, so it has no
    /// scale that all tasks share.
    public var maxSimilarity: Double?
    /// Where the values come from that are not defaults, by key.
    private var origins: [String: String] = [:]

    /// The defaults, whatever files and the environment say.
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
            let fields = try Fields(
                bytes, file: file, json5: true, known: Key.all.map(\.name))
            try read(fields, origin: file, folder: folder)
        }
        let members = Key.all.compactMap { key in
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
        for key in Key.all where fields.object[key.name] != nil {
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

    /// A key with its meaning, its value and where that came from.
    public struct Setting: Equatable, Sendable {
        /// The name in the file, such as `keep_failed_days`.
        public let key: String
        /// What the manual says of it.
        public let meaning: String
        /// As the file would have it, without quotes; `none` or empty where it is unset.
        public let value: String
        /// `default`, the file's name, or the variable's.
        public let origin: String
    }

    /// Every key with what is in force, in the order in which the manual explains them.
    public var settings: [Setting] {
        Key.all.map {
            Setting(
                key: $0.name, meaning: $0.meaning, value: $0.show(self), origin: origins[$0.name] ?? "default")
        }
    }
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
