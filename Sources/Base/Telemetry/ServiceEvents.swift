import Posix

// MARK: - What the daemon tells

extension Event {
    /// The daemon takes jobs.
    public static func serviceReady(slots: Int, recovered: Int) -> Event {
        Event(.serviceReady, ["slots": .count(slots), "recovered": .count(recovered)])
    }

    /// The daemon takes no more jobs and waits for `running` ones to come to a point where they can go on later.
    public static func serviceStopping(running: Int) -> Event {
        Event(.serviceStopping, ["running": .count(running)])
    }

    /// No worker runs any more; unfinished jobs go on at the next start.
    public static let serviceStopped = Event(.serviceStopped)
    /// The configuration was read again and is in force.
    public static let serviceReloaded = Event(.serviceReloaded)
    /// The configuration cannot be used; what was in force stays so.
    public static let reloadRefused = Event(.reloadRefused)

    /// What was read again has other values for keys of which the daemon keeps what it began with.
    public static func restartNeeded(keys: [String]) -> Event {
        Event(.restartNeeded, ["keys": .identifiers(keys.map { Identifier($0) })])
    }

    /// A system call failed on a file of the daemon's own; it tries again later.
    public static func trouble(_ error: PosixError) -> Event {
        Event(
            .trouble,
            ["call": .id(error.call), "errno": .count(Int(error.errno)), "path": .path(error.path)])
    }

    /// Memory is to be bounded, and cannot be.
    public static func memoryUnbounded(_ error: PosixError) -> Event {
        Event(
            .memoryUnbounded,
            ["call": .id(error.call), "errno": .count(Int(error.errno)), "path": .path(error.path)])
    }

    /// Too little room on the disk to take jobs.
    public static let diskFull = Event(.diskFull)

    /// The kernel dropped announcements of new files; the inbox is scanned.
    public static let announcementsLost = Event(.announcementsLost)

    /// A file in the inbox that is no job.
    public static func fileIgnored(_ name: String) -> Event { Event(.fileIgnored, ["file": .path(name)]) }

    /// A job that may not be taken out of the inbox: most often a folder that the daemon's user may not write.
    public static func fileUnclaimable(_ name: String, _ error: PosixError) -> Event {
        Event(
            .fileUnclaimable,
            ["file": .path(name), "call": .id(error.call), "errno": .count(Int(error.errno))])
    }

    /// Files whose names are no UTF-8 stay where they are.
    public static func namesIgnored(_ count: Int) -> Event {
        Event(.namesIgnored, ["count": .count(count)])
    }
}

// MARK: - What becomes of a job on the spool

extension Event {
    /// A job was taken out of the inbox: `submitter` is whose turn it takes, `owner` the user id that has the file.
    public static func jobClaimed(_ job: String, file: String, submitter: String, owner: Int) -> Event {
        Event(
            .jobClaimed,
            ["job": .id(job), "file": .path(file), "submitter": .id(submitter), "owner": .count(owner)])
    }

    /// The same manifest came again: its result exists or is being made.
    public static func jobRepeated(_ job: String, file: String) -> Event {
        Event(.jobRepeated, ["job": .id(job), "file": .path(file)])
    }

    /// A job is refused: `code` is result.json's, `file` the name it had in the inbox, `result` the one it has in the outbox.
    public static func jobRejected(_ job: String, code: String, file: String, result: String) -> Event {
        Event(.jobRejected, ["job": .id(job), "code": .id(code), "file": .path(file), "result": .path(result)])
    }

    /// A result is in the outbox; `status` is result.json's.
    public static func jobPublished(_ job: String, status: String) -> Event {
        Event(.jobPublished, ["job": .id(job), "status": .id(status)])
    }

    /// Targets of a job that goes on are in the outbox.
    public static func targetsPublished(_ job: String, count: Int) -> Event {
        Event(.targetsPublished, ["job": .id(job), "count": .count(count)])
    }

    /// The files of a published job were kept long enough.
    public static func keptRemoved(_ job: String) -> Event { Event(.keptRemoved, ["job": .id(job)]) }

    /// An operator asked for something, and this came of it.
    public static func requestAnswered(_ job: String, command: String, answer: String) -> Event {
        Event(.requestAnswered, ["job": .id(job), "command": .id(command), "answer": .id(answer)])
    }

    /// A worker began with a job: `attempt` counts from 1, `process` is the worker's id.
    public static func attemptStarted(_ job: String, attempt: Int, process: Int) -> Event {
        Event(.attemptStarted, ["job": .id(job), "attempt": .count(attempt), "process": .count(process)])
    }

    /// The worker process of a job ended without a result.
    public static func attemptFailed(_ job: String, attempt: Int, code: String, retryIn seconds: Double?) -> Event {
        Event(
            .attemptFailed,
            [
                "job": .id(job), "attempt": .count(attempt), "code": .id(code),
                "retry_in": seconds.map { .duration($0) } ?? .id("never"),
            ])
    }

    /// A device is gone; its slot stays empty, and the job waits for another.
    public static func deviceLost(_ device: String, job: String) -> Event {
        Event(.deviceLost, ["device": .id(device), "job": .id(job)])
    }

    /// A device cannot be used now; its slot is left alone for a while, and the job waits.
    public static func deviceNotReady(_ device: String, job: String, retryIn seconds: Double) -> Event {
        Event(.deviceNotReady, ["device": .id(device), "job": .id(job), "retry_in": .duration(seconds)])
    }

    /// What a claimed job is doing, as somebody asked.
    public static func jobState(
        _ job: String, state: String, attempt: Int, finished: Int, targets: Int
    ) -> Event {
        Event(
            .jobState,
            [
                "job": .id(job), "state": .id(state), "attempt": .count(attempt), "finished": .count(finished),
                "targets": .count(targets),
            ])
    }

    /// A job was stopped on request and goes on from its journal later.
    public static func jobRequeued(_ job: String) -> Event {
        Event(.jobRequeued, ["job": .id(job)])
    }

    /// A worker wrote lines that are no messages.
    public static func workerNoise(_ job: String, lines: Int) -> Event {
        Event(.workerNoise, ["job": .id(job), "lines": .count(lines)])
    }
}
