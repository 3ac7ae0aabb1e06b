import FoundationEssentials
import Manifest
import Methods
import Posix
import Spool
import Tasks

/// How far a job is: the targets that have their result, on disk and in memory, and when the others will.
struct JobCourse {
    private let folder: JobFolder
    private let users: [String]
    private var finished: [String: TargetResult] = [:]
    /// Predictions that each target takes, by user.
    private var work: [String: TargetWork] = [:]
    var estimate = Estimate(total: 0, start: 0)

    /// Takes up what earlier attempts finished.
    init(_ folder: JobFolder, _ targets: [JobInputs.Target], _ manifest: JobManifest) throws(PosixError) {
        self.folder = folder
        users = targets.map(\.user)
        for user in users { finished[user] = try TargetResult(of: user, in: folder) }
        for target in targets {
            if case .success(let (user, _)) = target.input { work[target.user] = TargetWork(user, manifest) }
        }
    }

    mutating func begin(_ inputs: JobInputs, _ cohorts: Cohorts, at time: Double) {
        // A cohort is gone through whole or not at all.
        let open = cohorts.members.filter { $0.contains { isOpen(inputs.targets[$0]) } }.joined()
        let total = open.reduce(0) { $0 + (work[inputs.targets[$1].user]?.total ?? 0) }
        estimate = Estimate(total: total, start: time)
    }

    func isOpen(_ user: String) -> Bool { finished[user] == nil }
    func isOpen(_ target: JobInputs.Target) -> Bool { isOpen(target.user) }

    /// In the manifest's order.
    var results: [TargetResult] { users.compactMap { finished[$0] } }

    /// Writes down what became of a target, after its files.
    mutating func finish(_ result: TargetResult) throws {
        if result.status == .failed { try folder.discard(target: result.user) }
        try Files.writeAtomically(
            try encoded(result, pretty: false), to: folder.resultFile(of: result.user), mode: 0o600)
        finished[result.user] = result
    }

    func progress(at time: Double) -> JobProgress {
        var progress = JobProgress(targets: users.count, finished: finished.count, stage: "select")
        progress.remaining = estimate.remaining(at: time)
        return progress
    }

    /// What is told while targets are gone through together.
    func signs(of targets: [JobInputs.Target]) -> Signs {
        var progress = progress(at: MonotonicClock.seconds())
        progress.user = targets.count == 1 ? targets[0].user : nil
        progress.together = targets.count == 1 ? nil : targets.count
        return Signs(progress: progress, work: targets.compactMap { work[$0.user] }, estimate: estimate)
    }

    /// The signs of life of a cohort.
    struct Signs {
        private(set) var progress: JobProgress
        private let work: [TargetWork]
        private(set) var estimate: Estimate
        /// Predictions of earlier cohorts.
        private let before: Double
        private var lastSign = 0.0

        init(progress: JobProgress, work: [TargetWork], estimate: Estimate) {
            self.progress = progress
            self.work = work
            self.estimate = estimate
            before = estimate.done
        }

        /// - Returns: what is to be told; within a batch that is once a second.
        mutating func take(_ news: RunProgress, at time: Double) -> JobProgress? {
            var batch: Double?
            switch news {
            case .references: progress.stage = "references"
            case .search(let evaluations, let budget, let best):
                progress.stage = "evolve"
                progress.evaluation = evaluations
                progress.budget = budget
                progress.best = best.flatMap { $0.isFinite ? $0 : nil }
                let share = Double(evaluations) / Double(max(1, budget))
                estimate.note(done: before + work.reduce(0) { $0 + $1.references + share * $1.search }, at: time)
            case .queries:
                progress.stage = "queries"
                estimate.note(done: before + work.reduce(0) { $0 + $1.references + $1.search }, at: time)
            case .encoding(let finished, let total), .batch(let finished, let total):
                if time < lastSign + 1 { return nil }
                batch = Double(finished) / Double(max(1, total))
            }
            progress.batch = batch
            progress.remaining = estimate.remaining(at: time)
            lastSign = time
            return progress
        }

        mutating func end(at time: Double) {
            estimate.note(done: before + work.reduce(0) { $0 + $1.total }, at: time)
        }
    }
}

/// Predictions that a target takes, about: prompts with retrieved items are not known before they are made.
struct TargetWork: Equatable {
    /// History items that count.
    let items: Int
    let references: Double
    let search: Double
    let queries: Double

    var total: Double { references + search + queries }

    init(_ user: User, _ manifest: JobManifest) {
        let recent = manifest.evolve.recent
        items = recent > 0 ? min(recent, user.history.count) : user.history.count
        var sharers = 0
        switch manifest.sharers {
        case .pool(_, let top): sharers = top
        case .adapters(let adapters): sharers = adapters.count
        }
        references = Double(items * (1 + sharers))
        search = Double(items * manifest.evolve.budget)
        queries = Double(user.queries.count)
    }
}

extension TargetResult {
    /// What an earlier attempt at a job made of a target.
    init?(of user: String, in folder: JobFolder) throws(PosixError) {
        guard let bytes = try Files.readIfPresent(folder.resultFile(of: user), limit: 1 << 26),
            let result = try? JSONDecoder().decode(TargetResult.self, from: Data(bytes))
        else { return nil }
        self = result
    }
}
