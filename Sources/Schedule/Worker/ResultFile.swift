import FoundationEssentials
import Manifest
import Methods
import Posix
import Privacy
import Spool

/// result.json: what other programs rely on.
public struct ResultFile: Codable, Equatable {
    var schema = 1
    var id: String
    /// Of the job as a whole; of one that came to its end, `failed` where a target is, else `held` where one is.
    public var status: JobStatus
    var error: Problem?
    /// The pool that the sharers were taken from; nil where the manifest named their adapters.
    var pool: String?
    /// In the manifest's order; of a job that ended early those that were done, by user.
    public var targets: [TargetResult]

    init(id: String, pool: String?, targets: [TargetResult]) {
        self.id = id
        self.pool = pool
        self.targets = targets
        let states = targets.map(\.status)
        status = states.contains(.failed) ? .failed : states.contains(.held) ? .held : .done
        switch status {
        case .failed: error = Self.problem(of: targets, .failed, "failed")
        case .held: error = Self.problem(of: targets, .held, "held back")
        default: break
        }
    }

    /// What the targets of a status come to for the job.
    private static func problem(
        of targets: [TargetResult], _ status: TargetResult.Status, _ words: String
    ) -> Problem? {
        let those = targets.filter { $0.status == status }
        guard let first = those.first, let error = first.error else { return nil }
        // Not every place names the user.
        let user = "user \(first.user)"
        let isNamed = error.place == user || error.place.hasPrefix("\(user): ")
        let place = status == .held ? user : isNamed ? error.place : "\(user), \(error.place)"
        return Problem(
            code: error.code,
            message: "\(those.count) of \(targets.count) targets \(words); the first, \(place): \(error.message)",
            place: "manifest: targets")
    }
}

extension ResultFile {
    /// Of a job that ends before all its targets are done: what is done is in it.
    init(endedBy error: Problem, as status: JobStatus, _ id: String, _ folder: JobFolder) throws(PosixError) {
        self.id = id
        self.status = status
        self.error = error
        pool = try Files.readIfPresent(folder.manifest, limit: 1 << 30).flatMap {
            try? JobManifest($0, file: "manifest").pool
        }
        let names = try Files.isPresent(folder.results) ? Files.list(folder.results) : []
        targets = []
        for name in names where name.hasSuffix(".json") && !name.hasPrefix(".") {
            if let result = try TargetResult(of: String(name.dropLast(5)), in: folder) { targets.append(result) }
        }
    }
}

extension Problem {
    /// - Parameter again: what runs the job again.
    static func timeLimit(
        again: String = "primed retry gives it that time again and goes on from there"
    ) -> Problem {
        Problem(
            code: "time-limit",
            message:
                "the job took all the time it may, by limits.seconds of a manifest or job_seconds of the configuration; "
                + "what was done by then is published; \(again)",
            place: "manifest: limits.seconds")
    }
}

/// One target in result.json.
public struct TargetResult: Codable, Equatable {
    /// The user's id.
    public var user: String
    public var status: Status
    var error: Problem?
    /// By id: selected ones most similar first, listed ones in the order of the list.
    var sharers: [String]?
    /// Of what ships, or would if it were not held; zeros where that is the base.
    public var weights: Weights?
    var merge: String?
    /// nil where the target failed, as all that follows from its run.
    public var utility: Utility?
    public var similarity: Similarity?
    var evaluations: Int?
    var seed: UInt64?
    var seconds: [String: Double]?

    /// What became of the target.
    public enum Status: String, Codable {
        /// The merged adapter ships.
        case done
        /// The base was no worse and ships.
        case base
        /// The release policy holds the result back.
        case held
        case failed
    }

    /// Scores on the history, larger is better.
    public struct Utility: Codable, Equatable {
        /// Of the base.
        public var base: Double
        /// Of what ships.
        public var merged: Double
        var sharers: [String: Double]
    }

    /// How like the sharers' predictions the mixture's are.
    public struct Similarity: Codable, Equatable {
        /// Of what ships, the mean over the sharers; larger is more alike.
        public var mean: Double
        var sharers: [String: Double]
    }

    init(user: String, failure: JobError) {
        self.user = user
        status = .failed
        error = failure.problem
    }

    init(_ record: PrivacyRecord, _ run: Personalization) {
        user = record.user
        if case .held(let reason) = record.release {
            status = .held
            error = Problem(code: "held", message: reason, place: "release policy")
        } else {
            status = record.outcome == .base ? .base : .done
        }
        sharers = record.sharers.map(\.id)
        weights =
            record.search.granularity == Granularity.layer.rawValue ? .layers(run.weights) : .shared(run.weights[0])
        merge = record.search.merge
        utility = Utility(
            base: record.utility.base, merged: record.utility.merged,
            sharers: Dictionary(record.sharers.map { ($0.id, $0.utility) }) { first, _ in first })
        similarity = Similarity(
            mean: record.similarity.after,
            sharers: Dictionary(record.sharers.map { ($0.id, $0.similarityAfter) }) { first, _ in first })
        evaluations = record.search.evaluations
        seed = record.search.seed
        let phases = run.seconds
        seconds = [
            "total": phases.total, "prepare": phases.prepare, "references": phases.references,
            "search": phases.search, "queries": phases.queries,
        ].mapValues { ($0 * 1000).rounded() / 1000 }
    }
}

/// `[w]` for one weight a sharer, `[[w]]` for one a layer and sharer.
public enum Weights: Codable, Equatable {
    case shared([Double])
    case layers([[Double]])

    /// `[1][sharers]` or `[layers][sharers]`.
    public var perSharer: [[Double]] {
        switch self {
        case .shared(let weights): [weights]
        case .layers(let layers): layers
        }
    }

    public init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let shared = try? value.decode([Double].self) {
            self = .shared(shared)
        } else {
            self = .layers(try value.decode([[Double]].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .shared(let weights): try value.encode(weights)
        case .layers(let weights): try value.encode(weights)
        }
    }
}

/// A value as a JSON document with sorted keys: equal values give equal bytes.
func encoded(_ value: some Encodable, pretty: Bool = true) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
}
