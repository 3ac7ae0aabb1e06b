import Posix

/// What an operator wants of a job: an empty file below `work/requests` whose name says all of it, `NONCE.COMMAND.ID`, so
/// that nothing has to be read and every request outlives a daemon that is not there yet.
public struct Request: Sendable, Equatable {
    /// What can be asked for; the raw value is the subcommand and stands in the file's name.
    public enum Command: String, Sendable, CaseIterable {
        /// The job ends, with what it has.
        case cancel
        /// The job stays but does not run.
        case hold
        /// It may run again.
        case release
        /// What waits for its next try runs at once; what failed and is kept runs again.
        case retry
    }

    public let command: Command
    /// The job's id; for `retry` of a kept job the name of its result.
    public let job: String
    let nonce: String

    /// What became of a request, as one word.
    public enum Answer: String, Sendable, CaseIterable {
        case done
        /// There is no such job that is claimed, or for `retry` that is kept.
        case unknown
        /// The job was taken up again and rejected once more; its result says why.
        case refused
        /// The job is in no state for it: it runs already, is not held, is done.
        case pointless
        /// The disk refused; the daemon's log says what.
        case failed
    }

    init?(fileName: String) {
        let words = fileName.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard words.count == 3, !words[0].isEmpty, let command = Command(rawValue: words[1]) else { return nil }
        guard JobID(words[2]) != nil else { return nil }
        (nonce, self.command, job) = (words[0], command, words[2])
    }

    fileprivate var fileName: String { "\(nonce).\(command.rawValue).\(job)" }

    // MARK: - The operator's side

    /// Asks the daemon of a spool, or the next one that serves it. `ENOENT` where none has served it yet, so that there are no
    /// jobs: the folder of requests is the daemon's to make, and would be root's if root asked first.
    public init(_ command: Command, _ job: JobID, of folders: Spool.Folders) throws(PosixError) {
        self.command = command
        self.job = job.description
        nonce = String(UInt64.random(in: .min ... .max), radix: 36)
        try Files.writeAtomically([], to: "\(folders.requests)/\(fileName)", mode: 0o600)
    }

    /// The daemon's answer, once: it is removed when it is read. nil while there is none.
    public func answer(in folders: Spool.Folders) -> Answer? {
        for answer in Answer.allCases {
            let file = "\(folders.requests)/\(nonce).\(answer.rawValue)"
            if (try? Files.remove(file)) != nil { return answer }
        }
        return nil
    }
}

extension Spool {
    /// What operators ask for. Answers that nobody came for are removed after an hour.
    public func requests() throws(PosixError) -> [Request] {
        var requests: [Request] = []
        for name in try Files.list(folders.requests) where !Self.isRemnant(name) {
            if let request = Request(fileName: name) {
                requests.append(request)
            } else if let status = try? Files.status("\(folders.requests)/\(name)"),
                WallClock.nanoseconds() - status.modified > 3_600_000_000_000
            {
                // What cannot be removed keeps no request from being heard.
                do throws(PosixError) { try Files.removeTree("\(folders.requests)/\(name)") } catch {
                    log(.trouble(error))
                }
            }
        }
        return requests
    }

    /// Answers a request; from then on it is none.
    public func answer(_ request: Request, _ answer: Request.Answer) throws(PosixError) {
        try Files.rename(
            "\(folders.requests)/\(request.fileName)", to: "\(folders.requests)/\(request.nonce).\(answer.rawValue)")
        try Files.sync(directory: folders.requests)
    }
}
