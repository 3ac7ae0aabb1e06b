import JSON

extension Configuration {
    /// How a key is read and shown, and what it means to whoever writes the file.
    struct Key: Sendable {
        let name: String
        let meaning: String
        let read: @Sendable (Fields, _ folder: String, inout Configuration) -> Void
        let show: @Sendable (Configuration) -> String

        var variable: String { "PRIMED_\(name.uppercased())" }

        private static func path(
            _ name: String, _ property: WritableKeyPath<Configuration, String> & Sendable, _ meaning: String
        ) -> Key {
            Key(name: name, meaning: meaning) { fields, folder, configuration in
                guard let text = fields.text(name) else { return }
                guard !text.isEmpty, !text.utf8.contains(0) else {
                    fields.wrong(.outOfRange, name, found: "no path", remedy: "write a folder's path")
                    return
                }
                configuration[keyPath: property] = normalized(isAbsolute(text) ? text : "\(folder)/\(text)")
            } show: {
                $0[keyPath: property]
            }
        }

        private static func integer(
            _ name: String, _ property: WritableKeyPath<Configuration, Int> & Sendable, _ range: ClosedRange<Int>,
            _ meaning: String
        ) -> Key {
            Key(name: name, meaning: meaning) { fields, _, configuration in
                if let value = fields.integer(name, in: range) { configuration[keyPath: property] = value }
            } show: {
                "\($0[keyPath: property])"
            }
        }

        private static func number(
            _ name: String, _ property: WritableKeyPath<Configuration, Double> & Sendable,
            _ range: ClosedRange<Double>, _ meaning: String
        ) -> Key {
            Key(name: name, meaning: meaning) { fields, _, configuration in
                if let value = fields.number(name, in: range) { configuration[keyPath: property] = value }
            } show: {
                "\($0[keyPath: property])"
            }
        }

        private static let devices = Key(
            name: "devices",
            meaning:
                "Where jobs compute: cpu, or GPUs as \"cuda:0, cuda:1\", each a slot with one job at a time. Under systemd the "
                + "drop-in /usr/share/doc/primed/gpu.conf.example is needed, too."
        ) { fields, _, configuration in
            guard let text = fields.text("devices") else { return }
            let names = text.split(separator: ",").map { $0.filter { $0 != " " } }
            let gpus = names.compactMap(gpu)
            guard names == ["cpu"] || gpus.count == names.count && !gpus.isEmpty && Set(gpus).count == gpus.count else {
                fields.wrong(
                    .outOfRange, "devices", found: "\"\(printable(text))\"",
                    remedy: "write cpu, or GPUs as cuda:0, cuda:1, each once")
                return
            }
            configuration.devices = gpus.isEmpty ? names : gpus
        } show: {
            $0.devices.joined(separator: ", ")
        }

        private static let crashDumps = Key(
            name: "crash_dumps",
            meaning:
                "Whether a crash may leave a core and a backtrace. They hold text of histories, prompts and predictions. Under "
                + "systemd a drop-in with LimitCORE=infinity is needed, too."
        ) { fields, _, configuration in
            if let flag = fields.flag("crash_dumps") { configuration.crashDumps = flag }
        } show: {
            "\($0.crashDumps)"
        }

        private static let maxSimilarity = Key(
            name: "max_similarity",
            meaning:
                "Results that are more alike to a sharer than this are held back. A manifest may ask for less. Likeness is a sum "
                + "of the task's metrics: what a copy of a sharer would have stands in privacy.json as similarity_of_copy, often "
                + "far below 2 with accuracy and f1, and with MAE and RMSE likeness is at most 0."
        ) { fields, _, configuration in
            if let value = fields.number("max_similarity", in: -1000...1000) { configuration.maxSimilarity = value }
        } show: {
            $0.maxSimilarity.map { "\($0)" } ?? "none"
        }

        static let all: [Key] = [
            .path(
                "inbox", \.inbox,
                "The folder that jobs are dropped into. It, work and outbox are on one file system and one mount, none in "
                    + "another. Under systemd other places than below /var/lib/primed take a drop-in, see "
                    + "/usr/share/doc/primed/folders.conf.example."),
            .path("work", \.work, "Where claimed jobs are, readable for the daemon alone."),
            .path("outbox", \.outbox, "The folder of results."),
            .path("models", \.models, "Where manifests name bases, beside what comes with them."),
            .path("pools", \.pools, "Where manifests name pools and sharers' adapters."),
            .path("tasks", \.tasks, "Where manifests name task definitions."),
            .path("histories", \.histories, "Where manifests name files of users, histories and queries."),
            .integer("slots", \.slots, 1...64, "Jobs at once on the CPU."), devices,
            .path("cuda_libraries", \.cudaLibraries, "The folder that CUDA's libraries are looked for in first."),
            .integer(
                "gpu_memory_mib", \.gpuMemoryMiB, 0...(1 << 24),
                "MiB of a GPU's memory that a job takes; 0 takes nine tenths of the card."),
            .path("kernels", \.kernels, "Where a GPU's compiled kernels are kept."),
            .integer(
                "threads", \.threads, 0...1024,
                "Threads of a job on the CPU; 0 shares the machine's cores between the slots."),
            .integer(
                "token_budget", \.tokenBudget, 32...65536,
                "Tokens of a step of the engine: more take more memory and less time each. A change may change results by "
                    + "rounding."),
            .integer(
                "cache_mib", \.cacheMiB, 1...(1 << 20),
                "MiB of keys and values of a job on the CPU; a GPU's get all that is left."),
            .integer(
                "queue", \.queue, 1...100_000, "Jobs that are claimed at once; further files wait in the inbox."),
            .integer(
                "attempts", \.attempts, 1...100,
                "Failures of a job, without getting on in between, after which it is given up."),
            .number(
                "rescan_seconds", \.rescanSeconds, 0.1...86400,
                "How often the inbox is looked through although nothing was announced."),
            .number(
                "stall_seconds", \.stallSeconds, 1...1e6,
                "Seconds without a sign of life after which a job's worker is killed. Every step of a batch gives signs; loading "
                    + "a model gives none, so leave time for the largest."),
            .number(
                "stop_seconds", \.stopSeconds, 0...1e6,
                "Seconds that jobs may take to come to a point from which they can go on, once the daemon is asked to stop or "
                    + "their time is over; after that their workers are killed, and what they did since that point is lost."
            ),
            .number(
                "retry_seconds", \.retrySeconds, 0...3600,
                "Seconds before a job that failed is tried again; twice as long each further time, an hour at most."),
            .number(
                "job_seconds", \.jobSeconds, 0...1e9,
                "Seconds that a job may run, all its tries together; 0 is as long as it takes. A manifest may ask for less."
            ),
            .integer(
                "job_memory_mib", \.jobMemoryMiB, 0...(1 << 24),
                "MiB of the host's memory that a job may hold, where control groups can bound it; 0 is as much as there is. "
                    + "Under systemd the drop-in /usr/share/doc/primed/memory.conf.example makes them."),
            .number(
                "keep_failed_days", \.keepFailedDays, 0...36500,
                "Days that what was dropped is kept of a job that failed, was rejected or cancelled, readable for the daemon "
                    + "alone, so that primed retry can run it again."),
            .number(
                "keep_done_days", \.keepDoneDays, 0...36500, "Days that what was dropped is kept of every other job."),
            .path(
                "metrics", \.metrics,
                "A file of numbers for Prometheus's textfile collector, which reads *.prom. Under systemd its folder has to be named "
                    + "by ReadWritePaths= in a drop-in, see /usr/share/doc/primed/metrics.conf.example."),
            .number(
                "min_free_disk", \.minFreeDisk, 0...0.9,
                "No job is claimed while less than this share of the disk's inodes is free, or less than this share of its "
                    + "bytes and less than 4 GiB."),
            .integer(
                "largest_manifest_mib", \.largestManifestMiB, 1...4096,
                "MiB of a manifest at most. The daemon reads it whole, which takes some twenty times as much; histories can "
                    + "be files of their own."),
            crashDumps, maxSimilarity,
        ]
    }
}

/// The one name of a GPU, from `cuda` or `cuda:N`; nil for anything else.
private func gpu(_ name: String) -> String? {
    if name == "cuda" { return "cuda:0" }
    guard name.hasPrefix("cuda:"), let number = Int(name.dropFirst(5)), (0..<64).contains(number) else { return nil }
    return "cuda:\(number)"
}

/// A path without `.` and `..`, as its words say.
private func normalized(_ path: String) -> String {
    var parts: [String] = []
    for part in path.utf8.split(separator: UInt8(ascii: "/")).map({ String(Substring($0)) }) {
        switch part {
        case ".": continue
        case "..": _ = parts.popLast()
        default: parts.append(part)
        }
    }
    return (isAbsolute(path) ? "/" : "") + parts.joined(separator: "/")
}
