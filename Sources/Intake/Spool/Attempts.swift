import Posix

/// The tries at a job, counted on disk so that they outlive daemon and machine.
///
/// Each line of the file is what happened and how far the job was, as the size of what it has journaled: `start 812`, and,
/// where somebody lived to see it, `crash 812` or `stop 812` with the seconds that the try took. Only the tries since the
/// job last got on are held against it, so a job that gets on is never given up.
public struct Attempts: Sendable, Equatable {
    /// All that were started.
    public internal(set) var started = 0
    /// Those since the last progress whose worker crashed, or failed in a way that may pass.
    public internal(set) var crashes = 0
    /// Those since the last progress that nobody saw the end of: the daemon died too.
    public internal(set) var unwitnessed = 0
    /// What the witnessed tries took together.
    public internal(set) var seconds = 0.0

    /// Whether to give the job up after `limit` crashes. A try without a witness is weaker evidence than a crash (somebody
    /// may have pulled the plug), so it takes more of them.
    public func areExhausted(limit: Int) -> Bool { crashes >= limit || crashes + unwitnessed >= 4 * limit }

    enum Happening: String {
        case start, crash, stop
    }

    /// Counts the lines of an attempts file for a job that has journaled `progress` bytes by now.
    static func counted(_ text: String, progress: Int) -> Attempts {
        var attempts = Attempts()
        var isOpen = false
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 2, let happening = Happening(rawValue: String(words[0])), let mark = Int(words[1])
            else {
                continue
            }
            if words.count > 2, let seconds = Double(words[2]), seconds.isFinite { attempts.seconds += max(0, seconds) }
            let isCurrent = mark == progress
            switch happening {
            case .start:
                attempts.started += 1
                if isOpen { attempts.unwitnessed += 1 }
                isOpen = isCurrent
            case .crash:
                if isCurrent { attempts.crashes += 1 }
                isOpen = false
            case .stop: isOpen = false
            }
        }
        if isOpen { attempts.unwitnessed += 1 }
        return attempts
    }
}

extension JobFolder {
    private var attemptsFile: String { "\(path)/attempts" }

    /// The tries so far; none where they cannot be read.
    public var attempts: Attempts {
        let text = (try? Files.read(attemptsFile, limit: 1 << 20)) ?? []
        return Attempts.counted(String(decoding: text, as: UTF8.self), progress: progress)
    }

    /// Call before a worker starts; the count is on disk when this returns.
    public func recordStart() throws(PosixError) { try record(.start) }

    /// Call when a worker ended without a result.
    public func recordCrash(seconds: Double) throws(PosixError) { try record(.crash, seconds) }

    /// Call when a worker stopped because it was asked to.
    public func recordStop(seconds: Double) throws(PosixError) { try record(.stop, seconds) }

    /// Forgets all tries, for a job that is begun again on purpose.
    func forgetAttempts() throws(PosixError) {
        if try Files.isPresent(attemptsFile) { try Files.remove(attemptsFile) }
    }

    private func record(_ happening: Attempts.Happening, _ seconds: Double? = nil) throws(PosixError) {
        let words = [happening.rawValue, "\(progress)"] + (seconds.map { ["\(($0 * 10).rounded() / 10)"] } ?? [])
        try Files.append(Array((words.joined(separator: " ") + "\n").utf8), to: attemptsFile)
    }

    /// The bytes of all that need not be done again.
    private var progress: Int {
        [rounds, results].reduce(0) { $0 + ((try? Files.survey($1, entries: .max).size) ?? 0) }
    }
}
