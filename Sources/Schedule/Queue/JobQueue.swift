import Digest

/// What runs next. A value without clock, disk or threads: times come from outside, in seconds of one clock, and the same
/// calls give the same answers.
///
/// Of the jobs that may run, those with the highest priority come first; a waiting job gains one step of priority per
/// `Policy.agingSeconds` until it is level with the highest, so none starves and none gets ahead by its age alone. Among
/// equals it is the turn of the owner who has the fewest jobs running, then of the one whose turn is longest ago, and among
/// the jobs of one owner, who may drop for many, of their submitters likewise. Of one submitter's jobs new ones and retries
/// alternate, each kind in the order of arrival.
public struct JobQueue: Sendable, Equatable {
    /// A job as the queue sees it.
    public struct Job: Sendable, Equatable {
        /// Each once in a queue.
        public let id: String
        /// The user id of whoever dropped it, which nobody can make up.
        public let owner: UInt32
        /// Whom it is for, as its owner says.
        public let submitter: String
        /// The larger, the sooner.
        public let priority: Int

        /// Priorities beyond ±1000 count as that.
        public init(id: String, owner: UInt32 = 0, submitter: String, priority: Int = 0) {
            self.id = id
            self.owner = owner
            self.submitter = submitter
            self.priority = min(1000, max(-1000, priority))
        }
    }

    /// What a job does in the queue. Times are in seconds of the caller's clock.
    public enum State: Sendable, Equatable {
        /// For its turn.
        case waiting
        /// Failed and waits until that time.
        case coolingOff(until: Double)
        case running
        /// Neither its turn nor time lets it run.
        case held(HoldReason)
    }

    /// Why a job is held; the raw value is for operators.
    public enum HoldReason: String, Sendable {
        case byOperator = "by an operator"
        /// What operators want of it could not be read.
        case wishUnread = "until the disk tells what an operator wants of it"
        /// Its result could not be written.
        case unpublished = "until the disk takes its result"
    }

    /// A job in the queue.
    public struct Entry: Sendable, Equatable {
        public let job: Job
        public fileprivate(set) var state: State
        /// When it was added.
        public let arrival: Double
        /// How often it failed since it last got on.
        public fileprivate(set) var failures = 0
        fileprivate let order: Int
    }

    /// How many jobs the queue holds, and how they wait.
    public struct Policy: Sendable, Equatable {
        /// How many jobs the queue holds, in whatever state.
        public var capacity = 256
        /// Seconds before the first retry; each further one waits twice as long, at most `longestRetry`.
        public var firstRetry = 15.0
        /// Seconds that a retry waits at most.
        public var longestRetry = 3600.0
        /// Seconds of waiting that weigh as much as one step of priority.
        public var agingSeconds = 900.0
        /// Of the stream that spreads the retries.
        public var seed: UInt64 = 0

        public init() {}
    }

    /// A change counts from the next call on, but for that of `seed`; jobs beyond a smaller capacity stay.
    public var policy: Policy
    private var places: [String: Entry] = [:]
    private var turns = Shares()
    private var starts = 0
    private var arrivals = 0
    /// Whose job that ran last was a retry.
    private var retried: Set<Submitter> = []
    private var random: SplitMix64

    public init(_ policy: Policy = Policy()) {
        self.policy = policy
        random = SplitMix64(seed: policy.seed)
    }

    /// In the order of their arrival.
    public var entries: [Entry] { places.values.sorted { $0.order < $1.order } }

    /// The entry of a job; nil for one that is not in the queue.
    public subscript(id: String) -> Entry? { places[id] }

    public var isEmpty: Bool { places.isEmpty }

    /// How many more jobs fit in.
    public var room: Int { max(0, policy.capacity - places.count) }

    /// The time at which the next cooling job may run again; nil if none cools off.
    public var nextRetry: Double? {
        places.values.compactMap { if case .coolingOff(let time) = $0.state { time } else { nil } }.min()
    }

    // MARK: - Changes

    /// Adds a job that waits for its turn. Whoever claims one looks at `room` before: here none is turned away.
    ///
    /// - Returns: false where the queue has one of that id.
    @discardableResult
    public mutating func add(_ job: Job, at time: Double) -> Bool {
        guard places[job.id] == nil else { return false }
        places[job.id] = Entry(job: job, state: .waiting, arrival: time, order: arrivals)
        arrivals += 1
        return true
    }

    /// The job whose turn it is, from now on running; nil when none may run.
    public mutating func next(at time: Double) -> Job? {
        var running = Shares()
        for entry in places.values where entry.isRunning { running.set(of: entry.job) { $0 + 1 } }
        let eligible = places.values.filter { $0.mayRun(at: time) }
        let highest = eligible.map(\.job.priority).max() ?? 0
        let ranks = eligible.map { (entry: $0, rank: rank($0, highest, running, at: time)) }
        guard let chosen = ranks.min(by: { $0.rank < $1.rank })?.entry else { return nil }
        let job = chosen.job
        if chosen.failures > 0 { retried.insert(Submitter(job)) } else { retried.remove(Submitter(job)) }
        set(job.id, .running)
        starts += 1
        turns.set(of: job) { _ in starts }
        return job
    }

    /// The smaller, the sooner.
    private func rank(_ entry: Entry, _ highest: Int, _ running: Shares, at time: Double) -> Rank {
        let age = max(0, time - entry.arrival) / policy.agingSeconds
        let (running, turns) = (running.of(entry.job), turns.of(entry.job))
        return Rank(
            keys: [
                -min(highest, entry.job.priority + Int(min(age, 1_000_000))), running.owner, turns.owner,
                running.submitter, turns.submitter, isOfLastKind(entry) ? 1 : 0, entry.order,
            ])
    }

    private func isOfLastKind(_ entry: Entry) -> Bool { (entry.failures > 0) == retried.contains(Submitter(entry.job)) }

    /// A job is done, however it ended.
    public mutating func finish(_ id: String) {
        guard places.removeValue(forKey: id) != nil else { return }
        // Now and then, since it looks at every job.
        guard turns.count > 2 * places.count + 16 else { return }
        let present = Set(places.values.map { Submitter($0.job) })
        turns.keep(present)
        retried.formIntersection(present)
    }

    /// A job that ran goes back to where it was, without blame.
    public mutating func putBack(_ id: String) { set(id, .waiting) }

    /// A job that ran failed and shall run again.
    ///
    /// - Parameters:
    ///   - failures: since it last got on; nil for one more than before.
    ///   - least: seconds that it waits whatever the policy says.
    /// - Returns: the seconds it has to wait.
    public mutating func retry(_ id: String, failures: Int? = nil, at time: Double, least: Double = 0) -> Double {
        guard let entry = places[id] else { return 0 }
        let failures = failures ?? entry.failures + 1
        var delay = policy.firstRetry
        for _ in 1..<max(1, failures) where delay < policy.longestRetry { delay *= 2 }
        // From half to all of it, so that jobs that failed together do not come back together.
        delay = max(least, min(delay, policy.longestRetry) * (1 + nextUniform()) / 2)
        places[id]?.failures = failures
        places[id]?.state = .coolingOff(until: time + delay)
        return delay
    }

    /// A job stays but does not run.
    public mutating func hold(_ id: String, _ reason: HoldReason) { set(id, .held(reason)) }

    /// A held job may run again.
    public mutating func release(_ id: String) {
        if case .held? = self[id]?.state { set(id, .waiting) }
    }

    // MARK: - Inside

    private struct Rank: Comparable {
        /// The first that differs decides.
        let keys: [Int]

        static func < (left: Rank, right: Rank) -> Bool { left.keys.lexicographicallyPrecedes(right.keys) }
    }

    private struct Submitter: Hashable {
        let owner: UInt32
        let name: String

        init(_ job: Job) { (owner, name) = (job.owner, job.submitter) }
    }

    /// A number of every owner, and of every submitter that an owner names.
    private struct Shares: Sendable, Equatable {
        private var owners: [UInt32: Int] = [:]
        private var submitters: [Submitter: Int] = [:]

        var count: Int { submitters.count }

        func of(_ job: Job) -> (owner: Int, submitter: Int) {
            (owners[job.owner] ?? 0, submitters[Submitter(job)] ?? 0)
        }

        mutating func set(of job: Job, _ change: (Int) -> Int) {
            let (owner, submitter) = of(job)
            owners[job.owner] = change(owner)
            submitters[Submitter(job)] = change(submitter)
        }

        /// Forgets all others.
        mutating func keep(_ present: Set<Submitter>) {
            submitters = submitters.filter { present.contains($0.key) }
            let names = Set(present.map(\.owner))
            owners = owners.filter { names.contains($0.key) }
        }
    }

    private mutating func set(_ id: String, _ state: State) { places[id]?.state = state }

    /// In [0, 1).
    private mutating func nextUniform() -> Double { Double(random.next() >> 11) * 0x1p-53 }
}

extension JobQueue.Entry {
    public var isRunning: Bool { if case .running = state { true } else { false } }

    func mayRun(at time: Double) -> Bool {
        switch state {
        case .waiting: true
        case .coolingOff(let until): until <= time
        case .running, .held: false
        }
    }
}
