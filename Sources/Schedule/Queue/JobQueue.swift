/// What runs next. A value without clock, disk or threads: times come from outside, in seconds of one clock, and the same
/// calls give the same answers.
///
/// Of the jobs that may run, those with the highest priority come first; a waiting job gains one step of priority per
/// `Policy.agingSeconds`, so none starves. Among equals it is the turn of the submitter who has the fewest jobs running,
/// then of the one whose turn is longest ago. Of one submitter's jobs new ones and retries alternate, each kind in the
/// order of arrival.
public struct JobQueue: Sendable, Equatable {
    public struct Job: Sendable, Equatable {
        public let id: String
        public let submitter: String
        public let priority: Int

        /// Priorities beyond ±1000 count as that.
        public init(id: String, submitter: String, priority: Int = 0) {
            self.id = id
            self.submitter = submitter
            self.priority = min(1000, max(-1000, priority))
        }
    }

    public enum State: Sendable, Equatable {
        case waiting
        /// Failed `failures` times and waits for `time`.
        case coolingOff(until: Double, failures: Int)
        case running(since: Double)
        case held(reason: String)
    }

    public struct Entry: Sendable, Equatable {
        public let job: Job
        public fileprivate(set) var state: State
        /// When it was added.
        public let arrival: Double
        public fileprivate(set) var failures = 0
        fileprivate let order: Int
    }

    public struct Policy: Sendable, Equatable {
        /// How many jobs the queue holds, in whatever state.
        public var capacity = 256
        /// Seconds before the first retry; each further one waits twice as long, at most `longestRetry`.
        public var firstRetry = 15.0
        public var longestRetry = 3600.0
        /// Seconds of waiting that weigh as much as one step of priority.
        public var agingSeconds = 900.0
        /// Of the stream that spreads the retries.
        public var seed: UInt64 = 0

        public init() {}
    }

    public enum Answer: Sendable, Equatable {
        case added, full, known
    }

    public var policy: Policy
    /// In the order of their arrival.
    public private(set) var entries: [Entry] = []
    private var turns: [String: Int] = [:]
    private var starts = 0
    private var arrivals = 0
    private var lastWasRetry = false
    private var random: UInt64

    public init(_ policy: Policy = Policy()) {
        self.policy = policy
        random = policy.seed
    }

    public subscript(id: String) -> Entry? { entries.first { $0.job.id == id } }

    /// How many more jobs fit in.
    public var room: Int { max(0, policy.capacity - entries.count) }

    public var runningCount: Int { entries.count { $0.isRunning } }

    /// The time at which the next cooling job may run again; nil if none cools off.
    public var nextRetry: Double? {
        entries.compactMap { if case .coolingOff(let time, _) = $0.state { time } else { nil } }.min()
    }

    // MARK: - Changes

    public mutating func add(_ job: Job, at time: Double) -> Answer {
        if self[job.id] != nil { return .known }
        if room == 0 { return .full }
        return insert(job, at: time)
    }

    /// Adds a job that was claimed before, so that it may not be turned away: capacity does not count.
    public mutating func restore(_ job: Job, at time: Double) -> Answer {
        self[job.id] == nil ? insert(job, at: time) : .known
    }

    private mutating func insert(_ job: Job, at time: Double) -> Answer {
        entries.append(Entry(job: job, state: .waiting, arrival: time, order: arrivals))
        arrivals += 1
        return .added
    }

    /// The job whose turn it is, from now on running; nil when none may run.
    public mutating func next(at time: Double) -> Job? {
        var running: [String: Int] = [:]
        for entry in entries where entry.isRunning { running[entry.job.submitter, default: 0] += 1 }
        let eligible = entries.indices.filter { entries[$0].mayRun(at: time) }
        let chosen = eligible.min { left, right in
            rank(entries[left], running: running, at: time) < rank(entries[right], running: running, at: time)
        }
        guard let chosen else { return nil }
        let job = entries[chosen].job
        lastWasRetry = entries[chosen].failures > 0
        entries[chosen].state = .running(since: time)
        starts += 1
        turns[job.submitter] = starts
        return job
    }

    /// The smaller, the sooner.
    private func rank(_ entry: Entry, running: [String: Int], at time: Double) -> Rank {
        let age = max(0, time - entry.arrival) / policy.agingSeconds
        return Rank(
            priority: -(entry.job.priority + Int(min(age, 1_000_000))), running: running[entry.job.submitter] ?? 0,
            turn: turns[entry.job.submitter] ?? 0, kind: (entry.failures > 0) == lastWasRetry ? 1 : 0,
            order: entry.order)
    }

    /// A job is done, however it ended.
    public mutating func finish(_ id: String) {
        guard let index = index(of: id) else { return }
        let submitter = entries.remove(at: index).job.submitter
        if !entries.contains(where: { $0.job.submitter == submitter }) { turns[submitter] = nil }
    }

    /// A job that ran goes back to where it was, without blame.
    public mutating func putBack(_ id: String) { set(id, .waiting) }

    /// A job that ran failed and shall run again.
    /// - Returns: the seconds it has to wait.
    public mutating func retry(_ id: String, at time: Double) -> Double {
        guard let index = index(of: id) else { return 0 }
        entries[index].failures += 1
        let failures = entries[index].failures
        var delay = policy.firstRetry
        for _ in 1..<failures where delay < policy.longestRetry { delay *= 2 }
        // From half to all of it, so that jobs that failed together do not come back together.
        delay = min(delay, policy.longestRetry) * (1 + nextUniform()) / 2
        entries[index].state = .coolingOff(until: time + delay, failures: failures)
        return delay
    }

    /// A job stays but does not run.
    public mutating func hold(_ id: String, reason: String) { set(id, .held(reason: reason)) }

    /// A held job may run again.
    public mutating func release(_ id: String) {
        if case .held? = self[id]?.state { set(id, .waiting) }
    }

    // MARK: - Inside

    private struct Rank: Comparable {
        let priority, running, turn, kind, order: Int

        static func < (left: Rank, right: Rank) -> Bool {
            (left.priority, left.running, left.turn, left.kind, left.order)
                < (right.priority, right.running, right.turn, right.kind, right.order)
        }
    }

    private func index(of id: String) -> Int? { entries.firstIndex { $0.job.id == id } }

    private mutating func set(_ id: String, _ state: State) {
        if let index = index(of: id) { entries[index].state = state }
    }

    /// In [0, 1), by SplitMix64.
    private mutating func nextUniform() -> Double {
        random &+= 0x9e37_79b9_7f4a_7c15
        var bits = random
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return Double((bits ^ (bits >> 31)) >> 11) / 9_007_199_254_740_992
    }
}

extension JobQueue.Entry {
    public var isRunning: Bool { if case .running = state { true } else { false } }

    func mayRun(at time: Double) -> Bool {
        switch state {
        case .waiting: true
        case .coolingOff(let until, _): until <= time
        case .running, .held: false
        }
    }
}
