import Posix

extension EventKind {
    /// An event of this kind, with every field that it has.
    public var example: Event {
        switch self {
        case .serviceReady: .serviceReady(slots: 2, recovered: 1)
        case .serviceStopping: .serviceStopping(running: 1)
        case .serviceStopped: .serviceStopped
        case .serviceReloaded: .serviceReloaded
        case .reloadRefused: .reloadRefused
        case .restartNeeded: .restartNeeded(keys: ["inbox", "outbox"])
        case .trouble: .trouble(PosixError(call: "rename", path: "/var/lib/primed/work", errno: 28))
        case .memoryUnbounded:
            .memoryUnbounded(PosixError(call: "mkdir", path: "/sys/fs/cgroup/primed-probe", errno: 30))
        case .diskFull: .diskFull
        case .announcementsLost: .announcementsLost
        case .fileIgnored: .fileIgnored("notes.txt")
        case .fileUnclaimable: .fileUnclaimable("nightly", PosixError(call: "rename", path: "nightly", errno: 13))
        case .namesIgnored: .namesIgnored(1)
        case .jobClaimed: .jobClaimed("nightly-1", file: "nightly-1.json", submitter: "shop", owner: 1000)
        case .jobRepeated: .jobRepeated("nightly-1", file: "nightly-1.json")
        case .jobRejected:
            .jobRejected("nightly-1", code: "unknown-key", file: "nightly-1.json", result: "nightly-1")
        case .targetsPublished: .targetsPublished("nightly-1", count: 12)
        case .jobPublished: .jobPublished("nightly-1", status: "done")
        case .keptRemoved: .keptRemoved("nightly-1")
        case .requestAnswered: .requestAnswered("nightly-1", command: "cancel", answer: "done")
        case .attemptStarted: .attemptStarted("nightly-1", attempt: 1, process: 4242)
        case .attemptFailed: .attemptFailed("nightly-1", attempt: 1, code: "worker-signal-9", retryIn: 24.5)
        case .deviceLost: .deviceLost("cuda:0", job: "nightly-1")
        case .deviceNotReady: .deviceNotReady("cuda:0", job: "nightly-1", retryIn: 15)
        case .jobState: .jobState("nightly-1", state: "running", attempt: 1, finished: 12, targets: 40)
        case .jobRequeued: .jobRequeued("nightly-1")
        case .workerNoise: .workerNoise("nightly-1", lines: 3)
        case .jobStarted: .jobStarted("nightly-1", targets: 40, attempt: 1)
        case .jobFinished: .jobFinished("nightly-1", status: "done", seconds: 143.2)
        case .targetStarted: .targetStarted(user: "4711", history: 40, queries: 5)
        case .sharersSelected: .sharersSelected(user: "4711", sharers: ["207", "240"], similarities: [0.93, 0.91])
        case .runResumed: .runResumed(user: "4711", evaluations: 14)
        case .evaluated: .evaluated(user: "4711", evaluation: 3, of: 30, utility: 1.2, similarity: 0.8, fitness: 1.12)
        case .targetFinished:
            .targetFinished(user: "4711", status: "done", evaluations: 30, utility: 1.4, similarity: 0.78, seconds: 3.6)
        case .targetFailed: .targetFailed(user: "4711", code: "too-long")
        }
    }

    /// The names of its fields; the journal has them with PRIMED_ before, in capitals.
    public var fields: [String] { example.fields.map(\.key) }
}
