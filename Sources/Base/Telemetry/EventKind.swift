import Digest

/// What can happen: each kind of event once, for logs and for the operators' table of them.
public enum EventKind: String, CaseIterable, Sendable {
    // What the daemon tells.
    case serviceReady = "service-ready"
    case serviceStopping = "service-stopping"
    case serviceStopped = "service-stopped"
    case serviceReloaded = "service-reloaded"
    case reloadRefused = "reload-refused"
    case restartNeeded = "restart-needed"
    case trouble
    case memoryUnbounded = "memory-unbounded"
    case diskFull = "disk-full"
    case announcementsLost = "announcements-lost"
    case fileIgnored = "file-ignored"
    case fileUnclaimable = "file-unclaimable"
    case namesIgnored = "names-ignored"
    // What becomes of a job on the spool.
    case jobClaimed = "job-claimed"
    case jobRepeated = "job-repeated"
    case jobRejected = "job-rejected"
    case targetsPublished = "targets-published"
    case jobPublished = "job-published"
    case keptRemoved = "kept-removed"
    case requestAnswered = "request-answered"
    case attemptStarted = "attempt-started"
    case attemptFailed = "attempt-failed"
    case deviceLost = "device-lost"
    case deviceNotReady = "device-not-ready"
    case jobState = "job-state"
    case jobRequeued = "job-requeued"
    case workerNoise = "worker-noise"
    // What happens inside a job: the lines of its log.jsonl.
    case jobStarted = "job-started"
    case jobFinished = "job-finished"
    case targetStarted = "target-started"
    case sharersSelected = "sharers-selected"
    case runResumed = "run-resumed"
    case evaluated
    case targetFinished = "target-finished"
    case targetFailed = "target-failed"

    public var level: Level {
        switch self {
        case .trouble, .fileUnclaimable, .deviceLost, .reloadRefused: .error
        case .restartNeeded, .memoryUnbounded, .diskFull, .announcementsLost, .namesIgnored, .jobRejected,
            .attemptFailed,
            .workerNoise, .targetFailed, .deviceNotReady:
            .warning
        case .serviceReady, .serviceStopping, .serviceStopped, .serviceReloaded, .fileIgnored, .jobPublished,
            .requestAnswered:
            .notice
        case .evaluated: .debug
        default: .info
        }
    }

    /// For people: what it means, and what to do where there is something to do.
    public var meaning: String {
        switch self {
        case .serviceReady:
            "The daemon has taken up what an earlier one left and takes jobs."
        case .serviceStopping:
            "The daemon takes no more jobs and waits for `running` ones to come to a point from which they can go on."
        case .serviceStopped:
            "The daemon has stopped; unfinished jobs go on when it starts again."
        case .serviceReloaded:
            "The configuration was read again."
        case .reloadRefused:
            "The configuration cannot be used; standard error says why. What was in force stays so, for workers too."
        case .restartNeeded:
            "The configuration that was read again has other values for `keys`, which a daemon takes only when it starts."
        case .trouble:
            "A system call failed on a file of the daemon's own. It tries again later; look at the disk and at rights."
        case .memoryUnbounded:
            "job_memory_mib is set, and no control group can be made to enforce it. Under systemd see the drop-in memory.conf.example."
        case .diskFull:
            "Too little room on the disk to take jobs. They wait in the inbox until there is."
        case .announcementsLost:
            "The kernel dropped announcements of new files. The inbox is scanned; nothing is lost."
        case .fileIgnored:
            "A file in the inbox that is no job: no folder and no name that ends in .json, or a file that stayed empty. It stays."
        case .fileUnclaimable:
            "A job that may not be taken out of the inbox; most often a folder that the daemon's user may not write."
        case .namesIgnored:
            "Names in the inbox that are not UTF-8. They stay."
        case .jobClaimed:
            "A job was taken out of the inbox. `submitter` is whose turn it takes, `owner` the user id of the file's owner."
        case .jobRepeated:
            "The same manifest came again. Its result exists or is being made, so this one is dropped."
        case .jobRejected:
            "A manifest is mistaken. `result` in the outbox says where, under another name where the id is taken; what was dropped is kept for a while (`primed kept`)."
        case .targetsPublished:
            "`count` finished targets of a job that is still running are in the outbox."
        case .jobPublished:
            "A result is in the outbox."
        case .keptRemoved:
            "A job's files were kept long enough and are gone."
        case .requestAnswered:
            "An operator asked for something: to cancel, hold, release or retry a job."
        case .attemptStarted:
            "A worker process began with a job."
        case .attemptFailed:
            "A worker ended without a result. The job runs again in `retry_in` seconds, or is given up."
        case .deviceLost:
            "A GPU is gone: its slot stays empty until the daemon starts again, and the job waits for another."
        case .deviceNotReady:
            "A GPU cannot be used now: others hold it or its memory, or its driver is not up. The job waits, at no cost, and the GPU is tried again in `retry_in` seconds."
        case .jobState:
            "SIGUSR1 asks for it: a claimed job. Of one that runs, its attempt and how many of its targets are done; of one that waits, as `attempt`, how often it failed since it last got on."
        case .jobRequeued:
            "A job was stopped on request and goes on from its journal later."
        case .workerNoise:
            "A worker wrote lines that are no messages."
        case .jobStarted:
            "A worker read the manifest and opens the model."
        case .jobFinished:
            "All targets of a job are done, and its result is sealed."
        case .targetStarted:
            "A target's history is read and its sharers are chosen."
        case .sharersSelected:
            "The sharers whose adapters are merged for a target, most alike first."
        case .runResumed:
            "The journal of an interrupted run was found: so many evaluations need not be made again."
        case .evaluated:
            "A candidate's scores on the history. In log.jsonl alone, when its target is done."
        case .targetFinished:
            "A target has its result."
        case .targetFailed:
            "A target failed; result.json says why."
        }
    }

    /// 128 bits for the journal's catalogue and filters: half of the hash of the name.
    public var messageID: String { String(SHA256.hexadecimal(Array("primed event \(rawValue)".utf8)).prefix(32)) }
}
