import Posix
import Queue
import Spool

/// What a daemon has counted since it began, for a scraper.
struct ServiceTally: Sendable, Equatable {
    /// Results by their status.
    var published: [JobStatus: Int] = [:]
    var failedAttempts = 0
    /// Attempts that ended with a result, and what they took.
    var finishedAttempts = 0
    var attemptSeconds = 0.0
    /// By the wall clock; 0 for never.
    var lastDone = 0.0

    /// Counts an attempt that took so many seconds.
    mutating func count(_ ending: Supervisor.Ending, seconds: Double) {
        switch ending {
        case .sealed:
            finishedAttempts += 1
            attemptSeconds += seconds
        case .failed(let failure) where failure.kind == .deviceNotReady: break
        case .failed, .crashed: failedAttempts += 1
        case .stopped: break
        }
    }
}

/// A daemon's numbers in Prometheus's text format, as node_exporter's textfile collector reads them: no job or user is a
/// label, times are seconds, and nothing has a timestamp.
struct ServiceMetrics {
    let status: ServiceStatus
    let tally: ServiceTally
    /// How long the oldest job that does not run has waited; nil where none waits.
    let oldestSeconds: Double?
    let version: String

    var text: String {
        var text = ""
        func family(_ name: String, _ type: String, _ help: String, _ samples: [(labels: String, value: Double)]) {
            text += "# HELP primed_\(name) \(help)\n# TYPE primed_\(name) \(type)\n"
            for (labels, value) in samples {
                let whole = value == value.rounded() && abs(value) < 1e15
                text += "primed_\(name)\(labels) \(whole ? "\(Int(value))" : "\(value)")\n"
            }
        }
        func only(_ value: Double) -> [(labels: String, value: Double)] { [("", value)] }
        func each(_ label: String, _ values: [String: Int]) -> [(labels: String, value: Double)] {
            values.sorted { $0.key < $1.key }.map { ("{\(label)=\"\($0.key)\"}", Double($0.value)) }
        }
        let results = Dictionary(
            uniqueKeysWithValues: JobStatus.allCases.map { ($0.rawValue, tally.published[$0] ?? 0) })
        var waiting = ["waiting": 0, "cooling-off": 0, "held": 0]
        for job in status.queue { waiting[job.state, default: 0] += 1 }
        waiting["running"] = status.running.count
        let busy = status.running.count
        family("up", "gauge", "Whether the daemon serves.", only(status.state == .stopped ? 0 : 1))
        family("build_info", "gauge", "The version.", [("{version=\"\(version)\"}", 1)])
        family(
            "slots", "gauge", "Slots by what they do.",
            each(
                "state",
                ["busy": busy, "lost": status.lost.count, "free": max(0, status.slots - busy - status.lost.count)]))
        family("queue_jobs", "gauge", "Claimed jobs by state.", each("state", waiting))
        family(
            "queue_oldest_seconds", "gauge", "The longest wait of a job that does not run.", only(oldestSeconds ?? 0))
        family("jobs_total", "counter", "Published results by status.", each("result", results))
        family(
            "attempts_failed_total", "counter", "Worker processes that ended without a result.",
            only(Double(tally.failedAttempts)))
        family(
            "attempt_duration_seconds", "summary", "What attempts with a result took.", [])
        text += "primed_attempt_duration_seconds_sum \(tally.attemptSeconds)\n"
        text += "primed_attempt_duration_seconds_count \(tally.finishedAttempts)\n"
        family(
            "last_success_timestamp_seconds", "gauge", "When the last result with status done was published.",
            only(tally.lastDone))
        return text
    }

    /// Whole or not at all, as the collector may read at any time, and whoever it runs as.
    func write(to path: String) throws(PosixError) {
        try Files.writeAtomically(Array(text.utf8), to: path, mode: 0o644, isShared: true, durable: false)
    }
}
